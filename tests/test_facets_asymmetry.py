"""Spines that are not straight and joints that are not alike: tropism, scoliosis with rotation, curved and fused joints."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from facets_toy import (
    ANTERIOR,
    CRANIAL,
    LEFT,
    ToyJoint,
    axial_image,
    joint_truth,
    settings,
    toy_disc,
    toy_levels,
    toy_study,
    world,
)
from scipy.spatial.transform import Rotation

from lfja_mri.facets import place_joints
from lfja_mri.model import Axes, FloatArray, Image, Joint, LevelMap, Side, StudyImages
from lfja_mri.results import joint_rows

UNLIKE = {Side.LEFT: ToyJoint(angle_deg=30.0), Side.RIGHT: ToyJoint(angle_deg=55.0, behind_mm=29.0)}
ALIKE = dict.fromkeys(Side, ToyJoint())


def _placed(study: StudyImages, levels: LevelMap) -> dict[Side, Joint]:
    joints = place_joints(study, levels, settings())
    return {joint.frame.side: joint for joint in joints if isinstance(joint, Joint)}


def test_unlike_sides_get_their_own_angles_and_their_difference_is_the_tropism() -> None:
    """Within 10 degrees each, as is asked of the real study."""
    placed = _placed(toy_study(axial_image(UNLIKE, toy_disc())), toy_levels())
    for side, joint in placed.items():
        assert joint.frame.angle_deg == pytest.approx(UNLIKE[side].angle_deg, abs=10.0)
    rows = joint_rows(list(placed.values()))
    apart = abs(placed[Side.LEFT].frame.angle_deg - placed[Side.RIGHT].frame.angle_deg)
    assert [row["tropism_deg"] for row in rows] == [pytest.approx(apart)] * 2
    assert apart == pytest.approx(25.0, abs=12.0)


def test_a_level_with_one_joint_has_no_tropism() -> None:
    """Nothing is made up for the side that is not there."""
    placed = _placed(toy_study(axial_image(ALIKE, toy_disc())), toy_levels())
    (row,) = joint_rows([placed[Side.LEFT]])
    assert row["tropism_deg"] is None
    assert row["angle_deg"] == pytest.approx(placed[Side.LEFT].frame.angle_deg)


def _turned_world(image: Image, turn: Rotation, levels: LevelMap) -> tuple[Image, LevelMap]:
    """Return what the same stack shows of a person whose level is turned about its disc, and the levels as found there."""
    disc = levels.discs[0]
    volume = image.volume
    z, y, x = np.indices(volume.values_zyx.shape, dtype=np.float64)
    points = np.stack([x, y, z], axis=-1) @ volume.voxel_to_lps[:3, :3].T + volume.voxel_to_lps[:3, 3]
    back = (points - disc.centre_lps_mm) @ turn.as_matrix() + disc.centre_lps_mm
    noise = np.random.default_rng(5).normal(0, 0.02, volume.values_zyx.shape)
    shown = (1000 * (world(back, ALIKE, disc) + noise)).astype(np.float32)
    axes = Axes(*(turn.apply(axis) for axis in (CRANIAL, ANTERIOR, LEFT)))
    line = turn.apply(levels.canal_line_lps_mm - disc.centre_lps_mm) + disc.centre_lps_mm
    turned = replace(levels, discs=(replace(disc, axes=axes),), canal_line_lps_mm=line)
    return replace(image, volume=replace(volume, values_zyx=shown)), turned


def _from_tip_to_tip(line: FloatArray, ours: FloatArray) -> float:
    return float(np.median(np.linalg.norm(line[:, None] - ours[None], axis=2).min(axis=1)))


@pytest.mark.parametrize(("about_body_deg", "to_the_side_deg"), [(15.0, 0.0), (0.0, 12.0), (-15.0, -10.0)])
def test_joints_of_a_rotated_and_bent_level_are_found(about_body_deg: float, to_the_side_deg: float) -> None:
    """As in scoliosis: the stack stays straight in the scanner, the level does not."""
    turn = Rotation.from_euler("zy", [about_body_deg, to_the_side_deg], degrees=True)
    image, levels = _turned_world(axial_image(ALIKE, toy_disc()), turn, toy_levels())
    for side, joint in _placed(toy_study(image), levels).items():
        centre = levels.discs[0].centre_lps_mm
        line = turn.apply(joint_truth(ALIKE[side], side, toy_disc()) - centre) + centre
        assert np.linalg.norm(joint.frame.centre_lps_mm - line.mean(axis=0)) < 3.0
        assert _from_tip_to_tip(line, joint.frame.joint_line_lps_mm) < 1.5


@pytest.mark.parametrize("bend_deg", [0.0, 60.0])
def test_the_line_is_a_curve_where_the_joint_is_one(bend_deg: float) -> None:
    """The sagitta between the tips tells a C from a straight line."""
    joints = dict.fromkeys(Side, ToyJoint(bend_deg=bend_deg))
    for joint in _placed(toy_study(axial_image(joints, toy_disc())), toy_levels()).values():
        line = joint.frame.joint_line_lps_mm
        chord = line[-1] - line[0]
        depth = float(np.linalg.norm(np.cross(chord, line[len(line) // 2] - line[0])) / np.linalg.norm(chord))
        expected = ToyJoint().length_mm * np.deg2rad(bend_deg) / 8.0
        assert depth == pytest.approx(expected, abs=0.8)


def test_fused_joints_say_that_no_line_was_seen() -> None:
    """Marrow runs through from process to process: what is found there is not sure of itself."""
    open_joints = _placed(toy_study(axial_image(ALIKE, toy_disc())), toy_levels())
    for side, joint in _placed(toy_study(_fused(axial_image(ALIKE, toy_disc()))), toy_levels()).items():
        assert joint.frame.confidence < 0.75 * open_joints[side].frame.confidence
        assert joint.frame.uncertainty_mm > open_joints[side].frame.uncertainty_mm
        assert joint.frame.flags


def _fused(image: Image) -> Image:
    """Return the stack with marrow in the place of both joint lines."""
    volume = image.volume
    z, y, x = np.indices(volume.values_zyx.shape, dtype=np.float64)
    points = np.stack([x, y, z], axis=-1) @ volume.voxel_to_lps[:3, :3].T + volume.voxel_to_lps[:3, 3]
    signal = world(points, ALIKE, toy_disc())
    line = np.isclose(signal, 0.05) | np.isclose(signal, 0.3)
    shown = np.where(line, 600.0, volume.values_zyx).astype(np.float32)
    return replace(image, volume=replace(volume, values_zyx=shown))
