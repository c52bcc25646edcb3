"""The pages in a real browser: they run, they fit, they export what a reader marked, they ask the network for nothing."""

from __future__ import annotations

import csv
import html as entities
import io
import os
import re
import shutil
import subprocess
from pathlib import Path

import fake_results as fake
import numpy as np
import pytest
from PIL import Image as Picture

from lfja_mri import report

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


def all_pages() -> dict[str, str]:
    study, later = fake.study_result(), fake.follow_up()
    rows = fake.grade_table(study, "S01", "baseline") + fake.grade_table(later, "S01", "12 months")
    changes = fake.change_table()
    return {
        "study": report.study_page(study, about=ABOUT, explanations={}),
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
