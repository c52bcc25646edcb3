"""`--explain LEVEL SIDE`, as often as wanted: read from the command line, told for every study."""

from __future__ import annotations

import json

import pytest
from test_batch_run import SameProcess, write_studies
from typer import BadParameter
from typer.testing import CliRunner

from lfja_mri.app import app
from lfja_mri.app.joint_words import joined, named_joint
from lfja_mri.batch import run as batch_run
from lfja_mri.errors import ExitCode
from lfja_mri.names import Level, Side


@pytest.mark.parametrize(
    ("words", "read"),
    [
        (
            "grade in --explain L4-L5 right --jobs 2",
            ["grade", "in", "--explain", "L4-L5 right", "--jobs", "2"],
        ),
        (
            "--explain L4-L5 right --explain L5-S1 left",
            ["--explain", "L4-L5 right", "--explain", "L5-S1 left"],
        ),
        ("--explain=L4-L5 right in", ["--explain=L4-L5 right", "in"]),
        ("-- --explain a b", ["--", "--explain", "a", "b"]),
        ("in --explain", ["in", "--explain"]),
    ],
)
def test_a_level_and_a_side_become_one_word(words, read):
    assert joined(words.split()) == read
    assert joined(read) == read, "quoted words are left as they are"


@pytest.mark.parametrize("level", list(Level))
@pytest.mark.parametrize("side", list(Side))
def test_every_joint_has_a_name_whatever_its_capitals(level, side):
    for words in (f"{level.value} {side.value}", f" {level.value.lower()}  {side.value.upper()}"):
        joint = named_joint(words)
        assert (joint.level, joint.side) == (level, side)


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ("L4-L5 rigth", "did you mean 'L4-L5 right'"),
        ("somewhere", "such as L4-L5 right"),
        ("L4-L5", "did you mean"),
    ],
)
def test_a_joint_that_is_none_names_the_nearest(words, hint):
    with pytest.raises(BadParameter, match=hint):
        named_joint(words)
    asked = ["grade", "nowhere", "--out", "out", "--explain", *words.split()]
    assert CliRunner().invoke(app, asked).exit_code == ExitCode.USAGE


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What two toy studies say of three joints, and where they lie."""
    folder = tmp_path_factory.mktemp("explain")
    write_studies(folder / "in", 2)
    wanted = [("L4-L5", "right"), ("L1-L2", "left"), ("L6-S1", "left")]
    asked = [word for level, side in wanted for word in ("--explain", level, side)]
    words = [
        "grade",
        str(folder / "in"),
        "--out",
        str(folder / "out"),
        "--quiet",
        "--no-pictures",
        "--no-report",
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batch_run, "WorkerPool", SameProcess)
        result = CliRunner().invoke(app, [*words, *asked])
    assert result.exit_code == ExitCode.DONE
    return folder / "out", result.stdout


def test_every_joint_asked_for_is_told_for_every_study(told):
    out, text = told
    keys = sorted(path.name for path in (out / "studies").iterdir())
    headings = [line for line in text.splitlines() if line.startswith(("study ", "L"))]
    places = [line.split(":")[0] for line in headings]
    assert places == [
        word
        for joint in ("L4-L5 right", "L1-L2 left", "L6-S1 left")
        for key in keys
        for word in (f"study {key}", joint)
    ]
    assert text.count("L6-S1 left: this study has no such joint.") == len(keys)


def test_the_study_keeps_the_same_words_as_json(told):
    out, _ = told
    for study in (out / "studies").iterdir():
        joints = json.loads((study / "explanations.json").read_text())["joints"]
        assert (
            "\n\n".join(joint["text"] for joint in joints) + "\n" == (study / "explanations.txt").read_text()
        )
        assert len(joints) == 10
