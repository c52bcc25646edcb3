"""The documentation keeps its word: commands and options exist, links lead somewhere; test_docs_commands runs them."""

from __future__ import annotations

import re
import shlex
from functools import cache
from pathlib import Path

import pytest
from conftest import ROOT

PAGES = sorted((ROOT / "docs").glob("*.md"))
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#]+)\)")


def commands(page: Path) -> list[str]:
    """Every line of the page's shell blocks."""
    blocks = BLOCK.findall(page.read_text(encoding="utf-8"))
    return [line for block in blocks for line in block.splitlines() if line.strip()]


@cache
def known() -> dict[str, set[str]]:
    """Options by command, asked of the app itself."""
    from typer.main import get_command

    from lfja_mri.app import app

    listed = get_command(app).commands
    return {
        name: {word for parameter in command.params for word in (*parameter.opts, *parameter.secondary_opts)}
        for name, command in listed.items()
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_and_option_exists(page):
    for line in commands(page):
        words = shlex.split(line.split("|")[0])
        if words[0] != "lfja-mri":
            continue
        assert words[1] in known(), line
        options = {word.split("=")[0] for word in words[2:] if word.startswith("--")}
        assert options <= known()[words[1]], line


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_link_within_the_docs_leads_somewhere(page):
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        if not target.startswith(("http", "mailto")):
            assert (page.parent / target).exists(), target
