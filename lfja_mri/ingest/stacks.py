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

from lfja_mri.errors import Reason
from lfja_mri.geometry import nearest_plane, unit
from lfja_mri.ingest.headers import PlaneHeader
from lfja_mri.ingest.runs import Run, StackError, even_affine, run_of
from lfja_mri.ingest.splitting import split_group
from lfja_mri.model import FloatArray, Plane, Rejection
from lfja_mri.settings.ingest import IngestSettings
from lfja_mri.words import counted

DERIVED_KINDS = frozenset(
    {
        *(
            "MPR",
            "MPR_THICK",
            "REFORMATTED",
            "CURVED",
            "MIP",
            "MINIP",
            "MAX_IP",
            "MIN_IP",
            "PROJECTION IMAGE",
        ),
        *("SCREEN SAVE", "SUBTRACT", "SUBTRACTION", "ADC", "TRACEW", "FA", "T1 MAP", "T2 MAP", "T2_STAR MAP"),
    }
)


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
        """Angle between the stack's normal and the patient axis of its plane."""
        axis = (Plane.SAGITTAL, Plane.CORONAL, Plane.AXIAL).index(self.plane)
        cosine = float(abs(unit(self.voxel_to_lps[:3, 2])[axis]))
        return float(np.degrees(np.arccos(min(cosine, 1.0))))


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
    made: list[tuple[Run, FloatArray, tuple[str, ...]]] = []
    acquired, derived = _without_derived(unique, series)
    rejections += derived
    for group in _groups(acquired, settings):
        for run, notes in split_group(group, settings):
            try:
                made.append((run, even_affine(run, settings), notes))
            except StackError as error:
                rejections.append(Rejection(_where(series, run), error.reason, error.detail))
    made.sort(key=lambda item: _stack_order(item[0]))
    stacks = [
        Stack(f"{series}k{number}", run.planes, affine, notes)
        for number, (run, affine, notes) in enumerate(made, start=1)
    ]
    return _without_localiser(stacks, series, rejections, settings)


def _where(series: str, run: Run) -> str:
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


def _without_derived(planes: Sequence[PlaneHeader], series: str) -> tuple[list[PlaneHeader], list[Rejection]]:
    """Leave out images computed from others: reformats, projections, maps, screen copies."""
    derived = [plane for plane in planes if DERIVED_KINDS & set(plane.facts.image_type)]
    kept = [plane for plane in planes if not DERIVED_KINDS & set(plane.facts.image_type)]
    if not derived:
        return kept, []
    numbers = _ranges([plane.source.number for plane in derived])
    detail = f"{counted(len(derived), 'image')} computed from others"
    return kept, [Rejection(f"series {series}, {numbers}", Reason.DERIVED_IMAGE, detail)]


def _groups(planes: Sequence[PlaneHeader], settings: IngestSettings) -> list[Run]:
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
    return [run_of(groups[key], orientations[groups[key][0].orientation]) for key in sorted(groups, key=repr)]


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


def _stack_order(run: Run) -> tuple[object, ...]:
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
            f"{counted(len(stack.planes), 'plane')} of a series that only shows where things are",
        )
        for stack in refused
    ]
    kept = [stack for stack in stacks if stack not in refused]
    return kept, sorted(rejections, key=attrgetter("where", "reason"))


def _says_localiser(stack: Stack) -> bool:
    return "LOCALIZER" in stack.planes[0].facts.image_type
