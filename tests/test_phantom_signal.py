from __future__ import annotations

import numpy as np
import pytest

from lfja_mri.errors import ConfigurationError
from lfja_mri.phantom import load_recipe, packaged_recipes
from lfja_mri.phantom.numbers import base_numbers
from lfja_mri.phantom.signal import Sequence, signal_tables, spin_echo
from lfja_mri.phantom.tissue import Tissue

T2 = Sequence("sagittal_t2", 3500, 100, None, 1.5)
STIR = Sequence("sagittal_stir", 4000, 60, 160, 1.5)
T1 = Sequence("sagittal_t1", 600, 12, None, 1.5)


def ratio(sequence: Sequence, tissue: Tissue, to: Tissue = Tissue.CSF) -> float:
    tables = signal_tables(sequence, base_numbers().tissues, 0.45)
    total = tables.water + tables.fat
    return float(total[tissue] / total[to])


def test_the_inversion_nulls_what_recovers_by_then():
    null = np.log(2) * 260
    assert spin_echo(1.0, 260, 1e6, Sequence("x", 1e6, 0.0, null, 1.5)) == pytest.approx(0, abs=1e-9)
    assert spin_echo(1.0, 1000, 1e6, Sequence("x", 1e7, 0.0, None, 1.5)) == pytest.approx(1)


@pytest.mark.parametrize(
    ("sequence", "tissue", "low", "high"),
    [
        (T2, Tissue.MUSCLE, 0.03, 0.12),
        (T2, Tissue.JOINT_FLUID, 0.9, 1.2),
        (T2, Tissue.FAT, 0.6, 1.3),
        (STIR, Tissue.FAT, 0.0, 0.2),
        (STIR, Tissue.MUSCLE, 0.1, 0.25),
        (STIR, Tissue.MARROW, 0.03, 0.2),
        (STIR, Tissue.CORTEX, 0.0, 0.02),
    ],
)
def test_ratios_to_fluid_are_those_of_the_literature(sequence, tissue, low, high):
    assert low <= ratio(sequence, tissue) <= high


def test_oedema_is_bright_where_fat_is_dark():
    tables = signal_tables(STIR, base_numbers().tissues, 0.45)
    assert 0.4 < tables.oedema / tables.water[Tissue.CSF] < 0.7
    assert tables.oedema > 2 * (tables.water + tables.fat)[Tissue.MARROW]


def test_fat_is_brightest_on_t1():
    assert ratio(T1, Tissue.FAT, Tissue.MUSCLE) > 2


def test_every_packaged_recipe_loads():
    names = packaged_recipes()
    assert {"routine_clinical", "trial", "trial_dixon", "post_contrast", "published_case"} <= set(names)
    assert all(load_recipe(name).name == name for name in names)


def test_a_misspelt_key_and_an_unknown_series_are_refused(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('series = ["sagittal_t2"]\nqualty = ["good"]\n')
    with pytest.raises(ConfigurationError, match="quality"):
        load_recipe(path)
    path.write_text('series = ["coronal_t9"]\n')
    with pytest.raises(ConfigurationError, match="coronal_t9"):
        load_recipe(path)
    with pytest.raises(ConfigurationError):
        load_recipe("no_such_recipe")
