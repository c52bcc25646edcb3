from __future__ import annotations

import dataclasses
import re
from functools import cache
from html.parser import HTMLParser

import fake_results as fake
import numpy as np
import pytest

from lfja_mri import report
from lfja_mri.model import Level, Plane, Side
from lfja_mri.report import grey, palette, views
from lfja_mri.report.comparison import ChangeCard
from lfja_mri.report.glossary import FLAG_WORDS
from lfja_mri.report.pages import explanation_lines

ABOUT = report.About("0.1.0", "S01", "baseline", "czervionke_fenton", "abc123")
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
    return report.study_page(fake.study_result(), about=ABOUT, explanations=explanations)


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
    study = fake.study_result()
    few = dataclasses.replace(study, joints=study.joints[5:7])
    first, second = (report.study_page(few, about=ABOUT, explanations={}) for _ in range(2))
    assert first == second


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
    assert "sagittal STIR" in html
    assert "three planes 20 mm apart" in html
    assert "fewer planes than a volume needs" in html


def test_words_from_outside_cannot_become_markup():
    about = report.About("0.1.0", '<script>alert("x")</script>', "</script><b>")
    blind = dataclasses.replace(fake.study_result(), images=())
    html = report.study_page(blind, about=about, explanations={})
    assert "<script>alert" not in html
    assert "</script><b>" not in html
    check_page(html)


def test_the_page_says_how_sure_the_levels_are():
    study = fake.study_result()
    first, *others = study.level_map.discs
    doubted = dataclasses.replace(
        study.level_map, discs=(dataclasses.replace(first, confidence=0.5), *others)
    )
    pages = (
        "".join(Outline(report.study_page(one, about=ABOUT, explanations={})).text)
        for one in (study, dataclasses.replace(study, level_map=doubted))
    )
    assert [re.search(r"level confidence: ([\d.]+(?: to [\d.]+)?)", page)[1] for page in pages] == [
        "0.93",
        "0.50 to 0.93",
    ]


@pytest.mark.parametrize(("confidence", "words"), [(0.996, "0.99"), (0.89, "0.89"), (0.5, "0.50")])
def test_a_confidence_is_never_rounded_up_to_certainty(confidence, words):
    found = fake.study_result().level_map
    discs = tuple(dataclasses.replace(disc, confidence=confidence) for disc in found.discs)
    assert palette.level_confidence(dataclasses.replace(found, discs=discs)) == words


def test_doubts_about_the_names_come_before_any_grade():
    study = fake.study_result()
    doubted = dataclasses.replace(
        study, level_map=dataclasses.replace(study.level_map, flags=("ribs_disagree",))
    )
    quiet, warned = (report.study_page(one, about=ABOUT, explanations={}) for one in (study, doubted))
    check_page(warned)
    caution, meaning = "Check the names of the levels first", FLAG_WORDS["ribs_disagree"]
    assert caution not in quiet
    assert warned.index(caution) < warned.index(meaning) < warned.index('id="overview"')


def test_a_study_without_levels_has_a_page_too():
    html = report.study_page(fake.without_levels(fake.study_result()), about=ABOUT, explanations={})
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


@cache
def comparison_html() -> str:
    studies = fake.study_result(), fake.follow_up()
    return report.comparison_page(fake.change_table(), about=ABOUT, studies=studies)


@pytest.mark.parametrize("error_mm", ["", "0.212"])
def test_the_comparison_page_says_when_both_visits_were_measured_anew(error_mm):
    """A grade there can differ from the visit's own; who sees both must know why."""
    rows = [{**row, "registration_error_mm": error_mm} for row in fake.change_table()]
    html = report.comparison_page(rows, about=ABOUT)
    assert ("measured anew in common joint frames" in html) is bool(error_mm)


def test_the_cohort_page_says_why_grades_of_a_comparison_can_differ():
    rows = fake.grade_table(fake.study_result(), "S01", "baseline")
    summary = [{"visit": "baseline", "subjects": "1"}]
    html = report.cohort_page(rows, fake.change_table(), summary, about=ABOUT)
    assert "measured anew in common joint frames" in html


def test_the_comparison_page_shows_both_visits_of_every_joint():
    outline = check_page(comparison_html())
    assert len(outline.of("article")) == 10
    html = comparison_html()
    section = html[html.index('id="L4-L5-left"') : html.index('id="L4-L5-right"')]
    assert section.count('class="earlier"') == section.count('class="later"') == 2
    assert section.count('type="range"') == 2
    assert len(html.encode()) < 3_000_000


def test_a_joint_that_cannot_be_compared_says_why():
    html = comparison_html()
    section = html[html.index('<article class="joint" id="L1-L2-right"') :]
    section = section[: section.index("</article>")]
    assert "not comparable: not graded" in section


def test_measures_are_shown_with_the_digits_that_count_and_judged_with_all():
    """A hundredth of a millimetre and a cubic millimetre; a change that is just beyond noise stays so."""
    row = next(row for row in fake.change_table() if row["effusion_width_mm_sdc"])
    parts = ("baseline", "follow_up", "change", "sdc")
    cells = dict(
        zip(
            (f"effusion_width_mm_{part}" for part in parts),
            ("1.9", "1.4296", "-0.4704", "0.4699"),
            strict=True,
        )
    )
    cells |= dict(
        zip(
            (f"bone_oedema_volume_mm3_{part}" for part in parts),
            ("3.456", "3.2", "-0.256", "289.8"),
            strict=True,
        )
    )
    lines = {line[0]: line[1:] for line in ChangeCard({**row, **cells}, (), None).measures}
    assert lines["effusion_width_mm"] == ("1.90", "1.43", "-0.47", "0.47", "beyond noise")
    assert lines["bone_oedema_volume_mm3"] == ("3", "3", "0", "290", "within noise")


def test_stored_pictures_serve_where_there_are_no_pixels():
    picture = grey.gray_png(np.zeros((30, 40)))
    stored = {"L4-L5 left": report.StoredPair(picture, picture)}
    html = report.comparison_page(fake.change_table(), about=ABOUT, stored=stored)
    check_page(html)
    assert html.count("data:image/png") == 2


def test_one_window_serves_both_visits_where_the_reference_tissue_is_known():
    """A follow-up on a scanner with twice the signal looks the same."""
    first, second = fake.study_result(), fake.follow_up()
    joint, later = first.joints[2], second.joints[2]
    measured = later.measurements
    doubled = tuple(
        dataclasses.replace(
            image,
            volume=dataclasses.replace(image.volume, values_zyx=image.volume.values_zyx * 2),
        )
        for image in first.images
    )
    reference = {"csf": joint.measurements.reference["csf"] * 2}
    later = dataclasses.replace(later, measurements=dataclasses.replace(measured, reference=reference))
    pairs = views.pair_views(joint, first.images, later, doubled)
    by_plane = {pair.plane: pair for pair in pairs}
    assert by_plane[Plane.SAGITTAL].common_window
    assert not by_plane[Plane.AXIAL].common_window
    assert by_plane[Plane.SAGITTAL].earlier.pixels == by_plane[Plane.SAGITTAL].later.pixels


def test_the_index_lists_every_study_with_its_link_and_what_failed():
    rows = [
        row
        for number in range(30)
        for row in fake.grade_table(fake.study_result(f"{number:010x}"), f"S{number:02d}", "baseline")
    ]
    links = {f"{number:010x}": f"studies/{number:010x}/report.html" for number in range(30)}
    html = report.index_page(rows, about=ABOUT, links=links, failures=[("input 31", "no MR images")])
    outline = check_page(html)
    assert sum(a["href"].startswith("studies/") for a in outline.of("a")) == 30
    assert "no MR images" in html
    assert len(html.encode()) < 300_000


@pytest.mark.parametrize("doubt", ["ribs_disagree", "sacrum_not_in_view"])
def test_the_index_points_out_the_studies_whose_names_are_in_doubt(doubt):
    sure, doubted = (
        fake.grade_table(fake.study_result(key), subject, "baseline")
        for key, subject in (("a" * 10, "S01"), ("b" * 10, "S02"))
    )
    rows = [*sure, *(row | {"flags": f"{doubt};sagittal_only"} for row in doubted)]
    html = report.index_page(rows, about=ABOUT, links={})
    check_page(html)
    lines = html.split('<tr class="line">')[1:]
    assert ["check names" in line for line in lines] == [False, True]
    assert FLAG_WORDS[doubt] in lines[1]
    assert FLAG_WORDS["sagittal_only"] not in lines[1]


def test_the_cohort_page_shows_visits_plots_and_joints_that_moved():
    grades = [
        *fake.grade_table(fake.study_result(), "S01", "baseline"),
        *fake.grade_table(fake.follow_up(), "S01", "12 months"),
    ]
    changes = fake.change_table()
    moved = [dict(row, change="improved", status="comparable") for row in changes[6:7]]
    summary = [{"visit": "baseline", "subjects": "1", "mean_grade": ""}]
    html = report.cohort_page(
        grades, [*changes, *moved], summary, about=ABOUT, plots={"grade at each visit": b"\x89PNG"}
    )
    outline = check_page(html)
    assert len([a for a in outline.of("tr") if a.get("class") == "line"]) == 2
    assert "improved" in html
    assert 'alt="grade at each visit"' in html


def test_an_empty_run_still_has_its_pages():
    """They say that there is nothing: no line of a study, no joint, no picture."""
    for html in (
        report.index_page([], about=ABOUT, links={}),
        report.cohort_page([], [], [], about=ABOUT),
        report.comparison_page([], about=ABOUT),
    ):
        outline = check_page(html)
        assert not [a for a in outline.of("tr") if a.get("class") == "line"]
        assert outline.of("article") == outline.of("img") == []
        assert {"none", "no joints"} & {words.strip() for words in outline.text}


def test_the_rule_that_decided_is_marked_in_an_explanation():
    text = (
        "L4-L5 left: grade 3, because ...\n"
        "  grade 4 (G4-extension)\n"
        "    perimeter fraction at least 0.5: 0.88, met\n"
        "    extension targets at least 1: 0.00, not met\n"
        "  grade 3 (G3-majority-perimeter)\n"
        "    perimeter fraction at least 0.5: 0.88, met\n"
        "  measured on: sagittal_stir"
    )
    kinds = [line.kind for line in explanation_lines(text)]
    assert kinds == ["", "", "met", "unmet", "decided", "met", ""]
    refused = text.replace("grade 3, because", "not graded")
    assert "decided" not in {line.kind for line in explanation_lines(refused)}


def test_every_page_says_what_the_grades_mean():
    assert "around half of the joint or more" in study_html()
    own = dataclasses.replace(ABOUT, scale="my_scale")
    html = report.index_page([], about=own, links={})
    assert "What the grades mean" not in html
