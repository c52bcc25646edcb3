"""Planes to stacks: grouped by what they share, split by where they lie, checked for even spacing.

Nothing is ordered by InstanceNumber: planes are ordered by their position along the normal. Numbers serve only to
tell a lost plane from a pause between two blocks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter

import numpy as np

from lfja_mri.config import IngestSettings
from lfja_mri.errors import Reason
from lfja_mri.geometry import nearest_plane, unit
from lfja_mri.ingest.headers import PlaneHeader
from lfja_mri.model import FloatArray, Plane, Rejection

SMALLEST_STACK = 3


@dataclass(frozen=True, eq=False)
class Stack:
    """Evenly spaced parallel planes, in order along their normal.

    Parameters
    ----------
    key
        `s2k1`: second series, first stack; series and stacks are numbered by UID and position, never by file name.
    planes
        Headers in order.
    voxel_to_lps
        4x4; (column, row, plane) to LPS mm.
    notes
        What was found and settled on the way, for the reader.
    """

    key: str
    planes: tuple[PlaneHeader, ...]
    voxel_to_lps: FloatArray
    notes: tuple[str, ...] = ()

    @property
    def plane(self) -> Plane:
        """The anatomical plane nearest to the stack's own."""
        return nearest_plane(self.voxel_to_lps[:3, 2])

    @property
    def pitch_mm(self) -> float:
        """Distance from plane to plane."""
        return float(np.linalg.norm(self.voxel_to_lps[:3, 2]))

    @property
    def obliquity_deg(self) -> float:
        """Angle between the stack's normal and the nearest patient axis."""
        cosine = float(np.max(np.abs(unit(self.voxel_to_lps[:3, 2]))))
        return float(np.degrees(np.arccos(min(cosine, 1.0))))


@dataclass(frozen=True, eq=False)
class _Run:
    """Planes of one orientation with their place along the normal and in the plane."""

    planes: tuple[PlaneHeader, ...]
    along_mm: FloatArray
    across_mm: FloatArray

    def part(self, index: Sequence[int]) -> _Run:
        order = sorted(index, key=lambda i: (self.along_mm[i], self.planes[i].sop_uid))
        return _Run(tuple(self.planes[i] for i in order), self.along_mm[order], self.across_mm[order])


class StackError(Exception):
    """A group of planes makes no stack; carries the code and the words."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def study_key(study_uid: str) -> str:
    """Return the stable name of a study: a hash of its UID."""
    return hashlib.sha256(study_uid.encode()).hexdigest()[:12]


def stacks_of_series(
    planes: Sequence[PlaneHeader], series: str, settings: IngestSettings
) -> tuple[list[Stack], list[Rejection]]:
    """Make every stack that one series gives.

    Parameters
    ----------
    planes
        Headers of one series, in any order.
    series
        Short name of the series, such as `s2`.
    """
    unique, rejections = _without_copies(planes)
    made: list[tuple[_Run, FloatArray, tuple[str, ...]]] = []
    for group in _groups(unique, settings):
        for run, notes in _split(group, settings):
            try:
                made.append((run, _affine(run, settings), notes))
            except StackError as error:
                rejections.append(Rejection(_where(series, run), error.reason, error.detail))
    made.sort(key=lambda item: _stack_order(item[0]))
    stacks = [
        Stack(f"{series}k{number}", run.planes, affine, notes)
        for number, (run, affine, notes) in enumerate(made, start=1)
    ]
    return _without_localiser(stacks, series, rejections, settings)


def _where(series: str, run: _Run) -> str:
    numbers = sorted(plane.source.number for plane in run.planes)
    return f"series {series}, {_ranges(numbers)}"


def _ranges(numbers: Sequence[int]) -> str:
    """Write 1,2,3,7 as `files 1-3, 7`."""
    parts: list[list[int]] = []
    for number in sorted(set(numbers)):
        if parts and number == parts[-1][-1] + 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    texts = [f"{part[0]}-{part[-1]}" if len(part) > 1 else str(part[0]) for part in parts]
    shown = texts if len(texts) <= 8 else [*texts[:8], "..."]
    return ("file " if len(set(numbers)) == 1 else "files ") + ", ".join(shown)


def _without_copies(planes: Iterable[PlaneHeader]) -> tuple[list[PlaneHeader], list[Rejection]]:
    """Drop files that repeat an instance at the same place.

    The UID alone is not enough: de-identified archives give one UID to different planes.
    """
    kept: dict[tuple[object, ...], PlaneHeader] = {}
    rejections = []
    for plane in sorted(planes, key=lambda item: (item.source.number, item.frame or 0)):
        identity = (plane.sop_uid, plane.frame, plane.position_lps_mm, plane.orientation)
        if plane.sop_uid and identity in kept:
            first = kept[identity].source.where
            rejections.append(Rejection(plane.source.where, Reason.DUPLICATE_FILE, f"a copy of {first}"))
        else:
            kept[identity if plane.sop_uid else (plane.source.number, plane.frame)] = plane
    return list(kept.values()), rejections


def _groups(planes: Sequence[PlaneHeader], settings: IngestSettings) -> list[_Run]:
    """Group planes that share orientation, matrix, spacing, echo, kind of image and frame of reference."""
    orientations = _cluster_orientations(planes, settings.orientation_tolerance)
    groups: dict[tuple[object, ...], list[PlaneHeader]] = {}
    for plane in planes:
        facts = plane.facts
        key = (
            orientations[plane.orientation],
            plane.rows,
            plane.columns,
            tuple(round(step, 4) for step in plane.spacing_mm),
            None if facts.echo_time_ms is None else round(facts.echo_time_ms, 1),
            facts.image_type,
            plane.frame_of_reference,
        )
        groups.setdefault(key, []).append(plane)
    return [_run(groups[key], orientations[groups[key][0].orientation]) for key in sorted(groups, key=repr)]


def _cluster_orientations(
    planes: Iterable[PlaneHeader], tolerance: float
) -> dict[tuple[float, ...], tuple[float, ...]]:
    """Map each orientation to the first (in sorted order) that it equals within the tolerance."""
    leaders: list[tuple[float, ...]] = []
    result: dict[tuple[float, ...], tuple[float, ...]] = {}
    for orientation in sorted({plane.orientation for plane in planes}):
        near = [one for one in leaders if np.max(np.abs(np.subtract(one, orientation))) <= tolerance]
        if not near:
            leaders.append(orientation)
        result[orientation] = near[0] if near else orientation
    return result


def _run(planes: Sequence[PlaneHeader], orientation: tuple[float, ...]) -> _Run:
    row, column = unit(np.array(orientation[:3])), unit(np.array(orientation[3:]))
    positions = np.array([plane.position_lps_mm for plane in planes])
    whole = _Run(
        tuple(planes), positions @ unit(np.cross(row, column)), positions @ np.stack([row, column], axis=1)
    )
    return whole.part(range(len(planes)))


def _split(run: _Run, settings: IngestSettings) -> list[tuple[_Run, tuple[str, ...]]]:
    """Split one group into stacks: first repeats of a place, then lines of planes, then blocks along a line."""
    pieces: list[tuple[_Run, tuple[str, ...]]] = []
    for single in _repeats(run, settings):
        for line in _lines(single, settings):
            pieces.extend((block, ()) for block in _blocks(line, settings))
    if len(pieces) > 1:
        note = f"the series holds {len(pieces)} stacks of this orientation"
        pieces = [(piece, (*notes, note)) for piece, notes in pieces]
    return pieces


def _tolerance_mm(pitch_mm: float, settings: IngestSettings) -> float:
    return max(settings.position_tolerance_mm, settings.position_tolerance_fraction * abs(pitch_mm))


def _repeats(run: _Run, settings: IngestSettings) -> list[_Run]:
    """Tell repeated acquisitions of the same places apart, by what the header says of each."""
    if not _coincide(run, settings):
        return [run]
    for index in range(3):
        parts: dict[float, list[int]] = {}
        for i, plane in enumerate(run.planes):
            parts.setdefault(plane.acquisition[index], []).append(i)
        runs = [run.part(part) for _, part in sorted(parts.items())]
        large = min(len(part.planes) for part in runs) >= SMALLEST_STACK
        if len(runs) > 1 and large and not any(_coincide(part, settings) for part in runs):
            return runs
    return [run]


def _coincide(run: _Run, settings: IngestSettings) -> bool:
    """Return whether two planes lie at one place."""
    for i in range(1, len(run.planes)):
        j = i - 1
        while j >= 0 and run.along_mm[i] - run.along_mm[j] < settings.position_tolerance_mm:
            if np.max(np.abs(run.across_mm[i] - run.across_mm[j])) < settings.position_tolerance_mm:
                return True
            j -= 1
    return False


def _lines(run: _Run, settings: IngestSettings) -> list[_Run]:
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
    crumbs = sum(len(line) for line in lines if len(line) < SMALLEST_STACK)
    if crumbs > settings.largest_crumb_fraction * len(run.planes):
        return [run]
    return [run.part(line) for line in lines]


def _blocks(line: _Run, settings: IngestSettings) -> list[_Run]:
    """Cut a line of planes into blocks: at pauses, unless planes seem lost there, or where blocks overlap."""
    if len(line.planes) < SMALLEST_STACK or _coincide(line, settings):
        return [line]
    steps = np.diff(line.along_mm)
    pitch = _usual_step(steps, settings)
    tolerance = _tolerance_mm(pitch, settings)
    if np.min(steps) < pitch - tolerance:
        return _interleaved(line, settings) or [line]
    cuts = [i + 1 for i, step in enumerate(steps) if step > pitch + tolerance]
    lost = any(_looks_lost(line, cut, pitch, settings) for cut in cuts)
    if lost or any(steps[cut - 1] < settings.smallest_pause_pitches * pitch for cut in cuts):
        return [line]
    edges = [0, *cuts, len(line.planes)]
    return [line.part(range(start, end)) for start, end in zip(edges, edges[1:], strict=False)]


def _interleaved(line: _Run, settings: IngestSettings) -> list[_Run]:
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
        if off and min(off) <= _tolerance_mm(pitch_mm, settings):
            chains[off.index(min(off))].append(i)
        else:
            chains.append([i])
    return chains


def _usual_step(steps: FloatArray, settings: IngestSettings) -> float:
    """Return the step that most steps agree with; the smallest of equals."""
    support = [
        (int(np.sum(np.abs(steps - step) <= _tolerance_mm(float(step), settings))), -float(step))
        for step in steps
    ]
    return -max(support)[1]


def _looks_lost(line: _Run, cut: int, pitch_mm: float, settings: IngestSettings) -> bool:
    """Return whether planes seem to be missing before `cut`: the gap is whole steps and the numbers skip too."""
    gap = float(line.along_mm[cut] - line.along_mm[cut - 1])
    lost = round(gap / pitch_mm) - 1
    if lost < 1 or abs(gap - (lost + 1) * pitch_mm) > _tolerance_mm(pitch_mm, settings):
        return False
    before, after = line.planes[cut - 1].instance_number, line.planes[cut].instance_number
    return before is None or after is None or abs(after - before) != 1


def _affine(run: _Run, settings: IngestSettings) -> FloatArray:
    """Return the affine of an even stack.

    Raises
    ------
    StackError
        The planes are too few, coincide, are unevenly spaced, lack one, or are sheared.
    """
    count = len(run.planes)
    if count < SMALLEST_STACK:
        raise StackError(Reason.TOO_FEW_SLICES, f"{count} of at least {SMALLEST_STACK} planes")
    if _coincide(run, settings):
        raise StackError(Reason.DUPLICATE_POSITION, "different images at the same place; keep one of them")
    steps = np.diff(run.along_mm)
    pitch = float(np.median(steps))
    _require_even(steps, _usual_step(steps, settings), settings)
    _require_straight(run, settings)
    first = run.planes[0]
    orientation = np.median([plane.orientation for plane in run.planes], axis=0)
    row, column = unit(orientation[:3]), unit(orientation[3:])
    places = np.array([plane.position_lps_mm for plane in run.planes])
    step = (places[-1] - places[0]) / (count - 1)
    affine = np.eye(4)
    affine[:3, :3] = np.stack([row * first.spacing_mm[1], column * first.spacing_mm[0], step], axis=1)
    affine[:3, 3] = places[0]
    residual = np.max(np.linalg.norm(places - places[0] - np.outer(np.arange(count), step), axis=1))
    if residual > _tolerance_mm(pitch, settings):
        raise StackError(Reason.UNEVEN_SPACING, f"planes stray {residual:.2f} mm from an even stack")
    return affine


def _require_even(steps: FloatArray, pitch: float, settings: IngestSettings) -> None:
    odd = np.flatnonzero(np.abs(steps - pitch) > _tolerance_mm(pitch, settings))
    if not odd.size:
        return
    whole = np.abs(steps[odd] - np.round(steps[odd] / pitch) * pitch) <= _tolerance_mm(pitch, settings)
    if np.all(whole) and np.all(steps[odd] > pitch):
        lost = int(np.sum(np.round(steps[odd] / pitch) - 1))
        raise StackError(
            Reason.MISSING_SLICE,
            f"{lost} of {steps.size + 1 + lost} planes missing, the first after plane {odd[0] + 1}; send them again",
        )
    raise StackError(
        Reason.UNEVEN_SPACING, f"steps of {steps.min():.2f} to {steps.max():.2f} mm, usually {pitch:.2f} mm"
    )


def _require_straight(run: _Run, settings: IngestSettings) -> None:
    """Refuse a stack whose planes slide sideways: an even slide is a shear, an uneven one a jitter."""
    tolerance = _tolerance_mm(float(np.median(np.diff(run.along_mm))), settings)
    slide = run.across_mm - run.across_mm[0]
    travel = run.along_mm - run.along_mm[0]
    # rounded direction cosines alone look like a slide of so much
    if np.all(np.abs(slide) <= tolerance + settings.orientation_tolerance * travel[:, None]):
        return
    slope = travel @ slide / (travel @ travel)
    if np.max(np.abs(slide - np.outer(travel, slope))) <= tolerance:
        angle = float(np.degrees(np.arctan(np.linalg.norm(slope))))
        raise StackError(
            Reason.SHEARED_STACK, f"planes slide sideways by {angle:.1f} degrees against their normal"
        )
    raise StackError(Reason.UNEVEN_SPACING, f"planes stray sideways by up to {np.max(np.abs(slide)):.2f} mm")


def _stack_order(run: _Run) -> tuple[object, ...]:
    first = run.planes[0]
    return (
        first.position_lps_mm[2],
        first.position_lps_mm,
        first.orientation,
        first.acquisition,
        first.sop_uid,
    )


def _without_localiser(
    stacks: list[Stack], series: str, rejections: list[Rejection], settings: IngestSettings
) -> tuple[list[Stack], list[Rejection]]:
    """Refuse a series of few planes in more than one anatomical direction: it only shows where things are."""
    directions = {stack.plane for stack in stacks}
    named = [stack for stack in stacks if _says_localiser(stack)]
    short = all(len(stack.planes) <= settings.localiser_planes for stack in stacks)
    refused = stacks if len(directions) > 1 and short else named
    rejections += [
        Rejection(
            f"series {series}, {_ranges([plane.source.number for plane in stack.planes])}",
            Reason.LOCALISER,
            f"{len(stack.planes)} planes of a series that only shows where things are",
        )
        for stack in refused
    ]
    kept = [stack for stack in stacks if stack not in refused]
    return kept, sorted(rejections, key=attrgetter("where", "reason"))


def _says_localiser(stack: Stack) -> bool:
    return "LOCALIZER" in stack.planes[0].facts.image_type
