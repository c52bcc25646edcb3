"""`--help` is the manual: every command tells what it writes, how it ends, and shows examples that could be run."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from lfja_mri.app import app
from lfja_mri.app.manual import MANUALS

COMMANDS = get_command(app).commands
WIDE = {"COLUMNS": "200", "TERM": "dumb", "NO_COLOR": "1"}


def test_every_command_has_a_manual_and_no_manual_is_orphaned():
    assert set(MANUALS) == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_shows_notes_and_examples_whole(name):
    shown = CliRunner().invoke(app, [name, "--help"], env=WIDE)
    assert shown.exit_code == 0
    text = " ".join(shown.output.split())
    for line, _ in MANUALS[name].examples:
        assert " ".join(line.split()) in text
    for note in MANUALS[name].notes:
        assert note.split(".")[0] in text


@pytest.mark.parametrize("name", COMMANDS)
def test_examples_use_commands_and_options_that_exist(name):
    options = {
        word for parameter in COMMANDS[name].params for word in (*parameter.opts, *parameter.secondary_opts)
    }
    for line, _ in MANUALS[name].examples:
        words = shlex.split(line.split("|")[0])
        assert words[:2] == ["lfja-mri", name]
        assert {word for word in words if word.startswith("--")} <= options


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_says_what_it_does(name):
    for parameter in COMMANDS[name].params:
        if parameter.param_type_name == "argument":
            continue
        assert parameter.help, parameter.name
        assert "()" not in parameter.help.replace("(s)", "")
        assert "[" not in parameter.help.replace("[default", ""), "square brackets vanish as markup"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_get_completion(shell):
    words = {"COMP_WORDS": "lfja-mri gra", "COMP_CWORD": "1", "_TYPER_COMPLETE_ARGS": "lfja-mri gra"}
    asked = {"_LFJA_MRI_COMPLETE": f"complete_{shell}", "_TYPER_COMPLETE_FISH_ACTION": "get-args", **words}
    code = "import sys; sys.argv[0] = 'lfja-mri'; from lfja_mri.app import app; app(prog_name='lfja-mri')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=False,
        env={**os.environ, **asked},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "grade" in done.stdout
