"""How far a patient had moved between two series, at one level: a shift that makes the images tell most of each other.

Series of a study share scanner coordinates, yet people move 1 to 5 mm between them, differently from level to level.
The measure is mutual information in a box around the canal; the shift's uncertainty comes from the shifts that quarters of
the box would choose on their own. Two parallel stacks cannot tell how far one lies across the slices of the other: a third
series that cuts both does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from lfja_mri.facets.boxes import (
    BLOCKS,
    LATTICE_MM,
    MARGIN,
    Box,
    Offset,
    are_parallel,
    block_information,
    box_frame,
    cut_box,
    information,
    neighbours,
)
from lfja_mri.facets.frames import Site
from lfja_mri.model import FloatArray, Image, SeriesShift, StudyImages
from lfja_mri.settings.facets import AlignmentSettings

COARSE_STEP = 2
COARSE_THINNING = 3
LEAST_UNCERTAINTY = 0.5

Seen = tuple[Image, SeriesShift]


def series_shift(reference: Image, moving: Image, site: Site, settings: AlignmentSettings) -> SeriesShift:
    """Return where structures of the reference image are seen in another image at a site's level.

    The shift is shrunk towards none by its own uncertainty; where it cannot be told it is none, and not `estimated`.
    """
    axes, half_mm = box_frame(reference.volume, site, settings)
    box = cut_box(reference.volume, moving.volume, axes, half_mm, site.to_lps(site.canal_offset_mm), settings)
    found = None if box is None else _best_offset(box)
    if found is None:
        return _unknown(moving, site, settings)
    offset_mm, uncertainty_mm = found
    at_bound = bool(np.any(np.abs(offset_mm) > settings.bound_mm - 0.5))
    if at_bound or uncertainty_mm > settings.worst_uncertainty_mm:
        return _unknown(moving, site, settings)
    trust = settings.expected_sd_mm**2 / (settings.expected_sd_mm**2 + uncertainty_mm**2)
    across = settings.expected_sd_mm if are_parallel(reference.volume, moving.volume) else uncertainty_mm
    stated_mm = float(np.sqrt((2.0 * uncertainty_mm**2 + across**2) / 3.0))
    return SeriesShift(moving.key, site.level, trust * offset_mm @ axes, stated_mm, estimated=True)


def _unknown(moving: Image, site: Site, settings: AlignmentSettings) -> SeriesShift:
    return SeriesShift(moving.key, site.level, np.zeros(3), settings.expected_sd_mm, estimated=False)


def level_shifts(
    study: StudyImages, reference: Image, site: Site, settings: AlignmentSettings
) -> tuple[SeriesShift, ...]:
    """Return the shift of every other image of a study against the reference image at a site's level."""
    others = [image for image in study.images if image.key != reference.key]
    seen = [(image, series_shift(reference, image, site, settings)) for image in others]
    known = [(image, shift) for image, shift in seen if shift.estimated]
    crossing = [(image, shift) for image, shift in known if not are_parallel(reference.volume, image.volume)]
    return tuple(
        _completed((image, shift), crossing, site, settings)
        if shift.estimated and are_parallel(reference.volume, image.volume)
        else shift
        for image, shift in seen
    )


def _completed(
    moving: Seen, crossing: Sequence[Seen], site: Site, settings: AlignmentSettings
) -> SeriesShift:
    """Return the shift of a stack parallel to the reference with its part across the slices, from series that cut both."""
    image, shift = moving
    further = [
        found for third in crossing if (found := _across_mm(moving, third, site, settings)) is not None
    ]
    if not further:
        return shift
    prior = settings.expected_sd_mm**2
    variance = (2.0 * LEAST_UNCERTAINTY**2 + float(np.var(further))) / len(further)
    across_mm = prior / (prior + variance) * float(np.median(further))
    uncertainty_mm = float(np.sqrt(shift.uncertainty_mm**2 + (min(variance, prior) - prior) / 3.0))
    moved = shift.shift_lps_mm + across_mm * image.volume.normal_lps
    return replace(shift, shift_lps_mm=moved, uncertainty_mm=uncertainty_mm)


def _across_mm(moving: Seen, third: Seen, site: Site, settings: AlignmentSettings) -> float | None:
    """Return how much further along its normal a stack lies than its shift says, as a third series shows it."""
    image, shift = moving
    crossing, seen = third
    there = site.moved(shift.shift_lps_mm)
    axes, half_mm = box_frame(image.volume, there, settings)
    middle = there.to_lps(there.canal_offset_mm)
    box = cut_box(image.volume, crossing.volume, axes, half_mm, middle, settings)
    if box is None:
        return None
    apart = axes @ (seen.shift_lps_mm - shift.shift_lps_mm)
    limit = box.reach - MARGIN
    row, column = (int(np.clip(round(float(step) / LATTICE_MM), -limit, limit)) for step in apart[:2])
    told = information(box, [(row, column, step) for step in range(-limit, limit + 1)], 1)
    best = max(told, key=lambda offset: (told[offset], offset))
    if abs(best[2]) == limit:
        return None
    peak = _peak(*(told[row, column, best[2] + step] for step in (-1, 0, 1)))
    sign = float(np.sign(axes[2] @ image.volume.normal_lps))
    return sign * (float(apart[2]) - (best[2] + peak) * LATTICE_MM)


def _best_offset(box: Box) -> tuple[FloatArray, float]:
    """Return the shift along the box's axes in mm that tells most, and its uncertainty."""
    limit = box.reach - MARGIN
    coarse = range(-limit, limit + 1, COARSE_STEP)
    across = (0,) if box.parallel else coarse
    grid = [(i, j, k) for i in coarse for j in coarse for k in across]
    told = information(box, grid, COARSE_THINNING)
    first = max(grid, key=lambda offset: (told[offset], offset))
    near = information(box, list(neighbours(first, box, 1)), 1)
    centre = max(near, key=lambda offset: (near[offset], offset))
    near |= information(box, [offset for offset in _crosswise(centre) if offset not in near], 1)
    fine = np.array(centre, dtype=np.float64) + _parabola(near, centre, parallel=box.parallel)
    return fine * LATTICE_MM, _uncertainty_mm(box, centre)


def _uncertainty_mm(box: Box, centre: Offset) -> float:
    """Return the standard error of a shift from what each quarter of the box would choose near it."""
    near = list(neighbours(centre, box, COARSE_STEP))
    by_block = block_information(box, near)
    choices = np.array(near, dtype=np.float64)[np.argmax(by_block, axis=0)]
    spread = float(np.sqrt(np.mean(np.var(choices, axis=0)) / (BLOCKS - 1)))
    return max(spread, LEAST_UNCERTAINTY) * LATTICE_MM


def _crosswise(centre: Offset) -> tuple[Offset, ...]:
    i, j, k = centre
    return ((i - 1, j, k), (i + 1, j, k), (i, j - 1, k), (i, j + 1, k), (i, j, k - 1), (i, j, k + 1))


def _parabola(values: dict[Offset, float], centre: Offset, *, parallel: bool) -> FloatArray:
    """Return the sub-lattice peak along each axis from a parabola through three neighbours."""
    beside = [values[offset] for offset in _crosswise(centre)]
    peaks = [
        _peak(below, values[centre], above) for below, above in zip(beside[::2], beside[1::2], strict=True)
    ]
    if parallel:
        peaks[2] = 0.0
    return np.array(peaks)


def _peak(below: float, middle: float, above: float) -> float:
    """Return where between -0.5 and 0.5 a parabola through three values one step apart is highest."""
    bend = below - 2.0 * middle + above
    return 0.0 if bend >= 0 else float(np.clip(0.5 * (below - above) / bend, -0.5, 0.5))
