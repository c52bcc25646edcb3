"""Commands that follow joints over time: compare, cohort, repeatability."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from lfja_mri.app.display import changes_table, ending, messages, plain_table
from lfja_mri.app.options import (
    Config,
    Force,
    Jobs,
    KeepDates,
    Lowest,
    MemoryMib,
    Out,
    OutFile,
    Pages,
    Parquet,
    Pictures,
    Quiet,
    Rules,
    Scheduler,
    Strict,
    Timeout,
    level_above_sacrum,
    memory_bound,
)
from lfja_mri.app.root import app
from lfja_mri.errors import CheckError, ExitCode
from lfja_mri.words import counted

VisitPath = Annotated[
    Path, typer.Argument(help="A DICOM study, a grade output folder, or a grades.csv.", show_default=False)
]
ChangeConfig = Annotated[
    Path | None, typer.Option(help="What counts as change (TOML) instead of change.toml.")
]
RepeatabilityFile = Annotated[
    Path | None, typer.Option(help="Smallest detectable changes from your own repeats (TOML).")
]
SUMMARY_SHOWN = (
    "visit",
    "subjects",
    "joints_graded",
    "mean_grade",
    "mean_grade_change",
    "improved",
    "worsened",
)


class Unwelcome(StrEnum):
    """What a script may not want to find in a comparison."""

    WORSENED = "worsened"
    IMPROVED = "improved"
    NOT_COMPARABLE = "not_comparable"


FailOn = Annotated[Unwelcome | None, typer.Option(help="Exit 8 if any joint is so.")]


@app.command()
def compare(
    baseline: VisitPath,
    follow_up: VisitPath,
    out: OutFile = Path("-"),
    config: Config = None,
    rules: Rules = None,
    change_config: ChangeConfig = None,
    repeatability: RepeatabilityFile = None,
    fail_on: FailOn = None,
    *,
    report: Pages = True,
    parquet: Parquet = False,
    quiet: Quiet = False,
) -> None:
    """Compare two visits joint by joint; a change counts only beyond the noise of measuring."""
    from lfja_mri.batch.archive_pages import stored_visits
    from lfja_mri.change import CHANGE_COLUMNS, change_rows
    from lfja_mri.config import load_change_settings
    from lfja_mri.outputs import about
    from lfja_mri.parquet import require_parquet, to_parquet
    from lfja_mri.pipeline import prepare
    from lfja_mri.report import comparison_page
    from lfja_mri.tables import as_text, deliver, to_csv, write_bytes, write_text
    from lfja_mri.visits import compare_sides, read_visit

    if parquet:
        require_parquet()
    settings = load_change_settings(change_config, repeatability=repeatability)
    road = prepare(config, rules)
    compared = compare_sides(read_visit(baseline, road), read_visit(follow_up, road), road, settings)
    rows = change_rows(compared.changes)
    deliver(to_csv(CHANGE_COLUMNS, rows), out)
    cells = as_text(CHANGE_COLUMNS, rows)
    if parquet and str(out) != "-":
        write_bytes(out.with_suffix(".parquet"), to_parquet(cells, "change"))
    if report and str(out) != "-":
        stored = {} if compared.studies else stored_visits(baseline, follow_up, cells)
        page = comparison_page(cells, about=about(road), studies=compared.studies, stored=stored)
        write_text(out.with_suffix(".html"), page)
    if not quiet and str(out) != "-":
        messages.print(changes_table(cells))
        messages.print(f"the table lies in {out}")
    _fail_if(fail_on, [row["change"] or row["status"] for row in cells])


def _fail_if(fail_on: Unwelcome | None, words: list[str]) -> None:
    if fail_on is not None and fail_on in words:
        raise CheckError(
            f"{counted(words.count(fail_on), 'joint is', 'joints are')} {fail_on.replace('_', ' ')}"
        )


@app.command()
def cohort(
    manifest: Annotated[Path, typer.Argument(help="CSV: subject, visit, path.", show_default=False)],
    out: Out,
    config: Config = None,
    rules: Rules = None,
    change_config: ChangeConfig = None,
    repeatability: RepeatabilityFile = None,
    lowest_level: Lowest = None,
    jobs: Jobs = None,
    timeout: Timeout = None,
    memory_mib: MemoryMib = None,
    scheduler: Scheduler = None,
    *,
    pictures: Pictures = True,
    report: Pages = True,
    parquet: Parquet = False,
    strict: Strict = False,
    force: Force = False,
    quiet: Quiet = False,
    keep_dates: KeepDates = False,
) -> None:
    """Grade a whole trial and compare every later visit with the first."""
    from lfja_mri.app.progress import progress_display
    from lfja_mri.batch.archive_pages import write_pages
    from lfja_mri.batch.cohort import run_cohort
    from lfja_mri.batch.options import RunOptions
    from lfja_mri.change import SUMMARY_COLUMNS
    from lfja_mri.config import load_change_settings
    from lfja_mri.outputs import Extras
    from lfja_mri.parquet import require_parquet, write_beside
    from lfja_mri.pipeline import prepare
    from lfja_mri.tables import as_text

    if parquet:
        require_parquet()
    options = RunOptions(
        jobs, timeout, force, Extras(pictures, report), None, scheduler,
        memory_mib=memory_bound(memory_mib), keep_dates=keep_dates,
    )  # fmt: skip
    road = prepare(config, rules, level_above_sacrum(lowest_level))
    settings = load_change_settings(change_config, repeatability=repeatability)
    with progress_display(quiet=quiet) as progress:
        done = run_cohort(manifest, out, road, settings, options, progress)
    if report:
        write_pages(out)
    if parquet:
        write_beside([out / f"{table}.csv" for table in ("grades", "change", "summary")])
    if not quiet:
        rows = as_text(SUMMARY_COLUMNS, done.summary(settings))
        messages.print(
            plain_table(
                "The trial", SUMMARY_SHOWN, [[row[column] for column in SUMMARY_SHOWN] for row in rows]
            )
        )
        messages.print(f"the files lie in {out}")
    for left_out in done.left_out:
        messages.print(f"[yellow]{left_out.where} left out:[/] {left_out.reason.value} {left_out.detail}")
    code = ending(done.run, strict=strict)
    some_lost = bool(done.left_out) and code is ExitCode.DONE
    raise typer.Exit(int(ExitCode.SOME_FAILED if some_lost else code))


@app.command()
def repeatability(
    pairs: Annotated[
        Path, typer.Argument(help="CSV: subject, first, second (studies, graded folders or grades.csv).")
    ],
    out: OutFile = Path("-"),
    config: Config = None,
    provenance: Annotated[
        str, typer.Option(help="What was repeated, for the file.")
    ] = "a user's repeat scans",
) -> None:
    """Measure the smallest detectable change from repeat scans of unchanged subjects."""
    from lfja_mri.config import load_change_settings
    from lfja_mri.pipeline import prepare
    from lfja_mri.tables import deliver
    from lfja_mri.visits import repeatability_of

    deliver(repeatability_of(pairs, prepare(config), load_change_settings(), provenance), out)
    messages.print("hand it to `lfja-mri compare --repeatability`")
