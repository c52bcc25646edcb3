"""Who was scanned when: `subject,visit,path`, and the order of the visits.

Visits are ordered by the time that their names tell (`baseline`, `3`, `6 months`, `m12`, `one_year`, `week 2`);
names that tell none come after, in the order in which the manifest first has them. The first visit is the baseline.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lfja_mri.errors import InputError, Reason
from lfja_mri.model import Rejection
from lfja_mri.tables import read_csv

MANIFEST_COLUMNS = ("subject", "visit", "path")

_BASELINE_NAMES = frozenset({"baseline", "base", "bl", "pre", "screening", "initial", "v0"})
_NUMBER_WORDS = {
    word: number for number, word in enumerate(("zero", "one", "two", "three", "four", "five", "six"))
}
_MONTHS_PER = {"d": 1 / 30.44, "w": 7 / 30.44, "m": 1.0, "y": 12.0, "": 1.0}
_TIME = re.compile(
    r"^(?P<before>days?|d|weeks?|wk|w|months?|mo|m|years?|yr|y)?[ _-]*(?P<number>\d+(?:\.\d+)?)"
    r"[ _-]*(?P<after>days?|d|weeks?|wks?|w|months?|mos?|m|years?|yrs?|y)?$"
)


@dataclass(frozen=True)
class ManifestVisit:
    """One study of a trial."""

    subject: str
    visit: str
    path: Path


@dataclass(frozen=True)
class Manifest:
    """Every visit that can be graded, subjects sorted and visits in order of time, and the rows left out."""

    visits: tuple[ManifestVisit, ...]
    order: tuple[str, ...]
    rejections: tuple[Rejection, ...] = ()

    @property
    def subjects(self) -> tuple[str, ...]:
        """Every subject once, sorted."""
        return tuple(sorted({visit.subject for visit in self.visits}))


def read_manifest(path: Path) -> Manifest:
    """Read a manifest; paths are relative to its own folder.

    A subject with two studies for one visit is left out of that visit, with the reason: which of the two counts is
    not for a program to guess. A row that stands there twice counts once, and the second is named.

    Raises
    ------
    InputError
        The file cannot be read, lacks a column, or no row can be used.
    """
    rows = list(enumerate(read_csv(path, MANIFEST_COLUMNS), start=1))
    distinct = {tuple(row[column].strip() for column in MANIFEST_COLUMNS) for _, row in rows}
    counts = Counter((subject, visit) for subject, visit, _ in distinct)
    visits: list[ManifestVisit] = []
    rejections: list[Rejection] = []
    for number, row in rows:
        visit = ManifestVisit(row["subject"].strip(), row["visit"].strip(), path.parent / row["path"].strip())
        refusal = _refusal(number, row["path"].strip(), visit, counts[visit.subject, visit.visit])
        if refusal is None and visit in visits:
            rejections.append(
                Rejection(f"row {number}", Reason.DUPLICATE_FILE, "this row stands there twice")
            )
        elif refusal is None:
            visits.append(visit)
        else:
            rejections.append(refusal)
    if not visits:
        raise InputError(
            f"no row of {path.name} can be used; subject, visit and path are needed, each visit once"
        )
    order = visit_order(row["visit"].strip() for _, row in rows if row["visit"].strip())
    visits.sort(key=lambda visit: (visit.subject, order.index(visit.visit)))
    return Manifest(tuple(visits), order, tuple(rejections))


def _refusal(number: int, path: str, visit: ManifestVisit, count: int) -> Rejection | None:
    where = f"row {number}"
    if not (visit.subject and visit.visit and path):
        return Rejection(where, Reason.MISSING_VISIT, "subject, visit and path are all needed")
    if count > 1:
        return Rejection(
            where, Reason.DUPLICATE_VISIT, f"{count} studies of this subject at visit {visit.visit}"
        )
    return None


def visit_order(names: Iterable[str]) -> tuple[str, ...]:
    """Return each visit name once, earliest first."""
    distinct = list(dict.fromkeys(names))
    known = {name: months_of(name) for name in distinct}
    timed = sorted((months, name) for name, months in known.items() if months is not None)
    return (*(name for _, name in timed), *(name for name in distinct if known[name] is None))


def months_of(name: str) -> float | None:
    """Return the time that a visit's name tells, in months from baseline; None where it tells none."""
    words = name.strip().lower()
    if words in _BASELINE_NAMES:
        return 0.0
    for word, number in _NUMBER_WORDS.items():
        words = re.sub(rf"^{word}(?=[ _-])", str(number), words)
    found = _TIME.match(words)
    if found is None:
        return None
    unit = (found["before"] or found["after"] or "")[:1]
    return float(found["number"]) * _MONTHS_PER[unit]
