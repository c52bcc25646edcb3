"""Facet joints: found, framed and divided into the zones that grades speak of."""

from lfja_mri.facets.masks import ProcessMasks, process_masks_in, read_process_masks
from lfja_mri.facets.place import place_joints

__all__ = ["ProcessMasks", "place_joints", "process_masks_in", "read_process_masks"]
