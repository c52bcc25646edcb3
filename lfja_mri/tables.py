r"""CSV in and out: fixed columns, fixed number format, `\n`, an empty cell for missing; files moved into place whole."""

from __future__ import annotations

import csv
import io
import os
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from lfja_mri.errors import InputError, OutputError

Cell = str | int | float | None


def format_cell(value: Cell, *, digits: int = 3) -> str:
    """Write a cell: floats with fixed decimals, None as an empty cell, never `-0.000`."""
    if value is None:
        return ""
    if isinstance(value, float):
        text = f"{value:.{digits}f}"
        return text.lstrip("-") if float(text) == 0 else text
    return str(value)


def to_csv(columns: Sequence[str], rows: Iterable[Mapping[str, Cell]]) -> str:
    """Write rows in the given column order; a key that is not a column is a bug and raises."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        stray = set(row) - set(columns)
        if stray:
            raise KeyError(f"not columns of this table: {sorted(stray)}")
        writer.writerow([format_cell(row.get(column)) for column in columns])
    return buffer.getvalue()


def as_text(columns: Sequence[str], rows: Iterable[Mapping[str, Cell]]) -> list[dict[str, str]]:
    """Return rows as the text cells that a written table would hold."""
    return [{column: format_cell(row.get(column)) for column in columns} for row in rows]


def read_csv(path: Path, required: Sequence[str] = ()) -> list[dict[str, str]]:
    """Read a CSV as text cells.

    Raises
    ------
    InputError
        The file cannot be read, or lacks a required column.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            reader = csv.DictReader(handle)
            rows = [{key: value or "" for key, value in row.items() if key} for row in reader]
            header = reader.fieldnames or ()
    except OSError as error:
        raise InputError(f"cannot read the table {path}: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"cannot read the table {path.name}: {error}") from error
    absent = [column for column in required if column not in header]
    if absent:
        named = f"{'column' if len(absent) == 1 else 'columns'} {', '.join(absent)}"
        raise InputError(f"{path.name} lacks the {named}; found {', '.join(header)}")
    return rows


def deliver(text: str, out: Path) -> None:
    """Write a table to a file, or to standard output where `out` is `-`."""
    if str(out) == "-":
        sys.stdout.write(text)
    else:
        write_text(out, text)


def write_text(path: Path, text: str) -> None:
    """Write a file beside its target and move it into place."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file beside its target and move it into place.

    Raises
    ------
    OutputError
        The folder cannot be made or written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".partial-")
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(content)
            Path(temporary).chmod(0o644)
            Path(temporary).replace(path)
        except OSError:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise OutputError(
            f"cannot write {path}: {error.strerror}; choose a folder you may write to"
        ) from error
