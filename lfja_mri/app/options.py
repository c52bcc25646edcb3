"""The arguments and options that several commands share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lfja_mri.errors import UsageError
from lfja_mri.names import Level, MaskScheme

if TYPE_CHECKING:
    from lfja_mri.pipeline import MaskSource


class LowestLevel(StrEnum):
    """The lowest lumbar vertebra, where a reader knows better than the default."""

    L4 = "L4"
    L5 = "L5"
    L6 = "L6"


Inputs = Annotated[
    list[Path], typer.Argument(help="Folders, .zip/.tar(.gz) archives or DICOMDIRs.", show_default=False)
]
OneInput = Annotated[
    Path,
    typer.Argument(
        help="A folder, archive or DICOMDIR holding one study, or a NIfTI file.", show_default=False
    ),
]
Out = Annotated[Path, typer.Option("--out", "-o", help="Output folder; made if absent.", show_default=False)]
OutFile = Annotated[Path, typer.Option("--out", "-o", help="Output file; - for standard output.")]
Graded = Annotated[Path, typer.Argument(help="Output folder of grade or cohort.", show_default=False)]
Config = Annotated[Path | None, typer.Option(help="Settings (TOML) that override pipeline.toml key by key.")]
Rules = Annotated[Path | None, typer.Option(help="Grading rules (TOML) instead of Czervionke-Fenton.")]
Lowest = Annotated[LowestLevel | None, typer.Option(help="Name the lowest lumbar vertebra yourself.")]
Masks = Annotated[Path | None, typer.Option(help="Spine masks of another tool, file or folder.")]
Scheme = Annotated[
    MaskScheme,
    typer.Option("--mask-scheme", help="Whose labels the masks carry; auto only where that is certain."),
]
Strict = Annotated[
    bool,
    typer.Option(
        "--strict", help="Exit 8 if any joint is not graded or a level name is assumed or in doubt."
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Do finished work again.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no tables.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Pictures = Annotated[bool, typer.Option(help="Write quality-control pictures.")]
Pages = Annotated[bool, typer.Option("--report/--no-report", help="Write HTML pages.")]
Parquet = Annotated[
    bool, typer.Option("--parquet", help="Also write the tables as Parquet (needs the part 'parquet').")
]
Jobs = Annotated[
    int | None, typer.Option(help="Processes; default all cores, negative leaves that many free.")
]
Timeout = Annotated[float | None, typer.Option(help="Seconds a study may take.")]
MemoryMib = Annotated[
    int | None,
    typer.Option("--memory-mib", help="Memory each worker may use, in MiB (Linux); 0 for no bound.", min=0),
]
KeepDates = Annotated[
    bool, typer.Option("--keep-dates", help="Write study dates, not only days since the first visit.")
]
Salt = Annotated[Path | None, typer.Option(help="Secret key for subject hashes that link visits.")]
Scheduler = Annotated[str | None, typer.Option(help="Address of a Dask scheduler to hand studies to.")]


def level_above_sacrum(lowest: LowestLevel | None) -> Level | None:
    """Return the level between the lowest lumbar vertebra and the sacrum."""
    above = {LowestLevel.L4: Level.L4_S1, LowestLevel.L5: Level.L5_S1, LowestLevel.L6: Level.L6_S1}
    return None if lowest is None else above[lowest]


def memory_bound(memory_mib: int | None) -> int | None:
    """Return what one worker may use, the standard bound where nothing was said."""
    from lfja_mri.batch.bounds import MEMORY_MIB

    return MEMORY_MIB if memory_mib is None else memory_mib or None


def secret(salt_file: Path | None) -> bytes | None:
    """Read the key of subject hashes."""
    if salt_file is None:
        return None
    try:
        return salt_file.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read the salt file: {error.strerror}") from error


def mask_source(masks: Path | None, scheme: MaskScheme) -> MaskSource | None:
    """Return where another tool's masks lie and whose labels they carry."""
    if masks is None:
        return None
    from lfja_mri.pipeline import MaskSource

    return MaskSource(masks, scheme)
