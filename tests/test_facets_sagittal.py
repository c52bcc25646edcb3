"""Joints that only sagittal slices show are placed together: what one does not show, the others tell."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from facets_toy import ToyJoint, sagittal_image, settings, toy_disc, toy_levels

from lfja_mri.facets.frames import JointShape
from lfja_mri.facets.prior import expected_shape, site_of
from lfja_mri.facets.sagittal import JointSearch, place_together, search_joint
from lfja_mri.geometry import apply
from lfja_mri.model import Side
from lfja_mri.settings.facets import SagittalSettings

SAGITTAL: SagittalSettings = settings().sagittal
SHAPE = JointShape(
    behind_mm=30.0,
    lateral_mm=15.0,
    cranial_mm=-4.0,
    angle_deg=40.0,
    bend_deg=40.0,
    length_mm=13.0,
    height_mm=16.0,
    gap_mm=2.0,
    normal_cranial=-0.2,
)
FLAT = JointSearch(SHAPE, np.zeros((9, 7, 17, 17, 3)))


def _seen_at(turn: int, outwards: int, behind: int, cranial: int, gain: float = 60.0) -> JointSearch:
    table = np.zeros_like(FLAT.log_likelihood)
    table[turn, outwards, behind, cranial, 1] = gain
    return JointSearch(SHAPE, table)


def test_a_joint_that_nothing_shows_follows_the_others() -> None:
    """People differ more from each other than the joints of one person do."""
    placed = place_together([*(_seen_at(5, 4, 11, 5) for _ in range(9)), FLAT], SAGITTAL)
    hidden, worth = placed[-1]
    assert worth == 0.0
    assert hidden.behind_mm == pytest.approx(32.4, abs=0.81)
    assert hidden.cranial_mm == pytest.approx(-6.4, abs=0.81)
    assert placed[0][0].behind_mm == pytest.approx(32.4)


def test_without_evidence_joints_stay_where_anatomy_expects_them() -> None:
    """And say that nothing was seen."""
    assert place_together([FLAT, FLAT], SAGITTAL) == ((SHAPE, 0.0), (SHAPE, 0.0))
    assert place_together([], SAGITTAL) == ()


def test_one_stray_joint_does_not_pull_the_others() -> None:
    """The shared deviation is a median."""
    searches = [*(_seen_at(4, 3, 8, 8) for _ in range(5)), _seen_at(8, 6, 16, 16, gain=500.0), FLAT]
    assert place_together(searches, SAGITTAL)[-1][0] == SHAPE


@pytest.mark.parametrize(("behind_mm", "angle_deg"), [(27.0, 40.0), (31.0, 40.0), (29.0, 50.0)])
def test_the_filter_finds_depth_and_agrees_with_the_known_joint(behind_mm: float, angle_deg: float) -> None:
    """Its best place lies at the depth where the slices show the joint."""
    joints = dict.fromkeys(Side, ToyJoint(behind_mm=behind_mm, outwards_mm=15.0, angle_deg=angle_deg))
    site = site_of(toy_disc(), Side.LEFT, toy_levels(), settings())
    expected = replace(expected_shape(site, settings()), lateral_mm=15.0)
    image = sagittal_image(joints, toy_disc())
    search = search_joint(((image, np.zeros(3)),), site, expected, SAGITTAL)
    (found, worth), *_ = place_together([search], SAGITTAL)
    assert worth > SAGITTAL.present_evidence
    assert found.behind_mm == pytest.approx(behind_mm, abs=2.0)


def test_what_lies_in_the_dural_sac_does_not_draw_a_joint() -> None:
    """Its bright fluid runs on where the joint's line ends inwards."""
    site = site_of(toy_disc(), Side.LEFT, toy_levels(), settings())
    shape = expected_shape(site, settings())
    image = sagittal_image(dict.fromkeys(Side, ToyJoint()), toy_disc())
    volume = image.volume
    places = np.stack(np.meshgrid(*map(np.arange, volume.values_zyx.shape), indexing="ij")[::-1], axis=-1)
    anterior, left, _ = np.moveaxis(
        site.from_lps(apply(volume.voxel_to_lps, places)) - site.canal_offset_mm, -1, 0
    )
    sac = np.hypot(anterior / 6.0, left / 5.0) < 1.0
    darker, brighter = (
        replace(volume, values_zyx=np.where(sac, signal, volume.values_zyx))
        for signal in (volume.values_zyx.min(), 3.0 * volume.values_zyx.max())
    )
    assert np.count_nonzero(sac) > 100
    dark, bright = (
        search_joint(((replace(image, volume=each), np.zeros(3)),), site, shape, SAGITTAL).log_likelihood
        for each in (darker, brighter)
    )
    assert dark.any()
    assert bright == pytest.approx(dark)


def test_an_image_that_does_not_reach_the_joint_says_nothing() -> None:
    """Not even noise."""
    site = site_of(toy_disc(), Side.LEFT, toy_levels(), settings())
    far = sagittal_image({Side.LEFT: ToyJoint()}, toy_disc(centre=(5.0, 0.0, 400.0)))
    search = search_joint(((far, np.zeros(3)),), site, SHAPE, SAGITTAL)
    assert not search.log_likelihood.any()
