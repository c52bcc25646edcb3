"""Noise of single precision, in which builds of the numerical libraries differ, ends where discs are named."""

from __future__ import annotations

import numpy as np
import pytest

from lfja_mri.geometry import perpendicular, unit
from lfja_mri.levels.locate import settled
from lfja_mri.model import Axes


def axes_of(seed: int) -> Axes:
    draw = np.random.default_rng(seed)
    cranial = unit(np.array([0.0, 0.0, 1.0]) + 0.4 * draw.standard_normal(3))
    anterior = perpendicular(np.array([0.0, -1.0, 0.0]), cranial)
    return Axes(cranial, anterior, np.cross(cranial, anterior))


@pytest.mark.parametrize("seed", range(20))
def test_noise_of_single_precision_does_not_pass(seed):
    axes = axes_of(seed)
    noise = 1e-9 * np.random.default_rng(seed).standard_normal((2, 3))
    noisy = Axes(axes.cranial + noise[0], axes.anterior + noise[1], axes.left)
    one, other = settled(axes), settled(noisy)
    for name in ("cranial", "anterior", "left"):
        assert np.array_equal(getattr(one, name), getattr(other, name))


@pytest.mark.parametrize("seed", range(20))
def test_axes_stay_where_they_were_and_perpendicular(seed):
    axes = axes_of(seed)
    kept = settled(axes)
    together = np.stack([kept.cranial, kept.anterior, kept.left])
    assert together @ together.T == pytest.approx(np.eye(3), abs=1e-12)
    assert np.linalg.det(together) == pytest.approx(
        np.linalg.det(np.stack([axes.cranial, axes.anterior, axes.left]))
    )
    assert np.abs(kept.cranial - axes.cranial).max() < 1e-5
    assert np.abs(kept.left - axes.left).max() < 2e-5
