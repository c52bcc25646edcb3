"""The one real clinical study, end to end: discs and joints against a hand reading, and the time it takes."""

from __future__ import annotations

import csv
import time
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np

from benchmarks.rows import Row
from lfja_mri.geometry import unit
from lfja_mri.ingest import find_studies
from lfja_mri.model import Graded, Level, StudyResult
from lfja_mri.pipeline import grade_study, prepare

ROOT = Path(__file__).resolve().parent.parent
STUDY = ROOT.parent / "shared" / "data" / "dicom" / "rsna-100206310"
REFERENCE = ROOT / "benchmarks" / "reference"
DATA = "real: RSNA LumbarDISC 100206310; one hand reading (benchmarks/reference)"
EXPERT = "real: RSNA LumbarDISC 100206310; expert points"


def rows() -> list[Row]:
    """Return the figures of the real study; rows without value where it is absent."""
    if not STUDY.is_dir():
        return [Row("real study", "data absent", "-", None, DATA)]
    result, seconds = graded()
    return [*_disc_rows(result), *_joint_rows(result), *_outcome_rows(result, seconds)]


@cache
def graded() -> tuple[StudyResult, float]:
    """Grade the study once; return the result and the seconds it took."""
    road = prepare()
    start = time.perf_counter()
    study = find_studies([STUDY], road.settings.ingest).studies[0]
    result = grade_study(study, road)
    return result, time.perf_counter() - start


def read_points(path: Path) -> list[dict[str, str]]:
    """Read a CSV as text cells."""
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def point(row: dict[str, str], prefix: str = "") -> np.ndarray:
    """Return the LPS position of a row in mm."""
    del prefix
    names = (
        ("x_lps_mm", "y_lps_mm", "z_lps_mm") if "x_lps_mm" in row else ("lps_x_mm", "lps_y_mm", "lps_z_mm")
    )
    return np.array([float(row[name]) for name in names])


def _disc_rows(result: StudyResult) -> list[Row]:
    level_map = result.level_map
    if level_map is None:
        return [Row("discs named right and within 6 mm", "levels not found", "5 of 5", False, DATA)]
    errors, planes = [], []
    for row in read_points(REFERENCE / "rsna_discs.csv"):
        disc = level_map.disc(Level(row["level"]))
        if disc is not None:
            errors.append(float(np.linalg.norm(disc.centre_lps_mm - point(row))))
    for row in read_points(STUDY / "expert_points.csv"):
        disc = level_map.disc(Level(row["level"]))
        if row["condition"] == "spinal_canal_stenosis" and disc is not None:
            planes.append(abs(float((point(row) - disc.centre_lps_mm) @ unit(disc.axes.cranial))))
    near = sum(error <= 6 for error in errors)
    far = max(planes, default=float("inf"))
    return [
        Row(
            "discs named right and within 6 mm",
            f"{near} of 5 (worst {max(errors, default=99):.1f} mm)",
            "5 of 5",
            near == 5,
            DATA,
        ),
        Row(
            "disc mid-plane to expert canal point, worst",
            f"{far:.1f} mm of {len(planes)}",
            "<= 5 mm",
            far <= 5,
            EXPERT,
        ),
    ]


def _joint_rows(result: StudyResult) -> list[Row]:
    found = {(j.level.value, j.side.value): j.joint.frame for j in result.joints if j.joint is not None}
    errors, sides, lines = [], 0, []
    for row in read_points(REFERENCE / "rsna_facets.csv"):
        frame = found.get((row["level"], row["side"]))
        if frame is None:
            continue
        errors.append(float(np.linalg.norm(frame.centre_lps_mm - point(row))))
        other = found.get((row["level"], "right" if row["side"] == "left" else "left"))
        sign = 1 if row["side"] == "left" else -1
        sides += other is not None and sign * (frame.centre_lps_mm[0] - other.centre_lps_mm[0]) > 0
        lines.append(_line_distance(frame.joint_line_lps_mm, row["joint_line_lps"]))
    worst, median = max(errors, default=99.0), float(np.median(errors or [99.0]))
    within = sum(error <= 8 for error in errors)
    line = float(np.median(lines or [99.0]))
    return [
        Row("joints on the right side", f"{sides} of 10", "10 of 10", sides == 10, DATA),
        Row("joint centres within 8 mm", f"{within} of 10", "10 of 10", within == 10, DATA),
        Row(
            "joint centre error, median / worst",
            f"{median:.1f} / {worst:.1f} mm",
            "<= 3 / 6 mm",
            median <= 3 and worst <= 6,
            DATA,
        ),
        Row("joint line to read line in plane, median", f"{line:.1f} mm", "<= 1.5 mm", line <= 1.5, DATA),
    ]


def _line_distance(ours: np.ndarray, text: str) -> float:
    read = np.array([[float(n) for n in part.split()] for part in text.split(";")])[:, :2]
    dense = np.concatenate([np.linspace(a, b, 20) for a, b in zip(ours[:-1, :2], ours[1:, :2], strict=True)])
    along = np.concatenate([np.linspace(a, b, 20) for a, b in pairwise(read)])
    return float(np.median(np.linalg.norm(along[:, None] - dense[None], axis=2).min(axis=1)))


def _outcome_rows(result: StudyResult, seconds: float) -> list[Row]:
    roles = sorted({str(image.role) for image in result.images})
    wanted = ["axial_t2", "sagittal_stir", "sagittal_t1"]
    graded_count = sum(isinstance(joint.outcome, Graded) for joint in result.joints)
    return [
        Row("series found and told apart", ", ".join(roles), ", ".join(wanted), roles == wanted, DATA),
        Row("joints graded (the others refused with a reason)", f"{graded_count} of 10", "-", None, DATA),
        Row("time to read, measure and grade", f"{seconds:.1f} s", "< 60 s", seconds < 60, DATA),
    ]
