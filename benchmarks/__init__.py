"""Speed, memory and accuracy: what `make evaluate` and `make bench` run."""
