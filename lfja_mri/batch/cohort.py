"""A trial: every subject's visits graded without knowing their order, and every later visit against the first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lfja_mri.batch.folder import STUDIES
from lfja_mri.batch.lock import locked
from lfja_mri.batch.options import RunOptions
from lfja_mri.batch.outcome import RunReport
from lfja_mri.batch.pairs import MeasuredPairs, Trial, measure_pairs
from lfja_mri.batch.record import seal
from lfja_mri.batch.run import run_studies
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
from lfja_mri.change.plots import changes_plot, grades_plot
from lfja_mri.errors import InputError, Reason
from lfja_mri.ingest import Study, find_studies
from lfja_mri.model import Rejection
from lfja_mri.outputs import PAGE, about
from lfja_mri.pipeline import Road
from lfja_mri.progress import ReportProgress, silent
from lfja_mri.report import cohort_page
from lfja_mri.results import Visit
from lfja_mri.settings.change import ChangeSettings
from lfja_mri.tables import Cell, as_text, to_csv, write_bytes, write_text


@dataclass(frozen=True, eq=False)
class CohortReport:
    """What a trial's run ended in; `left_out` names manifest rows that gave no study."""

    run: RunReport
    changes: tuple[Change, ...]
    order: tuple[str, ...]
    left_out: tuple[Rejection, ...]

    def summary(self, settings: ChangeSettings) -> list[dict[str, Cell]]:
        """Return one row per visit."""
        return summary_rows(self.run.rows, self.changes, self.order, settings)


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
    trial = Trial(_by_visit(studies), manifest.order, out, road, settings, options)
    with locked(out):
        dated = replace(options, baseline=manifest.order[0])
        pairs = measure_pairs(trial, progress)
        run = run_studies(*_blinded(studies), out, road, dated, progress, left_out, pairs.fresh)
        unpaired = _of_graded(pairs, run)
        changes = cohort_changes(run.rows, manifest.order, settings, pairs.rows)
        report = CohortReport(run, changes, manifest.order, (*left_out, *unpaired))
        _write(report, trial)
        seal(out)
    return report


def _by_visit(studies: Sequence[tuple[Study, ManifestVisit]]) -> dict[tuple[str, str], Study]:
    return {(visit.subject, visit.visit): study for study, visit in studies}


def _of_graded(pairs: MeasuredPairs, run: RunReport) -> tuple[Rejection, ...]:
    """Return the failed pairs whose studies both have grades; of the others the study's own failure is named."""
    failed = {failure.study_key for failure in run.failures}
    return tuple(one for one in pairs.failed if not failed & set(one.where.split()))


def _write(report: CohortReport, trial: Trial) -> None:
    out = trial.out
    changes = change_rows(report.changes)
    summary = report.summary(trial.settings)
    write_text(out / "change.csv", to_csv(CHANGE_COLUMNS, changes))
    write_text(out / "summary.csv", to_csv(SUMMARY_COLUMNS, summary))
    plots = {
        "Grades of every joint over the visits": grades_plot(report.run.rows, report.order),
        "Change since the first visit, with the band of measurement error": changes_plot(
            report.changes, report.order
        ),
    }
    for name, content in zip(("grades.png", "change.png"), plots.values(), strict=True):
        write_bytes(out / name, content)
    if trial.options.extras.pages:
        links = {key: f"{STUDIES}/{key}/{PAGE}" for key in report.run.finished}
        page = cohort_page(
            report.run.rows,
            as_text(CHANGE_COLUMNS, changes),
            as_text(SUMMARY_COLUMNS, summary),
            about=about(trial.road),
            plots=plots,
            links=links,
        )
        write_text(out / "cohort.html", page)


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
