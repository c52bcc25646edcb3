"""A made-up graded study: an analytic spine drawn on any grid, joints with zones, outcomes of every kind.

Patient space is LPS mm. The patient's left carries a bright ball beside each joint, so that a picture with its
sides swapped can be told from one without.
"""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np

from lfja_mri import geometry
from lfja_mri.change import CHANGE_COLUMNS, change_rows, compare_tables
from lfja_mri.config import load_change_settings
from lfja_mri.errors import Reason
from lfja_mri.model import (
    STANDARD_LEVELS,
    Axes,
    Contrast,
    Disc,
    FloatArray,
    Graded,
    Image,
    Joint,
    JointFrame,
    JointResult,
    Level,
    LevelMap,
    Measurements,
    Missing,
    NotGraded,
    NumberingBasis,
    Outcome,
    Plane,
    Rejection,
    Role,
    SeriesShift,
    Side,
    StudyResult,
    Volume,
    Zone,
    Zones,
)
from lfja_mri.results import GRADES_COLUMNS, Scale, Visit, grade_rows
from lfja_mri.tables import Cell, to_csv

MIDLINE_X_MM = 7.0
DISC_PITCH_MM = 36.0
DISC_DEPTH_MM = 34.0
DISC_WIDTH_MM = 48.0
HALF_DISTANCE_MM = {level: 13.0 + 1.5 * index for index, level in enumerate(STANDARD_LEVELS)}
BEHIND_DISC_MM = 26.0
LEFT_BALL_OFFSET_MM = np.array([10.0, 8.0, 0.0])
GRADES = (0, 0, 1, 0, 2, 1, 4, 0, 3, 1)


def disc_centre(level: Level) -> FloatArray:
    index = STANDARD_LEVELS.index(level)
    bow = 8.0 * np.sin(np.pi * index / 4)
    return np.array([MIDLINE_X_MM, -bow, 80.0 - DISC_PITCH_MM * index])


def joint_centre(level: Level, side: Side) -> FloatArray:
    lateral = side.lateral_sign * HALF_DISTANCE_MM[level]
    return disc_centre(level) + np.array([lateral, BEHIND_DISC_MM, -4.0])


def level_map() -> LevelMap:
    axes = Axes(np.array([0.0, 0.0, 1.0]), np.array([0.0, -1.0, 0.0]), np.array([1.0, 0.0, 0.0]))
    discs = tuple(
        Disc(level, disc_centre(level), axes, DISC_DEPTH_MM, DISC_WIDTH_MM, 9.0, 0.93)
        for level in STANDARD_LEVELS
    )
    canal = np.stack([disc.centre_lps_mm + np.array([0.0, 23.0, 0.0]) for disc in discs])
    return LevelMap(discs, canal, NumberingBasis.SACRUM)


def joint_axes(side: Side) -> tuple[FloatArray, FloatArray]:
    """(normal, along): the joint line runs from anteromedial to posterolateral, 35 degrees off sagittal."""
    angle = np.deg2rad(35.0)
    along = np.array([side.lateral_sign * np.sin(angle), np.cos(angle), 0.0])
    normal = np.array([side.lateral_sign * np.cos(angle), -np.sin(angle), 0.0])
    return normal, along


def joint_offsets(points: FloatArray, level: Level, side: Side) -> FloatArray:
    """(across, along, up) mm of LPS points in the joint's own frame."""
    normal, along = joint_axes(side)
    return (points - joint_centre(level, side)) @ np.stack([normal, along, [0.0, 0.0, 1.0]]).T


def signal(points: FloatArray, grades: dict[tuple[Level, Side], int] | None = None) -> FloatArray:
    """Signal of the made-up patient at LPS points, like a fat-suppressed T2."""
    x, y, z = np.moveaxis(points, -1, 0)
    inside_body = ((x - MIDLINE_X_MM) / 55) ** 2 + ((y - 20) / 75) ** 2 < 1
    values = np.where(inside_body, 60.0 + 6 * np.sin(x / 3) * np.sin(y / 4) * np.sin(z / 5), 2.0)
    for level in STANDARD_LEVELS:
        values = _with_level(values, points, level)
    centre_line = np.interp(
        z, [80 - 36 * i for i in range(4, -1, -1)], [disc_centre(v)[1] for v in STANDARD_LEVELS[::-1]]
    )
    canal = ((x - MIDLINE_X_MM) / 9) ** 2 + ((y - centre_line - 23) / 7) ** 2 < 1
    values = np.where(canal, 230.0, values)
    for level in STANDARD_LEVELS:
        if np.abs(z - joint_centre(level, Side.LEFT)[2]).min() > 22.0:
            continue
        for side in Side:
            grade = (grades or {}).get((level, side), 0)
            values = _with_joint(values, points, level, side, grade)
    return values


def _with_level(values: FloatArray, points: FloatArray, level: Level) -> FloatArray:
    offset = points - disc_centre(level)
    ring = (offset[..., 0] / (DISC_WIDTH_MM / 2)) ** 2 + (offset[..., 1] / (DISC_DEPTH_MM / 2)) ** 2
    body = (ring < 1) & (np.abs(offset[..., 2] + DISC_PITCH_MM / 2) < DISC_PITCH_MM / 2 - 5)
    disc = (ring < 1) & (np.abs(offset[..., 2]) < 4.5)
    return np.where(disc, 150.0 - 60 * ring, np.where(body, 90.0, values))


def _with_joint(values: FloatArray, points: FloatArray, level: Level, side: Side, grade: int) -> FloatArray:
    close = np.linalg.norm(points - joint_centre(level, side), axis=-1) < 22.0
    result = values.copy()
    result[close] = _joint_signal(values[close], points[close], level, side, grade)
    return result


def _joint_signal(values: FloatArray, points: FloatArray, level: Level, side: Side, grade: int) -> FloatArray:
    across, along, up = np.moveaxis(joint_offsets(points, level, side), -1, 0)
    near = (np.abs(along) < 8) & (np.abs(up) < 8)
    values = np.where(near & (np.abs(across) < 6), 35.0, values)
    values = np.where(near & (np.abs(across) < 1.1), 120.0 + 25 * grade, values)
    shell = np.hypot(across, along)
    values = np.where((shell > 8) & (shell < 12) & (np.abs(up) < 8) & (grade >= 2), 200.0, values)
    if side is Side.LEFT:
        ball = np.linalg.norm(points - joint_centre(level, side) - LEFT_BALL_OFFSET_MM, axis=-1) < 3.0
        values = np.where(ball, 300.0, values)
    return values


def make_volume(
    axes_lps: Sequence[FloatArray],
    spacing_mm: Sequence[float],
    shape_xyz: Sequence[int],
    centre_lps_mm: FloatArray,
    *,
    shift_lps_mm: FloatArray | None = None,
    grades: dict[tuple[Level, Side], int] | None = None,
) -> Volume:
    """A volume with column, row and plane directions as given, centred on a point; the patient moved by `shift`."""
    axes, steps, shape = np.asarray(axes_lps, float), np.asarray(spacing_mm, float), np.asarray(shape_xyz)
    origin = centre_lps_mm - ((shape - 1) / 2 * steps) @ axes
    affine = geometry.grid_affine(origin, axes, steps)
    points = geometry.grid_points(affine, (int(shape[2]), int(shape[1]), int(shape[0])))
    shift = np.zeros(3) if shift_lps_mm is None else shift_lps_mm
    return Volume(signal(points - shift, grades).astype(np.float32), affine, float(steps[2]))


AXIAL_AXES = np.eye(3)
SAGITTAL_AXES = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, -1.0], [-1.0, 0.0, 0.0]])
AXIAL_SHIFT_MM = np.array([1.5, -2.0, 0.0])


def grade_map() -> dict[tuple[Level, Side], int]:
    places = [(level, side) for level in STANDARD_LEVELS for side in Side]
    return dict(zip(places, GRADES, strict=True))


@cache
def images() -> tuple[Image, ...]:
    middle = np.array([MIDLINE_X_MM, 10.0, 5.0])
    sagittal = make_volume(SAGITTAL_AXES, (0.9, 0.9, 4.0), (170, 220, 15), middle, grades=grade_map())
    axial = make_volume(
        AXIAL_AXES, (0.8, 0.8, 4.0), (140, 140, 45), middle, shift_lps_mm=AXIAL_SHIFT_MM, grades=grade_map()
    )
    return (
        Image("s1k1", sagittal, Role(Plane.SAGITTAL, Contrast.STIR), 0.97, ("fat is dark against muscle",)),
        Image("s2k1", axial, Role(Plane.AXIAL, Contrast.T2), 0.91, ("CSF bright, fat bright",)),
    )


@cache
def make_zones(level: Level, side: Side, spacing_mm: float = 0.8, reach_mm: float = 18.0) -> Zones:
    """Zones on a grid along LPS around one joint."""
    count = 2 * round(reach_mm / spacing_mm) + 1
    affine = geometry.grid_affine(joint_centre(level, side) - reach_mm, np.eye(3), np.full(3, spacing_mm))
    points = geometry.grid_points(affine, (count, count, count))
    across, along, up = np.moveaxis(joint_offsets(points, level, side), -1, 0)
    labels = np.zeros(points.shape[:3], np.uint8)
    shell = np.hypot(across / 1.2, along)
    tall = np.abs(up) < 8
    labels[(shell < 15) & tall] = Zone.PERIMETER.code
    labels[(np.abs(across) < 7) & (np.abs(along) < 8) & tall & (across > 0)] = Zone.SUPERIOR_PROCESS.code
    labels[(np.abs(across) < 7) & (np.abs(along) < 8) & tall & (across <= 0)] = Zone.INFERIOR_PROCESS.code
    labels[(np.abs(across) < 3) & (np.abs(along) < 10) & tall] = Zone.CAPSULE.code
    labels[(np.abs(across) < 1.2) & (np.abs(along) < 8) & tall] = Zone.JOINT_SPACE.code
    sectors = np.zeros_like(labels)
    ring = labels == Zone.PERIMETER.code
    sectors[ring] = 1 + ((np.arctan2(across, along)[ring] + np.pi) / (2 * np.pi) * 11.999).astype(np.uint8)
    return Zones(labels, sectors, affine, 12)


def make_joint(level: Level, side: Side, axial_shift_mm: FloatArray = AXIAL_SHIFT_MM) -> Joint:
    normal, along = joint_axes(side)
    centre = joint_centre(level, side)
    frame = JointFrame(
        level,
        side,
        centre,
        normal,
        along,
        np.array([0.0, 0.0, 1.0]),
        16.0,
        16.0,
        2.2,
        centre + np.linspace(-8, 8, 9)[:, None] * along,
        35.0,
        1.2,
        0.85,
        ("refinement_held_back",) if level is Level.L1_L2 else (),
    )
    shifts = (SeriesShift("s2k1", level, axial_shift_mm, 0.5, estimated=True),)
    return Joint(frame, make_zones(level, side), shifts, {"s1k1": 1.0, "s2k1": 0.96})


def make_measurements(level: Level, side: Side, grade: int) -> Measurements:
    return Measurements(
        level=level,
        side=side,
        effusion_width_mm=0.8 + 0.5 * grade,
        effusion_volume_mm3=40.0 * grade,
        joint_signal_ratio=0.35 + 0.1 * grade,
        perimeter_fraction=min(0.22 * grade, 0.9),
        perimeter_fraction_max_slice=min(0.25 * grade, 1.0),
        soft_tissue_oedema_volume_mm3=120.0 * max(grade - 1, 0),
        bone_oedema_volume_mm3=Missing(Reason.REFERENCE_TISSUE_NOT_FOUND) if grade == 1 else 30.0 * grade,
        oedema_extent_mm=2.0 * grade,
        oedema_signal_ratio=0.2 + 0.15 * grade,
        cyst_volume_mm3=0.0,
        extension_mm3={"foramen": 15.0 * (grade > 3), "pedicle": 0.0},
        coverage_fraction=0.97,
        fat_suppression="good",
        sources=("sagittal_stir", "axial_t2"),
        flags=("thick_slices",),
        reference={"csf": 231.0},
        low={"perimeter_fraction": max(0.22 * grade - 0.08, 0)},
        high={"perimeter_fraction": min(0.22 * grade + 0.08, 1)},
    )


def make_outcome(level: Level, side: Side, grade: int) -> Outcome:
    if (level, side) == (Level.L1_L2, Side.RIGHT):
        return NotGraded(Reason.INSUFFICIENT_COVERAGE, "41 % of the joint was imaged; 60 % is needed")
    low, high = (max(grade - 1, 0), grade) if grade == 3 else (grade, grade)
    reached = ("foramen",) if grade == 4 else ()
    return Graded(
        grade,
        low,
        high,
        f"cf_grade_{grade}",
        "bright signal around more than half of the joint's perimeter",
        reached,
    )


@cache
def make_results() -> tuple[JointResult, ...]:
    results = []
    for (level, side), grade in grade_map().items():
        absent = (level, side) == (Level.L5_S1, Side.RIGHT)
        outcome = NotGraded(Reason.JOINT_NOT_FOUND) if absent else make_outcome(level, side, grade)
        results.append(
            JointResult(
                level,
                side,
                outcome,
                None if absent else make_measurements(level, side, grade),
                None if absent else make_joint(level, side),
                {"effusion": min(grade, 3), "bone_oedema": None if grade == 1 else 0},
            )
        )
    return tuple(results)


def study_result(study_key: str = "5f0c1e7a9b") -> StudyResult:
    return StudyResult(
        study_key,
        level_map(),
        make_results(),
        images(),
        (
            Rejection("series 3 of 4", Reason.LOCALISER, "three planes 20 mm apart"),
            Rejection("series 4 of 4", Reason.TOO_FEW_SLICES, "2 planes; 3 are needed"),
        ),
        {"levels": 1.2, "facets": 0.8},
    )


def without_levels(result: StudyResult) -> StudyResult:
    absent = tuple(
        JointResult(joint.level, joint.side, NotGraded(Reason.LEVELS_NOT_FOUND)) for joint in result.joints
    )
    return dataclasses.replace(result, level_map=None, joints=absent)


FOLLOW_UP_GRADES = (0, 0, 1, 0, 2, 1, 2, 0, 3, 2)


def follow_up(study_key: str = "77aa01c2d3") -> StudyResult:
    """The same patient later: L4-L5 left better, L5-S1 right found at last."""
    grades = dict(zip(grade_map(), FOLLOW_UP_GRADES, strict=True))
    joints = tuple(
        JointResult(
            level,
            side,
            make_outcome(level, side, grade),
            make_measurements(level, side, grade),
            make_joint(level, side),
        )
        for (level, side), grade in grades.items()
    )
    return dataclasses.replace(study_result(study_key), joints=joints)


def text_rows(columns: Sequence[str], rows: Sequence[Mapping[str, Cell]]) -> list[dict[str, str]]:
    """Rows as they come back from a CSV file."""
    return list(csv.DictReader(io.StringIO(to_csv(columns, rows))))


def grade_table(result: StudyResult, subject: str, visit: str) -> list[dict[str, str]]:
    rows = grade_rows(result, Visit(subject, visit), Scale("czervionke_fenton", "9b0251a0e3bf"))
    return text_rows(GRADES_COLUMNS, rows)


def change_table(subject: str = "S01") -> list[dict[str, str]]:
    tables = grade_table(study_result(), subject, "baseline"), grade_table(follow_up(), subject, "12 months")
    return text_rows(CHANGE_COLUMNS, change_rows(compare_tables(*tables, load_change_settings())))


def read_rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
