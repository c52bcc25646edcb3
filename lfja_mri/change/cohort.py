"""A trial in numbers: every later visit against the first, and one summary row per visit.

Joints of one subject are alike, so intervals come from drawing subjects with all their joints. A *responder* is a
subject with at least one joint improved and none worsened since the first visit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from lfja_mri.change.comparison import Evidence, compare_tables, uncompared
from lfja_mri.change.rows import Row, read_visit_joint
from lfja_mri.change.types import Change, Direction, Status, VisitJoint
from lfja_mri.errors import Reason
from lfja_mri.model import FloatArray, Level, Side
from lfja_mri.settings.change import ChangeSettings, CohortSettings
from lfja_mri.tables import Cell, format_cell

Rows = Sequence[Row]
SubjectVisit = tuple[str, str]

SUMMARY_COLUMNS = (
    "visit",
    "subjects",
    "joints",
    "joints_graded",
    "mean_grade",
    "joints_comparable",
    "mean_grade_change",
    "mean_grade_change_low",
    "mean_grade_change_high",
    "affected_joints",
    "affected_mean_grade_change",
    "affected_mean_grade_change_low",
    "affected_mean_grade_change_high",
    "improved",
    "unchanged",
    "worsened",
    "subjects_comparable",
    "responders",
    "responder_fraction",
    "worst_grade",
    "worst_joints",
)


@dataclass(frozen=True)
class PairedRows:
    """Both visits of one subject measured in one frame, as rows of `grades.csv`, and what the images add."""

    baseline: Rows
    follow_up: Rows
    evidence: Evidence = field(default_factory=Evidence)


def cohort_changes(
    grade_rows: Rows,
    order: Sequence[str],
    settings: ChangeSettings,
    paired: Mapping[SubjectVisit, PairedRows] | None = None,
) -> tuple[Change, ...]:
    """Compare every later visit of every subject with the first.

    Parameters
    ----------
    grade_rows
        `grades.csv` of the whole trial.
    order
        Visits, earliest first (`Manifest.order`); the first is the baseline of all.
    settings
        `change.toml`.
    paired
        Per subject and later visit, both visits measured in one frame, where that was done; the table's rows else.

    Returns
    -------
    Sorted by subject, then visit, then joint. A visit that a subject lacks has rows too, not comparable: a lost
    visit is never a lost row.
    """
    by_visit = _by_subject_visit(grade_rows)
    changes: list[Change] = []
    for subject in sorted({subject for subject, _ in by_visit}):
        for visit in order[1:]:
            rows = (by_visit.get((subject, order[0]), ()), by_visit.get((subject, visit), ()))
            pair = (paired or {}).get((subject, visit), PairedRows(*rows))
            changes.extend(_compare(pair, (order[0], visit), settings))
    return tuple(changes)


def _by_subject_visit(rows: Rows) -> dict[SubjectVisit, list[Row]]:
    groups: dict[SubjectVisit, list[Row]] = {}
    for row in rows:
        key = (format_cell(row.get("subject")), format_cell(row.get("visit")))
        groups.setdefault(key, []).append(row)
    return groups


def _compare(pair: PairedRows, visits: tuple[str, str], settings: ChangeSettings) -> Iterable[Change]:
    if pair.baseline and pair.follow_up:
        return compare_tables(pair.baseline, pair.follow_up, settings, pair.evidence)
    first = [read_visit_joint(row) for row in pair.baseline]
    second = [read_visit_joint(row) for row in pair.follow_up]
    alone = [uncompared(joint, None, visits, Reason.MISSING_VISIT) for joint in first]
    alone += [uncompared(None, joint, visits, Reason.MISSING_VISIT) for joint in second]
    return sorted(alone, key=lambda change: _anatomical((change.level, change.side)))


def _anatomical(joint: tuple[Level, Side]) -> tuple[int, int]:
    return list(Level).index(joint[0]), list(Side).index(joint[1])


# ----------------------------------------------------------------------------------------------- summary


def summary_rows(
    grade_rows: Rows, changes: Sequence[Change], order: Sequence[str], settings: ChangeSettings
) -> list[dict[str, Cell]]:
    """Return one row per visit for `tables.to_csv(SUMMARY_COLUMNS, ...)`, earliest first.

    *Affected* joints had a grade of one or more at the first visit; the mean over them is what a trial can move.
    The worst joints are those with the highest grade at the visit, as `subject level side`.
    """
    joints = [read_visit_joint(row) for row in grade_rows]
    rows = []
    for visit in order:
        here = [joint for joint in joints if joint.visit == visit]
        since = [change for change in changes if change.follow_up_visit == visit]
        rows.append({"visit": visit, **_state_cells(here), **_change_cells(since, settings.cohort)})
    return rows


def _state_cells(joints: Sequence[VisitJoint]) -> dict[str, Cell]:
    graded = [(joint, joint.grade) for joint in joints if joint.grade is not None]
    grades = [grade for _, grade in graded]
    worst = max(grades, default=None)
    names = sorted(
        f"{joint.subject} {joint.level.value} {joint.side.value}" for joint, grade in graded if grade == worst
    )
    return {
        "subjects": len({joint.subject for joint in joints}),
        "joints": len(joints),
        "joints_graded": len(grades),
        "mean_grade": sum(grades) / len(grades) if grades else None,
        "worst_grade": worst,
        # Of ties at grade 0 nothing is worst.
        "worst_joints": ";".join(names) if worst else "",
    }


def _change_cells(changes: Sequence[Change], settings: CohortSettings) -> dict[str, Cell]:
    comparable = [change for change in changes if change.status is Status.COMPARABLE]
    if not changes:
        return {}
    directions = [change.change for change in comparable]
    affected = [change for change in comparable if change.baseline and change.baseline.grade]
    subjects = {change.subject for change in comparable}
    responders = _responders(comparable)
    return {
        "joints_comparable": len(comparable),
        **_mean_cells("mean_grade_change", comparable, settings),
        "affected_joints": len(affected),
        **_mean_cells("affected_mean_grade_change", affected, settings),
        **{direction.value: directions.count(direction) for direction in Direction},
        "subjects_comparable": len(subjects),
        "responders": len(responders),
        "responder_fraction": len(responders) / len(subjects) if subjects else None,
    }


def _responders(changes: Sequence[Change]) -> set[str]:
    """Return the subjects with a joint improved and none worsened."""
    improved = {change.subject for change in changes if change.change is Direction.IMPROVED}
    return improved - {change.subject for change in changes if change.change is Direction.WORSENED}


def _mean_cells(name: str, changes: Sequence[Change], settings: CohortSettings) -> dict[str, Cell]:
    """Return the mean grade change and its interval; no interval of fewer than two subjects."""
    by_subject: dict[str, list[int]] = {}
    for change in changes:
        if change.grade_change is not None:
            by_subject.setdefault(change.subject, []).append(change.grade_change)
    if not by_subject:
        return {}
    sums = np.array(
        [[sum(values), len(values)] for _, values in sorted(by_subject.items())], dtype=np.float64
    )
    mean = float(sums[:, 0].sum() / sums[:, 1].sum())
    if len(sums) < 2:
        return {name: mean}
    low, high = _bootstrap_interval(sums, settings)
    return {name: mean, f"{name}_low": low, f"{name}_high": high}


def _bootstrap_interval(sums: FloatArray, settings: CohortSettings) -> tuple[float, float]:
    """Return the percentile interval of a mean of joints, subjects drawn with replacement.

    Parameters
    ----------
    sums
        Shape (subjects, 2): sum and number of each subject's joints.
    """
    generator = np.random.default_rng(settings.bootstrap_seed)
    draws = generator.integers(0, len(sums), size=(settings.bootstrap_draws, len(sums)))
    totals = sums[draws].sum(axis=1)
    tail = (1 - settings.interval) / 2
    low, high = np.quantile(totals[:, 0] / totals[:, 1], [tail, 1 - tail])
    return float(low), float(high)
