"""Both visits are measured at the same place of the body, whatever each visit thought of where the joint was."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from change_world import EYE, STIR, T2_FS, World, disc_at, stack
from scipy.spatial.transform import Rotation

from lfja_mri.change.common_frame import common_frame
from lfja_mri.change.rigid import Rigid, move_joint
from lfja_mri.config import load_change_settings
from lfja_mri.errors import Reason
from lfja_mri.geometry import sample
from lfja_mri.model import (
    Contrast,
    Graded,
    Joint,
    JointFrame,
    JointResult,
    Level,
    LevelMap,
    Measurements,
    Missing,
    NotGraded,
    NumberingBasis,
    Plane,
    Role,
    SeriesShift,
    Side,
    StudyResult,
    Zone,
    Zones,
)

PACKAGED = load_change_settings()
# A coarser last pass: the tests are about frames, not about tenths of a millimetre.
COARSE = PACKAGED.registration.model_copy(update={"passes": ((3.0, 5.0), (1.5, 4.0))})
SETTINGS = PACKAGED.model_copy(update={"registration": COARSE})
WORLD = World()
MOVED = Rigid(Rotation.from_euler("xyz", [2, -1, 3], degrees=True).as_matrix(), np.array([3.0, 5.0, -8.0]))
LEVELS = {Level.L3_L4: (0.0, -20.0, 16.0), Level.L4_L5: (0.0, -20.0, -16.0)}


def made_joint(motion, side, level, error_mm=(0.0, 0.0, 0.0), confidence=0.8):
    """A joint space of 3 x 9 x 9 mm whose normal points to the side."""
    labels = np.zeros((15, 15, 15), dtype=np.uint8)
    labels[3:12, 3:12, 6:9] = Zone.JOINT_SPACE.code
    centre = np.array(LEVELS[level]) + np.array([17.0 * side.lateral_sign, 34.0, -4.0])
    affine = np.eye(4)
    affine[:3, 3] = centre - 7
    frame = JointFrame(
        level=level,
        side=side,
        centre_lps_mm=centre,
        normal_lps=np.array([1.0 * side.lateral_sign, 0.0, 0.0]),
        along_lps=np.array([0.0, 1.0, 0.0]),
        cranial_lps=np.array([0.0, 0.0, 1.0]),
        length_mm=9.0,
        height_mm=9.0,
        gap_mm=3.0,
        joint_line_lps_mm=centre + np.array([[0.0, -4.5, 0.0], [0.0, 4.5, 0.0]]),
        angle_deg=40.0,
        uncertainty_mm=1.0,
        confidence=confidence,
    )
    joint = move_joint(Joint(frame, Zones(labels, np.zeros_like(labels), affine, 16)), motion)
    return move_joint(joint, Rigid(np.eye(3), np.array(error_mm)))


def grade(joint, images, level_map):
    """The mean signal of the joint space in the first image; grade 1 above 300."""
    assert level_map is not None
    points = joint.zones.points_lps_mm(joint.zones.labels_zyx == Zone.JOINT_SPACE.code)
    image = images.images[0]
    signal = float(sample(image.volume, points + joint.shift_of(image.key)).mean())
    gone = Missing(Reason.MEASURE_MISSING)
    measurements = Measurements(
        level=joint.frame.level,
        side=joint.frame.side,
        effusion_width_mm=gone,
        effusion_volume_mm3=gone,
        joint_signal_ratio=signal,
        perimeter_fraction=gone,
        perimeter_fraction_max_slice=gone,
        soft_tissue_oedema_volume_mm3=gone,
        bone_oedema_volume_mm3=gone,
        oedema_extent_mm=gone,
        oedema_signal_ratio=gone,
        cyst_volume_mm3=gone,
        extension_mm3={},
        coverage_fraction=1.0,
        fat_suppression="good",
        sources=(str(image.role),),
        reference={"csf": 600.0, "muscle": 100.0},
    )
    outcome = Graded(int(signal > 300), 0, 1, "r", "because")
    return JointResult(joint.frame.level, joint.frame.side, outcome, measurements, joint)


def result(motion, key, *, error_mm=(0.0, 0.0, 0.0), seed=1, roles=(STIR, T2_FS), names=None, confidence=0.8):
    images = tuple(
        stack(WORLD, motion, role.plane, key=f"s{number}", role=role, noise=5, seed=seed + number)
        for number, role in enumerate(roles)
    )
    names = names or dict(zip(LEVELS, LEVELS, strict=True))
    discs = tuple(disc_at(motion, names[level], LEVELS[level]) for level in LEVELS if level in names)
    level_map = LevelMap(discs, np.zeros((0, 3)), NumberingBasis.SACRUM)
    joints = []
    for level in LEVELS:
        if level in names:
            for side in Side:
                joint = made_joint(motion, side, level, error_mm, confidence)
                joint = replace(joint, frame=replace(joint.frame, level=names[level]))
                joints.append(JointResult(names[level], side, Graded(0, 0, 0, "r", "because"), None, joint))
    return StudyResult(key, level_map, tuple(joints), images)


@pytest.fixture(scope="module")
def visits():
    return result(EYE, "a"), result(MOVED, "b", error_mm=(1.0, -2.0, 1.5), seed=7, confidence=0.5)


@pytest.fixture(scope="module")
def common(visits):
    return common_frame(*visits, grade, SETTINGS)


def test_the_same_place_of_the_body_is_measured_at_both_visits(common):
    for one, other in zip(common.baseline.joints, common.follow_up.joints, strict=True):
        first, second = one.joint.frame.centre_lps_mm, other.joint.frame.centre_lps_mm
        assert MOVED.apply(first) == pytest.approx(second, abs=0.3)
        signals = [joint.measurements.joint_signal_ratio for joint in (one, other)]
        assert signals[0] == pytest.approx(signals[1], abs=6), "the texture's spread is 100"


def test_each_visits_own_frames_would_have_measured_different_places(visits):
    """So that the test above shows something."""
    apart = []
    for one, other in zip(visits[0].joints, visits[1].joints, strict=True):
        signals = [
            grade(joint.joint, visit, visit.level_map).measurements.joint_signal_ratio
            for joint, visit in ((one, visits[0]), (other, visits[1]))
        ]
        apart.append(abs(signals[0] - signals[1]))
    assert max(apart) > 20


def test_the_frame_lies_half_way_between_both_placements(common, visits):
    own = visits[0].joints[0].joint.frame.centre_lps_mm
    shared = common.baseline.joints[0].joint.frame.centre_lps_mm
    assert np.linalg.norm(shared - own) == pytest.approx(np.linalg.norm([1.0, -2.0, 1.5]) / 2, abs=0.3)


def test_the_zones_are_those_of_the_surer_visit_at_both(common, visits):
    for one, other in zip(common.baseline.joints, common.follow_up.joints, strict=True):
        assert one.joint.zones.labels_zyx is other.joint.zones.labels_zyx
    assert common.baseline.joints[0].joint.frame.confidence == visits[0].joints[0].joint.frame.confidence


def test_a_visit_that_could_not_tell_a_series_shift_follows_the_one_that_could(visits):
    """At the follow-up the patient had moved before the second series, further than that visit was able to tell."""
    lost_mm = np.array([0.0, 5.0, 2.0])
    series = {"a": 0.5, "b": 2.5}
    slid = Rigid(np.eye(3), lost_mm).after(MOVED)
    moved = stack(WORLD, slid, T2_FS.plane, key="s1", role=T2_FS, noise=5, seed=8)
    visits = visits[0], replace(visits[1], images=(visits[1].images[0], moved))
    first, second = (
        replace(visit, joints=tuple(_with_shift(joint, series[visit.study_key]) for joint in visit.joints))
        for visit in visits
    )
    common = common_frame(first, second, grade, SETTINGS)
    for one, other in zip(common.baseline.joints, common.follow_up.joints, strict=True):
        assert np.linalg.norm(one.joint.shift_of("s1")) < 0.6
        assert other.joint.shift_of("s1") == pytest.approx(lost_mm, abs=0.6)


def _with_shift(joint, uncertainty_mm):
    shift = SeriesShift("s1", joint.level, np.zeros(3), uncertainty_mm, estimated=uncertainty_mm < 2)
    return replace(joint, joint=replace(joint.joint, shifts=(shift,)))


def test_the_error_is_stated_for_every_joint(common):
    errors = [found.error_mm for found in common.registrations.values()]
    assert len(errors) == 4
    assert all(error is not None and 0 < error < 1 for error in errors)


def test_the_other_order_gives_the_mirror_image_to_the_bit(common, visits):
    backward = common_frame(visits[1], visits[0], grade, SETTINGS)
    for one, other in zip(common.follow_up.joints, backward.baseline.joints, strict=True):
        assert one.measurements == other.measurements
    assert dict(backward.registrations) == dict(common.registrations)


def test_a_visit_against_itself_measures_the_same_twice(visits):
    same = common_frame(visits[0], visits[0], grade, SETTINGS)
    for one, other in zip(same.baseline.joints, same.follow_up.joints, strict=True):
        assert one.measurements.joint_signal_ratio == pytest.approx(other.measurements.joint_signal_ratio)


def test_only_series_that_both_visits_have_are_measured(visits):
    coronal = Role(Plane.AXIAL, Contrast.T2)
    fuller = replace(
        visits[1], images=(replace(visits[1].images[1], key="z", role=coronal), *visits[1].images)
    )
    found = common_frame(visits[0], fuller, grade, SETTINGS)
    assert {one.measurements.sources for one in found.follow_up.joints} == {("sagittal_stir",)}
    assert all("measured_on_shared_series" in one.flags for one in found.registrations.values())


def graded_by(refused, order=(T2_FS, STIR)):
    """Grade on the first role of an order that is there and is not refused at this visit."""

    def graded(joint, images, level_map):
        roles = {image.role for image in images.images}
        role = next(role for role in order if role in roles and (images.study_key, role) not in refused)
        found = grade(joint, images, level_map)
        return replace(found, measurements=replace(found.measurements, sources=(str(role),)))

    return graded


@pytest.mark.parametrize("failed_at", ["a", "b"])
def test_where_one_visit_falls_back_to_another_series_so_does_the_other(visits, failed_at):
    both = common_frame(*visits, graded_by({(failed_at, T2_FS)}), SETTINGS)
    for one, other in zip(both.baseline.joints, both.follow_up.joints, strict=True):
        assert one.measurements.sources == other.measurements.sources == (str(STIR),)
        assert "measured_on_shared_series" in both.registrations[one.level, one.side].flags


def test_where_no_series_serves_both_visits_each_keeps_its_own(visits):
    neither = {("a", T2_FS), ("b", STIR)}

    def graded(joint, images, level_map):
        if all((images.study_key, image.role) in neither for image in images.images):
            return JointResult(
                joint.frame.level, joint.frame.side, NotGraded(Reason.NO_FAT_SUPPRESSED_SERIES)
            )
        return graded_by(neither)(joint, images, level_map)

    both = common_frame(*visits, graded, SETTINGS)
    assert {one.measurements.sources for one in both.baseline.joints} == {(str(STIR),)}
    assert {one.measurements.sources for one in both.follow_up.joints} == {(str(T2_FS),)}


def test_without_a_shared_series_that_shows_inflammation_nothing_is_measured_again(visits):
    plain = Role(Plane.SAGITTAL, Contrast.T2)
    other = replace(visits[1], images=(replace(visits[1].images[0], role=plain),))
    found = common_frame(visits[0], other, grade, SETTINGS)
    assert found.registrations == {}
    assert found.follow_up is other


def test_a_joint_absent_at_one_visit_keeps_its_outcome(visits):
    joints = (replace(visits[1].joints[0], joint=None), *visits[1].joints[1:])
    found = common_frame(visits[0], replace(visits[1], joints=joints), grade, SETTINGS)
    registration = found.registrations[Level.L3_L4, Side.LEFT]
    assert registration.reason is Reason.REGISTRATION_FAILED
    assert found.follow_up.joints[0] is joints[0]


def test_a_numbering_slip_is_caught_by_the_images():
    """The disc that is L4-L5 at baseline is called L3-L4 at the follow-up."""
    named = {Level.L4_L5: Level.L3_L4, Level.L3_L4: Level.L2_L3}
    found = common_frame(result(EYE, "a"), result(MOVED, "b", seed=7, names=named), grade, SETTINGS)
    reasons = {key: one.reason for key, one in found.registrations.items()}
    assert reasons[Level.L3_L4, Side.LEFT] is Reason.DIFFERENT_NUMBERING
    assert Reason.DIFFERENT_NUMBERING not in {
        one.reason
        for one in common_frame(result(EYE, "a"), result(MOVED, "b"), grade, SETTINGS).registrations.values()
    }


def test_reference_tissues_that_drift_apart_are_flagged(visits):
    def drifting(joint, images, level_map):
        graded = grade(joint, images, level_map)
        bright = 130.0 if images.study_key == "b" else 100.0
        return replace(
            graded, measurements=replace(graded.measurements, reference={"csf": 600.0, "muscle": bright})
        )

    found = common_frame(*visits, drifting, SETTINGS)
    assert all("reference_drift" in one.flags for one in found.registrations.values())
    assert [one.reference_drift for one in found.registrations.values()] == pytest.approx(
        [0.3] * len(found.registrations)
    )
