"""DICOM out: the zones as a segmentation object and the grades as a structured report, for PACS and their tools.

Needs the optional part `lfja-mri[dicom]`. The objects belong to the patient's study: they carry the identifying
attributes of the source headers, so they are as confidential as the images. UIDs follow from study, rules and
version, and dates are the study's, so the same study gives the same objects.
"""

from __future__ import annotations

import io
import uuid
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import UID, ExplicitVRLittleEndian, MRImageStorage

from lfja_mri.errors import InputError, Reason, UsageError
from lfja_mri.model import FloatArray, Level, Side, StudyResult, Zone
from lfja_mri.report import label_map
from lfja_mri.report.dicom_codes import SCT, SIDE_CODES, ZONE_CODES
from lfja_mri.report.render import About

try:
    import highdicom as hd
except ImportError as error:
    raise UsageError(
        "writing DICOM needs an optional part that is not installed; try: pip install 'lfja-mri[dicom]'"
    ) from error

MAKER = "lfja-mri"
SERIES_NUMBER_SEG = 9001
SPACING_MM = (
    0.5  # finer than the zones' own grid, so that laying them onto another grid moves no centroid by 0.5 mm
)
_TEXTS_THAT_MUST_EXIST = (
    "PatientID", "PatientName", "PatientBirthDate", "PatientSex", "StudyID", "AccessionNumber",
    "ReferringPhysicianName", "StudyDate", "StudyTime",
)  # fmt: skip

_NEEDED = {
    "StudyInstanceUID": "which study it belongs to",
    "SeriesInstanceUID": "which series it refers to",
    "SOPInstanceUID": "which images it refers to",
    "FrameOfReferenceUID": "in which frame its positions are",
    "ImagePositionPatient": "where the source images lie",
    "ImageOrientationPatient": "how the source images are turned",
    "PixelSpacing": "how large the source pixels are",
    "Rows": "how large the source images are",
    "Columns": "how large the source images are",
}


@dataclass(frozen=True)
class Segment:
    """One zone of one joint as a numbered segment; `label` is its value in the label map."""

    number: int
    level: Level
    side: Side
    zone: Zone
    label: int

    @property
    def words(self) -> str:
        """Return `L4-L5 right joint space`."""
        return f"{self.level.value} {self.side.value} {self.zone.value.replace('_', ' ')}"


def segments_of(made: label_map.LabelMap) -> tuple[Segment, ...]:
    """Return the zones that become segments: joint space, capsule, perimeter and the two processes."""
    wanted = [
        (level, side, zone, label_map.label_of(level, side, zone))
        for level in Level
        for side in Side
        for zone in ZONE_CODES
    ]
    present = [entry for entry in wanted if entry[3] in made.names]
    return tuple(Segment(number, *entry) for number, entry in enumerate(present, start=1))


def segmentation(result: StudyResult, sources: Sequence[Dataset], about: About) -> Dataset:
    """Return the zones of all placed joints as a binary segmentation object.

    Parameters
    ----------
    result
        A graded study.
    sources
        Headers of the reference series, one per plane; its frame of reference is that of the zones.
    about
        Version and rules, which the UIDs follow from.

    Raises
    ------
    InputError
        No joint was placed, there are no source headers, or one lacks what the object must refer to.
    """
    made = label_map.make_label_map(result.joints, SPACING_MM)
    if made is None or not sources:
        raise InputError("no joint was placed, so there is nothing to export", reason=Reason.JOINT_NOT_FOUND)
    refuse_headless(sources)
    segments = segments_of(made)
    headers = [completed(source) for source in sources]
    numbers = _segment_numbers(made, segments)
    built: Dataset = hd.seg.Segmentation(
        source_images=headers,
        pixel_array=numbers,
        segmentation_type="BINARY",
        segment_descriptions=[_description(segment, about) for segment in segments],
        series_instance_uid=stable_uid(headers[0], about, "seg series"),
        series_number=SERIES_NUMBER_SEG,
        sop_instance_uid=stable_uid(headers[0], about, "seg"),
        instance_number=1,
        manufacturer=MAKER,
        manufacturer_model_name=MAKER,
        software_versions=about.tool_version,
        device_serial_number="0",
        content_label="FACET_ZONES",
        content_description="Zones of lumbar facet joints",
        plane_positions=_plane_positions(made.voxel_to_lps, numbers.shape[0]),
        plane_orientation=hd.PlaneOrientationSequence("PATIENT", [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]),
        pixel_measures=hd.PixelMeasuresSequence([SPACING_MM] * 2, SPACING_MM, SPACING_MM),
    )
    built.ContentCreatorName = ""  # must be present; no person drew the zones
    organisation = stable_uid(headers[0], about, "dimensions")
    for item in (*built.DimensionOrganizationSequence, *built.DimensionIndexSequence):
        item.DimensionOrganizationUID = organisation
    return dated(built, headers[0])


def _segment_numbers(made: label_map.LabelMap, segments: Sequence[Segment]) -> npt.NDArray[np.uint8]:
    lookup = np.zeros(int(made.labels_zyx.max()) + 1, np.uint8)
    for segment in segments:
        lookup[segment.label] = segment.number
    numbers: npt.NDArray[np.uint8] = lookup[made.labels_zyx]
    return numbers


def _plane_positions(voxel_to_lps: FloatArray, count: int) -> list[hd.PlanePositionSequence]:
    origins = voxel_to_lps[:3, 3] + np.arange(count)[:, None] * voxel_to_lps[:3, 2]
    return [hd.PlanePositionSequence("PATIENT", [float(value) for value in origin]) for origin in origins]


def _description(segment: Segment, about: About) -> hd.seg.SegmentDescription:
    category, kind = ZONE_CODES[segment.zone]
    algorithm = hd.AlgorithmIdentificationSequence(
        MAKER, hd.sr.CodedConcept("rules", "99LFJAMRI", "Rules"), about.tool_version
    )
    description = hd.seg.SegmentDescription(
        segment_number=segment.number,
        segment_label=segment.words,
        segmented_property_category=category,
        segmented_property_type=kind,
        algorithm_type="AUTOMATIC",
        algorithm_identification=algorithm,
        anatomic_regions=[SCT.LumbarSpine],
        display_color=hd.color.CIELabColor.from_rgb(*label_map.colour_of(segment.label)),
    )
    laterality = hd.sr.CodedConcept.from_code(SIDE_CODES[segment.side])
    description.SegmentedPropertyTypeCodeSequence[0].SegmentedPropertyTypeModifierCodeSequence = Items(
        [laterality]
    )
    description.AnatomicRegionSequence[0].AnatomicRegionModifierSequence = Items([deepcopy(laterality)])
    return description


def refuse_headless(sources: Sequence[Dataset]) -> None:
    """Refuse headers that lack what a DICOM object must refer to: such values are never invented.

    Raises
    ------
    InputError
        Names the attributes that an archive stripped, and what they would have told.
    """
    lost = [name for name in _NEEDED if any(not source.get(name) for source in sources)]
    if lost:
        told = "; ".join(f"{name} ({_NEEDED[name]})" for name in lost)
        raise InputError(
            f"the source headers lack {told}: a DICOM object cannot be made without inventing it"
        )


def completed(source: Dataset) -> Dataset:
    """Return a copy of a header with empty values where an archive stripped what the standard wants present."""
    header = deepcopy(source)
    for keyword in _TEXTS_THAT_MUST_EXIST:
        if keyword not in header:
            setattr(header, keyword, "")
    if "SOPClassUID" not in header:
        header.SOPClassUID = MRImageStorage
    if "Modality" not in header:
        header.Modality = "MR"
    return header


def stable_uid(source: Dataset, about: About, purpose: str) -> UID:
    """Return a UID that follows from the study, the rules, the version and what it is for."""
    seeds = (str(source.StudyInstanceUID), about.rules_digest, about.tool_version, purpose)
    return UID(f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, '|'.join(seeds)).int}")


def dated(made: Dataset, source: Dataset) -> Dataset:
    """Return the object with the study's date for its own: no clock, and nothing said that is not known."""
    date, time = source.StudyDate or "19000101", source.StudyTime or "000000"
    for keyword, value in (
        ("ContentDate", date),
        ("ContentTime", time),
        ("InstanceCreationDate", date),
        ("InstanceCreationTime", time),
    ):
        if keyword in made:
            setattr(made, keyword, value)
    for item in made.get("ContributingEquipmentSequence", []):
        if "ContributionDateTime" in item:
            del item.ContributionDateTime
    return made


def dicom_files(result: StudyResult, sources: Sequence[Dataset], about: About) -> dict[str, bytes]:
    """Return `zones_seg.dcm` and `grades_sr.dcm` as bytes; the same study gives the same bytes."""
    from lfja_mri.report.dicom_report import structured_report

    seg = segmentation(result, sources, about)
    report = structured_report(result, sources, seg, about)
    return {"zones_seg.dcm": dicom_bytes(seg), "grades_sr.dcm": dicom_bytes(report)}


def dicom_bytes(made: Dataset) -> bytes:
    """Return a DICOM object as the bytes of its file."""
    buffer = io.BytesIO()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()
