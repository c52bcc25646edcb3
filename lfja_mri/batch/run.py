"""Many studies into one folder: found, divided among workers, resumed, gathered.

The order of work changes nothing: every study's folder is written whole by its own worker, and the tables are
gathered from the folders at the end, sorted.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lfja_mri import __version__
from lfja_mri.batch.folder import (
    RECORD_NAME,
    STUDIES,
    file_digest,
    finished,
    read_record,
    to_json,
    write_study_folder,
)
from lfja_mri.batch.lock import locked
from lfja_mri.batch.pages import write_index
from lfja_mri.batch.workers import Failure, WorkerPool, attempt
from lfja_mri.config import digest
from lfja_mri.errors import ExitCode, InputError, Reason
from lfja_mri.ingest import Study, content_digest, find_studies, subject_key
from lfja_mri.model import STANDARD_LEVELS, JointResult, Level, NotGraded, Rejection, Side, StudyResult
from lfja_mri.outputs import Extras, scale_of, study_content
from lfja_mri.pipeline import Road, grade_study
from lfja_mri.progress import ReportProgress, silent
from lfja_mri.report.marks import JointKey, ReaderMark, read_marks, with_marks
from lfja_mri.results import GRADES_COLUMNS, Visit, grade_rows
from lfja_mri.tables import Cell, read_csv, to_csv, write_bytes, write_text


@dataclass(frozen=True)
class RunOptions:
    """How a run goes about its work; nothing here changes a result."""

    jobs: int | None = None
    timeout_s: float | None = None
    force: bool = False
    extras: Extras = field(default_factory=Extras)
    salt: bytes | None = None
    scheduler: str | None = None
    overrides: Path | None = None

    @property
    def processes(self) -> int:
        """Number of worker processes: all cores by default, cores minus n where negative."""
        cores = os.cpu_count() or 1
        return cores if self.jobs is None else max(1, self.jobs if self.jobs > 0 else cores + self.jobs)


@dataclass(frozen=True, eq=False)
class Task:
    """One study to grade into its folder."""

    study: Study
    visit: Visit
    folder: Path
    road: Road
    request_digest: str
    extras: Extras


@dataclass(frozen=True)
class StudyFailure:
    """A study that gave no result."""

    study_key: str
    reason: Reason
    detail: str


@dataclass(frozen=True, eq=False)
class RunReport:
    """What a run ended in."""

    out: Path
    finished: tuple[str, ...]
    skipped: tuple[str, ...]
    failures: tuple[StudyFailure, ...]
    rejections: tuple[Rejection, ...] = ()
    rows: tuple[Mapping[str, str], ...] = field(default=())

    def rows_by_study(self) -> dict[str, list[Mapping[str, str]]]:
        """Return the rows of `grades.csv` by study."""
        keys = dict.fromkeys(row["study_key"] for row in self.rows)
        return {key: [row for row in self.rows if row["study_key"] == key] for key in keys}

    def exit_code(self, *, strict: bool) -> ExitCode:
        """Return the code that scripts read."""
        if self.failures:
            return ExitCode.SOME_FAILED if self.finished else ExitCode.ALL_FAILED
        ungraded = any(row["status"] != "graded" or row["numbering_basis"] == "assumed" for row in self.rows)
        return ExitCode.CHECK_NOT_MET if strict and ungraded else ExitCode.DONE

    def explanation(self, level: Level, side: Side) -> str:
        """Return the explanation of one joint in every study."""
        texts = []
        for key in self.finished:
            sections = (
                (self.out / STUDIES / key / "explanations.txt").read_text(encoding="utf-8").split("\n\n")
            )
            texts += [text for text in sections if text.startswith(f"{level.value} {side.value}")]
        return "\n\n".join(texts)


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
        raise InputError(_nothing_found(catalogue.rejections))
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
) -> RunReport:
    """Grade studies whose visits are known, and gather the tables; the caller holds the lock of `out`."""
    tasks = [_task(study, visits[study.study_key], out, road, options) for study in studies]
    waiting = [task for task in tasks if options.force or not finished(task.folder, task.request_digest)]
    skipped = tuple(sorted(task.study.study_key for task in tasks if task not in waiting))
    failures = tuple(sorted(_work(waiting, options, progress), key=lambda failure: failure.study_key))
    lost = {failure.study_key for failure in failures}
    done = tuple(sorted(task.study.study_key for task in tasks if task.study.study_key not in lost))
    rows = gather(
        out, tasks, failures, road, {} if options.overrides is None else read_marks(options.overrides)
    )
    report = RunReport(out, done, skipped, failures, tuple(rejections), tuple(rows))
    write_bytes(out / RECORD_NAME, to_json(_run_record(report, road)))
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
        "outputs": {"grades.csv": file_digest(report.out / "grades.csv")},
        "peak_memory_mib": _peak_memory_mib(),
    }


def _peak_memory_mib() -> int:
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return max(resource.getrusage(kind).ru_maxrss for kind in kinds) // 1024


def _task(study: Study, visit: Visit, out: Path, road: Road, options: RunOptions) -> Task:
    request = {
        "input": content_digest(study.sources),
        "settings": digest(road.settings),
        "rules": road.rules.digest,
        "items": digest(road.items),
        "lowest_level": road.lowest_level,
        "masks": road.masks and road.masks.digest,
        "visit": [visit.subject, visit.visit],
        "extras": asdict(options.extras),
        "tool_version": __version__,
    }
    return Task(study, visit, out / STUDIES / study.study_key, road, digest(request), options.extras)


def perform(task: Task) -> str:
    """Grade one study and write its folder: what a worker does."""
    result = grade_study(task.study, task.road)
    content = study_content(result, task.visit, task.road, task.extras)
    write_study_folder(task.folder, content, task.request_digest)
    return task.study.study_key


def _work(tasks: Sequence[Task], options: RunOptions, progress: ReportProgress) -> Iterator[StudyFailure]:
    progress(0, len(tasks), "grading")
    for done, (index, outcome) in enumerate(_outcomes(tasks, options), start=1):
        key = tasks[index].study.study_key
        failed = isinstance(outcome, Failure)
        progress(done, len(tasks), f"study {key} {'failed' if failed else 'graded'}")
        if isinstance(outcome, Failure):
            yield StudyFailure(key, outcome.reason, outcome.detail)


def _outcomes(tasks: Sequence[Task], options: RunOptions) -> Iterable[tuple[int, str | Failure]]:
    if options.scheduler is not None:
        from lfja_mri.batch.cluster import run_on_cluster

        return run_on_cluster(perform, tasks, options.scheduler, options.timeout_s)
    if len(tasks) == 1 and options.timeout_s is None:
        return ((0, attempt(perform, task)) for task in tasks)
    pool: WorkerPool[Task, str] = WorkerPool(
        perform, jobs=min(options.processes, max(1, len(tasks))), timeout_s=options.timeout_s
    )
    return pool.run(tasks)


def gather(
    out: Path,
    tasks: Sequence[Task],
    failures: Sequence[StudyFailure],
    road: Road,
    marks: Mapping[JointKey, ReaderMark],
) -> list[dict[str, str]]:
    """Write `grades.csv` from the studies' own tables, ten rows for a failed study too, sorted, readers' marks in it."""
    lost = {failure.study_key: failure for failure in failures}
    rows: list[Mapping[str, Cell]] = []
    for task in tasks:
        failure = lost.get(task.study.study_key)
        rows += _failed_rows(task, failure, road) if failure else read_csv(task.folder / "grades.csv")
    write_text(out / "grades.csv", to_csv(GRADES_COLUMNS, with_marks(sorted(rows, key=row_order), marks)))
    return read_csv(out / "grades.csv")


def row_order(row: Mapping[str, Cell]) -> tuple[str, str, str, int, int]:
    """Sort rows by subject, visit, study, level from the head down, left before right."""
    levels, sides = [level.value for level in Level], [side.value for side in Side]
    return (
        str(row.get("subject") or ""),
        str(row.get("visit") or ""),
        str(row["study_key"]),
        levels.index(str(row["level"])),
        sides.index(str(row["side"])),
    )


def _failed_rows(task: Task, failure: StudyFailure, road: Road) -> list[dict[str, Cell]]:
    refusal = NotGraded(failure.reason, failure.detail)
    joints = tuple(JointResult(level, side, refusal) for level in STANDARD_LEVELS for side in Side)
    empty = StudyResult(failure.study_key, None, joints, ())
    return grade_rows(empty, task.visit, scale_of(road))


def _nothing_found(rejections: Sequence[Rejection]) -> str:
    reasons = sorted({rejection.reason.value for rejection in rejections})
    found = (
        f"found {len(rejections)} files or series that cannot be used ({', '.join(reasons)})"
        if reasons
        else "found no file"
    )
    return f"no MR study in the input: {found}; needed a lumbar MR study as DICOM; try `lfja-mri inspect` for the reasons"


def records(out: Path) -> dict[str, dict[str, object]]:
    """Return the ledgers of all finished studies by key."""
    folders = sorted(
        path for path in (out / STUDIES).glob("*") if path.is_dir() and not path.name.startswith(".")
    )
    return {folder.name: record for folder in folders if (record := read_record(folder)) is not None}
