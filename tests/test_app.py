"""The doors: exit codes and one-line messages for every kind of bad input, and nothing half-written."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from lfja_mri.app import app
from lfja_mri.errors import ExitCode

runner = CliRunner()


def run(*words: object):
    return runner.invoke(app, [str(word) for word in words])


def test_help_says_what_it_is_not():
    result = run("--help")
    assert result.exit_code == ExitCode.DONE
    assert "not a medical device" in result.stdout


@pytest.mark.parametrize("command", [c.name or c.callback.__name__ for c in app.registered_commands])
def test_every_command_explains_itself(command):
    result = run(command, "--help")
    assert result.exit_code == ExitCode.DONE
    assert "Usage" in result.stdout


def test_an_empty_folder_holds_nothing_usable(tmp_path):
    (tmp_path / "in").mkdir()
    result = run("grade", tmp_path / "in", "--out", tmp_path / "out")
    assert result.exit_code == ExitCode.NOTHING_USABLE
    assert "no MR study in the input" in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_folder_of_junk_names_the_reasons(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "notes.txt").write_text("DOE^JANE was here")
    result = run("grade", tmp_path / "in", "--out", tmp_path / "out")
    assert result.exit_code == ExitCode.NOTHING_USABLE
    assert "not_dicom" in result.stderr
    assert "DOE" not in result.stderr + result.stdout


def test_a_path_that_is_not_there_is_one_line(tmp_path):
    result = run("grade", tmp_path / "nowhere", "--out", tmp_path / "out")
    assert result.exit_code == ExitCode.NOTHING_USABLE
    assert "does not exist" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_misspelt_key_names_the_nearest(tmp_path):
    (tmp_path / "mine.toml").write_text("[mesure]\n")
    (tmp_path / "in").mkdir()
    result = run("grade", tmp_path / "in", "--out", tmp_path / "out", "--config", tmp_path / "mine.toml")
    assert result.exit_code == ExitCode.CONFIGURATION
    assert "did you mean 'measure'" in result.stderr


def test_a_misspelt_option_is_usage(tmp_path):
    assert run("grade", tmp_path, "--uot", tmp_path).exit_code == ExitCode.USAGE


def test_an_archive_without_studies_cannot_be_regraded(tmp_path):
    result = run("regrade", tmp_path)
    assert result.exit_code == ExitCode.NOTHING_USABLE
    assert "holds no graded studies" in result.stderr


def test_comparing_with_nothing_is_usage(tmp_path):
    result = run("compare", tmp_path / "a", tmp_path / "b")
    assert result.exit_code == ExitCode.USAGE
    assert "does not exist" in result.stderr


def test_info_is_plain_json():
    facts = json.loads(run("info", "--json").stdout)
    assert set(facts["scales"]) == {"czervionke_fenton", "inflammation_items"}
    assert len(facts["model"]["sha256"]) == 64


def test_the_rules_say_where_they_come_from():
    text = run("rules").stdout
    for word in ("grade 4", "grade 0", "abstract"):
        assert word in text.lower()


def test_agreement_of_a_table_with_itself_is_perfect(tmp_path):
    lines = [
        f"{study},L4-L5,{side},{grade}"
        for study, grade in (("a", 0), ("b", 2), ("c", 4))
        for side in ("left", "right")
    ]
    table = tmp_path / "grades.csv"
    table.write_text("study_key,level,side,grade\n" + "\n".join(lines) + "\n")
    result = run("agree", table, table, "--json")
    assert result.exit_code == ExitCode.DONE
    overall = json.loads(result.stdout)["agreement"][0]
    assert overall["quadratic kappa"].startswith("1.000")
    assert overall["exact"] == "100.0%"


def test_agreement_refuses_a_grade_that_is_none(tmp_path):
    table = tmp_path / "reader.csv"
    table.write_text("study_key,level,side,grade\na,L4-L5,left,5\n")
    result = run("agree", table, table)
    assert result.exit_code == ExitCode.NOTHING_USABLE
    assert "line 2: a grade is a whole number from 0 to 4" in result.stderr


def test_an_output_that_is_a_file_is_an_output_error(sample_data, tmp_path):
    (tmp_path / "out").write_text("")
    result = run("grade", sample_data / "baseline", "--out", tmp_path / "out")
    assert result.exit_code == ExitCode.CANNOT_WRITE
    assert "choose a folder you may write to" in result.stderr
    assert (tmp_path / "out").read_text() == ""


def test_help_does_not_load_the_heavy_libraries():
    code = (
        "import sys; from lfja_mri.app import app; "
        "print([m for m in ('SimpleITK', 'scipy.ndimage', 'matplotlib', 'onnxruntime', 'pydicom') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_archives_are_regraded_without_loading_the_image_libraries():
    code = (
        "import sys, lfja_mri.app.archives, lfja_mri.batch.regrade; "
        "print([m for m in ('SimpleITK', 'scipy', 'nibabel', 'matplotlib', 'onnxruntime', 'pydicom') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_a_run_needs_the_drawing_library_only_for_pictures():
    code = "import sys, lfja_mri.batch.run, lfja_mri.report; print('matplotlib' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"


def test_a_terminal_sees_rate_and_time_left(monkeypatch):
    import io
    import sys
    import time

    from rich.console import Console

    from lfja_mri.app import progress

    shown = io.StringIO()
    console = Console(file=shown, force_terminal=True, width=120)
    monkeypatch.setattr(progress, "messages", console)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with progress.progress_display(quiet=False) as report:
        for done in range(4):
            report(done, 8, "grading")
            time.sleep(0.15)
    assert "3/8" in shown.getvalue()
    assert "/min" in shown.getvalue()


def test_elsewhere_it_is_plain_lines_and_quiet_is_silent(capsys):
    from lfja_mri.app.progress import progress_display

    for quiet in (False, True):
        with progress_display(quiet=quiet) as report:
            report(1, 2, "study k graded")
    assert capsys.readouterr().err == "1/2 study k graded\n"
