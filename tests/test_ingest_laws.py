"""Laws of ingestion: names and order never matter; damage is noticed or harmless, never a crash, never a wrong place."""

from __future__ import annotations

import hashlib
import random
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_dicom import SLAB, T2, as_bytes, enhanced, series
from messy_dicom import CASES
from pydicom.uid import RLELossless

from lfja_mri.config import load_pipeline_settings
from lfja_mri.errors import InputError, Reason
from lfja_mri.ingest import find_studies, read_stack, read_study
from lfja_mri.model import Rejection

SETTINGS = load_pipeline_settings().ingest
TOLERANCE_MM = 0.12
LAW = settings(max_examples=40, deadline=None, derandomize=True)


@cache
def contents(kind: str = "plain") -> tuple[bytes, ...]:
    if kind == "enhanced":
        return (as_bytes(enhanced([(SLAB, range(10))])),)
    return tuple(as_bytes(data, RLELossless) if kind == "rle" else as_bytes(data) for data in series(SLAB))


def signature(folder: Path) -> list[tuple[object, ...]]:
    catalogue = find_studies([folder], SETTINGS)
    result: list[tuple[object, ...]] = []
    for study in catalogue.studies:
        for stack in study.stacks:
            volume = read_stack(stack)
            assert not isinstance(volume, Rejection)
            digest = hashlib.sha256(volume.values_zyx.tobytes()).hexdigest()
            result.append((study.study_key, stack.key, volume.voxel_to_lps.tobytes(), digest))
        result += sorted(refusal.reason.value for refusal in study.rejections)
    return result


@pytest.mark.parametrize(
    "name", ["tilted_blocks", "overlapping_blocks", "two_acquisitions", "two_studies", "mixed_matrix"]
)
@settings(max_examples=3, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1))
def test_names_and_order_of_files_do_not_matter(name, seed):
    with tempfile.TemporaryDirectory() as given_folder, tempfile.TemporaryDirectory() as other_folder:
        CASES[name].build(Path(given_folder))
        files = [path for path in Path(given_folder).rglob("*") if path.is_file()]
        shuffle = random.Random(seed)  # noqa: S311
        for number, path in enumerate(shuffle.sample(files, len(files))):
            target = Path(other_folder, *shuffle.choices("abc", k=shuffle.randint(0, 3)), f"x{number}.ima")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
        assert signature(Path(given_folder)) == signature(Path(other_folder))


def assert_geometry_is_true(folder: Path) -> None:
    """Whatever stacks came out, each plane lies where its slice was written to lie."""
    for study in find_studies([folder], SETTINGS).studies:
        for stack in study.stacks:
            read_stack(stack)
            affine = stack.voxel_to_lps
            assert np.allclose(affine[:3, 0], SLAB.row * SLAB.spacing[1], atol=0.002)
            assert np.allclose(affine[:3, 1], SLAB.column * SLAB.spacing[0], atol=0.002)
            for place, plane in enumerate(stack.planes):
                written = SLAB.position(plane.source.number - 1)
                got = affine[:3, 3] + place * affine[:3, 2]
                assert np.linalg.norm(written - got) < TOLERANCE_MM


@LAW
@given(victim=st.integers(0, 9), place=st.integers(0, 1330), value=st.integers(0, 255))
def test_one_flipped_header_byte_never_moves_a_plane(victim, place, value):
    with tempfile.TemporaryDirectory() as folder:
        for i, content in enumerate(contents()):
            damaged = bytearray(content)
            if i == victim:
                damaged[place % len(damaged)] = value
            Path(folder, f"{i:02d}").write_bytes(damaged)
        assert_geometry_is_true(Path(folder))


@LAW
@given(victim=st.integers(0, 9), share=st.floats(0, 1))
def test_a_file_cut_short_never_moves_a_plane(victim, share):
    with tempfile.TemporaryDirectory() as folder:
        for i, content in enumerate(contents()):
            Path(folder, f"{i:02d}").write_bytes(
                content[: int(share * len(content))] if i == victim else content
            )
        assert_geometry_is_true(Path(folder))


@pytest.mark.parametrize("kind", ["rle", "enhanced"])
@settings(max_examples=20, deadline=None, derandomize=True)
@given(share=st.floats(0, 1, exclude_max=True), value=st.integers(0, 255), cut=st.booleans())
def test_damage_of_any_kind_never_crashes(kind, share, value, cut):
    with tempfile.TemporaryDirectory() as folder:
        for i, content in enumerate(contents(kind)):
            damaged = bytearray(content)
            place = int(share * len(damaged))
            if i == 0 and cut:
                del damaged[place:]
            elif i == 0:
                damaged[place] = value
            Path(folder, f"{i:02d}").write_bytes(damaged)
        catalogue = find_studies([Path(folder)], SETTINGS)
        assert catalogue.file_count == len(contents(kind))
        for study in catalogue.studies:
            assert read_study(study, SETTINGS).study_key == study.study_key


@pytest.mark.parametrize("name", ["zip", "tar_gz"])
@settings(max_examples=20, deadline=None, derandomize=True)
@given(places=st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=8), value=st.integers(0, 255))
def test_a_damaged_archive_never_crashes(name, places, value):
    with tempfile.TemporaryDirectory() as folder:
        CASES[name].build(Path(folder))
        archive = next(path for path in Path(folder).iterdir())
        damaged = bytearray(archive.read_bytes())
        for share in places:
            damaged[int(share * len(damaged))] = value
        archive.write_bytes(damaged)
        catalogue = find_studies([Path(folder)], SETTINGS)
        assert catalogue.studies or catalogue.rejections
        for study in catalogue.studies:
            assert read_study(study, SETTINGS).study_key == study.study_key


def nibabel_dicoms() -> Path:
    import nibabel

    return Path(nibabel.__file__).parent / "nicom" / "tests" / "data"


@pytest.mark.parametrize(
    "folder",
    [Path(pydicom.__file__).parent / "data" / "test_files", nibabel_dicoms()],
    ids=["pydicom", "nibabel"],
)
def test_foreign_test_files_give_a_result_or_a_reason(folder):
    catalogue = find_studies([folder], SETTINGS)
    reasons = [one.reason for one in catalogue.rejections]
    for study in catalogue.studies:
        reasons += [one.reason for one in study.rejections]
        images = read_study(study, SETTINGS)
        assert len(images.images) <= len(study.stacks)
    assert catalogue.file_count > 5
    assert reasons
    assert all(isinstance(reason, Reason) for reason in reasons)


def test_an_absent_input_is_an_error():
    with pytest.raises(InputError, match="input 1 of 1 does not exist"):
        find_studies([Path("/nonexistent/SECRET")], SETTINGS)


def test_an_empty_folder_holds_nothing(tmp_path):
    catalogue = find_studies([tmp_path], SETTINGS)
    assert (catalogue.studies, catalogue.rejections, catalogue.file_count) == ((), (), 0)


def test_one_study_given_twice_is_read_once(tmp_path):
    CASES["plain"].build(tmp_path)
    both = find_studies([tmp_path, tmp_path / "im0000"], SETTINGS)
    assert both.file_count == SLAB.count
    assert T2.inversion is None
