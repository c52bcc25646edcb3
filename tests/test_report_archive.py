"""Pages made from an archive without images: all of them, self-contained, small, and with their pictures."""

from __future__ import annotations

import json
import shutil

import fake_results as fake
import pytest
from test_report_pages import check_page

from lfja_mri.batch import archive_pages
from lfja_mri.batch.dates import VISITS_COLUMNS
from lfja_mri.change import CHANGE_COLUMNS
from lfja_mri.change.cohort import SUMMARY_COLUMNS
from lfja_mri.report.figures import joint_picture
from lfja_mri.results import GRADES_COLUMNS
from lfja_mri.tables import read_csv, to_csv, write_bytes, write_text

VISITS = {"5f0c1e7a9b": "baseline", "77aa01c2d3": "12 months"}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A trial's archive of two visits as `cohort --no-report` leaves it."""
    out = tmp_path_factory.mktemp("archive")
    tables = {}
    picture = joint_picture(fake.study_result().joints[6], fake.study_result().images)
    for result in (fake.study_result(), fake.follow_up()):
        key = result.study_key
        tables[key] = fake.grade_table(result, "S01", VISITS[key])
        folder = out / "studies" / key
        write_text(
            folder / "explanations.txt", "L4-L5 left: grade 4, because ...\n  grade 4 (G4-extension)\n"
        )
        write_bytes(folder / "pictures" / "L4-L5_left.png", picture)
        write_text(folder / "run.json", json.dumps({"outputs": {}, "rejections": []}))
    write_text(out / "grades.csv", to_csv(GRADES_COLUMNS, [row for rows in tables.values() for row in rows]))
    write_text(out / "change.csv", to_csv(CHANGE_COLUMNS, fake.change_table()))
    summary = [{"visit": "baseline", "subjects": 1}, {"visit": "12 months", "subjects": 1, "improved": 1}]
    write_text(out / "summary.csv", to_csv(SUMMARY_COLUMNS, summary))
    return out


@pytest.fixture
def archive(made, tmp_path):
    return shutil.copytree(made, tmp_path / "archive")


def test_every_page_is_written_and_stands_alone(archive):
    written = {str(path.relative_to(archive)) for path in archive_pages.write_pages(archive)}
    assert written == {
        "index.html",
        "cohort.html",
        "comparisons/77aa01c2d3.html",
        "studies/5f0c1e7a9b/report.html",
        "studies/77aa01c2d3/report.html",
    }
    for name in written:
        html = (archive / name).read_text(encoding="utf-8")
        assert len(html.encode()) < 3_000_000
        page = check_page(html)
        for attributes in page.of("a"):
            target = attributes["href"]
            assert target.startswith("#") or (archive / name).parent.joinpath(target).exists(), target
    study = (archive / "studies/5f0c1e7a9b/report.html").read_text(encoding="utf-8")
    assert "← decides" in study
    assert study.count("data:image/png") == 1
    pair = (archive / "comparisons/77aa01c2d3.html").read_text(encoding="utf-8")
    assert pair.count("data:image/png") == 2


def test_a_stored_page_says_which_names_are_in_doubt(archive):
    rows = read_csv(archive / "grades.csv")
    doubted = [row | {"flags": "series_disagree"} if row["visit"] == "baseline" else row for row in rows]
    write_text(archive / "grades.csv", to_csv(GRADES_COLUMNS, doubted))
    archive_pages.write_pages(archive)
    told = {
        visit: "Check the names of the levels first"
        in (archive / "studies" / key / "report.html").read_text(encoding="utf-8")
        for key, visit in VISITS.items()
    }
    assert told == {visit: visit == "baseline" for visit in VISITS.values()}


def test_the_same_archive_gives_the_same_pages_and_older_pages_stay(archive):
    first = {path: path.read_bytes() for path in archive_pages.write_pages(archive)}
    mine = archive / "studies/5f0c1e7a9b/report.html"
    mine.write_text("<p>with slices</p>", encoding="utf-8")
    again = archive_pages.write_pages(archive)
    assert mine.read_text(encoding="utf-8") == "<p>with slices</p>"
    assert mine not in again
    assert all(path.read_bytes() == first[path] for path in again)


def test_the_trial_shows_visits_in_their_order(archive):
    archive_pages.write_pages(archive)
    html = (archive / "cohort.html").read_text(encoding="utf-8")
    grades = html[html.index('id="grades"') :]
    assert grades.index("<td>baseline</td>") < grades.index("<td>12 months</td>")


def visits_listed(archive):
    """The visits of the index, in its order."""
    archive_pages.write_pages(archive)
    html = (archive / "index.html").read_text(encoding="utf-8")
    lines = html[html.index('id="studies"') :].split('<tr class="line"')[1:]
    assert len(lines) == 2
    return [next(word for word in SHOWN if f">{word}<" in line) for line in lines]


SHOWN = ("baseline", "12 months", "day 0", "day 371")


def test_the_index_lists_visits_in_the_order_of_the_trial_and_not_of_their_names(archive):
    rows = read_csv(archive / "grades.csv")
    by_name = sorted(rows, key=lambda row: row["visit"])
    assert by_name[0]["visit"] == "12 months"
    write_text(archive / "grades.csv", to_csv(GRADES_COLUMNS, by_name))
    assert visits_listed(archive) == ["baseline", "12 months"]


def test_the_index_lists_unnamed_visits_by_their_days(archive):
    rows = [row | {"visit": ""} for row in read_csv(archive / "grades.csv")]
    write_text(archive / "grades.csv", to_csv(GRADES_COLUMNS, rows))
    for name in ("summary.csv", "change.csv"):
        (archive / name).unlink()
    for first, later in (list(VISITS), list(VISITS)[::-1]):
        days = ((first, 0), (later, 371))
        table = [{"subject": "S01", "study_key": key, "days_since_baseline": day} for key, day in days]
        write_text(archive / "visits.csv", to_csv(VISITS_COLUMNS, table))
        assert visits_listed(archive) == ["day 0", "day 371"]
        html = (archive / "index.html").read_text(encoding="utf-8")
        assert html.index(f"studies/{first}") < html.index(f"studies/{later}")


def test_ten_stored_pictures_of_two_visits_fit_a_page(archive):
    """Real pictures are about 0.3 MB each: twenty of them must still fit."""
    picture = (archive / "studies/5f0c1e7a9b/pictures/L4-L5_left.png").read_bytes()
    from lfja_mri.report.stored import small_picture

    assert 20 * len(small_picture(picture)) < 2_800_000
