"""One `grades.csv` of many studies: gathered from their own tables, sorted, so that the order of work changes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from lfja_mri.batch.outcome import StudyFailure
from lfja_mri.batch.tasks import Task
from lfja_mri.errors import InputError, OutputError, Reason
from lfja_mri.model import STANDARD_LEVELS, JointResult, NotGraded, Side, StudyResult
from lfja_mri.outputs import scale_of
from lfja_mri.pipeline import Road
from lfja_mri.report.marks import JointKey, ReaderMark, with_marks
from lfja_mri.results import GRADES_COLUMNS, grade_rows, row_order
from lfja_mri.tables import Cell, read_csv, to_csv, write_text


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
        rows += _failed_rows(task, failure, road) if failure else _own_rows(task)
    write_text(out / "grades.csv", to_csv(GRADES_COLUMNS, with_marks(sorted(rows, key=row_order), marks)))
    return read_csv(out / "grades.csv")


def _own_rows(task: Task) -> list[dict[str, str]]:
    try:
        return read_csv(task.folder / "grades.csv")
    except InputError:
        raise OutputError(
            f"study {task.study.study_key} was finished, but its folder is gone or cannot be read any more; "
            "the same command goes on with what is there",
            reason=Reason.CANNOT_WRITE,
        ) from None


def _failed_rows(task: Task, failure: StudyFailure, road: Road) -> list[dict[str, Cell]]:
    refusal = NotGraded(failure.reason, failure.detail)
    joints = tuple(JointResult(level, side, refusal) for level in STANDARD_LEVELS for side in Side)
    empty = StudyResult(failure.study_key, None, joints, ())
    return grade_rows(empty, task.visit, scale_of(road))
