"""Labels painted from corner points: what lies well inside is taught, what nobody vouches for is not."""

from __future__ import annotations

import numpy as np
import pytest
from training_modules import training_module

SHAPE = (300, 200)


def box(top: float, left: float, height: float, width: float) -> np.ndarray:
    """Corners of an upright box: top front, top back, low front, low back (row, column)."""
    return np.array(
        [[top, left], [top, left + width], [top + height, left], [top + height, left + width]], dtype=float
    )


@pytest.fixture(scope="module")
def midsagittal():
    with training_module("midsagittal") as module:
        yield module


@pytest.fixture(scope="module")
def painted(midsagittal):
    s1, l5, l4 = box(200, 100, 50, 60), box(120, 90, 60, 60), box(40, 90, 60, 60)
    return midsagittal.paint(SHAPE, [s1, l5, l4])


def test_the_core_of_each_part_bears_its_class(painted, midsagittal):
    assert painted[225, 130] == midsagittal.S1
    assert painted[150, 120] == painted[70, 120] == midsagittal.BODY
    assert painted[190, 125] == painted[110, 120] == midsagittal.DISC


def test_edges_and_what_lies_behind_are_not_learnt(painted, midsagittal):
    assert painted[121, 120] == painted[150, 91] == midsagittal.IGNORE  # an end plate, a front wall
    assert painted[150, 170] == painted[280, 150] == midsagittal.IGNORE  # the canal, the sacrum below S1
    assert painted[20, 120] == midsagittal.IGNORE  # a body that nobody outlined


def test_the_belly_is_background_and_keeps_off_the_spine(painted, midsagittal):
    assert painted[150, 40] == painted[290, 40] == midsagittal.BACKGROUND
    margin = midsagittal.FRONT_MARGIN_MM / midsagittal.PIXEL_MM
    assert painted[150, int(90 - margin) + 2] == midsagittal.IGNORE
    assert painted[150, int(90 - margin) - 2] == midsagittal.BACKGROUND


def test_every_person_of_the_table_has_s1_first_and_bodies_upwards(midsagittal):
    people = midsagittal.read_corners()
    assert set(people) > midsagittal.VALIDATION_PEOPLE
    for parts in people.values():
        rows = [corners[:, 0].mean() for corners in parts]
        assert len(parts) >= 6
        assert rows == sorted(rows, reverse=True)
