"""Every page of an archive, made without images: the studies' own where they are absent, the trial's, the visits side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from lfja_mri.batch.folder import STUDIES, read_record
from lfja_mri.batch.pages import about_of, archived_grades, write_index
from lfja_mri.batch.record import seal
from lfja_mri.outputs import PAGE
from lfja_mri.report import (
    StoredPair,
    StoredStudy,
    cohort_page,
    comparison_page,
    stored_study_page,
)
from lfja_mri.tables import read_csv, write_text

COMPARISONS = "comparisons"
PLOTS = {
    "Grades of every joint over the visits": "grades.png",
    "Change since the first visit, with the band of measurement error": "change.png",
}
Row = Mapping[str, str]


def write_pages(archive: Path) -> tuple[Path, ...]:
    """Write the pages of an archive from its tables and stored pictures.

    A study's page that was written when it was graded stays: it holds the slices themselves.

    Returns
    -------
    The pages written; the first is `index.html`.

    Raises
    ------
    InputError
        The folder holds no `grades.csv`.
    """
    rows = archived_grades(archive)
    studies = [*_write_studies(archive, rows)]
    trial = [*_write_trial(archive, rows)]
    return (write_index(archive), *trial, *studies)


def _write_studies(archive: Path, rows: Sequence[Row]) -> Iterator[Path]:
    for key in dict.fromkeys(row["study_key"] for row in rows):
        folder = archive / STUDIES / key
        page = folder / PAGE
        if folder.is_dir() and not page.is_file():
            study = stored_study(folder, [row for row in rows if row["study_key"] == key])
            write_text(page, stored_study_page(study, about=about_of(rows)))
            yield page


def stored_study(folder: Path, rows: Sequence[Row]) -> StoredStudy:
    """Return what an archive keeps of one study; what is absent is left out."""
    record = read_record(folder) or {}
    return StoredStudy(
        rows,
        _explanations(folder / "explanations.txt"),
        _pictures(folder, rows),
        record.get("series", ()),
        record.get("rejections", ()),
    )


def _explanations(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    return {text.partition(":")[0]: text for text in path.read_text(encoding="utf-8").split("\n\n")}


def _pictures(folder: Path, rows: Sequence[Row]) -> dict[str, bytes]:
    files = {
        f"{row['level']} {row['side']}": folder / "pictures" / f"{row['level']}_{row['side']}.png"
        for row in rows
    }
    files["overview"] = folder / "overview.png"
    return {name: path.read_bytes() for name, path in files.items() if path.is_file()}


def _write_trial(archive: Path, rows: Sequence[Row]) -> Iterator[Path]:
    if not (archive / "change.csv").is_file() or not (archive / "summary.csv").is_file():
        return
    changes = read_csv(archive / "change.csv")
    pages = {row["study_key"]: f"{STUDIES}/{row['study_key']}/{PAGE}" for row in rows}
    page = cohort_page(
        rows,
        changes,
        read_csv(archive / "summary.csv"),
        about=about_of(rows),
        plots={
            words: path.read_bytes() for words, name in PLOTS.items() if (path := archive / name).is_file()
        },
        links={key: link for key, link in pages.items() if (archive / link).is_file()},
        comparisons=comparison_links(changes, rows),
    )
    write_text(archive / "cohort.html", page)
    seal(archive, ("cohort.html",))
    yield archive / "cohort.html"
    yield from write_comparisons(archive, rows, changes)


def comparison_links(changes: Sequence[Row], rows: Sequence[Row]) -> dict[tuple[str, str], str]:
    """Return the page of each pair of visits by (subject, follow-up visit)."""
    keys = {(row["subject"], row["visit"]): row["study_key"] for row in rows}
    pairs = dict.fromkeys((row["subject"], row["follow_up_visit"]) for row in changes)
    return {pair: f"{COMPARISONS}/{keys[pair]}.html" for pair in pairs if pair in keys}


def write_comparisons(archive: Path, rows: Sequence[Row], changes: Sequence[Row]) -> Iterator[Path]:
    """Write a page for every pair of visits of a trial, from the stored pictures of both."""
    keys = {(row["subject"], row["visit"]): row["study_key"] for row in rows}
    for pair, link in comparison_links(changes, rows).items():
        own = [row for row in changes if (row["subject"], row["follow_up_visit"]) == pair]
        earlier = keys.get((pair[0], own[0]["baseline_visit"]), "")
        stored = stored_pairs(archive / STUDIES / earlier, archive / STUDIES / keys[pair], own)
        write_text(archive / link, comparison_page(own, about=about_of(rows), stored=stored))
        yield archive / link


def stored_pairs(earlier: Path, later: Path, rows: Sequence[Row]) -> dict[str, StoredPair]:
    """Return both visits' stored pictures of each joint that has both."""
    first, second = _pictures(earlier, rows), _pictures(later, rows)
    names = [f"{row['level']} {row['side']}" for row in rows]
    return {name: StoredPair(first[name], second[name]) for name in names if name in first and name in second}


def stored_visits(earlier: Path, later: Path, rows: Sequence[Row]) -> dict[str, StoredPair]:
    """Return stored pictures where both sides of a comparison are graded folders of one study; nothing otherwise."""
    folders = [sorted((side / STUDIES).glob("[!.]*")) for side in (earlier, later)]
    if any(len(found) != 1 for found in folders):
        return {}
    return stored_pairs(folders[0][0], folders[1][0], rows)
