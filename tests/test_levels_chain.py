from __future__ import annotations

from itertools import pairwise

import fake_spine
import numpy as np
import pytest

from lfja_mri.config import load_pipeline_settings
from lfja_mri.geometry import apply
from lfja_mri.levels.canal import best_path, canal_line
from lfja_mri.levels.locate import course_of
from lfja_mri.levels.network import Segmentation
from lfja_mri.levels.numbering import name_discs, spread_names
from lfja_mri.levels.sequence import find_chain, spacing_cost
from lfja_mri.model import LEVELS_WITHOUT_L5, Level, NumberingBasis

SETTINGS = load_pipeline_settings().levels


def test_discs_are_found_named_and_placed() -> None:
    field, centres = fake_spine.spine()
    chain = find_chain(field, SETTINGS)
    assert chain is not None
    naming = name_discs(chain, SETTINGS)
    assert naming.levels == (None, Level.L1_L2, Level.L2_L3, Level.L3_L4, Level.L4_L5, Level.L5_S1)
    assert naming.basis is NumberingBasis.SACRUM
    assert naming.certainty > 0.9
    found = np.array([frame.centre_lps_mm for frame in course_of(chain, SETTINGS).frames])
    assert np.abs(found - centres).max() < 2.0


def test_frame_has_the_size_and_axes_that_were_drawn() -> None:
    chain = find_chain(fake_spine.spine()[0], SETTINGS)
    assert chain is not None
    frame = course_of(chain, SETTINGS).frames[3]
    assert frame.depth_mm == pytest.approx(2 * fake_spine.HALF_DEPTH_MM, abs=2.5)
    assert frame.height_mm == pytest.approx(fake_spine.DISC_MM, abs=1.5)
    assert frame.width_mm == pytest.approx(46.0, abs=5.0)
    assert frame.axes.cranial == pytest.approx([0, 0, 1], abs=0.05)
    assert frame.axes.anterior == pytest.approx([0, -1, 0], abs=0.05)
    assert frame.axes.left == pytest.approx([1, 0, 0], abs=0.05)


@pytest.mark.parametrize("planes", [slice(4, None), slice(None, -4)])
def test_a_disc_cut_by_the_side_of_the_view_stays_in_its_place(planes: slice) -> None:
    field, _ = fake_spine.spine()
    affine = field.voxel_to_lps.copy()
    affine[:3, 3] += (planes.start or 0) * affine[:3, 2]
    chain = find_chain(Segmentation(field.shares[:, planes], affine, field.classes), SETTINGS)
    assert chain is not None
    for frame in course_of(chain, SETTINGS).frames:
        assert frame.centre_lps_mm[0] == pytest.approx(fake_spine.MIDLINE_MM, abs=1.0)
        assert frame.width_mm == pytest.approx(46.0, abs=5.0)


@pytest.mark.parametrize("gap", [2, 3])
def test_missed_disc_is_filled_and_said_to_be(gap: int) -> None:
    field, centres = fake_spine.spine(missing=(gap,))
    chain = find_chain(field, SETTINGS)
    assert chain is not None
    assert [disc.interpolated for disc in chain.discs] == [k == gap for k in range(6)]
    assert np.abs(chain.discs[gap].centre_lps_mm - centres[gap])[2] < 8.0
    assert name_discs(chain, SETTINGS).levels[-1] is Level.L5_S1


def test_without_a_sacrum_the_names_are_assumed_and_doubted() -> None:
    field, _ = fake_spine.spine(discs=6, sacrum=False)
    chain = find_chain(field, SETTINGS)
    assert chain is not None
    naming = name_discs(chain, SETTINGS)
    assert naming.basis is NumberingBasis.ASSUMED
    assert naming.certainty <= SETTINGS.assumed_confidence
    assert "sacrum_not_in_view" in naming.flags


def test_disc_between_s1_and_s2_is_no_lumbar_level_but_is_flagged() -> None:
    field, _ = fake_spine.spine(discs=5, s1_s2_disc=True)
    chain = find_chain(field, SETTINGS)
    assert chain is not None
    naming = name_discs(chain, SETTINGS)
    assert len(chain.discs) == 6
    assert naming.sacral == 4
    assert naming.levels[4:] == (Level.L5_S1, None)
    assert "transitional_anatomy_suspected" in naming.flags
    assert naming.certainty <= SETTINGS.suspected_confidence < SETTINGS.uncertain_below
    assert name_discs(chain, SETTINGS, Level.L5_S1).certainty > SETTINGS.suspected_confidence


def test_lowest_level_overrides_the_names() -> None:
    chain = find_chain(fake_spine.spine()[0], SETTINGS)
    assert chain is not None
    naming = name_discs(chain, SETTINGS, Level.L6_S1)
    assert naming.levels == (
        Level.L1_L2, Level.L2_L3, Level.L3_L4, Level.L4_L5, Level.L5_L6, Level.L6_S1,
    )  # fmt: skip
    assert naming.basis is NumberingBasis.OVERRIDE
    assert name_discs(chain, SETTINGS, Level.L4_S1).levels[-4:] == LEVELS_WITHOUT_L5


def test_no_canal_means_no_chain() -> None:
    field, _ = fake_spine.spine()
    field.shares[fake_spine.CLASSES.index("canal")] = 0.0
    assert canal_line(field) is None
    assert find_chain(field, SETTINGS) is None


def test_false_canal_at_the_side_does_not_move_the_midline() -> None:
    field, _ = fake_spine.spine()
    canal = field.share("canal")
    canal[:2, 60:110, 70:110] = 1.0
    line = canal_line(field)
    assert line is not None
    assert np.abs(line.points_lps_mm[:, 0] - fake_spine.MIDLINE_MM).max() < 2.0


def test_false_canal_below_s1_does_not_draw_the_midline_to_the_side() -> None:
    field, centres = fake_spine.spine(discs=5)
    canal = field.share("canal").copy()
    low = int((field.voxel_to_lps[2, 3] - centres[-1][2] + 20.0) / fake_spine.GRID_MM)
    canal[:, low:] = np.roll(canal[:, low:], 3, axis=0)
    field.shares[fake_spine.CLASSES.index("canal")] = canal
    line = canal_line(field)
    assert line is not None
    lumbar = line.points_lps_mm[:, 2] > centres[-1][2]
    assert np.abs(line.points_lps_mm[lumbar, 0] - fake_spine.MIDLINE_MM).max() < 1.0


def test_islands_away_from_the_spine_are_dropped() -> None:
    field, centres = fake_spine.spine()
    field.shares[:, :, 150:170, 2:12] = 0.0
    field.shares[fake_spine.CLASSES.index("disc"), :, 150:170, 2:12] = 1.0
    chain = find_chain(field, SETTINGS)
    assert chain is not None
    assert len(chain.discs) == len(centres)


def test_names_run_out_at_the_top() -> None:
    assert spread_names((Level.L4_L5, Level.L5_S1), 2, 4) == (None, Level.L4_L5, Level.L5_S1, None)


def test_spacing_costs_nothing_for_a_pitch_and_much_for_less() -> None:
    assert spacing_cost(35.0, SETTINGS) == 0.0
    assert spacing_cost(8.0, SETTINGS) > 1.0
    assert 0.0 < spacing_cost(70.0, SETTINGS) < spacing_cost(130.0, SETTINGS)


def test_spacing_costs_more_and_more_below_the_usual_pitch_without_a_jump() -> None:
    usual, rare = SETTINGS.usual_pitch_mm[0], SETTINGS.pitch_mm[0]
    costs = [spacing_cost(step, SETTINGS) for step in np.arange(rare - 4.0, usual + 0.01, 0.25)]
    assert costs[-1] == 0.0
    assert all(0.0 < one - other < 0.05 for one, other in pairwise(costs[:-1]))


def test_a_cleft_within_a_vertebra_is_no_disc() -> None:
    field, centres = fake_spine.spine()
    middle = (centres[1] + centres[2]) / 2
    column, row, _ = np.rint(apply(np.linalg.inv(field.voxel_to_lps), middle[None])[0]).astype(int)
    cleft = np.s_[:, 6:9, row - 2 : row + 3, column - 4 : column + 5]
    field.shares[cleft] = 0.0
    field.shares[(fake_spine.CLASSES.index("disc"), *cleft[1:])] = 1.0
    chain = find_chain(field, SETTINGS)
    assert chain is not None
    assert len(chain.discs) == len(centres)


def test_a_disc_beside_a_flat_vertebra_is_kept() -> None:
    least, clear = SETTINGS.pitch_mm[0], 0.9 - SETTINGS.least_score
    assert spacing_cost(least, SETTINGS) < clear


def test_path_follows_the_ridge() -> None:
    profile = np.zeros((40, 30))
    ridge = 5 + np.arange(40) // 2
    profile[np.arange(40), ridge] = 1.0
    assert (best_path(profile) == ridge).all()
