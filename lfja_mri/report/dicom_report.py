"""The grades of a study as a TID 1500 measurement report that points at the segments they were measured in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import highdicom as hd
from pydicom.dataset import Dataset

from lfja_mri.model import Graded, JointResult, Measurements, Missing, StudyResult, Zone
from lfja_mri.report import label_map, palette
from lfja_mri.report.dicom_codes import (
    DCM,
    LEVEL_CODES,
    LN,
    MEASURE_UNITS,
    SCHEME,
    SCT,
    SIDE_CODES,
    grade_code,
    measure_code,
    reason_code,
    scale_code,
)
from lfja_mri.report.dicom_export import MAKER, SPACING_MM, completed, dated, segments_of, stable_uid
from lfja_mri.report.render import About

SERIES_NUMBER_SR = 9002
DIGITS = 6


def structured_report(result: StudyResult, sources: Sequence[Dataset], seg: Dataset, about: About) -> Dataset:
    """Return a comprehensive 3-D report: per joint its grade or refusal, its measures, and its segment.

    Parameters
    ----------
    result
        A graded study.
    sources
        Headers of the reference series.
    seg
        What `dicom_export.segmentation` made of the same study.
    about
        Version, scale and rules.
    """
    headers = [completed(source) for source in sources]
    made = label_map.make_label_map(result.joints, SPACING_MM)
    numbers = {} if made is None else {(s.level, s.side, s.zone): s.number for s in segments_of(made)}
    groups = [
        _group(joint, seg, number, headers, about)
        for joint in result.joints
        if (number := numbers.get((joint.level, joint.side, Zone.JOINT_SPACE))) is not None
    ]
    content = hd.sr.MeasurementReport(
        observation_context=_observer(headers[0], about),
        procedure_reported=LN.MRISpineReport,
        imaging_measurements=groups,
    )
    report: Dataset = hd.sr.Comprehensive3DSR(
        evidence=[*headers, seg],
        content=content[0],
        series_instance_uid=stable_uid(headers[0], about, "sr series"),
        series_number=SERIES_NUMBER_SR,
        sop_instance_uid=stable_uid(headers[0], about, "sr"),
        instance_number=1,
        manufacturer=MAKER,
        is_complete=True,
    )
    return dated(report, headers[0])


def _observer(header: Dataset, about: About) -> Any:
    device = hd.sr.DeviceObserverIdentifyingAttributes(
        uid=stable_uid(header, about, "device"),
        name=MAKER,
        manufacturer_name=MAKER,
        model_name=about.tool_version,
    )
    context = hd.sr.ObserverContext(observer_type=DCM.Device, observer_identifying_attributes=device)
    return hd.sr.ObservationContext(observer_device_context=context)


def _group(joint: JointResult, seg: Dataset, number: int, headers: Sequence[Dataset], about: About) -> Any:
    name = palette.name_of(joint)
    segment = hd.sr.ReferencedSegment(
        sop_class_uid=seg.SOPClassUID,
        sop_instance_uid=seg.SOPInstanceUID,
        segment_number=number,
        source_series=hd.sr.SourceSeriesForSegmentation(headers[0].SeriesInstanceUID),
    )
    return hd.sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=hd.sr.TrackingIdentifier(
            uid=stable_uid(headers[0], about, name), identifier=f"{name} facet joint"
        ),
        referenced_segment=segment,
        finding_type=SCT.JointStructure,
        algorithm_id=hd.sr.AlgorithmIdentification(
            name=MAKER, version=about.tool_version, parameters=[f"rules {about.rules_digest}"]
        ),
        finding_sites=_sites(joint),
        measurements=[] if joint.measurements is None else _measurements(joint.measurements),
        qualitative_evaluations=_evaluations(joint),
    )


def _sites(joint: JointResult) -> list[Any]:
    """Return where the joint is: region with side, and the level where the standard has a code for it."""
    region = hd.sr.FindingSite(SCT.LumbarSpine, laterality=SIDE_CODES[joint.side])
    level = LEVEL_CODES.get(joint.level)
    return [region] if level is None else [region, hd.sr.FindingSite(level)]


def _measurements(measurements: Measurements) -> list[Any]:
    taken = [(name, getattr(measurements, name), unit) for name, unit in MEASURE_UNITS.items()]
    return [
        hd.sr.Measurement(name=measure_code(name), value=round(float(value), DIGITS), unit=unit)
        for name, value, unit in taken
        if not isinstance(value, Missing)
    ]


def _evaluations(joint: JointResult) -> list[Any]:
    outcome = joint.outcome
    if not isinstance(outcome, Graded):
        return [hd.sr.QualitativeEvaluation(scale_code(), reason_code(outcome.reason.value))]
    low = hd.sr.CodedConcept("grade_low", SCHEME, "Lowest grade within the stated uncertainty")
    high = hd.sr.CodedConcept("grade_high", SCHEME, "Highest grade within the stated uncertainty")
    return [
        hd.sr.QualitativeEvaluation(scale_code(), grade_code(outcome.grade)),
        hd.sr.QualitativeEvaluation(low, grade_code(outcome.grade_low)),
        hd.sr.QualitativeEvaluation(high, grade_code(outcome.grade_high)),
    ]
