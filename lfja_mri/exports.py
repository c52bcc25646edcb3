"""A graded study for other people's tools: DICOM objects for a PACS, BIDS derivatives, a blinded reading set."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lfja_mri import __version__
from lfja_mri.errors import ExitCode, InputError
from lfja_mri.ingest import Study, find_studies, nothing_found, subject_key
from lfja_mri.ingest.source_headers import source_headers
from lfja_mri.model import Plane, StudyResult
from lfja_mri.outputs import about
from lfja_mri.pipeline import Road, grade_study
from lfja_mri.report.bids import bids_files, dataset_files
from lfja_mri.report.worksheet import VisitResult, worksheet_files
from lfja_mri.tables import write_bytes


@dataclass(frozen=True)
class Exported:
    """What an export ended in: studies written, and (study key, why) of those that could not be."""

    written: int
    refused: tuple[tuple[str, str], ...]

    @property
    def exit_code(self) -> ExitCode:
        """Return the code that scripts read."""
        if not self.refused:
            return ExitCode.DONE
        return ExitCode.SOME_FAILED if self.written else ExitCode.ALL_FAILED


def export_dicom(inputs: Sequence[Path], out: Path, road: Road) -> Exported:
    """Grade every study and write its segmentation and structured report; one refusal never stops the others."""
    from lfja_mri.report.dicom_export import dicom_files

    def files_of(study: Study) -> dict[str, bytes]:
        result = grade_study(study, road)
        files = dicom_files(result, source_headers(study, _reference_key(result)), about(road))
        return {f"{study.study_key}/{name}": content for name, content in files.items()}

    return _export(_studies(inputs, road), out, files_of)


def _studies(inputs: Sequence[Path], road: Road) -> Sequence[Study]:
    catalogue = find_studies(inputs, road.settings.ingest)
    if not catalogue.studies:
        raise InputError(nothing_found(catalogue.rejections))
    return catalogue.studies


def _export(studies: Sequence[Study], out: Path, files_of: Callable[[Study], dict[str, bytes]]) -> Exported:
    refused = []
    for study in studies:
        try:
            files = files_of(study)
        except InputError as error:
            refused.append((study.study_key, str(error)))
            continue
        for name, content in files.items():
            write_bytes(out / name, content)
    return Exported(len(studies) - len(refused), tuple(refused))


def export_bids(inputs: Sequence[Path], out: Path, road: Road, salt: bytes | None) -> Exported:
    """Grade every study and write its label map under BIDS-derivative names; one refusal never stops the others."""

    def files_of(study: Study) -> dict[str, bytes]:
        subject = subject_key(study.study_key, study.sources, salt)
        files = bids_files(grade_study(study, road), subject=subject)
        if not files:
            raise InputError("no joint was placed, so there is nothing to export")
        return files

    studies = _studies(inputs, road)
    for name, content in dataset_files(__version__).items():
        write_bytes(out / name, content)
    return _export(studies, out, files_of)


def write_worksheet(inputs: Sequence[Path], out: Path, road: Road, seed: int, repeats: int) -> int:
    """Grade every study and write a blinded reading set with its key; return how many studies are in it."""
    studies = _studies(inputs, road)
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
