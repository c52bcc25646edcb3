"""Did a measure, and did a joint, move by more than the noise of measuring it.

A measure is detected to have moved beyond its smallest detectable change, SDC = z * sqrt(2) * SEM, where the SEM
comes from repeats (`repeatability`). Every measure is worse when it is higher.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from lfja_mri.change.noise import noise_scale
from lfja_mri.change.types import Direction, MeasureChange, VisitJoint
from lfja_mri.config import ChangeSettings, ProtocolRepeatability


def measure_change(
    name: str,
    baseline: VisitJoint,
    follow_up: VisitJoint,
    settings: ChangeSettings,
    *,
    registered: bool = False,
) -> MeasureChange:
    """Return one measure at both visits, with its difference and SDC where both visits have it."""
    first, second = baseline.measures.get(name), follow_up.measures.get(name)
    if first is None or second is None:
        return MeasureChange(name, first, second)
    sdc = smallest_detectable_change(name, (baseline, follow_up), settings, registered=registered)
    return MeasureChange(name, first, second, second - first, sdc)


def smallest_detectable_change(
    name: str, visits: Sequence[VisitJoint], settings: ChangeSettings, *, registered: bool
) -> float | None:
    """Return the SDC of a measure, in its own unit; None where no repeats tell it.

    SDC = z * sqrt(2) * SEM, where SEM = hypot(floor, share * scale of the visits' mean) under the protocol of each visit;
    of visits with different sources, the larger SEM counts.

    Parameters
    ----------
    registered
        Whether both visits were measured in one joint frame: where each has its own, the noise is larger.
    """
    values = [visit.measures[name] for visit in visits]
    centre = sum(values) / len(values)
    sems: list[float] = []
    for visit in visits:
        protocol = _protocol_for(visit.sources, settings.repeatability.protocol, registered=registered)
        if protocol is None or name not in protocol.measures:
            return None
        known = protocol.measures[name]
        sems.append(math.hypot(known.sem_floor, known.sem_share * float(noise_scale(name, centre))))
    return settings.detection_z * math.sqrt(2) * max(sems)


def _protocol_for(
    sources: tuple[str, ...], protocols: Sequence[ProtocolRepeatability], *, registered: bool
) -> ProtocolRepeatability | None:
    """Return the entry for exactly these sources, else the one for any.

    Repeats in one frame say nothing of visits in their own; the other way round they only overstate the noise.
    """
    alike = [entry for entry in protocols if entry.registered == registered]
    noisier = [entry for entry in protocols if registered and not entry.registered]
    for group in (alike, noisier):
        exact = (entry for entry in group if entry.sources and tuple(sorted(entry.sources)) == sources)
        anything = (entry for entry in group if not entry.sources)
        found = next(exact, next(anything, None))
        if found is not None:
            return found
    return None


def shared_reading(
    baseline: VisitJoint, follow_up: VisitJoint, measures: Sequence[MeasureChange], settings: ChangeSettings
) -> tuple[VisitJoint, VisitJoint] | None:
    """Return both visits of one joint frame with the grades of another admissible reading, where that tells more.

    A threshold is stated with its uncertainty: a grade has an interval, whose lower end reads everything as far
    towards health as that allows, the upper end as far towards disease. In one frame both visits share what a
    threshold is wrong by, so the two lower grades are a reading as good as the two grades, and so are the two upper ones.
    Where the grades are the same, one of these readings moves, the other does not contradict it, and a measure moved by
    as many SDCs as a move within the interval needs, the reading that moves is taken: the joint lies on both sides of a limit within whose error
    the stated limit separates nothing.

    Returns
    -------
    None where the grades stand.
    """
    if baseline.grade != follow_up.grade or settings.grade_must_leave_interval == "always":
        return None
    if baseline.grade_interval is None or follow_up.grade_interval is None:
        return None
    readings = list(zip(baseline.grade_interval, follow_up.grade_interval, strict=True))
    moves = {_sign(second - first) for first, second in readings} - {0}
    if len(moves) != 1 or not _is_confirmed(min(moves), measures, settings, settings.factor_within_interval):
        return None
    first, second = next(pair for pair in readings if pair[0] != pair[1])
    return replace(baseline, grade=first), replace(follow_up, grade=second)


def direction_of(
    baseline: VisitJoint,
    follow_up: VisitJoint,
    measures: Sequence[MeasureChange],
    settings: ChangeSettings,
    *,
    registered: bool = False,
) -> tuple[Direction, tuple[str, ...]]:
    """Return what became of the joint, and what speaks against being sure.

    Neither the grade alone nor a measure alone makes a change: both must move the same way, enough of the measures that
    decide by more than their SDC and, where `change.toml` asks for it, the grade beyond what its own uncertainty at
    either visit allows.

    Parameters
    ----------
    registered
        Whether both visits were measured in one joint frame: then most of a grade's own uncertainty is shared.
    """
    first, second = baseline.grade or 0, follow_up.grade or 0
    grade = _sign(second - first)
    detected = {measure.detected for measure in measures} - {0}
    unsure = baseline.could_be(second) or follow_up.could_be(first)
    within = unsure and _has_interval(baseline, follow_up)
    must_leave = {"always": True, "unregistered": not registered, "never": False}
    confirmed = _is_confirmed(grade, measures, settings, settings.factor_within_interval if within else 1.0)
    doubts = (
        (grade != 0 and not confirmed, "grade_moved_within_noise"),
        (grade != 0 and within, "grade_moved_within_interval"),
        (grade == 0 and bool(detected), "measure_moved_within_grade"),
        (len(detected) > 1, "measures_disagree"),
        (any(m.change is not None and m.sdc is None for m in measures), "sdc_unknown"),
    )
    direction = {-1: Direction.IMPROVED, 0: Direction.UNCHANGED, 1: Direction.WORSENED}[
        grade if confirmed and not (within and must_leave[settings.grade_must_leave_interval]) else 0
    ]
    return direction, tuple(name for applies, name in doubts if applies)


def _is_confirmed(
    grade: int, measures: Sequence[MeasureChange], settings: ChangeSettings, times: float
) -> bool:
    """Return whether enough of the measures that decide moved as the grade did (-1 or +1), by so many times their SDC."""
    moved = {one.name for one in measures if grade != 0 and one.detected_beyond(times) == grade}
    return any(len(moved & set(group.measures)) >= group.at_least for group in settings.deciding)


def _has_interval(*visits: VisitJoint) -> bool:
    return all(visit.grade_interval is not None for visit in visits)


def _sign(number: int) -> int:
    return (number > 0) - (number < 0)
