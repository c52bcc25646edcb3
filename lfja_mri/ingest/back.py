"""The back as an image shows it: signal by depth below the skin, row by row, and where each row lies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lfja_mri.geometry import unit
from lfja_mri.model import BoolArray, FloatArray, ImageArray, Plane

PIXEL_MM = 1.5
PROFILE_MM = 126.0
BODY_SHARE = 0.1
LINE_SHARE = 0.03
ABOVE_AIR = 1.7
AIR_COLUMNS = 6
DARK_FAT_MM = 6.0
NEAREST_SKIN = 0.35
LEAST_ROWS = 8


@dataclass(frozen=True, eq=False)
class Back:
    """Signal as a share of the plane's bright end, by depth below the skin of the back.

    Parameters
    ----------
    profiles
        (rows, depths): one row each 1.5 mm from head to feet (sagittal) or across (axial), one depth each 1.5 mm; NaN
        outside the image.
    skin_lps_mm
        (rows, 3): where each profile starts.
    inwards_lps_mm
        Step from one depth to the next.
    """

    profiles: FloatArray
    skin_lps_mm: FloatArray
    inwards_lps_mm: FloatArray


@dataclass(frozen=True, eq=False)
class _View:
    """A plane with columns from front to back and, if sagittal, rows from head to feet; with its place and steps."""

    values: FloatArray
    origin_lps_mm: FloatArray
    down_lps_mm: FloatArray
    across_lps_mm: FloatArray


def back_of(plane_yx: ImageArray, plane_to_lps: FloatArray, plane: Plane) -> Back | None:
    """Look at the back in one plane; None where too few rows show the skin.

    Parameters
    ----------
    plane_yx
        Pixels.
    plane_to_lps
        4x4; (column, row, 0) of this plane to LPS mm.
    plane
        Sagittal or axial.
    """
    view = _working_view(_turned(plane_yx, plane_to_lps, plane))
    height, width = view.values.shape
    profiles, starts = [], []
    for row, edge in _skin_of(view.values).items():
        if edge > NEAREST_SKIN * width:
            profile, outer = _profile(view.values[row], edge)
            profiles.append(profile)
            starts.append(view.origin_lps_mm + row * view.down_lps_mm + outer * view.across_lps_mm)
    if len(profiles) < max(height // 4, LEAST_ROWS):
        return None
    return Back(np.stack(profiles), np.stack(starts), -view.across_lps_mm)


def _skin_of(values: FloatArray) -> dict[int, int]:
    """Return the column of the skin by row.

    Where fat is as dark as air the body seems to end at the muscles, and the skin is the line that lies behind it.
    """
    body, line = _ends(_body(values)), _ends(_long_parts(values))
    gaps = [line[row] - body.get(row, 0) for row in line]
    hidden = bool(gaps) and float(np.median(gaps)) * PIXEL_MM > DARK_FAT_MM
    return line if hidden else body


def _ends(mask: BoolArray) -> dict[int, int]:
    """Return the last column of a mask by row, the rows near the upper and lower end left out."""
    height = mask.shape[0]
    columns = {row: np.flatnonzero(mask[row]) for row in range(height // 10, height * 23 // 25)}
    return {row: int(found[-1]) for row, found in columns.items() if found.size}


def _body(values: FloatArray) -> BoolArray:
    """Return the largest compact part of an image."""
    from scipy import ndimage

    smooth = ndimage.gaussian_filter(values, 1.5)
    body = ndimage.binary_opening(
        smooth > BODY_SHARE * np.percentile(smooth, 98), np.ones((3, 5), dtype=bool)
    )
    labels, count = ndimage.label(body)
    if not count:
        return np.zeros(values.shape, dtype=bool)
    largest: BoolArray = labels == 1 + int(np.argmax(np.bincount(labels.ravel())[1:]))
    return largest


def _long_parts(values: FloatArray) -> BoolArray:
    """Return every part of an image, thin lines too, that runs through a quarter of its rows and stands out from the air."""
    from scipy import ndimage

    smooth = ndimage.gaussian_filter(values, [4.0, 0.7])
    limit = max(LINE_SHARE * np.percentile(smooth, 98), ABOVE_AIR * np.median(smooth[:, -AIR_COLUMNS:]))
    labels, _ = ndimage.label(
        ndimage.binary_opening(smooth > limit, np.ones((5, 1), dtype=bool)), np.ones((3, 3))
    )
    long = [
        number
        for number, (rows, _) in enumerate(ndimage.find_objects(labels), start=1)
        if rows.stop - rows.start >= values.shape[0] // 4
    ]
    return np.isin(labels, long)


def _turned(plane_yx: ImageArray, plane_to_lps: FloatArray, plane: Plane) -> _View:
    origin, across, down = plane_to_lps[:3, 3], plane_to_lps[:3, 0], plane_to_lps[:3, 1]
    values = plane_yx.astype(np.float64)
    if abs(unit(down)[1]) > abs(unit(across)[1]):
        values, across, down = values.T, down, across
    if plane is Plane.SAGITTAL and down[2] > 0:
        values, origin, down = values[::-1], origin + (values.shape[0] - 1) * down, -down
    if across[1] < 0:
        values, origin, across = values[:, ::-1], origin + (values.shape[1] - 1) * across, -across
    return _View(values, origin, down, across)


def _working_view(view: _View) -> _View:
    """Resample to 1.5 mm, lightly smoothed, scaled to 0-1 between the 1st and the 99.5th percentile."""
    from scipy import ndimage

    zoom = [float(np.linalg.norm(step)) / PIXEL_MM for step in (view.down_lps_mm, view.across_lps_mm)]
    image = ndimage.gaussian_filter(view.values, [0.5 / share if share < 1 else 0.01 for share in zoom])
    image = ndimage.gaussian_filter(ndimage.zoom(image, zoom, order=1), 0.6)
    low, high = np.percentile(image, [1, 99.5])
    # zoom keeps the first and last pixel in place
    steps = [(old - 1) / max(new - 1, 1) for old, new in zip(view.values.shape, image.shape, strict=True)]
    return _View(
        np.clip((image - low) / max(high - low, 1e-9), 0, 1),
        view.origin_lps_mm,
        view.down_lps_mm * steps[0],
        view.across_lps_mm * steps[1],
    )


def _profile(line: FloatArray, edge: int) -> tuple[FloatArray, int]:
    """Return the signal by depth from the outer flank of the skin, which lies near `edge`, and its column."""
    start = max(0, edge - 5)
    skin = line[start : edge + 3]
    outer = start + int(np.flatnonzero(skin >= 0.5 * skin.max())[-1])
    length = int(PROFILE_MM / PIXEL_MM)
    inwards = line[max(0, outer - length + 1) : outer + 1][::-1]
    profile = np.full(length, np.nan)
    profile[: inwards.size] = inwards
    return profile, outer
