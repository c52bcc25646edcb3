"""The histogram distance on volumes whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import phantom_histograms
from benchmarks.phantom_histograms import Scan, histogram_rows, scaled_intensities
from lfja_mri.geometry import grid_affine
from lfja_mri.model import Contrast, Volume

DISCS_MM = np.array([[0.0, 0.0, z] for z in (70.0, 35.0, 0.0, -35.0, -70.0)])
FLUID = 800.0


def scan(subject: str, tissue: float, gain: float = 1.0, offset: float = 0.0) -> Scan:
    """A column of even tissue in air, with a sac of fluid 20 mm behind the discs."""
    affine = grid_affine(np.array([-40.0, -60.0, -110.0]), np.eye(3), np.array([4.0, 2.0, 2.0]))
    z, y, x = np.meshgrid(*(np.arange(n) for n in (110, 70, 21)), indexing="ij")
    x, y, z = -40 + 4.0 * x, -60 + 2.0 * y, -110 + 2.0 * z
    values = np.where(y > -50, tissue * FLUID, 0.0)
    values[(np.abs(x) < 9) & (np.abs(y - 20) < 8)] = FLUID
    return Scan(
        subject, Contrast.T2, Volume((gain * values + offset).astype(np.float32), affine, 4.0), DISCS_MM
    )


def test_intensities_run_from_air_to_fluid_whatever_the_gain_and_offset():
    plain, other = scaled_intensities(scan("a", 0.25)), scaled_intensities(scan("a", 0.25, 3.0, 30.0))
    np.testing.assert_allclose(plain, other, atol=1e-4)
    assert np.median(plain) == pytest.approx(0.25, abs=0.01)
    assert plain.max() == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize(("tissue", "met"), [(0.25, True), (0.60, False)])
def test_the_distance_is_how_far_the_tissue_lies_from_that_of_people(monkeypatch, tissue, met):
    monkeypatch.setattr(phantom_histograms, "real_scans", lambda: iter([scan("a", 0.2), scan("b", 0.3)]))
    rows = histogram_rows([scan("phantom", tissue)], [], "toy")
    row = next(row for row in rows if "T2" in row.figure)
    assert row.met is met
    tissue_share = float((scaled_intensities(scan("a", 0.2)) < 0.5).mean())
    expected = tissue_share * (abs(tissue - 0.2) + abs(tissue - 0.3)) / 2
    assert float(row.value.split()[0]) == pytest.approx(expected, abs=0.01)


def test_a_contrast_without_two_people_is_not_judged(monkeypatch):
    monkeypatch.setattr(phantom_histograms, "real_scans", lambda: iter([scan("a", 0.2)]))
    rows = histogram_rows([scan("phantom", 0.2)], [], "toy")
    assert {row.met for row in rows} == {None}
