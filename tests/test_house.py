"""The house rules that keep the code easy to live in: who may import whom, and what a terminal word may touch."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from conftest import LONGEST_FIRST

PACKAGE = Path(__file__).resolve().parent.parent / "lfja_mri"
STAGES = {"ingest", "levels", "facets", "grading", "change", "phantom", "report"}
MEETING_PLACES = {
    "model",
    "names",
    "words",
    "geometry",
    "config",
    "settings",
    "errors",
    "tables",
    "results",
    "threads",
}
MODULES = sorted(PACKAGE.rglob("*.py"))


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def stage_of(path: Path) -> str | None:
    top = path.relative_to(PACKAGE).parts[0]
    return top if top in STAGES else None


@pytest.mark.parametrize(
    "path", [p for p in MODULES if stage_of(p)], ids=lambda p: str(p.relative_to(PACKAGE))
)
def test_a_stage_meets_the_others_only_in_the_model(path):
    own = stage_of(path)
    parts = {name.split(".")[1] for name in imported(path) if name.startswith("lfja_mri.")}
    strangers = parts - MEETING_PLACES - {own, "__version__"}
    assert not strangers, f"{own} imports {sorted(strangers)}"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_only_the_doors_use_their_library(path):
    where = str(path.relative_to(PACKAGE))
    top = {name.split(".")[0] for name in imported(path)}
    if not where.startswith("app/"):
        assert not top & {"typer", "rich", "click"}
    if not where.startswith(("ingest/", "phantom/", "report/dicom")):
        assert "pydicom" not in top
    assert "torch" not in top


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_modules_and_functions_stay_readable(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), "every module says what question it answers"
    long = [
        f"{node.name} {node.end_lineno - node.lineno + 1}"
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.end_lineno - node.lineno + 1 > 60
    ]
    assert not long, long


def test_the_files_that_are_run_first_are_there():
    tests = Path(__file__).parent
    assert all((tests / name).is_file() for name in LONGEST_FIRST)
