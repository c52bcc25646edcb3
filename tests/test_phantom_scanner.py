from __future__ import annotations

import numpy as np
import pytest

from lfja_mri.phantom.scanner import FINE_PROFILE, point_spread, slice_average


@pytest.mark.parametrize("acquired", [0.6, 1.3, 2.0, 3.1])
def test_a_point_spread_keeps_even_signal_and_is_symmetric(acquired):
    weights = point_spread(acquired)
    assert weights.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(weights, weights[::-1], atol=1e-12)


def test_truncation_leaves_a_ripple_beside_an_edge():
    edge = np.convolve(np.repeat([0.0, 1.0], 60), point_spread(2.0), mode="same")[20:-20]
    assert 0.02 < edge.max() - 1 < 0.12
    assert 0.02 < -edge.min() < 0.12
    assert np.abs(edge[:15]).max() < 0.01  # and dies away


@pytest.mark.parametrize("thickness", [3.0, 7.4])
def test_a_slice_averages_along_x_by_its_profile(thickness):
    signal = np.tile(np.arange(40, dtype=np.float32), (2, 3, 1))
    np.testing.assert_allclose(
        slice_average(signal, thickness, FINE_PROFILE)[..., 8:32], signal[..., 8:32], rtol=1e-5
    )
    spike = np.zeros((1, 1, 41), dtype=np.float32)
    spike[..., 20] = 1
    spread = slice_average(spike, thickness, FINE_PROFILE)[0, 0]
    place = np.arange(41) - 20
    expected = sum(weight * (offset * thickness) ** 2 for offset, weight in FINE_PROFILE)
    assert spread.sum() == pytest.approx(1.0, rel=1e-5)
    assert expected <= (spread * place**2).sum() < expected + 0.26
