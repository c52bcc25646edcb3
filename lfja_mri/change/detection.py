"""Did a measure, and did a joint, move by more than the noise of measuring it.

A measure is detected to have moved beyond its smallest detectable change, SDC = z * sqrt(2) * SEM, where the SEM
comes from repeats (`repeatability`). Every measure is worse when it is higher.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from lfja_mri.change.noise import noise_scale
from lfja_mri.change.types import (
    DOUBTS,
    MEASURES,
    REFERENCE_DRIFT,
    Direction,
    MeasureChange,
    Registration,
    Seen,
    VisitJoint,
)
from lfja_mri.settings.change import ChangeSettings, ProtocolRepeatability

RATIOS_TO_CSF = frozenset(
    {"effusion_width_mm", "effusion_volume_mm3", "joint_signal_ratio", "oedema_signal_ratio"}
)
"""Measures that are shares of CSF's signal through and through; thresholds of oedema hold on to muscle, too."""


@dataclass(frozen=True)
class Moves:
    """What moved between two visits of a joint: every measure on the leading series, and on a witness where there is one.

    Parameters
    ----------
    measures
        Of the leading series.
    witness
        Of a second series, by name; empty where none was asked or its repeats tell no SDC.
    witness_directions
        The ways in which the grade moved by any reading of the witness.
    extension
        The way in which the tissue that spreads from the joint grew or shrank on both series; 0 where they tell none.
    sure
        Whether both visits share what a threshold is wrong by. They do not where fat was suppressed differently well, or the
        visits placed the joint or their series differently: a move within the interval has to be as large there as without
        a witness.
    """

    measures: tuple[MeasureChange, ...]
    witness: Mapping[str, MeasureChange] = field(default_factory=dict)
    witness_directions: frozenset[int] = frozenset()
    extension: int = 0
    sure: bool = True

    def confirm(self, first: int, second: int, settings: ChangeSettings, *, within_interval: bool) -> bool:
        """Return whether enough of the measures that decide moved as the grade did, from `first` to `second`.

        Each by more than its SDC, and on the witness the same way by a stated share of its own; the grade by any reading of
        the witness. A grade that moved within its interval asks for more of a measure alone, and of all where nothing bears
        witness.
        """
        direction = _sign(second - first)
        if direction == 0 or (self.witness and direction not in self.witness_directions):
            return False
        steps = set(range(min(first, second) + 1, max(first, second) + 1))
        for group in settings.deciding:
            times = self._times(settings, within_interval=within_interval, together=group.at_least > 1)
            moved = self._moved(direction, times, settings) & set(group.measures)
            if (not group.steps or steps & set(group.steps)) and len(moved) >= group.at_least:
                return True
        return False

    def confirm_extension(self, settings: ChangeSettings) -> bool:
        """Return whether both series say that less, or more, spreads from the joint, and all measures asked for moved so, too.

        Each by more than its SDC, and on the witness by the stated share of its own, as a move within the interval asks for.
        """
        if not self.witness or self.extension == 0:
            return False
        measures = settings.extension.measures
        times = self._times(settings, within_interval=True, together=len(measures) > 1)
        return self._moved(self.extension, times, settings).issuperset(measures)

    def _times(self, settings: ChangeSettings, *, within_interval: bool, together: bool) -> float:
        """By how many times its SDC a measure, alone or together with another, has to move."""
        if not within_interval:
            return 1.0
        heard = self.witness and self.sure and together
        return settings.witness.factor_within_interval if heard else settings.factor_within_interval

    def _moved(self, direction: int, times: float, settings: ChangeSettings) -> set[str]:
        """Return the measures that moved so by more than so many times their SDC, and on the witness, too."""
        moved = {one.name for one in self.measures if one.detected_beyond(times) == direction}
        return {name for name in moved if self._is_witnessed(name, direction, settings)}

    def _is_witnessed(self, name: str, direction: int, settings: ChangeSettings) -> bool:
        if not self.witness:
            return True
        other = self.witness.get(name)
        return other is not None and other.detected_beyond(settings.witness.share_of_sdc) == direction


def moves_between(
    baseline: VisitJoint, follow_up: VisitJoint, settings: ChangeSettings, registration: Registration | None
) -> Moves:
    """Return how every measure moved, on the leading series and on the witness."""
    registered = registration is not None and registration.error_mm is not None
    drift = registration.reference_drift if registration and REFERENCE_DRIFT in registration.flags else 0.0

    def changes(first: Seen, second: Seen) -> tuple[MeasureChange, ...]:
        return tuple(
            measure_change(name, first, second, settings, registered=registered, drift=drift)
            for name in MEASURES
        )

    measures = changes(baseline.seen, follow_up.seen)
    witness = registration.witness if registration is not None else None
    sure = baseline.fat_suppression == follow_up.fat_suppression
    sure &= registration is None or not DOUBTS & set(registration.flags)
    if registration is None or witness is None:
        return Moves(measures, sure=sure)
    return Moves(
        measures,
        {one.name: one for one in changes(witness.baseline, witness.follow_up) if one.sdc is not None},
        witness.directions,
        # Where the reference itself moved, all ratios to it move alike, on both series.
        0 if REFERENCE_DRIFT in registration.flags else witness.extension_direction,
        sure,
    )


def measure_change(
    name: str,
    baseline: Seen,
    follow_up: Seen,
    settings: ChangeSettings,
    *,
    registered: bool = False,
    drift: float = 0.0,
) -> MeasureChange:
    """Return one measure at both visits, with its difference and SDC where both visits have it.

    A ratio to CSF moves by as much as CSF moved against other tissue: its SDC grows by that share of the visits' mean.
    """
    first, second = baseline.measures.get(name), follow_up.measures.get(name)
    if first is None or second is None:
        return MeasureChange(name, first, second)
    sdc = smallest_detectable_change(name, (baseline, follow_up), settings, registered=registered)
    if sdc is not None and name in RATIOS_TO_CSF:
        sdc += drift * (first + second) / 2
    return MeasureChange(name, first, second, second - first, sdc)


def smallest_detectable_change(
    name: str, visits: Sequence[Seen], settings: ChangeSettings, *, registered: bool
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
    baseline: VisitJoint, follow_up: VisitJoint, moves: Moves, settings: ChangeSettings
) -> tuple[VisitJoint, VisitJoint] | None:
    """Return both visits of one joint frame with the grades of another admissible reading, where that tells more.

    A threshold is stated with its uncertainty: a grade has an interval, whose lower end reads everything as far
    towards health as that allows, the upper end as far towards disease. In one frame and under one protocol both visits
    share what a threshold is wrong by, so the two lower grades are a reading as good as the two grades, and so are the two
    upper ones. Where the grades are the same, one of these readings moves, the other does not contradict it, and the
    measures confirm it as they must a move within the interval, the reading that moves is taken: the joint lies on both
    sides of a limit within whose error the stated limit separates nothing.

    Two grades are told apart by extension alone, and its volume is known so roughly that the ends of the interval are as a rule the
    same at both visits. Where both intervals hold both of these grades, more of it on two series is a reading, too; fluid and joint
    signal have to confirm it.

    Returns
    -------
    None where the grades stand.
    """
    if baseline.grade != follow_up.grade or settings.grade_must_leave_interval == "always":
        return None
    if baseline.grade_interval is None or follow_up.grade_interval is None:
        return None
    readings = list(zip(baseline.grade_interval, follow_up.grade_interval, strict=True))
    moved = [(first, second) for first, second in readings if first != second]
    one_way = len({_sign(second - first) for first, second in moved}) == 1
    if one_way and moves.confirm(*moved[0], settings, within_interval=True):
        return _regraded(baseline, follow_up, moved[0])
    low, high = settings.extension.grades
    open_at_both = all(visit.could_be(low) and visit.could_be(high) for visit in (baseline, follow_up))
    if open_at_both and moves.confirm_extension(settings):
        return _regraded(baseline, follow_up, (low, high)[:: moves.extension])
    return None


def _regraded(
    baseline: VisitJoint, follow_up: VisitJoint, grades: tuple[int, ...]
) -> tuple[VisitJoint, VisitJoint]:
    return replace(baseline, grade=grades[0]), replace(follow_up, grade=grades[1])


def direction_of(
    baseline: VisitJoint,
    follow_up: VisitJoint,
    moves: Moves,
    settings: ChangeSettings,
    *,
    alike: bool = False,
    read: bool = False,
) -> tuple[Direction, tuple[str, ...]]:
    """Return what became of the joint, and what speaks against being sure.

    Neither the grade alone nor a measure alone makes a change: both must move the same way, enough of the measures that
    decide by more than their SDC and, where `change.toml` asks for it, the grade beyond what its own uncertainty at
    either visit allows.

    Parameters
    ----------
    alike
        Whether both visits were measured in one joint frame and with the same times: then most of a grade's own
        uncertainty is shared.
    read
        Whether the grades are those of a `shared_reading`, which the measures have confirmed already.
    """
    first, second = baseline.grade or 0, follow_up.grade or 0
    grade = _sign(second - first)
    detected = {measure.detected for measure in moves.measures} - {0}
    unsure = baseline.could_be(second) or follow_up.could_be(first)
    within = unsure and _has_interval(baseline, follow_up)
    must_leave = {"always": True, "unregistered": not alike, "never": False}
    confirmed = read or moves.confirm(first, second, settings, within_interval=within)
    alone = replace(moves, witness={})
    unheard = not confirmed and alone.confirm(first, second, settings, within_interval=within)
    doubts = (
        (grade != 0 and not confirmed and not unheard, "grade_moved_within_noise"),
        (unheard, "not_seen_on_second_series"),
        (grade != 0 and within, "grade_moved_within_interval"),
        (grade == 0 and bool(detected), "measure_moved_within_grade"),
        (len(detected) > 1, "measures_disagree"),
        (any(m.change is not None and m.sdc is None for m in moves.measures), "sdc_unknown"),
    )
    direction = {-1: Direction.IMPROVED, 0: Direction.UNCHANGED, 1: Direction.WORSENED}[
        grade if confirmed and not (within and must_leave[settings.grade_must_leave_interval]) else 0
    ]
    return direction, tuple(name for applies, name in doubts if applies)


def _has_interval(*visits: VisitJoint) -> bool:
    return all(visit.grade_interval is not None for visit in visits)


def _sign(number: int) -> int:
    return (number > 0) - (number < 0)
