"""When visits were, as days since the first: dates themselves name a person more than a trial needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from lfja_mri.ingest import Study, study_date
from lfja_mri.results import Visit
from lfja_mri.tables import Cell

VISITS_COLUMNS = ("subject", "visit", "study_key", "days_since_baseline", "study_date")


def visit_rows(
    studies: Sequence[Study], visits: Mapping[str, Visit], baseline: str | None, *, keep_dates: bool
) -> list[dict[str, Cell]]:
    """Return one row per study, by subject and date.

    Parameters
    ----------
    visits
        Whose each study is, by study key.
    baseline
        Name of the first visit; None where visits have no names: then a subject's earliest study is the first.
    keep_dates
        Also write the date; the cell is empty otherwise.
    """
    dates = {study.study_key: study_date(study.sources) for study in studies}
    starts = _starts(dates, visits, baseline)
    rows = [_row(key, day, visits[key], starts, keep_dates=keep_dates) for key, day in dates.items()]
    return sorted(rows, key=_order)


def _starts(
    dates: Mapping[str, date | None], visits: Mapping[str, Visit], baseline: str | None
) -> dict[str, date]:
    starts: dict[str, date] = {}
    for key, day in dates.items():
        visit = visits[key]
        if day is None or baseline not in {None, visit.visit}:
            continue
        starts[visit.subject] = min(day, starts.get(visit.subject, day))
    return starts


def _row(
    key: str, day: date | None, visit: Visit, starts: Mapping[str, date], *, keep_dates: bool
) -> dict[str, Cell]:
    start = starts.get(visit.subject)
    return {
        "subject": visit.subject,
        "visit": visit.visit,
        "study_key": key,
        "days_since_baseline": None if day is None or start is None else (day - start).days,
        "study_date": day.isoformat() if day is not None and keep_dates else None,
    }


def _order(row: Mapping[str, Cell]) -> tuple[str, int, str]:
    days = row["days_since_baseline"]
    return str(row["subject"]), days if isinstance(days, int) else 0, str(row["study_key"])
