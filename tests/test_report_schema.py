"""The schemas in docs/schema say what the tables are: same columns, and real rows obey them."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import re
from collections.abc import Sequence
from pathlib import Path

import fake_results as fake
import numpy as np
import pytest
from conftest import ROOT

import lfja_mri
from lfja_mri.batch.dates import VISITS_COLUMNS
from lfja_mri.change import CHANGE_COLUMNS
from lfja_mri.change.cohort import SUMMARY_COLUMNS
from lfja_mri.phantom.cohort import LEVEL_COLUMNS, SERIES_COLUMNS, TRUTH_COLUMNS
from lfja_mri.report import About
from lfja_mri.report.worksheet import (
    KEY_COLUMNS,
    READING_COLUMNS,
    SHEET_COLUMNS,
    VisitResult,
    unblind,
    worksheet_files,
)
from lfja_mri.results import GRADES_COLUMNS, JOINTS_COLUMNS, LEVELS_COLUMNS, joint_rows, level_rows

ROOT_PACKAGE = Path(lfja_mri.__file__).parent
FOLDER = ROOT / "docs" / "schema"
MARKS_COLUMNS = ("subject", "visit", "study_key", "level", "side", "mark", "grade", "reason", "reader")
TABLES = {
    "grades": GRADES_COLUMNS,
    "change": CHANGE_COLUMNS,
    "levels": LEVELS_COLUMNS,
    "joints": JOINTS_COLUMNS,
    "truth": TRUTH_COLUMNS,
    "summary": SUMMARY_COLUMNS,
    "visits": VISITS_COLUMNS,
    "truth_levels": LEVEL_COLUMNS,
    "truth_series": SERIES_COLUMNS,
    "marks": MARKS_COLUMNS,
    "worksheet": SHEET_COLUMNS,
    "key": KEY_COLUMNS,
    "reader": READING_COLUMNS,
}
TYPES = {"string": str, "integer": int, "number": float}


def schema(name: str) -> dict:
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def problems(name: str, rows: Sequence[dict[str, str]]) -> list[str]:
    """What a table-schema validator would say of text rows; empty cells are missing."""
    found = []
    for number, row in enumerate(rows):
        for field in schema(name)["fields"]:
            trouble = problem_of(row[field["name"]], field)
            if trouble:
                found.append(f"row {number}, {field['name']}: {trouble}")
    key = schema(name)["primaryKey"]
    keys = [tuple(row[column] for column in key) for row in rows]
    return [*found, *([] if len(keys) == len(set(keys)) else ["primary key not unique"])]


def problem_of(cell: str, field: dict) -> str:
    rules = field.get("constraints", {})
    if cell == "":
        return "required" if rules.get("required") else ""
    try:
        value = TYPES[field["type"]](cell)
    except ValueError:
        return f"{cell!r} is not {field['type']}"
    if isinstance(value, float) and not np.isfinite(value):
        return f"{cell!r} is not finite"
    checks = {
        "enum": lambda allowed: value in allowed,
        "pattern": lambda pattern: re.fullmatch(pattern, cell) is not None,
        "minimum": lambda low: value >= low,
        "maximum": lambda high: value <= high,
        "required": lambda _: True,
    }
    broken = [name for name, limit in rules.items() if not checks[name](limit)]
    return f"{cell!r} breaks {broken}" if broken else ""


@pytest.mark.parametrize("name", TABLES)
def test_a_schema_has_the_columns_of_its_table_in_order(name):
    assert [field["name"] for field in schema(name)["fields"]] == list(TABLES[name])


@pytest.mark.parametrize("name", TABLES)
def test_every_column_is_explained_in_the_dictionary(name):
    text = (ROOT / "docs" / "csv.md").read_text(encoding="utf-8")
    section = text[text.index(f"## {name}.csv") :].split("\n## ")[0]
    for column in TABLES[name]:
        assert f"| `{column}` |" in section


def test_made_up_tables_obey_their_schemas():
    study = fake.study_result()
    joints = [joint.joint for joint in study.joints if joint.joint is not None]
    tables = {
        "grades": fake.grade_table(study, "S01", "baseline"),
        "change": fake.change_table(),
        "levels": fake.text_rows(LEVELS_COLUMNS, level_rows(study.level_map)),
        "joints": fake.text_rows(JOINTS_COLUMNS, joint_rows(joints)),
    }
    for name, rows in tables.items():
        assert rows
        assert problems(name, rows) == []


def table_of(path: Path) -> str | None:
    """Which table a file is, by the longest name that its own ends in; None for files that are not ours."""
    names = [name for name in TABLES if path.stem == name]
    return names[0] if names else None


@pytest.mark.parametrize("path", sorted((ROOT / "sample_data").rglob("*.csv")), ids=lambda path: path.name)
def test_tables_of_the_sample_case_obey_their_schemas(path):
    name = table_of(path)
    assert name is not None, "a table without a schema"
    rows = fake.read_rows(path)
    assert list(rows[0]) == list(TABLES[name])
    assert problems(name, rows) == []


def test_tables_of_a_reading_set_obey_their_schemas():
    few = dataclasses.replace(fake.study_result(), images=fake.images()[:1])
    files = worksheet_files([VisitResult(few, "S01", "baseline")], seed=1, about=About("0.1.0"), repeats=1)
    key, sheet = (
        list(csv.DictReader(io.StringIO(files[name].decode()))) for name in ("key.csv", "worksheet.csv")
    )
    assert problems("key", key) == []
    filled = [dict(row, grade="2", reader="R1") for row in sheet]
    assert problems("worksheet", filled) == []
    assert problems("reader", fake.text_rows(READING_COLUMNS, unblind(filled, key))) == []


def test_marks_of_a_page_have_the_columns_of_their_schema():
    script = (ROOT_PACKAGE / "report" / "templates" / "marks.js").read_text(encoding="utf-8")
    assert f"[{', '.join(repr(column) for column in MARKS_COLUMNS)}]" in script


def test_a_broken_row_is_found():
    rows = fake.grade_table(fake.study_result(), "S01", "baseline")
    rows[2] = dict(rows[2], grade="7", side="links", perimeter_fraction="nan")
    text = "\n".join(problems("grades", rows))
    assert "grade" in text
    assert "side" in text
    assert "perimeter_fraction" in text
