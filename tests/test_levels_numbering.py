"""Which disc is L5-S1: measures with known answers, and one decision from several series."""

from __future__ import annotations

import itertools
from dataclasses import replace

import fake_spine
import numpy as np
import pytest

from lfja_mri.config import load_pipeline_settings
from lfja_mri.levels.consensus import Reading, common_row, decide, read_chain
from lfja_mri.levels.network import Segmentation
from lfja_mri.levels.numbering import hypothesis_scores, log_density, name_discs, sacrum_in_view, shares_of
from lfja_mri.levels.sequence import Chain, course_cost, find_chain
from lfja_mri.levels.shape import MEASURES
from lfja_mri.model import Contrast, Image, Level, NumberingBasis, Plane, Role, Volume

SETTINGS = load_pipeline_settings().levels
S1, S2, BODY, DISC = (fake_spine.CLASSES.index(name) for name in ("s1", "s2", "body", "disc"))


def chain_of(field: Segmentation) -> Chain:
    chain = find_chain(field, SETTINGS)
    assert chain is not None
    return chain


def reading(field: Segmentation, contrast: Contrast) -> Reading:
    volume = Volume(np.zeros((1, 1, 1), np.float32), np.eye(4), 4.0)
    image = Image(contrast.value, volume, Role(Plane.SAGITTAL, contrast))
    return read_chain(image, chain_of(field), SETTINGS)


def relabelled(field: Segmentation, swaps: dict[int, int]) -> Segmentation:
    """Give some classes the names of others, as a network that errs does."""
    shares = field.shares.copy()
    for source, target in swaps.items():
        taken = np.argmax(field.shares, axis=0) == source
        shares[:, taken] = 0.01
        shares[target, taken] = 0.94
    return Segmentation(shares, field.voxel_to_lps, field.classes)


def led_astray(discs: int = 5) -> Segmentation:
    """A network that calls S1 a lumbar body and S2 S1, with a remnant disc between them."""
    field, _ = fake_spine.spine(discs=discs, s1_s2_disc=True)
    return relabelled(field, {S1: BODY, S2: S1})


def without_sacrum(below_mm: float) -> Segmentation:
    """The view ends some way below L5-S1."""
    field, centres = fake_spine.spine(discs=5)
    row = int((field.voxel_to_lps[2, 3] - centres[-1][2] + below_mm) / fake_spine.GRID_MM)
    return Segmentation(field.shares[:, :, :row], field.voxel_to_lps, field.classes)


def test_measures_of_a_drawn_junction() -> None:
    chain = chain_of(fake_spine.spine(discs=5, s1_s2_disc=True)[0])
    at = {name: [measure(chain, k) for k in range(6)] for name, measure in MEASURES.items()}
    assert at["tilt_deg"][2:] == pytest.approx([0.0, 13.0, 33.0, 55.0], abs=2.0)
    assert at["bend_deg"][4] == pytest.approx(21.0, abs=3.0)
    assert at["depth_ratio"][4] == pytest.approx(1.0, abs=0.05)
    assert at["depth_ratio"][5] == pytest.approx(11.0 / 17.0, abs=0.06)
    assert at["taper"][2] == pytest.approx(1.0, abs=0.03)
    assert at["taper"][4] == pytest.approx(0.74, abs=0.06)
    assert at["log_volume_ratio"][5] < -0.4
    assert at["depth_ratio"][0] is None
    assert at["bend_deg"][0] is None


def test_place_is_measured_from_the_middle_of_the_image() -> None:
    field, centres = fake_spine.spine()
    middle = field.voxel_to_lps[2, 3] - fake_spine.GRID_MM * (fake_spine.SHAPE[1] - 1) / 2
    assert MEASURES["place_mm"](chain_of(field), 5) == pytest.approx(centres[5][2] - middle, abs=1.5)


def test_an_interpolated_disc_has_no_shape_of_its_own() -> None:
    chain = chain_of(fake_spine.spine(missing=(3,))[0])
    assert [MEASURES[name](chain, 3) for name in ("tilt_deg", "depth_ratio", "log_volume_ratio")] == [
        None
    ] * 3


def test_a_column_without_the_lumbosacral_bend_is_doubted() -> None:
    naming = name_discs(chain_of(fake_spine.spine(straight=True)[0]), SETTINGS)
    assert naming.levels[-1] is Level.L5_S1
    assert "numbering_uncertain" in naming.flags
    assert naming.certainty < 0.9


def test_shape_speaks_against_a_network_that_calls_s1_lumbar() -> None:
    naming = name_discs(chain_of(led_astray()), SETTINGS)
    assert naming.sacral == 4 or "numbering_uncertain" in naming.flags


def test_two_series_outvote_one_that_is_led_astray() -> None:
    field, _ = fake_spine.spine(discs=5)
    series = [(field, Contrast.T1), (field, Contrast.T2), (led_astray(), Contrast.STIR)]
    readings = [reading(each, contrast) for each, contrast in series]
    decision = decide(readings, SETTINGS, None)
    assert decision.naming.sacral == 4
    assert decision.naming.levels[4] is Level.L5_S1
    assert decision.naming.basis is NumberingBasis.SACRUM
    assert decision.naming.flags == (
        "transitional_anatomy_suspected",
    )  # sure which disc it is, not what it should be called
    assert decision.naming.certainty == SETTINGS.suspected_confidence


def test_the_order_of_the_series_does_not_matter() -> None:
    field, _ = fake_spine.spine(discs=5)
    series = [(field, Contrast.T1), (led_astray(), Contrast.STIR), (without_sacrum(10.0), Contrast.T2)]
    found = {
        (round(d.naming.certainty, 12), d.lead.image.key, d.naming.levels, d.naming.flags)
        for order in itertools.permutations([reading(*each) for each in series])
        for d in [decide(order, SETTINGS, None)]
    }
    assert len(found) == 1


def test_series_that_are_sure_of_different_discs_are_said_to_disagree() -> None:
    field, _ = fake_spine.spine(discs=5, s1_s2_disc=True)
    one, other = reading(field, Contrast.T2), reading(field, Contrast.STIR)
    slipped = Reading(other.image, other.chain, np.array([0.0, 0.0, 0.0, 0.0, 0.0, 30.0, 0.0]))
    decision = decide([one, slipped], SETTINGS, None)
    assert "series_disagree" in decision.naming.flags
    assert "numbering_uncertain" in decision.naming.flags
    assert decision.naming.certainty < 0.9


def test_a_series_that_misses_a_disc_does_not_lead() -> None:
    whole = [reading(fake_spine.spine()[0], contrast) for contrast in (Contrast.T1, Contrast.PD)]
    bright = reading(fake_spine.spine()[0], Contrast.STIR)
    kept = [0, 1, 2, 4, 5]
    lame = Chain(
        tuple(bright.chain.discs[k] for k in kept),
        bright.chain.canal,
        bright.chain.segments[kept],
        bright.chain.inside[kept],
        bright.chain.field,
    )
    decision = decide([*whole, Reading(bright.image, lame, bright.scores[[*kept, 6]])], SETTINGS, None)
    assert decision.lead.image.role.contrast is not Contrast.STIR
    assert len(decision.naming.levels) == 6
    assert "series_disagree" in decision.naming.flags
    assert decision.naming.certainty == pytest.approx(2 / 3, abs=0.05)


def test_agreement_raises_the_certainty() -> None:
    one = reading(fake_spine.spine(straight=True)[0], Contrast.T2)
    alone, together = (decide([one] * count, SETTINGS, None).naming for count in (1, 3))
    assert together.certainty > alone.certainty


@pytest.mark.parametrize("below_mm", [-12.0, 10.0])
def test_a_view_that_ends_above_the_sacrum_is_assumed(below_mm: float) -> None:
    naming = decide([reading(without_sacrum(below_mm), Contrast.T2)], SETTINGS, None).naming
    assert naming.basis is NumberingBasis.ASSUMED
    assert naming.certainty <= SETTINGS.assumed_confidence
    assert naming.flags == ("sacrum_not_in_view",)


def test_a_series_that_shows_the_sacrum_names_for_one_that_does_not() -> None:
    field, _ = fake_spine.spine(discs=5)
    decision = decide(
        [reading(without_sacrum(10.0), Contrast.STIR), reading(field, Contrast.T1)], SETTINGS, None
    )
    assert decision.naming.basis is NumberingBasis.SACRUM
    assert decision.naming.levels[-1] is Level.L5_S1


def test_discs_of_a_person_who_moved_share_one_row() -> None:
    field, centres = fake_spine.spine(discs=5)
    moved = field.voxel_to_lps.copy()
    moved[:3, 3] += [0.0, 3.0, 4.0]
    other = reading(Segmentation(led_astray().shares, moved, field.classes), Contrast.STIR)
    row = common_row([reading(field, Contrast.T2), other], SETTINGS.series_agree_mm)
    assert row.places == ((0, 1, 2, 3, 4, None), (0, 1, 2, 3, 4, 5))
    assert np.abs(row.centres_lps_mm[:5] - centres).max() < 2.0


def test_a_false_disc_in_the_pelvis_is_not_a_step_of_the_column() -> None:
    discs = chain_of(fake_spine.spine()[0]).discs
    assert course_cost(discs[4], discs[5], SETTINGS) == 0.0
    assert course_cost(discs[5], discs[4], SETTINGS) > 1.0


def test_no_value_counts_as_impossible() -> None:
    assert log_density(1e6, 0.0, 1.0) == log_density(3.0, 0.0, 1.0) == -4.5
    assert log_density(0.0, 0.0, 1.0) == 0.0


def test_shares_sum_to_one_and_soften() -> None:
    scores = hypothesis_scores(chain_of(fake_spine.spine()[0]), SETTINGS.numbering)
    sharp, soft = shares_of(scores, 1.0), shares_of(scores, 10.0)
    assert sharp.sum() == pytest.approx(1.0)
    assert soft.sum() == pytest.approx(1.0)
    assert sharp.max() > soft.max()


@pytest.mark.parametrize(
    ("inside", "seen", "answer"),
    [(1.0, 0.9, True), (0.81, 0.31, True), (0.79, 0.9, False), (0.81, 0.29, False)],
)
def test_the_sacrum_is_in_view_where_most_of_its_place_is_and_bone_is_seen_there(
    inside, seen, answer
) -> None:
    """A view that ends within L5 still holds half of the place where S1 would be."""
    chain = chain_of(fake_spine.spine(discs=5)[0])
    segments, shares = chain.segments.copy(), chain.inside.copy()
    segments[4], shares[4] = (0.0, seen, 0.0), inside
    assert sacrum_in_view(replace(chain, segments=segments, inside=shares), 4, SETTINGS.numbering) is answer
