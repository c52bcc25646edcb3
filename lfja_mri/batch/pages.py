"""The first page of an archive, made from its tables alone."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from lfja_mri import __version__
from lfja_mri.batch.folder import STUDIES
from lfja_mri.batch.record import recorded_failures, seal
from lfja_mri.errors import InputError
from lfja_mri.outputs import PAGE
from lfja_mri.report import About, index_page
from lfja_mri.results import GRADES_COLUMNS
from lfja_mri.tables import read_csv, write_text

TABLES = ("grades.csv", "visits.csv", "change.csv", "summary.csv", "cohort.html")


def write_index(archive: Path) -> Path:
    """Write `index.html` of an archive that `grade` or `cohort` wrote, and return where it lies.

    Raises
    ------
    InputError
        The folder holds no `grades.csv`.
    """
    rows = in_visit_order(archive, archived_grades(archive))
    pages = {row["study_key"]: f"{STUDIES}/{row['study_key']}/{PAGE}" for row in rows}
    links = {key: page for key, page in pages.items() if (archive / page).is_file()}
    further = [(name, name) for name in TABLES if (archive / name).is_file()]
    page = index_page(rows, about=about_of(rows), links=links, failures=_failures(archive), further=further)
    write_text(archive / "index.html", page)
    seal(archive, ("index.html",))
    return archive / "index.html"


def in_visit_order(archive: Path, rows: Sequence[Mapping[str, str]]) -> list[Mapping[str, str]]:
    """Return the rows by subject and time: as the trial's manifest orders its visits, else by days, else as they stand.

    A visit without a name of a subject with several studies is called by its day.
    """
    order = [row["visit"] for row in _rows(archive / "summary.csv")]
    days = {row["study_key"]: int(row["days_since_baseline"]) for row in _rows(archive / "visits.csv")
            if row["days_since_baseline"]}  # fmt: skip
    studies = Counter(subject for subject, _ in {(row["subject"], row["study_key"]) for row in rows})

    def time(row: Mapping[str, str]) -> tuple[str, int, float]:
        place = order.index(row["visit"]) if row["visit"] in order else len(order)
        return row["subject"], place, days.get(row["study_key"], math.inf)

    def named(row: Mapping[str, str]) -> Mapping[str, str]:
        unnamed = not row["visit"] and row["study_key"] in days and studies[row["subject"]] > 1
        return {**row, "visit": f"day {days[row['study_key']]}"} if unnamed else row

    return [named(row) for row in sorted(rows, key=time)]


def _rows(table: Path) -> list[dict[str, str]]:
    return read_csv(table) if table.is_file() else []


def archived_grades(archive: Path) -> list[dict[str, str]]:
    """Return the rows of an archive's `grades.csv`.

    Raises
    ------
    InputError
        The folder holds no `grades.csv`.
    """
    if not (archive / "grades.csv").is_file():
        raise InputError(
            f"{archive} {'holds no grades.csv' if archive.is_dir() else 'is no folder'}; needed a folder that `grade` or `cohort` wrote"
        )
    return read_csv(archive / "grades.csv", GRADES_COLUMNS)


def about_of(rows: Sequence[Mapping[str, str]]) -> About:
    """Return what the pages of an archive say of its origin; of an empty one, the version alone."""
    if not rows:
        return About(__version__)
    return About(__version__, scale=rows[0]["scale"], rules_digest=rows[0]["rules_digest"])


def _failures(archive: Path) -> list[tuple[str, str]]:
    return [
        (f"study {one['study_key']}", f"{one['reason']}: {one['detail']}")
        for one in recorded_failures(archive)
    ]
