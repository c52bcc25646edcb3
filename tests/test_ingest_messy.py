"""Every messy case comes out right or is refused with its reason, measured in the pixels themselves."""

from __future__ import annotations

from dataclasses import replace

import pytest
from made_dicom import geometry_error_mm
from messy_dicom import CASES

from lfja_mri.config import load_pipeline_settings
from lfja_mri.ingest import find_studies, read_stack
from lfja_mri.model import Rejection

TOLERANCE_MM = 0.1
SETTINGS = load_pipeline_settings().ingest


@pytest.mark.parametrize("name", sorted(CASES))
def test_messy_case(name, tmp_path):
    case = CASES[name]
    case.build(tmp_path)
    catalogue = find_studies([tmp_path], SETTINGS)
    refusals = [*catalogue.rejections, *(one for study in catalogue.studies for one in study.rejections)]
    volumes = [read_stack(stack) for study in catalogue.studies for stack in study.stacks]
    assert not [one for one in volumes if isinstance(one, Rejection)]
    assert len(catalogue.studies) == case.studies
    assert len(volumes) == case.stacks
    assert case.reasons <= {refusal.reason.value for refusal in refusals}
    for volume in volumes:
        assert geometry_error_mm(volume.values_zyx, volume.voxel_to_lps) < TOLERANCE_MM


@pytest.mark.parametrize(
    ("name", "flag", "planes"),
    [
        ("duplicate_position", "keep_latest_at_same_place", [10]),
        ("missing_slice", "keep_parts_beside_lost_planes", [4, 5]),
    ],
)
def test_flags_that_keep_what_is_refused_by_default(name, flag, planes, tmp_path):
    CASES[name].build(tmp_path)
    stacks = find_studies([tmp_path], replace(SETTINGS, **{flag: True})).studies[0].stacks
    assert sorted(len(stack.planes) for stack in stacks) == planes
    assert all(stack.notes for stack in stacks)
    for stack in stacks:
        volume = read_stack(stack)
        assert geometry_error_mm(volume.values_zyx, volume.voxel_to_lps) < TOLERANCE_MM


@pytest.mark.parametrize("name", ["junk_beside", "zip", "truncated_pixels", "missing_slice", "broken_zip"])
def test_no_identifier_is_ever_said(name, tmp_path):
    CASES[name].build(tmp_path)
    assert "SECRET" not in repr(find_studies([tmp_path], SETTINGS).rejections)


def test_a_dicomdir_stands_for_its_folder(tmp_path):
    CASES["plain"].build(tmp_path)
    (tmp_path / "DICOMDIR").write_bytes(b"not even a directory")
    catalogue = find_studies([tmp_path / "DICOMDIR"], SETTINGS)
    assert [len(stack.planes) for stack in catalogue.studies[0].stacks] == [10]
    assert [one.reason.value for one in catalogue.rejections] == ["not_dicom"]


def test_studies_without_uids_have_names_of_their_own(tmp_path):
    CASES["no_uids"].build(tmp_path / "a")
    CASES["no_uids"].build(tmp_path / "b")
    (tmp_path / "b" / "im0009").unlink()
    first, second = (find_studies([tmp_path / name], SETTINGS).studies[0] for name in "ab")
    assert first.study_key != second.study_key
