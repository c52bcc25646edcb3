"""A whole trial: each study measured once, no visit favoured, pairs resumed, lost visits named, codes for scripts."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from test_batch import stable_files
from test_batch_run import SameProcess, write_studies
from typer.testing import CliRunner

from lfja_mri.app import app
from lfja_mri.batch import cohort as batch_cohort
from lfja_mri.batch import pairs
from lfja_mri.batch import run as batch_run
from lfja_mri.batch import tasks as batch_tasks
from lfja_mri.batch.cohort import CohortReport, run_cohort
from lfja_mri.batch.options import RunOptions
from lfja_mri.batch.pair_folder import PAIRS
from lfja_mri.batch.record import not_as_recorded
from lfja_mri.change.cohort import SUMMARY_COLUMNS
from lfja_mri.config import load_change_settings
from lfja_mri.errors import ExitCode, InputError, OutputError, Reason
from lfja_mri.outputs import Extras
from lfja_mri.pipeline import grade_study, prepare
from lfja_mri.progress import silent
from lfja_mri.tables import read_csv

BARE = RunOptions(extras=Extras(pictures=False, pages=False))
VISITS = ("baseline", "3 months", "6 months", "12 months", "18 months", "24 months")


@dataclass(frozen=True)
class Trial:
    """A trial of two subjects and three visits, run once; tests take copies of its output."""

    path: Path
    out: Path
    report: CohortReport
    told: tuple[tuple[object, ...], ...]

    def copy(self, folder: Path) -> Path:
        return shutil.copytree(self.out, folder / "out")


def quick(patch: pytest.MonkeyPatch) -> None:
    """Studies take a tenth of a second each; the plots, which take longer, are tested by themselves."""
    patch.setattr(batch_run, "WorkerPool", SameProcess)
    for plot in ("grades_plot", "changes_plot"):
        patch.setattr(batch_cohort, plot, lambda *_: b"a plot")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Six studies that no test may change."""
    return sorted(write_studies(tmp_path_factory.mktemp("trial") / "in", 6).iterdir())


@pytest.fixture(scope="module")
def trial(folders, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    told = []
    with pytest.MonkeyPatch.context() as patch:
        quick(patch)
        patch.setattr(batch_tasks, "grade_study", counting(told))
        path = two_subjects(folder, folders)
        report = run(path, folder / "out")
    return Trial(path, folder / "out", report, tuple(told))


@pytest.fixture
def studies(folders, monkeypatch):
    quick(monkeypatch)
    return folders


@pytest.fixture
def graded(monkeypatch):
    """The keys of the studies that are measured, in order, and all that the measuring stage was told."""
    told = []
    monkeypatch.setattr(batch_tasks, "grade_study", counting(told))
    return told


def counting(told):
    def counted(*arguments):
        told.append(arguments)
        return grade_study(*arguments)

    return counted


def manifest(tmp_path, rows, name="trial.csv"):
    """`rows` are (subject, visit, folder)."""
    path = tmp_path / name
    path.write_text("\n".join(["subject,visit,path", *(",".join(map(str, row)) for row in rows)]) + "\n")
    return path


def two_subjects(tmp_path, studies, **options):
    names = ("baseline", "6 months", "12 months")
    return manifest(
        tmp_path, [(f"Q{n // 3}Q", names[n % 3], path) for n, path in enumerate(studies)], **options
    )


def run(path, out, options=BARE):
    return run_cohort(path, out, prepare(), load_change_settings(), options, silent)


def test_each_study_is_measured_once(trial):
    keys = [study.study_key for study, _ in trial.told]
    assert len(keys) == len(set(keys)) == 6
    assert trial.report.run.skipped == ()
    assert len(trial.report.changes) == 40
    assert not_as_recorded(trial.out) == ()


@pytest.mark.usefixtures("studies")
def test_a_study_measured_for_its_pair_is_not_called_finished_before(trial, tmp_path):
    told = []
    for out in (tmp_path / "new", trial.copy(tmp_path)):
        run_cohort(
            trial.path, out, prepare(), load_change_settings(), BARE, lambda *words: told.append(words[2])
        )
    words = [" ".join(word.split()[2:]) for word in told if word.startswith("study ")]
    assert words == ["finished"] * 6 + ["finished before"] * 6


def test_the_measuring_stage_is_told_neither_subject_nor_visit(trial):
    assert len(trial.told) == 6
    for study, road in trial.told:
        told = f"{study} {road}"
        assert not any(word in told for word in ("Q0Q", "Q1Q", " months"))


def test_visits_in_another_order_are_measured_the_same(studies, tmp_path):
    forward = [("A", visit, path) for visit, path in zip(VISITS, studies, strict=True)]
    backward = [("A", visit, path) for visit, path in zip(VISITS, studies[::-1], strict=True)]
    rows = {}
    for name, entries in (("one", forward), ("other", backward)):
        run(manifest(tmp_path, entries, f"{name}.csv"), tmp_path / name)
        table = read_csv(tmp_path / name / "grades.csv")
        rows[name] = {(r["study_key"], r["level"], r["side"]): {**r, "visit": ""} for r in table}
    assert rows["one"] == rows["other"]


def test_six_visits_give_a_row_each_and_a_missing_one_is_named(studies, tmp_path):
    entries = [("A", visit, path) for visit, path in zip(VISITS, studies, strict=True)]
    entries[3] = ("A", "12 months", tmp_path / "lost")
    report = run(manifest(tmp_path, entries), tmp_path / "out")
    summary = read_csv(tmp_path / "out" / "summary.csv", SUMMARY_COLUMNS)
    assert [row["visit"] for row in summary] == list(VISITS)
    assert [row["subjects"] for row in summary] == ["1", "1", "1", "0", "1", "1"]
    changes = read_csv(tmp_path / "out" / "change.csv")
    lost = [row for row in changes if row["follow_up_visit"] == "12 months"]
    assert len(changes) == 50
    assert {row["reason"] for row in lost} == {Reason.MISSING_VISIT.value}
    assert [one.reason for one in report.left_out] == [Reason.STUDY_FAILED]


def test_a_study_that_stands_for_two_visits_is_graded_once_and_named(studies, tmp_path, graded):
    entries = [("A", "baseline", studies[0]), ("A", "6", studies[1]), ("A", "12", studies[0])]
    report = run(manifest(tmp_path, entries), tmp_path / "out")
    assert len(graded) == 2
    assert [one.reason for one in report.left_out] == [Reason.DUPLICATE_FILE]


def test_a_visit_that_fails_costs_its_own_pair_only(studies, tmp_path, monkeypatch):
    calls = []

    def failing(study, road):
        calls.append(study.study_key)
        if len(calls) == 3:
            raise InputError("this visit cannot be read today", reason=Reason.PIXELS_UNREADABLE)
        return grade_study(study, road)

    monkeypatch.setattr(batch_tasks, "grade_study", failing)
    report = run(two_subjects(tmp_path, studies), tmp_path / "out")
    assert [one.reason for one in report.left_out] == [Reason.PIXELS_UNREADABLE]
    assert "compared by tables" in report.left_out[0].detail
    assert sorted(set(calls)) == sorted(report.run.finished)
    assert len(report.changes) == 40


def test_a_study_that_cannot_be_read_at_all_is_named_once(trial, studies, tmp_path, monkeypatch):
    def failing(study, road):
        if study.study_key == lost:
            raise InputError("no pixels", reason=Reason.PIXELS_UNREADABLE)
        return grade_study(study, road)

    lost = trial.report.run.finished[0]
    monkeypatch.setattr(batch_tasks, "grade_study", failing)
    report = run(two_subjects(tmp_path, studies), tmp_path / "out")
    assert [one.study_key for one in report.run.failures] == [lost]
    assert report.left_out == ()
    assert report.run.exit_code(strict=False) is ExitCode.SOME_FAILED


def test_a_run_that_was_cut_short_measures_only_the_pairs_that_are_missing(
    trial, studies, tmp_path, monkeypatch
):
    path = two_subjects(tmp_path, studies)
    measured = []

    def counted(first, *rest):
        measured.append(first.study_key)
        if len(measured) == 3:
            raise OutputError("no space is left", reason=Reason.CANNOT_WRITE)
        return common_frame(first, *rest)

    common_frame = pairs.common_frame
    monkeypatch.setattr(pairs, "common_frame", counted)
    with pytest.raises(OutputError):
        run(path, tmp_path / "cut")
    measured.clear()
    run(path, tmp_path / "cut")
    assert len(measured) == 1, "three of four pairs were done: the one that failed cost itself only"
    assert stable_files(tmp_path / "cut") == stable_files(trial.out)


@pytest.mark.usefixtures("studies")
def test_a_finished_trial_measures_nothing_and_ends_in_the_same_bytes(trial, tmp_path, graded):
    again = run(trial.path, trial.copy(tmp_path))
    assert graded == []
    assert len(again.run.skipped) == 6
    assert stable_files(tmp_path / "out") == stable_files(trial.out)


@pytest.mark.usefixtures("studies")
def test_a_damaged_pair_and_a_forced_one_are_measured_again(trial, tmp_path, graded):
    out = trial.copy(tmp_path)
    damaged, *_ = sorted((out / PAIRS).iterdir())
    (damaged / "baseline.csv").write_text("gone")
    run(trial.path, out)
    assert {study.study_key for study, _ in graded} == set(damaged.name.split("-"))
    assert stable_files(out) == stable_files(trial.out)
    graded.clear()
    run(trial.path, out, RunOptions(extras=BARE.extras, force=True))
    assert len(graded) == 6


def test_a_visit_that_comes_later_is_compared_without_measuring_the_others(studies, tmp_path, graded):
    entries = [("A", visit, path) for visit, path in zip(VISITS[:3], studies, strict=False)]
    run(manifest(tmp_path, entries[:2]), tmp_path / "out")
    graded.clear()
    run(manifest(tmp_path, entries), tmp_path / "out")
    assert len(graded) == 2, "the first visit once more, to compare with; not the second"


@pytest.mark.usefixtures("studies")
def test_scripts_read_what_became_of_a_trial(trial, tmp_path):
    def code(path):
        words = ["cohort", path, "--out", out, "--no-pictures", "--no-report", "--quiet"]
        return CliRunner().invoke(app, [str(word) for word in words]).exit_code

    out = trial.copy(tmp_path)
    assert code(trial.path) == ExitCode.DONE
    lines = trial.path.read_text().splitlines()
    lines[2] = f"Q0Q,6 months,{tmp_path / 'lost'}"
    lost = tmp_path / "lost.csv"
    lost.write_text("\n".join(lines) + "\n")
    assert code(lost) == ExitCode.SOME_FAILED
    assert (
        code(manifest(tmp_path, [("A", "baseline", tmp_path / "nowhere")], "b.csv"))
        == ExitCode.NOTHING_USABLE
    )
