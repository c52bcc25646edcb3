"""Zones read an image by the share of each voxel, not by the nearest one: slices are as thick as a joint is wide."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from grading_toy import JOINT, SETTINGS, toy_levels
from hypothesis import given
from hypothesis import strategies as st

from lfja_mri.grading.sampling import Scene, read_zones
from lfja_mri.model import Contrast, Image, Plane, Role, StudyImages, Volume, Zone, Zones

PITCH_MM, PIXEL_MM = 4.0, 1.0
FINE_MM = 0.2
SLICES = np.array([100.0, 700.0, 300.0, 900.0, 200.0], dtype=np.float32)
SHARES = (0.0, 0.1, 0.25, 0.4, 0.6, 0.75, 0.9)


def _sagittal(slices: npt.NDArray[np.float32]) -> Image:
    """Slices `PITCH_MM` apart from the patient's right (x = 0) to the left, each of one signal."""
    affine = np.zeros((4, 4))
    affine[1, 0], affine[2, 1], affine[0, 2], affine[3, 3] = PIXEL_MM, -PIXEL_MM, PITCH_MM, 1.0
    affine[:3, 3] = [0.0, -10.0, 10.0]
    values = np.broadcast_to(slices[:, None, None], (len(slices), 21, 21)).copy()
    return Image("sag", Volume(values, affine, PITCH_MM), Role(Plane.SAGITTAL, Contrast.STIR))


def _mean_of_slab(image: Image, first_mm: float, thickness_mm: float) -> float:
    """Return the mean that a zone reads: a slab upright in the sagittal plane, as a joint space is."""
    count = max(round(thickness_mm / FINE_MM), 1)
    affine = np.diag([FINE_MM, 1.2, 1.2, 1.0])
    affine[:3, 3] = [first_mm + (0.5 * FINE_MM if count > 1 else 0.0), -2.0, -2.0]
    labels = np.full((4, 4, count), Zone.JOINT_SPACE.code, dtype=np.uint8)
    zones = Zones(labels, np.zeros_like(labels), affine, 24)
    scene = Scene(replace(JOINT, zones=zones, shifts=()), StudyImages("k", (image,)), toy_levels(), SETTINGS)
    read = read_zones(scene, image)
    return float(read.signal_zyx[read.of(Zone.JOINT_SPACE)].mean())


@pytest.mark.parametrize("share", SHARES)
def test_a_thin_zone_between_two_slices_takes_of_each_by_its_share(share: float) -> None:
    """The nearest slice alone would be up to 300 off."""
    for below in range(len(SLICES) - 1):
        found = _mean_of_slab(_sagittal(SLICES), (below + share) * PITCH_MM, 0.0)
        assert found == pytest.approx((1.0 - share) * SLICES[below] + share * SLICES[below + 1], abs=0.1)


@pytest.mark.parametrize("share", SHARES)
def test_a_slab_one_slice_thick_takes_of_each_slice_what_it_covers(share: float) -> None:
    """Bright slices beside dark ones: as much as the slab covers, to an eighth, as signal runs on between slices."""
    image = _sagittal(np.array([0.0, 0.0, 1000.0, 1000.0, 1000.0], dtype=np.float32))
    found = _mean_of_slab(image, (0.5 + share) * PITCH_MM, PITCH_MM)
    assert found == pytest.approx(1000.0 * share, abs=130.0)


@given(
    place=st.floats(0.1, 3.8),
    step=st.floats(0.01, 0.1),
)
def test_a_zone_that_moves_a_little_reads_a_little_else(place: float, step: float) -> None:
    """No jump as a zone passes the border between two slices: at most the step's share of the largest difference."""
    image = _sagittal(SLICES)
    before, after = (_mean_of_slab(image, at * PITCH_MM, 0.0) for at in (place, place + step))
    assert abs(after - before) <= step * float(np.abs(np.diff(SLICES)).max()) + 0.1
