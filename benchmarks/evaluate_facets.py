"""Facet joints: where they are put, how their regions overlap the truth, series shifts, and the time it takes.

Real: the one clinical study with its hand reading, and single axial T1 slices of twenty people whose contact sheet was
looked at and scored once (`reference/facets_axial_t1.csv`; make the sheet anew and look again after changes):

    python -m benchmarks.evaluate_facets --sheet contact.png

Phantoms: evaluation seeds only. The joint region is everything within 2 mm of the joint space (the capsule), compared
in the frame of the image that the joint was found in.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image as Picture

from benchmarks.evaluate_real_study import DATA as REAL
from benchmarks.evaluate_real_study import REFERENCE, STUDY, read_points
from benchmarks.evaluate_real_study import graded as graded_real
from benchmarks.phantoms import graded
from benchmarks.rows import Row
from lfja_mri.config import FacetsSettings, load_pipeline_settings
from lfja_mri.facets import place_joints
from lfja_mri.model import (
    Axes,
    BoolArray,
    Contrast,
    Disc,
    FloatArray,
    Image,
    Joint,
    Level,
    LevelMap,
    NumberingBasis,
    Plane,
    Role,
    StudyImages,
    Volume,
)
from lfja_mri.phantom import PhantomTruth

PHANTOMS = (("routine_clinical", 10000), ("routine_clinical", 10001), ("trial", 11000))
SLICES = REFERENCE.parents[2] / "shared" / "data" / "facets" / "axial-t1"
SLICE_PIXEL_MM, SLICE_THICKNESS_MM = 0.6875, 4.0
MARGIN_MM, STEP_MM, REACH_MM = 2.0, 0.8, 18.0
HIGHEST_SECONDS = 3.0


@dataclass(frozen=True)
class Compared:
    """One placed joint against its truth."""

    centre_error_mm: float
    angle_error_deg: float
    overlap: float
    side_right: bool
    shift_errors_mm: tuple[float, ...]


def rows() -> list[Row]:
    """Return the figures of the facets stage."""
    return [*_real_rows(), *_slice_rows(), *_phantom_rows()]


# ---------------------------------------------------------------------------------------------- real


def _real_rows() -> list[Row]:
    if not STUDY.is_dir():
        return [Row("joint angle", "data absent", "<= 10 deg", None, REAL)]
    result, _ = graded_real()
    found = {(j.level.value, j.side.value): j.joint.frame for j in result.joints if j.joint is not None}
    errors = []
    for row in read_points(REFERENCE / "rsna_facets.csv"):
        frame = found.get((row["level"], row["side"]))
        if frame is not None:
            read = np.array([[float(n) for n in part.split()] for part in row["joint_line_lps"].split(";")])
            errors.append(abs(_angle_deg(frame.joint_line_lps_mm) - _angle_deg(read)))
    median = float(np.median(errors or [180.0]))
    rows = [Row("joint angle, median error", f"{median:.0f} deg", "<= 10 deg", median <= 10, REAL)]
    if result.level_map is not None:
        seconds = _seconds(StudyImages(result.study_key, result.images), result.level_map)
        rows.append(
            Row(
                "all ten joints, processor time",
                f"{seconds:.1f} s",
                f"< {HIGHEST_SECONDS:.0f} s",
                seconds < HIGHEST_SECONDS,
                REAL,
            )
        )
    return rows


def _angle_deg(line: FloatArray) -> float:
    """Return the angle of a line's chord to the sagittal plane of the scanner."""
    chord = line[-1] - line[0]
    return float(np.degrees(np.arctan2(abs(chord[0]), chord[1])))


def _seconds(images: StudyImages, levels: LevelMap) -> float:
    settings = load_pipeline_settings().facets
    start = time.process_time()
    place_joints(images, levels, settings)
    return time.process_time() - start


def _slice_rows() -> list[Row]:
    marks = read_points(REFERENCE / "facets_axial_t1.csv")
    scores = [mark[side] for mark in marks for side in ("right", "left")]
    value = ", ".join(f"{scores.count(score)} {score}" for score in ("hit", "near", "miss"))
    share = (len(scores) - scores.count("miss")) / len(scores)
    data = f"real: one axial T1 slice each of {len(marks)} people, disc and canal marked by hand, scored by eye once"
    return [Row("joints drawn in single slices", value, ">= 85 % hit or near", share >= 0.85, data)]


def slice_study(mark: dict[str, str]) -> tuple[StudyImages, LevelMap]:
    """Return one axial slice as a study, with the level that its marks describe; image left is the patient's right."""
    pixels = np.asarray(Picture.open(SLICES / f"{mark['image']}.png").convert("L"), dtype=np.float32)
    affine = np.diag([SLICE_PIXEL_MM, SLICE_PIXEL_MM, SLICE_THICKNESS_MM, 1.0])
    volume = Volume(pixels[None], affine, SLICE_THICKNESS_MM)
    edges = ("disc_left_px", "disc_right_px", "disc_front_px", "disc_back_px")
    left, right, front, back = (SLICE_PIXEL_MM * float(mark[name]) for name in edges)
    up, behind, leftwards = np.eye(3)[[2, 1, 0]]
    centre = np.array([0.5 * (left + right), 0.5 * (front + back), SLICE_THICKNESS_MM])
    axes = Axes(up, -behind, leftwards)
    level = Level(mark["image"].split("_")[0])
    disc = Disc(level, centre, axes, back - front, right - left, 9.0, 1.0)
    canal = SLICE_PIXEL_MM * np.array([float(mark["canal_column_px"]), float(mark["canal_row_px"]), 0.0])
    line = canal + np.array([[0.0, 0.0, 60.0], [0.0, 0.0, 0.0], [0.0, 0.0, -60.0]])
    images = StudyImages(mark["image"], (Image("axial", volume, Role(Plane.AXIAL, Contrast.T1)),))
    return images, LevelMap((disc,), line, NumberingBasis.ASSUMED)


def draw_sheet(path: Path) -> None:
    """Draw the joints found in every marked slice, to be looked at and scored."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    settings = load_pipeline_settings().facets
    marks = read_points(REFERENCE / "facets_axial_t1.csv")
    figure, panels = plt.subplots(4, 5, figsize=(20, 14))
    for panel, mark in zip(panels.flat, marks, strict=True):
        images, levels = slice_study(mark)
        pixels = images.images[0].volume.values_zyx[0]
        row, column = float(mark["canal_row_px"]), float(mark["canal_column_px"])
        panel.imshow(pixels, cmap="gray", vmax=float(np.percentile(pixels, 90)), interpolation="bicubic")
        for joint in _joints(images, levels, settings):
            line = joint.frame.joint_line_lps_mm / SLICE_PIXEL_MM
            panel.plot(line[:, 0], line[:, 1], "r-", lw=1.2)
        panel.set(title=mark["image"], xlim=(column - 45, column + 45), ylim=(row + 42, row - 22))
        panel.axis("off")
    figure.savefig(path, dpi=60)


# ---------------------------------------------------------------------------------------------- phantoms


def _phantom_rows() -> list[Row]:
    with_axial, sagittal_only = list(_compared(sagittal_only=False)), list(_compared(sagittal_only=True))
    data = f"phantom: {len(PHANTOMS)} studies, seeds {min(s for _, s in PHANTOMS)} up, levels found by the program"
    shifts = [error for joint in with_axial for error in joint.shift_errors_mm]
    sides = float(np.mean([joint.side_right for joint in (*with_axial, *sagittal_only)]))
    shift = float(np.median(shifts or [99.0]))
    return [
        _overlap_row("joint region overlap (IoU), axial slices", with_axial, 0.83, data),
        _overlap_row("joint region overlap (IoU), sagittal STIR alone", sagittal_only, 0.65, data),
        _error_row("joint centre error with axial slices", with_axial, data),
        _error_row("joint centre error, sagittal STIR alone", sagittal_only, data),
        Row("joints on the right level and side", f"{100 * sides:.1f} %", ">= 99 %", sides >= 0.99, data),
        Row("series shift, median error", f"{shift:.1f} mm", "<= 1.5 mm", shift <= 1.5, data),
    ]


def _overlap_row(figure: str, joints: Sequence[Compared], target: float, data: str) -> Row:
    mean = float(np.mean([joint.overlap for joint in joints]))
    return Row(figure, f"{mean:.2f}", f">= {target:.2f}", mean >= target, data)


def _error_row(figure: str, joints: Sequence[Compared], data: str) -> Row:
    errors = [joint.centre_error_mm for joint in joints]
    value = f"{np.median(errors):.1f} / {np.percentile(errors, 90):.1f} mm (median / 9 of 10)"
    return Row(figure, value, "median <= 3 mm", float(np.median(errors)) <= 3, data)


@cache
def _settings() -> FacetsSettings:
    return load_pipeline_settings().facets


def _compared(*, sagittal_only: bool) -> Iterator[Compared]:
    for recipe, seed in PHANTOMS:
        result, truth = graded(recipe, seed)
        if result.level_map is None:
            continue
        images = StudyImages(result.study_key, result.images)
        if sagittal_only:
            chosen = images.of(Plane.SAGITTAL, Contrast.STIR, Contrast.T2_FS)
            images = replace(images, images=chosen)
            joints = _joints(images, result.level_map, _settings())
        else:
            joints = [joint.joint for joint in result.joints if joint.joint is not None]
        for joint in joints:
            yield _compare(joint, images, truth)


def _joints(images: StudyImages, levels: LevelMap, settings: FacetsSettings) -> list[Joint]:
    return [joint for joint in place_joints(images, levels, settings) if isinstance(joint, Joint)]


def _compare(joint: Joint, images: StudyImages, truth: PhantomTruth) -> Compared:
    frame = joint.frame
    true = truth.joint(frame.level, frame.side)
    others = {shift.image_key for shift in joint.shifts}
    own = next(image.key for image in images.images if image.key not in others)

    def seen(key: str) -> FloatArray:
        return truth.moved(key, true.centre_lps_mm[None])[0]

    distances = {
        (t.level, t.side): np.linalg.norm(truth.moved(own, t.centre_lps_mm[None])[0] - frame.centre_lps_mm)
        for t in truth.joints
    }
    shift_errors = tuple(
        float(np.linalg.norm(shift.shift_lps_mm - (seen(shift.image_key) - seen(own))))
        for shift in joint.shifts
        if shift.estimated and joint.coverage.get(shift.image_key, 0.0) > 0.5
    )
    return Compared(
        centre_error_mm=float(np.linalg.norm(frame.centre_lps_mm - seen(own))),
        angle_error_deg=abs(frame.angle_deg - true.angle_deg),
        overlap=_overlap(joint, truth, own),
        side_right=min(distances, key=lambda key: distances[key]) == (frame.level, frame.side),
        shift_errors_mm=shift_errors,
    )


def _overlap(joint: Joint, truth: PhantomTruth, own: str) -> float:
    """Return the intersection over union of the joint's region and the true one."""
    frame = joint.frame
    true = truth.joint(frame.level, frame.side)
    axis = np.arange(-REACH_MM, REACH_MM + 0.01, STEP_MM)
    grid = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    points = grid + true.centre_lps_mm
    theirs = truth.joint_region(frame.level, frame.side, points, margin_mm=MARGIN_MM)
    ours = _region(joint, truth.moved(own, points))
    return int(np.count_nonzero(ours & theirs)) / max(int(np.count_nonzero(ours | theirs)), 1)


def _region(joint: Joint, points: FloatArray) -> BoolArray:
    """Return which points lie within the margin of the joint space, by the phantom's own definition."""
    frame = joint.frame
    axes = np.stack([frame.along_lps, frame.normal_lps, frame.cranial_lps])
    local = (points - frame.centre_lps_mm) @ axes.T
    line = (frame.joint_line_lps_mm - frame.centre_lps_mm) @ axes.T
    middle = np.interp(local[:, 0], line[:, 0], line[:, 1])
    along = np.maximum(np.abs(local[:, 0]) - 0.5 * frame.length_mm, 0)
    across = np.maximum(np.abs(local[:, 1] - middle) - 0.5 * frame.gap_mm, 0)
    height = np.maximum(np.abs(local[:, 2]) - 0.5 * frame.height_mm, 0)
    return np.asarray(np.sqrt(along**2 + across**2 + height**2) <= MARGIN_MM)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sheet", type=Path, required=True, help="picture to write")
    draw_sheet(parser.parse_args().sheet)
