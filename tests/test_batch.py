"""Many studies: resumed in the same bytes, refused while another run writes, checked by their own ledger."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lfja_mri.app import app
from lfja_mri.batch.folder import StudyFiles, damaged, finished, write_study_folder
from lfja_mri.batch.lock import locked
from lfja_mri.batch.options import RunOptions
from lfja_mri.errors import ExitCode, OutputError

runner = CliRunner()
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
CONTENT = StudyFiles({"grades.csv": b"a\n", "pictures/x.png": b"png"}, {"timings_s": {"read": 1.0}})


def test_a_folder_is_whole_and_knows_its_files(tmp_path):
    folder = tmp_path / "studies" / "k"
    write_study_folder(folder, CONTENT, "r1")
    assert finished(folder, "r1")
    assert not finished(folder, "r2")
    assert [path.name for path in folder.parent.iterdir()] == ["k"]


def test_a_changed_file_is_named(tmp_path):
    folder = tmp_path / "k"
    write_study_folder(folder, CONTENT, "r1")
    (folder / "pictures" / "x.png").write_bytes(b"other")
    assert damaged(folder) == ("pictures/x.png",)
    assert not finished(folder, "r1")


def test_a_new_result_replaces_the_old_one_whole(tmp_path):
    folder = tmp_path / "k"
    write_study_folder(folder, CONTENT, "r1")
    write_study_folder(folder, StudyFiles({"grades.csv": b"b\n"}, {}), "r2")
    assert (folder / "grades.csv").read_bytes() == b"b\n"
    assert not (folder / "pictures").exists()


def test_the_second_run_on_a_folder_is_refused_and_told_of_the_first(tmp_path):
    with (
        locked(tmp_path / "out"),
        pytest.raises(OutputError, match=f"process {os.getpid()}"),
        locked(tmp_path / "out"),
    ):
        pass


def test_the_lock_is_gone_after_the_run(tmp_path):
    with locked(tmp_path / "out"):
        pass
    with locked(tmp_path / "out"):
        assert True


@pytest.mark.parametrize(("jobs", "expected"), [(3, 3), (None, CORES), (-1, max(1, CORES - 1)), (-999, 1)])
def test_negative_jobs_leave_cores_free(jobs, expected):
    assert RunOptions(jobs=jobs).processes == expected


@pytest.fixture(scope="module")
def studies(sample_data, tmp_path_factory) -> Path:
    """Both sample visits in one folder."""
    folder = tmp_path_factory.mktemp("studies")
    for visit in ("baseline", "one_year"):
        shutil.copytree(sample_data / visit, folder / visit)
    return folder


def command(studies: Path, out: Path, *more: str) -> list[str]:
    return [
        sys.executable,
        "-m",
        "lfja_mri",
        "grade",
        str(studies),
        "--out",
        str(out),
        "--no-pictures",
        "--no-report",
        *more,
    ]


def stable_files(out: Path) -> dict[str, bytes]:
    paths = (
        path
        for path in sorted(out.rglob("*"))
        if path.is_file() and path.name not in {"run.json", ".lfja-mri.lock"}
    )
    return {str(path.relative_to(out)): path.read_bytes() for path in paths}


@pytest.mark.slow
def test_a_killed_run_resumes_to_the_same_bytes(studies, tmp_path):
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    subprocess.run(command(studies, undisturbed, "--jobs", "2"), check=True, capture_output=True)
    process = subprocess.Popen(command(studies, killed, "--jobs", "1"), start_new_session=True)
    deadline = time.monotonic() + 120
    while not list((killed / "studies").glob("[0-9a-f]*")) and time.monotonic() < deadline:
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    subprocess.run(command(studies, killed, "--jobs", "1"), check=True, capture_output=True)
    record = json.loads((killed / "run.json").read_text())
    assert len(record["skipped_as_finished"]) == 1
    assert stable_files(killed) == stable_files(undisturbed)


@pytest.mark.slow
def test_a_finished_archive_verifies_and_regrades_to_itself(studies, tmp_path):
    out = tmp_path / "out"
    subprocess.run(command(studies, out, "--jobs", "2"), check=True, capture_output=True)
    assert runner.invoke(app, ["verify", str(out)]).exit_code == ExitCode.DONE
    assert runner.invoke(app, ["regrade", str(out), "--check"]).exit_code == ExitCode.DONE
    regraded = tmp_path / "again.csv"
    assert runner.invoke(app, ["regrade", str(out), "--out", str(regraded)]).exit_code == ExitCode.DONE
    assert regraded.read_bytes() == (out / "grades.csv").read_bytes()
    table = next((out / "studies").glob("*/levels.csv"))
    table.write_text("changed\n")
    result = runner.invoke(app, ["verify", str(out)])
    assert result.exit_code == ExitCode.CHECK_NOT_MET
    assert "levels.csv" in result.stdout
