"""Pages over many studies: the index of a run, and the cohort of a trial."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lfja_mri.model import Level
from lfja_mri.names import names_to_check
from lfja_mri.report import render
from lfja_mri.report.comparison import verdict_of
from lfja_mri.report.grey import data_uri
from lfja_mri.report.render import About, Row

ACTIVE_GRADE = 2
_SIDES = ("right", "left")
_LEVEL_ORDER = [level.value for level in Level]


@dataclass(frozen=True)
class StudyLine:
    """One study in a list of many."""

    study_key: str
    subject: str
    visit: str
    href: str
    cells: Mapping[tuple[str, str], Row]

    @property
    def graded(self) -> int:
        """Return how many joints have a grade."""
        return sum(row["status"] == "graded" for row in self.cells.values())

    @property
    def grades(self) -> list[int]:
        """Return the grades that there are."""
        return [int(row["grade"]) for row in self.cells.values() if row["grade"].isdigit()]

    @property
    def doubts(self) -> tuple[str, ...]:
        """Return the flags that make a reader check the names of this study's levels."""
        return names_to_check(row["flags"] for row in self.cells.values())

    @property
    def worst(self) -> str:
        """Return the highest grade as a cell."""
        return str(max(self.grades)) if self.grades else ""

    @property
    def active(self) -> int:
        """Return how many joints show synovitis outside the joint: grade 2 or more."""
        return sum(grade >= ACTIVE_GRADE for grade in self.grades)


def study_lines(grade_rows: Sequence[Row], links: Mapping[str, str]) -> tuple[StudyLine, ...]:
    """Gather rows of `grades.csv` by study, in the order of the table; `links` maps a study key to its page."""
    studies: dict[tuple[str, str, str], dict[tuple[str, str], Row]] = {}
    for row in grade_rows:
        identity = (row["study_key"], row["subject"], row["visit"])
        studies.setdefault(identity, {})[row["level"], row["side"]] = row
    return tuple(
        StudyLine(key, subject, visit, links.get(key, ""), cells)
        for (key, subject, visit), cells in studies.items()
    )


def index_page(
    grade_rows: Sequence[Row],
    *,
    about: About,
    links: Mapping[str, str],
    failures: Sequence[tuple[str, str]] = (),
    further: Sequence[tuple[str, str]] = (),
) -> str:
    """Return the first page of a run: every study with its joints, what failed, and where the files lie.

    Parameters
    ----------
    grade_rows
        Rows of `grades.csv`, cells as text.
    about
        Version, scale and rules.
    links
        Study key to the study's page, relative to this one.
    failures
        (where, why) of studies that could not be graded at all.
    further
        (words, link) of other pages and tables of the run.
    """
    lines = study_lines(grade_rows, links)
    return render.render(
        "index.html.j2",
        title="Graded studies",
        tool_version=about.tool_version,
        meanings=about.meanings,
        facts=(
            ("studies", str(len(lines))),
            ("joints graded", f"{sum(line.graded for line in lines)} of {len(grade_rows)}"),
            ("scale", about.scale_name),
            ("rules", about.rules_digest),
        ),
        lines=lines,
        places=_places(grade_rows),
        failures=failures,
        further=further,
    )


def cohort_page(
    grade_rows: Sequence[Row],
    change_rows: Sequence[Row],
    summary_rows: Sequence[Row],
    *,
    about: About,
    plots: Mapping[str, bytes] | None = None,
    links: Mapping[str, str] | None = None,
    comparisons: Mapping[tuple[str, str], str] | None = None,
) -> str:
    """Return the page of a trial.

    Parameters
    ----------
    grade_rows, change_rows, summary_rows
        Rows of `grades.csv`, `change.csv` and `summary.csv`, cells as text.
    about
        Version, scale and rules.
    plots
        Caption to PNG bytes.
    links
        Study key to the study's page, relative to this one.
    comparisons
        (subject, follow-up visit) to the page of that pair of visits.
    """
    order = [row["visit"] for row in summary_rows]
    lines = sorted(
        study_lines(grade_rows, links or {}),
        key=lambda line: (line.subject, order.index(line.visit) if line.visit in order else len(order)),
    )
    counts = Counter(verdict_of(row) for row in change_rows)
    return render.render(
        "cohort.html.j2",
        title="Cohort of lumbar facet joints",
        tool_version=about.tool_version,
        meanings=about.meanings,
        facts=(
            ("subjects", str(len({line.subject for line in lines}))),
            ("visits", str(len(lines))),
            ("joint comparisons", str(len(change_rows))),
            *((render.words(change), str(count)) for change, count in sorted(counts.items())),
            ("scale", about.scale_name),
            ("rules", about.rules_digest),
        ),
        lines=lines,
        places=_places(grade_rows),
        visits=order,
        summary=summary_lines(summary_rows),
        moved=[row for row in change_rows if verdict_of(row) in {"improved", "worsened"}],
        comparisons=comparisons or {},
        plots=[(caption, data_uri(content)) for caption, content in (plots or {}).items()],
    )


def summary_lines(summary_rows: Sequence[Row]) -> list[tuple[str, list[str]]]:
    """Return `summary.csv` turned for reading: a line per figure, a cell per visit, intervals beside their means."""
    columns = list(summary_rows[0]) if summary_rows else []
    shown = [name for name in columns if name != "visit" and not name.endswith(("_low", "_high"))]
    return [(render.words(name), [_summary_cell(row, name) for row in summary_rows]) for name in shown]


def _summary_cell(row: Row, name: str) -> str:
    low, high = row.get(f"{name}_low", ""), row.get(f"{name}_high", "")
    value = row[name].replace(";", ", ")
    return f"{value} ({low} to {high})" if low and high else value


def _places(grade_rows: Sequence[Row]) -> list[tuple[str, str]]:
    """Return (level, side) of every column, the patient's right before the left."""
    levels = sorted({row["level"] for row in grade_rows}, key=_LEVEL_ORDER.index)
    return [(level, side) for level in levels for side in _SIDES]
