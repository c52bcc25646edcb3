"""Commands that hand results to other people's tools: export, worksheet, unblind."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lfja_mri.app.display import messages
from lfja_mri.app.options import Config, Inputs, Out, OutFile, Rules, Salt, secret
from lfja_mri.app.root import app
from lfja_mri.errors import UsageError
from lfja_mri.words import counted


@app.command()
def export(
    inputs: Inputs,
    out: Out,
    config: Config = None,
    rules: Rules = None,
    salt_file: Salt = None,
    *,
    dicom: Annotated[
        bool, typer.Option("--dicom", help="Segmentation and structured report (needs the part 'dicom').")
    ] = False,
    bids: Annotated[bool, typer.Option("--bids", help="Label map under BIDS-derivative names.")] = False,
) -> None:
    """Write graded studies for a PACS or as BIDS derivatives; DICOM objects carry the patient's identity."""
    from lfja_mri.exports import export_bids, export_dicom
    from lfja_mri.pipeline import prepare

    if not dicom and not bids:
        raise UsageError("nothing to write: choose --dicom, --bids or both")
    road = prepare(config, rules)
    done = {}
    if dicom:
        done["DICOM"] = export_dicom(inputs, out, road)
    if bids:
        done["BIDS"] = export_bids(inputs, out, road, secret(salt_file))
    for words, exported in done.items():
        messages.print(f"{counted(exported.written, 'study', 'studies')} written as {words} into {out}")
        for study_key, why in exported.refused:
            messages.print(f"[yellow]study {study_key} not written as {words}:[/] {why}")
    raise typer.Exit(max(int(exported.exit_code) for exported in done.values()))


@app.command()
def worksheet(
    inputs: Inputs,
    out: Out,
    config: Config = None,
    seed: Annotated[int, typer.Option(help="Decides the order.", min=0)] = 0,
    repeats: Annotated[
        int, typer.Option(help="Joints shown twice, to test a reader against themselves.", min=0)
    ] = 0,
) -> None:
    """Write a blinded reading set for human readers, and the key that undoes it."""
    from lfja_mri.exports import write_worksheet
    from lfja_mri.pipeline import prepare

    count = write_worksheet(inputs, out, prepare(config), seed, repeats)
    messages.print(f"{count} studies in {out}/worksheet.html; keep {out}/key.csv from the readers")


@app.command()
def unblind(
    sheet: Annotated[Path, typer.Argument(help="A filled worksheet (CSV).")],
    key: Annotated[Path, typer.Argument(help="key.csv of the same set.")],
    out: OutFile = Path("-"),
    reading: Annotated[int, typer.Option(help="1 for first readings, 2 for the repeats.", min=1, max=2)] = 1,
) -> None:
    """Join a filled worksheet with its key into the table that agree reads."""
    from lfja_mri.report.worksheet import KEY_COLUMNS, READING_COLUMNS, SHEET_COLUMNS
    from lfja_mri.report.worksheet import unblind as join
    from lfja_mri.tables import deliver, read_csv, to_csv

    rows = join(read_csv(sheet, SHEET_COLUMNS[:2]), read_csv(key, KEY_COLUMNS), reading=reading)
    deliver(to_csv(READING_COLUMNS, rows), out)
