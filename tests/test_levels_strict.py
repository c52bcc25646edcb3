"""A view that ends above the sacrum: names are assumed, and a strict run says so and refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from typer.testing import CliRunner

from lfja_mri.app import app
from lfja_mri.app.display import run_summary
from lfja_mri.batch.outcome import RunReport
from lfja_mri.errors import ExitCode
from lfja_mri.tables import read_csv

CUTS_LPS_Z_MM = (
    -40.0,
    -45.0,
    -52.0,
    -60.0,
)  # from L4-L5 of the sample's baseline (-36) down into L5 (its lower plate: -66)
SURE = {"status": "graded", "numbering_basis": "sacrum", "flags": "sagittal_only"}
ASSUMED = {"status": "graded", "numbering_basis": "assumed", "flags": "sacrum_not_in_view"}
BARE = {"status": "not_graded", "numbering_basis": "sacrum", "flags": ""}
DOUBTED = SURE | {"flags": "ribs_disagree;sagittal_only"}


def report(*rows: dict[str, str]) -> RunReport:
    return RunReport(Path("out"), ("a",), (), (), rows=rows)


@pytest.mark.parametrize(
    ("rows", "strict_code", "told"),
    [
        ((SURE, SURE), ExitCode.DONE, ""),
        ((SURE, ASSUMED), ExitCode.CHECK_NOT_MET, "1 joint with an assumed level name"),
        ((BARE, SURE), ExitCode.CHECK_NOT_MET, "1 joint without a grade"),
        ((SURE, DOUBTED), ExitCode.CHECK_NOT_MET, "1 joint with a level name in doubt"),
        (
            (BARE, ASSUMED, ASSUMED),
            ExitCode.CHECK_NOT_MET,
            "1 joint without a grade, 2 joints with an assumed level name",
        ),
    ],
)
def test_strict_refuses_what_is_assumed_or_in_doubt(rows, strict_code, told):
    done = report(*rows)
    assert done.exit_code(strict=False) == ExitCode.DONE
    assert done.exit_code(strict=True) == strict_code
    assert done.doubts() == told


def test_the_last_line_of_a_run_tells_of_assumed_names():
    rows = [{**ASSUMED, "reason": ""}, {**SURE, "reason": ""}]
    assert run_summary(rows, 1, 0).endswith("2 of 2 joints graded; level names assumed for 1 joint")


def cut_above_the_sacrum(study: Path, target: Path, lowest_mm: float) -> None:
    """Copy a study; its sagittal slices lose the rows below a height."""
    target.mkdir()
    for path in sorted(study.glob("*.dcm")):
        slice_ = pydicom.dcmread(path)
        right, down = np.array(slice_.ImageOrientationPatient, dtype=float).reshape(2, 3)
        if abs(right[0]) < 0.5:
            step = -float(down[2]) * float(slice_.PixelSpacing[0])
            rows = int((float(slice_.ImagePositionPatient[2]) - lowest_mm) / step)
            pixels = slice_.pixel_array[:rows]
            slice_.decompress()
            slice_.Rows, slice_.PixelData = rows, np.ascontiguousarray(pixels).tobytes()
        slice_.save_as(target / path.name)


@pytest.mark.slow
@pytest.mark.parametrize("lowest_mm", CUTS_LPS_Z_MM)
def test_a_study_without_the_sacrum_is_graded_with_assumed_names_and_fails_a_strict_run(
    sample_data, tmp_path, lowest_mm
):
    cut_above_the_sacrum(sample_data / "baseline", tmp_path / "in", lowest_mm)
    words = ["grade", tmp_path / "in", "--out", tmp_path / "out", "--no-pictures", "--no-report", "--strict"]
    done = CliRunner().invoke(app, [*map(str, words)])
    assert done.exit_code == ExitCode.CHECK_NOT_MET
    assert "--strict not met:" in done.stderr
    assert "10 joints with an assumed level name" in " ".join(done.stderr.split())
    rows = read_csv(tmp_path / "out" / "grades.csv")
    assert {row["numbering_basis"] for row in rows} == {"assumed"}
    assert all(float(row["level_confidence"]) <= 0.5 for row in rows)
    assert all("sacrum_not_in_view" in row["flags"] for row in rows)
