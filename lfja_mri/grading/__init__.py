"""Zones to measurements, measurements to grades."""
