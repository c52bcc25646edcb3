"""Ribs beside T12 and L1 as a second evidence: drawn ovals with known answers, and what becomes of the names."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as run_settings
from hypothesis import strategies as st

from lfja_mri.config import load_pipeline_settings
from lfja_mri.levels.frames import DiscFrame
from lfja_mri.levels.numbering import Naming
from lfja_mri.levels.ribs import (
    DISAGREE,
    Body,
    Count,
    Likeness,
    RibEvidence,
    Ribs,
    body_above,
    neck_course,
    rib_evidence,
    weigh_ribs,
)
from lfja_mri.model import (
    STANDARD_LEVELS,
    Axes,
    Contrast,
    Image,
    NumberingBasis,
    Plane,
    Role,
    Side,
    Volume,
)

SETTINGS = load_pipeline_settings().levels.ribs
MIDLINE_MM, DEPTH_MM, PITCH_MM = 4.0, 33.0, 34.0
UPRIGHT = Axes(np.array([0.0, 0.0, 1.0]), np.array([0.0, -1.0, 0.0]), np.array([1.0, 0.0, 0.0]))
TWO_DISCS_ABOVE = 2  # T11-T12, T12-L1
EVERYONE = tuple((name, side) for name in ("T12", "L1") for side in Side)
TWELFTH = tuple(pair for pair in EVERYONE if pair[0] == "T12")


def frames() -> list[DiscFrame]:
    """Discs from T11-T12 down, one pitch apart; L1-L2 lies at the origin's height."""
    heights = PITCH_MM * np.arange(TWO_DISCS_ABOVE, -5, -1)
    return [DiscFrame(np.array([MIDLINE_MM, 0.0, z]), UPRIGHT, DEPTH_MM, 47.0, 8.0) for z in heights]


def bodies() -> dict[str, Body]:
    found = {name: body_above(frames(), TWO_DISCS_ABOVE - k) for k, name in enumerate(("L1", "T12"))}
    return {name: body for name, body in found.items() if body is not None}


def picture(
    ribs: Collection[tuple[str, Side]], *, half_width_mm: float = 36.0, top_mm: float = 80.0
) -> Volume:
    """Bright fat with muscle behind, and an oval of bone wherever a rib's neck crosses a slice."""
    lateral = np.arange(MIDLINE_MM - half_width_mm, MIDLINE_MM + half_width_mm + 0.1, 4.0)
    back, up = np.arange(-30.0, 70.0), np.arange(-40.0, top_mm)
    affine = np.array(
        [[0, 0, 4.0, lateral[0]], [1.0, 0, 0, back[0]], [0, 1.0, 0, up[0]], [0, 0, 0, 1.0]], dtype=np.float64
    )
    values = np.full((len(lateral), len(up), len(back)), 100.0, np.float32)
    values[:, :, back > 36.0] = 20.0
    for name, side in ribs:
        body = bodies()[name]
        for plane, x in enumerate(lateral):
            out = (x - MIDLINE_MM) * side.lateral_sign
            behind, above = neck_course(body, out, SETTINGS)
            oval = np.hypot((up[:, None] - body.centre_lps_mm[2] - above) / 6.5, (back - behind) / 5.0) < 1
            values[plane][oval] = 35.0 if out > 15.0 else values[plane][oval]
    return Volume(values, affine, 4.0)


def image(volume: Volume, contrast: Contrast = Contrast.T2) -> Image:
    return Image("s1k1", volume, Role(Plane.SAGITTAL, contrast))


def judged(volume: Volume, contrast: Contrast = Contrast.T2) -> tuple[Ribs, Ribs, Count]:
    found = rib_evidence([image(volume, contrast)], frames(), TWO_DISCS_ABOVE, SETTINGS)
    return found.ribs("T12"), found.ribs("L1"), found.count


def naming(basis: NumberingBasis = NumberingBasis.SACRUM, certainty: float = 1.0) -> Naming:
    return Naming((None, None, *STANDARD_LEVELS), 6, certainty, basis, ())


@pytest.mark.parametrize(
    ("ribs", "expected"),
    [
        (TWELFTH, (Ribs.PRESENT, Ribs.ABSENT, Count.AGREES)),
        ((), (Ribs.ABSENT, Ribs.ABSENT, Count.DISAGREES)),  # six lumbar vertebrae, or T12 without ribs
        (EVERYONE, (Ribs.PRESENT, Ribs.PRESENT, Count.DISAGREES)),  # four lumbar vertebrae
        (TWELFTH[:1], (Ribs.UNCLEAR, Ribs.ABSENT, Count.UNKNOWN)),  # one side alone decides nothing
    ],
)
def test_ribs_are_counted(ribs: tuple[tuple[str, Side], ...], expected: tuple[Ribs, Ribs, Count]) -> None:
    assert judged(picture(ribs)) == expected


def test_a_stack_that_ends_before_the_ribs_says_nothing() -> None:
    assert judged(picture(TWELFTH, half_width_mm=20.0)) == (Ribs.NOT_SEEN, Ribs.NOT_SEEN, Count.UNKNOWN)


def test_a_view_that_ends_below_t12_judges_l1_alone() -> None:
    assert judged(picture(TWELFTH, top_mm=36.0)) == (Ribs.NOT_SEEN, Ribs.ABSENT, Count.UNKNOWN)


@pytest.mark.parametrize("contrast", [Contrast.STIR, Contrast.T2_FS, Contrast.DIXON_WATER, Contrast.T1_FS])
def test_dark_fat_shows_no_ribs(contrast: Contrast) -> None:
    assert judged(picture(TWELFTH), contrast)[2] is Count.UNKNOWN


def test_a_void_is_not_an_absent_rib() -> None:
    empty = picture(())
    values = empty.values_zyx.copy()
    values[np.r_[0:5, 14:19]] = 0.0  # metal, or a saturation band, on both sides
    assert judged(Volume(values, empty.voxel_to_lps, 4.0))[2] is Count.UNKNOWN


@run_settings(max_examples=15, deadline=None)
@given(
    gain=st.floats(0.05, 50.0),
    offset=st.floats(0.0, 500.0),
    turned=st.booleans(),
    ribs=st.sets(st.sampled_from(EVERYONE)),
)
def test_neither_grey_scale_nor_array_order_matters(
    gain: float, offset: float, *, turned: bool, ribs: set[tuple[str, Side]]
) -> None:
    plain = picture(sorted(ribs))
    values, affine = plain.values_zyx * np.float32(gain) + np.float32(offset), plain.voxel_to_lps.copy()
    if turned:
        affine[:3, 3] += affine[:3, 2] * (len(values) - 1)
        affine[:3, 2] *= -1
        values = values[::-1].copy()
    ours, theirs = (
        rib_evidence([image(v)], frames(), TWO_DISCS_ABOVE, SETTINGS).likeness
        for v in (plain, Volume(values, affine, 4.0))
    )
    for key in EVERYONE:
        one, other = ours[key], theirs[key]
        assert one is not None
        assert other is not None
        assert one.mean == pytest.approx(other.mean, abs=2e-3)


@run_settings(max_examples=15, deadline=None)
@given(ribs=st.sets(st.sampled_from(EVERYONE)))
def test_each_side_speaks_for_itself(ribs: set[tuple[str, Side]]) -> None:
    found = rib_evidence([image(picture(sorted(ribs)))], frames(), TWO_DISCS_ABOVE, SETTINGS).likeness
    for key in EVERYONE:
        value = found[key]
        assert value is not None
        assert (value.mean >= SETTINGS.present_from) == (key in ribs)


def test_ribs_that_agree_leave_the_certainty() -> None:
    found = weigh_ribs(naming(), frames(), [image(picture(TWELFTH))], SETTINGS)
    assert (found.certainty, found.flags) == (1.0, ())


def test_the_sacrum_alone_is_never_certain() -> None:
    found = weigh_ribs(naming(), frames(), [image(picture(TWELFTH), Contrast.STIR)], SETTINGS)
    assert (found.certainty, found.flags) == (SETTINGS.sacrum_alone_confidence, ())


def test_ribs_that_disagree_are_flagged_and_cost_the_confidence() -> None:
    found = weigh_ribs(naming(), frames(), [image(picture(()))], SETTINGS)
    assert found.flags == (DISAGREE,)
    assert found.certainty < 0.9


def test_an_override_is_flagged_but_not_doubted() -> None:
    found = weigh_ribs(naming(NumberingBasis.OVERRIDE), frames(), [image(picture(EVERYONE))], SETTINGS)
    assert (found.certainty, found.flags) == (1.0, (DISAGREE,))


def test_doubt_is_never_lifted() -> None:
    assumed = naming(NumberingBasis.ASSUMED, 0.4)
    assert weigh_ribs(assumed, frames(), [image(picture(TWELFTH))], SETTINGS).certainty == 0.4


def test_a_row_without_l1_l2_asks_no_ribs() -> None:
    low = Naming(STANDARD_LEVELS[2:], 2, 1.0, NumberingBasis.SACRUM, ())
    found = weigh_ribs(low, frames()[4:], [image(picture(()))], SETTINGS)
    assert (found.certainty, found.flags) == (SETTINGS.sacrum_alone_confidence, ())


def test_a_process_that_crosses_the_nearest_slices_is_no_rib() -> None:
    """Nor is a wide pedicle: it looks like a neck up to 24 mm from the midline, so the best places alone would call it one."""
    rib, crossing = Likeness(SETTINGS.present_from + 0.1, SETTINGS.runs_on_from), Likeness(0.6, 0.2)
    beside = {("T12", side): rib for side in Side} | {("L1", side): crossing for side in Side}
    found = RibEvidence(beside, SETTINGS)
    assert found.ribs("L1") is Ribs.PRESENT
    assert found.count is Count.UNKNOWN
    assert (
        RibEvidence({**beside, ("L1", Side.LEFT): rib, ("L1", Side.RIGHT): rib}, SETTINGS).count
        is Count.DISAGREES
    )
