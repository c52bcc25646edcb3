"""Two visits of one person measured in common joint frames, by a worker: what a trial's comparisons rest on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from lfja_mri.batch.run import RunOptions, hand_out
from lfja_mri.batch.workers import Failure, attempt
from lfja_mri.change import PairedRows
from lfja_mri.change.common_frame import common_frame
from lfja_mri.config import ChangeSettings
from lfja_mri.events import tell
from lfja_mri.ingest import Study
from lfja_mri.model import Rejection, StudyResult
from lfja_mri.outputs import scale_of
from lfja_mri.pipeline import Road, grade_study, grader
from lfja_mri.progress import ReportProgress
from lfja_mri.results import GRADES_COLUMNS, Visit, grade_rows
from lfja_mri.tables import as_text

SubjectVisit = tuple[str, str]


@dataclass(frozen=True, eq=False)
class SubjectTask:
    """One person's first visit and all later ones, so that the first is graded once for all of them."""

    first: Study
    baseline: Visit
    later: tuple[tuple[Study, Visit], ...]
    road: Road
    settings: ChangeSettings


def measure_subject(task: SubjectTask) -> tuple[PairedRows | Failure, ...]:
    """Grade the first visit and each later one in common joint frames: what a worker does.

    Returns
    -------
    One entry per later visit; a visit that fails costs itself only.
    """
    first = grade_study(task.first, task.road)
    return tuple(attempt(partial(_measured_pair, task, first), pair) for pair in task.later)


def _measured_pair(task: SubjectTask, first: StudyResult, pair: tuple[Study, Visit]) -> PairedRows:
    study, visit = pair
    common = common_frame(first, grade_study(study, task.road), grader(task.road), task.settings)
    scale = scale_of(task.road)
    before, after = (
        as_text(GRADES_COLUMNS, grade_rows(result, whose, scale))
        for result, whose in ((common.baseline, task.baseline), (common.follow_up, visit))
    )
    return PairedRows(before, after, common.evidence(task.baseline.subject, visit.subject))


def measure_pairs(
    studies: Mapping[SubjectVisit, Study],
    order: Sequence[str],
    road: Road,
    settings: ChangeSettings,
    options: RunOptions,
    progress: ReportProgress,
) -> tuple[dict[SubjectVisit, PairedRows], tuple[Rejection, ...]]:
    """Measure every later visit together with its first; a pair that fails is compared by its tables, and named.

    Returns
    -------
    Rows per (subject, later visit), and the pairs that failed.
    """
    tasks = list(_tasks(studies, order, road, settings))
    paired: dict[SubjectVisit, PairedRows] = {}
    failed: list[Rejection] = []
    for done, (index, outcome) in enumerate(
        hand_out(measure_subject, tasks, _longer(options, tasks)), start=1
    ):
        progress(done, len(tasks), "comparing")
        later = tasks[index].later
        for (study, visit), one in zip(later, _each(outcome, len(later)), strict=True):
            tell("pair", study_key=study.study_key, failed=isinstance(one, Failure))
            if isinstance(one, Failure):
                where = f"the pair of study {study.study_key}"
                failed.append(Rejection(where, one.reason, f"compared by tables; {one.detail}"))
            else:
                paired[visit.subject, visit.visit] = one
    return paired, tuple(sorted(failed, key=lambda one: one.where))


def _each(
    outcome: tuple[PairedRows | Failure, ...] | Failure, count: int
) -> tuple[PairedRows | Failure, ...]:
    return (outcome,) * count if isinstance(outcome, Failure) else outcome


def _longer(options: RunOptions, tasks: Sequence[SubjectTask]) -> RunOptions:
    """Allow the time of a study for each that is graded, and once more for each that is measured in a common frame."""
    if options.timeout_s is None:
        return options
    visits = max((len(task.later) for task in tasks), default=0)
    return replace(options, timeout_s=options.timeout_s * (1 + 2 * visits))


def _tasks(
    studies: Mapping[SubjectVisit, Study], order: Sequence[str], road: Road, settings: ChangeSettings
) -> Iterator[SubjectTask]:
    by_subject: dict[str, list[tuple[Study, Visit]]] = {}
    for (subject, visit), study in sorted(studies.items(), key=lambda one: one[0]):
        by_subject.setdefault(subject, []).append((study, Visit(subject, visit)))
    for subject, visits in by_subject.items():
        first = studies.get((subject, order[0]))
        later = tuple(pair for pair in visits if pair[1].visit != order[0])
        if first is not None and later:
            yield SubjectTask(first, Visit(subject, order[0]), later, road, settings)
