"""Many studies into one folder: found, divided among workers, resumed, gathered.

The order of work changes nothing: every study's folder is written whole by its own worker, and the tables are
gathered from the folders at the end, sorted.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lfja_mri import __version__
from lfja_mri.batch.dates import VISITS_COLUMNS, visit_rows
from lfja_mri.batch.folder import STUDIES, clear_leftovers
from lfja_mri.batch.gathering import gather
from lfja_mri.batch.lock import locked
from lfja_mri.batch.options import RunOptions
from lfja_mri.batch.outcome import RunReport, StudyFailure
from lfja_mri.batch.pages import write_index
from lfja_mri.batch.record import write_run_record
from lfja_mri.batch.tasks import Done, Task, perform, task_of
from lfja_mri.batch.workers import Failure, WorkerPool, attempt
from lfja_mri.errors import InputError, OutputError, Reason
from lfja_mri.events import tell
from lfja_mri.ingest import Study, find_studies, nothing_found, subject_key
from lfja_mri.model import Rejection
from lfja_mri.pipeline import Road
from lfja_mri.progress import ReportProgress, silent
from lfja_mri.report.marks import read_marks
from lfja_mri.results import Visit
from lfja_mri.tables import to_csv, write_text


def grade_inputs(
    inputs: Sequence[Path], out: Path, road: Road, options: RunOptions, progress: ReportProgress = silent
) -> RunReport:
    """Grade every study found in the inputs into `out`.

    Raises
    ------
    InputError
        No study in the inputs can be used.
    OutputError
        `out` cannot be written, or another run is writing to it.
    """
    catalogue = find_studies(inputs, road.settings.ingest)
    if not catalogue.studies:
        raise InputError(nothing_found(catalogue.rejections))
    visits = {
        study.study_key: Visit(subject=subject_key(study.study_key, study.sources, options.salt))
        for study in catalogue.studies
    }
    with locked(out):
        return run_studies(catalogue.studies, visits, out, road, options, progress, catalogue.rejections)


def run_studies(
    studies: Sequence[Study],
    visits: Mapping[str, Visit],
    out: Path,
    road: Road,
    options: RunOptions,
    progress: ReportProgress = silent,
    rejections: Sequence[Rejection] = (),
    fresh: Collection[str] = (),
) -> RunReport:
    """Grade studies whose visits are known, and gather the tables; the caller holds the lock of `out`.

    Parameters
    ----------
    fresh
        Keys of studies that this run has graded into their folders already: not done again even if forced.

    Raises
    ------
    OutputError
        A result cannot be written: the run ends at once, what is finished stays.
    """
    marks = {} if options.overrides is None else read_marks(options.overrides)
    clear_leftovers(out / STUDIES)
    for rejection in rejections:
        tell("left_out", where=rejection.where, reason=rejection.reason.value, detail=rejection.detail)
    tasks = [
        task_of(study, visits[study.study_key], out, road, options.extras, force=force)
        for study in studies
        for force in [options.force and study.study_key not in fresh]
    ]
    outcomes = dict(_work(tasks, options, progress, fresh))
    failures = tuple(
        StudyFailure(key, outcome.reason, outcome.detail)
        for key, outcome in sorted(outcomes.items())
        if isinstance(outcome, Failure)
    )
    done = tuple(key for key, outcome in sorted(outcomes.items()) if isinstance(outcome, Done))
    old = (key for key in done if isinstance(one := outcomes[key], Done) and not one.fresh)
    skipped = tuple(key for key in old if key not in fresh)
    rows = gather(out, tasks, failures, road, marks)
    when = visit_rows(studies, visits, options.baseline, keep_dates=options.keep_dates)
    write_text(out / "visits.csv", to_csv(VISITS_COLUMNS, when))
    report = RunReport(out, done, skipped, failures, tuple(rejections), tuple(rows))
    write_run_record(out, _run_record(report, road))
    if options.extras.pages:
        write_index(out)
    return report


def _run_record(report: RunReport, road: Road) -> dict[str, Any]:
    return {
        "tool_version": __version__,
        "rules_digest": road.rules.digest,
        "settings": road.settings.model_dump(mode="json"),
        "studies": list(report.finished),
        "skipped_as_finished": list(report.skipped),
        "failures": [vars(failure) | {"reason": failure.reason.value} for failure in report.failures],
        "rejections": [
            {"where": r.where, "reason": r.reason.value, "detail": r.detail} for r in report.rejections
        ],
        "peak_memory_mib": _peak_memory_mib(),
    }


def _peak_memory_mib() -> int:
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return max(resource.getrusage(kind).ru_maxrss for kind in kinds) // 1024


def _work(
    tasks: Sequence[Task], options: RunOptions, progress: ReportProgress, graded_now: Collection[str]
) -> Iterator[tuple[str, Done | Failure]]:
    start_s = time.monotonic()
    tell("run_started", studies=len(tasks))
    progress(0, len(tasks), "grading")
    outcomes = hand_out(perform, tasks, options, alone=len(tasks) == 1)
    for done, (index, outcome) in enumerate(outcomes, start=1):
        key = tasks[index].study.study_key
        word, facts = _told(outcome, graded_now)
        progress(done, len(tasks), f"study {key} {word}")
        elapsed_s = round(time.monotonic() - start_s, 2)
        tell("study", study_key=key, status=word, done=done, of=len(tasks), elapsed_s=elapsed_s, **facts)
        if isinstance(outcome, Failure) and outcome.reason is Reason.CANNOT_WRITE:
            raise OutputError(outcome.detail, reason=outcome.reason)
        yield key, outcome
    tell("studies_done", studies=len(tasks), elapsed_s=round(time.monotonic() - start_s, 2))


def _told(outcome: Done | Failure, graded_now: Collection[str]) -> tuple[str, dict[str, str]]:
    if isinstance(outcome, Failure):
        return "failed", {"reason": outcome.reason.value, "detail": outcome.detail}
    return ("finished" if outcome.fresh or outcome.study_key in graded_now else "finished before"), {}


def hand_out(
    function: Callable[[Any], Any], tasks: Sequence[Any], options: RunOptions, *, alone: bool = False
) -> Iterable[tuple[int, Any]]:
    """Yield (index, result or failure) from this process, from workers here, or from a cluster.

    Parameters
    ----------
    alone
        The task is all there is to do: then it may use this process and all its threads.
    """
    if options.scheduler is not None:
        from lfja_mri.batch.cluster import run_on_cluster

        return run_on_cluster(function, tasks, options.scheduler, options.bounds)
    if alone and options.timeout_s is None:
        return ((0, attempt(function, task)) for task in tasks)
    pool: WorkerPool[Any, Any] = WorkerPool(
        function, jobs=max(1, min(options.processes, len(tasks))), bounds=options.bounds
    )
    return pool.run(tasks)
