"""Cuts: rectangles of acquired planes turned the way radiologists read them, and zones cut by those planes.

A cut is read from an image's own plane, never from a reformat: its pixels are the acquired ones, only turned and
cropped. *Across* is the viewer's direction from left to right, *down* from top to bottom, both unit vectors in LPS.
Axial and coronal cuts show the patient's right on the viewer's left; sagittal cuts show the front on the viewer's
left. Which way that is follows from the affine alone, so any array order gives the same picture.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from contourpy import LineType, contour_generator

from lfja_mri import geometry
from lfja_mri.model import FloatArray, Image, ImageArray, Joint, Plane, Volume, Zone, Zones

OUTLINE_STEP_MM = 0.4
DARKEST_PERCENT = 0.5
BRIGHTEST_PERCENT = 99.5
_READING_DIRECTIONS = {
    Plane.AXIAL: (np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0])),
    Plane.CORONAL: (np.array([1.0, 0.0, 0.0]), np.array([0.0, 0.0, -1.0])),
    Plane.SAGITTAL: (np.array([0.0, 1.0, 0.0]), np.array([0.0, 0.0, -1.0])),
}
_LETTERS = (("R", "L"), ("A", "P"), ("F", "H"))


@dataclass(frozen=True, eq=False)
class Cut:
    """A rectangle of one acquired plane, turned for reading.

    Parameters
    ----------
    pixels_yx
        Signal, row 0 at the top of the picture.
    corner_lps_mm
        Centre of the top left pixel.
    across_lps, down_lps
        Unit vectors of the viewer's left-to-right and top-to-bottom.
    across_step_mm, down_step_mm
        Pixel size.
    window
        Signals shown as black and as white.
    """

    pixels_yx: ImageArray
    corner_lps_mm: FloatArray
    across_lps: FloatArray
    down_lps: FloatArray
    across_step_mm: float
    down_step_mm: float
    window: tuple[float, float]

    @property
    def width_mm(self) -> float:
        """Outer width."""
        return self.pixels_yx.shape[1] * self.across_step_mm

    @property
    def height_mm(self) -> float:
        """Outer height."""
        return self.pixels_yx.shape[0] * self.down_step_mm

    @property
    def letters(self) -> tuple[str, str, str, str]:
        """Anatomical letters at the viewer's left, right, top and bottom edge."""
        return (
            letter(-self.across_lps),
            letter(self.across_lps),
            letter(-self.down_lps),
            letter(self.down_lps),
        )

    def to_picture(self, points_lps_mm: FloatArray) -> FloatArray:
        """Project LPS points, shape (..., 3), to (across, down) mm from the top left outer corner, shape (..., 2)."""
        offset = np.asarray(points_lps_mm, dtype=np.float64) - self.corner_lps_mm
        half = np.array([self.across_step_mm, self.down_step_mm]) / 2
        result: FloatArray = np.stack([offset @ self.across_lps, offset @ self.down_lps], axis=-1) + half
        return result

    def to_lps(self, picture_mm: FloatArray) -> FloatArray:
        """Lift (across, down) mm from the top left outer corner, shape (..., 2), onto the plane in LPS."""
        half = np.array([self.across_step_mm, self.down_step_mm]) / 2
        offset = np.asarray(picture_mm, dtype=np.float64) - half
        return self.corner_lps_mm + offset @ np.stack([self.across_lps, self.down_lps])


def letter(direction_lps: FloatArray) -> str:
    """Return R, L, A, P, F (feet) or H (head): the anatomical direction nearest to a vector in LPS."""
    axis = int(np.argmax(np.abs(direction_lps)))
    return _LETTERS[axis][int(direction_lps[axis] > 0)]


def plane_of(image: Image) -> Plane:
    """Return the anatomical plane of an image, from its affine."""
    return geometry.nearest_plane(image.volume.normal_lps)


def cut_through(volume: Volume, point_lps_mm: FloatArray, size_mm: float | None = None) -> Cut:
    """Cut the acquired plane nearest to a point, as a square around it or whole.

    Parameters
    ----------
    volume
        Image to cut.
    point_lps_mm
        Point in the frame of the image; the plane number is held within the volume.
    size_mm
        Side of the square; the whole plane where None.
    """
    index = geometry.apply(volume.lps_to_voxel, point_lps_mm)
    plane = int(np.clip(np.rint(index[2]), 0, volume.values_zyx.shape[0] - 1))
    whole = _turned(volume, plane)
    return whole if size_mm is None else _cropped(whole, point_lps_mm, size_mm)


def _turned(volume: Volume, plane: int) -> Cut:
    wanted_across, wanted_down = _READING_DIRECTIONS[geometry.nearest_plane(volume.normal_lps)]
    columns, rows = (geometry.unit(volume.voxel_to_lps[:3, axis]) for axis in (0, 1))
    pixels_yx = volume.values_zyx[plane]
    steps = volume.spacing_mm
    corner = geometry.apply(volume.voxel_to_lps, np.array([0.0, 0.0, plane]))
    across, down, across_step, down_step = columns, rows, steps[0], steps[1]
    if abs(rows @ wanted_across) > abs(columns @ wanted_across):
        pixels_yx = pixels_yx.T
        across, down, across_step, down_step = rows, columns, steps[1], steps[0]
    if across @ wanted_across < 0:
        corner = corner + across * across_step * (pixels_yx.shape[1] - 1)
        pixels_yx, across = pixels_yx[:, ::-1], -across
    if down @ wanted_down < 0:
        corner = corner + down * down_step * (pixels_yx.shape[0] - 1)
        pixels_yx, down = pixels_yx[::-1], -down
    return Cut(
        pixels_yx, corner, across, down, float(across_step), float(down_step), display_window(pixels_yx)
    )


def _cropped(cut: Cut, point_lps_mm: FloatArray, size_mm: float) -> Cut:
    middle = cut.to_picture(point_lps_mm)
    columns = _pixel_range(middle[0], size_mm, cut.across_step_mm, cut.pixels_yx.shape[1])
    rows = _pixel_range(middle[1], size_mm, cut.down_step_mm, cut.pixels_yx.shape[0])
    corner = (
        cut.corner_lps_mm
        + cut.across_lps * cut.across_step_mm * columns.start
        + cut.down_lps * cut.down_step_mm * rows.start
    )
    pixels_yx = cut.pixels_yx[rows, columns]
    return Cut(
        pixels_yx,
        corner,
        cut.across_lps,
        cut.down_lps,
        cut.across_step_mm,
        cut.down_step_mm,
        display_window(pixels_yx),
    )


def _pixel_range(middle_mm: float, size_mm: float, step_mm: float, count: int) -> slice:
    length = min(max(round(size_mm / step_mm), 1), count)
    start = round((middle_mm - size_mm / 2) / step_mm)
    start = min(max(start, 0), count - length)
    return slice(start, start + length)


def display_window(pixels_yx: ImageArray) -> tuple[float, float]:
    """Return the signals to show as black and white: outer percentiles, apart even in a flat picture."""
    low, high = np.percentile(pixels_yx, [DARKEST_PERCENT, BRIGHTEST_PERCENT])
    return float(low), float(max(high, low + 1e-6))


def outlines(
    cut: Cut, zones: Zones, wanted: Iterable[Zone], shift_lps_mm: FloatArray
) -> tuple[FloatArray, ...]:
    """Trace the border of some zones, taken together, where the cut's plane meets them.

    Parameters
    ----------
    cut
        The plane to look at.
    zones
        Zones in the reference frame.
    wanted
        Zones taken as one region.
    shift_lps_mm
        `Joint.shift_of` the image: what lies at `p` in the reference frame is seen at `p + shift`.

    Returns
    -------
    Polylines of shape (N, 2): (across, down) mm from the cut's top left outer corner; empty where the plane misses.
    """
    mask_zyx = zones.mask(*wanted)
    if not mask_zyx.any():
        return ()
    mask = Volume(mask_zyx.astype(np.float32), zones.voxel_to_lps, 0.0)
    across = (np.arange(round(cut.width_mm / OUTLINE_STEP_MM)) + 0.5) * OUTLINE_STEP_MM
    down = (np.arange(round(cut.height_mm / OUTLINE_STEP_MM)) + 0.5) * OUTLINE_STEP_MM
    columns, rows = _reach(cut.to_picture(_box_lps_mm(mask) + shift_lps_mm))
    share = np.zeros((len(down), len(across)))
    points = cut.to_lps(np.stack(np.meshgrid(across[columns], down[rows]), axis=-1)) - shift_lps_mm
    share[rows, columns] = geometry.sample(mask, points, outside=0.0)
    generator = contour_generator(z=np.pad(share, 1), line_type=LineType.Separate)
    lines = cast("list[FloatArray]", generator.lines(0.5))
    return tuple((line - 0.5) * OUTLINE_STEP_MM for line in lines)


def _box_lps_mm(mask: Volume) -> FloatArray:
    """Return the corners of the box around a mask, a voxel wider on all sides, shape (8, 3)."""
    axes = ((0, 1), (0, 2), (1, 2))
    held = [np.flatnonzero(mask.values_zyx.any(axis=others)) for others in axes]
    ends = [(places[0] - 1, places[-1] + 1) for places in held]
    index_xyz = np.stack(np.meshgrid(*ends, indexing="ij"), axis=-1).reshape(-1, 3)
    return geometry.apply(mask.voxel_to_lps, index_xyz)


def _reach(picture_mm: FloatArray) -> tuple[slice, slice]:
    """Return the columns and rows of outline steps between the outermost of some points in a picture."""
    low = np.floor(picture_mm.min(axis=0) / OUTLINE_STEP_MM).astype(int)
    high = np.ceil(picture_mm.max(axis=0) / OUTLINE_STEP_MM).astype(int)
    columns, rows = (slice(max(first, 0), max(last, 0)) for first, last in zip(low, high, strict=True))
    return columns, rows


def best_view(
    images: Sequence[Image], plane: Plane, joint: Joint, sources: Sequence[str] = ()
) -> Image | None:
    """Choose the image of a plane that shows a joint best, or None where none reaches it.

    Measured images (`sources` names their roles or keys) come first, then those that show inflammation, then
    fluid-sensitive ones, then the one with the nearest slice. A stack that ends before the joint's centre still shows
    it where its last slice cuts the joint.
    """
    candidates = []
    for position, image in enumerate(images):
        away_mm = _nearest_slice_mm(image, joint.frame.centre_lps_mm + joint.shift_of(image.key))
        if plane_of(image) is plane and away_mm is not None and away_mm <= joint.frame.height_mm / 2:
            candidates.append((*_preference(image, sources), away_mm, position))
    return images[min(candidates)[-1]] if candidates else None


def _nearest_slice_mm(image: Image, point_lps_mm: FloatArray) -> float | None:
    """Return how far the nearest slice lies from a point, or None where the point is beside the slices."""
    volume = image.volume
    index = geometry.apply(volume.lps_to_voxel, point_lps_mm)
    on_slice = index.copy()
    on_slice[2] = np.clip(np.rint(index[2]), 0, volume.values_zyx.shape[0] - 1)
    if not geometry.contains_voxels(volume, on_slice):
        return None
    return float(abs(index[2] - on_slice[2]) * volume.spacing_mm[2])


def _preference(image: Image, sources: Sequence[str]) -> tuple[bool, bool, bool]:
    contrast = image.role.contrast
    measured = str(image.role) in sources or image.key in sources
    return (not measured, not contrast.shows_inflammation, not contrast.is_fluid_sensitive)
