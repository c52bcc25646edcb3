"""Sagittal slices smear a film of fluid but keep its amount; and one person's discs scale all joints together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from facets_toy import settings, toy_disc, toy_levels
from scipy import ndimage

from lfja_mri.facets.film import fluid_width_mm, with_fluid
from lfja_mri.facets.frames import JointShape, Site, arc_points
from lfja_mri.facets.prior import expected_shape, site_of
from lfja_mri.model import Contrast, Image, Level, Plane, Role, Side, Volume

CHOSEN = settings()
NO_SHIFT = np.zeros(3)
CSF, MARROW = 900.0, 90.0


def _site(side: Side = Side.LEFT) -> Site:
    return site_of(toy_disc(), side, toy_levels(), CHOSEN)


def _shape(site: Site) -> JointShape:
    return replace(expected_shape(site, CHOSEN), normal_cranial=0.0)


def _stir(site: Site, shape: JointShape, width_mm: float, gain: float = 1.0) -> Image:
    """Sagittal slices of 4 mm: even marrow, a bright canal, and a joint's film painted by the amount in each voxel."""
    values = np.full((19, 100, 110), MARROW)
    affine = np.zeros((4, 4))
    affine[:, 0], affine[:, 1], affine[:, 2] = [0, 0.9, 0, 0], [0, 0, -0.9, 0], [4.0, 0, 0, 0]
    affine[:, 3] = [*(site.disc.centre_lps_mm + np.array([-36.0, -40.0, 45.0])), 1]
    arc, _ = arc_points(shape.angle_deg, shape.bend_deg, shape.length_mm, 400)
    lateral = site.disc.centre_lps_mm[0] + site.side.lateral_sign * (shape.lateral_mm + arc[:, 0])
    behind = shape.behind_mm + arc[:, 1]
    rows = np.arange(100)
    tall = np.abs(45.0 - 0.9 * rows - shape.cranial_mm) < 0.5 * shape.height_mm
    planes = np.rint((lateral - affine[0, 3]) / 4.0).astype(int)
    columns = np.rint((behind - affine[1, 3]) / 0.9).astype(int)
    film = np.zeros_like(values)
    for plane, column in zip(planes, columns, strict=True):
        film[plane, tall, column] += width_mm * shape.length_mm / 400 / (4.0 * 0.9)
    values += (CSF - MARROW) * ndimage.gaussian_filter1d(film, 1.0, axis=2)
    x, y = np.arange(19) * 4.0 + affine[0, 3] - site.disc.centre_lps_mm[0], np.arange(110) * 0.9 - 40.0
    canal = (x[:, None, None] / 9.0) ** 2 + ((y[None, None, :] - 24.0) / 7.5) ** 2 < 1
    values = np.where(canal, CSF, values) + np.random.default_rng(3).normal(0, 8.0, values.shape)
    volume = Volume((gain * values).astype(np.float32), affine, 4.0)
    return Image("stir", volume, Role(Plane.SAGITTAL, Contrast.STIR))


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("width_mm", [0.0, 1.0, 2.0])
def test_the_amount_of_fluid_is_measured_though_the_slice_smears_it(side: Side, width_mm: float) -> None:
    """To a quarter: the filter's line is a little narrower or wider than what a slice shows."""
    site = _site(side)
    shape = _shape(site)
    found = fluid_width_mm(((_stir(site, shape, width_mm), NO_SHIFT),), site, shape, CHOSEN.sagittal)
    assert found == pytest.approx(width_mm, rel=0.25, abs=0.15)


def test_gain_does_not_matter() -> None:
    """Fluid is measured against CSF of the same image."""
    site = _site()
    shape = _shape(site)
    one, five = (
        fluid_width_mm(((_stir(site, shape, 1.5, gain), NO_SHIFT),), site, shape, CHOSEN.sagittal)
        for gain in (1.0, 5.0)
    )
    assert one == pytest.approx(five, rel=1e-3)


def test_fluid_opens_the_gap_and_nothing_else() -> None:
    """A joint without fluid keeps the dry gap; an image that cannot tell changes nothing."""
    site = _site()
    shape = _shape(site)
    wet = with_fluid(((_stir(site, shape, 2.0), NO_SHIFT),), site, shape, CHOSEN.sagittal)
    dry = with_fluid(((_stir(site, shape, 0.0), NO_SHIFT),), site, shape, CHOSEN.sagittal)
    assert dry.gap_mm == pytest.approx(CHOSEN.sagittal.dry_gap_mm, abs=0.2)
    assert wet.gap_mm > dry.gap_mm + 1.0
    assert replace(wet, gap_mm=shape.gap_mm) == shape
    assert with_fluid((), site, shape, CHOSEN.sagittal) == shape


def test_bright_fat_is_no_reference_for_fluid() -> None:
    """Only fat-suppressed images are read."""
    site = _site()
    shape = _shape(site)
    image = replace(_stir(site, shape, 2.0), role=Role(Plane.SAGITTAL, Contrast.T2))
    assert fluid_width_mm(((image, NO_SHIFT),), site, shape, CHOSEN.sagittal) is None


def test_one_badly_measured_disc_does_not_scale_its_joint() -> None:
    """Sizes follow all of a person's discs together; one alone is found to several mm only."""
    levels = (Level.L2_L3, Level.L3_L4, Level.L4_L5)
    discs = [toy_disc(level, centre=(5.0, 0.0, 70.0 - 35.0 * at)) for at, level in enumerate(levels)]
    wrong = [replace(discs[0], depth_mm=20.0, width_mm=30.0), *discs[1:]]
    right, off = (
        expected_shape(site_of(some[0], Side.LEFT, toy_levels(*some), CHOSEN), CHOSEN)
        for some in (discs, wrong)
    )
    assert off.height_mm == pytest.approx(right.height_mm, rel=0.04)
    assert off.lateral_mm == pytest.approx(right.lateral_mm, rel=0.04)


def test_a_larger_person_has_larger_joints() -> None:
    """By a share of the difference that settings name."""
    disc = toy_disc()
    large = replace(disc, depth_mm=1.1 * disc.depth_mm, width_mm=1.1 * disc.width_mm)
    small, tall = (
        expected_shape(site_of(one, Side.LEFT, toy_levels(one), CHOSEN), CHOSEN) for one in (disc, large)
    )
    assert 1.0 < tall.height_mm / small.height_mm < 1.1
