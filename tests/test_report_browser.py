"""The pages in a real browser: they run, they fit, they export what a reader marked, they ask the network for nothing."""

from __future__ import annotations

import csv
import html as entities
import io
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import fake_results as fake
import numpy as np
import pytest
from conftest import ROOT
from PIL import Image as Picture

from lfja_mri import report
from lfja_mri.grading import explain, judge, load_rules
from lfja_mri.model import Level, Side, StudyResult

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ABOUT = report.About("0.1.0", "S01", "baseline", "czervionke_fenton", "abc123")
SECONDS = 90

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine"),
]


def browse(page: Path, *options: str) -> str:
    command = [
        str(BROWSER),
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--disable-background-networking",
        "--hide-scrollbars",
        "--virtual-time-budget=2000",
        f"--user-data-dir={page.parent / 'profile'}",
        *options,
        page.as_uri(),
    ]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=True,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )
    return done.stdout


def explained(study: StudyResult) -> dict[tuple[Level, Side], str]:
    """What the packaged rules say of each joint, as long as it is; of joints without measurements nothing."""
    rules = load_rules()
    judged = (
        replace(one, outcome=judge(one.measurements, rules)) for one in study.joints if one.measurements
    )
    return {(joint.level, joint.side): explain(joint, rules) for joint in judged}


def all_pages() -> dict[str, str]:
    study, later = fake.study_result(), fake.follow_up()
    rows = fake.grade_table(study, "S01", "baseline") + fake.grade_table(later, "S01", "12 months")
    changes = fake.change_table()
    return {
        "study": report.study_page(study, about=ABOUT, explanations=explained(study)),
        "comparison": report.comparison_page(changes, about=ABOUT, studies=(study, later)),
        "cohort": report.cohort_page(rows, changes, [], about=ABOUT),
        "index": report.index_page(rows, about=ABOUT, links={}),
    }


PROBE = """<script>
addEventListener('error', event => { document.body.dataset.error = event.message; });
{action}
document.body.dataset.overflow = document.documentElement.scrollWidth - innerWidth;
document.body.dataset.requests = performance.getEntriesByType('resource').filter(e => !e.name.startsWith('data:')).length;
</script></body>"""


PHONE_WIDTH = 375
PHONE = """<!doctype html><body><script>
addEventListener('message', event => {{ document.body.dataset.overflow = event.data; }});
</script><iframe src="{name}" style="width:{width}px;height:800px;border:0"></iframe></body>"""
TELL = """
const cut = [...document.querySelectorAll('caption, figcaption, h1, h2, h3, p')].filter(c => c.getBoundingClientRect().right > innerWidth);
const broken = [...document.querySelectorAll('th a')].filter(a => a.getClientRects().length > 1);
parent.postMessage(document.documentElement.scrollWidth - innerWidth + cut.length + broken.length, '*');
"""


def probed(html: str, action: str = "") -> str:
    return html.replace("</body>", PROBE.replace("{action}", action))


@pytest.mark.parametrize("width", [500, 1280])
@pytest.mark.parametrize("name", ["study", "comparison", "cohort", "index"])
def test_each_page_is_drawn_fits_and_fetches_nothing(tmp_path, name, width):
    page = tmp_path / f"{name}.html"
    page.write_text(probed(all_pages()[name]), encoding="utf-8")
    shot = tmp_path / "shot.png"
    dom = browse(page, f"--window-size={width},900", f"--screenshot={shot}", "--dump-dom")
    dom = dom or browse(page, f"--window-size={width},900", "--dump-dom")
    assert 'data-overflow="0"' in dom
    assert 'data-requests="0"' in dom
    assert "data-error" not in dom
    with Picture.open(shot) as picture:
        pixels = np.asarray(picture.convert("L"))
    assert pixels.shape[1] == width
    assert pixels.std() > 10


@pytest.mark.parametrize("name", ["study", "comparison", "cohort", "index"])
def test_each_page_fits_a_phone(tmp_path, name):
    """No words end beyond the screen, no name of a joint is broken; wide tables and plots scroll by themselves.

    Chromium makes no window narrower than 500 pixels, so the page stands in a frame of a phone's width.
    """
    (tmp_path / f"{name}.html").write_text(probed(all_pages()[name], TELL), encoding="utf-8")
    wrapper = tmp_path / "phone.html"
    wrapper.write_text(PHONE.format(name=f"{name}.html", width=PHONE_WIDTH), encoding="utf-8")
    assert 'data-overflow="0"' in browse(wrapper, "--dump-dom")


def test_the_keyboard_reaches_every_control_in_reading_order(tmp_path):
    """No control is taken out of the tab order or put before its turn, and each has a name to be read aloud."""
    action = """
const controls = [...document.querySelectorAll('a[href], input, select, button, summary')];
document.body.dataset.jumps = controls.filter(c => c.tabIndex !== 0).length;
document.body.dataset.nameless = controls.filter(c => !(c.labels?.length || c.ariaLabel || c.textContent.trim())).length;
document.body.dataset.controls = controls.length;
"""
    for name, html in all_pages().items():
        page = tmp_path / f"{name}.html"
        page.write_text(probed(html, action), encoding="utf-8")
        dom = browse(page, "--dump-dom")
        assert 'data-jumps="0"' in dom, name
        assert 'data-nameless="0"' in dom, name
        assert 'data-controls="0"' not in dom, name


def test_words_stand_out_from_what_is_behind_them(tmp_path):
    """Contrast of every text against its background: at least 4.5 to 1 (WCAG AA), drawings aside."""
    action = """
const rgb = text => (text.match(/[0-9.]+/g) || []).map(Number);
const light = c => c.slice(0, 3).map(v => v / 255).map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
  .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
const behind = node => { for (; node; node = node.parentElement) {
  const c = rgb(getComputedStyle(node).backgroundColor); if (c.length === 3 || c[3] > 0) return c; } return [255, 255, 255]; };
let worst = 21, where = '';
document.querySelectorAll('body *').forEach(node => {
  if (node.closest('svg, script, style') || ![...node.childNodes].some(n => n.nodeType === 3 && n.textContent.trim())) return;
  const [a, b] = [light(rgb(getComputedStyle(node).color)), light(behind(node))].sort((x, y) => y - x);
  const ratio = (a + 0.05) / (b + 0.05);
  if (ratio < worst) { worst = ratio; where = node.tagName + '.' + node.className; }
});
document.body.dataset.contrast = worst.toFixed(2) + ' ' + where;
"""
    for name, html in all_pages().items():
        page = tmp_path / f"{name}.html"
        page.write_text(probed(html, action), encoding="utf-8")
        found = re.search(r'data-contrast="([0-9.]+) ([^"]*)"', browse(page, "--dump-dom"))
        assert found is not None
        assert float(found[1]) >= 4.5, f"{name}: {found[0]}"


def test_pages_print_on_paper(tmp_path):
    """A PDF comes out, controls left out, of a sensible number of sheets."""
    for name, html in all_pages().items():
        page, pdf = tmp_path / f"{name}.html", tmp_path / f"{name}.pdf"
        page.write_text(html, encoding="utf-8")
        browse(page, f"--print-to-pdf={pdf}", "--no-pdf-header-footer")
        sheets = len(re.findall(rb"/Type\s*/Page[^s]", pdf.read_bytes()))
        assert 1 <= sheets <= 14, name


def test_screenshots_of_the_pages_are_kept_to_be_looked_at(tmp_path):
    """build/screenshots holds each page as a browser draws it; a blank or broken one fails."""
    kept = ROOT / "build" / "screenshots"
    kept.mkdir(parents=True, exist_ok=True)
    for name, html in all_pages().items():
        page = tmp_path / f"{name}.html"
        page.write_text(html, encoding="utf-8")
        browse(page, "--window-size=1280,2400", f"--screenshot={kept / f'{name}.png'}")
        with Picture.open(kept / f"{name}.png") as picture:
            pixels = np.asarray(picture.convert("L"))
        assert pixels.shape[1] == 1280
        assert len(np.unique(pixels)) > 50


def told_of(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_marks_go_from_the_page_into_the_grades_and_into_agreement(tmp_path):
    """End to end on the sample case: grade, mark in the browser, grade with the marks, compare with the reader."""
    tool = [sys.executable, "-m", "lfja_mri"]
    grade = [
        *tool,
        "grade",
        str(ROOT / "sample_data" / "baseline"),
        "--out",
        str(tmp_path / "out"),
        "--quiet",
        "--jobs",
        "1",
    ]
    told_of(grade)
    report_page = next((tmp_path / "out" / "studies").glob("*/report.html"))
    action = """
document.querySelectorAll('.joint').forEach(joint => { joint.querySelector('[value=agree]').checked = true; });
const first = document.getElementById('L1-L2-left');
first.querySelector('select').value = '3';
first.querySelector('select').dispatchEvent(new Event('change'));
first.querySelector('.reason').value = 'bright rim';
document.getElementById('L1-L2-right').querySelector('[value=exclude]').checked = true;
document.body.dataset.csv = marksCsv();
"""
    page = tmp_path / "marked.html"
    page.write_text(probed(report_page.read_text(encoding="utf-8"), action), encoding="utf-8")
    found = re.search(r'data-csv="([^"]*)"', browse(page, "--dump-dom"))
    assert found is not None
    marks = tmp_path / "marks.csv"
    marks.write_text(entities.unescape(found[1]), encoding="utf-8")
    told_of([*grade, "--overrides", str(marks)])
    rows = {(r["level"], r["side"]): r for r in fake.read_rows(tmp_path / "out" / "grades.csv")}
    given = rows["L1-L2", "left"]
    assert (given["grade"], given["rule"]) == ("3", "reader")
    assert "graded_by_reader" in given["flags"]
    assert rows["L1-L2", "right"]["reason"] == "excluded_by_reader"
    assert all(
        "reader_agrees" in rows[key]["flags"] for key in rows if key[0] != "L1-L2" and rows[key]["grade"]
    )
    agree = [*tool, "agree", str(tmp_path / "out" / "grades.csv"), str(marks), "--json"]
    told = json.loads(told_of(agree))
    assert (
        np.trace(told["confusion"])
        == np.sum(told["confusion"])
        == sum(bool(r["grade"]) for r in rows.values())
    )


def test_marks_come_out_as_csv(tmp_path):
    """Agree carries the tool's grade, another grade the reader's; commas, quotes and formulas in reasons are safe."""
    action = """
const mark = (joint, value, grade, reason) => {
  const article = document.getElementById(joint);
  article.querySelector(`[value=${value}]`).checked = true;
  article.querySelector('select').value = grade;
  article.querySelector('.reason').value = reason;
};
mark('L4-L5-left', 'agree', '', '');
mark('L3-L4-right', 'other_grade', '2', 'fluid, "bright" rim');
mark('L2-L3-left', 'exclude', '', '=1+1');
document.getElementById('reader').value = 'R1';
document.body.dataset.csv = marksCsv();
"""
    page = tmp_path / "study.html"
    html = probed(report.study_page(fake.study_result(), about=ABOUT, explanations={}), action)
    page.write_text(html, encoding="utf-8")
    found = re.search(r'data-csv="([^"]*)"', browse(page, "--dump-dom"))
    assert found is not None
    rows = list(csv.DictReader(io.StringIO(entities.unescape(found[1]))))
    assert [(r["level"], r["side"], r["mark"], r["grade"], r["reason"]) for r in rows] == [
        ("L2-L3", "left", "exclude", "", "'=1+1"),
        ("L3-L4", "right", "other_grade", "2", 'fluid, "bright" rim'),
        ("L4-L5", "left", "agree", "4", ""),
    ]
    assert {(r["subject"], r["visit"], r["study_key"], r["reader"]) for r in rows} == {
        ("S01", "baseline", fake.study_result().study_key, "R1")
    }


def test_outlines_can_be_hidden(tmp_path):
    action = """
const box = document.getElementById('o-L4-L5-left');
const outline = document.querySelector('#L4-L5-left .outlines');
const before = getComputedStyle(outline).display;
box.checked = false;
document.body.dataset.shown = before + ' ' + getComputedStyle(outline).display;
"""
    page = tmp_path / "study.html"
    html = probed(report.study_page(fake.study_result(), about=ABOUT, explanations={}), action)
    page.write_text(html, encoding="utf-8")
    assert 'data-shown="inline none"' in browse(page, "--dump-dom")


def test_the_slider_cuts_the_follow_up(tmp_path):
    action = """
document.getElementById('overlay').click();
const slide = document.querySelector('.slide input');
slide.value = 30;
slide.dispatchEvent(new Event('input'));
document.body.dataset.clip = getComputedStyle(document.querySelector('.later')).clipPath;
"""
    page = tmp_path / "comparison.html"
    studies = fake.study_result(), fake.follow_up()
    html = report.comparison_page(fake.change_table(), about=ABOUT, studies=studies)
    page.write_text(probed(html, action), encoding="utf-8")
    assert 'data-clip="inset(0px 0px 0px 30%)"' in browse(page, "--dump-dom")
