"""A joint's plane leans as its slices show, and as its level does where they show nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from facets_toy import settings, toy_disc, toy_levels

from lfja_mri.facets.cuts import Cut
from lfja_mri.facets.frames import joint_axes
from lfja_mri.facets.prior import expected_shape, site_of
from lfja_mri.facets.search import Arc
from lfja_mri.facets.slope import measured_slope
from lfja_mri.model import Side

ANGLE_DEG = 40.0
POOLED = Arc(15.0, 0.0, ANGLE_DEG, 40.0, 0.8)


def _slope(side: Side, lean: float, *, score: float = 0.8) -> tuple[float, float]:
    """Return the expected and the measured slope of a joint whose line moves `lean` mm across per mm of height."""
    site = site_of(toy_disc(), side, toy_levels(), settings())
    shape = replace(expected_shape(site, settings()), angle_deg=ANGLE_DEG)
    across = np.array([np.cos(np.deg2rad(ANGLE_DEG)), -np.sin(np.deg2rad(ANGLE_DEG))])
    slices = []
    for height in (-8.0, -4.0, 0.0, 4.0, 8.0):
        outwards = side.lateral_sign * site.axes.left
        cut = Cut(np.zeros(3), outwards, -site.axes.anterior, height, np.zeros((3, 3)))
        out, back = lean * height * across
        slices.append((cut, replace(POOLED, outwards_mm=15.0 + out, backwards_mm=back, score=score)))
    slope = measured_slope(site, shape, POOLED, tuple(slices), 0.0, settings().refine)
    _, normal, cranial = joint_axes(site, ANGLE_DEG, slope)
    assert abs(float(normal @ cranial)) < 1e-9
    return shape.normal_cranial, slope


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("lean", [-0.8, 0.9])
def test_a_plane_that_leans_much_is_followed(side: Side, lean: float) -> None:
    """Across towards the superior process per mm up is minus the normal's cranial part."""
    expected, measured = _slope(side, lean)
    assert abs(measured + lean) < 0.4
    assert abs(measured + lean) < abs(expected + lean)


@pytest.mark.parametrize("side", list(Side))
def test_a_small_change_is_not_believed(side: Side) -> None:
    """Slices err by more than half a millimetre each."""
    expected, _ = _slope(side, 0.0)
    assert _slope(side, 0.05 - expected)[1] == pytest.approx(expected, abs=1e-6)


def test_slices_that_show_no_joint_say_nothing() -> None:
    """Their lines are anywhere."""
    expected, measured = _slope(Side.LEFT, 0.8, score=0.1)
    assert measured == pytest.approx(expected, abs=1e-6)
