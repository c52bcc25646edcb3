"""Facet joints: found, framed and divided into the zones that grades speak of."""

from lfja_mri.facets.place import place_joints

__all__ = ["place_joints"]
