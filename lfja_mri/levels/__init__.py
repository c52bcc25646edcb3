"""Volumes to named lumbar discs with their frames."""
