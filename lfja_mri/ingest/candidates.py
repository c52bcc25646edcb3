"""Several stacks for one role: the best are kept, what they already cover is left out, and each choice is said."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from lfja_mri.errors import Reason
from lfja_mri.geometry import apply
from lfja_mri.ingest.moments import Moment, is_later, moment_of
from lfja_mri.ingest.stacks import Stack
from lfja_mri.model import BoolArray, Contrast, FloatArray, Rejection, Role
from lfja_mri.settings.ingest import IngestSettings

COVERAGE_STEP_MM = 5.0
RESOLUTION_STEP = 0.1
CONFIDENCE_STEP = 0.25
ENHANCED = {Contrast.T1: Contrast.T1_GD, Contrast.T1_FS: Contrast.T1_FS_GD}


@dataclass(frozen=True, eq=False)
class Cast:
    """A stack with the role it would play.

    Parameters
    ----------
    agent
        Whether it was taken after a contrast agent; None where nothing says.
    guessed
        True where the weighting rests on the pixels of its own series alone.
    perhaps_stir
        True where fat is suppressed and nothing says that it is in another way than by inversion.
    """

    stack: Stack
    role: Role
    confidence: float
    evidence: tuple[str, ...]
    agent: bool | None
    guessed: bool = False
    perhaps_stir: bool = False

    @property
    def series(self) -> str:
        """Short name of the series."""
        return self.stack.key.split("k")[0]

    @property
    def taken(self) -> Moment:
        """When it was taken."""
        return moment_of(self.stack.planes[0])


def with_agent_told(casts: Sequence[Cast], given: Sequence[Moment]) -> list[Cast]:
    """Settle, where a header is silent, whether a stack was taken after a contrast agent, by what was taken before it.

    It was if a series with the agent came before, or if a series alike was named as before contrast.

    Parameters
    ----------
    given
        When series were taken whose header states an agent.
    """
    return [_told(cast, casts, given) if cast.agent is None else cast for cast in casts]


def _told(cast: Cast, casts: Sequence[Cast], given: Sequence[Moment]) -> Cast:
    known = any(is_later(cast.taken, moment) for moment in given)
    repeated = any(
        one.agent is False and one.role == cast.role and is_later(cast.taken, one.taken) for one in casts
    )
    if not known and not (repeated and cast.role.contrast in ENHANCED):
        return cast
    said = (
        "a series with contrast agent came before" if known else "a series alike was named as before contrast"
    )
    contrast = ENHANCED.get(cast.role.contrast, cast.role.contrast)
    return replace(
        cast, agent=True, role=replace(cast.role, contrast=contrast), evidence=(*cast.evidence, said)
    )


def without_late_stir(casts: Sequence[Cast], given: Sequence[Moment]) -> tuple[list[Cast], list[Rejection]]:
    """Leave out inversion-recovery stacks taken after a contrast agent: the agent shortens T1, and they null it.

    Where nothing tells what came first they are left out too, and so are those that are only perhaps STIR. A T1 with
    suppressed fat counts as enhanced unless it is named as before contrast: hardly any is taken for another purpose.
    """
    kept, rejections = [], []
    for cast in casts:
        detail = _after_agent(cast, casts, given) if cast.perhaps_stir else None
        if detail is None:
            kept.append(cast)
        else:
            rejections.append(Rejection(cast.stack.key, Reason.STIR_AFTER_CONTRAST, detail))
    return kept, rejections


def _after_agent(cast: Cast, casts: Sequence[Cast], given: Sequence[Moment]) -> str | None:
    """Return in which way a STIR is, or may be, one after contrast; None where it came before."""
    if cast.agent:
        return "taken after the contrast agent, which such an image nulls together with fat"
    if cast.agent is False:
        return None
    silent = [one.taken for one in casts if one.agent is None and one.role.contrast is Contrast.T1_FS]
    order = [is_later(cast.taken, moment) for moment in (*given, *silent)]
    if any(order):
        return "taken after a T1 with suppressed fat, as a rule one after contrast, which such an image nulls"
    if None in order:
        return "perhaps taken after the contrast agent of another series: neither times nor numbers tell"
    return None


def best_of_each(
    casts: Sequence[Cast], settings: IngestSettings
) -> tuple[tuple[Cast, ...], tuple[Rejection, ...]]:
    """Keep, role by role, the stacks that cover most, then those of finest voxels, then the latest.

    A stack is left out when those kept before it show nearly all of its places; stacks that complement each other
    all stay. Of a series and its repeat (equal coverage and voxels) this keeps the later one, unless it is shorter.
    """
    kept: list[Cast] = []
    rejections: list[Rejection] = []
    for role in sorted({cast.role for cast in casts}):
        rivals = [cast for cast in casts if cast.role == role]
        chosen, refused = _choose(rivals, settings)
        kept += chosen
        rejections += refused
    order = {cast.stack.key: i for i, cast in enumerate(casts)}
    return tuple(sorted(kept, key=lambda cast: order[cast.stack.key])), tuple(rejections)


def _choose(rivals: Sequence[Cast], settings: IngestSettings) -> tuple[list[Cast], list[Rejection]]:
    totals: dict[tuple[str, tuple[float, ...]], float] = {}
    for cast in rivals:
        run = _run_of(cast)
        totals[run] = totals.get(run, 0.0) + len(cast.stack.planes) * cast.stack.pitch_mm
    chosen: list[Cast] = []
    rejections: list[Rejection] = []
    for cast in sorted(rivals, key=lambda one: _preference(one, totals[_run_of(one)]), reverse=True):
        winner = next((one for one in chosen if _covered(cast, [one]) >= settings.same_place_fraction), None)
        if winner is None and _covered(cast, chosen) < settings.same_place_fraction:
            chosen.append(cast)
            continue
        better = winner or chosen[0]
        why = _why(better, cast, totals[_run_of(better)], totals[_run_of(cast)])
        rejections.append(Rejection(cast.stack.key, Reason.BETTER_CANDIDATE, f"{better.stack.key} {why}"))
        place = chosen.index(better)
        chosen[place] = replace(better, evidence=(*better.evidence, f"preferred to {cast.stack.key}: {why}"))
    return chosen, rejections


def _run_of(cast: Cast) -> tuple[str, tuple[float, ...]]:
    """Name one pass through a series, so that two acquisitions in one series count apart."""
    return cast.series, cast.stack.planes[0].acquisition[:2]


def _preference(cast: Cast, coverage_mm: float) -> tuple[float, float, float, Moment, str]:
    fineness = -math.log(float(abs(np.linalg.det(cast.stack.voxel_to_lps[:3, :3]))))
    return (
        round(coverage_mm / COVERAGE_STEP_MM),
        round(fineness / RESOLUTION_STEP),
        # of two guesses at one role the surer comes first, since the other may be something else
        round(cast.confidence / CONFIDENCE_STEP) if cast.guessed else 1 / CONFIDENCE_STEP,
        cast.taken,
        cast.stack.key,
    )


def _why(better: Cast, other: Cast, better_mm: float, other_mm: float) -> str:
    first, second = _preference(better, better_mm), _preference(other, other_mm)
    if first[0] != second[0]:
        return f"covers more ({better_mm:.0f} against {other_mm:.0f} mm)"
    if first[1] != second[1]:
        return "has finer voxels"
    if first[2] != second[2]:
        return "shows this contrast more clearly"
    return "is the later of two runs of the same places"


def _covered(cast: Cast, others: Sequence[Cast]) -> float:
    """Share of a stack's places (a grid over the middle of each plane) that other stacks show."""
    rows, columns = cast.stack.planes[0].rows, cast.stack.planes[0].columns
    spread = np.linspace(0.25, 0.75, 5)
    plane, row, column = np.meshgrid(
        np.arange(len(cast.stack.planes)), spread * rows, spread * columns, indexing="ij"
    )
    index = np.stack([column, row, plane], axis=-1).reshape(-1, 3).astype(np.float64)
    points = apply(cast.stack.voxel_to_lps, index)
    inside = np.zeros(len(points), dtype=bool)
    for other in others:
        inside |= _holds(other.stack, points)
    return float(np.mean(inside))


def _holds(stack: Stack, points_lps_mm: FloatArray) -> BoolArray:
    first = stack.planes[0]
    lps_to_voxel = np.asarray(np.linalg.inv(stack.voxel_to_lps), dtype=np.float64)
    index = apply(lps_to_voxel, points_lps_mm)
    shape = np.array([first.columns, first.rows, len(stack.planes)])
    inside: BoolArray = np.all((index >= -0.75) & (index <= shape - 0.25), axis=-1)
    return inside
