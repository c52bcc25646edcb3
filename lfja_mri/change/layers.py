"""The images of a level made ready for registration: cut to it, smoothed, with their slopes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from lfja_mri import geometry
from lfja_mri.model import FloatArray, Image, ImageArray, Volume

MARGIN_MM = 15.0
"""Beyond the region, so that places may move while the motion is sought."""


@dataclass(frozen=True, eq=False)
class LevelImages:
    """The images of one visit at one level, by role; `shifts_mm` tells how far the patient had moved in each."""

    by_role: Mapping[str, Sequence[Image]]
    shifts_mm: Mapping[str, FloatArray]


@dataclass(frozen=True, eq=False)
class Layer:
    """One stack, cut and smoothed.

    Parameters
    ----------
    volume
        Pixels and place.
    slopes_zyx
        Signal per mm along LPS x, y and z, each of the volume's shape.
    shift_mm
        To add to points of the visit's reference frame.
    """

    volume: Volume
    slopes_zyx: tuple[ImageArray, ...]
    shift_mm: FloatArray


Layers = tuple[Layer, ...]


def layers_of(visit: LevelImages, role: str, places_lps_mm: FloatArray, smoothing_mm: float) -> Layers:
    """Return the stacks of a role that reach near some places, shape (N, 3)."""
    result = []
    for image in visit.by_role[role]:
        shift = visit.shifts_mm.get(image.key, np.zeros(3))
        cut = _cut(image.volume, places_lps_mm + shift)
        if cut is not None:
            smooth = _smooth(cut, smoothing_mm)
            result.append(Layer(smooth, _slopes(smooth), shift))
    return tuple(result)


def read(layers: Layers, points_lps_mm: FloatArray) -> FloatArray:
    """Read a role at points: each from the first stack that has it; NaN where none does. Shape (N,)."""
    values = np.full(len(points_lps_mm), np.nan)
    for layer in layers:
        open_ = np.isnan(values)
        if open_.any():
            values[open_] = geometry.sample(layer.volume, points_lps_mm[open_] + layer.shift_mm)
    return values


def read_slopes(layers: Layers, points_lps_mm: FloatArray) -> FloatArray:
    """Read the slopes of a role at points, per mm along LPS, shape (N, 3); zero where no stack has the point."""
    slopes = np.zeros((len(points_lps_mm), 3))
    open_ = np.ones(len(points_lps_mm), dtype=bool)
    for layer in layers:
        index_xyz = geometry.apply(layer.volume.lps_to_voxel, points_lps_mm + layer.shift_mm)
        here = open_ & geometry.contains_voxels(layer.volume, index_xyz)
        places = index_xyz[here][:, ::-1].T
        for axis, slope in enumerate(layer.slopes_zyx):
            slopes[here, axis] = ndimage.map_coordinates(slope, places, order=1, mode="nearest")
        open_ &= ~here
    return slopes


def _cut(volume: Volume, places_lps_mm: FloatArray) -> Volume | None:
    """Return the part of a volume around some places; None where they lie outside it."""
    index_xyz = geometry.apply(volume.lps_to_voxel, places_lps_mm)
    margin = np.ceil(MARGIN_MM / volume.spacing_mm)
    shape_xyz = np.array(volume.values_zyx.shape[::-1])
    low = np.clip(np.floor(index_xyz.min(axis=0)) - margin, 0, shape_xyz).astype(int)
    high = np.clip(np.ceil(index_xyz.max(axis=0)) + margin + 1, 0, shape_xyz).astype(int)
    if np.any(high - low < 2):
        return None
    affine = volume.voxel_to_lps.copy()
    affine[:3, 3] = geometry.apply(volume.voxel_to_lps, low.astype(np.float64))
    values = volume.values_zyx[low[2] : high[2], low[1] : high[1], low[0] : high[0]]
    return Volume(values, affine, volume.slice_thickness_mm)


def _smooth(volume: Volume, smoothing_mm: float) -> Volume:
    """Blur within the planes only: across thick slices there is nothing finer to remove."""
    column_mm, row_mm, _ = volume.spacing_mm
    sigma = (0.0, smoothing_mm / row_mm, smoothing_mm / column_mm)
    values = ndimage.gaussian_filter(volume.values_zyx, sigma, mode="nearest", truncate=3.0)
    return Volume(values, volume.voxel_to_lps, volume.slice_thickness_mm)


def _slopes(volume: Volume) -> tuple[ImageArray, ...]:
    """Turn differences along the array's axes into slopes along LPS: the chain rule through the affine."""
    along_zyx = [np.gradient(volume.values_zyx, axis=axis) for axis in range(3)]
    per_voxel_xyz = np.stack(along_zyx[::-1], axis=-1)
    slopes = (per_voxel_xyz @ volume.lps_to_voxel[:3, :3]).astype(np.float32)
    return tuple(np.ascontiguousarray(slopes[..., axis]) for axis in range(3))
