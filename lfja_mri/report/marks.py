"""Readers' marks, as the study page exports them: read, checked, and laid over a table of grades.

A mark changes the table, never the measurement: what the reader decided is visible in `rule`, `reason` and `flags`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from lfja_mri.errors import InputError, Reason
from lfja_mri.tables import Cell, read_csv

NEEDED = ("study_key", "level", "side", "mark", "grade", "reason")
JointKey = tuple[str, str, str]
_GRADES = ("0", "1", "2", "3", "4")


class MarkKind(StrEnum):
    """What a reader said of a grade."""

    AGREE = "agree"
    DISAGREE = "disagree"
    OTHER_GRADE = "other_grade"
    EXCLUDE = "exclude"


@dataclass(frozen=True)
class ReaderMark:
    """One reader's word on one joint; `grade` only where they gave another."""

    kind: MarkKind
    grade: int | None = None
    reason: str = ""


def read_marks(path: Path) -> dict[JointKey, ReaderMark]:
    """Read a CSV of marks, one per joint.

    Raises
    ------
    InputError
        A column is absent, a mark is unknown, another grade is not 0 to 4, or a joint is marked twice.
    """
    marks: dict[JointKey, ReaderMark] = {}
    for number, row in enumerate(read_csv(path, NEEDED), start=2):
        key = (row["study_key"], row["level"], row["side"])
        if key in marks:
            raise InputError(
                f"{path.name}, line {number}: this joint is marked twice; keep one reader's mark"
            )
        marks[key] = _mark(row, f"{path.name}, line {number}")
    return marks


def _mark(row: Mapping[str, str], where: str) -> ReaderMark:
    if row["mark"] not in set(MarkKind):
        raise InputError(f"{where}: mark '{row['mark']}' is none of {', '.join(MarkKind)}")
    kind = MarkKind(row["mark"])
    if kind is not MarkKind.OTHER_GRADE:
        return ReaderMark(kind, reason=row["reason"])
    if row["grade"] not in _GRADES:
        raise InputError(f"{where}: another grade needs a number from 0 to 4, found '{row['grade']}'")
    return ReaderMark(kind, int(row["grade"]), row["reason"])


def with_marks(
    rows: Sequence[Mapping[str, Cell]], marks: Mapping[JointKey, ReaderMark]
) -> list[dict[str, Cell]]:
    """Return rows of `grades.csv` with readers' decisions in them; joints without a mark stay as they are."""
    keys = [(str(row["study_key"]), str(row["level"]), str(row["side"])) for row in rows]
    return [
        dict(row) if key not in marks else {**row, **_decided(row, marks[key])}
        for key, row in zip(keys, rows, strict=True)
    ]


def _decided(row: Mapping[str, Cell], mark: ReaderMark) -> dict[str, Cell]:
    match mark.kind:
        case MarkKind.AGREE:
            return {"flags": _flagged(row, "reader_agrees")}
        case MarkKind.DISAGREE:
            return {"flags": _flagged(row, "reader_disagrees")}
        case MarkKind.EXCLUDE:
            ungraded: dict[str, Cell] = dict.fromkeys(("grade", "grade_low", "grade_high", "rule"))
            return {**ungraded, "status": "not_graded", "reason": Reason.EXCLUDED_BY_READER.value}
        case MarkKind.OTHER_GRADE:
            grades: dict[str, Cell] = dict.fromkeys(("grade", "grade_low", "grade_high"), mark.grade)
            flags = _flagged(row, "graded_by_reader")
            return {**grades, "status": "graded", "rule": "reader", "reason": None, "flags": flags}


def _flagged(row: Mapping[str, Cell], flag: str) -> str:
    held = [word for word in str(row.get("flags") or "").split(";") if word]
    return ";".join(sorted({*held, flag}))
