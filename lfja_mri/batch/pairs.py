"""Two visits of one person measured in common joint frames, by a worker: what a trial's comparisons rest on.

A worker has a person's first visit and all later ones. It grades each study once, writes that study's folder on the way,
and compares the results while it has them. Every pair has a folder with a ledger: a run that was killed goes on with
the pairs that are missing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from lfja_mri.batch.folder import STUDIES, clear_leftovers
from lfja_mri.batch.options import RunOptions
from lfja_mri.batch.pair_folder import PAIRS, read_pair, write_pair
from lfja_mri.batch.run import hand_out
from lfja_mri.batch.tasks import Task, graded, task_of, wanted_of
from lfja_mri.batch.workers import Failure, attempt
from lfja_mri.change import PairedRows
from lfja_mri.change.common_frame import common_frame
from lfja_mri.config import digest
from lfja_mri.errors import OutputError, Reason
from lfja_mri.events import tell
from lfja_mri.ingest import Study
from lfja_mri.model import Rejection, StudyResult
from lfja_mri.outputs import scale_of
from lfja_mri.pipeline import Road, grader
from lfja_mri.progress import ReportProgress
from lfja_mri.results import GRADES_COLUMNS, Visit, grade_rows
from lfja_mri.settings.change import ChangeSettings
from lfja_mri.tables import as_text

SubjectVisit = tuple[str, str]


@dataclass(frozen=True, eq=False)
class Trial:
    """What is to be graded and compared, and how.

    Parameters
    ----------
    studies
        By subject and visit.
    order
        Visits from the first to the last.
    out
        Folder of the results.
    road, settings, options
        How studies are graded, what counts as change, and how the run goes about it.
    """

    studies: Mapping[SubjectVisit, Study]
    order: Sequence[str]
    out: Path
    road: Road
    settings: ChangeSettings
    options: RunOptions


@dataclass(frozen=True, eq=False)
class SubjectTask:
    """One person's first visit and all later ones, each a study to grade into its folder; where the pairs go."""

    first: Task
    later: tuple[Task, ...]
    pairs: Path
    settings: ChangeSettings


@dataclass(frozen=True, eq=False)
class SubjectDone:
    """One entry per later visit; a visit that fails costs itself only. `fresh` names the studies graded on the way."""

    pairs: tuple[PairedRows | Failure, ...]
    fresh: frozenset[str] = frozenset()


@dataclass
class _Subject:
    """A person while a worker has them: the first visit is graded when a pair first needs it, and kept for the next."""

    task: SubjectTask
    fresh: set[str] = field(default_factory=set)
    baseline: StudyResult | None = None

    def first(self) -> StudyResult:
        if self.baseline is None:
            self.baseline = self.result(self.task.first)
        return self.baseline

    def result(self, task: Task) -> StudyResult:
        done, result = graded(task)
        self.fresh |= {done.study_key} if done.fresh else set()
        return result


def measure_subject(task: SubjectTask) -> SubjectDone:
    """Grade every visit of a person, and each later one together with the first: what a worker does."""
    subject = _Subject(task)
    pairs = tuple(attempt(partial(_pair, subject), later) for later in task.later)
    return SubjectDone(pairs, frozenset(subject.fresh))


def _pair(subject: _Subject, later: Task) -> PairedRows:
    """Return a pair from its folder, or measure it into one."""
    first = subject.task.first
    wanted = _wanted(first, later, subject.task.settings)
    folder = subject.task.pairs / f"{first.study.study_key}-{later.study.study_key}"
    known = None if later.force else read_pair(folder, first.visit.subject, wanted)
    if known is not None:
        return known
    pair = _measured(subject.first(), subject.result(later), (first, later), subject.task.settings)
    write_pair(folder, pair, wanted)
    return pair


def _wanted(first: Task, later: Task, settings: ChangeSettings) -> str:
    """Return the digest of everything that decides a pair; what counts as change is judged anew every time."""
    return digest(
        {
            "visits": [wanted_of(first), wanted_of(later)],
            "registration": digest(settings.registration),
            "witness": [settings.witness.roles, settings.extension.grades],
        }
    )


def _measured(
    first: StudyResult, later: StudyResult, tasks: tuple[Task, Task], settings: ChangeSettings
) -> PairedRows:
    road = tasks[0].road
    common = common_frame(first, later, grader(road), settings)
    before, after = (
        as_text(GRADES_COLUMNS, grade_rows(result, task.visit, scale_of(road)))
        for result, task in zip((common.baseline, common.follow_up), tasks, strict=True)
    )
    return PairedRows(before, after, common.evidence(tasks[0].visit.subject, tasks[1].visit.subject))


@dataclass(frozen=True, eq=False)
class MeasuredPairs:
    """Rows per (subject, later visit), the pairs that failed, and the studies that were graded on the way."""

    rows: Mapping[SubjectVisit, PairedRows]
    failed: tuple[Rejection, ...]
    fresh: frozenset[str]


def measure_pairs(trial: Trial, progress: ReportProgress) -> MeasuredPairs:
    """Measure every later visit together with its first; a pair that fails is compared by its tables, and named.

    The caller holds the lock of `trial.out`. A study that fails here is left for `run_studies` to grade or to name.

    Raises
    ------
    OutputError
        A result cannot be written: the run ends at once, what is finished stays.
    """
    for folder in (trial.out / STUDIES, trial.out / PAIRS):
        clear_leftovers(folder)
    tasks = list(_tasks(trial))
    rows: dict[SubjectVisit, PairedRows] = {}
    failed: list[Rejection] = []
    fresh: set[str] = set()
    outcomes = hand_out(measure_subject, tasks, _longer(trial.options, tasks))
    for done, (index, outcome) in enumerate(outcomes, start=1):
        progress(done, len(tasks), "grading and comparing subjects")
        later = tasks[index].later
        if isinstance(outcome, SubjectDone):
            fresh |= outcome.fresh
        for task, one in zip(later, _each(outcome, len(later)), strict=True):
            tell("pair", study_key=task.study.study_key, failed=isinstance(one, Failure))
            if isinstance(one, Failure):
                failed.append(_rejection(tasks[index].first, task, one))
            else:
                rows[task.visit.subject, task.visit.visit] = one
    return MeasuredPairs(rows, tuple(sorted(failed, key=lambda one: one.where)), frozenset(fresh))


def _rejection(first: Task, later: Task, failure: Failure) -> Rejection:
    if failure.reason is Reason.CANNOT_WRITE:
        raise OutputError(failure.detail, reason=failure.reason)
    where = f"the pair of studies {first.study.study_key} and {later.study.study_key}"
    return Rejection(where, failure.reason, f"compared by tables; {failure.detail}")


def _each(outcome: SubjectDone | Failure, count: int) -> tuple[PairedRows | Failure, ...]:
    return outcome.pairs if isinstance(outcome, SubjectDone) else (outcome,) * count


def _longer(options: RunOptions, tasks: Sequence[SubjectTask]) -> RunOptions:
    """Allow the time of a study for each that is graded, and once more for each that is measured in a common frame."""
    if options.timeout_s is None:
        return options
    visits = max((len(task.later) for task in tasks), default=0)
    return replace(options, timeout_s=options.timeout_s * (1 + 2 * visits))


def _tasks(trial: Trial) -> Iterator[SubjectTask]:
    """Yield a task per person who has a first and a later visit; later ones by hash, so that none is favoured."""
    for subject in sorted({subject for subject, _ in trial.studies}):
        visits = {
            visit: _task(study, Visit(who, visit), trial)
            for (who, visit), study in trial.studies.items()
            if who == subject
        }
        first = visits.pop(trial.order[0], None)
        if first is not None and visits:
            later = sorted(visits.values(), key=lambda task: task.study.study_key)
            yield SubjectTask(first, tuple(later), trial.out / PAIRS, trial.settings)


def _task(study: Study, visit: Visit, trial: Trial) -> Task:
    options = trial.options
    return task_of(study, visit, trial.out, trial.road, options.extras, force=options.force)
