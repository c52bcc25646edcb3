"""Spines that are not straight and whole: every lumbar disc is named right and near its place, or the reader is told."""

from __future__ import annotations

import fake_spine
import numpy as np
import pytest

from lfja_mri.config import load_pipeline_settings
from lfja_mri.levels.locate import course_of
from lfja_mri.levels.network import Segmentation
from lfja_mri.levels.numbering import Naming, name_discs
from lfja_mri.levels.sequence import Chain, find_chain
from lfja_mri.model import STANDARD_LEVELS

SETTINGS = load_pipeline_settings().levels
DISCS = 6
NEAR_MM = 6.0
LUMBAR = range(2, DISCS)  # index of a disc with lumbar bodies on both sides


def row_of(field: Segmentation, z_mm: float) -> int:
    return round((field.voxel_to_lps[2, 3] - z_mm) / fake_spine.GRID_MM)


def named(field: Segmentation) -> tuple[Chain, Naming]:
    chain = find_chain(field, SETTINGS)
    assert chain is not None
    return chain, name_discs(chain, SETTINGS)


def assert_all_right(field: Segmentation, centres: np.ndarray) -> tuple[Chain, Naming]:
    """Every lumbar disc under its name and near its place."""
    chain, naming = named(field)
    frames = dict(zip(naming.levels, course_of(chain, SETTINGS).frames, strict=True))
    for level, centre in zip(STANDARD_LEVELS, centres[-len(STANDARD_LEVELS) :], strict=True):
        assert level in frames
        assert np.linalg.norm(frames[level].centre_lps_mm - centre) < NEAR_MM
    return chain, naming


@pytest.mark.parametrize("planes", [-3, 2])
def test_scoliosis(planes: int) -> None:
    """The column bows to one side by up to 12 mm between its ends and its middle."""
    field, centres = fake_spine.spine(discs=DISCS)
    rows = field.shares.shape[2]
    bow = np.rint(planes * np.sin(np.linspace(0.0, np.pi, rows))).astype(int)
    for row, shift in enumerate(bow):
        field.shares[:, :, row] = np.roll(field.shares[:, :, row], shift, axis=1)
    moved = centres.copy()
    moved[:, 0] += [fake_spine.PITCH_MM * bow[row_of(field, z)] for z in centres[:, 2]]
    assert_all_right(field, moved)


@pytest.mark.parametrize(("level", "slip_mm"), [(2, -6.0), (4, 9.0), (5, 9.0)])
def test_slip(level: int, slip_mm: float) -> None:
    """All above a disc has slid forward or backward on what is below; the disc follows by half."""
    field, centres = fake_spine.spine(discs=DISCS)
    shift = -round(slip_mm / fake_spine.GRID_MM)
    row = row_of(field, centres[level][2])
    field.shares[:, :, :row] = np.roll(field.shares[:, :, :row], shift, axis=3)
    moved = centres.copy()
    moved[:level, 1] -= slip_mm
    moved[level, 1] -= slip_mm / 2
    assert_all_right(field, moved)


@pytest.mark.parametrize("level", LUMBAR)
def test_fracture(level: int) -> None:
    """The body on top of a disc has lost half of its height."""
    field, centres = fake_spine.spine(discs=DISCS)
    lost = round(0.5 * fake_spine.BODY_MM / fake_spine.GRID_MM)
    middle = row_of(field, centres[level][2] + 0.5 * (fake_spine.BODY_MM + fake_spine.DISC_MM))
    shares = np.delete(field.shares, slice(middle - lost // 2, middle - lost // 2 + lost), axis=2)
    filling = np.repeat(shares[:, :, -1:], lost, axis=2)
    moved = centres.copy()
    moved[level:, 2] += lost * fake_spine.GRID_MM
    shorter = Segmentation(np.concatenate([shares, filling], axis=2), field.voxel_to_lps, field.classes)
    assert_all_right(shorter, moved)


@pytest.mark.parametrize("level", LUMBAR)
def test_fusion(level: int) -> None:
    """A disc has given way to bone: the names stay, and the disc that was laid in between says so."""
    field, centres = fake_spine.spine(discs=DISCS, missing=(level,))
    chain, naming = assert_all_right(field, centres)
    assert [disc.interpolated for disc in chain.discs].index(True) == level or naming.flags


@pytest.mark.parametrize("level", [3, 5])
@pytest.mark.parametrize("planes", [slice(5, 7), slice(3, 12)])
def test_hardware_void(level: int, planes: slice) -> None:
    """Screws and cage have put out the signal from one body's middle to the next one's, on a few planes or on most.

    A disc of the void is still in its place; only where the sacrum's own disc is gone on most planes is the name doubted.
    """
    field, centres = fake_spine.spine(discs=DISCS)
    reach = round(14.0 / fake_spine.GRID_MM)
    row = row_of(field, centres[level][2])
    void = field.shares[:, planes, row - reach : row + reach]
    void[:] = 0.01
    void[fake_spine.CLASSES.index("background")] = 0.94
    _, naming = assert_all_right(field, centres)
    lumbosacral = level == DISCS - 1 and planes == slice(3, 12)
    assert bool(naming.flags) == lumbosacral
    assert (naming.certainty < 0.9) == lumbosacral
