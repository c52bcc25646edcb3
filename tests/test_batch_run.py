"""Whole runs over small studies: resumed, changed, refused, cut short by a disk, a folder or a permission that is gone."""

from __future__ import annotations

import csv
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from grading_joints import joint_with
from made_dicom import Header, Slab, series, write
from test_batch import stable_files
from typer.testing import CliRunner

from lfja_mri.app import app
from lfja_mri.batch import run as batch_run
from lfja_mri.batch.options import RunOptions
from lfja_mri.batch.record import not_as_recorded
from lfja_mri.batch.run import grade_inputs
from lfja_mri.batch.workers import attempt
from lfja_mri.config import config_folder
from lfja_mri.errors import ExitCode, OutputError
from lfja_mri.grading import judge, load_rules, measurements_to_json
from lfja_mri.model import JointResult, StudyResult
from lfja_mri.outputs import Extras
from lfja_mri.pipeline import prepare
from lfja_mri.progress import silent
from lfja_mri.results import GRADES_COLUMNS, Scale, Visit, grade_rows
from lfja_mri.tables import to_csv

BARE = RunOptions(extras=Extras(pictures=False, pages=False))
MIB = 1 << 20
NOBODY = 65534


def write_studies(folder: Path, count: int, *, date: str = "20200102") -> Path:
    """Small sagittal studies in which no spine is found: ten joints each, not graded, in a tenth of a second."""
    for number in range(count):
        uid = f"1.2.3.{number}"
        header = Header(
            study=uid, series=f"{uid}.1", extra={"StudyDate": date, "PatientID": f"P{number // 2}"}
        )
        write(folder / f"{number:03d}", series(Slab(), header))
    return folder


class SameProcess:
    """Stands for the pool where a test is about the run, not about processes."""

    def __init__(self, function, **_bounds):
        self.function = function

    def run(self, tasks):
        yield from ((index, attempt(self.function, task)) for index, task in enumerate(tasks))


@pytest.fixture
def in_process(monkeypatch):
    monkeypatch.setattr(batch_run, "WorkerPool", SameProcess)


@pytest.fixture
def studies(tmp_path, monkeypatch):
    monkeypatch.setattr(batch_run, "WorkerPool", SameProcess)
    return write_studies(tmp_path / "in", 6)


def run(studies: Path, out: Path, options: RunOptions = BARE, progress=silent):
    return grade_inputs([studies], out, prepare(), options, progress)


def test_only_changed_studies_are_done_again(studies, tmp_path):
    out = tmp_path / "out"
    first = run(studies, out)
    assert (len(first.finished), len(first.skipped)) == (6, 0)
    before = stable_files(out)
    assert len(run(studies, out).skipped) == 6
    victim = studies / "003" / "im0004"
    victim.write_bytes(victim.read_bytes()[:-2] + b"\x01\x02")
    again = run(studies, out)
    assert len(again.skipped) == 5
    assert stable_files(out) == before
    forced = run(studies, out, RunOptions(extras=BARE.extras, force=True))
    assert forced.skipped == ()


def test_leftovers_of_a_killed_run_are_cleared(studies, tmp_path):
    out = tmp_path / "out"
    for leftover in (out / "studies" / ".partial-x", out / "studies" / ".old-y"):
        leftover.mkdir(parents=True)
        (leftover / "grades.csv").write_text("half")
    (out / ".partial-z").write_text("half")
    run(studies, out)
    assert not [path for path in out.rglob(".*") if path.name != ".lfja-mri.lock"]


def progress_that(act, *, at: int):
    def progress(done: int, _total: int, _word: str) -> None:
        if done == at:
            act()

    return progress


def test_a_folder_that_goes_in_mid_run(studies, tmp_path):
    out, moved = tmp_path / "out", tmp_path / "moved"
    with pytest.raises(OutputError) as caught:
        run(studies, out, progress=progress_that(lambda: out.rename(moved), at=3))
    assert caught.value.exit_code == ExitCode.CANNOT_WRITE
    assert not out.exists()
    assert len(list((moved / "studies").glob("[!.]*"))) == 3
    moved.rename(out)
    assert len(run(studies, out).skipped) == 3
    assert not_as_recorded(out) == ()


def test_a_permission_that_goes_in_mid_run(studies, tmp_path):
    """Root may write anywhere, so a test that runs as root becomes nobody for the rest of the run."""
    out = tmp_path / "out"
    own = os.geteuid()

    def take_away():
        (out / "studies").chmod(0o555)
        if own == 0:
            os.seteuid(NOBODY)

    try:
        with pytest.raises(OutputError, match="cannot write"):
            run(studies, out, progress=progress_that(take_away, at=2))
    finally:
        os.seteuid(own)
        (out / "studies").chmod(0o755)
    assert len(list((out / "studies").glob("[!.]*"))) == 2
    assert len(run(studies, out).skipped) == 2


def test_a_disk_that_fills_up_in_mid_run(studies, tmp_path):
    """No file may grow beyond the limit from the fourth study on: the system refuses as on a full disk."""
    out = tmp_path / "out"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        with pytest.raises(OutputError, match="finished part is intact") as caught:
            run(
                studies, out,
                progress=progress_that(lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1])), at=3),
            )  # fmt: skip
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert caught.value.exit_code == ExitCode.CANNOT_WRITE
    assert len(run(studies, out).skipped) == 3
    undisturbed = tmp_path / "undisturbed"
    run(studies, undisturbed)
    assert stable_files(out) == stable_files(undisturbed)


def cli(*words: str | Path) -> list[str]:
    return [sys.executable, "-m", "lfja_mri", *map(str, words)]


@pytest.mark.slow
def test_a_real_disk_that_is_full(tmp_path):
    studies, disk = write_studies(tmp_path / "in", 12), tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", disk], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("no disk of its own may be mounted here")
    words = cli("grade", studies, "--out", disk / "out", "--jobs", "2", "--no-pictures", "--no-report")
    try:
        ended = subprocess.run(words, check=False, capture_output=True, text=True)
        assert ended.returncode == ExitCode.CANNOT_WRITE, ended.stderr
        assert "No space left" in ended.stderr
        assert "Traceback" not in ended.stderr
        finished = list((disk / "out" / "studies").glob("[!.]*"))
        assert 0 < len(finished) < 12
        subprocess.run(["mount", "-o", "remount,size=16m", disk], check=True)
        again = subprocess.run(words, check=False, capture_output=True, text=True)
        assert again.returncode == ExitCode.DONE, again.stderr
        assert len(json.loads((disk / "out" / "run.json").read_text())["skipped_as_finished"]) >= len(
            finished
        )
        assert not_as_recorded(disk / "out") == ()
    finally:
        subprocess.run(["umount", disk], check=True)


@pytest.mark.slow
@pytest.mark.parametrize("whole_group", [True, False], ids=["group", "parent_only"])
def test_twenty_studies_killed_and_resumed(tmp_path, whole_group):
    """Killed once early and once late; workers whose parent was killed end by themselves."""
    studies = write_studies(tmp_path / "in", 20)
    out, undisturbed = tmp_path / "out", tmp_path / "undisturbed"
    words = cli("grade", studies, "--jobs", "2", "--no-pictures", "--quiet", "--out")
    subprocess.run([*words, undisturbed], check=True, capture_output=True)
    kept = 0
    for enough in (1, 12):
        process = subprocess.Popen([*words, out], start_new_session=True)
        deadline = time.monotonic() + 120
        while len(list((out / "studies").glob("[!.]*"))) < enough and time.monotonic() < deadline:
            time.sleep(0.002)
        (os.killpg if whole_group else os.kill)(process.pid, signal.SIGKILL)
        process.wait()
        kept = len(list((out / "studies").glob("[!.]*")))
        assert kept >= enough
    subprocess.run([*words, out], check=True, capture_output=True)
    record = json.loads((out / "run.json").read_text())
    assert len(record["studies"]) == 20
    assert len(record["skipped_as_finished"]) >= min(kept, 20)
    assert stable_files(out) == stable_files(undisturbed)
    assert not [path for path in (out / "studies").iterdir() if path.name.startswith(".")]


@pytest.mark.slow
def test_a_study_too_large_for_its_worker_costs_itself_only(tmp_path):
    studies = write_studies(tmp_path / "in", 3)
    large = series(Slab(shape=(2400, 2400), count=24), Header(study="1.2.9", series="1.2.9.1"))
    write(studies / "large", large)
    out = tmp_path / "out"
    words = cli(
        "grade", studies, "--out", out, "--jobs", "1", "--no-pictures", "--no-report", "--memory-mib", "900"
    )
    ended = subprocess.run(words, check=False, capture_output=True, text=True)
    assert "Traceback" not in ended.stderr
    with (out / "grades.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert len({row["study_key"] for row in rows}) == 4
    assert ended.returncode in {ExitCode.DONE, ExitCode.SOME_FAILED}
    if ended.returncode == ExitCode.SOME_FAILED:
        assert "worker_lost" in ended.stderr


@pytest.mark.usefixtures("in_process")
def test_days_are_written_and_dates_only_when_asked(tmp_path):
    studies = write_studies(tmp_path / "in", 1, date="20200102")
    later = Header(study="1.2.9", series="1.2.9.1", extra={"StudyDate": "20210101", "PatientID": "P0"})
    write(studies / "later", series(Slab(), later))
    bare = {"extras": BARE.extras, "salt": b"key"}
    run(studies, tmp_path / "out", RunOptions(**bare))
    text = (tmp_path / "out" / "visits.csv").read_text()
    rows = list(csv.DictReader(text.splitlines()))
    assert [row["days_since_baseline"] for row in rows] == ["0", "365"]
    assert len({row["subject"] for row in rows}) == 1
    everything = b"".join(path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert b"2020-01-02" not in everything
    assert b"20200102" not in everything
    run(studies, tmp_path / "dated", RunOptions(**bare, keep_dates=True))
    assert "2020-01-02" in (tmp_path / "dated" / "visits.csv").read_text()


def test_a_log_tells_each_study_once(studies, tmp_path):
    (studies / "junk.txt").write_text("no image")
    log = tmp_path / "log.jsonl"
    words = [
        "grade",
        studies,
        "--out",
        tmp_path / "out",
        "--no-pictures",
        "--no-report",
        "--quiet",
        "--log-json",
        log,
    ]
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    events = [json.loads(line) for line in log.read_text().splitlines()]
    told = [one for one in events if one["event"] == "study"]
    assert len({one["study_key"] for one in told}) == len(told) == 6
    assert [one["reason"] for one in events if one["event"] == "left_out"] == ["not_dicom"]
    assert all(one["time"].endswith("+00:00") for one in events)


def test_a_log_that_cannot_be_written_is_told(tmp_path):
    result = CliRunner().invoke(app, ["info", "--log-json", str(tmp_path / "absent" / "log")])
    assert result.exit_code == ExitCode.CANNOT_WRITE


def test_verbose_shows_what_was_left_out(studies, tmp_path):
    (studies / "junk.txt").write_text("no image")
    words = [
        "grade",
        studies,
        "--out",
        tmp_path / "out",
        "--no-pictures",
        "--no-report",
        "--quiet",
        "--verbose",
    ]
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert "not_dicom" in result.stderr
    assert CliRunner().invoke(app, [str(word) for word in words[:-1]]).stderr == ""


def test_an_archive_that_lost_a_study_or_a_table_is_named(studies, tmp_path):
    out = tmp_path / "out"
    run(studies, out)
    (out / "visits.csv").write_text("changed")
    gone = min((out / "studies").iterdir())
    shutil.rmtree(gone)
    result = CliRunner().invoke(app, ["verify", str(out)])
    assert result.exit_code == ExitCode.CHECK_NOT_MET
    assert result.stdout.split() == [f"studies/{gone.name}/run.json", "visits.csv"]


def test_folders_of_array_tasks_are_gathered_into_one_archive(studies, tmp_path):
    """The recipe of docs/batch.md: one output folder a task, moved together, then regrade writes the table."""
    whole, parts = tmp_path / "whole", tmp_path / "gathered"
    run(studies, whole)
    (parts / "studies").mkdir(parents=True)
    for number, study in enumerate(sorted(studies.iterdir())):
        run(study, tmp_path / "out" / str(number))
        for folder in (tmp_path / "out" / str(number) / "studies").iterdir():
            folder.rename(parts / "studies" / folder.name)
    words = ["regrade", str(parts), "--out", str(parts / "grades.csv")]
    assert CliRunner().invoke(app, words).exit_code == 0
    assert (parts / "grades.csv").read_bytes() == (whole / "grades.csv").read_bytes()
    assert CliRunner().invoke(app, ["report", str(parts)]).exit_code == 0


@pytest.mark.parametrize("edited", [False, True], ids=["other_rules", "edited_archive"])
def test_a_regrade_report_says_what_changed_and_why(tmp_path, edited):
    rules, own = load_rules(), tmp_path / "rules.toml"
    joint = joint_with(perimeter_fraction=0.3)
    result = JointResult(joint.level, joint.side, judge(joint, rules), joint)
    row = grade_rows(StudyResult("k", None, (result,), ()), Visit(), Scale(rules.scale, rules.digest))
    text = to_csv(GRADES_COLUMNS, row)
    folder = tmp_path / "archive" / "studies" / "k"
    folder.mkdir(parents=True)
    (folder / "measurements.json").write_text(json.dumps(measurements_to_json([joint])))
    (folder / "grades.csv").write_text(text.replace(",graded,2,", ",graded,4,") if edited else text)
    packaged = (config_folder() / "grading" / "czervionke_fenton.toml").read_text()
    own.write_text(packaged if edited else packaged.replace("at_least = 0.50", "at_least = 0.20"))
    report = tmp_path / "changed.json"
    words = ["regrade", tmp_path / "archive", "--config", own, "--check", "--report", report]
    assert CliRunner().invoke(app, [str(word) for word in words]).exit_code == ExitCode.CHECK_NOT_MET
    told = json.loads(report.read_text())
    assert "grade" in {one["column"] for one in told["changed"]}
    why = told["why"][0]
    assert (why["archived"]["grade"], why["regraded"]["grade"]) == (("4", "2") if edited else ("2", "3"))
    assert why["cause"] == ("the archived table is not what the same rules give" if edited else "other rules")
    assert "perimeter" in why["because"]
    assert (told["rules"] in told["archived_rules"]) is edited
