"""Affines, planes and sampling: pure functions on small arrays, in LPS mm.

Vocabulary: a *point* is an LPS position in mm, shape (..., 3); a *voxel* index is (column, row, plane); arrays are
`*_zyx`, so an index turns round before it touches one.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lfja_mri.model import BoolArray, FloatArray, ImageArray, Plane, Volume

AXIAL_BORDER = float(1 / np.tan(np.radians(57.0)))


def apply(affine: FloatArray, points: npt.ArrayLike) -> FloatArray:
    """Map points, shape (..., 3), through a 4x4 affine."""
    return np.asarray(points, dtype=np.float64) @ affine[:3, :3].T + affine[:3, 3]


def unit(vector: FloatArray) -> FloatArray:
    """Return the vector at length one."""
    return np.asarray(vector, dtype=np.float64) / np.linalg.norm(vector)


def perpendicular(vector: FloatArray, axis: FloatArray) -> FloatArray:
    """Return the unit part of `vector` that is perpendicular to the unit vector `axis`."""
    return unit(vector - np.dot(vector, axis) * axis)


def nearest_plane(normal_lps: FloatArray) -> Plane:
    """Return the anatomical plane whose normal is nearest: x sagittal, y coronal, z axial.

    Between axial and coronal the border lies at 57 degrees, not at 45: axial stacks follow discs, and the steepest one
    slopes by up to 60 degrees, while coronal stacks of the spine lean by less than 30.
    """
    x, y, z = (abs(float(part)) for part in normal_lps)
    if x > max(y, z):
        return Plane.SAGITTAL
    return Plane.AXIAL if z >= y * AXIAL_BORDER else Plane.CORONAL


def sample(
    volume: Volume, points_lps_mm: FloatArray, *, order: int = 1, outside: float = np.nan
) -> FloatArray:
    """Read a volume at LPS points.

    Parameters
    ----------
    volume
        Image to read.
    points_lps_mm
        Shape (..., 3).
    order
        Spline order: 1 is linear.
    outside
        Value beyond the outermost voxel centres by more than half a voxel; positions up to half a voxel outside take
        the edge voxel's value, since the voxel reaches there.

    Returns
    -------
    Signal at each point, shape (...).
    """
    # loaded here: reading headers needs affines but no sampling, and scipy is slow to load
    from scipy import ndimage

    points = np.asarray(points_lps_mm, dtype=np.float64)
    index_xyz = apply(volume.lps_to_voxel, points).reshape(-1, 3)
    values = ndimage.map_coordinates(volume.values_zyx, index_xyz[:, ::-1].T, order=order, mode="nearest")
    inside = contains_voxels(volume, index_xyz)
    return np.where(inside, values, outside).reshape(points.shape[:-1])


def contains(volume: Volume, points_lps_mm: FloatArray) -> BoolArray:
    """Return whether each LPS point lies inside the imaged box (to the outer faces of the voxels)."""
    points = np.asarray(points_lps_mm, dtype=np.float64)
    return contains_voxels(volume, apply(volume.lps_to_voxel, points).reshape(-1, 3)).reshape(
        points.shape[:-1]
    )


def contains_voxels(volume: Volume, index_xyz: FloatArray) -> BoolArray:
    """Return whether each (column, row, plane) index lies within half a voxel of the array."""
    inside = np.ones(index_xyz.shape[:-1], dtype=np.bool_)
    for axis, count in enumerate(volume.values_zyx.shape[::-1]):
        inside &= (index_xyz[..., axis] >= -0.5) & (index_xyz[..., axis] <= count - 0.5)
    return inside


def grid_affine(origin_lps_mm: FloatArray, axes_lps: FloatArray, spacing_mm: FloatArray) -> FloatArray:
    """Return a 4x4 `voxel_to_lps` from an origin, three unit axes as rows (column, row, plane), and steps."""
    affine = np.eye(4)
    affine[:3, :3] = np.asarray(axes_lps).T * np.asarray(spacing_mm)
    affine[:3, 3] = origin_lps_mm
    return affine


def grid_points(affine: FloatArray, shape_zyx: tuple[int, int, int]) -> FloatArray:
    """Return the LPS mm of every voxel centre of a grid, shape (planes, rows, columns, 3)."""
    plane, row, column = np.indices(shape_zyx, dtype=np.float64)
    return apply(affine, np.stack([column, row, plane], axis=-1))


def resample(
    volume: Volume, affine: FloatArray, shape_zyx: tuple[int, int, int], *, order: int = 1
) -> ImageArray:
    """Read a volume on another grid; NaN outside it."""
    return sample(volume, grid_points(affine, shape_zyx), order=order).astype(np.float32)


def lps_to_ras(affine: FloatArray) -> FloatArray:
    """Turn an affine into LPS into one into RAS, or back: the first two rows change sign."""
    return np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine
