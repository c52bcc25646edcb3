"""The fine grid along LPS on which a joint's zones are laid out; its middle voxel is a joint's centre."""

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
    middle_lps_mm
        Of the middle voxel from the point that distances count from.
    """

    shape_xyz: tuple[int, int, int]
    voxel_to_lps: FloatArray
    spacing_mm: float
    middle_lps_mm: FloatArray

    def along_mm(self, axis_lps: FloatArray) -> FloatArray:
        """Return how many mm along a direction each voxel lies from the point that distances count from, shape zyx."""
        x, y, z = (
            ((np.arange(count) - count // 2) * self.spacing_mm + middle) * part
            for count, middle, part in zip(self.shape_xyz, self.middle_lps_mm, axis_lps, strict=True)
        )
        return np.asarray(z[:, None, None] + y[None, :, None] + x[None, None, :])


def grid_around(middle_lps_mm: FloatArray, from_lps_mm: FloatArray, settings: ZoneSettings) -> Grid:
    """Return the grid of the settings' size and spacing around a point, with distances that count from another."""
    counts = [2 * round(0.5 * side / settings.spacing_mm) + 1 for side in settings.box_mm]
    affine = np.diag([settings.spacing_mm, settings.spacing_mm, settings.spacing_mm, 1.0])
    affine[:3, 3] = middle_lps_mm - settings.spacing_mm * (np.array(counts) // 2)
    shape_xyz = (counts[0], counts[1], counts[2])
    return Grid(shape_xyz, affine, settings.spacing_mm, middle_lps_mm - from_lps_mm)
