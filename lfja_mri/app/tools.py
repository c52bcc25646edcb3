"""Commands that need no study: rules, info, phantom."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from lfja_mri.app.options import AsJson
from lfja_mri.app.root import app


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
