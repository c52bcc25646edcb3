"""What the standard wants said of an enhanced MR image besides its contrast and place: the same for every phantom.

Attributes of type 1 and 1C of the Enhanced MR Image IOD (PS3.3 A.36.2 and C.8.13) whose absence a conformance check reports.
A stripped header leaves them out with the rest.
"""

from __future__ import annotations

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as DicomSequence

from lfja_mri.phantom.headers import SeriesHeader
from lfja_mri.phantom.planning import SeriesPlan

MHZ_PER_TESLA = 42.577
ACQUISITION_S = 180.0
PIXEL_BANDWIDTH_HZ = 200.0
DESCRIBING = {
    "PixelPresentation": "MONOCHROME",
    "VolumetricProperties": "VOLUME",
    "VolumeBasedCalculationTechnique": "NONE",
    "ComplexImageComponent": "MAGNITUDE",
}
PULSE_SEQUENCE = {
    "EchoPulseSequence": "SPIN",
    "MultipleSpinEcho": "YES",
    "MultiPlanarExcitation": "NO",
    "PhaseContrast": "NO",
    "TimeOfFlightContrast": "NO",
    "SteadyStatePulseSequence": "NONE",
    "EchoPlanarPulseSequence": "NO",
    "SaturationRecovery": "NO",
    "OversamplingPhase": "NONE",
    "GeometryOfKSpaceTraversal": "RECTILINEAR",
    "RectilinearPhaseEncodeReordering": "LINEAR",
    "SegmentedKSpaceTraversal": "PARTIAL",
    "NumberOfKSpaceTrajectories": 1,
}
MODIFIERS = {
    "FlowCompensation": "NONE",
    "Spoiling": "NONE",
    "T2Preparation": "NO",
    "SpectrallySelectedExcitation": "NONE",
    "SpatialPresaturation": "NONE",
    "PartialFourier": "NO",
    "ParallelAcquisition": "NO",
}


def item(**elements: object) -> Dataset:
    """Return a data set with some elements."""
    made = Dataset()
    for keyword, value in elements.items():
        setattr(made, keyword, value)
    return made


def one(**elements: object) -> DicomSequence:
    """Return a sequence of one item with some elements."""
    return DicomSequence([item(**elements)])


def suppression(plan: SeriesPlan) -> str:
    """How fat is suppressed by its frequency."""
    return "FAT" if plan.sequence.fat_suppressed and not plan.sequence.dixon else "NONE"


def add_pulse_sequence(dataset: Dataset, plan: SeriesPlan, header: SeriesHeader, contrast: str) -> None:
    """Add what the image as a whole says of its acquisition."""
    dataset.AcquisitionDuration = ACQUISITION_S
    dataset.ResonantNucleus = "1H"
    dataset.KSpaceFiltering = "NONE"
    dataset.ApplicableSafetyStandardAgency = "IEC"
    dataset.PulseSequenceName = header.sequence_name or header.description or "TSE"
    dataset.SpectrallySelectedSuppression = suppression(plan)
    dataset.InversionRecovery = "YES" if plan.sequence.ti_ms is not None else "NO"
    dataset.AcquisitionContrast = contrast
    dataset.PatientPosition = "HFS"
    for keyword, value in (DESCRIBING | PULSE_SEQUENCE).items():
        setattr(dataset, keyword, value)


def add_shared(group: Dataset, plan: SeriesPlan) -> None:
    """Add the groups on coils, field of view and modifiers to the shared ones."""
    frequency = round(MHZ_PER_TESLA * plan.sequence.field_strength_t, 3)
    group.PixelValueTransformationSequence = one(RescaleIntercept=0, RescaleSlope=1, RescaleType="US")
    group.MRImagingModifierSequence = one(
        MagnetizationTransfer="NONE",
        BloodSignalNulling="NO",
        Tagging="NONE",
        TransmitterFrequency=frequency,
        PixelBandwidth=PIXEL_BANDWIDTH_HZ,
    )
    group.MRReceiveCoilSequence = one(
        ReceiveCoilName="SPINE",
        ReceiveCoilManufacturerName="",
        ReceiveCoilType="SURFACE",
        QuadratureReceiveCoil="NO",
    )
    group.MRTransmitCoilSequence = one(
        TransmitCoilName="BODY", TransmitCoilManufacturerName="", TransmitCoilType="BODY"
    )
    group.MRAveragesSequence = one(NumberOfAverages=1)
    rows, columns = plan.stacks[0].shape_zyx[1:]
    group.MRFOVGeometrySequence = one(
        InPlanePhaseEncodingDirection="COLUMN",
        MRAcquisitionFrequencyEncodingSteps=int(columns),
        MRAcquisitionPhaseEncodingStepsInPlane=int(rows),
        PercentSampling=100.0,
        PercentPhaseFieldOfView=round(float(100 * np.clip(rows / columns, 0.01, 1)), 1),
    )


def timing(plan: SeriesPlan, header: SeriesHeader) -> DicomSequence:
    """Repetition, echo train, and the safety figures that go with them (made up, within the normal mode)."""
    return one(
        RepetitionTime=plan.sequence.tr_ms,
        FlipAngle=150,
        EchoTrainLength=header.echo_train,
        RFEchoTrainLength=header.echo_train,
        GradientEchoTrainLength=0,
        SpecificAbsorptionRateSequence=one(
            SpecificAbsorptionRateDefinition="IEC_WHOLE_BODY", SpecificAbsorptionRateValue=1.0
        ),
        OperatingModeSequence=one(OperatingModeType="RF", OperatingMode="IEC_NORMAL"),
    )
