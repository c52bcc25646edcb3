"""What every stage may be told: one module for each section of the files in `configs/`."""
