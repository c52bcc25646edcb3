"""A graded study for other people's tools: DICOM objects for a PACS, BIDS derivatives, a blinded reading set."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lfja_mri import __version__
from lfja_mri.errors import InputError
from lfja_mri.ingest import Study, find_studies, subject_key
from lfja_mri.ingest.source_headers import source_headers
from lfja_mri.model import Plane, StudyResult
from lfja_mri.outputs import about
from lfja_mri.pipeline import Road, grade_study
from lfja_mri.report.bids import bids_files, dataset_description
from lfja_mri.report.worksheet import VisitResult, worksheet_files
from lfja_mri.tables import write_bytes


def export_dicom(inputs: Sequence[Path], out: Path, road: Road) -> int:
    """Grade every study and write its segmentation and structured report; return how many were written."""
    from lfja_mri.report.dicom_export import dicom_files

    studies = find_studies(inputs, road.settings.ingest).studies
    for study in studies:
        result = grade_study(study, road)
        files = dicom_files(result, source_headers(study, _reference_key(result)), about(road))
        for name, content in files.items():
            write_bytes(out / study.study_key / name, content)
    return len(studies)


def export_bids(inputs: Sequence[Path], out: Path, road: Road, salt: bytes | None) -> int:
    """Grade every study and write its label map under BIDS-derivative names; return how many were written."""
    studies = find_studies(inputs, road.settings.ingest).studies
    write_bytes(out / "dataset_description.json", dataset_description(__version__))
    for study in studies:
        subject = subject_key(study.study_key, study.sources, salt)
        for name, content in bids_files(grade_study(study, road), subject=subject).items():
            write_bytes(out / name, content)
    return len(studies)


def write_worksheet(inputs: Sequence[Path], out: Path, road: Road, seed: int, repeats: int) -> int:
    """Grade every study and write a blinded reading set with its key; return how many studies are in it."""
    studies = find_studies(inputs, road.settings.ingest).studies
    if not studies:
        raise InputError("no MR study in the input; `lfja-mri inspect` gives the reasons")
    visits = [_visit(study, road) for study in studies]
    for name, content in worksheet_files(visits, seed=seed, about=about(road), repeats=repeats).items():
        write_bytes(out / name, content)
    return len(studies)


def _visit(study: Study, road: Road) -> VisitResult:
    return VisitResult(grade_study(study, road), subject_key(study.study_key, study.sources, None))


def _reference_key(result: StudyResult) -> str:
    """Return the stack whose frame of reference the zones share: axial where there is one, as joints are placed."""
    axial_first = sorted(result.images, key=lambda image: image.role.plane is not Plane.AXIAL)
    if not axial_first:
        raise InputError("the study has no series that zones could refer to")
    return axial_first[0].key
