from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pydicom
import pytest

from lfja_mri.model import Contrast, Level, Plane, Role, Side
from lfja_mri.phantom import Detail, Recipe, generate_cohort, generate_study, simulate
from lfja_mri.phantom.column import LEVELS_BY_COUNT
from lfja_mri.phantom.dicom import write_dicom
from lfja_mri.phantom.enhanced import write_enhanced
from lfja_mri.phantom.findings import draw_arthropathy
from lfja_mri.phantom.numbers import base_numbers
from lfja_mri.phantom.person import draw_person
from lfja_mri.phantom.planning import plan_series
from lfja_mri.phantom.recipe import Headers, Quality
from lfja_mri.phantom.skeleton import Posture
from lfja_mri.phantom.study import simulate_study
from lfja_mri.tables import read_csv

SMALL = Recipe(
    name="small",
    series=("sagittal_t2", "sagittal_stir"),
    quality=(Quality.GOOD,),
    field_strength_t=(1.5,),
    headers=Headers.SIEMENS,
    motion_mm=(2.0, 3.0),
    axial_plan="per_disc",
    matrix=128,
    sagittal_slices=7,
    axial_slices_per_disc=3,
)


@pytest.fixture(scope="module")
def simulated():
    return simulate(SMALL, 7, detail=Detail.QUICK)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("phantom")
    recipe = SMALL.model_copy(update={"series": ("sagittal_stir",), "compressed": True})
    return folder, generate_cohort(folder, recipe, 7, 1, detail=Detail.QUICK)


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_images_have_their_roles_and_shapes(simulated):
    images, truth = simulated
    roles = [image.role for image in images.images]
    assert roles.count(Role(Plane.SAGITTAL, Contrast.T2)) == 1
    assert roles.count(Role(Plane.SAGITTAL, Contrast.STIR)) == 1
    assert images.images[0].volume.values_zyx.shape[0] == 7
    assert len(truth.joints) == 10
    assert len({(joint.level, joint.side) for joint in truth.joints}) == 10


def test_fluid_is_where_the_truth_says(simulated):
    images, truth = simulated
    stir = images.of(Plane.SAGITTAL, Contrast.STIR)[0]
    behind = [truth.moved(stir.key, point) for point in truth.canal_line_lps_mm]
    inside = [np.linalg.inv(stir.volume.voxel_to_lps) @ np.append(point, 1) for point in behind]
    shape = np.array(stir.volume.values_zyx.shape[::-1])
    index = [np.rint(i[:3]).astype(int) for i in inside if np.all((i[:3] > 1) & (i[:3] < shape - 2))]
    values = [stir.volume.values_zyx[i[2], i[1] - 1 : i[1] + 2, i[0] - 1 : i[0] + 2].max() for i in index]
    assert len(values) >= 5
    assert np.median(values) > 5 * np.median(stir.volume.values_zyx)


def test_series_move_against_the_first(simulated):
    _, truth = simulated
    point = truth.joints[0].centre_lps_mm
    first, other = (np.linalg.norm(plan.moved(point) - point) for plan in truth.plans[:2])
    assert first == 0
    assert 1.0 < other < 4.0


def test_the_joint_region_holds_the_joint_line(simulated):
    _, truth = simulated
    joint = truth.joint(Level.L4_L5, Side.LEFT)
    assert truth.joint_region(joint.level, joint.side, joint.joint_line_lps_mm, margin_mm=0.3).all()
    assert not truth.joint_region(joint.level, joint.side, joint.centre_lps_mm + np.array([0, 0, 20.0]))
    assert not truth.joint_region(joint.level, Side.RIGHT, joint.centre_lps_mm)


def test_files_are_conformant_and_in_order(written):
    folder, studies = written
    files = sorted((folder / "small-00007").glob("*.dcm"))
    assert len(files) == studies[0].files == 7
    slices = [pydicom.dcmread(path) for path in files]
    assert {item.file_meta.MediaStorageSOPInstanceUID for item in slices} == {
        item.SOPInstanceUID for item in slices
    }
    assert len({item.SOPInstanceUID for item in slices}) == 7
    assert {item.Modality for item in slices} == {"MR"}
    assert slices[0].InversionTime > 100
    assert slices[0].pixel_array.max() > 200
    places = np.array([item.ImagePositionPatient for item in slices], dtype=float)
    steps = np.linalg.norm(np.diff(places, axis=0), axis=1)
    np.testing.assert_allclose(steps, slices[0].SpacingBetweenSlices, atol=1e-3)
    assert all(len(item.SOPInstanceUID) <= 64 for item in slices)


def test_the_truth_table_names_the_study(written):
    folder, studies = written
    rows = read_csv(folder / "truth.csv", ("study_key", "level", "side", "grade", "x_lps_mm"))
    assert len(rows) == 10
    uid = pydicom.dcmread(next((folder / "small-00007").glob("*.dcm"))).StudyInstanceUID
    assert {row["study_key"] for row in rows} == {hashlib.sha256(uid.encode()).hexdigest()[:12]}
    assert {row["study_key"] for row in rows} == {studies[0].study_key}
    assert len(read_csv(folder / "truth_levels.csv")) == 5


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bytes(tmp_path):
    recipe = SMALL.model_copy(update={"series": ("sagittal_stir",)})
    for name in ("one", "two"):
        generate_study(recipe, 3, tmp_path / name, detail=Detail.QUICK)
    assert digests(tmp_path / "one") == digests(tmp_path / "two")


@pytest.mark.slow
def test_jobs_do_not_change_the_bytes(tmp_path):
    recipe = SMALL.model_copy(update={"series": ("sagittal_stir",), "sagittal_slices": 5})
    generate_cohort(tmp_path / "one", recipe, 20, 2, jobs=1, detail=Detail.QUICK)
    generate_cohort(tmp_path / "two", recipe, 20, 2, jobs=2, detail=Detail.QUICK)
    assert digests(tmp_path / "one") == digests(tmp_path / "two")


@pytest.mark.slow
def test_a_repeat_is_another_scan_of_the_same_joints():
    first, second = (
        simulate(SMALL, 9, detail=Detail.QUICK, series=("sagittal_stir",), repeat=r)[1] for r in (0, 1)
    )
    assert first.study_key != second.study_key
    assert [joint.grade for joint in first.joints] == [joint.grade for joint in second.joints]
    assert not np.allclose(first.joints[0].centre_lps_mm, second.joints[0].centre_lps_mm)


@pytest.mark.parametrize(("times", "alike"), [("per_scan", False), ("per_person", True)])
def test_a_trial_holds_the_scanner_times_and_not_the_day(times, alike):
    recipe = SMALL.model_copy(update={"series": ("sagittal_stir",), "scanner_times": times})
    base, levels = base_numbers(), tuple(level.value for level in LEVELS_BY_COUNT[5])
    person = draw_person(7, base.anatomy, Posture(), arthropathy=draw_arthropathy(7, recipe, levels))
    first, second = (
        plan_series(person, recipe, base, recipe.series, name)[0] for name in ("baseline", "baseline1")
    )
    assert (first.sequence == second.sequence) is alike
    assert (first.flow_loss != second.flow_loss) is alike


def test_an_enhanced_object_says_the_same_as_the_classic_files(tmp_path):
    study = simulate_study(SMALL, 7, series=("sagittal_stir",), detail=Detail.QUICK)
    files = sorted(write_dicom(study, tmp_path / "classic"))
    enhanced = pydicom.dcmread(write_enhanced(study, tmp_path / "enhanced")[0])
    classic = [pydicom.dcmread(path) for path in files]
    assert enhanced.NumberOfFrames == len(classic)
    np.testing.assert_array_equal(enhanced.pixel_array, np.stack([item.pixel_array for item in classic]))
    frames = enhanced.PerFrameFunctionalGroupsSequence
    for frame, item in zip(frames, classic, strict=True):
        assert frame.PlanePositionSequence[0].ImagePositionPatient == item.ImagePositionPatient
        assert frame.PlaneOrientationSequence[0].ImageOrientationPatient == item.ImageOrientationPatient
    shared = enhanced.SharedFunctionalGroupsSequence[0]
    assert shared.MRModifierSequence[0].InversionTimes == classic[0].InversionTime
