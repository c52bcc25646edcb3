"""Tables in and out: a row of `grades.csv` to one joint of one visit, and a change to a row of `change.csv`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import TypeVar

from lfja_mri import __version__
from lfja_mri.change.types import MEASURES, Change, MeasureChange, VisitJoint
from lfja_mri.errors import InputError
from lfja_mri.model import Level, Side
from lfja_mri.tables import Cell, format_cell

Row = Mapping[str, Cell]
Named = TypeVar("Named", bound=StrEnum)

GRADED = "graded"
REQUIRED_COLUMNS = (
    "subject",
    "visit",
    "study_key",
    "level",
    "side",
    "status",
    "grade",
    "reason",
    *MEASURES,
    "fat_suppression",
    "numbering_basis",
    "sources",
    "flags",
    "scale",
    "rules_digest",
    "tool_version",
)
CHANGE_COLUMNS = (
    "subject",
    "baseline_visit",
    "follow_up_visit",
    "level",
    "side",
    "status",
    "change",
    "baseline_grade",
    "follow_up_grade",
    "grade_change",
    "reason",
    *(f"{name}_{part}" for name in MEASURES for part in ("baseline", "follow_up", "change", "sdc")),
    "registration_error_mm",
    "flags",
    "rules_digest",
    "tool_version",
)


def read_visit_joint(row: Row) -> VisitJoint:
    """Read one row of `grades.csv`: cells of text, or as `grade_rows` gives them.

    Raises
    ------
    InputError
        A level, side, grade or measure is not one; the message names the column and what was found.
    """
    graded = _text(row, "status") == GRADED
    return VisitJoint(
        subject=_text(row, "subject"),
        visit=_text(row, "visit"),
        study_key=_text(row, "study_key"),
        level=_one_of(Level, row, "level"),
        side=_one_of(Side, row, "side"),
        grade=_grade(row) if graded else None,
        measures={name: value for name in MEASURES if (value := _number(row, name)) is not None},
        sources=tuple(sorted(_list(row, "sources"))),
        numbering_basis=_text(row, "numbering_basis"),
        rules=(_text(row, "scale"), _text(row, "rules_digest")),
        fat_suppression=_text(row, "fat_suppression"),
        reason=_text(row, "reason"),
        flags=_list(row, "flags"),
        tool_version=_text(row, "tool_version"),
        grade_interval=_interval(row) if graded else None,
    )


def change_rows(changes: Iterable[Change]) -> list[dict[str, Cell]]:
    """Return rows for `tables.to_csv(CHANGE_COLUMNS, ...)`, in the order given."""
    return [_change_row(change) for change in changes]


def _change_row(change: Change) -> dict[str, Cell]:
    row: dict[str, Cell] = {
        "subject": change.subject,
        "baseline_visit": change.baseline_visit,
        "follow_up_visit": change.follow_up_visit,
        "level": change.level.value,
        "side": change.side.value,
        "status": change.status.value,
        "change": change.change.value if change.change else None,
        "baseline_grade": change.baseline.grade if change.baseline else None,
        "follow_up_grade": change.follow_up.grade if change.follow_up else None,
        "grade_change": change.grade_change,
        "reason": change.reason.value if change.reason else None,
        "registration_error_mm": change.registration_error_mm,
        "flags": ";".join(change.flags),
        "rules_digest": _rules_digest(change),
        "tool_version": __version__,
    }
    for measure in change.measures:
        row |= _measure_cells(measure)
    return row


def _measure_cells(measure: MeasureChange) -> dict[str, Cell]:
    return {
        f"{measure.name}_baseline": measure.baseline,
        f"{measure.name}_follow_up": measure.follow_up,
        f"{measure.name}_change": measure.change,
        f"{measure.name}_sdc": measure.sdc,
    }


def _rules_digest(change: Change) -> str:
    """Return the digest that both visits share; where they differ, both, sorted."""
    visits = (change.baseline, change.follow_up)
    return ";".join(sorted({visit.rules[1] for visit in visits if visit is not None and visit.rules[1]}))


def _text(row: Row, column: str) -> str:
    return format_cell(row.get(column))


def _grade(row: Row) -> int:
    text = _text(row, "grade")
    try:
        return int(text)
    except ValueError as error:
        raise InputError(
            f"column grade holds '{text}' where status is graded; a whole number is needed"
        ) from error


def _interval(row: Row) -> tuple[int, int] | None:
    """Return (grade_low, grade_high); None where the table does not state them."""
    low, high = _number(row, "grade_low"), _number(row, "grade_high")
    return None if low is None or high is None else (int(low), int(high))


def _number(row: Row, column: str) -> float | None:
    text = _text(row, column)
    if not text:
        return None
    try:
        value = float(text)
    except ValueError as error:
        raise InputError(f"column {column} holds '{text}'; a number or an empty cell is needed") from error
    if not math.isfinite(value):
        raise InputError(f"column {column} holds '{text}'; a missing value is an empty cell")
    return value


def _list(row: Row, column: str) -> tuple[str, ...]:
    return tuple(part for part in _text(row, column).split(";") if part)


def _one_of(kind: type[Named], row: Row, column: str) -> Named:
    text = _text(row, column)
    try:
        return kind(text)
    except ValueError as error:
        known = ", ".join(member.value for member in kind)
        raise InputError(f"column {column} holds '{text}'; one of {known} is needed") from error
