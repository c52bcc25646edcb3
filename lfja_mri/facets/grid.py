"""The fine grid along LPS on which a joint's zones are laid out; its middle voxel is the joint's centre."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lfja_mri.model import FloatArray
from lfja_mri.settings.facets import ZoneSettings


@dataclass(frozen=True, eq=False)
class Grid:
    """A grid of cubic voxels along the patient's axes.

    Parameters
    ----------
    shape_xyz
        Voxels along each axis, odd.
    voxel_to_lps
        Affine, mm.
    spacing_mm
        Side of a voxel.
    """

    shape_xyz: tuple[int, int, int]
    voxel_to_lps: FloatArray
    spacing_mm: float

    def along_mm(self, axis_lps: FloatArray) -> FloatArray:
        """Return each voxel's mm from the grid's middle along a direction, shape zyx."""
        x, y, z = (
            (np.arange(count) - count // 2) * self.spacing_mm * part
            for count, part in zip(self.shape_xyz, axis_lps, strict=True)
        )
        return np.asarray(z[:, None, None] + y[None, :, None] + x[None, None, :])


def grid_around(centre_lps_mm: FloatArray, settings: ZoneSettings) -> Grid:
    """Return the grid of the settings' size and spacing around a point."""
    counts = [2 * round(0.5 * side / settings.spacing_mm) + 1 for side in settings.box_mm]
    affine = np.diag([settings.spacing_mm, settings.spacing_mm, settings.spacing_mm, 1.0])
    affine[:3, 3] = centre_lps_mm - settings.spacing_mm * (np.array(counts) // 2)
    return Grid((counts[0], counts[1], counts[2]), affine, settings.spacing_mm)
