"""How high a joint reaches in sagittal slices, whose ends are far sharper there than in thick axial ones.

A sagittal slice through a joint cuts it from top to bottom: a dark band, the joint blurred over the slice's thickness
with its subchondral bone, between the marrow of the superior process in front and of the inferior one behind. Where fat
is suppressed only fluid tells: a bright band, and its ends are the joint's.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from lfja_mri import geometry
from lfja_mri.facets.extent import HeightProfile
from lfja_mri.facets.frames import JointShape, Site, arc_points
from lfja_mri.model import FloatArray, Image

STEP_MM = 0.7
DEPTH_MM, HEIGHT_MM = 22.0, 18.0
BAND_SMOOTHING_MM = 1.2
HEIGHT_SEEN_MM = 17.5
MIDDLE_THIRD = 0.3
BESIDE_MM = 2.1
SMALLEST_ANGLE_DEG = 20.0

ShiftedImages = tuple[tuple[Image, FloatArray], ...]


def height_profile(images: ShiftedImages, site: Site, shape: JointShape) -> HeightProfile | None:
    """Return how clearly fat-suppressed sagittal slices show a joint at each height; None where none does.

    Only slices through the joint's middle third are read: further out its height shrinks.
    """
    heights = _steps(HEIGHT_SEEN_MM)
    rows = []
    for image, shift in images:
        if not image.role.contrast.is_fat_suppressed:
            continue
        reach = MIDDLE_THIRD * shape.length_mm * np.sin(np.deg2rad(least_angle_deg(shape)))
        for offset in _slice_offsets(image, shift, site, shape):
            patch = _patch(image, shift, site, shape, offset) if abs(offset) <= reach else None
            if patch is not None:
                rows.append(_along_height(_band(patch, image), _line_behind(offset, shape), shape, heights))
    return HeightProfile(heights, np.mean(rows, axis=0)) if rows else None


def _along_height(band: FloatArray, line_behind: float, shape: JointShape, heights: FloatArray) -> FloatArray:
    """Return the best evidence within `BESIDE_MM` of the joint at each height."""
    slope = shape.normal_cranial / np.sin(np.deg2rad(least_angle_deg(shape)))
    near = _steps(BESIDE_MM)
    column = (line_behind + slope * heights[:, None] + near[None, :] + DEPTH_MM) / STEP_MM
    row = np.broadcast_to((heights[:, None] + HEIGHT_MM) / STEP_MM, column.shape)
    return np.asarray(ndimage.map_coordinates(band, [row, column], order=1, mode="nearest").max(axis=1))


def _steps(bound_mm: float) -> FloatArray:
    reach = round(bound_mm / STEP_MM)
    return np.asarray(np.arange(-reach, reach + 1) * STEP_MM)


def _slice_offsets(image: Image, shift: FloatArray, site: Site, shape: JointShape) -> FloatArray:
    """Return how far outwards from the joint's middle each slice through it lies."""
    volume = image.volume
    middle = site.to_lps(_offsets(site, shape, 0.0, np.zeros(1), np.zeros(1)))[0] + shift
    places = (
        volume.voxel_to_lps[:3, 3]
        + np.arange(volume.values_zyx.shape[0])[:, None] * volume.voxel_to_lps[:3, 2]
    )
    outwards = site.side.lateral_sign * (places - middle) @ volume.normal_lps
    outwards = outwards * np.sign(volume.normal_lps @ site.axes.left)
    half = 0.5 * shape.length_mm * np.sin(np.deg2rad(least_angle_deg(shape)))
    return np.asarray(np.sort(outwards[np.abs(outwards) <= half + 0.25 * volume.spacing_mm[2]]))


def _offsets(
    site: Site, shape: JointShape, outwards: float, behind: FloatArray, cranial: FloatArray
) -> FloatArray:
    """Return (anterior, left, cranial) offsets of places given from the joint's middle."""
    left = site.canal_offset_mm[1] + site.side.lateral_sign * (shape.lateral_mm + outwards)
    return np.stack(
        [-(shape.behind_mm + behind), np.full(behind.shape, left), shape.cranial_mm + cranial], axis=-1
    )


def _patch(
    image: Image, shift: FloatArray, site: Site, shape: JointShape, outwards: float
) -> FloatArray | None:
    """Return a slice around the joint, rows upwards and columns backwards; None where it is not imaged."""
    behind, cranial = np.meshgrid(_steps(DEPTH_MM), _steps(HEIGHT_MM))
    values = geometry.sample(
        image.volume, site.to_lps(_offsets(site, shape, outwards, behind, cranial)) + shift
    )
    return values if bool(np.all(np.isfinite(values))) else None


def _band(patch: FloatArray, image: Image) -> FloatArray:
    """Return the likeness to a joint's band at each place: dark between marrow, or bright where fat is suppressed."""
    away = round(6.0 / STEP_MM)
    smooth = ndimage.gaussian_filter(patch, (1.0 / STEP_MM, BAND_SMOOTHING_MM / STEP_MM))
    padded = np.pad(smooth, ((0, 0), (away, away)), mode="edge")
    width = smooth.shape[1]
    front, back = padded[:, :width], padded[:, 2 * away : 2 * away + width]
    scale = float(np.percentile(patch, 90) - np.percentile(patch, 5))
    if scale <= 0:
        return np.zeros_like(patch)
    if image.role.contrast.is_fat_suppressed:
        return np.asarray(np.clip((smooth - np.maximum(front, back)) / scale, -0.5, 1.0))
    marrow = 0.7 * np.minimum(front, back) + 0.3 * np.maximum(front, back)
    return np.asarray(np.clip(2.0 * (marrow - smooth) / scale, -0.5, 1.0))


def _line_behind(outwards: float, shape: JointShape) -> float:
    """Return how far behind its middle the joint lies where a slice cuts it."""
    arc, _ = arc_points(shape.angle_deg, shape.bend_deg, shape.length_mm)
    return float(np.interp(outwards, arc[:, 0], arc[:, 1]))


def least_angle_deg(shape: JointShape) -> float:
    """Return a joint's angle, no smaller than one at which a sagittal slice still crosses it."""
    return max(shape.angle_deg, SMALLEST_ANGLE_DEG)
