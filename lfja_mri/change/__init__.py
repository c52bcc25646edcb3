"""Two graded visits to changes."""
