"""Write a simulated study as classic MR Image objects, one file a slice; every identifier follows from the seed."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, MRImageStorage, RLELossless

from lfja_mri.model import FloatArray, ImageArray
from lfja_mri.phantom.chance import stream
from lfja_mri.phantom.headers import SeriesHeader, series_header
from lfja_mri.phantom.planning import SeriesPlan, StackPlan
from lfja_mri.phantom.recipe import Headers
from lfja_mri.phantom.study import BASELINE, SimulatedSeries, SimulatedStudy, uid
from lfja_mri.tables import write_bytes

BASELINE_DATE, FOLLOW_UP_DATE = "20240115", "20250117"
STYLES = (Headers.SIEMENS, Headers.GE, Headers.PHILIPS, Headers.STRIPPED)
LARGEST_VALUE = 4095
MHZ_PER_TESLA = 42.577


@dataclass(frozen=True)
class StudyNames:
    """Identifiers of a study, all derived."""

    patient: str
    study_uid: str
    frame_uid: str
    date: str
    style: Headers


def study_names(study: SimulatedStudy) -> StudyNames:
    """Derive a study's identifiers from its recipe, seed and visit."""
    style = study.recipe.headers
    if style is Headers.MIXED:
        style = STYLES[int(stream(study.seed, f"style{study.visit}").integers(len(STYLES)))]
    return StudyNames(
        patient=f"PHANTOM-{study.recipe.name}-{study.seed:05d}",
        study_uid=study.uid,
        frame_uid=uid("frame", study.recipe.name, study.seed, study.visit),
        date=BASELINE_DATE if study.visit.startswith(BASELINE) else FOLLOW_UP_DATE,
        style=style,
    )


def write_dicom(study: SimulatedStudy, folder: Path) -> tuple[Path, ...]:
    """Write every slice of a study into a folder; returns the files in order."""
    names = study_names(study)
    written = []
    for series in study.series:
        header = series_header(names.style, series.plan.sequence)
        for number, dataset in enumerate(_slices(study, series, names, header), start=1):
            path = folder / f"s{series.plan.number}i{number:03d}.dcm"
            write_bytes(path, encoded(dataset, compressed=study.recipe.compressed))
            written.append(path)
    return tuple(written)


def _slices(
    study: SimulatedStudy, series: SimulatedSeries, names: StudyNames, header: SeriesHeader
) -> Iterator[Dataset]:
    number = 0
    for stack, pixels in zip(series.plan.stacks, series.stacks, strict=True):
        for plane in range(stack.shape_zyx[0]):
            number += 1
            dataset = patient_and_study(study, names)
            add_series(dataset, study, series.plan, names, header)
            _add_sequence(dataset, series.plan, header)
            _add_plane(dataset, stack, plane, number)
            _add_pixels(dataset, pixels[plane])
            dataset.SOPInstanceUID = uid(
                "instance", study.recipe.name, study.seed, study.visit, series.plan.name, number
            )
            yield dataset


def patient_and_study(study: SimulatedStudy, names: StudyNames) -> Dataset:
    """Return a data set with the patient and study modules."""
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 100"
    dataset.SOPClassUID = MRImageStorage
    dataset.PatientName = f"Phantom^{study.recipe.name}"
    dataset.PatientID = names.patient
    dataset.PatientBirthDate = ""
    dataset.PatientSex = study.recipe.patient_sex
    later = 0 if names.date == BASELINE_DATE else 1
    dataset.PatientAge = f"{study.recipe.patient_age_years + later:03d}Y"
    dataset.PatientIdentityRemoved = "YES"
    dataset.DeidentificationMethod = "Computed phantom; no person was scanned"
    dataset.StudyInstanceUID = names.study_uid
    dataset.StudyDate = names.date
    dataset.StudyTime = "090000"
    dataset.ReferringPhysicianName = ""
    dataset.StudyID = "1"
    dataset.AccessionNumber = ""
    dataset.StudyDescription = "MR lumbar spine (phantom)"
    return dataset


def add_series(
    dataset: Dataset, study: SimulatedStudy, plan: SeriesPlan, names: StudyNames, header: SeriesHeader
) -> None:
    """Add series, frame of reference and equipment."""
    dataset.Modality = "MR"
    dataset.SeriesInstanceUID = uid("series", study.recipe.name, study.seed, study.visit, plan.name)
    dataset.SeriesNumber = plan.number
    dataset.SeriesDate = names.date
    dataset.SeriesTime = f"09{5 * plan.number:02d}00"
    dataset.AcquisitionDate = names.date
    dataset.AcquisitionTime = dataset.SeriesTime
    dataset.ContentDate = names.date
    dataset.ContentTime = dataset.SeriesTime
    dataset.BodyPartExamined = "LSPINE"
    dataset.PatientPosition = "HFS"
    dataset.FrameOfReferenceUID = names.frame_uid
    dataset.PositionReferenceIndicator = ""
    dataset.Manufacturer = header.manufacturer or ""
    if header.model is not None:
        dataset.ManufacturerModelName = header.model
    if header.description is not None:
        dataset.SeriesDescription = header.description
        dataset.ProtocolName = header.description


def _add_sequence(dataset: Dataset, plan: SeriesPlan, header: SeriesHeader) -> None:
    sequence = plan.sequence
    dataset.ImageType = list(header.image_type)
    dataset.ScanningSequence = list(header.scanning_sequence)
    dataset.SequenceVariant = list(header.sequence_variant)
    dataset.ScanOptions = list(header.scan_options)
    dataset.MRAcquisitionType = "2D"
    dataset.RepetitionTime = None
    dataset.EchoTime = None
    dataset.EchoTrainLength = None
    if not header.says_times:
        return
    if header.sequence_name is not None:
        dataset.SequenceName = header.sequence_name
    dataset.RepetitionTime = sequence.tr_ms
    dataset.EchoTime = sequence.te_ms
    dataset.EchoTrainLength = header.echo_train
    if sequence.ti_ms is not None:
        dataset.InversionTime = sequence.ti_ms
    dataset.MagneticFieldStrength = sequence.field_strength_t
    dataset.ImagingFrequency = round(MHZ_PER_TESLA * sequence.field_strength_t, 3)
    dataset.FlipAngle = 150
    if sequence.contrast_agent:
        dataset.ContrastBolusAgent = "Gadolinium"


def _add_plane(dataset: Dataset, stack: StackPlan, plane: int, number: int) -> None:
    affine = stack.voxel_to_lps
    axes, steps = stack_axes(stack)
    origin = affine[:3, 3] + plane * affine[:3, 2]
    dataset.InstanceNumber = number
    dataset.AcquisitionNumber = 1
    dataset.ImagePositionPatient = decimals(origin)
    dataset.ImageOrientationPatient = [*decimals(axes[0], 8), *decimals(axes[1], 8)]
    dataset.SliceLocation = decimals(np.array([origin @ axes[2]]))[0]
    dataset.SliceThickness = stack.thickness_mm
    dataset.SpacingBetweenSlices = round(float(steps[2]), 4)
    dataset.PixelSpacing = decimals(steps[[1, 0]], 6)


def stack_axes(stack: StackPlan) -> tuple[FloatArray, FloatArray]:
    """Return the unit axes (rows: column, row, plane direction) and steps in mm of a stack."""
    steps = np.linalg.norm(stack.voxel_to_lps[:3, :3], axis=0)
    return (stack.voxel_to_lps[:3, :3] / steps).T, np.asarray(steps)


def decimals(values: FloatArray, digits: int = 5) -> list[float]:
    """Round for a decimal string, without a negative zero."""
    return [round(float(value), digits) + 0.0 for value in values]


def _add_pixels(dataset: Dataset, pixels: ImageArray) -> None:
    stored = np.clip(pixels, 0, LARGEST_VALUE).astype("<u2")
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows, dataset.Columns = stored.shape
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
    dataset.PixelRepresentation = 0
    dataset.BurnedInAnnotation = "NO"
    dataset.LossyImageCompression = "00"
    dataset.WindowCenter, dataset.WindowWidth = 450, 900
    dataset.PixelData = stored.tobytes()


def encoded(dataset: Dataset, *, compressed: bool) -> bytes:
    """Return the bytes of a DICOM file, RLE Lossless if compressed."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = UID(uid("implementation"))
    buffer = io.BytesIO()
    file = FileDataset(buffer, dataset, file_meta=meta, preamble=b"\0" * 128)
    if compressed:
        file.compress(RLELossless, encoding_plugin="pydicom", generate_instance_uid=False)
    file["PixelData"].VR = "OB" if compressed else "OW"
    file.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()
