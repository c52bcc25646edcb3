"""Write a simulated study as enhanced MR objects: one file a series, every plane a frame."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as DicomSequence
from pydicom.uid import UID, EnhancedMRImageStorage

from lfja_mri.phantom.dicom import (
    LARGEST_VALUE,
    StudyNames,
    add_series,
    decimals,
    encoded,
    patient_and_study,
    stack_axes,
    study_names,
)
from lfja_mri.phantom.headers import SeriesHeader, series_header
from lfja_mri.phantom.planning import SeriesPlan, StackPlan
from lfja_mri.phantom.study import SimulatedSeries, SimulatedStudy, uid
from lfja_mri.tables import write_bytes

STACK_ID, IN_STACK_POSITION, FRAME_CONTENT = 0x00209056, 0x00209057, 0x00209111
WEIGHTINGS = {"t1": "T1", "t2": "T2", "stir": "STIR"}


def write_enhanced(study: SimulatedStudy, folder: Path) -> tuple[Path, ...]:
    """Write one enhanced object per series; returns the files in order."""
    names = study_names(study)
    written = []
    for series in study.series:
        dataset = _object(study, series, names)
        path = folder / f"s{series.plan.number}.dcm"
        write_bytes(path, encoded(dataset, compressed=study.recipe.compressed))
        written.append(path)
    return tuple(written)


def _object(study: SimulatedStudy, series: SimulatedSeries, names: StudyNames) -> Dataset:
    header = series_header(names.style, series.plan.sequence)
    dataset = patient_and_study(study, names)
    dataset.SOPClassUID = EnhancedMRImageStorage
    dataset.SOPInstanceUID = UID(
        uid("enhanced", study.recipe.name, study.seed, study.visit, series.plan.name)
    )
    add_series(dataset, study, series.plan, names, header)
    dataset.DeviceSerialNumber = "1"
    dataset.SoftwareVersions = "1"
    dataset.ManufacturerModelName = header.model or "unknown"
    dataset.InstanceNumber = 1
    dataset.ImageType = [*header.image_type[:2], "SPINE", "NONE"]
    dataset.AcquisitionDateTime = f"{names.date}{dataset.SeriesTime}"
    dataset.MRAcquisitionType = "2D"
    dataset.MagneticFieldStrength = series.plan.sequence.field_strength_t
    dataset.ContentQualification = "RESEARCH"
    dataset.AcquisitionContextSequence = DicomSequence([])
    _add_dimensions(dataset, study, series.plan)
    dataset.SharedFunctionalGroupsSequence = DicomSequence([_shared(series.plan, header)])
    dataset.PerFrameFunctionalGroupsSequence = DicomSequence(list(_frames(series.plan)))
    _add_frames(dataset, series)
    return dataset


def _add_dimensions(dataset: Dataset, study: SimulatedStudy, plan: SeriesPlan) -> None:
    """Frames are ordered by stack, then by place in the stack."""
    organisation = UID(uid("dimensions", study.recipe.name, study.seed, study.visit, plan.name))
    dataset.DimensionOrganizationSequence = DicomSequence([_item(DimensionOrganizationUID=organisation)])
    dataset.DimensionIndexSequence = DicomSequence(
        [
            _item(
                DimensionOrganizationUID=organisation,
                DimensionIndexPointer=pointer,
                FunctionalGroupPointer=FRAME_CONTENT,
            )
            for pointer in (STACK_ID, IN_STACK_POSITION)
        ]
    )


def _item(**elements: object) -> Dataset:
    item = Dataset()
    for keyword, value in elements.items():
        setattr(item, keyword, value)
    return item


def _one(**elements: object) -> DicomSequence:
    return DicomSequence([_item(**elements)])


def _shared(plan: SeriesPlan, header: SeriesHeader) -> Dataset:
    """What all frames have in common: contrast and timing; left out where the header is stripped."""
    group = Dataset()
    group.MRImageFrameTypeSequence = _one(
        FrameType=["ORIGINAL", "PRIMARY", "SPINE", "NONE"],
        PixelPresentation="MONOCHROME",
        VolumetricProperties="VOLUME",
        VolumeBasedCalculationTechnique="NONE",
        ComplexImageComponent="MAGNITUDE",
        AcquisitionContrast=WEIGHTINGS.get(plan.name.partition("_")[2], "UNKNOWN"),
    )
    if not header.says_times:
        return group
    sequence = plan.sequence
    group.MRTimingAndRelatedParametersSequence = _one(
        RepetitionTime=sequence.tr_ms, FlipAngle=150, EchoTrainLength=header.echo_train
    )
    group.MREchoSequence = _one(EffectiveEchoTime=sequence.te_ms)
    modifier = _item(
        InversionRecovery="YES" if sequence.ti_ms is not None else "NO",
        SpectrallySelectedSuppression="FAT" if sequence.fat_suppressed and not sequence.dixon else "NONE",
    )
    if sequence.ti_ms is not None:
        modifier.InversionTimes = [sequence.ti_ms]
    group.MRModifierSequence = DicomSequence([modifier])
    return group


def _frames(plan: SeriesPlan) -> Iterator[Dataset]:
    for number, stack in enumerate(plan.stacks, start=1):
        for plane in range(stack.shape_zyx[0]):
            yield _frame(stack, number, plane)


def _frame(stack: StackPlan, number: int, plane: int) -> Dataset:
    axes, steps = stack_axes(stack)
    group = Dataset()
    group.FrameContentSequence = _one(
        StackID=str(number), InStackPositionNumber=plane + 1, DimensionIndexValues=[number, plane + 1]
    )
    origin = stack.voxel_to_lps[:3, 3] + plane * stack.voxel_to_lps[:3, 2]
    group.PlanePositionSequence = _one(ImagePositionPatient=decimals(origin))
    group.PlaneOrientationSequence = _one(
        ImageOrientationPatient=[*decimals(axes[0], 8), *decimals(axes[1], 8)]
    )
    group.PixelMeasuresSequence = _one(
        PixelSpacing=decimals(steps[[1, 0]], 6),
        SliceThickness=stack.thickness_mm,
        SpacingBetweenSlices=round(float(steps[2]), 4),
    )
    group.FrameAnatomySequence = _one(
        FrameLaterality="U",
        AnatomicRegionSequence=_one(
            CodeValue="122496007", CodingSchemeDesignator="SCT", CodeMeaning="Lumbar spine"
        ),
    )
    return group


def _add_frames(dataset: Dataset, series: SimulatedSeries) -> None:
    frames = np.concatenate(series.stacks)
    stored = np.clip(frames, 0, LARGEST_VALUE).astype("<u2")
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.NumberOfFrames, dataset.Rows, dataset.Columns = stored.shape
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
    dataset.PixelRepresentation = 0
    dataset.BurnedInAnnotation = "NO"
    dataset.LossyImageCompression = "00"
    dataset.PresentationLUTShape = "IDENTITY"
    dataset.PixelData = stored.tobytes()
