"""A blinded reading set: pictures in shuffled order without study, visit, level or grade, and the key that undoes it.

Readers fill in the page (or the CSV beside it); `unblind` joins their grades with the key into rows that
`lfja-mri agree` reads. The key is a file of its own, so that it can be kept from the readers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from lfja_mri.errors import InputError
from lfja_mri.model import Graded, Image, JointResult, StudyResult
from lfja_mri.report import render, views
from lfja_mri.report.render import About, Row
from lfja_mri.tables import Cell, to_csv

SHEET_COLUMNS = ("item", "grade", "not_assessable", "reason", "reader")
KEY_COLUMNS = ("item", "reading", "subject", "visit", "study_key", "level", "side", "status", "grade")
READING_COLUMNS = ("study_key", "level", "side", "grade", "subject", "visit", "reader", "reason", "item")
NEIGHBOURS = (-1, 0, 1)


@dataclass(frozen=True, eq=False)
class VisitResult:
    """A graded study and whose it is."""

    result: StudyResult
    subject: str = ""
    visit: str = ""


@dataclass(frozen=True, eq=False)
class _Item:
    """One joint to read; `reading` is 2 for a repeat that tests the reader against themselves."""

    visit: VisitResult
    joint: JointResult
    reading: int


def worksheet_files(
    visits: Sequence[VisitResult], *, seed: int, about: About, repeats: int = 0
) -> dict[str, bytes]:
    """Return `worksheet.html`, `worksheet.csv` and `key.csv`.

    Parameters
    ----------
    visits
        Graded studies with their images; joints that were not placed are left out.
    seed
        Decides order and repeats; the same seed gives the same set.
    about
        Version of the tool; nothing of it is shown that could unblind.
    repeats
        How many joints appear a second time.

    Raises
    ------
    InputError
        No joint can be shown, or more repeats are asked for than there are joints.
    """
    items = _shuffled(visits, seed, repeats)
    names = [f"{number:03d}" for number in range(1, len(items) + 1)]
    page = render.render(
        "worksheet.html.j2",
        title="Reading worksheet",
        tool_version=about.tool_version,
        items=[(name, _blind_views(name, item)) for name, item in zip(names, items, strict=True)],
        seed=seed,
    )
    sheet = to_csv(SHEET_COLUMNS, [{"item": name} for name in names])
    key = to_csv(KEY_COLUMNS, [_key_row(name, item) for name, item in zip(names, items, strict=True)])
    return {"worksheet.html": page.encode(), "worksheet.csv": sheet.encode(), "key.csv": key.encode()}


def _shuffled(visits: Sequence[VisitResult], seed: int, repeats: int) -> list[_Item]:
    once = [
        _Item(visit, joint, 1) for visit in visits for joint in visit.result.joints if joint.joint is not None
    ]
    if not once:
        raise InputError("no joint was placed in any study, so there is nothing to read")
    if repeats > len(once):
        raise InputError(f"{repeats} repeats were asked for, but there are only {len(once)} joints")
    generator = np.random.default_rng(seed)
    again = [replace(once[index], reading=2) for index in generator.permutation(len(once))[:repeats]]
    items = [*once, *again]
    return [items[index] for index in generator.permutation(len(items))]


def _key_row(name: str, item: _Item) -> dict[str, Cell]:
    outcome = item.joint.outcome
    graded = isinstance(outcome, Graded)
    return {
        "item": name,
        "reading": item.reading,
        "subject": item.visit.subject,
        "visit": item.visit.visit,
        "study_key": item.visit.result.study_key,
        "level": item.joint.level.value,
        "side": item.joint.side.value,
        "status": "graded" if graded else "not_graded",
        "grade": outcome.grade if isinstance(outcome, Graded) else None,
    }


def _blind_views(name: str, item: _Item) -> list[views.View]:
    images = item.visit.result.images
    chosen = [views.best_image(item.joint, images, plane) for plane in views.PLANES]
    return [view for image in chosen if image is not None for view in _neighbouring(name, item.joint, image)]


def _neighbouring(name: str, joint: JointResult, image: Image) -> Iterable[views.View]:
    """Yield the slice nearest the joint and its neighbours, without outlines and without names."""
    shown = [views.joint_view(joint, image, planes_away=step, outlined=False) for step in NEIGHBOURS]
    for number, view in enumerate(shown, start=1):
        words = f"{image.role} slice {number} of {len(shown)}".replace("_", " ")
        yield replace(view, name=f"item {name}", caption=words)


def unblind(sheet: Sequence[Row], key: Sequence[Row], *, reading: int = 1) -> list[Mapping[str, Cell]]:
    """Join what a reader wrote with the key.

    Parameters
    ----------
    sheet
        Rows of the filled worksheet; items without a grade are left out.
    key
        Rows of `key.csv`.
    reading
        1 for first readings, 2 for the repeats.

    Returns
    -------
    Rows of `READING_COLUMNS`, sorted by study, level and side.

    Raises
    ------
    InputError
        An item is not in the key, or stands twice.
    """
    places = {row["item"]: row for row in key}
    written = [row["item"] for row in sheet]
    for item in written:
        if item not in places:
            raise InputError(f"item {item} of the worksheet is not in the key; are they of the same set?")
        if written.count(item) > 1:
            raise InputError(f"item {item} stands twice in the worksheet; give one reader's rows only")
    rows = [
        {
            **{name: places[row["item"]].get(name, "") or row.get(name, "") for name in READING_COLUMNS},
            "grade": row["grade"],
        }
        for row in sheet
        if row["grade"] and int(places[row["item"]]["reading"]) == reading
    ]
    return sorted(rows, key=lambda row: (row["study_key"], row["level"], row["side"]))
