"""How far a joint reaches is read from evidence with known ends."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lfja_mri.config import load_pipeline_settings
from lfja_mri.facets.extent import HeightProfile, Sheet, fit_height, fit_tips
from lfja_mri.facets.frames import JointShape
from lfja_mri.settings.facets import RefineSettings

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
REFINE: RefineSettings = load_pipeline_settings().facets.refine


def _slices(
    middle_mm: float, tall_mm: float, pitch_mm: float = 4.0, start_mm: float = -12.0
) -> HeightProfile:
    """Scores as slices of some thickness give them: shared where an end lies within a slice."""
    heights = start_mm + np.arange(8) * pitch_mm
    overlap = 0.5 * tall_mm + 0.5 * pitch_mm - np.abs(heights - middle_mm)
    return HeightProfile(heights, 0.1 + 0.7 * np.clip(overlap / pitch_mm, 0.0, 1.0))


def _beside(middle_mm: float, tall_mm: float) -> HeightProfile:
    heights = np.arange(-17.5, 17.51, 0.7)
    inside = np.abs(heights - middle_mm) < 0.5 * tall_mm
    return HeightProfile(heights, np.where(inside, 0.8, -0.1))


@given(middle=st.floats(-3.5, 3.5), start=st.floats(-14.0, -12.0))
@settings(max_examples=30, deadline=None)
def test_the_height_is_found_within_a_third_of_a_slice(middle: float, start: float) -> None:
    """Wherever the slices happen to lie."""
    found, tall = fit_height(_slices(middle, 16.0, start_mm=start), None, SHAPE, REFINE)
    assert found == pytest.approx(middle, abs=1.4)
    assert tall == pytest.approx(16.0, abs=2.5)


def test_sagittal_slices_sharpen_the_height() -> None:
    """Where they show the joint, its middle comes within their own step."""
    found, tall = fit_height(_slices(1.0, 16.0), _beside(2.0, 17.0), SHAPE, REFINE)
    assert found == pytest.approx(2.0, abs=0.5)
    assert tall == pytest.approx(17.0, abs=1.0)


def test_a_bright_spot_does_not_move_the_height() -> None:
    """A vein on the sagittal slices is too short to be a joint."""
    plain = fit_height(_slices(0.0, 16.0), None, SHAPE, REFINE)
    assert fit_height(_slices(0.0, 16.0), _beside(6.0, 4.0), SHAPE, REFINE) == plain


def _sheet(middle_mm: float, length_mm: float, *, line: float, past: float = 0.1) -> Sheet:
    """An elliptical joint on seven slices: marrow, a dark pair, and a line of some signal between its tips."""
    heights, along = np.arange(-12.0, 12.1, 4.0), np.arange(-10.5, 10.51, 0.5)
    across = np.arange(-4.0, 4.01, 0.4)
    share = np.clip(1.0 - (2.0 * heights / SHAPE.height_mm) ** 2, 0.0, 1.0) ** 0.5
    inside = np.abs(along - middle_mm) <= 0.5 * length_mm * share[:, None] + 1e-9
    profiles = np.where(np.abs(across) > 2.6, 1.0, 0.1) * np.ones((*inside.shape, 1))
    core = (np.abs(across) < 0.7) & inside[..., None]
    return Sheet(heights, along, np.where(inside, 0.8, past), np.where(core, line, profiles), across)


@pytest.mark.parametrize("line", [0.1, 0.9])
@pytest.mark.parametrize("middle", [-1.0, 0.0, 1.5])
def test_tips_are_found_with_and_without_a_bright_line(line: float, middle: float) -> None:
    """A closed joint has its evidence only, an open one its line."""
    found, length = fit_tips(_sheet(middle, 13.0, line=line), SHAPE, REFINE)
    assert found == pytest.approx(middle, abs=0.75)
    assert length == pytest.approx(13.0, abs=1.4)


def test_the_line_outvotes_evidence_that_fades_slowly() -> None:
    """Likeness to a joint runs on past the tips; the line between the dark pair does not."""
    _, length = fit_tips(_sheet(0.0, 12.0, line=0.9, past=0.7), SHAPE, REFINE)
    assert length == pytest.approx(12.0, abs=1.4)


def test_a_single_slice_still_gives_tips() -> None:
    """A study may have one axial slice of a joint."""
    whole = _sheet(0.0, 13.0, line=0.9)
    one = replace(
        whole,
        heights_mm=whole.heights_mm[3:4],
        evidence=whole.evidence[3:4],
        profiles=whole.profiles[3:4],
    )
    _, length = fit_tips(one, SHAPE, REFINE)
    assert length == pytest.approx(13.0, abs=2.0)
