"""Neighbouring discs look alike; what tells them apart is what a fit leaves unexplained."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from lfja_mri.change import matching
from lfja_mri.config import load_change_settings
from lfja_mri.model import STANDARD_LEVELS, Axes, Disc, Level

SETTINGS = load_change_settings().registration
AXES = Axes(np.array([0.0, 0.0, 1.0]), np.array([0.0, -1.0, 0.0]), np.array([1.0, 0.0, 0.0]))
DISCS = [Disc(level, np.zeros(3), AXES, 35.0, 45.0, 10.0, 1.0) for level in STANDARD_LEVELS]


def slips(monkeypatch, named, neighbours):
    """Levels told to have slipped where every disc fits as `named` says, and its neighbour above and below as told."""

    def register(first, second, *_images, **_how):
        step = STANDARD_LEVELS.index(second.level) - STANDARD_LEVELS.index(first.level)
        fit = named[first.level] if step == 0 else neighbours[step]
        return None if fit is None else SimpleNamespace(together=SimpleNamespace(correlation=fit))

    monkeypatch.setattr(matching, "register_level", register)
    return matching.numbering_slips(DISCS, DISCS, lambda level: level, lambda level: level, SETTINGS)


def every(fit):
    return dict.fromkeys(STANDARD_LEVELS, fit)


def test_a_spine_of_like_discs_slips_by_little_correlation_and_is_caught(monkeypatch):
    assert slips(monkeypatch, every(0.95), {-1: 0.9, 1: 0.98}) == frozenset(STANDARD_LEVELS)
    assert slips(monkeypatch, every(0.95), {-1: 0.98, 1: 0.9}) == frozenset(STANDARD_LEVELS)


@pytest.mark.parametrize(("beside", "slipped"), [(0.939, False), (0.94, False), (0.941, True)])
def test_a_spine_slips_where_it_fits_better_one_off_at_all(monkeypatch, beside, slipped):
    """Every disc fits its own name by 0.94; not even as well beside it, as well, and a little better."""
    expected = frozenset(STANDARD_LEVELS) if slipped else frozenset()
    assert slips(monkeypatch, every(0.94), {-1: 0.7, 1: beside}) == expected


@pytest.mark.parametrize("fit", [0.5, 0.9, 0.98, 1.0])
def test_neighbours_that_fit_no_better_are_no_slip(monkeypatch, fit):
    assert slips(monkeypatch, every(fit), {-1: fit, 1: fit - 0.02}) == frozenset()
    assert slips(monkeypatch, every(fit), {-1: None, 1: None}) == frozenset()


def test_one_disc_alone_has_to_show_it_more(monkeypatch):
    one_off = every(0.97) | {Level.L3_L4: 0.86, Level.L4_L5: 0.87}
    assert slips(monkeypatch, one_off, {-1: 0.85, 1: 0.87}) == frozenset()
    assert slips(monkeypatch, one_off, {-1: 0.85, 1: 0.92}) == frozenset({Level.L3_L4})


def test_a_disc_that_its_own_name_fits_better_is_not_another(monkeypatch):
    """As on seed 641: L4-L5 was found badly and fits the disc above better, but L3-L4 fits that one best."""
    named = dict(zip(STANDARD_LEVELS, (0.926, 0.93, 0.893, 0.783, 0.93), strict=True))
    assert slips(monkeypatch, named, {-1: 0.87, 1: 0.5}) == frozenset()


def test_a_disc_that_fits_nowhere_but_beside_it_has_slipped(monkeypatch):
    nowhere = every(0.95) | {Level.L1_L2: -1.0, Level.L2_L3: 0.5}
    assert slips(monkeypatch, nowhere, {-1: 0.6, 1: 0.7}) == frozenset({Level.L1_L2})


def test_a_disc_does_not_take_the_place_of_one_that_fits_there_nearly_as_well(monkeypatch):
    """L2-L3 fits the disc above clearly better than its own, but L1-L2 fits that one nearly as well: no slip."""
    named = dict(zip(STANDARD_LEVELS, (0.92, 0.9, 0.944, 0.954, 0.966), strict=True))
    assert slips(monkeypatch, named, {-1: 0.945, 1: 0.7}) == frozenset()
    displaced = named | {Level.L1_L2: 0.91}
    assert slips(monkeypatch, displaced, {-1: 0.945, 1: 0.7}) == frozenset({Level.L2_L3})
