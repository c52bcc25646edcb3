"""One side of a comparison: a DICOM study, a `grade` output folder, or a `grades.csv`, as rows and protocols."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lfja_mri.batch.folder import STUDIES, read_record
from lfja_mri.change import Change, Evidence, RoleProtocol, compare_tables, protocol_of
from lfja_mri.change.common_frame import common_frame
from lfja_mri.change.repeatability import (
    JointPair,
    joint_pairs,
    read_pairs,
    repeatability_both_ways,
    repeatability_toml,
)
from lfja_mri.errors import InputError, UsageError
from lfja_mri.ingest import find_studies
from lfja_mri.model import StudyResult
from lfja_mri.outputs import scale_of
from lfja_mri.pipeline import Road, grade_study, grader
from lfja_mri.results import GRADES_COLUMNS, Visit, grade_rows
from lfja_mri.settings.change import ChangeSettings
from lfja_mri.tables import as_text, read_csv

PROTOCOL = "protocol"


@dataclass(frozen=True, eq=False)
class VisitSide:
    """Rows of `grades.csv`, and per subject how each role was imaged; `result` where pixels were at hand."""

    rows: Sequence[Mapping[str, str]]
    protocols: Mapping[str, Mapping[str, RoleProtocol]] = field(default_factory=dict)
    result: StudyResult | None = None


@dataclass(frozen=True, eq=False)
class Compared:
    """Changes, and both visits in common joint frames where pixels were at hand, for pictures side by side."""

    changes: tuple[Change, ...]
    studies: tuple[StudyResult, StudyResult] | None = None


def read_visit(path: Path, road: Road) -> VisitSide:
    """Read one side of a comparison.

    Raises
    ------
    InputError
        There is nothing at the path, or it is none of the three.
    """
    if not path.exists():
        raise UsageError(
            f"{path} does not exist; needed a DICOM study, a grade output folder or a grades.csv"
        )
    if path.suffix.lower() == ".csv":
        return VisitSide(read_csv(path, ("level", "side", "status", "grade")))
    if (path / "grades.csv").is_file():
        rows = read_csv(path / "grades.csv", ("level", "side", "status", "grade"))
        return VisitSide(rows, {row["subject"]: stored_protocol(path, row["study_key"]) for row in rows})
    return _graded_now(path, road)


def compare_sides(
    baseline: VisitSide, follow_up: VisitSide, road: Road, settings: ChangeSettings
) -> Compared:
    """Compare two sides: in common joint frames where both have pixels, by their tables otherwise."""
    if baseline.result is not None and follow_up.result is not None:
        return _compare_images(baseline.result, follow_up.result, road, settings)
    evidence = Evidence(baseline.protocols, follow_up.protocols)
    return Compared(compare_tables(baseline.rows, follow_up.rows, settings, evidence))


def _compare_images(
    first: StudyResult, second: StudyResult, road: Road, settings: ChangeSettings
) -> Compared:
    common = common_frame(first, second, grader(road), settings)
    before, after = (result_rows(result, Visit(), road) for result in (common.baseline, common.follow_up))
    changes = compare_tables(before, after, settings, common.evidence("", ""))
    return Compared(changes, (common.baseline, common.follow_up))


def result_rows(result: StudyResult, visit: Visit, road: Road) -> list[dict[str, str]]:
    """Return the rows of `grades.csv` of one result as text cells."""
    return as_text(GRADES_COLUMNS, grade_rows(result, visit, scale_of(road)))


def repeatability_of(pairs: Path, road: Road, settings: ChangeSettings, provenance: str) -> str:
    """Measure repeatability from pairs of scans, and return it as the TOML that `change.toml` names.

    Pairs with pixels are measured twice: each scan in its own joint frames, as tables are compared, and both in common
    ones, as `compare` and `cohort` do.
    """
    apart: list[JointPair] = []
    in_one_frame: list[JointPair] = []
    for pair in read_pairs(pairs):
        first, second = read_visit(pair.first, road), read_visit(pair.second, road)
        apart += joint_pairs(first.rows, second.rows)
        if first.result is not None and second.result is not None:
            common = common_frame(first.result, second.result, grader(road), settings)
            rows = (result_rows(result, Visit(), road) for result in (common.baseline, common.follow_up))
            in_one_frame += joint_pairs(*rows)
    found = repeatability_both_ways(
        in_one_frame, apart, provenance=provenance, fewest_pairs=settings.fewest_pairs
    )
    return repeatability_toml(found, detection_z=settings.detection_z)


def stored_protocol(folder: Path, study_key: str) -> dict[str, RoleProtocol]:
    """Return how each role of an archived study was imaged; empty where the archive does not tell."""
    record = read_record(folder / STUDIES / study_key) or {}
    return {role: RoleProtocol(**facts) for role, facts in record.get(PROTOCOL, {}).items()}


def _graded_now(path: Path, road: Road) -> VisitSide:
    studies = find_studies([path], road.settings.ingest).studies
    if len(studies) != 1:
        raise InputError(
            f"{path} holds {len(studies)} MR studies; a comparison needs exactly one on each side"
        )
    result = grade_study(studies[0], road)
    return VisitSide(result_rows(result, Visit(), road), {"": protocol_of(result.images)}, result)
