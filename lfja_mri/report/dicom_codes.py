"""The coded words of the DICOM objects.

SNOMED CT, UCUM, DCM and LOINC codes are those of the standard's own context groups as pydicom lists them. What the
standard has no code for (capsule, perimeter, the scale, the measures) carries this project's private scheme, as the
standard asks: a private code says that it is private, a borrowed one would say something wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from lfja_mri.model import Level, Side, Zone

SCHEME = "99LFJAMRI"
SCT: Any = codes.SCT
DCM: Any = codes.DCM
UCUM: Any = codes.UCUM
LN: Any = codes.LN

ZONE_CODES: Mapping[Zone, tuple[Any, Any]] = {
    Zone.JOINT_SPACE: (SCT.AnatomicalStructure, SCT.JointStructure),
    Zone.CAPSULE: (SCT.AnatomicalStructure, Code("capsule", SCHEME, "Facet joint capsule and recesses")),
    Zone.PERIMETER: (
        SCT.SpatialAndRelationalConcept,
        Code("perimeter", SCHEME, "Soft tissue around a facet joint"),
    ),
    Zone.SUPERIOR_PROCESS: (SCT.AnatomicalStructure, SCT.SuperiorArticularProcessOfVertebra),
    Zone.INFERIOR_PROCESS: (SCT.AnatomicalStructure, SCT.InferiorArticularProcessOfVertebra),
}
SIDE_CODES: Mapping[Side, Any] = {Side.LEFT: SCT.Left, Side.RIGHT: SCT.Right}
LEVEL_CODES: Mapping[Level, Any] = {
    Level.L1_L2: SCT.LevelOfL1L2IntervertebralDisc,
    Level.L2_L3: SCT.LevelOfL2L3IntervertebralDisc,
    Level.L3_L4: SCT.LevelOfL3L4IntervertebralDisc,
    Level.L4_L5: SCT.LevelOfL4L5IntervertebralDisc,
    Level.L5_S1: SCT.LevelOfL5S1IntervertebralDisc,
}  # context group 1003; it knows no level of people with four or six lumbar vertebrae
MEASURE_UNITS: Mapping[str, Any] = {
    "effusion_width_mm": UCUM.Millimeter,
    "effusion_volume_mm3": UCUM.CubicMillimeter,
    "joint_signal_ratio": UCUM.NoUnits,
    "perimeter_fraction": UCUM.NoUnits,
    "soft_tissue_oedema_volume_mm3": UCUM.CubicMillimeter,
    "bone_oedema_volume_mm3": UCUM.CubicMillimeter,
    "oedema_extent_mm": UCUM.Millimeter,
    "oedema_signal_ratio": UCUM.NoUnits,
    "coverage_fraction": UCUM.NoUnits,
}


def measure_code(name: str) -> Code:
    """Return the private code of a measure: the column's name without its unit."""
    short = name.removesuffix("_mm3").removesuffix("_mm")
    return Code(short[:16], SCHEME, short.replace("_", " ").capitalize())


def scale_code() -> Code:
    """Return the private code of the scale that a grade is on."""
    return Code("synovitis_grade", SCHEME, "Facet synovitis grade after Czervionke and Fenton")


def grade_code(grade: int) -> Code:
    """Return the private code of a grade."""
    return Code(f"grade_{grade}", SCHEME, f"Grade {grade}")


def reason_code(reason: str) -> Code:
    """Return the private code of why there is no grade."""
    return Code("not_graded", SCHEME, f"Not graded: {reason.replace('_', ' ')}")
