"""Commands that need no study: rules, info, phantom."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from lfja_mri.app.display import messages
from lfja_mri.app.options import AsJson, Jobs, Out
from lfja_mri.app.root import app
from lfja_mri.words import counted


@app.command()
def rules(
    rules_file: Annotated[
        Path | None, typer.Argument(help="A rules file; Czervionke-Fenton if absent.")
    ] = None,
) -> None:
    """Print the rule table in words, as a clinician would sign it."""
    from lfja_mri.grading import load_rules, rules_in_words

    typer.echo(rules_in_words(load_rules(rules_file)))


@app.command()
def info(*, as_json: AsJson = False) -> None:
    """Print the version, scales, rule digests, model digest and the optional parts present."""
    from lfja_mri.app.about import facts

    if as_json:
        typer.echo(json.dumps(facts(), indent=2, sort_keys=True))
        return
    for name, value in facts().items():
        typer.echo(f"{name}: {value}")


@app.command()
def phantom(
    out: Out,
    recipe: Annotated[
        str, typer.Option(help="Name of a packaged recipe, or a TOML file.")
    ] = "routine_clinical",
    seed: Annotated[int, typer.Option(help="Seed of the first person.", min=0)] = 0,
    count: Annotated[int, typer.Option(help="How many people.", min=1)] = 1,
    jobs: Jobs = None,
    *,
    pairs: Annotated[
        bool, typer.Option("--pairs", help="A baseline and a follow-up of each person.")
    ] = False,
) -> None:
    """Write synthetic DICOM studies with their truth: truth.csv at the top."""
    from lfja_mri.batch.options import RunOptions
    from lfja_mri.phantom import generate_cohort, load_recipe

    source = Path(recipe) if recipe.endswith(".toml") else recipe
    processes = RunOptions(jobs=jobs).processes
    studies = generate_cohort(out, load_recipe(source), seed, count, processes, pairs=pairs)
    messages.print(f"{counted(len(studies), 'study', 'studies')} written; the truth lies in {out}/truth.csv")
