"""Tables and trees for a terminal; numbers come in as rows, words go out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.tree import Tree

from lfja_mri.errors import ExitCode
from lfja_mri.names import numbering_doubts
from lfja_mri.words import counted

if TYPE_CHECKING:
    from lfja_mri.batch.outcome import RunReport

GRADE_STYLES = {"0": "green", "1": "cyan", "2": "yellow", "3": "dark_orange", "4": "red"}
CHANGE_STYLES = {"improved": "green", "unchanged": "default", "worsened": "red"}

messages = Console(stderr=True, highlight=False, soft_wrap=True)


def grades_table(rows: Sequence[Mapping[str, str]], title: str) -> Table:
    """Lay out grades: a line per level, the patient's right before left as on an axial image."""
    table = Table(title=title, caption="R and L are the patient's. Research software, not a medical device.")
    for column in ("level", "R grade", "R measured", "L grade", "L measured"):
        table.add_column(column, overflow="fold")
    for level in dict.fromkeys(row["level"] for row in rows):
        sides = {row["side"]: row for row in rows if row["level"] == level}
        right, left = sides.get("right"), sides.get("left")
        table.add_row(level, _grade(right), _measured(right), _grade(left), _measured(left))
    return table


def run_summary(rows: Sequence[Mapping[str, str]], finished: int, failed: int) -> str:
    """Tell how many studies went through, how many of their joints have a grade, and why the others have none."""
    reasons = Counter(row["reason"] for row in rows if row["status"] != "graded")
    words = f"{counted(finished, 'study', 'studies')} finished, {failed} failed; "
    words += f"{len(rows) - reasons.total()} of {counted(len(rows), 'joint')} graded"
    told = ", ".join(f"{number} {reason}" for reason, number in sorted(reasons.items()))
    words += f" (not graded: {told})" if told else ""
    assumed = sum(row.get("numbering_basis") == "assumed" for row in rows)
    words += f"; level names assumed for {counted(assumed, 'joint')}" if assumed else ""
    return words + _names_to_check(rows)


def _names_to_check(rows: Sequence[Mapping[str, str]]) -> str:
    """Tell in how many studies the image casts doubt on the names of the levels, and by which flags."""
    doubted = [row for row in rows if numbering_doubts([row.get("flags", "")])]
    if not doubted:
        return ""
    studies = counted(len({row["study_key"] for row in doubted}), "study", "studies")
    return f"; check the level names of {studies} ({', '.join(numbering_doubts(row['flags'] for row in doubted))})"


def ending(run: RunReport, *, strict: bool) -> ExitCode:
    """Return the code a run ends with, and say what a strict one refuses."""
    code = run.exit_code(strict=strict)
    if code is ExitCode.CHECK_NOT_MET:
        messages.print(f"[yellow]--strict not met:[/] {run.doubts()}")
    return code


def changes_table(rows: Sequence[Mapping[str, str]]) -> Table:
    """Lay out changes: a line per joint."""
    table = Table(title="Change from baseline", caption="Research software, not a medical device.")
    for column in ("level", "side", "baseline", "follow-up", "change", "reason"):
        table.add_column(column)
    for row in rows:
        style = CHANGE_STYLES.get(row["change"], "dim")
        word = row["change"] or row["status"].replace("_", " ")
        table.add_row(
            row["level"], row["side"], row["baseline_grade"] or "-", row["follow_up_grade"] or "-",
            f"[{style}]{word}[/]", row["reason"],
        )  # fmt: skip
    return table


def plain_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """Lay out any rows of text."""
    table = Table(title=title)
    for column in columns:
        table.add_column(column.replace("_", " "), overflow="fold")  # a name breaks between its words
    for row in rows:
        table.add_row(*row)
    return table


def catalogue_tree(description: Mapping[str, Any]) -> Tree:
    """Lay out what an input holds: studies, series, stacks, the role each would play, and what is left out."""
    root = Tree(counted(description["files"], "file"))
    for study in description["studies"]:
        branch = root.add(f"[bold]study {study['study_key']}[/]")
        for series in study["series"]:
            twig = branch.add(f"series {series['series']}")
            for stack in series["stacks"]:
                _grow_stack(twig, stack)
        for rejection in study.get("rejections", ()):
            branch.add(_left_out(rejection))
    for rejection in description["rejections"]:
        root.add(_left_out(rejection))
    return root


def _grow_stack(node: Tree, stack: Mapping[str, Any]) -> None:
    size = f"{stack['planes']} planes of {stack['columns']} x {stack['rows']}"
    place = f"{stack['pixel_mm'][0]:.2f} mm, pitch {stack['pitch_mm']:.2f} mm, tilt {stack['obliquity_deg']:.0f} deg"
    if stack["role"]:
        role = f"[green]{stack['role']}[/] ({stack['confidence']:.2f})"
    else:
        role = f"[yellow]left out: {stack['reason']}[/] {stack['detail']}"
    leaf = node.add(f"{stack['stack']} {stack['plane']}, {size}, {place}: {role}")
    for words in stack["evidence"] or ():
        leaf.add(f"[dim]{words}[/]")


def _left_out(rejection: Mapping[str, Any]) -> str:
    return f"[yellow]left out[/] {rejection['where']}: {rejection['reason']} [dim]{rejection['detail']}[/]"


def _grade(row: Mapping[str, str] | None) -> str:
    if row is None:
        return "-"
    if row["status"] != "graded":
        return "[dim]not graded[/]"
    interval = "" if row["grade_low"] == row["grade_high"] else f" ({row['grade_low']}-{row['grade_high']})"
    return f"[{GRADE_STYLES[row['grade']]}]{row['grade']}[/]{interval}"


def _measured(row: Mapping[str, str] | None) -> str:
    if row is None:
        return ""
    if row["status"] != "graded":
        return f"[dim]{row['reason']}[/]"
    parts = []
    if row["perimeter_fraction"]:
        parts.append(f"perimeter {float(row['perimeter_fraction']):.0%}")
    if row["effusion_width_mm"]:
        parts.append(f"fluid {float(row['effusion_width_mm']):.1f} mm")
    return ", ".join(parts)
