"""The phantom's DICOM as other programs see it."""

from __future__ import annotations

import subprocess
import sys
from itertools import product
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest

from lfja_mri.config import load_pipeline_settings
from lfja_mri.ingest import find_studies, read_study
from lfja_mri.phantom import Detail, Recipe, generate_study
from lfja_mri.phantom.recipe import Headers, Quality

BESIDE = Path(sys.executable).parent
KINDS = list(product(Headers, ("classic", "enhanced"), (False, True)))
KINDS = [kind for kind in KINDS if kind[0] is not Headers.MIXED]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Return a maker of one study a kind, each made once."""
    made = {}

    def make(*kind: object) -> Path:
        headers, objects, compressed = kind
        key = f"{headers.value}-{objects}-{compressed}"
        if key not in made:
            recipe = Recipe(
                name="small",
                series=("sagittal_stir", "axial_t2"),
                quality=(Quality.GOOD,),
                headers=headers,
                axial_plan="one_block",
                matrix=128,
                sagittal_slices=5,
                objects=objects,
                compressed=compressed,
            )
            made[key] = tmp_path_factory.mktemp(key)
            generate_study(recipe, 5, made[key], detail=Detail.QUICK)
        return made[key]

    return make


def complaints(path: Path) -> list[str]:
    judge = BESIDE / "dciodvfy"
    if not judge.exists():
        pytest.skip("dciodvfy is not installed (make judges)")
    done = subprocess.run([judge, "-new", path], capture_output=True, text=True, check=False)
    return [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("Error")]


@pytest.mark.slow
@pytest.mark.parametrize(("headers", "objects", "compressed"), KINDS)
def test_every_kind_is_read_alike_by_four_readers(written, headers, objects, compressed, tmp_path):
    folder = written(headers, objects, compressed)
    stored = [pydicom.dcmread(path) for path in sorted(folder.glob("*.dcm"))]
    _itk_agrees(folder, stored)
    study = find_studies([folder], load_pipeline_settings().ingest).studies[0]
    ours = read_study(study, load_pipeline_settings().ingest)
    frames = sum(int(item.get("NumberOfFrames", 1)) for item in stored)
    assert sum(len(stack.planes) for stack in study.stacks) == frames
    assert all(image.volume.values_zyx.max() > 100 for image in ours.images)
    _convert(folder, tmp_path, one_by_one=objects == "enhanced")
    volumes = [np.asarray(nib.load(path).dataobj) for path in tmp_path.glob("*.nii")]
    assert sum(volume.shape[2] for volume in volumes) == frames
    total = sum(float(item.pixel_array.sum()) for item in stored)
    assert sum(float(volume.sum()) for volume in volumes) == total


def _convert(folder: Path, out: Path, *, one_by_one: bool) -> None:
    """Run dcm2niix; of two compressed multi-frame files in one folder it spoils one, so those go in one at a time."""
    sources = sorted(folder.glob("*.dcm")) if one_by_one else [folder]
    for source in sources:
        single = "y" if one_by_one else "n"
        command = [BESIDE / "dcm2niix", "-z", "n", "-s", single, "-f", "%s", "-o", out, source]
        assert subprocess.run(command, capture_output=True, check=False).returncode == 0


def _itk_agrees(folder: Path, stored: list[pydicom.Dataset]) -> None:
    itk = pytest.importorskip("SimpleITK")
    for path, item in zip(sorted(folder.glob("*.dcm")), stored, strict=True):
        read = itk.GetArrayFromImage(itk.ReadImage(str(path)))
        np.testing.assert_array_equal(np.squeeze(read), np.squeeze(item.pixel_array))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("headers", "objects", "compressed"),
    [kind for kind in KINDS if kind[0] is not Headers.STRIPPED or kind[1] == "classic"],
)
def test_what_is_not_stripped_conforms(written, headers, objects, compressed):
    folder = written(headers, objects, compressed)
    files = sorted(folder.glob("*.dcm"))
    for path in (files[0], files[-1]):
        assert complaints(path) == []
