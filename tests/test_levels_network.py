from __future__ import annotations

import itertools

import numpy as np
import pytest

from lfja_mri.config import load_pipeline_settings
from lfja_mri.errors import GeometryError, LevelsError, Reason
from lfja_mri.geometry import apply
from lfja_mri.levels import locate, network
from lfja_mri.model import Contrast, Image, Plane, Role, StudyImages, Volume

SETTINGS = load_pipeline_settings().levels
LANDMARK_LPS = np.array([3.0, 12.0, -21.0])


def landmark_volume() -> Volume:
    """Sagittal volume, planes from right to left, with one bright spot."""
    affine = np.eye(4)
    affine[:3, :3] = np.array([[0, 0, 4.0], [0.9, 0, 0], [0, -0.9, 0]])
    affine[:3, 3] = [-13.0, -40.0, 45.0]
    plane, row, column = np.indices((9, 100, 90))
    points = apply(affine, np.stack([column, row, plane], axis=-1).astype(float))
    values = 100.0 * np.exp(-((points - LANDMARK_LPS) ** 2).sum(axis=-1) / 20.0) + 0.1
    return Volume(values.astype(np.float32), affine, 4.0)


def turned(volume: Volume, order: tuple[int, ...], flips: tuple[int, ...]) -> Volume:
    """Lay the same voxels out in another axis order and direction."""
    values = np.transpose(volume.values_zyx, order)
    affine = volume.voxel_to_lps.copy()
    columns = [2 - order[2 - axis] for axis in range(3)]
    affine[:3, :3] = volume.voxel_to_lps[:3, columns]
    for axis, flip in enumerate(flips):
        if flip < 0:
            values = np.flip(values, axis)
            affine[:3, 3] += affine[:3, 2 - axis] * (values.shape[axis] - 1)
            affine[:3, 2 - axis] *= -1
    return Volume(np.ascontiguousarray(values), affine, 4.0)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("flips", list(itertools.product((1, -1), repeat=3)))
def test_canonical_slices_do_not_depend_on_the_array_order(
    order: tuple[int, ...], flips: tuple[int, ...]
) -> None:
    volume = network.sagittal_order(turned(landmark_volume(), order, flips))
    grid = network.canonical_grid(volume, 1.2, 16)
    slices = network.canonical_slices(volume, grid, tuple(range(volume.values_zyx.shape[0])))
    plane, row, column = np.unravel_index(int(np.argmax(slices)), slices.shape)
    found = apply(grid.voxel_to_lps, np.array([column, row, plane], dtype=float))
    assert np.abs(found - LANDMARK_LPS).max() < 1.3
    assert grid.voxel_to_lps[1, 0] == pytest.approx(1.2)
    assert grid.voxel_to_lps[2, 1] == pytest.approx(-1.2)


def test_stack_without_a_fine_sagittal_plane_is_refused() -> None:
    axial = Volume(np.zeros((9, 50, 50), np.float32), np.diag([1.0, 1.0, 4.5, 1.0]), 4.5)
    with pytest.raises(GeometryError):
        network.sagittal_order(axial)


def test_shares_sum_to_one_and_repeat_to_the_bit_by_any_number_of_threads(monkeypatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    first = network.segment(landmark_volume(), threads=1, closest_planes_mm=3.5)
    again = network.segment(landmark_volume(), threads=3, closest_planes_mm=3.5)
    assert first.shares.sum(axis=0) == pytest.approx(1.0, abs=1e-4)
    assert np.array_equal(first.shares, again.shares)
    assert set(first.classes) >= {"disc", "body", "canal", "s1", "s2"}


def test_close_planes_are_thinned_out() -> None:
    volume = Volume(np.zeros((40, 20, 20), np.float32), np.diag([1.0, 1.0, 0.9, 1.0]), 0.9)
    planes = network.chosen_planes(volume, 3.5)
    assert np.diff(planes).tolist() == [4] * 9
    assert network.chosen_planes(landmark_volume(), 3.5) == tuple(range(9))


def test_standardised_slices_have_no_scale() -> None:
    slices = np.abs(np.random.default_rng(1).normal(size=(2, 40, 30))).astype(np.float32)
    assert network.standardise(slices * 37.0) == pytest.approx(network.standardise(slices), abs=1e-4)


def test_no_sagittal_series_is_said() -> None:
    axial = Image("s1k1", landmark_volume(), Role(Plane.AXIAL, Contrast.T2))
    with pytest.raises(LevelsError) as caught:
        locate(StudyImages("k", (axial,)), SETTINGS)
    assert caught.value.reason is Reason.NO_SAGITTAL_SERIES


def test_image_without_a_spine_is_refused() -> None:
    image = Image("s1k1", landmark_volume(), Role(Plane.SAGITTAL, Contrast.T2))
    with pytest.raises(LevelsError) as caught:
        locate(StudyImages("k", (image,)), SETTINGS)
    assert caught.value.reason is Reason.LEVELS_NOT_FOUND
