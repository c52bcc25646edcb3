"""Graded studies as table rows: the columns that scripts rely on, in their fixed order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lfja_mri import __version__
from lfja_mri.model import (
    AbsentJoint,
    FloatArray,
    Graded,
    Joint,
    JointResult,
    Level,
    LevelMap,
    Measure,
    Measurements,
    Missing,
    NotGraded,
    Side,
    StudyResult,
)
from lfja_mri.tables import Cell

MEASURES = (
    "effusion_width_mm",
    "effusion_volume_mm3",
    "joint_signal_ratio",
    "perimeter_fraction",
    "soft_tissue_oedema_volume_mm3",
    "bone_oedema_volume_mm3",
    "oedema_extent_mm",
    "oedema_signal_ratio",
)

GRADES_COLUMNS = (
    "subject",
    "visit",
    "study_key",
    "level",
    "side",
    "status",
    "grade",
    "grade_low",
    "grade_high",
    "rule",
    "reason",
    "effusion_width_mm",
    "effusion_volume_mm3",
    "joint_signal_ratio",
    "perimeter_fraction",
    "extension",
    "soft_tissue_oedema_volume_mm3",
    "bone_oedema_volume_mm3",
    "oedema_extent_mm",
    "oedema_signal_ratio",
    "coverage_fraction",
    "fat_suppression",
    "level_confidence",
    "numbering_basis",
    "sources",
    "flags",
    "x_lps_mm",
    "y_lps_mm",
    "z_lps_mm",
    "scale",
    "rules_digest",
    "tool_version",
)

LEVELS_COLUMNS = (
    "level",
    "x_lps_mm",
    "y_lps_mm",
    "z_lps_mm",
    *(f"{axis}_{part}" for axis in ("cranial", "anterior", "left") for part in "xyz"),
    "disc_depth_mm",
    "disc_width_mm",
    "disc_height_mm",
    "confidence",
    "numbering_basis",
    "flags",
)

JOINTS_COLUMNS = (
    "level",
    "side",
    "status",
    "reason",
    "x_lps_mm",
    "y_lps_mm",
    "z_lps_mm",
    *(f"{axis}_{part}" for axis in ("normal", "along", "cranial") for part in "xyz"),
    "length_mm",
    "height_mm",
    "gap_mm",
    "angle_deg",
    "tropism_deg",
    "uncertainty_mm",
    "confidence",
    "coverage_fraction",
    "series_shift_mm",
    "series_shift_uncertainty_mm",
    "flags",
)

LEVEL_ORDER = {level.value: rank for rank, level in enumerate(Level)}
SIDE_ORDER = {side.value: rank for rank, side in enumerate(Side)}


@dataclass(frozen=True)
class Visit:
    """Whose study it is, as far as a table may say."""

    subject: str = ""
    visit: str = ""


@dataclass(frozen=True)
class Scale:
    """The scale that judged, and the digest of its rules."""

    name: str
    rules_digest: str


def grade_rows(result: StudyResult, visit: Visit, scale: Scale) -> list[dict[str, Cell]]:
    """Return one row per joint, levels from the head down, left before right."""
    return [_grade_row(joint, result, visit, scale) for joint in sorted(result.joints, key=_anatomical_order)]


def row_order(row: Mapping[str, Cell]) -> tuple[str, str, str, int, int]:
    """Sort rows of `grades.csv` by subject, visit, study, level from the head down, left before right."""
    return (
        str(row.get("subject") or ""),
        str(row.get("visit") or ""),
        str(row["study_key"]),
        LEVEL_ORDER[str(row["level"])],
        SIDE_ORDER[str(row["side"])],
    )


def level_rows(level_map: LevelMap) -> list[dict[str, Cell]]:
    """Return one row per disc, cranial first."""
    return [
        {
            "level": disc.level.value,
            **_position(disc.centre_lps_mm),
            **_vector("cranial", disc.axes.cranial),
            **_vector("anterior", disc.axes.anterior),
            **_vector("left", disc.axes.left),
            "disc_depth_mm": float(disc.depth_mm),
            "disc_width_mm": float(disc.width_mm),
            "disc_height_mm": float(disc.height_mm),
            "confidence": float(disc.confidence),
            "numbering_basis": level_map.numbering_basis.value,
            "flags": _listed((*disc.flags, *level_map.flags)),
        }
        for disc in level_map.discs
    ]


def joint_rows(joints: Sequence[Joint | AbsentJoint]) -> list[dict[str, Cell]]:
    """Return one row per joint with its frame, its angle and the tropism of its level."""
    angles = {(j.frame.level, j.frame.side): j.frame.angle_deg for j in joints if isinstance(j, Joint)}
    return [_joint_row(joint, angles) for joint in joints]


def _joint_row(joint: Joint | AbsentJoint, angles: dict[tuple[Level, Side], float]) -> dict[str, Cell]:
    if isinstance(joint, AbsentJoint):
        return {
            "level": joint.level.value,
            "side": joint.side.value,
            "status": "absent",
            "reason": joint.reason.value,
        }
    frame = joint.frame
    sides = [angles[frame.level, side] for side in Side if (frame.level, side) in angles]
    shift_mm, shift_uncertainty_mm = _largest_shift_mm(joint)
    return {
        "level": frame.level.value,
        "side": frame.side.value,
        "status": "placed",
        **_position(frame.centre_lps_mm),
        **_vector("normal", frame.normal_lps),
        **_vector("along", frame.along_lps),
        **_vector("cranial", frame.cranial_lps),
        "length_mm": float(frame.length_mm),
        "height_mm": float(frame.height_mm),
        "gap_mm": float(frame.gap_mm),
        "angle_deg": float(frame.angle_deg),
        "tropism_deg": abs(sides[0] - sides[1]) if len(sides) == len(Side) else None,
        "uncertainty_mm": float(frame.uncertainty_mm),
        "confidence": float(frame.confidence),
        "coverage_fraction": max(joint.coverage.values(), default=None),
        "series_shift_mm": shift_mm,
        "series_shift_uncertainty_mm": shift_uncertainty_mm,
        "flags": _listed(frame.flags),
    }


def _largest_shift_mm(joint: Joint) -> tuple[float | None, float | None]:
    """Return the largest shift of a series and that shift's uncertainty; None where none was estimated."""
    shifts = [
        (float((shift.shift_lps_mm**2).sum() ** 0.5), float(shift.uncertainty_mm))
        for shift in joint.shifts
        if shift.estimated
    ]
    return max(shifts) if shifts else (None, None)


def _grade_row(joint: JointResult, result: StudyResult, visit: Visit, scale: Scale) -> dict[str, Cell]:
    level_map = result.level_map
    disc = level_map.disc(joint.level) if level_map else None
    return {
        "subject": visit.subject,
        "visit": visit.visit,
        "study_key": result.study_key,
        "level": joint.level.value,
        "side": joint.side.value,
        **outcome_cells(joint),
        **_measure_cells(joint.measurements),
        "level_confidence": None if disc is None else float(disc.confidence),
        "numbering_basis": "" if level_map is None else level_map.numbering_basis.value,
        "flags": _listed(_flags(joint, level_map)),
        **(_position(joint.joint.frame.centre_lps_mm) if joint.joint else {}),
        "scale": scale.name,
        "rules_digest": scale.rules_digest,
        "tool_version": __version__,
    }


def outcome_cells(joint: JointResult) -> dict[str, Cell]:
    """Return the cells that the rules decide."""
    match joint.outcome:
        case Graded() as graded:
            return {
                "status": "graded",
                "grade": graded.grade,
                "grade_low": graded.grade_low,
                "grade_high": graded.grade_high,
                "rule": graded.rule,
                "extension": _listed(graded.extension),
            }
        case NotGraded() as refused:
            return {"status": "not_graded", "reason": refused.reason.value}


def _measure_cells(measurements: Measurements | None) -> dict[str, Cell]:
    if measurements is None:
        return {}
    return {
        **{name: plain(getattr(measurements, name)) for name in (*MEASURES, "coverage_fraction")},
        "fat_suppression": measurements.fat_suppression,
        "sources": _listed(measurements.sources),
    }


def plain(measure: Measure) -> float | None:
    """Return the number, or None for an empty cell where it is missing."""
    return None if isinstance(measure, Missing) else float(measure)


def _flags(joint: JointResult, level_map: LevelMap | None) -> tuple[str, ...]:
    flags = [*joint.outcome.flags]
    if joint.measurements:
        flags += joint.measurements.flags
    if joint.joint:
        flags += joint.joint.frame.flags
    if level_map:
        disc = level_map.disc(joint.level)
        flags += [*level_map.flags, *(disc.flags if disc else ())]
    return tuple(flags)


def _listed(words: Sequence[str]) -> str:
    return ";".join(sorted(set(words)))


def _position(point_lps_mm: FloatArray) -> dict[str, Cell]:
    return {f"{axis}_lps_mm": float(value) for axis, value in zip("xyz", point_lps_mm, strict=True)}


def _vector(name: str, vector: FloatArray) -> dict[str, Cell]:
    return {f"{name}_{axis}": float(value) for axis, value in zip("xyz", vector, strict=True)}


def _anatomical_order(joint: JointResult) -> tuple[int, int]:
    return LEVEL_ORDER[joint.level.value], SIDE_ORDER[joint.side.value]
