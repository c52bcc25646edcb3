from __future__ import annotations

import numpy as np
import pytest

from lfja_mri.model import Side
from lfja_mri.phantom.column import LUMBAR_COUNT
from lfja_mri.phantom.facet import joint_coordinates, joint_point
from lfja_mri.phantom.joints import PERIMETER_RADIUS_MM, perimeter_distance, perimeter_position
from lfja_mri.phantom.numbers import base_numbers
from lfja_mri.phantom.person import draw_person
from lfja_mri.phantom.shapes import capsule, ellipsoid, rounded_box
from lfja_mri.phantom.skeleton import Posture
from lfja_mri.phantom.tissue import Frame, Lattice, Tissue, rotation


def person(seed: int = 1, posture: Posture | None = None, variant: str = "standard"):
    return draw_person(seed, base_numbers().anatomy, posture or Posture(), arthropathy={}, variant=variant)


def grid(half_mm: float, step_mm: float):
    lattice = Lattice.between(np.full(3, -half_mm), np.full(3, half_mm), step_mm)
    return lattice, lattice.window(lattice.low_mm, lattice.high_mm)


@pytest.mark.parametrize(
    ("shape", "expected_mm3"),
    [
        (lambda local: ellipsoid(local, (3.0, 4.0, 5.0)), 4 / 3 * np.pi * 60),
        (lambda local: rounded_box(local, (3.0, 4.0, 5.0), 0.01), 8 * 60),
        (
            lambda local: capsule(local, np.array([0, 0, -4.0]), np.array([0, 0, 4.0]), (2.0, 2.0)),
            np.pi * (32 + 32 / 3),
        ),
    ],
)
def test_shapes_have_the_volume_of_their_formula(shape, expected_mm3):
    _, window = grid(7.1, 0.25)
    inside = shape(window.local(Frame(np.zeros(3), np.eye(3)))) < 0
    assert inside.sum() * 0.25**3 == pytest.approx(expected_mm3, rel=0.03)


def test_a_window_writes_into_its_lattice():
    lattice, _ = grid(5.0, 1.0)
    part = lattice.window(np.array([-1.0, -2.0, -3.0]), np.array([1.0, 2.0, 3.0]))
    part.put(np.ones(part.tissue.shape, dtype=bool), Tissue.CSF)
    assert (lattice.tissue_zyx == Tissue.CSF).sum() == 3 * 5 * 7
    assert lattice.window(np.full(3, 50.0), np.full(3, 60.0)) is None


def test_rotation_keeps_lengths_and_handedness():
    turn = rotation(10.0, -20.0, 30.0)
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(turn) == pytest.approx(1.0)


def test_left_joints_lie_to_the_left_and_point_outwards():
    for joint in person().spine.graded_joints():
        disc = person().spine.discs[joint.disc]
        anterior, left, up = disc.frame.from_lps(joint.frame.origin)
        assert np.sign(left) == joint.side.lateral_sign
        assert anterior < -disc.half_depth_mm
        assert abs(up) < 12
        np.testing.assert_allclose(joint.frame.axes @ joint.frame.axes.T, np.eye(3), atol=1e-9)
        lateral = joint.frame.axes[1] @ disc.frame.axes[1]
        assert np.sign(lateral) == joint.side.lateral_sign


def test_joints_lie_where_the_sources_say():
    lateral = np.array(
        [
            abs(p.discs[j.disc].frame.from_lps(j.frame.origin)[1])
            for p in (person(seed).spine for seed in range(30))
            for j in p.graded_joints()
        ]
    ).reshape(30, 5, 2)
    widths = lateral.sum(axis=2)
    assert 23 < widths[:, 0].mean() < 31
    assert 35 < widths[:, 4].mean() < 44
    assert np.all(np.diff(widths.mean(axis=0)) > 0)


def slope_deg(disc) -> float:
    """How far a disc leans forward."""
    return float(np.degrees(np.arctan2(-disc.frame.axes[2][1], disc.frame.axes[2][2])))


@pytest.mark.parametrize("variant", sorted(set(LUMBAR_COUNT) - {"squared_s1"}))
def test_the_sacrum_is_no_lumbar_spine(variant):
    slopes, tapers, remnants = [], [], []
    for seed in range(20):
        spine = person(seed, variant=variant).spine
        last = spine.lumbosacral
        lumbosacral, first, second = spine.discs[last : last + 3]
        assert [v.name for v in spine.vertebrae if v.sacral] == ["S1", "S2", "S3", "S4", "S5"]
        slopes.append(slope_deg(lumbosacral) + 0.5 * lumbosacral.wedge_deg)
        tapers.append(first.half_depth_mm / lumbosacral.half_depth_mm)
        remnants.append(first.half_depth_mm * first.remnant_share / lumbosacral.half_depth_mm)
        assert slope_deg(first) > slope_deg(lumbosacral) + 3
        assert slope_deg(spine.discs[-1]) < slope_deg(second) - 10  # it bends forward again
        assert first.height_mm < 0.75 * lumbosacral.height_mm + 2
        assert np.all(np.diff(spine.canal_points_mm[:, 2]) < 0)
    assert 32 < np.mean(slopes) < 52
    assert max(tapers) < 0.75
    assert max(remnants) < 0.72


@pytest.mark.parametrize("seed", range(6))
def test_a_sacralised_l5_sits_on_a_remnant_between_small_joints(seed):
    plain, joined = (person(seed, variant=variant).spine for variant in ("standard", "sacralised"))
    lowest = plain.lumbosacral
    assert joined.discs[lowest].height_mm < 0.6 * plain.discs[lowest].height_mm
    assert joined.discs[lowest].remnant_share < 1 == joined.discs[lowest - 1].remnant_share
    assert joined.discs[lowest - 1].height_mm == plain.discs[lowest - 1].height_mm
    small, usual = (
        [joint.length_mm for joint in spine.joints if joint.disc == lowest] for spine in (joined, plain)
    )
    np.testing.assert_allclose(small, 0.75 * np.array(usual))


@pytest.mark.parametrize("seed", range(6))
def test_a_squared_s1_keeps_its_disc_and_is_not_counted_as_lumbar(seed):
    plain, square = (person(seed, variant=variant).spine for variant in ("standard", "squared_s1"))
    below = plain.lumbosacral + 1
    assert square.lumbosacral == plain.lumbosacral
    assert square.discs[below].height_mm > 1.5 * plain.discs[below].height_mm
    assert square.discs[below].remnant_share == 1.0
    s1 = next(vertebra for vertebra in square.vertebrae if vertebra.name == "S1")
    assert s1.sacral
    assert square.discs[below].half_depth_mm > 0.9 * square.discs[below - 1].half_depth_mm
    assert [joint.level for joint in square.graded_joints()] == [
        joint.level for joint in plain.graded_joints()
    ]


def test_a_slipped_vertebra_stands_forward_of_the_next():
    spines = [person(seed).spine for seed in range(60)]
    slipped = [(spine, k) for spine in spines for k, disc in enumerate(spine.discs) if disc.slip_mm > 0]
    assert 2 <= len(slipped) <= 20
    for spine, k in slipped:
        disc, above, below = spine.discs[k], spine.vertebrae[k - 1], spine.vertebrae[k]
        plates = (
            above.frame.to_lps(np.array([0.0, 0.0, -0.5 * above.height_mm])),
            below.frame.to_lps(np.array([0.0, 0.0, 0.5 * below.height_mm])),
        )
        upper, lower = (disc.frame.from_lps(plate)[0] for plate in plates)
        assert upper - lower == pytest.approx(disc.slip_mm, abs=1.6)


@pytest.mark.parametrize(("variant", "count"), sorted(LUMBAR_COUNT.items()))
def test_variants_have_their_number_of_levels(variant, count):
    joints = person(variant=variant).spine.graded_joints()
    assert len(joints) == 2 * count
    assert len({(joint.level, joint.side) for joint in joints}) == 2 * count


def test_another_posture_is_the_same_person():
    lying, moved = (
        person(5),
        person(5, Posture(lordosis_change_share=0.05, pitch_deg=2.0, offset_mm=(3, 4, 5))),
    )
    for one, other in zip(lying.spine.joints, moved.spine.joints, strict=True):
        disc, again = lying.spine.discs[one.disc], moved.spine.discs[other.disc]
        np.testing.assert_allclose(
            disc.frame.from_lps(one.frame.origin), again.frame.from_lps(other.frame.origin), atol=1e-9
        )
    assert not np.allclose(lying.spine.joints[0].frame.origin, moved.spine.joints[0].frame.origin)


def test_the_perimeter_is_measured_by_its_length():
    joint = person().spine.graded_joints()[4]
    lattice = Lattice.between(joint.frame.origin - 16, joint.frame.origin + 16, 0.5)
    window = lattice.window(lattice.low_mm, lattice.high_mm)
    local = joint_coordinates(window, joint)
    distance, place = perimeter_distance(local, joint, 0.0), perimeter_position(local, joint)
    shell = (distance > 3.5) & (distance < 4.5) & (np.abs(local[2]) < 5)
    shares, _ = np.histogram(place[shell], bins=6, range=(0, 1))
    assert np.all(np.abs(shares / shares.sum() - 1 / 6) < 0.045)
    half = 0.5 * joint.length_mm
    total = 4 * half + 2 * np.pi * PERIMETER_RADIUS_MM
    tip = np.concatenate([[np.float32(half + 4)], [np.float32(0)], [np.float32(0)]])
    assert perimeter_position((tip[:1], tip[1:2], tip[2:]), joint)[0] == pytest.approx(
        (2 * half + 0.5 * np.pi * PERIMETER_RADIUS_MM) / total, abs=1e-4
    )


def test_joint_points_and_coordinates_are_inverse():
    joint = next(j for j in person().spine.graded_joints() if j.side is Side.RIGHT)
    point = joint_point(joint, 4.0, 1.5, -3.0)
    lattice = Lattice.between(point, point + 0.1, 1.0)
    along, across, height = joint_coordinates(lattice.window(point - 0.2, point + 0.2), joint)
    found = (along[0, 0, 0], across[0, 0, 0], height[0, 0, 0])
    assert found == pytest.approx((4.0, 1.5, -3.0), abs=1e-3)
