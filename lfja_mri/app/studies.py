"""Commands that read studies: grade, inspect, ingest, locate, segment."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lfja_mri.app.display import ending, grades_table, messages, run_summary
from lfja_mri.app.joint_words import GradeCommand, NamedJoint, named_joint
from lfja_mri.app.options import (
    AsJson,
    Config,
    Force,
    Inputs,
    Jobs,
    KeepDates,
    Lowest,
    Masks,
    MemoryMib,
    OneInput,
    Out,
    OutFile,
    Pages,
    Parquet,
    Pictures,
    Quiet,
    Rules,
    Salt,
    Scheduler,
    Scheme,
    Strict,
    Timeout,
    level_above_sacrum,
    mask_source,
    memory_bound,
    secret,
)
from lfja_mri.app.plain import show
from lfja_mri.app.root import app
from lfja_mri.errors import InputError
from lfja_mri.names import MaskScheme
from lfja_mri.words import counted

if TYPE_CHECKING:
    from lfja_mri.batch.outcome import RunReport

MOST_TABLES = 8  # more than a screen or two is read in grades.csv


@app.command(cls=GradeCommand)
def grade(
    inputs: Inputs,
    out: Out,
    config: Config = None,
    rules: Rules = None,
    masks: Masks = None,
    mask_scheme: Scheme = MaskScheme.AUTO,
    lowest_level: Lowest = None,
    jobs: Jobs = None,
    timeout: Timeout = None,
    memory_mib: MemoryMib = None,
    explain: Annotated[
        list[NamedJoint] | None,
        typer.Option(
            parser=named_joint,
            metavar="LEVEL SIDE",
            help="Also explain one joint, such as: L4-L5 right. As often as wanted.",
        ),
    ] = None,
    salt_file: Salt = None,
    scheduler: Scheduler = None,
    overrides: Annotated[
        Path | None,
        typer.Option(help="Readers' marks (CSV), as the pages export them; flagged in the table."),
    ] = None,
    *,
    pictures: Pictures = True,
    report: Pages = True,
    parquet: Parquet = False,
    strict: Strict = False,
    force: Force = False,
    quiet: Quiet = False,
    keep_dates: KeepDates = False,
) -> None:
    """Grade every joint of every study in the inputs: the main job."""
    from lfja_mri.app.progress import progress_display
    from lfja_mri.batch.options import RunOptions
    from lfja_mri.batch.run import grade_inputs
    from lfja_mri.outputs import Extras
    from lfja_mri.parquet import require_parquet, write_beside
    from lfja_mri.pipeline import prepare

    if parquet:
        require_parquet()
    options = RunOptions(
        jobs, timeout, force, Extras(pictures, report), secret(salt_file), scheduler, overrides,
        memory_bound(memory_mib), keep_dates,
    )  # fmt: skip
    road = prepare(config, rules, level_above_sacrum(lowest_level), mask_source(masks, mask_scheme))
    with progress_display(quiet=quiet) as progress:
        done = grade_inputs(inputs, out, road, options, progress)
    if parquet:
        write_beside([out / "grades.csv"])
    _tell(done, quiet=quiet)
    if explain:
        typer.echo("\n\n".join(done.explanation(joint.level, joint.side) for joint in explain))
    raise typer.Exit(int(ending(done, strict=strict)))


def _tell(done: RunReport, *, quiet: bool) -> None:
    if not quiet:
        for study_key, rows in list(done.rows_by_study().items())[:MOST_TABLES]:
            messages.print(grades_table(rows, f"study {study_key}"))
        summary = run_summary(done.rows, len(done.finished), len(done.failures))
        messages.print(f"{summary}; the files lie in {done.out}")
    for failure in done.failures:
        messages.print(
            f"[yellow]study {failure.study_key} failed:[/] {failure.reason.value}: {failure.detail}"
        )


@app.command()
def inspect(inputs: Inputs, config: Config = None, *, as_json: AsJson = False) -> None:
    """Show studies, series, stacks, the role each would play, and why others are left out."""
    from lfja_mri.config import load_pipeline_settings
    from lfja_mri.ingest import describe, find_studies, nothing_found

    settings = load_pipeline_settings(config).ingest
    catalogue = find_studies(inputs, settings)
    show(describe(catalogue, settings), as_json=as_json)
    if not catalogue.studies:
        raise InputError(nothing_found(catalogue.rejections, advice=""))


@app.command()
def ingest(inputs: Inputs, out: Out, config: Config = None, *, quiet: Quiet = False) -> None:
    """Write every usable stack as NIfTI with a JSON sidecar, and an index of what was left out and why."""
    from lfja_mri.config import load_pipeline_settings
    from lfja_mri.ingest import export, find_studies, written_images

    settings = load_pipeline_settings(config).ingest
    index = export(find_studies(inputs, settings), out, settings)
    if not written_images(index):
        raise InputError(
            f"no usable image in the input: found {counted(index['files'], 'file')}; needed an MR study as DICOM; "
            f"{out}/index.json gives the reasons"
        )
    if not quiet:
        messages.print(
            f"{counted(len(index['studies']), 'study', 'studies')}; what was written and what was left out: {out}/index.json"
        )


@app.command()
def locate(
    study: OneInput,
    out: OutFile,
    mask_out: Annotated[Path | None, typer.Option(help="Also write the localiser's labels as NIfTI.")] = None,
    config: Config = None,
    masks: Masks = None,
    mask_scheme: Scheme = MaskScheme.AUTO,
    lowest_level: Lowest = None,
) -> None:
    """Find and name the lumbar levels only."""
    from lfja_mri.pipeline import locate_levels, prepare
    from lfja_mri.results import LEVELS_COLUMNS, level_rows
    from lfja_mri.single import read_one_study, write_tissue_labels
    from lfja_mri.tables import deliver, to_csv

    road = prepare(config, None, level_above_sacrum(lowest_level), mask_source(masks, mask_scheme))
    images = read_one_study(study, road.settings.ingest)
    level_map = locate_levels(images, road)
    deliver(to_csv(LEVELS_COLUMNS, level_rows(level_map)), out)
    if mask_out is not None:
        write_tissue_labels(level_map, images, mask_out)


@app.command()
def segment(
    study: OneInput,
    out: Out,
    config: Config = None,
    masks: Masks = None,
    mask_scheme: Scheme = MaskScheme.AUTO,
    lowest_level: Lowest = None,
) -> None:
    """Place the joint regions only: a label map, joints.csv and pictures."""
    from lfja_mri.outputs import write_segmentation
    from lfja_mri.pipeline import prepare, segment_images
    from lfja_mri.single import read_one_study

    road = prepare(config, None, level_above_sacrum(lowest_level), mask_source(masks, mask_scheme))
    write_segmentation(segment_images(read_one_study(study, road.settings.ingest), road), out)
