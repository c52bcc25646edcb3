"""A known motion put in comes out, the same either way round; what cannot be told is said to be uncertain."""

from __future__ import annotations

import numpy as np
import pytest
from change_world import EYE, STIR, T2_FS, World, disc_at, stack
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from lfja_mri.change.layers import LevelImages
from lfja_mri.change.registration import register_level
from lfja_mri.change.rigid import Rigid, between_frames, disc_frame
from lfja_mri.config import load_change_settings
from lfja_mri.model import Plane

SETTINGS = load_change_settings().registration
WORLD = World()
JOINTS_MM = np.array([[17.0, 14.0, -4.0], [-17.0, 14.0, -4.0]])
MOVED = Rigid(Rotation.from_euler("xyz", [3, -2, 4], degrees=True).as_matrix(), np.array([4.0, -7.0, 11.0]))


def visit(motion, *, axial=True, noise=0.0, seed=1, offset_mm=0.0, gain=1.0, world=WORLD):
    images = [
        stack(
            world,
            motion,
            Plane.SAGITTAL,
            key="a",
            role=STIR,
            noise=noise,
            seed=seed,
            offset_mm=offset_mm,
            gain=gain,
        )
    ]
    if axial:
        images.append(stack(world, motion, Plane.AXIAL, key="b", role=T2_FS, noise=noise, seed=seed + 1))
    return LevelImages({str(image.role): (image,) for image in images}, {})


def errors_mm(found, truth=MOVED):
    return np.linalg.norm(found.together.whole.apply(JOINTS_MM) - truth.apply(JOINTS_MM), axis=1)


@pytest.fixture(scope="module")
def found():
    return register_level(
        disc_at(EYE),
        disc_at(MOVED, error_mm=(2.0, 1.0, -2.0)),
        visit(EYE, noise=10),
        visit(MOVED, noise=10, seed=5, offset_mm=1.7, gain=2.5),
        SETTINGS,
    )


def test_a_known_motion_is_found_although_gain_noise_and_slices_differ(found):
    assert errors_mm(found).max() < 0.3
    assert found.together.correlation > 0.9
    assert tuple(found.by_role) == ("axial_t2_fs", "sagittal_stir")


def test_the_stated_error_is_of_the_size_of_the_true_one(found):
    stated = [found.error_mm(found.together.to_middle.apply(joint)) for joint in JOINTS_MM]
    assert all(0.002 < error < 0.3 for error in stated), "noise of a tenth of the contrast in 20 000 places"


def test_swapping_the_visits_inverts_the_motion(found):
    backward = register_level(
        disc_at(MOVED, error_mm=(2.0, 1.0, -2.0)),
        disc_at(EYE),
        visit(MOVED, noise=10, seed=5, offset_mm=1.7, gain=2.5),
        visit(EYE, noise=10),
        SETTINGS,
    )
    there_and_back = backward.together.whole.apply(found.together.whole.apply(JOINTS_MM))
    # Steps below 0.01 mm end the search.
    assert there_and_back == pytest.approx(JOINTS_MM, abs=0.01)
    middle = backward.together.to_middle.apply(MOVED.apply(JOINTS_MM))
    assert middle == pytest.approx(found.together.from_middle.inverse.apply(MOVED.apply(JOINTS_MM)), abs=0.01)


def test_a_visit_against_itself_does_not_move():
    same = register_level(disc_at(EYE), disc_at(EYE), visit(EYE), visit(EYE), SETTINGS)
    assert same.together.whole.apply(JOINTS_MM) == pytest.approx(JOINTS_MM, abs=1e-9)


def test_sagittal_slices_alone_find_the_motion():
    alone = register_level(
        disc_at(EYE),
        disc_at(MOVED, error_mm=(2.0, 1.0, -2.0)),
        visit(EYE, noise=10, axial=False),
        visit(MOVED, noise=10, seed=5, axial=False, offset_mm=1.7),
        SETTINGS,
    )
    assert errors_mm(alone).max() < 0.3
    assert tuple(alone.by_role) == ("sagittal_stir",)


def test_a_shift_of_one_series_is_taken_into_account():
    """The patient moved 3 mm before the axial series of the follow-up."""
    late = Rigid(np.eye(3), np.array([0.0, 3.0, 0.0])).after(MOVED)
    images = visit(MOVED)
    shifted = LevelImages(
        images.by_role | {"axial_t2_fs": visit(late).by_role["axial_t2_fs"]}, {"b": np.array([0.0, 3.0, 0.0])}
    )
    result = register_level(disc_at(EYE), disc_at(MOVED), visit(EYE), shifted, SETTINGS)
    assert errors_mm(result).max() < 0.3


def test_another_anatomy_correlates_poorly():
    visits = visit(EYE), visit(EYE, world=World(9))
    other = register_level(disc_at(EYE), disc_at(EYE), *visits, SETTINGS, coarse_only=True)
    assert other is None or other.together.correlation < SETTINGS.least_correlation


def test_no_shared_series_gives_nothing():
    sagittal_only = visit(EYE, axial=False)
    axial_only = LevelImages({"axial_t2_fs": visit(EYE).by_role["axial_t2_fs"]}, {})
    assert register_level(disc_at(EYE), disc_at(EYE), sagittal_only, axial_only, SETTINGS) is None


# ------------------------------------------------------------------------------------------------- motions

motions = st.builds(
    lambda angles, shift: Rigid(
        Rotation.from_euler("xyz", angles, degrees=True).as_matrix(), np.array(shift)
    ),
    st.tuples(*[st.floats(-40, 40)] * 3),
    st.tuples(*[st.floats(-200, 200)] * 3),
)


@given(motions)
@settings(max_examples=60, deadline=None)
def test_half_a_motion_twice_is_the_motion_and_the_half_of_the_way_back_is_the_way_back_of_the_half(motion):
    assert motion.half.after(motion.half).apply(JOINTS_MM) == pytest.approx(motion.apply(JOINTS_MM), abs=1e-8)
    assert motion.inverse.half.apply(JOINTS_MM) == pytest.approx(
        motion.half.inverse.apply(JOINTS_MM), abs=1e-8
    )


@given(motions, motions)
@settings(max_examples=30, deadline=None)
def test_the_motion_between_frames_takes_one_to_the_other(first, second):
    one, other = disc_at(first), disc_at(second)
    motion = between_frames(
        disc_frame(one.axes), one.centre_lps_mm, disc_frame(other.axes), other.centre_lps_mm
    )
    assert motion.apply(one.centre_lps_mm) == pytest.approx(other.centre_lps_mm, abs=1e-8)
    assert motion.turn(one.axes.anterior) == pytest.approx(other.axes.anterior, abs=1e-8)
