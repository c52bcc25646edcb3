"""Zones lie where the anatomy says: space within capsule, superior process in front and outside, sectors once around."""

from __future__ import annotations

import numpy as np
import pytest
from facets_toy import settings, toy_disc, toy_levels
from hypothesis import given
from hypothesis import settings as trial_settings
from hypothesis import strategies as st

from lfja_mri.facets.frames import JointShape, arc_points, joint_frame
from lfja_mri.facets.prior import expected_shape, site_of
from lfja_mri.facets.profile import cut_line, line_profile
from lfja_mri.facets.zones import EXCLUDED, build_zones
from lfja_mri.model import Level, Side, Zone

SPACING_MM = 0.8


def _built(side=Side.LEFT, level=Level.L4_L5, **changes):
    chosen = settings(SPACING_MM)
    site = site_of(toy_disc(level), side, toy_levels(), chosen)
    shape = JointShape(**{**vars(expected_shape(site, chosen)), **changes})
    frame = joint_frame(site, shape, uncertainty_mm=1.0, confidence=1.0)
    return frame, build_zones(frame, site, chosen.zones), site


@pytest.fixture(scope="module")
def built():
    return _built()


def _points(zones, zone):
    return zones.points_lps_mm(zones.labels_zyx == zone.code)


def test_every_zone_is_filled(built):
    _, zones, _ = built
    present = set(np.unique(zones.labels_zyx))
    missing = [zone.value for zone in Zone if zone.code not in present]
    assert missing == []


def test_joint_space_has_the_size_of_its_frame():
    frame, zones, _ = _built(gap_mm=3.2, length_mm=16.0, height_mm=18.0)
    volume = np.sum(zones.labels_zyx == Zone.JOINT_SPACE.code) * SPACING_MM**3
    box = 3.2 * 16.0 * 18.0
    assert 0.75 * box < volume < 1.05 * box
    offsets = (_points(zones, Zone.JOINT_SPACE) - frame.centre_lps_mm) @ frame.cranial_lps
    assert np.abs(offsets).max() <= 9.0 + SPACING_MM


def test_a_joint_laid_out_on_the_voxels_of_another_stays_in_its_place(built):
    frame, zones, site = built
    steps = np.array([3, 0, -2])
    elsewhere = build_zones(
        frame, site, settings(SPACING_MM).zones, around_lps_mm=frame.centre_lps_mm + SPACING_MM * steps
    )
    moved = elsewhere.labels_zyx[2:, :, :-3]
    assert np.mean(moved == zones.labels_zyx[:-2, :, 3:]) > 0.999
    middles = [_points(laid, Zone.JOINT_SPACE).mean(axis=0) for laid in (zones, elsewhere)]
    np.testing.assert_allclose(middles[1], middles[0], atol=0.05)


@pytest.mark.parametrize("side", list(Side))
def test_processes_lie_on_their_own_sides_of_the_joint(side):
    frame, zones, site = _built(side)
    superior, inferior = (
        (_points(zones, zone).mean(axis=0) - frame.centre_lps_mm) @ frame.normal_lps
        for zone in (Zone.SUPERIOR_PROCESS, Zone.INFERIOR_PROCESS)
    )
    assert superior > 1.5
    assert inferior < -1.5
    flavum = _points(zones, Zone.LIGAMENTUM_FLAVUM).mean(axis=0)
    outwards = side.lateral_sign * site.from_lps(np.stack([flavum, frame.centre_lps_mm]))[:, 1]
    assert outwards[0] < outwards[1]


def test_neighbours_lie_where_anatomy_has_them(built):
    frame, zones, site = built
    middle = site.from_lps(frame.centre_lps_mm)
    offset = {zone: site.from_lps(_points(zones, zone).mean(axis=0)) - middle for zone in Zone}
    assert offset[Zone.VERTEBRAL_BODY][0] > 5  # in front
    assert offset[Zone.MUSCLE][0] < 0  # behind
    assert offset[Zone.FORAMEN][0] > 3
    assert offset[Zone.TRANSVERSE_PROCESS][1] > 5  # outside, on the left
    assert offset[Zone.EXCLUDED_CANAL][1] < -5  # inside
    assert offset[Zone.PEDICLE][0] > 3


def test_sectors_go_once_around_and_leave_out_what_is_excluded(built):
    _, zones, _ = built
    counts = np.bincount(zones.sectors_zyx.ravel(), minlength=zones.sector_count + 1)[1:]
    assert len(counts) == zones.sector_count
    assert np.count_nonzero(counts) >= zones.sector_count - 2
    excluded = np.isin(zones.labels_zyx, [zone.code for zone in EXCLUDED])
    assert not zones.sectors_zyx[excluded].any()
    inside = np.isin(zones.labels_zyx, [Zone.JOINT_SPACE.code, Zone.CAPSULE.code])
    assert not zones.sectors_zyx[inside].any()


def test_first_sectors_follow_the_superior_process(built):
    frame, zones, _ = built
    quarter = zones.sector_count // 4
    points = zones.points_lps_mm(
        (zones.sectors_zyx > quarter // 2) & (zones.sectors_zyx <= quarter + quarter // 2)
    )
    assert ((points - frame.centre_lps_mm) @ frame.normal_lps > 0).mean() > 0.95


def test_grid_is_centred_on_the_joint_and_runs_along_lps(built):
    frame, zones, _ = built
    assert np.allclose(zones.voxel_to_lps[:3, :3], SPACING_MM * np.eye(3))
    middle = np.array(zones.labels_zyx.shape[::-1]) // 2
    assert np.allclose(zones.voxel_to_lps[:3, :3] @ middle + zones.voxel_to_lps[:3, 3], frame.centre_lps_mm)


@given(
    angle=st.floats(5, 85),
    bend=st.floats(0, 100),
    length=st.floats(8, 20),
    turned=st.sampled_from(list(Side)),
)
@trial_settings(max_examples=25, deadline=None)
def test_a_frame_keeps_the_angle_length_and_side_it_was_made_from(angle, bend, length, turned):
    chosen = settings()
    site = site_of(toy_disc(), turned, toy_levels(), chosen)
    shape = JointShape(28, 16, -4, angle, bend, length, 16, 2, -0.2)
    frame = joint_frame(site, shape, uncertainty_mm=1, confidence=1)
    assert frame.angle_deg == pytest.approx(angle, abs=0.01)
    assert turned.lateral_sign * (frame.centre_lps_mm[0] - 5.0) == pytest.approx(16.0)
    steps = np.linalg.norm(np.diff(frame.joint_line_lps_mm, axis=0), axis=1)
    assert steps.sum() == pytest.approx(length, rel=0.02)


def test_profile_measures_distances_to_a_straight_line():
    frame, _, _ = _built(bend_deg=0.0, angle_deg=40.0, length_mm=14.0)
    profile = line_profile(frame, 4.0)
    line = cut_line(frame)
    assert np.allclose(line[:, 1], 0, atol=1e-6)
    along, across = np.array([0.0, 9.0, -10.0, 2.0]), np.array([3.0, 0.4, -2.0, -5.0])
    index = profile.index(along, across)
    assert np.allclose(profile.nearest_mm[index], [3.0, np.hypot(2, 0.4), np.hypot(3, 2), 5.0], atol=0.4)
    assert np.allclose(profile.beyond_mm[index], [0, 2, 3, 0], atol=0.4)
    assert np.all(np.sign(profile.across_mm[index]) == [1, 1, -1, -1])


def test_perimeter_is_paced_evenly():
    """Equal shares of the way round are equal lengths of a stadium around the line."""
    frame, _, _ = _built(bend_deg=0.0, length_mm=14.0)
    profile = line_profile(frame, 4.0)
    share = profile.perimeter_share[
        profile.index(np.array([-7.0, 0, 7.0, 0]), np.array([4.0, 4.0, 4.0, -4.0]))
    ]
    whole = 2 * 14.0 + 2 * np.pi * 4.0
    quarter = 0.5 * np.pi * 4.0
    expected = np.array([quarter, quarter + 7, quarter + 14, whole - quarter - 7]) / whole
    assert np.allclose(share, expected, atol=0.02)


def test_the_arc_is_more_coronal_at_its_anteromedial_end():
    points, tangents = arc_points(40.0, 60.0, 14.0)
    assert tangents[0] == 70.0
    assert tangents[-1] == 10.0
    assert np.allclose(points.mean(axis=0), 0, atol=1e-9)
