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
from lfja_mri.phantom.enhanced_groups import (
    ACQUISITION_S,
    DESCRIBING,
    MODIFIERS,
    add_pulse_sequence,
    add_shared,
    item,
    one,
    suppression,
    timing,
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
    if header.says_times:
        add_pulse_sequence(dataset, series.plan, header, _weighting(series.plan))
    _add_dimensions(dataset, study, series.plan)
    dataset.SharedFunctionalGroupsSequence = DicomSequence([_shared(series.plan, header)])
    dataset.PerFrameFunctionalGroupsSequence = DicomSequence(
        list(_frames(series.plan, dataset.AcquisitionDateTime))
    )
    _add_frames(dataset, series)
    return dataset


def _add_dimensions(dataset: Dataset, study: SimulatedStudy, plan: SeriesPlan) -> None:
    """Frames are ordered by stack, then by place in the stack."""
    organisation = UID(uid("dimensions", study.recipe.name, study.seed, study.visit, plan.name))
    dataset.DimensionOrganizationSequence = DicomSequence([item(DimensionOrganizationUID=organisation)])
    dataset.DimensionIndexSequence = DicomSequence(
        [
            item(
                DimensionOrganizationUID=organisation,
                DimensionIndexPointer=pointer,
                FunctionalGroupPointer=FRAME_CONTENT,
            )
            for pointer in (STACK_ID, IN_STACK_POSITION)
        ]
    )


def _weighting(plan: SeriesPlan) -> str:
    return WEIGHTINGS.get(plan.name.partition("_")[2], "UNKNOWN")


def _shared(plan: SeriesPlan, header: SeriesHeader) -> Dataset:
    """What all frames have in common: contrast and timing; left out where the header is stripped."""
    group = Dataset()
    group.MRImageFrameTypeSequence = one(
        FrameType=["ORIGINAL", "PRIMARY", "SPINE", "NONE"],
        AcquisitionContrast=_weighting(plan),
        **DESCRIBING,
    )
    if not header.says_times:
        return group
    add_shared(group, plan)
    group.MRTimingAndRelatedParametersSequence = timing(plan, header)
    group.MREchoSequence = one(EffectiveEchoTime=plan.sequence.te_ms)
    inversion = plan.sequence.ti_ms
    modifier = item(
        InversionRecovery="YES" if inversion is not None else "NO",
        SpectrallySelectedSuppression=suppression(plan),
        **MODIFIERS,
    )
    if inversion is not None:
        modifier.InversionTimes = [inversion]
    group.MRModifierSequence = DicomSequence([modifier])
    return group


def _frames(plan: SeriesPlan, taken: str) -> Iterator[Dataset]:
    for number, stack in enumerate(plan.stacks, start=1):
        for plane in range(stack.shape_zyx[0]):
            yield _frame(stack, number, plane, taken)


def _frame(stack: StackPlan, number: int, plane: int, taken: str) -> Dataset:
    axes, steps = stack_axes(stack)
    group = Dataset()
    group.FrameContentSequence = one(
        StackID=str(number),
        InStackPositionNumber=plane + 1,
        DimensionIndexValues=[number, plane + 1],
        FrameReferenceDateTime=taken,
        FrameAcquisitionDateTime=taken,
        FrameAcquisitionDuration=1000.0 * ACQUISITION_S,
    )
    origin = stack.voxel_to_lps[:3, 3] + plane * stack.voxel_to_lps[:3, 2]
    group.PlanePositionSequence = one(ImagePositionPatient=decimals(origin))
    group.PlaneOrientationSequence = one(
        ImageOrientationPatient=[*decimals(axes[0], 8), *decimals(axes[1], 8)]
    )
    group.PixelMeasuresSequence = one(
        PixelSpacing=decimals(steps[[1, 0]], 6),
        SliceThickness=stack.thickness_mm,
        SpacingBetweenSlices=round(float(steps[2]), 4),
    )
    group.FrameAnatomySequence = one(
        FrameLaterality="U",
        AnatomicRegionSequence=one(
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
