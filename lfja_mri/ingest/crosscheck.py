"""One sagittal series as the guide to another: is the CSF of the one bright or dark in the other.

A guess at T1 or T2 from one series alone errs now and then. The canal found where it shows best, followed in the other
series, settles it: in T1 it is darker than the vertebrae before it, in T2 brighter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from lfja_mri.config_ingest import IngestSettings
from lfja_mri.errors import Reason
from lfja_mri.geometry import apply
from lfja_mri.ingest.cues import bright_path, fluid_is_bright
from lfja_mri.ingest.judging import SUREST_GUESS, Judged, middle_planes
from lfja_mri.ingest.pixels import Pixels, plane_key, read_planes
from lfja_mri.ingest.roles import Fat, Weighting
from lfja_mri.ingest.stacks import Stack
from lfja_mri.model import FloatArray, ImageArray, Plane

VERTEBRA_MM = 20.0
FRONT_LPS = np.array([0.0, -1.0, 0.0])
LEAST_POINTS = 20


def crosschecked(judged: Sequence[Judged], pixels: Pixels, settings: IngestSettings) -> list[Judged]:
    """Settle the guessed weightings of sagittal series with bright fat by the series whose canal shows best."""
    guesses = [one for one in judged if one.guessed and one.plane is Plane.SAGITTAL and one.fat is Fat.BRIGHT]
    guide = _guide(judged, pixels, settings) if guesses else None
    if guide is None:
        return list(judged)
    best, path = guide
    return [
        _settled(one, best, path, pixels, settings) if one in guesses and one is not best else one
        for one in judged
    ]


def _guide(
    judged: Sequence[Judged], pixels: Pixels, settings: IngestSettings
) -> tuple[Judged, FloatArray] | None:
    """Return the series whose fluid is most surely bright, and its canal in LPS mm."""
    clear = [
        (fluid_is_bright(one.cues, settings)[1], one)
        for one in judged
        if one.plane is Plane.SAGITTAL and one.cues is not None and one.weighting is Weighting.T2
        if fluid_is_bright(one.cues, settings)[0]
    ]
    if not clear:
        return None
    best = max(clear, key=lambda pair: pair[0])[1]
    stack, i = middle_planes(best.stacks)[len(middle_planes(best.stacks)) // 2]
    array = pixels[plane_key(stack.planes[i])]
    path = None if isinstance(array, Reason) else bright_path(array, _plane_to_lps(stack, i))
    return None if path is None else (best, path)


def _settled(
    one: Judged, guide: Judged, path_lps_mm: FloatArray, pixels: Pixels, settings: IngestSettings
) -> Judged:
    contrast = _contrast_along(one.stacks, path_lps_mm, pixels)
    if contrast is None:
        return one
    weighting = one.weighting
    if contrast <= settings.canal_dark_below:
        weighting = Weighting.T1
    elif contrast >= settings.canal_bright_above:
        weighting = Weighting.T2
    else:
        return one
    said = f"pixels: the canal of {guide.stacks[0].key} is {contrast:.2f} x the vertebrae here, so {weighting.value}"
    return replace(
        one, weighting=weighting, evidence=(*one.evidence, said), confidence=SUREST_GUESS, guessed=False
    )


def _contrast_along(stacks: Sequence[Stack], path_lps_mm: FloatArray, pixels: Pixels) -> float | None:
    """Median signal along a path over the median 20 mm in front of it, on the nearest plane of a series."""
    middle = np.median(path_lps_mm, axis=0)
    stack, i, gap_mm = min(
        ((stack, i, gap) for stack in stacks for i, gap in enumerate(_gaps_mm(stack, middle))),
        key=lambda one: one[2],
    )
    if gap_mm > stack.pitch_mm:
        return None
    pixels.update(read_planes([stack.planes[i]], pixels))
    array = pixels[plane_key(stack.planes[i])]
    if isinstance(array, Reason):
        return None
    lps_to_plane = np.asarray(np.linalg.inv(_plane_to_lps(stack, i)), dtype=np.float64)
    canal = _read(array, lps_to_plane, path_lps_mm)
    vertebrae = _read(array, lps_to_plane, path_lps_mm + VERTEBRA_MM * FRONT_LPS)
    if min(canal.size, vertebrae.size) < LEAST_POINTS or np.median(vertebrae) <= 0:
        return None
    return float(np.median(canal) / np.median(vertebrae))


def _gaps_mm(stack: Stack, point_lps_mm: FloatArray) -> list[float]:
    """Distance of a point from each plane of a stack."""
    place = float(apply(np.asarray(np.linalg.inv(stack.voxel_to_lps), dtype=np.float64), point_lps_mm)[2])
    return [abs(place - i) * stack.pitch_mm for i in range(len(stack.planes))]


def _plane_to_lps(stack: Stack, i: int) -> FloatArray:
    affine = stack.voxel_to_lps.copy()
    affine[:3, 3] += i * affine[:3, 2]
    return affine


def _read(array: ImageArray, lps_to_plane: FloatArray, points_lps_mm: FloatArray) -> FloatArray:
    """Nearest pixels of points, those outside the image left out."""
    places = np.round(apply(lps_to_plane, points_lps_mm)[:, :2]).astype(int)
    inside = np.all((places >= 0) & (places < np.array(array.shape)[::-1]), axis=1)
    return array[places[inside, 1], places[inside, 0]].astype(np.float64)
