"""The rule that corrects how far a joint reaches: it follows a line that lies elsewhere, and keeps quiet where it knows nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from lfja_mri.facets.extent import Sheet, line_contrast
from lfja_mri.facets.frames import JointShape
from lfja_mri.facets.outline import (
    FURTHEST_MM,
    TARGETS,
    Extent,
    corrected,
    feature_names,
    features,
    packaged_rule,
)
from lfja_mri.model import Contrast

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


def test_the_rule_has_a_row_for_every_feature() -> None:
    rule, (found, _) = packaged_rule(), features(EXTENT, _sheet(), SHAPE, ANGLE_DEG)
    count = len(feature_names())
    assert found.shape == rule.mean.shape == rule.spread.shape == (count,)
    assert rule.weights.shape == (count, len(TARGETS))
    assert np.all(rule.spread > 0)


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
