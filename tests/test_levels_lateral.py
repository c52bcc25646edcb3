"""The discs' course from side to side: what bends it, and what several series make of it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfja_mri.config import load_pipeline_settings
from lfja_mri.levels.frames import DiscFrame, with_lateral_extent
from lfja_mri.levels.lateral import Course, common_course, smooth_laterally
from lfja_mri.model import Axes, BoolArray, FloatArray

SETTINGS = load_pipeline_settings().levels
AXES = Axes(np.array([0.0, 0.0, 1.0]), np.array([0.0, -1.0, 0.0]), np.array([1.0, 0.0, 0.0]))
SAME_MM = 10.0
HEIGHTS_MM = 35.0 * np.arange(3, -4, -1)


def course(
    left_mm: FloatArray, trust: FloatArray | None = None, heights_mm: FloatArray = HEIGHTS_MM
) -> Course:
    frames = tuple(
        DiscFrame(np.array([left, 5.0, height]), AXES, 34.0, 48.0, 9.0)
        for left, height in zip(left_mm, heights_mm, strict=True)
    )
    return Course(frames, np.ones(len(frames)) if trust is None else trust)


def left_of(found: Course) -> FloatArray:
    return found.centres_lps_mm[:, 0]


def bow(middle_mm: float = 4.0, bend_mm: float = 9.0) -> FloatArray:
    """A scoliosis: one bow over the height of the spine."""
    return middle_mm + bend_mm * (HEIGHTS_MM / 105.0) ** 2


def test_a_bow_is_kept() -> None:
    assert left_of(smooth_laterally(course(bow()))) == pytest.approx(bow(), abs=1e-6)


def test_a_disc_below_the_sacrum_that_was_only_interpolated_does_not_bend_the_rest() -> None:
    stray = bow()
    stray[-2:] -= 25.0
    trust = np.array([1.0, 1.0, 1.0, 1.0, 1.0, 0.02, 0.02])
    found = left_of(smooth_laterally(course(stray, trust)))
    assert np.abs(found - bow())[:5].max() < 1.0
    assert np.abs(left_of(smooth_laterally(course(stray))) - bow())[:5].max() > 3.0


def test_one_series_that_strays_at_its_lowest_disc_is_drawn_back_by_two_others() -> None:
    strayed = bow()
    strayed[-1] += 6.0
    others = [course(bow() + 3.0), course(bow() - 2.0)]
    before = np.abs(strayed - bow()).max()
    after = np.abs(left_of(common_course(course(strayed), others, SAME_MM)) - bow()).max()
    assert before == pytest.approx(6.0)
    assert after < 3.0


@given(st.floats(-8.0, 8.0), st.integers(1, 3))
def test_a_person_who_lies_elsewhere_in_other_series_moves_nothing(shift_mm: float, series: int) -> None:
    others = [course(bow() + shift_mm * (k + 1)) for k in range(series)]
    assert left_of(common_course(course(bow()), others, SAME_MM)) == pytest.approx(bow(), abs=1e-9)


def test_series_that_share_too_few_discs_say_nothing() -> None:
    elsewhere = course(bow() + np.linspace(0.0, 9.0, 7), heights_mm=HEIGHTS_MM + 190.0)
    lead = course(bow())
    assert common_course(lead, [elsewhere], SAME_MM) is lead


def disc_from(right_end: float, left_end: float, view: tuple[float, float]) -> DiscFrame:
    """Measure a disc between two ends, seen in a view from side to side, from a canal at 0."""

    def share(points: FloatArray) -> FloatArray:
        x = points[:, 0]
        return np.asarray(
            (x > right_end) & (x < left_end) & (x >= view[0]) & (x <= view[1]), dtype=np.float64
        )

    def inside(points: FloatArray) -> BoolArray:
        return np.asarray((points[:, 0] >= view[0]) & (points[:, 0] <= view[1]))

    frame = DiscFrame(np.zeros(3), AXES, 34.0, 48.0, 9.0)
    return with_lateral_extent(frame, share, inside, SETTINGS)


def test_a_disc_that_is_cut_off_reaches_at_least_to_the_edge_of_the_view() -> None:
    wide = disc_from(-31.0, 30.0, (-28.0, 60.0))
    assert abs(wide.centre_lps_mm[0]) < 1.5
    usual = disc_from(-18.0, 30.0, (-12.0, 60.0))
    assert usual.centre_lps_mm[0] == pytest.approx(SETTINGS.lateral_trust * 6.0, abs=1.0)
