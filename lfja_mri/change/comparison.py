"""Compare two graded visits, joint by joint.

Improved or worsened only if the grade moved **and** a measure that it rests on moved the same way by more than its
smallest detectable change (SDC); otherwise unchanged. A joint that was not graded at either visit, or that was imaged or
judged in another way, is not comparable: a missing baseline is never "stable". Comparing B with A gives the mirror
image of comparing A with B.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from lfja_mri.change.comparability import flags_of, refusal_of
from lfja_mri.change.detection import direction_of, shared_reading
from lfja_mri.change.moves import moves_between
from lfja_mri.change.protocol import TIMES, UNKNOWN_FLAG, Protocol, is_unknown, mismatches
from lfja_mri.change.rows import Row, read_visit_joint
from lfja_mri.change.types import (
    MEASURES,
    Change,
    MeasureChange,
    Registration,
    Status,
    VisitJoint,
)
from lfja_mri.errors import InputError, Reason
from lfja_mri.model import Level, Side
from lfja_mri.settings.change import ChangeSettings, OnMismatch

SHARED_READING = "grades_of_shared_reading"

JointKey = tuple[Level, Side]
RegistrationKey = tuple[str, Level, Side]
Joints = Mapping[JointKey, VisitJoint]


@dataclass(frozen=True)
class Evidence:
    """What pixels and headers add to two tables.

    Parameters
    ----------
    baseline_protocol, follow_up_protocol
        Per subject, how each role was imaged; empty where only tables are at hand.
    registrations
        Per subject, level and side (the subject named as at baseline).
    """

    baseline_protocol: Mapping[str, Protocol] = field(default_factory=dict)
    follow_up_protocol: Mapping[str, Protocol] = field(default_factory=dict)
    registrations: Mapping[RegistrationKey, Registration] = field(default_factory=dict)


def compare_tables(
    baseline_rows: Sequence[Row],
    follow_up_rows: Sequence[Row],
    settings: ChangeSettings,
    evidence: Evidence | None = None,
) -> tuple[Change, ...]:
    """Compare two `grades.csv`, joint by joint.

    Parameters
    ----------
    baseline_rows, follow_up_rows
        Rows of `grades.csv`, one study per subject. One study on each side is paired whatever its subjects' names.
    settings
        `change.toml`.
    evidence
        Protocols and registrations, where images were at hand.

    Returns
    -------
    One `Change` per joint of either table: sorted by subject, then levels from the head, then left and right.

    Raises
    ------
    InputError
        A table is empty or malformed, or holds two studies of one subject.
    """
    evidence = evidence or Evidence()
    baseline, follow_up = _by_subject(baseline_rows, "baseline"), _by_subject(follow_up_rows, "follow-up")
    changes: list[Change] = []
    for subject, first, second in _subject_pairs(baseline, follow_up):
        changes.extend(_compare_subject(subject, first, second, settings, evidence))
    return tuple(changes)


def compare_joint(
    baseline: VisitJoint,
    follow_up: VisitJoint,
    settings: ChangeSettings,
    registration: Registration | None = None,
    *,
    same_times: bool = True,
) -> Change:
    """Compare two visits of one joint by what was measured; `compare_tables` adds what the headers tell.

    Parameters
    ----------
    baseline, follow_up
        The same level and side.
    settings
        `change.toml`.
    registration
        Where both visits were measured in one frame, how well; a reason in it refuses the comparison unless it is a
        failed registration, which leaves the grades to be compared and says so.
    same_times
        Whether echo and inversion times are alike, so that thresholds are wrong by the same at both visits.
    """
    flags = flags_of(baseline, follow_up, registration, settings)
    error_mm = registration.error_mm if registration else None
    visits = (baseline.visit, follow_up.visit)
    refusal = refusal_of(baseline, follow_up, registration)
    if refusal is not None:
        change = uncompared(baseline, follow_up, visits, refusal)
        return replace(change, registration_error_mm=error_mm, flags=_ordered(flags))
    alike = error_mm is not None and same_times
    moves = moves_between(baseline, follow_up, settings, registration)
    reading = shared_reading(baseline, follow_up, moves, settings) if alike and moves.sure else None
    baseline, follow_up = reading or (baseline, follow_up)
    flags += (SHARED_READING,) if reading else ()
    direction, doubts = direction_of(
        baseline, follow_up, moves, settings, alike=alike, read=reading is not None
    )
    return Change(
        baseline.subject,
        *visits,
        baseline.level,
        baseline.side,
        baseline,
        follow_up,
        Status.COMPARABLE,
        direction,
        measures=moves.measures,
        registration_error_mm=error_mm,
        flags=_ordered(flags + doubts),
    )


def uncompared(
    baseline: VisitJoint | None, follow_up: VisitJoint | None, visits: tuple[str, str], reason: Reason
) -> Change:
    """Return a change that cannot be told: both visits' numbers to read, but no difference, which would mean nothing."""
    joint = baseline or follow_up
    if joint is None:
        raise KeyError("a joint of neither visit")
    measures = tuple(
        MeasureChange(name, _measure(baseline, name), _measure(follow_up, name)) for name in MEASURES
    )
    where = (joint.subject, *visits, joint.level, joint.side)
    return Change(*where, baseline, follow_up, Status.NOT_COMPARABLE, reason=reason, measures=measures)


def _measure(joint: VisitJoint | None, name: str) -> float | None:
    return joint.measures.get(name) if joint is not None else None


def _ordered(flags: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(flags)))


def _by_subject(rows: Sequence[Row], which: str) -> dict[str, dict[JointKey, VisitJoint]]:
    if not rows:
        raise InputError(f"the {which} table has no rows; one row per joint is needed")
    table: dict[str, dict[JointKey, VisitJoint]] = {}
    for row in rows:
        joint = read_visit_joint(row)
        joints = table.setdefault(joint.subject, {})
        if (joint.level, joint.side) in joints:
            raise InputError(
                f"the {which} table holds {joint.level.value} {joint.side.value} of one subject twice; "
                "give one study per subject, or use `cohort` with a manifest",
                reason=Reason.DUPLICATE_FILE,
            )
        joints[joint.level, joint.side] = joint
    return table


def _subject_pairs(
    baseline: Mapping[str, Joints], follow_up: Mapping[str, Joints]
) -> Iterable[tuple[str, Joints, Joints]]:
    """Yield each subject with its joints at both visits; a lone study on each side is one pair."""
    if len(baseline) == len(follow_up) == 1:
        (subject, first), (_, second) = *baseline.items(), *follow_up.items()
        yield subject, first, second
        return
    for subject in sorted(set(baseline) | set(follow_up)):
        yield subject, baseline.get(subject, {}), follow_up.get(subject, {})


def _compare_subject(
    subject: str,
    baseline: Joints,
    follow_up: Joints,
    settings: ChangeSettings,
    evidence: Evidence,
) -> list[Change]:
    order = [(level, side) for level in Level for side in Side]
    keys = [key for key in order if key in baseline or key in follow_up]
    visits = (_visit_of(baseline), _visit_of(follow_up))
    renumbered = bool(baseline and follow_up) and _levels(baseline) != _levels(follow_up)
    changes = []
    for key in keys:
        registration = evidence.registrations.get((subject, *key))
        first, second = baseline.get(key), follow_up.get(key)
        change = (
            _compared(first, second, settings, evidence, registration)
            if first is not None and second is not None
            else uncompared(first, second, visits, Reason.MISSING_JOINT)
        )
        changes.append(_refused(change, Reason.DIFFERENT_NUMBERING) if renumbered else change)
    return changes


def _visit_of(joints: Joints) -> str:
    return next((joint.visit for joint in joints.values()), "")


def _levels(joints: Joints) -> frozenset[Level]:
    return frozenset(level for level, _ in joints)


def _compared(
    baseline: VisitJoint,
    follow_up: VisitJoint,
    settings: ChangeSettings,
    evidence: Evidence,
    registration: Registration | None,
) -> Change:
    """Compare two visits by what was measured and by what the headers tell: flags, or a refusal where `change.toml` says so."""
    first = evidence.baseline_protocol.get(baseline.subject, {})
    second = evidence.follow_up_protocol.get(follow_up.subject, {})
    roles = sorted({*baseline.sources, *follow_up.sources})
    found = mismatches(first, second, roles, settings.comparability)
    same_times = not {one.name for one in found} & TIMES
    change = compare_joint(baseline, follow_up, settings, registration, same_times=same_times)
    flags = [one.name for one in found if one.action is not OnMismatch.IGNORE]
    unknown = [UNKNOWN_FLAG] if is_unknown(first, second, roles) else []
    refusals = [one.reason for one in found if one.action is OnMismatch.REFUSE]
    flagged = replace(change, flags=_ordered((*change.flags, *flags, *unknown)))
    return _refused(flagged, refusals[0]) if refusals else flagged


def _refused(change: Change, reason: Reason) -> Change:
    if change.status is Status.NOT_COMPARABLE and change.reason is not Reason.MISSING_JOINT:
        return change
    bare = tuple(MeasureChange(one.name, one.baseline, one.follow_up) for one in change.measures)
    return replace(change, status=Status.NOT_COMPARABLE, change=None, reason=reason, measures=bare)
