"""Commands that read what was graded before: regrade, verify, agree."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from lfja_mri.app.display import messages, plain_table
from lfja_mri.app.options import AsJson, Graded
from lfja_mri.app.root import app
from lfja_mri.errors import CheckError
from lfja_mri.words import counted


@app.command()
def regrade(
    folder: Graded,
    config: Annotated[
        Path | None, typer.Option(help="Rules file (TOML); the packaged one if absent.")
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Where the table goes; - for standard output.")
    ] = Path("-"),
    report: Annotated[Path | None, typer.Option(help="Write what changed and why as JSON.")] = None,
    *,
    check: Annotated[
        bool, typer.Option("--check", help="Write no table; exit 8 if any grade differs.")
    ] = False,
) -> None:
    """Apply rules to stored measurements, without pixels."""
    from lfja_mri.batch.regrade import regrade as apply_rules
    from lfja_mri.grading import load_rules
    from lfja_mri.tables import deliver, write_text

    table = load_rules(config)
    regraded = apply_rules(folder, table)
    changed = regraded.differences
    if report is not None:
        write_text(report, json.dumps(regraded.report(table), indent=2) + "\n")
    if not check:
        deliver(regraded.csv, out)
    for one in changed:
        messages.print(
            f"{one.study_key} {one.level} {one.side} {one.column}: {one.archived or '-'} -> {one.regraded or '-'}"
        )
    messages.print(
        f"{counted(regraded.studies, 'study', 'studies')}, {counted(regraded.joints, 'joint')}; "
        f"{counted(len(changed), 'cell differs', 'cells differ')}"
    )
    if check and changed:
        raise CheckError(f"{counted(len(changed), 'archived cell')} not as these rules give")


@app.command()
def verify(folder: Graded) -> None:
    """Hash an archive again and name every file that is not what its run.json says."""
    from lfja_mri.batch.record import not_as_recorded

    wrong = not_as_recorded(folder)
    for place in wrong:
        typer.echo(place)
    if wrong:
        raise CheckError(f"{counted(len(wrong), 'file')} not as run.json says")
    messages.print("every file is what run.json says")


@app.command()
def agree(
    grades: Annotated[Path, typer.Argument(help="grades.csv to test.")],
    reference: Annotated[Path, typer.Argument(help="A reader's CSV: study_key, level, side, grade.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Weighted kappa, exact and within-one agreement, confusion table, by level and side."""
    from lfja_mri.batch.readings import READING_COLUMNS, compare_readings, reading_rows
    from lfja_mri.grading import confusion_lines

    reading = compare_readings(grades, reference)
    rows = reading_rows(reading)
    if as_json:
        confusion = reading.overall.confusion.tolist()
        table = [dict(zip(READING_COLUMNS, row, strict=True)) for row in rows]
        typer.echo(json.dumps({"agreement": table, "confusion": confusion}, indent=2))
        return
    from rich.console import Console

    console = Console()
    console.print(plain_table("Agreement (95 % intervals by patient)", READING_COLUMNS, rows))
    console.print("\n".join(confusion_lines(reading.overall.confusion)), highlight=False)
    messages.print(
        f"graded in one table only: {reading.only_tested} tested, {reading.only_reference} reference"
    )


@app.command()
def report(folder: Graded) -> None:
    """Write the pages of an archive from its tables and stored pictures: studies, visits side by side, the trial."""
    from lfja_mri.batch.archive_pages import write_pages

    pages = write_pages(folder)
    messages.print(f"{counted(len(pages), 'page')} written; the first lies in {pages[0]}")
