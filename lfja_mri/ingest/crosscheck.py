"""One sagittal series as the guide to the others: is the CSF that it shows bright or dark in them.

A guess at T1 or T2 from one series alone errs now and then, the more so where fat is suppressed: after contrast the
muscles are the brightest thing in such a T1 image, and a path through them looks like a canal. The canal found where it
shows best, followed in every other series, settles it: whatever became of fat, CSF is darker than muscle in T1 and several
times brighter in T2.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from lfja_mri.errors import Reason
from lfja_mri.geometry import apply
from lfja_mri.ingest.cues import SMALLEST, bright_path, fluid_is_bright
from lfja_mri.ingest.judging import SUREST_GUESS, Judged, Look, look
from lfja_mri.ingest.pixels import Pixels, plane_key, read_planes
from lfja_mri.ingest.roles import Fat, Weighting
from lfja_mri.ingest.stacks import Stack
from lfja_mri.model import FloatArray, ImageArray, Plane
from lfja_mri.settings.ingest import IngestSettings

# the erector spinae, seen from the middle of the canal: to both sides, and behind
ASIDE_MM = (14.0, 18.0, 22.0, 26.0)
BEHIND_MM = (24.0, 30.0, 36.0)
FLANK_MM = (16.0, 20.0, 24.0)
# the ends of the path may have left the canal
UPPER_END, LOWER_END = 1 / 6, 4 / 5
LEAST_POINTS = 20
CLEAR_AXIAL = 0.9


@dataclass(frozen=True, eq=False)
class Guide:
    """The canal as one series shows it.

    Parameters
    ----------
    key
        The stack.
    path_lps_mm
        (N, 3): from head to feet along the canal.
    """

    key: str
    path_lps_mm: FloatArray


def crosschecked(judged: Sequence[Judged], pixels: Pixels, settings: IngestSettings) -> list[Judged]:
    """Settle the guessed weightings by the series whose canal shows best; withdraw a guess that could be another."""
    if not any(one.guessed for one in judged):
        return list(judged)
    guide = next(_guides(judged, pixels, settings), None)
    return [_settled(one, guide, pixels, settings) if one.guessed else one for one in judged]


def _guides(judged: Sequence[Judged], pixels: Pixels, settings: IngestSettings) -> Iterator[Guide]:
    """Yield the canals that show clearly, the clearest first.

    Series with bright fat come first: no muscle is bright beside it. Those with a certain header are asked last, since
    none of their pixels were read so far.
    """
    sagittal = [one for one in judged if one.plane is Plane.SAGITTAL and one.header.refusal is None]
    unseen = [one for one in sagittal if not one.looks and one.weighting is not Weighting.T1]
    for group in (
        [one for one in sagittal if one.looks and one.fat is Fat.BRIGHT],
        [one for one in sagittal if one.looks and one.fat is not Fat.BRIGHT],
        [replace(one, looks=look(one.stacks, pixels)) for one in unseen],
    ):
        looks = [(one_look, one.fat is not Fat.BRIGHT) for one in group for one_look in one.looks]
        yield from _clear([one for one in looks if _shows_canal(one[0], settings)], pixels, settings)


def _clear(looks: Sequence[tuple[Look, bool]], pixels: Pixels, settings: IngestSettings) -> Iterator[Guide]:
    for (stack, i, _), dark_fat in sorted(looks, key=lambda one: _clearness(one[0]), reverse=True):
        array = pixels[plane_key(stack.planes[i])]
        path = None if isinstance(array, Reason) else bright_path(array, _plane_to_lps(stack, i))
        if path is None:
            continue
        trimmed = path[int(UPPER_END * len(path)) : int(LOWER_END * len(path))]
        ratio = _canal_to_muscle((stack,), trimmed, pixels)
        if ratio is None or ratio < settings.canal_bright_above:
            continue
        if not dark_fat or _is_narrow((stack,), trimmed, pixels, settings):
            yield Guide(stack.key, trimmed)


def _is_narrow(
    stacks: Sequence[Stack], path_lps_mm: FloatArray, pixels: Pixels, settings: IngestSettings
) -> bool:
    """Return whether a path is bright against both sides, where pedicles flank a canal; muscle goes on to one of them."""
    canal = _signal(stacks, path_lps_mm, pixels)
    sides = []
    for side in (-1, 1):
        points = np.concatenate([path_lps_mm + np.array((side * aside, 0.0, 0.0)) for aside in FLANK_MM])
        sides.append(_signal(stacks, points, pixels))
    if min(part.size for part in (canal, *sides)) < LEAST_POINTS:
        return False
    flank = max(float(np.median(part)) for part in sides)
    return float(np.median(canal)) >= settings.canal_bright_above * flank


def _shows_canal(one_look: Look, settings: IngestSettings) -> bool:
    cues = one_look[2]
    bright, sure = fluid_is_bright(cues, settings)
    return bright and sure >= settings.guide_least_sure and cues.width_mm <= settings.guide_widest_mm


def _clearness(one_look: Look) -> tuple[float, str, int]:
    stack, i, cues = one_look
    return math.log(max(cues.fluid, SMALLEST) / max(cues.beside, SMALLEST)), stack.key, i


def _settled(one: Judged, guide: Guide | None, pixels: Pixels, settings: IngestSettings) -> Judged:
    ratio = None if guide is None else _canal_to_muscle(one.stacks, guide.path_lps_mm, pixels)
    if guide is None or ratio is None or settings.canal_dark_below < ratio < settings.canal_bright_above:
        return _alone(one, settings)
    weighting = Weighting.T1 if ratio <= settings.canal_dark_below else Weighting.T2
    said = f"pixels: the canal of {guide.key} is {ratio:.2f} x the muscles here, so {weighting.value}"
    settled = replace(
        one,
        weighting=weighting,
        evidence=(*one.evidence, said),
        confidence=min(one.fat_confidence, SUREST_GUESS),
        guessed=False,
    )
    contradicted = weighting is not one.weighting and _is_clear_axial(one, settings)
    return _withdrawn(settled, "its own fluid says the opposite") if contradicted else settled


def _alone(one: Judged, settings: IngestSettings) -> Judged:
    """Keep a guess that no other series can check; but of dark fat alone a T1 after contrast looks like a STIR."""
    if one.fat is Fat.BRIGHT or _is_clear_axial(one, settings):
        return one
    return _withdrawn(
        one, "fat is suppressed, and no series with a clear canal shows whether this is T1 or T2"
    )


def _is_clear_axial(one: Judged, settings: IngestSettings) -> bool:
    """Return whether the sac and the muscles of an axial series settle its weighting by themselves."""
    if one.cues is None or one.plane is not Plane.AXIAL:
        return False
    return fluid_is_bright(one.cues, settings)[1] >= CLEAR_AXIAL


def _withdrawn(one: Judged, why: str) -> Judged:
    return replace(one, weighting=None, evidence=(*one.evidence, why))


def _canal_to_muscle(stacks: Sequence[Stack], path_lps_mm: FloatArray, pixels: Pixels) -> float | None:
    """Median signal along a path over that of the muscles beside and behind it; None where too little is in view."""
    shifts = [(side * aside, behind, 0.0) for side, aside, behind in product((-1, 1), ASIDE_MM, BEHIND_MM)]
    muscles = np.concatenate([path_lps_mm + np.array(shift) for shift in shifts])
    canal, muscle = _signal(stacks, path_lps_mm, pixels), _signal(stacks, muscles, pixels)
    if min(canal.size, muscle.size) < LEAST_POINTS or np.median(muscle) <= 0:
        return None
    return float(np.median(canal) / np.median(muscle))


def _signal(stacks: Sequence[Stack], points_lps_mm: FloatArray, pixels: Pixels) -> FloatArray:
    """Return the nearest pixels of points, on whichever planes show them."""
    found = []
    for stack in stacks:
        lps_to_voxel = np.asarray(np.linalg.inv(stack.voxel_to_lps), dtype=np.float64)
        places = apply(lps_to_voxel, points_lps_mm)
        nearest = np.round(places[:, 2]).astype(int)
        inside = (nearest >= 0) & (nearest < len(stack.planes))
        wanted = sorted(set(nearest[inside].tolist()))
        pixels.update(read_planes((stack.planes[i] for i in wanted), pixels))
        for i in wanted:
            array = pixels[plane_key(stack.planes[i])]
            if not isinstance(array, Reason):
                found.append(_read(array, places[nearest == i, :2]))
    return np.concatenate(found) if found else np.zeros(0)


def _read(array: ImageArray, places: FloatArray) -> FloatArray:
    """Nearest pixels of (column, row) places, those outside the image left out."""
    nearest = np.round(places).astype(int)
    inside = np.all((nearest >= 0) & (nearest < np.array(array.shape)[::-1]), axis=1)
    return array[nearest[inside, 1], nearest[inside, 0]].astype(np.float64)


def _plane_to_lps(stack: Stack, i: int) -> FloatArray:
    affine = stack.voxel_to_lps.copy()
    affine[:3, 3] += i * affine[:3, 2]
    return affine
