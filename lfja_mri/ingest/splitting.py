"""One group of parallel planes to stacks: repeats of a place, overlapping lines, blocks along a line."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from lfja_mri.geometry import nearest_plane
from lfja_mri.ingest.headers import PlaneHeader
from lfja_mri.ingest.runs import SMALLEST_STACK, Run, coincide, is_even, tolerance_mm, usual_step
from lfja_mri.model import FloatArray, Plane
from lfja_mri.settings.ingest import IngestSettings


def split_group(run: Run, settings: IngestSettings) -> list[tuple[Run, tuple[str, ...]]]:
    """Split one group into stacks: first repeats of a place, then lines of planes, then blocks along a line.

    Returns
    -------
    The stacks, each with notes for the reader on what was settled.
    """
    notes: list[str] = []
    runs = _repeats(run, settings)
    if settings.keep_latest_at_same_place and coincide(runs[0], settings):
        runs = [_latest(one, settings) for one in runs]
        notes.append("of several images at one place the latest was kept")
    pieces = [block for one in runs for line in _lines(one, settings) for block in _blocks(line, settings)]
    if len(pieces) > 1:
        notes.append(f"the series holds {len(pieces)} stacks of this orientation")
    return [(piece, tuple(notes)) for piece in pieces]


def _latest(run: Run, settings: IngestSettings) -> Run:
    """Keep the latest image of each place: by time, else by acquisition and number."""
    kept: list[int] = []
    order = sorted(range(len(run.planes)), key=lambda i: _age(run.planes[i]), reverse=True)
    for i in order:
        if not any(coincide(run.part([i, j]), settings) for j in kept):
            kept.append(i)
    return run.part(kept)


def _age(plane: PlaneHeader) -> tuple[float, float, int, str]:
    repeat, acquisition, time_s = plane.acquisition
    return (time_s, max(repeat, acquisition), plane.instance_number or 0, plane.sop_uid)


def _repeats(run: Run, settings: IngestSettings) -> list[Run]:
    """Tell repeated acquisitions of the same places apart, by what the header says of each."""
    if not coincide(run, settings):
        return [run]
    for index in range(3):
        parts: dict[float, list[int]] = {}
        for i, plane in enumerate(run.planes):
            parts.setdefault(plane.acquisition[index], []).append(i)
        runs = [run.part(part) for _, part in sorted(parts.items())]
        large = min(len(part.planes) for part in runs) >= SMALLEST_STACK
        if len(runs) > 1 and large and not any(coincide(part, settings) for part in runs):
            return runs
    return [run]


def _lines(run: Run, settings: IngestSettings) -> list[Run]:
    """Gather planes whose origins lie on one line along the normal, so that overlapping stacks come apart.

    Planes of a sheared or jittered stack are on no common line; a group that falls into crumbs is kept whole, for the
    check of its spacing to name what is wrong.
    """
    lines: list[list[int]] = []
    for i, place in enumerate(run.across_mm):
        off = [float(np.max(np.abs(run.across_mm[line[-1]] - place))) for line in lines]
        if off and min(off) <= settings.position_tolerance_mm:
            lines[off.index(min(off))].append(i)
        else:
            lines.append([i])
    runs = [run.part(line) for line in lines]
    whole = [line for line in runs if len(line.planes) >= SMALLEST_STACK]
    crumbs = len(run.planes) - sum(len(line.planes) for line in whole)
    few = crumbs <= settings.largest_crumb_fraction * len(run.planes)
    return runs if not crumbs or (few and all(is_even(line, settings) for line in whole)) else [run]


def _blocks(line: Run, settings: IngestSettings) -> list[Run]:
    """Cut a line of planes into blocks: at pauses, unless planes seem lost there, or where blocks overlap."""
    if len(line.planes) < SMALLEST_STACK or coincide(line, settings):
        return [line]
    steps = np.diff(line.along_mm)
    pitch = usual_step(steps, settings)
    tolerance = tolerance_mm(pitch, settings)
    if np.min(steps) < pitch - tolerance:
        return _interleaved(line, settings) or [line]
    cuts = [i + 1 for i, step in enumerate(steps) if step > pitch + tolerance]
    lost = not settings.keep_parts_beside_lost_planes and any(
        _looks_lost(line, cut, pitch, settings) for cut in cuts
    )
    if lost or any(steps[cut - 1] < settings.smallest_pause_pitches * pitch for cut in cuts):
        return [line]
    edges = [0, *cuts, len(line.planes)]
    return [line.part(range(start, end)) for start, end in pairwise(edges)]


def _interleaved(line: Run, settings: IngestSettings) -> list[Run]:
    """Tell overlapping blocks on one line apart: the fewest even progressions that use every plane; else none."""
    gaps = {
        round(float(line.along_mm[i + k] - line.along_mm[i]), 3)
        for k in (1, 2, 3)
        for i in range(len(line.planes) - k)
    }
    found = [_progressions(line.along_mm, pitch, settings) for pitch in sorted(gaps)]
    even = [chains for chains in found if min(len(chain) for chain in chains) >= SMALLEST_STACK]
    best = min(even, key=len, default=[])
    return [line.part(chain) for chain in best]


def _progressions(along_mm: FloatArray, pitch_mm: float, settings: IngestSettings) -> list[list[int]]:
    chains: list[list[int]] = []
    for i, place in enumerate(along_mm):
        off = [abs(float(place - along_mm[chain[-1]]) - pitch_mm) for chain in chains]
        if off and min(off) <= tolerance_mm(pitch_mm, settings):
            chains[off.index(min(off))].append(i)
        else:
            chains.append([i])
    return chains


def _looks_lost(line: Run, cut: int, pitch_mm: float, settings: IngestSettings) -> bool:
    """Return whether planes seem to be missing before `cut`: the gap is a number of whole steps.

    Axial stacks are often planned as blocks, one a disc, which may lie whole steps apart by chance; there the numbers
    of the images must skip too.
    """
    gap = float(line.along_mm[cut] - line.along_mm[cut - 1])
    lost = round(gap / pitch_mm) - 1
    if lost < 1 or abs(gap - (lost + 1) * pitch_mm) > tolerance_mm(pitch_mm, settings):
        return False
    if nearest_plane(line.normal) is not Plane.AXIAL:
        return True
    before, after = line.planes[cut - 1].instance_number, line.planes[cut].instance_number
    return before is None or after is None or abs(after - before) != 1
