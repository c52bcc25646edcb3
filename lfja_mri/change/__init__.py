"""Two graded visits to changes."""

from lfja_mri.change.cohort import SUMMARY_COLUMNS, PairedRows, cohort_changes, summary_rows
from lfja_mri.change.comparison import Evidence, compare_joint, compare_tables
from lfja_mri.change.manifest import Manifest, ManifestVisit, read_manifest
from lfja_mri.change.protocol import RoleProtocol, protocol_of
from lfja_mri.change.rows import CHANGE_COLUMNS, REQUIRED_COLUMNS, change_rows, read_visit_joint
from lfja_mri.change.types import (
    MEASURES,
    Change,
    Direction,
    MeasureChange,
    Registration,
    Seen,
    Status,
    VisitJoint,
    Witness,
)

__all__ = [
    "CHANGE_COLUMNS",
    "MEASURES",
    "REQUIRED_COLUMNS",
    "SUMMARY_COLUMNS",
    "Change",
    "Direction",
    "Evidence",
    "Manifest",
    "ManifestVisit",
    "MeasureChange",
    "PairedRows",
    "Registration",
    "RoleProtocol",
    "Seen",
    "Status",
    "VisitJoint",
    "Witness",
    "change_rows",
    "cohort_changes",
    "compare_joint",
    "compare_tables",
    "protocol_of",
    "read_manifest",
    "read_visit_joint",
    "summary_rows",
]
