"""Two visits of one person measured in common joint frames, by a worker: what a trial's comparisons rest on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from lfja_mri.batch.run import RunOptions, hand_out
from lfja_mri.batch.workers import Failure
from lfja_mri.change import PairedRows
from lfja_mri.change.common_frame import common_frame
from lfja_mri.config import ChangeSettings
from lfja_mri.events import tell
from lfja_mri.ingest import Study
from lfja_mri.model import Rejection
from lfja_mri.outputs import scale_of
from lfja_mri.pipeline import Road, grade_study, grader
from lfja_mri.progress import ReportProgress
from lfja_mri.results import GRADES_COLUMNS, Visit, grade_rows
from lfja_mri.tables import as_text

SubjectVisit = tuple[str, str]


@dataclass(frozen=True, eq=False)
class PairTask:
    """One person's first visit and a later one."""

    first: Study
    later: Study
    visits: tuple[Visit, Visit]
    road: Road
    settings: ChangeSettings


def measure_pair(task: PairTask) -> PairedRows:
    """Grade both visits in common joint frames: what a worker does."""
    results = grade_study(task.first, task.road), grade_study(task.later, task.road)
    common = common_frame(*results, grader(task.road), task.settings)
    scale = scale_of(task.road)
    before, after = (
        as_text(GRADES_COLUMNS, grade_rows(result, visit, scale))
        for result, visit in zip((common.baseline, common.follow_up), task.visits, strict=True)
    )
    return PairedRows(before, after, common.evidence(task.visits[0].subject, task.visits[1].subject))


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
    for done, (index, outcome) in enumerate(hand_out(measure_pair, tasks, options), start=1):
        progress(done, len(tasks), "comparing")
        later = tasks[index].visits[1]
        tell("pair", study_key=tasks[index].later.study_key, failed=isinstance(outcome, Failure), done=done)
        if isinstance(outcome, Failure):
            failed.append(
                Rejection(f"pair {index + 1}", outcome.reason, f"compared by tables; {outcome.detail}")
            )
        else:
            paired[later.subject, later.visit] = outcome
    return paired, tuple(sorted(failed, key=lambda one: one.where))


def _tasks(
    studies: Mapping[SubjectVisit, Study], order: Sequence[str], road: Road, settings: ChangeSettings
) -> Iterator[PairTask]:
    for subject, visit in sorted(studies):
        first = studies.get((subject, order[0]))
        if first is not None and visit != order[0]:
            visits = Visit(subject, order[0]), Visit(subject, visit)
            yield PairTask(first, studies[subject, visit], visits, road, settings)
