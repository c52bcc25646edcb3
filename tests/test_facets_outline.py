"""The rule that corrects how far a joint reaches: it follows a line that lies elsewhere, and keeps quiet where it knows nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from facets_toy import ToyJoint, axial_image, settings, toy_disc, toy_levels, toy_study

from lfja_mri.facets import place_joints
from lfja_mri.facets.extent import Sheet, line_contrast
from lfja_mri.facets.frames import JointShape
from lfja_mri.facets.outline import (
    FURTHEST_MM,
    NARROWNESS,
    TARGETS,
    Extent,
    corrected,
    feature_names,
    features,
    nearness,
    packaged_rule,
)
from lfja_mri.model import Contrast, Joint, Side

SHAPE = JointShape(30.0, 16.0, -4.0, 42.0, 40.0, 13.0, 17.0, 1.9, -0.15)
EXTENT = Extent(middle_mm=0.0, height_mm=17.5, along_mm=0.0, length_mm=14.5)
ANGLE_DEG = 42.0
ACROSS_MM = np.arange(-4.0, 4.01, 0.4)


def _sheet(above_mm: float = 0.0, towards_mm: float = 0.0, pitch_mm: float = 2.0) -> Sheet:
    """A bright line between dark flanks that fades as those of phantoms do, about a place off the extent's middle."""
    heights = np.arange(-14.0, 14.1, pitch_mm)
    along = np.arange(-11.0, 11.1, 0.5)
    fade = _faded(heights - above_mm, 6.1, 1.8)[:, None] * _faded(along - towards_mm, 7.0, 1.0)[None, :]
    line = np.exp(-0.5 * (ACROSS_MM / 0.7) ** 2)
    marrow = 0.9 * (np.abs(ACROSS_MM) > 3.0)
    profiles = 0.05 + 0.7 * fade[..., None] * line + marrow
    return Sheet(heights, along, fade, profiles, ACROSS_MM)


def _faded(places_mm: npt.NDArray[np.float64], half_mm: float, edge_mm: float) -> npt.NDArray[np.float64]:
    return np.asarray(1.0 / (1.0 + np.exp((np.abs(places_mm) - half_mm) / edge_mm)))


def test_the_rule_has_a_column_for_every_feature() -> None:
    rule, (found, _) = packaged_rule(), features(EXTENT, _sheet(), SHAPE, ANGLE_DEG)
    count = len(feature_names())
    assert found.shape == rule.mean.shape == rule.spread.shape == (count,)
    assert rule.taught.shape == (len(rule.weights), count)
    assert rule.weights.shape[1:] == rule.start.shape == (len(TARGETS),)
    assert np.all(rule.spread > 0)


def test_joints_are_nearest_to_themselves_and_the_kernel_falls_with_their_mean_square_difference() -> None:
    joints = np.array([[0.0, 0.0], [1.0, 1.0], [3.0, -1.0]])
    near = nearness(joints, joints)
    assert near.diagonal().tolist() == pytest.approx([1.0, 1.0, 1.0])
    assert near[0, 1] == pytest.approx(np.exp(-NARROWNESS * 1.0))
    assert near[2, 0] == near[0, 2] == pytest.approx(np.exp(-NARROWNESS * 5.0))


def test_a_joint_like_no_other_gets_the_mean_correction() -> None:
    """What the kernel says fades with distance; the gate of `corrected` does the rest."""
    rule = packaged_rule()
    assert rule.change(np.full(len(rule.mean), 9.0)) == pytest.approx(rule.start, abs=1e-9)


def test_contrast_is_that_of_the_line_over_its_flanks() -> None:
    contrast = line_contrast(_sheet())
    assert contrast.argmax() == np.ravel_multi_index((7, 22), contrast.shape)
    assert contrast[0, 0] < 0.1 < contrast[7, 22]


@pytest.mark.parametrize("above_mm", [-1.5, 1.5])
def test_the_middle_follows_a_line_that_lies_higher_or_lower(above_mm: float) -> None:
    here, there = (
        corrected(EXTENT, _sheet(above), SHAPE, ANGLE_DEG, Contrast.T2) for above in (0.0, above_mm)
    )
    assert (there.middle_mm - here.middle_mm) / above_mm > 0.4
    assert abs(there.middle_mm - here.middle_mm) < 2.0 * abs(above_mm)


@pytest.mark.parametrize("contrast", [Contrast.T1, Contrast.STIR, Contrast.DIXON_WATER, Contrast.T2_FS])
def test_contrasts_that_it_was_not_taught_on_are_left_alone(contrast: Contrast) -> None:
    assert corrected(EXTENT, _sheet(1.5), SHAPE, ANGLE_DEG, contrast) == EXTENT


def test_a_joint_unlike_those_that_taught_is_left_alone() -> None:
    """Bright beside the joint rather than in it, as next to a cyst."""
    assert corrected(EXTENT, _sheet(12.0), SHAPE, ANGLE_DEG, Contrast.T2) == EXTENT


def test_three_slices_are_too_few() -> None:
    sheet = _sheet(1.5)
    few = replace(sheet, heights_mm=sheet.heights_mm[6:9], profiles=sheet.profiles[6:9])
    assert corrected(EXTENT, few, SHAPE, ANGLE_DEG, Contrast.T2) == EXTENT


def test_no_correction_goes_further_than_allowed() -> None:
    for above_mm in np.arange(-4.0, 4.1, 1.0):
        found = corrected(EXTENT, _sheet(float(above_mm)), SHAPE, ANGLE_DEG, Contrast.T2)
        moves = [abs(getattr(found, name) - getattr(EXTENT, name)) for name in TARGETS]
        assert max(moves) <= FURTHEST_MM + 1e-9


@pytest.mark.parametrize("line_signal", [0.3, 0.6, 0.9])
@pytest.mark.parametrize(("length_mm", "height_mm"), [(12.0, 14.0), (14.0, 17.0), (17.0, 20.0)])
def test_joints_made_by_hand_get_their_own_size(
    length_mm: float, height_mm: float, line_signal: float
) -> None:
    """Nothing of these joints comes from the phantoms that taught the rule: sharp edges, no taper, other signals."""
    joint = ToyJoint(length_mm=length_mm, height_mm=height_mm, bend_deg=20.0, line_signal=line_signal)
    study = toy_study(axial_image(dict.fromkeys(Side, joint), toy_disc()))
    placed = [one.frame for one in place_joints(study, toy_levels(), settings(3.0)) if isinstance(one, Joint)]
    assert len(placed) == len(Side)
    for frame in placed:
        assert frame.height_mm == pytest.approx(height_mm, abs=1.0)
        assert frame.length_mm == pytest.approx(length_mm, abs=1.2)
