from __future__ import annotations

import itertools
from pathlib import Path

import fake_spine
import nibabel as nib
import numpy as np
import pytest

from lfja_mri.config import load_pipeline_settings
from lfja_mri.errors import LevelsError, Reason
from lfja_mri.geometry import lps_to_ras
from lfja_mri.levels.masks import levels_from_masks
from lfja_mri.levels.schemes import TABLES, level_below
from lfja_mri.model import (
    STANDARD_LEVELS,
    Contrast,
    Image,
    Level,
    NumberingBasis,
    Plane,
    Role,
    SpineTissue,
    Volume,
)
from lfja_mri.names import MaskScheme

SETTINGS = load_pipeline_settings().levels
SCHEMES = [scheme for scheme in MaskScheme if scheme is not MaskScheme.AUTO]


def label_array(scheme: MaskScheme) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Label map (columns, rows, planes) of the drawn spine, its affine to LPS, and the five disc centres."""
    field, centres = fake_spine.spine(discs=5, straight=True)
    kinds = np.argmax(field.shares, axis=0)
    table = TABLES[scheme]
    out = np.zeros(kinds.shape, np.int16)
    height = 140.0 - fake_spine.GRID_MM * np.indices(kinds.shape)[1]
    bounds = [200.0, *centres[:, 2], -300.0]
    body, disc = kinds == 2, kinds == 1
    for n in range(1, 6):
        between = (height < bounds[n - 1]) & (height > bounds[n])
        out[body & between] = table.vertebrae[n]
        number = table.lowest_disc if n == 5 and table.lowest_disc else table.discs.get(n, 0)
        out[disc & (np.abs(height - centres[n - 1, 2]) < 8)] = number
    if table.sacrum:
        out[(kinds == 5) | (kinds == 6)] = table.sacrum[0]
    if table.canal:
        out[kinds == 4] = table.canal[-1]
    return out.transpose(2, 1, 0), field.voxel_to_lps, centres


def save(path: Path, labels: np.ndarray, voxel_to_lps: np.ndarray) -> Path:
    nib.save(nib.Nifti1Image(labels, lps_to_ras(voxel_to_lps)), path)
    return path


def write(folder: Path, scheme: MaskScheme) -> tuple[Path, np.ndarray]:
    labels, affine, centres = label_array(scheme)
    if scheme is not MaskScheme.SPINEPS:
        return save(folder / "mask.nii.gz", labels, affine), centres
    save(folder / "sub-1_mod-T2w_seg-vert_msk.nii.gz", labels, affine)
    save(folder / "sub-1_mod-T2w_seg-spine_msk.nii.gz", parts(), affine)
    return folder, centres


def parts(*, swapped: bool = False) -> np.ndarray:
    """SPINEPS' second mask: canal, and one articular process on each side."""
    field, _ = fake_spine.spine(discs=5, straight=True)
    out = np.where(np.argmax(field.shares, axis=0) == 4, 61, 0).astype(np.int16)
    left, right = (46, 45) if swapped else (45, 46)
    out[12:14, 100:110, 120:130], out[1:3, 100:110, 120:130] = left, right
    return out.transpose(2, 1, 0)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_scheme_gives_the_five_discs_in_their_places(scheme: MaskScheme, tmp_path: Path) -> None:
    path, centres = write(tmp_path, scheme)
    found = levels_from_masks(path, scheme, SETTINGS)
    assert found.numbering_basis is NumberingBasis.EXTERNAL_MASK
    assert tuple(disc.level for disc in found.discs) == STANDARD_LEVELS
    for disc, centre in zip(found.discs, centres, strict=True):
        assert np.linalg.norm(disc.centre_lps_mm - centre) < 3.0
        assert disc.axes.cranial @ [0, 0, 1] > 0.98
    assert len(found.canal_line_lps_mm) > 2


@pytest.mark.parametrize("scheme", [MaskScheme.SPINEPS, MaskScheme.TOTALSPINESEG])
def test_auto_takes_what_is_certain(scheme: MaskScheme, tmp_path: Path) -> None:
    path, centres = write(tmp_path, scheme)
    assert len(levels_from_masks(path, MaskScheme.AUTO, SETTINGS).discs) == len(centres)


@pytest.mark.parametrize("scheme", [MaskScheme.SPIDER, MaskScheme.TOTALSEGMENTATOR])
def test_auto_refuses_the_rest_and_names_the_choices(scheme: MaskScheme, tmp_path: Path) -> None:
    path, _ = write(tmp_path, scheme)
    with pytest.raises(LevelsError, match="totalspineseg, totalsegmentator") as caught:
        levels_from_masks(path, MaskScheme.AUTO, SETTINGS)
    assert caught.value.reason is Reason.MASK_SCHEME_UNCERTAIN


def test_folder_of_totalsegmentator_classes(tmp_path: Path) -> None:
    labels, affine, centres = label_array(MaskScheme.TOTALSEGMENTATOR)
    for name, number in {"sacrum": 1, "vertebrae_L5": 2, "vertebrae_L4": 3, "vertebrae_L3": 4}.items():
        save(tmp_path / f"{name}.nii.gz", (labels == number).astype(np.uint8), affine)
    found = levels_from_masks(tmp_path, MaskScheme.AUTO, SETTINGS)
    assert [disc.level for disc in found.discs] == [Level.L3_L4, Level.L4_L5, Level.L5_S1]
    assert np.abs(np.array([d.centre_lps_mm for d in found.discs]) - centres[2:]).max() < 2.5


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("flips", list(itertools.product((1, -1), repeat=3)))
def test_all_48_orientations_agree(order: tuple[int, ...], flips: tuple[int, ...], tmp_path: Path) -> None:
    labels, affine, centres = label_array(MaskScheme.SPIDER)
    labels, affine = labels[::2, ::2], affine @ np.diag([2.0, 2.0, 1.0, 1.0])
    turned = np.transpose(labels, order)[tuple(slice(None, None, flip) for flip in flips)]
    moved = affine.copy()
    moved[:3, :3] = affine[:3, list(order)] * np.array(flips)
    ends = [size - 1 if flip < 0 else 0 for size, flip in zip(turned.shape, flips, strict=True)]
    moved[:3, 3] += affine[:3, list(order)] @ np.array(ends)
    found = levels_from_masks(save(tmp_path / "m.nii.gz", turned, moved), MaskScheme.SPIDER, SETTINGS)
    assert np.abs(np.array([d.centre_lps_mm for d in found.discs]) - centres).max() < 2.5


def test_upside_down_numbers_are_refused(tmp_path: Path) -> None:
    labels, affine, _ = label_array(MaskScheme.SPIDER)
    wrong = np.where((labels > 200), 406 - labels, labels)
    with pytest.raises(LevelsError, match="lies below") as caught:
        levels_from_masks(save(tmp_path / "m.nii.gz", wrong, affine), MaskScheme.SPIDER, SETTINGS)
    assert caught.value.reason is Reason.MASK_IMPLAUSIBLE


def test_swapped_sides_are_refused(tmp_path: Path) -> None:
    path, _ = write(tmp_path, MaskScheme.SPINEPS)
    _, affine, _ = label_array(MaskScheme.SPINEPS)
    save(path / "sub-1_mod-T2w_seg-spine_msk.nii.gz", parts(swapped=True), affine)
    with pytest.raises(LevelsError, match="right"):
        levels_from_masks(path, MaskScheme.SPINEPS, SETTINGS)


def test_wrong_scheme_finds_nothing_and_says_so(tmp_path: Path) -> None:
    path, _ = write(tmp_path, MaskScheme.SPIDER)
    with pytest.raises(LevelsError) as caught:
        levels_from_masks(path, MaskScheme.TOTALSPINESEG, SETTINGS)
    assert caught.value.reason is Reason.MASK_IMPLAUSIBLE


def test_unreadable_file_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "m.nii.gz").write_bytes(b"not a nifti")
    with pytest.raises(LevelsError, match="not a readable"):
        levels_from_masks(tmp_path, MaskScheme.SPIDER, SETTINGS)


def test_tissues_are_carried_onto_an_image(tmp_path: Path) -> None:
    path, _ = write(tmp_path, MaskScheme.TOTALSPINESEG)
    field, _ = fake_spine.spine(discs=5, straight=True)
    volume = Volume(np.zeros(fake_spine.SHAPE, np.float32), field.voxel_to_lps, 4.0)
    image = Image("s1k1", volume, Role(Plane.SAGITTAL, Contrast.T2))
    labels = levels_from_masks(path, MaskScheme.AUTO, SETTINGS, [image]).tissues[0].labels_zyx
    drawn = np.argmax(field.shares, axis=0)
    assert ((labels == SpineTissue.DISC.code) == (drawn == 1)).all()
    assert ((labels == SpineTissue.CANAL.code) == (drawn == 4)).all()


def test_levels_below_by_count() -> None:
    assert level_below(5, 6) is Level.L5_L6
    assert level_below(4, 4) is Level.L4_S1
    assert level_below(5, 5) is Level.L5_S1


@pytest.mark.slow
@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("flips", list(itertools.product((1, -1), repeat=3)))
def test_real_vertebra_masks_in_all_orientations(
    order: tuple[int, ...], flips: tuple[int, ...], shared_data: Path, tmp_path: Path
) -> None:
    """The TPTBox sample: whole vertebrae L2 to L4 of a CT, no discs; the discs come from the facing end-plates."""
    image = nib.load(shared_data / "facets" / "tptbox" / "ct_vertebrae.nii.gz")
    labels = np.asarray(image.dataobj)
    turned = np.transpose(labels, order)[tuple(slice(None, None, flip) for flip in flips)]
    affine = image.affine.copy()
    affine[:3, :3] = image.affine[:3, list(order)] * np.array(flips)
    ends = [size - 1 if flip < 0 else 0 for size, flip in zip(turned.shape, flips, strict=True)]
    affine[:3, 3] += image.affine[:3, list(order)] @ np.array(ends)
    nib.save(nib.Nifti1Image(np.ascontiguousarray(turned), affine), tmp_path / "m.nii.gz")
    found = levels_from_masks(tmp_path / "m.nii.gz", MaskScheme.SPINEPS, SETTINGS)
    straight = levels_from_masks(
        shared_data / "facets" / "tptbox" / "ct_vertebrae.nii.gz", MaskScheme.SPINEPS, SETTINGS
    )
    assert [disc.level for disc in found.discs] == [Level.L2_L3, Level.L3_L4]
    for disc, same in zip(found.discs, straight.discs, strict=True):
        assert np.abs(disc.centre_lps_mm - same.centre_lps_mm).max() < 0.5
        assert 20.0 < disc.depth_mm < 45.0
    assert 25.0 < np.linalg.norm(found.discs[0].centre_lps_mm - found.discs[1].centre_lps_mm) < 45.0
