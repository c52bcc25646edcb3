"""`inspect` without the parser prints what it prints with it, loads little, and leaves everything else to the app."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from messy_dicom import CASES
from typer.testing import CliRunner

from lfja_mri.app import app
from lfja_mri.app.plain import inspected

TOOL = [sys.executable, "-m", "lfja_mri"]


@pytest.mark.parametrize("name", ["plain", "junk_beside", "zip", "rle"])
@pytest.mark.parametrize("options", [["--json"], []])
def test_both_ways_print_the_same(name, options, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    CASES[name].build(tmp_path)
    assert inspected(["inspect", str(tmp_path), *options])
    assert capsys.readouterr().out == CliRunner().invoke(app, ["inspect", str(tmp_path), *options]).stdout


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["inspect"],
        ["inspect", ""],
        ["inspect", "--help"],
        ["inspect", "nowhere"],
        ["inspect", ".", "--json", "--json"],
        ["inspect", ".", "--config", "mine.toml"],
        ["inspect", "--json", "--", "."],
        ["grade", "."],
    ],
)
def test_anything_else_is_left_to_the_app(words, capsys):
    assert not inspected(words)
    assert capsys.readouterr().out == ""


def test_trouble_is_told_in_the_usual_words():
    done = subprocess.run([*TOOL, "inspect", "nowhere"], capture_output=True, text=True, check=False)
    assert done.returncode == 4
    assert done.stderr.startswith("error: input 1 of 1 does not exist")


@pytest.mark.parametrize("options", [["--json"], []])
def test_an_input_without_a_study_is_described_and_refused(options, tmp_path):
    (tmp_path / "notes.txt").write_text("no image")
    done = subprocess.run(
        [*TOOL, "inspect", str(tmp_path), *options], capture_output=True, text=True, check=False
    )
    assert done.returncode == 4
    assert "not_dicom" in done.stdout
    assert done.stderr.startswith("error: no MR study in the input: found 1 file")
    assert "inspect" not in done.stderr, "it would send people where they are"


def test_an_error_nobody_expected_is_one_line(tmp_path, monkeypatch, capsys):
    import lfja_mri.app
    import lfja_mri.app.plain

    def broken(_):
        raise ZeroDivisionError("DOE^JANE")

    monkeypatch.setattr(lfja_mri.app.plain, "_description", broken)
    monkeypatch.setattr(sys, "argv", ["lfja-mri", "inspect", str(tmp_path)])
    with pytest.raises(SystemExit) as caught:
        lfja_mri.app.main()
    said = capsys.readouterr().err
    assert caught.value.code == 1
    assert "ZeroDivisionError" in said
    assert "DOE" not in said


def test_a_reader_that_goes_away_is_no_bug(tmp_path):
    CASES["plain"].build(tmp_path)
    command = " ".join([*TOOL, "inspect", str(tmp_path), "--json", "| true"])
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.stderr == ""


def test_little_is_loaded(tmp_path):
    CASES["plain"].build(tmp_path)
    heavy = (
        "typer",
        "rich",
        "pydantic",
        "pydicom",
        "scipy",
        "SimpleITK",
        "matplotlib",
        "onnxruntime",
        "nibabel",
    )
    code = (
        "import sys, lfja_mri.app.plain as p; "
        f"p.inspected(['inspect', {str(tmp_path)!r}, '--json']); "
        f"print([name for name in {heavy!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["files"] == 10
    assert done.stderr.strip() == "[]"
