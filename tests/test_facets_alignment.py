"""Known motion between series is found, and what cannot be told is not made up."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from facets_toy import ToyJoint, axial_image, sagittal_image, settings, toy_disc, toy_levels, toy_study

from lfja_mri.facets import place_joints
from lfja_mri.facets.alignment import level_shifts, series_shift
from lfja_mri.facets.prior import site_of
from lfja_mri.model import (
    Axes,
    Disc,
    Joint,
    Level,
    LevelMap,
    NumberingBasis,
    Plane,
    SeriesShift,
    Side,
    Volume,
)
from lfja_mri.phantom import load_recipe, simulate
from lfja_mri.phantom.anatomy import Detail
from lfja_mri.results import joint_rows

JOINTS = {Side.LEFT: ToyJoint(), Side.RIGHT: ToyJoint(outwards_mm=15.0)}


@pytest.fixture(scope="module")
def axial():
    return axial_image(JOINTS, toy_disc())


def _shift(reference, moving):
    site = site_of(toy_disc(), Side.LEFT, toy_levels(), settings())
    return series_shift(reference, moving, site, settings().alignment)


@pytest.mark.parametrize("moved", [(0.0, 0.0, 0.0), (2.0, -3.0, 1.0), (-3.0, 1.5, 2.5)])
def test_a_known_shift_is_found(axial, moved):
    shift = _shift(axial, sagittal_image(JOINTS, toy_disc(), shift=moved))
    assert shift.estimated
    error = np.abs(shift.shift_lps_mm - np.array(moved))
    assert np.all(error[:2] < 1.0)
    assert error[2] < 1.75  # half of the axial pitch: a toy has few edges along z
    assert shift.uncertainty_mm < 1.5


def test_a_shift_beyond_the_bound_is_not_estimated(axial):
    shift = _shift(axial, sagittal_image(JOINTS, toy_disc(), shift=(0.0, 9.0, 0.0)))
    assert not shift.estimated
    assert np.array_equal(shift.shift_lps_mm, np.zeros(3))


def test_a_third_series_tells_how_far_parallel_stacks_lie_across_their_slices(axial):
    """Two axial stacks agree wherever their slices coincide; a sagittal one that cuts both decides."""
    moved = np.array([1.0, -2.0, 3.0])
    second = axial_image(JOINTS, toy_disc(), key="ax2", shift=tuple(moved), seed=8)
    sagittal = sagittal_image(JOINTS, toy_disc(), shift=(0.0, 1.0, -1.0))
    site = site_of(toy_disc(), Side.LEFT, toy_levels(), settings())
    (alone,) = level_shifts(toy_study(axial, second), axial, site, settings().alignment)
    told, _ = level_shifts(toy_study(axial, second, sagittal), axial, site, settings().alignment)
    assert alone.shift_lps_mm[2] == pytest.approx(0.0, abs=0.2)
    assert alone.uncertainty_mm > 1.2
    assert np.abs(told.shift_lps_mm - moved).max() < 1.2
    assert told.uncertainty_mm < 0.7


def test_noise_alone_gives_no_shift(axial):
    sagittal = sagittal_image(JOINTS, toy_disc())
    noise = np.random.default_rng(3).normal(500, 50, sagittal.volume.values_zyx.shape).astype(np.float32)
    volume = Volume(noise, sagittal.volume.voxel_to_lps, 4.0)
    assert not _shift(axial, replace(sagittal, volume=volume)).estimated


def test_a_series_of_another_region_gives_no_shift(axial):
    far = sagittal_image(JOINTS, toy_disc(centre=(5.0, 0.0, 200.0)))
    assert not _shift(axial, far).estimated


def test_joints_report_the_shift_of_each_other_series(axial):
    """The levels come from the sagittal series, the joints from the axial one: the disc's move is undone."""
    moved = np.array([0.0, -3.0, 2.0])
    sagittal = sagittal_image(JOINTS, toy_disc(), shift=moved)
    disc = toy_disc()
    disc = replace(disc, centre_lps_mm=disc.centre_lps_mm + moved)
    levels = toy_levels(disc)
    levels = replace(levels, canal_line_lps_mm=levels.canal_line_lps_mm + moved)
    joints = [
        joint
        for joint in place_joints(toy_study(axial, sagittal), levels, settings())
        if isinstance(joint, Joint)
    ]
    for joint in joints:
        assert [shift.image_key for shift in joint.shifts] == ["sag"]
        assert np.linalg.norm(joint.shift_of("sag") - moved) < 2.0
        assert np.array_equal(joint.shift_of("ax"), np.zeros(3))
        truth = 28.0  # behind the disc where the axial series shows it
        assert abs(joint.frame.centre_lps_mm[1] - truth) < 2.0


def test_the_table_gives_the_largest_shift_with_its_own_uncertainty(axial):
    """Not the largest uncertainty, and never that of a series whose shift is unknown."""
    placed = place_joints(toy_study(axial), toy_levels(), settings())
    joint = next(joint for joint in placed if isinstance(joint, Joint))
    shifts = (
        SeriesShift("near", Level.L3_L4, np.array([0.0, 1.0, 0.0]), 1.4, estimated=True),
        SeriesShift("far", Level.L3_L4, np.array([0.0, -3.0, 4.0]), 0.8, estimated=True),
        SeriesShift("unknown", Level.L3_L4, np.zeros(3), 2.5, estimated=False),
    )
    told, untold = joint_rows([replace(joint, shifts=shifts), replace(joint, shifts=shifts[2:])])
    assert (told["series_shift_mm"], told["series_shift_uncertainty_mm"]) == (5.0, 0.8)
    assert (untold["series_shift_mm"], untold["series_shift_uncertainty_mm"]) == (None, None)


@pytest.mark.slow
def test_a_phantoms_known_motion_between_series_is_found():
    """Every series of a phantom is moved and bent by a known amount; the stated uncertainty must cover what is left."""
    study, truth = simulate(load_recipe("routine_clinical"), 12, detail=Detail.QUICK)
    localiser = study.of(Plane.SAGITTAL)[0].key
    discs = []
    for shape in truth.discs:
        anterior, left, up = shape.frame.axes
        centre = truth.moved(localiser, shape.frame.origin[None])[0]
        size = (2 * shape.half_depth_mm, 2 * shape.half_width_mm, shape.height_mm)
        discs.append(Disc(shape.level, centre, Axes(up, anterior, left), *size, 0.9))
    line = truth.moved(localiser, truth.canal_line_lps_mm)
    levels = LevelMap(tuple(discs), line[np.argsort(-line[:, 2])], NumberingBasis.SACRUM)
    errors, covered = [], []
    for joint in place_joints(study, levels, settings()):
        keys = {shift.image_key for shift in joint.shifts}
        own = next(image.key for image in study.images if image.key not in keys)
        centre = truth.joint(joint.frame.level, joint.frame.side).centre_lps_mm[None]
        for shift in joint.shifts:
            if shift.estimated and joint.coverage[shift.image_key] > 0.5:
                moved = (truth.moved(shift.image_key, centre) - truth.moved(own, centre))[0]
                errors.append(float(np.linalg.norm(shift.shift_lps_mm - moved)))
                covered.append(errors[-1] <= 2.0 * np.sqrt(3.0) * shift.uncertainty_mm)
    assert len(errors) >= 20
    assert np.median(errors) < 1.5
    assert np.mean(covered) >= 0.9
