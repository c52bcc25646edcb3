"""The sample case, end to end: the tables it must give, and what they must say."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pydicom
import pytest
from test_batch_run import SameProcess
from typer.testing import CliRunner

from lfja_mri import visits
from lfja_mri.app import app
from lfja_mri.batch import run as batch_run
from lfja_mri.batch import tasks as batch_tasks
from lfja_mri.config import digest
from lfja_mri.errors import ExitCode
from lfja_mri.model import StudyResult
from lfja_mri.pipeline import grade_study

TOOL = [sys.executable, "-m", "lfja_mri"]
OTHER_LIBRARIES = os.environ.get("LFJA_LIBRARIES") == "other"  # set by `make floor-test`
NEAR, NEAR_SHARE = 0.02, 0.03


def run(*words: object) -> None:
    subprocess.run([*TOOL, *map(str, words)], check=True, capture_output=True)


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


@pytest.fixture(scope="module")
def measured_once():
    """Measure each visit once for all commands of this file: what they make of it is theirs, the road there the same."""
    known: dict[tuple[str, str, str], StudyResult] = {}

    def remembered(study, road):
        key = (study.study_key, road.rules.digest, digest(road.settings))
        if key not in known:
            known[key] = grade_study(study, road)
        return known[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batch_run, "WorkerPool", SameProcess)
        for module in (batch_tasks, visits):
            patch.setattr(module, "grade_study", remembered)
        yield known


def ask(*words: object) -> None:
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == ExitCode.DONE, result.output


@pytest.fixture(scope="module")
def graded(measured_once, sample_data, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("graded")
    both = [sample_data / "baseline", sample_data / "one_year"]
    ask("grade", *both, "--out", out, "--no-pictures", "--no-report", "--quiet")
    assert len(measured_once) == 2
    return out


@pytest.fixture(scope="module")
def changes(measured_once, sample_data, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("change") / "change.csv"
    ask("compare", sample_data / "baseline", sample_data / "one_year", "--out", out, "--no-report", "--quiet")
    assert len(measured_once) == 2
    return out


def assert_golden(found: Path, golden: Path) -> None:
    """The same bytes; with other builds of the numerical libraries the same words and grades, and numbers near them.

    Single precision rounds otherwise from build to build, by which a voxel on an edge falls to the other side.
    """
    if not OTHER_LIBRARIES:
        assert found.read_text() == golden.read_text()
        return
    for row, expected in zip(table(found), table(golden), strict=True):
        for column, cell in expected.items():
            if "." in cell and column not in {"tool_version", "sources", "flags"}:
                assert float(row[column]) == pytest.approx(float(cell), rel=NEAR_SHARE, abs=NEAR), column
            else:
                assert row[column] == cell, column


def test_the_grades_are_the_golden_ones(graded, sample_data):
    assert_golden(graded / "grades.csv", sample_data / "golden" / "grades.csv")


def test_the_changes_are_the_golden_ones(changes, sample_data):
    assert_golden(changes, sample_data / "golden" / "change.csv")


def test_the_case_ends_as_published(changes):
    found = {(row["level"], row["side"]): row["change"] for row in table(changes)}
    assert found.pop(("L4-L5", "right")) == "improved"
    assert set(found.values()) == {"unchanged"}
    assert len(found) == 9


def test_every_joint_lies_where_the_phantom_put_it(graded, sample_data):
    """Within 8 mm of the truth, as on the real study: a swapped side is 25 mm away, a shifted level 30 mm."""
    truth = {(r["study_key"], r["level"], r["side"]): r for r in table(sample_data / "truth.csv")}
    for row in table(graded / "grades.csv"):
        true = truth[row["study_key"], row["level"], row["side"]]
        offset = [float(row[f"{axis}_lps_mm"]) - float(true[f"{axis}_lps_mm"]) for axis in "xyz"]
        assert np.linalg.norm(offset) < 8.0, (row["level"], row["side"], offset)


@pytest.mark.slow
def test_names_numbers_and_folders_of_files_change_nothing(graded, sample_data, tmp_path):
    """Slices renumbered backwards, renamed and nested give the same rows: order comes from positions alone."""
    paths = sorted((sample_data / "baseline").glob("*.dcm"))
    for number, path in enumerate(paths):
        header = pydicom.dcmread(path)
        header.InstanceNumber = len(paths) - number
        target = tmp_path / "in" / str(number % 3) / f"{len(paths) - number:04d}"
        target.parent.mkdir(parents=True, exist_ok=True)
        header.save_as(target)
    run("grade", tmp_path / "in", "--out", tmp_path / "out", "--no-pictures", "--no-report", "--quiet")
    again = table(tmp_path / "out" / "grades.csv")
    key = again[0]["study_key"]
    assert again == [row for row in table(graded / "grades.csv") if row["study_key"] == key]


@pytest.mark.slow
def test_a_mirrored_patient_swaps_the_sides_exactly(graded, sample_data, tmp_path):
    """Pixels mirrored and geometry mirrored with them: what was left is right, at the mirrored place."""
    for path in sorted((sample_data / "baseline").glob("*.dcm")):
        header = pydicom.dcmread(path)
        x, y, z = (float(value) for value in header.ImagePositionPatient)
        row_x, row_y, row_z, column_x, column_y, column_z = (float(v) for v in header.ImageOrientationPatient)
        header.ImagePositionPatient = [-x, y, z]
        header.ImageOrientationPatient = [-row_x, row_y, row_z, -column_x, column_y, column_z]
        (tmp_path / "in").mkdir(exist_ok=True)
        header.save_as(tmp_path / "in" / path.name)
    run("grade", tmp_path / "in", "--out", tmp_path / "out", "--no-pictures", "--no-report", "--quiet")
    mirrored = {(row["level"], row["side"]): row for row in table(tmp_path / "out" / "grades.csv")}
    key = next(iter(mirrored.values()))["study_key"]
    for row in table(graded / "grades.csv"):
        if row["study_key"] == key:
            other = mirrored[row["level"], "left" if row["side"] == "right" else "right"]
            assert float(other["x_lps_mm"]) == pytest.approx(-float(row["x_lps_mm"]), abs=1.0)
            assert other["grade"] == row["grade"]


@pytest.mark.slow
def test_a_study_without_fat_suppression_reports_fluid_and_says_why(sample_data, tmp_path):
    (tmp_path / "in").mkdir()
    for path in sorted((sample_data / "baseline").glob("*.dcm")):
        header = pydicom.dcmread(path, stop_before_pixels=True)
        if "InversionTime" not in header:
            shutil.copy(path, tmp_path / "in" / path.name)
    run("grade", tmp_path / "in", "--out", tmp_path / "out", "--no-pictures", "--no-report", "--quiet")
    rows = table(tmp_path / "out" / "grades.csv")
    assert {row["status"] for row in rows} == {"not_graded"}
    assert {row["reason"] for row in rows} == {"no_fat_suppressed_series"}
    assert any(row["effusion_width_mm"] for row in rows)
    assert not any(row["perimeter_fraction"] for row in rows)


@pytest.mark.slow
def test_a_truncated_file_costs_its_series_and_is_named(sample_data, tmp_path):
    shutil.copytree(sample_data / "baseline", tmp_path / "in")
    victim = sorted((tmp_path / "in").glob("*.dcm"))[3]
    victim.write_bytes(victim.read_bytes()[:600])
    run("grade", tmp_path / "in", "--out", tmp_path / "out", "--no-pictures", "--no-report", "--quiet")
    assert len(table(tmp_path / "out" / "grades.csv")) == 10
    records = [path.read_text() for path in (tmp_path / "out").rglob("run.json")]
    assert any(
        reason in text
        for text in records
        for reason in ("truncated_file", "missing_slice", "unreadable_file")
    )


def test_every_table_of_the_run_obeys_its_schema(graded, changes):
    from test_report_schema import TABLES, problems

    written = [*graded.rglob("*.csv"), changes]
    assert {path.stem for path in written} >= {"grades", "levels", "joints", "change"}
    for path in written:
        rows = table(path)
        assert list(rows[0]) == list(TABLES[path.stem])
        assert problems(path.stem, rows) == [], path.name
