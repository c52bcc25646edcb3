"""A map of levels says which image its discs are places of: people move between series."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from lfja_mri.levels.locate import level_map
from lfja_mri.model import NumberingBasis, TissueLabels

KEYS = ("t1", "t2", "stir")


def led_by(key: str) -> SimpleNamespace:
    naming = SimpleNamespace(levels=(), certainty=1.0, basis=NumberingBasis.SACRUM, flags=())
    canal = SimpleNamespace(points_lps_mm=np.zeros((2, 3)))
    lead = SimpleNamespace(image=SimpleNamespace(key=key), chain=SimpleNamespace(discs=(), canal=canal))
    return SimpleNamespace(lead=lead, naming=naming)


@pytest.mark.parametrize("lead", KEYS)
def test_the_labels_of_the_leading_series_come_first_and_the_others_keep_their_order(lead):
    tissues = tuple(TissueLabels(key, np.zeros((1, 1, 1), dtype=np.uint8)) for key in KEYS)
    found = [labels.image_key for labels in level_map(led_by(lead), (), tissues).tissues]
    assert found == [lead, *(key for key in KEYS if key != lead)]
