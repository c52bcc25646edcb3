"""Pages of the docs that repeat what the code says do so word for word; snippets in them run."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace

import fake_results as fake
import pytest
from conftest import ROOT

from benchmarks.readme_table import END, SHOWN, START
from lfja_mri.errors import Reason
from lfja_mri.grading import explanation_facts, judge, load_rules, rules_in_words
from lfja_mri.report import glossary
from lfja_mri.results import GRADES_COLUMNS
from lfja_mri.tables import to_csv, write_text

DOCS = ROOT / "docs"
RELEASE = re.compile(r"^## (\d+\.\d+\.\d+) \((\d{4}-\d\d-\d\d)\)$", re.MULTILINE)


def text_of(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def test_the_rule_page_is_the_rule_table():
    assert rules_in_words(load_rules()) in text_of("rules.md"), "run `make golden`"


def test_the_code_page_is_the_glossary():
    assert text_of("codes.md") == glossary.codes_page(), "run `make golden`"


def test_every_reason_has_words():
    missing = [reason.value for reason in Reason if reason.value not in glossary.REASON_WORDS]
    assert not missing, "add words to lfja_mri/report/glossary.py, then run `make golden`"


def test_every_flag_of_the_sample_case_has_words():
    for name in ("grades", "change"):
        rows = fake.read_rows(ROOT / "sample_data" / "golden" / f"{name}.csv")
        flags = {flag for row in rows for flag in row["flags"].split(";") if flag}
        assert flags <= set(glossary.FLAG_WORDS)


def test_the_citation_file_and_the_citing_page_name_the_same_version_and_sources():
    from lfja_mri import __version__

    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    page = text_of("cite.md")
    assert f"version: {__version__}" in citation
    assert f"version {__version__}" in page
    for doi in re.findall(r"doi: (\S+)", citation):
        assert doi in page


def test_the_newest_release_notes_are_of_this_version_and_of_the_day_that_is_cited():
    from lfja_mri import __version__

    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    day = re.search(r"^date-released: (\d{4}-\d\d-\d\d)$", citation, re.MULTILINE)
    notes = RELEASE.findall((ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))
    assert day is not None
    assert notes[0] == (__version__, day[1])
    assert sorted(notes, key=lambda note: note[1], reverse=True) == notes, "newest first"


def test_no_release_notes_are_left_undated():
    headings = re.findall(r"^## .*$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert headings
    assert all(RELEASE.fullmatch(heading) for heading in headings)


def test_every_page_is_in_the_navigation():
    listed = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    for page in DOCS.glob("*.md"):
        assert page.name in listed, page.name


SNIPPET = re.compile(r"^```(python|r)\n(.*?)^```", re.MULTILINE | re.DOTALL)
SNIPPETS = [
    (page.stem, language, code)
    for page in sorted(DOCS.glob("*.md"))
    for language, code in SNIPPET.findall(page.read_text(encoding="utf-8"))
]


@pytest.fixture
def tables(tmp_path):
    """What the snippets read in `out`: grades.csv of two visits, change.csv, grades.parquet, a study's explanations."""
    rows = fake.grade_table(fake.study_result(), "S01", "baseline")
    rows += fake.grade_table(fake.follow_up(), "S01", "12 months")
    write_text(tmp_path / "out" / "grades.csv", to_csv(GRADES_COLUMNS, rows))
    change = fake.change_table()
    write_text(tmp_path / "out" / "change.csv", to_csv(list(change[0]), change))
    rules = load_rules()
    study = fake.study_result()
    placed = [one for one in study.joints if one.measurements is not None]
    judged = [replace(one, outcome=judge(one.measurements, rules)) for one in placed]
    told = {"joints": [explanation_facts(one, rules) for one in judged]}
    write_text(tmp_path / "out" / "studies" / study.study_key / "explanations.json", json.dumps(told))
    parquet = pytest.importorskip("lfja_mri.parquet")
    pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    parquet.write_beside([tmp_path / "out" / "grades.csv"])
    return tmp_path


@pytest.mark.parametrize(("page", "language", "code"), SNIPPETS, ids=[f"{p}-{k}" for p, k, _ in SNIPPETS])
def test_snippets_run_on_real_tables(tables, page, language, code):
    if language == "r" and shutil.which("Rscript") is None:
        pytest.skip("no Rscript on this machine (apt-get install r-base-core)")
    if language == "python":
        pytest.importorskip("pandas", reason="pandas is not installed")
    command = [sys.executable, "-c", code] if language == "python" else ["Rscript", "-e", code]
    done = subprocess.run(command, cwd=tables, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, f"{page}: {done.stderr}"
    assert done.stdout.strip(), f"{page}: the snippet shows nothing"


def test_there_are_snippets_for_both_languages():
    assert {language for _, language, _ in SNIPPETS} == {"python", "r"}


def test_the_readme_shows_the_figures_of_the_validation_page():
    """A figure that is renamed in the evaluation alone would leave the README's old table standing."""
    validation = (DOCS / "validation.md").read_text(encoding="utf-8")
    told = {tuple(line.split(" | ")[:2]) for line in validation.splitlines()}
    shown = (
        (ROOT / "README.md").read_text(encoding="utf-8").split(START)[1].split(END)[0].strip().splitlines()
    )
    rows = [tuple(line.split(" | ")[:2]) for line in shown[2:]]
    assert [name.removeprefix("| ") for name, _ in rows] == list(SHOWN)
    assert set(rows) <= told


def test_the_gallery_shows_four_failures_and_each_picture_has_words():
    """Every case that is drawn stands on the page, and no picture of a failure lies beside it unexplained."""
    from benchmarks.make_gallery import CASES

    assert len(CASES) >= 4
    assert all(case.seed < 1000 for case in CASES), "tuning phantoms only"
    shown = re.findall(r"!\[([^\]]+)\]\(pictures/(failure_\w+)\.png\)\n\n(.+)", text_of("limits.md"))
    assert [name for _, name, _ in shown] == [case.name for case in CASES]
    assert all(alternative and "*" in words for alternative, _, words in shown)
    assert {path.stem for path in (DOCS / "pictures").glob("failure_*.png")} == {case.name for case in CASES}
