"""Joints are found where they are, on the patient's side, whatever the image's array looks like."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from facets_toy import (
    ToyJoint,
    across,
    axial_image,
    joint_truth,
    mirrored_image,
    mirrored_levels,
    relayed,
    sagittal_image,
    settings,
    toy_disc,
    toy_levels,
    toy_study,
)

from lfja_mri.errors import Reason
from lfja_mri.facets import place_joints
from lfja_mri.model import LEVELS_WITH_L6, STANDARD_LEVELS, AbsentJoint, Axes, Joint, Level, Side

LEFT_JOINT = ToyJoint(outwards_mm=17.0, behind_mm=29.0, angle_deg=50.0)
RIGHT_JOINT = ToyJoint(outwards_mm=15.0, behind_mm=27.0, angle_deg=42.0)
JOINTS = {Side.LEFT: LEFT_JOINT, Side.RIGHT: RIGHT_JOINT}
ORDERS = list(itertools.permutations(range(3)))
FLIPS = list(itertools.product([False, True], repeat=3))


@pytest.fixture(scope="module")
def axial():
    return axial_image(JOINTS, toy_disc())


@pytest.fixture(scope="module")
def placed(axial):
    return _placed(toy_study(axial), toy_levels())


def _placed(study, levels):
    joints = [joint for joint in place_joints(study, levels, settings()) if isinstance(joint, Joint)]
    return {joint.frame.side: joint for joint in joints}


@pytest.mark.parametrize("side", list(Side))
def test_the_image_moves_a_joint_to_where_it_is(placed, side):
    truth = joint_truth(JOINTS[side], side, toy_disc())
    frame = placed[side].frame
    assert np.linalg.norm((frame.centre_lps_mm - truth.mean(axis=0))[:2]) < 1.2
    assert abs(frame.centre_lps_mm[2] - truth[0, 2]) < 2.0
    assert abs(frame.angle_deg - JOINTS[side].angle_deg) < 8.0
    assert "joint_from_prior_only" not in frame.flags


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("lean", [0.0, 0.25, 0.6])
def test_a_joint_is_seen_whole_and_leaning_as_it_leans(side, lean):
    """At L4-L5 joints lean by a quarter; over its height this one moves by 4 and by 10 mm across."""
    joints = {at: replace(joint, lean=lean) for at, joint in JOINTS.items()}
    disc = toy_disc(Level.L4_L5)
    frame = _placed(toy_study(axial_image(joints, disc)), toy_levels(disc))[side].frame
    found = frame.cranial_lps[:2] @ across(joints[side], side) / frame.cranial_lps[2]
    assert abs(found - lean) < 0.07
    assert "joint_weakly_seen" not in frame.flags
    assert abs(frame.centre_lps_mm[2] - joints[side].cranial_mm) < 2.0


@pytest.mark.parametrize("side", list(Side))
def test_the_frame_is_orthonormal_and_points_the_right_way(placed, side):
    frame = placed[side].frame
    axes = np.stack([frame.along_lps, frame.normal_lps, frame.cranial_lps])
    assert np.allclose(axes @ axes.T, np.eye(3), atol=1e-9)
    assert frame.cranial_lps[2] > 0.8
    assert frame.along_lps[1] > 0  # to the back
    assert side.lateral_sign * frame.along_lps[0] > 0  # outwards
    assert side.lateral_sign * frame.normal_lps[0] > 0
    assert frame.normal_lps[1] < 0  # to the front, where the superior process is


def test_the_line_runs_from_the_anteromedial_to_the_posterolateral_tip(placed):
    for side, joint in placed.items():
        first, last = joint.frame.joint_line_lps_mm[[0, -1]]
        assert first[1] < last[1]
        assert side.lateral_sign * first[0] < side.lateral_sign * last[0]


@pytest.fixture(scope="module")
def three_slices(axial):
    affine = axial.volume.voxel_to_lps.copy()
    affine[:3, 3] += 3 * affine[:3, 2]
    volume = replace(axial.volume, values_zyx=axial.volume.values_zyx[3:6], voxel_to_lps=affine)
    return replace(axial, volume=volume)


@pytest.mark.parametrize(("order", "flips"), list(itertools.product(ORDERS, FLIPS)))
def test_sides_hold_in_all_48_array_orientations(three_slices, order, flips):
    study = toy_study(relayed(three_slices, order, flips))
    joints = place_joints(study, toy_levels(), settings())
    present = [joint for joint in joints if isinstance(joint, Joint)]
    assert [joint.frame.side for joint in present] == [Side.LEFT, Side.RIGHT]
    for joint in present:
        assert joint.frame.side.lateral_sign * (joint.frame.centre_lps_mm[0] - 5.0) > 8.0


@pytest.mark.parametrize("turn", [(1, 1, 1), (-1, -1, 1), (-1, 1, -1), (1, -1, -1)])
def test_sides_hold_in_four_patient_positions(axial, placed, turn):
    """Head or feet first, supine or prone: the scanner stores other rows, columns and slice orders."""
    flips = (turn[0] < 0, turn[1] < 0, turn[2] < 0)
    for order in ((0, 1, 2), (1, 0, 2)):
        again = _placed(toy_study(relayed(axial, order, flips)), toy_levels())
        for side in Side:
            assert np.allclose(again[side].frame.centre_lps_mm, placed[side].frame.centre_lps_mm, atol=0.05)


def test_a_mirrored_study_swaps_the_sides_exactly(axial, placed):
    mirrored = _placed(toy_study(mirrored_image(axial)), mirrored_levels(toy_levels()))
    flip = np.array([-1.0, 1.0, 1.0])
    for side, other in ((Side.LEFT, Side.RIGHT), (Side.RIGHT, Side.LEFT)):
        ours, theirs = placed[side], mirrored[other]
        assert np.allclose(ours.frame.centre_lps_mm * flip, theirs.frame.centre_lps_mm, atol=1e-6)
        assert np.allclose(ours.frame.joint_line_lps_mm * flip, theirs.frame.joint_line_lps_mm, atol=1e-6)
        differing = ours.zones.labels_zyx != theirs.zones.labels_zyx[:, :, ::-1]
        assert differing.mean() < 1e-3  # voxels on a rounding edge


def test_left_is_the_patients_left_whichever_way_a_disc_axis_points(axial, placed):
    disc = toy_disc()
    turned = replace(disc, axes=Axes(disc.axes.cranial, disc.axes.anterior, -disc.axes.left))
    again = _placed(toy_study(axial), toy_levels(turned))
    for side in Side:
        assert np.allclose(again[side].frame.centre_lps_mm, placed[side].frame.centre_lps_mm, atol=1e-9)


def test_every_expected_level_has_a_left_and_a_right_row(axial):
    joints = place_joints(toy_study(axial), toy_levels(), settings())
    assert len(joints) == 2 * len(STANDARD_LEVELS)
    absent = [joint for joint in joints if isinstance(joint, AbsentJoint)]
    assert {joint.reason for joint in absent} == {Reason.LEVEL_NOT_VISIBLE}


def test_without_axial_slices_the_prior_places_the_joint_and_says_so():
    study = toy_study(sagittal_image(JOINTS, toy_disc()))
    for side, joint in _placed(study, toy_levels()).items():
        assert joint.frame.uncertainty_mm > 2.0
        assert joint.frame.confidence < 0.6
        truth = joint_truth(JOINTS[side], side, toy_disc()).mean(axis=0)
        assert np.linalg.norm(joint.frame.centre_lps_mm - truth) < 8.0


@pytest.mark.parametrize("behind_mm", [26.0, 32.0])
def test_sagittal_slices_move_a_joint_to_its_depth(behind_mm):
    joints = dict.fromkeys(Side, ToyJoint(behind_mm=behind_mm, outwards_mm=15.0, angle_deg=40.0))
    for joint in _placed(toy_study(sagittal_image(joints, toy_disc())), toy_levels()).values():
        assert joint.frame.flags[0] == "joint_from_sagittal_slices"
        assert abs(joint.frame.centre_lps_mm[1] - behind_mm) < 2.5


def test_a_joint_hidden_on_one_side_is_placed_like_the_other():
    one_sided = {Side.LEFT: LEFT_JOINT}
    placed = _placed(toy_study(axial_image(one_sided, toy_disc())), toy_levels())
    assert placed[Side.RIGHT].frame.confidence < placed[Side.LEFT].frame.confidence
    middle = placed[Side.RIGHT].frame.centre_lps_mm
    assert middle[0] < 5.0


def test_coverage_says_how_much_of_the_joint_was_imaged(axial):
    volume = axial.volume
    affine = volume.voxel_to_lps.copy()
    affine[:3, 3] += 4 * affine[:3, 2]
    upper = replace(axial, volume=replace(volume, values_zyx=volume.values_zyx[4:], voxel_to_lps=affine))
    whole = _placed(toy_study(axial), toy_levels())[Side.LEFT].coverage["ax"]
    part = _placed(toy_study(upper), toy_levels())[Side.LEFT].coverage["ax"]
    assert whole > 0.95
    assert 0.3 < part < 0.85


def test_the_same_study_gives_the_same_bytes(axial, placed):
    again = _placed(toy_study(axial), toy_levels())
    for side in Side:
        assert again[side].frame.joint_line_lps_mm.tobytes() == placed[side].frame.joint_line_lps_mm.tobytes()
        assert again[side].zones.labels_zyx.tobytes() == placed[side].zones.labels_zyx.tobytes()


def test_levels_that_only_some_people_have_are_placed_like_their_neighbours():
    discs = tuple(
        toy_disc(level, centre=(5.0, 0.0, 70.0 - 35.0 * step)) for step, level in enumerate(LEVELS_WITH_L6)
    )
    joints = place_joints(toy_study(), toy_levels(*discs), settings())
    assert [joint.frame.level for joint in joints[::2]] == list(LEVELS_WITH_L6)
    assert all("joint_from_prior_only" in joint.frame.flags for joint in joints)
    assert all(joint.coverage == {} for joint in joints)


def test_levels_looked_at_at_once_give_the_same_joints(axial, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    study, levels = toy_study(axial), toy_levels()
    alone = place_joints(study, levels, settings())
    assert [repr(joint) for joint in place_joints(study, levels, settings(), threads=2)] == [
        repr(joint) for joint in alone
    ]
