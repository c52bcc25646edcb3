from __future__ import annotations

import csv
import dataclasses
import io
from functools import cache

import fake_results as fake
import pytest

from lfja_mri import report
from lfja_mri.errors import InputError
from lfja_mri.report.worksheet import VisitResult, unblind, worksheet_files

ABOUT = report.About("0.1.0")


def visits() -> list[VisitResult]:
    return [
        VisitResult(fake.study_result(), "S01", "baseline"),
        VisitResult(fake.follow_up(), "S01", "12 months"),
    ]


@cache
def files(seed: int = 4) -> dict[str, bytes]:
    return worksheet_files(visits(), seed=seed, about=ABOUT, repeats=3)


def rows_of(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode())))


def test_nothing_on_the_sheet_tells_study_visit_level_or_grade():
    page = files()["worksheet.html"].decode()
    text = page.split("<main", 1)[1]
    for telltale in ("S01", "baseline", "12 months", "L4-L5", "5f0c1e7a9b", "77aa01c2d3", "s1k1", "grade 4"):
        assert telltale not in text
    assert rows_of(files()["worksheet.csv"])[0] == dict.fromkeys(
        ["item", "grade", "not_assessable", "reason", "reader"], ""
    ) | {"item": "001"}


def test_the_key_names_every_placed_joint_once_and_the_repeats_twice():
    key = rows_of(files()["key.csv"])
    joints = [(row["study_key"], row["level"], row["side"]) for row in key]
    assert len(key) == 9 + 10 + 3
    assert len(set(joints)) == 19
    assert sum(row["reading"] == "2" for row in key) == 3
    assert joints != sorted(joints)


def test_a_seed_decides_the_order():
    few = [VisitResult(dataclasses.replace(fake.study_result(), images=fake.images()[:1]), "S01", "baseline")]
    first, same, other = (worksheet_files(few, seed=seed, about=ABOUT, repeats=3) for seed in (4, 4, 5))
    assert first == same
    assert first["key.csv"] != other["key.csv"]


def test_a_filled_sheet_joins_with_its_key():
    key = rows_of(files()["key.csv"])
    sheet = [{"item": row["item"], "grade": row["grade"], "reason": "seen", "reader": "R1"} for row in key]
    first = unblind(sheet, key)
    graded = {(r["study_key"], r["level"], r["side"]): r["grade"] for r in key if r["grade"]}
    assert {(r["study_key"], r["level"], r["side"]): r["grade"] for r in first} == graded
    assert {row["reader"] for row in first} == {"R1"}
    assert len(unblind(sheet, key, reading=2)) == sum(r["reading"] == "2" and r["grade"] != "" for r in key)


@pytest.mark.parametrize("item", ["999", "001"])
def test_a_sheet_of_another_set_or_with_doubles_is_refused(item):
    key = rows_of(files()["key.csv"])
    sheet = [{"item": "001", "grade": "1"}, {"item": item, "grade": "2"}]
    with pytest.raises(InputError, match=item):
        unblind(sheet, key)


def test_a_set_without_joints_is_refused():
    nothing = [VisitResult(fake.without_levels(fake.study_result()))]
    with pytest.raises(InputError, match="nothing to read"):
        worksheet_files(nothing, seed=1, about=ABOUT)
