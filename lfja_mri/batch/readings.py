"""A table of grades against a reader's: which joints both judged, and how well they agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lfja_mri.errors import InputError
from lfja_mri.grading import Agreement, agreement
from lfja_mri.tables import read_csv

NEEDED = ("study_key", "level", "side", "grade")
JointKey = tuple[str, str, str]


@dataclass(frozen=True, eq=False)
class Reading:
    """Agreement over all joints, and within each level and side."""

    overall: Agreement
    groups: Mapping[str, Agreement]
    only_tested: int
    only_reference: int


def compare_readings(tested: Path, reference: Path) -> Reading:
    """Join two tables by study, level and side, and measure agreement over joints graded in both.

    Raises
    ------
    InputError
        A table lacks a column, a grade is no whole number from 0 to 4, a joint stands twice, or none is graded in both.
    """
    ours, theirs = _grades(tested), _grades(reference)
    both = sorted(ours.keys() & theirs.keys())
    if not both:
        raise InputError("no joint is graded in both tables; they are joined by study_key, level and side")
    groups = sorted({key[1] for key in both}) + sorted({key[2] for key in both})
    return Reading(
        overall=_agreement(both, ours, theirs),
        groups={name: _agreement([key for key in both if name in key], ours, theirs) for name in groups},
        only_tested=len(ours) - len(both),
        only_reference=len(theirs) - len(both),
    )


def reading_rows(reading: Reading) -> list[tuple[str, ...]]:
    """Lay out agreement as text rows: all joints first, then each level and side."""
    return [_row("all", reading.overall), *(_row(name, group) for name, group in reading.groups.items())]


READING_COLUMNS = ("joints of", "n", "patients", "linear kappa", "quadratic kappa", "exact", "within one")


def _row(name: str, found: Agreement) -> tuple[str, ...]:
    return (
        name,
        str(found.joints),
        str(found.patients),
        _with_interval(found.kappa_linear, found.kappa_linear_interval),
        _with_interval(found.kappa_quadratic, found.kappa_quadratic_interval),
        f"{found.exact:.1%}",
        f"{found.within_one:.1%}",
    )


def _with_interval(value: float | None, interval: tuple[float, float] | None) -> str:
    if value is None:
        return "undefined"
    return f"{value:.3f}" if interval is None else f"{value:.3f} ({interval[0]:.3f} to {interval[1]:.3f})"


def _agreement(
    keys: Sequence[JointKey], ours: Mapping[JointKey, int], theirs: Mapping[JointKey, int]
) -> Agreement:
    return agreement([ours[key] for key in keys], [theirs[key] for key in keys], [key[0] for key in keys])


def _grades(path: Path) -> dict[JointKey, int]:
    grades: dict[JointKey, int] = {}
    for number, row in enumerate(read_csv(path, NEEDED), start=2):
        key = (row["study_key"], row["level"], row["side"])
        if key in grades:
            raise InputError(f"{path.name}, line {number}: this joint stands twice")
        if row["grade"]:
            grades[key] = _grade(row["grade"], path, number)
    return grades


def _grade(cell: str, path: Path, number: int) -> int:
    if cell not in {"0", "1", "2", "3", "4"}:
        raise InputError(f"{path.name}, line {number}: a grade is a whole number from 0 to 4")
    return int(cell)
