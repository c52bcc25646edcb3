"""The frame of a disc drawn by hand: where the mid-plane runs when the disc is no brick."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfja_mri.config import load_pipeline_settings
from lfja_mri.levels.frames import disc_frame
from lfja_mri.model import FloatArray

SETTINGS = load_pipeline_settings().levels
UP = np.array([0.0, 0.0, 1.0])


def disc(hook_mm: float, tilt_deg: float = 0.0) -> FloatArray:
    """Voxels of a disc 36 mm deep and 8 mm high whose front quarter hangs `hook_mm` lower, tilted front down."""
    left, ahead, up = np.meshgrid(
        np.arange(-8.0, 9.0, 4.0), np.arange(-17.9, 18.0, 0.5), np.arange(-4.0, 4.5, 0.5)
    )
    hung = up - np.where(ahead > 9.0, hook_mm, 0.0)
    angle = np.radians(tilt_deg)
    posterior = -(np.cos(angle) * ahead + np.sin(angle) * hung)
    cranial = np.cos(angle) * hung - np.sin(angle) * ahead
    return np.stack([left.ravel(), posterior.ravel(), cranial.ravel()], axis=1)


@pytest.mark.parametrize("tilt_deg", [0.0, 15.0, 35.0])
def test_plane_of_a_straight_disc_is_its_tilt(tilt_deg: float) -> None:
    points = disc(0.0, tilt_deg)
    frame = disc_frame(points, np.ones(len(points)), 4.0, UP, 0.0, SETTINGS)
    found = np.degrees(np.arctan2(-frame.axes.anterior[2], -frame.axes.anterior[1]))
    assert found == pytest.approx(tilt_deg, abs=0.5)


def test_front_that_hangs_down_does_not_lift_the_plane_behind_the_disc() -> None:
    points = disc(4.0)
    frame = disc_frame(points, np.ones(len(points)), 4.0, UP, 0.0, SETTINGS)
    canal = np.array([0.0, 28.0, 0.0])
    assert abs(float((canal - frame.centre_lps_mm) @ frame.axes.cranial)) < 2.0


def test_plane_turns_no_further_than_its_limit() -> None:
    points = disc(0.0)
    points[:, 2] -= 0.5 * np.clip(points[:, 1] - 4.0, 0.0, None)
    frame = disc_frame(points, np.ones(len(points)), 4.0, UP, 0.0, SETTINGS)
    turned = np.degrees(np.arctan2(abs(frame.axes.anterior[2]), abs(frame.axes.anterior[1])))
    assert turned < 2 * SETTINGS.largest_levelling_deg


def test_disc_seen_in_two_pieces_still_has_a_centre() -> None:
    points = disc(0.0)
    pieces = points[np.abs(points[:, 1]) > 10.0]
    frame = disc_frame(pieces, np.ones(len(pieces)), 4.0, UP, 0.0, SETTINGS)
    assert frame.centre_lps_mm == pytest.approx([0.0, 0.0, 0.0], abs=0.5)
    assert frame.depth_mm == pytest.approx(36.0, abs=2.0)


def test_a_lone_voxel_nearer_the_midline_does_not_stand_for_a_disc_beside_it() -> None:
    """What the network calls a disc far off the midline, in the pelvis as a rule, may begin with one voxel of one plane."""
    beside = disc(0.0, 20.0) + np.array([26.0, 0.0, 0.0])
    alone = disc_frame(beside, np.ones(len(beside)), 4.0, UP, 0.0, SETTINGS)
    points = np.vstack([beside, [[12.0, 9.0, -3.0]]])
    frame = disc_frame(points, np.ones(len(points)), 4.0, UP, 0.0, SETTINGS)
    assert frame.depth_mm == pytest.approx(alone.depth_mm, abs=0.5)
    assert frame.centre_lps_mm == pytest.approx(alone.centre_lps_mm, abs=0.5)


@given(
    st.lists(st.tuples(*[st.floats(-40.0, 40.0, width=32)] * 3), min_size=1, max_size=12),
    st.floats(1.0, 8.0),
)
def test_any_voxels_give_a_frame_of_finite_numbers(points, pitch_mm) -> None:
    lps = np.array(points, dtype=np.float64)
    frame = disc_frame(lps, np.ones(len(lps)), pitch_mm, UP, 0.0, SETTINGS)
    numbers = [
        *frame.centre_lps_mm,
        *frame.axes.anterior,
        *frame.axes.cranial,
        frame.depth_mm,
        frame.height_mm,
    ]
    assert np.isfinite(numbers).all()
    assert abs(frame.axes.anterior @ frame.axes.cranial) < 1e-6
