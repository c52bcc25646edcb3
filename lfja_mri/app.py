"""The Typer app: words in, tables and exit codes out. No medicine is decided here.

Heavy imports stay inside the commands, so that `--help` is quick.
"""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import click
import typer

from lfja_mri import __version__
from lfja_mri.display import changes_table, grades_table, messages, plain_table, tree
from lfja_mri.errors import ExitCode, LfjaError, UsageError
from lfja_mri.model import Level, Side

NOTICE = "Research software, not a medical device."


class LowestLevel(StrEnum):
    """The lowest lumbar vertebra, where a reader knows better than the default."""

    L4 = "L4"
    L5 = "L5"
    L6 = "L6"


class LfjaGroup(typer.core.TyperGroup):
    """Turns the family of errors into one line on standard error and their exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; what is not of the family is a bug and says so without a traceback."""
        try:
            return super().invoke(ctx)
        except LfjaError as error:
            messages.print(f"[bold red]error:[/] {_plain(error)}")
            raise typer.Exit(int(error.exit_code)) from None
        except BrokenPipeError:
            raise typer.Exit(int(ExitCode.DONE)) from None


def _plain(error: LfjaError) -> str:
    text = str(error).replace("[", r"\[")
    return f"{text} ({error.reason.value})" if error.reason else text


app = typer.Typer(
    cls=LfjaGroup,
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help=f"Grade lumbar facet joint synovitis on MRI, and its change from baseline.\n\n{NOTICE}",
    epilog="Exit codes: 0 done, 1 bug, 2 usage, 3 configuration, 4 nothing usable, 5 some studies failed, "
    "6 every study failed, 7 cannot write, 8 --check or --strict not met.",
)

Inputs = Annotated[list[Path], typer.Argument(help="Folders, .zip/.tar(.gz) archives or DICOMDIRs.", show_default=False)]
OneInput = Annotated[Path, typer.Argument(help="A folder, archive or DICOMDIR holding one study.", show_default=False)]
Out = Annotated[Path, typer.Option("--out", "-o", help="Output folder; made if absent.", show_default=False)]
Config = Annotated[Path | None, typer.Option(help="Settings (TOML) that override pipeline.toml key by key.")]
Rules = Annotated[Path | None, typer.Option(help="Grading rules (TOML) instead of Czervionke-Fenton.")]
Lowest = Annotated[LowestLevel | None, typer.Option(help="Name the lowest lumbar vertebra yourself.")]
Masks = Annotated[Path | None, typer.Option(help="Spine masks of another tool, file or folder.")]
Scheme = Annotated[str, typer.Option(help="Whose labels the masks carry; auto only where that is certain.")]
Strict = Annotated[bool, typer.Option("--strict", help="Exit 8 if any joint is not graded or a level name is assumed.")]
Force = Annotated[bool, typer.Option("--force", help="Do finished work again.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no tables.")]
Jobs = Annotated[int | None, typer.Option(help="Processes; default all cores, negative leaves that many free.")]


@app.callback(invoke_without_command=False)
def _root(
    *,
    version: Annotated[bool, typer.Option("--version", is_eager=True, help="Print the version and stop.")] = False,
) -> None:
    if version:
        typer.echo(__version__)
        raise typer.Exit


@app.command(epilog="Example: lfja-mri grade study_folder --out graded")
def grade(  # noqa: PLR0917 - typer reads a command's options from its parameters
    inputs: Inputs,
    out: Out,
    config: Config = None,
    rules: Rules = None,
    lowest_level: Lowest = None,
    jobs: Jobs = None,
    timeout: Annotated[float | None, typer.Option(help="Seconds a study may take.")] = None,
    explain: Annotated[
        tuple[Level, Side] | None, typer.Option(help="Also explain one joint, such as: L4-L5 right.")
    ] = None,
    salt_file: Annotated[Path | None, typer.Option(help="Secret key for subject hashes that link visits.")] = None,
    scheduler: Annotated[str | None, typer.Option(help="Address of a Dask scheduler to hand studies to.")] = None,
    *,
    pictures: Annotated[bool, typer.Option(help="Write quality-control pictures.")] = True,
    strict: Strict = False,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Grade every joint of every study in the inputs: the main job."""
    from lfja_mri.batch.run import RunOptions, grade_inputs
    from lfja_mri.pipeline import prepare

    options = RunOptions(
        jobs=jobs, timeout_s=timeout, force=force, strict=strict, pictures=pictures,
        salt=_secret(salt_file), scheduler=scheduler,
    )  # fmt: skip
    road = prepare(config, rules, _level_below(lowest_level))
    with _progress(quiet=quiet) as progress:
        report = grade_inputs(inputs, out, road, options, progress)
    if not quiet:
        for study_key, rows in report.rows_by_study().items():
            messages.print(grades_table(rows, f"study {study_key}"))
        messages.print(f"{len(report.finished)} graded, {len(report.failures)} failed; files in {out}")
    for failure in report.failures:
        messages.print(f"[yellow]study {failure.study_key} failed:[/] {failure.reason.value}: {failure.detail}")
    if explain is not None:
        typer.echo(report.explanation(*explain))
    raise typer.Exit(int(report.exit_code(strict=strict)))


def _level_below(lowest: LowestLevel | None) -> Level | None:
    below = {LowestLevel.L4: Level.L4_S1, LowestLevel.L5: Level.L5_S1, LowestLevel.L6: Level.L6_S1}
    return None if lowest is None else below[lowest]


def _secret(salt_file: Path | None) -> bytes | None:
    if salt_file is None:
        return None
    try:
        return salt_file.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read the salt file: {error.strerror}") from error


def _progress(*, quiet: bool) -> Any:
    from lfja_mri.progress import progress_display

    return progress_display(quiet=quiet)


@app.command(epilog="Example: lfja-mri inspect archive.zip --json | jq .studies")
def inspect(
    inputs: Inputs,
    config: Config = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show studies, series, stacks, the role each would play, and why others are left out."""
    from lfja_mri.config import load_pipeline_settings
    from lfja_mri.ingest import describe, find_studies

    settings = load_pipeline_settings(config).ingest
    description = describe(find_studies(inputs, settings), settings)
    if as_json:
        typer.echo(json.dumps(description, indent=2, sort_keys=True))
    else:
        from rich.console import Console

        Console().print(tree("input", description))


@app.command()
def info(
    *, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False
) -> None:
    """Print the version, scales, rule digests, model digest and the optional parts present."""
    from lfja_mri.about import facts

    if as_json:
        typer.echo(json.dumps(facts(), indent=2, sort_keys=True))
    else:
        for name, value in facts().items():
            typer.echo(f"{name}: {value}")


@app.command()
def rules(rules_file: Annotated[Path | None, typer.Argument(help="A rules file; Czervionke-Fenton if absent.")] = None) -> None:
    """Print the rule table in words, as a clinician would sign it."""
    from lfja_mri.grading import load_rules, rules_in_words

    typer.echo(rules_in_words(load_rules(rules_file)))


def main() -> None:
    """Run the app; an error nobody expected is one line and exit code 1, never a traceback with patient data."""
    try:
        app()
    except Exception as error:  # noqa: BLE001 - the last door
        place = error.__traceback__
        while place is not None and place.tb_next is not None:
            place = place.tb_next
        where = "" if place is None else f" ({Path(place.tb_frame.f_code.co_filename).name}:{place.tb_lineno})"
        messages.print(f"[bold red]bug:[/] {type(error).__name__}{where}; please report it with `lfja-mri info`")
        sys.exit(int(ExitCode.BUG))
