"""NIfTI written by us: agrees with dcm2niix wherever that is right, is the same bytes every time, and says everything."""

from __future__ import annotations

import json

import nibabel as nib
import numpy as np
import pytest
from made_dicom import SLAB
from messy_dicom import CASES
from nifti_oracle import BINARY, converted, placement_error_mm
from typer.testing import CliRunner

from lfja_mri.app.commands import app
from lfja_mri.config import load_pipeline_settings
from lfja_mri.errors import ExitCode
from lfja_mri.geometry import lps_to_ras
from lfja_mri.ingest import describe, export, find_studies
from lfja_mri.ingest.export import write_nifti
from lfja_mri.model import Volume

SETTINGS = load_pipeline_settings().ingest
AGREED = (
    *(
        "plain",
        "oblique",
        "scrambled_instance_numbers",
        "duplicate_files",
        "mixed_matrix",
        "two_acquisitions",
    ),
    *("dual_echo", "rescale_per_slice", "tilted_blocks", "big_endian", "rle", "enhanced", "no_tags"),
    *("position_HFP", "position_FFS", "position_FFP", "position_HFDR", "position_FFDL"),
)


@pytest.mark.slow
@pytest.mark.skipif(not BINARY.exists(), reason="dcm2niix is not installed")
@pytest.mark.parametrize("name", AGREED)
def test_exported_nifti_agrees_with_dcm2niix(name, tmp_path):
    CASES[name].build(tmp_path / "in")
    index = export(find_studies([tmp_path / "in"], SETTINGS), tmp_path / "out", SETTINGS)
    theirs = converted(tmp_path / "in")
    names = [
        entry["image"] for study in index["studies"] for one in study["series"] for entry in one["stacks"]
    ]
    assert len(names) == CASES[name].stacks
    for image in (nib.nifti1.load(tmp_path / "out" / one) for one in names):
        ours = (np.asarray(image.get_fdata()), np.asarray(image.affine))
        errors = [error for one in theirs if (error := placement_error_mm(ours, one)) is not None]
        assert errors
        assert min(errors) < 0.1


def test_export_writes_the_same_bytes_and_every_stack(tmp_path):
    CASES["tilted_blocks"].build(tmp_path / "in")
    for out in ("a", "b"):
        export(find_studies([tmp_path / "in"], SETTINGS), tmp_path / out, SETTINGS)
    written = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert len(written) == 3 * 2 + 1
    assert all(
        (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes() for name in written
    )


def test_index_names_rejections_and_no_patient(tmp_path):
    (tmp_path / "SECRET").mkdir()
    CASES["junk_beside"].build(tmp_path / "SECRET")
    export(find_studies([tmp_path], SETTINGS), tmp_path / "out", SETTINGS)
    text = (tmp_path / "out" / "index.json").read_text()
    index = json.loads(text)
    assert {one["reason"] for one in index["rejections"]} == {"not_dicom", "empty_file", "not_mr_image"}
    assert "SECRET" not in text
    assert index["studies"][0]["series"][0]["stacks"][0]["role"] == "sagittal_stir"


@pytest.mark.parametrize("case", [None, "localiser", "junk_beside"])
def test_ingest_ends_with_4_where_no_image_can_be_used_and_says_where_the_reasons_are(case, tmp_path):
    (tmp_path / "in").mkdir()
    if case is None:
        (tmp_path / "in" / "notes.txt").write_text("no image")
    else:
        CASES[case].build(tmp_path / "in")
    done = CliRunner().invoke(app, ["ingest", str(tmp_path / "in"), "--out", str(tmp_path / "out")])
    written = list((tmp_path / "out").glob("*.nii.gz"))
    assert (tmp_path / "out" / "index.json").is_file()
    assert done.exit_code == (0 if written else ExitCode.NOTHING_USABLE)
    assert bool(written) == (case == "junk_beside")


def test_description_is_plain_and_complete(tmp_path):
    CASES["localiser"].build(tmp_path)
    plain = describe(find_studies([tmp_path], SETTINGS), SETTINGS)
    assert json.loads(json.dumps(plain)) == plain
    assert [one["reason"] for one in plain["studies"][0]["rejections"]] == ["localiser"] * 3


@pytest.mark.parametrize("scale", [1.0, 0.25, -3.0])
def test_nifti_keeps_every_value_and_place(scale, tmp_path):
    points = np.stack([SLAB.points(SLAB.position(place)) for place in range(4)])
    values = (np.arange(points[..., 0].size).reshape(points.shape[:3]) * scale).astype(np.float32)
    affine = np.eye(4)
    affine[:3, :3] = np.stack([SLAB.row * 0.7, SLAB.column * 0.8, SLAB.normal * 4.4], axis=1)
    volume = Volume(values, affine, 4.0)
    write_nifti(volume, tmp_path / "x.nii.gz")
    image = nib.nifti1.load(tmp_path / "x.nii.gz")
    assert np.array_equal(image.get_fdata(), values.T)
    assert np.allclose(lps_to_ras(image.affine), affine, atol=1e-5)
