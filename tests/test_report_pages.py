from __future__ import annotations

import re
from functools import cache
from html.parser import HTMLParser

import fake_results as fake
import pytest

from lfja_mri.model import Level, Side
from lfja_mri.report import pages

ABOUT = pages.About("0.1.0", "S01", "baseline", "czervionke_fenton", "abc123")
VOID = {"meta", "link", "input", "br", "img", "hr"}


class Outline(HTMLParser):
    """Collects elements, and checks that tags close in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)

    def of(self, *tags: str) -> list[dict[str, str]]:
        return [attributes for tag, attributes in self.elements if tag in tags]


@cache
def study_html() -> str:
    explanations = {
        (Level.L4_L5, Side.LEFT): "L4-L5 left: grade 4\n    perimeter fraction at least 0.5: 0.88, met"
    }
    return pages.study_page(fake.study_result(), about=ABOUT, explanations=explanations)


def check_page(html: str) -> Outline:
    """What must hold of every page."""
    outline = Outline(html)
    assert outline.open == []
    assert ("html", {"lang": "en"}) in outline.elements
    text = "".join(outline.text)
    assert "Research software, not a medical device" in text
    for name in ("src", "href"):
        for _, attributes in outline.elements:
            assert not attributes.get(name, "").startswith(("http", "//", "/"))
    assert not re.search(r"@import|url\(|\bfetch\(|XMLHttpRequest", html)
    ids = [attributes["id"] for _, attributes in outline.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for attributes in outline.of("a"):
        if attributes["href"].startswith("#"):
            assert attributes["href"][1:] in ids
    assert all(attributes.get("alt") for attributes in outline.of("img"))
    assert all("aria-label" in a for a in outline.of("svg"))
    assert len(outline.of("h1")) == 1
    return outline


def test_the_study_page_stands_alone_and_is_well_formed():
    outline = check_page(study_html())
    assert len(outline.of("article")) == 10
    assert len(study_html().encode()) < 3_000_000


def test_same_study_same_page():
    again = pages.study_page(fake.study_result(), about=ABOUT, explanations={})
    assert again == pages.study_page(fake.study_result(), about=ABOUT, explanations={})


def test_each_joint_says_its_grade_its_reason_and_its_numbers():
    html = study_html()
    section = html[html.index('id="L4-L5-left"') : html.index('id="L4-L5-right"')]
    assert "grade 4" in section
    assert "perimeter fraction at least 0.5: 0.88, met" in section
    assert "thick slices" in section
    assert section.count("<svg") == 2
    absent = html[html.index('id="L5-S1-right"') :]
    assert "not graded: joint not found" in absent
    assert "No picture" in absent


def test_missing_measures_say_why():
    html = study_html()
    section = html[html.index('id="L2-L3-right"') : html.index('id="L3-L4-left"')]
    assert "nan" not in section.lower().replace("resonance", "")
    assert "reference tissue not found" in html


def test_series_used_and_left_out_are_listed():
    html = study_html()
    assert "sagittal stir" in html
    assert "three planes 20 mm apart" in html
    assert "too few slices" in html


def test_words_from_outside_cannot_become_markup():
    about = pages.About("0.1.0", '<script>alert("x")</script>', "</script><b>")
    html = pages.study_page(fake.study_result(), about=about, explanations={})
    assert "<script>alert" not in html
    assert "</script><b>" not in html
    check_page(html)


def test_a_study_without_levels_has_a_page_too():
    html = pages.study_page(fake.without_levels(fake.study_result()), about=ABOUT, explanations={})
    check_page(html)
    assert "levels not found" in html


@pytest.mark.parametrize("side", list(Side))
def test_the_front_map_puts_the_patients_right_on_the_viewers_left(side):
    html = study_html()
    pattern = rf'href="#L3-L4-{side.value}"><title>[^<]*</title>\s*<circle cx="([\d.]+)"'
    found = re.search(pattern, html)
    assert found is not None
    width = re.search(r'class="front" viewBox="0 0 ([\d.]+)', html)
    assert width is not None
    on_the_left = float(found[1]) < float(width[1]) / 2
    assert on_the_left == (side is Side.RIGHT)
