"""A trial: every subject's visits graded without knowing their order, then every later visit against the first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lfja_mri.batch.lock import locked
from lfja_mri.batch.run import RunOptions, RunReport, run_studies
from lfja_mri.change import (
    CHANGE_COLUMNS,
    SUMMARY_COLUMNS,
    Change,
    Manifest,
    ManifestVisit,
    change_rows,
    cohort_changes,
    read_manifest,
    summary_rows,
)
from lfja_mri.config import ChangeSettings
from lfja_mri.errors import InputError, Reason
from lfja_mri.ingest import Study, find_studies
from lfja_mri.model import Rejection
from lfja_mri.pipeline import Road
from lfja_mri.progress import ReportProgress, silent
from lfja_mri.results import Visit
from lfja_mri.tables import Cell, to_csv, write_text


@dataclass(frozen=True, eq=False)
class CohortReport:
    """What a trial's run ended in; `left_out` names manifest rows that gave no study."""

    run: RunReport
    changes: tuple[Change, ...]
    summary: list[dict[str, Cell]]
    left_out: tuple[Rejection, ...]


def run_cohort(
    manifest_path: Path,
    out: Path,
    road: Road,
    settings: ChangeSettings,
    options: RunOptions,
    progress: ReportProgress = silent,
) -> CohortReport:
    """Grade and compare a trial into `out`.

    Raises
    ------
    InputError
        The manifest cannot be read, or none of its studies can be used.
    OutputError
        `out` cannot be written.
    """
    manifest = read_manifest(manifest_path)
    studies, left_out = _find(manifest, road)
    if not studies:
        raise InputError(f"none of the {len(manifest.visits)} studies in {manifest_path.name} can be used")
    with locked(out):
        run = run_studies(*_blinded(studies), out, road, options, progress, left_out)
        changes = cohort_changes(run.rows, manifest.order, settings)
        summary = summary_rows(run.rows, changes, manifest.order, settings)
        write_text(out / "change.csv", to_csv(CHANGE_COLUMNS, change_rows(changes)))
        write_text(out / "summary.csv", to_csv(SUMMARY_COLUMNS, summary))
    return CohortReport(run, changes, summary, left_out)


def _find(manifest: Manifest, road: Road) -> tuple[list[tuple[Study, ManifestVisit]], tuple[Rejection, ...]]:
    found: list[tuple[Study, ManifestVisit]] = []
    left_out = list(manifest.rejections)
    seen: set[str] = set()
    for number, visit in enumerate(manifest.visits, start=1):
        where = f"manifest entry {number}"
        studies = find_studies([visit.path], road.settings.ingest).studies if visit.path.exists() else ()
        if len(studies) != 1:
            left_out.append(
                Rejection(where, Reason.STUDY_FAILED, f"needed one MR study, found {len(studies)}")
            )
        elif studies[0].study_key in seen:
            left_out.append(Rejection(where, Reason.DUPLICATE_FILE, "this study stands in another entry too"))
        else:
            seen.add(studies[0].study_key)
            found.append((studies[0], visit))
    return found, tuple(left_out)


def _blinded(found: Sequence[tuple[Study, ManifestVisit]]) -> tuple[list[Study], Mapping[str, Visit]]:
    """Order studies by hash, so that the measuring stages cannot favour a visit by its place."""
    studies = sorted((study for study, _ in found), key=lambda study: study.study_key)
    return studies, {study.study_key: Visit(visit.subject, visit.visit) for study, visit in found}
