"""Tables as Parquet beside their CSV: the same rows with the types that the schema states, missing cells as nulls.

Needs the optional part `lfja-mri[parquet]`. The CSV stays what scripts rely on; this is a copy for data frames.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from importlib import resources, util
from pathlib import Path
from typing import Any

from lfja_mri.errors import UsageError
from lfja_mri.tables import read_csv, write_bytes

_CASTS: Mapping[str, Any] = {"string": str, "integer": int, "number": float}


def schema_folder() -> Path:
    """Return the folder of the table schemas: inside the wheel, or in the docs of a checkout."""
    packaged = Path(str(resources.files("lfja_mri") / "schema"))
    return packaged if packaged.is_dir() else Path(__file__).resolve().parent.parent / "docs" / "schema"


def column_types(table: str) -> dict[str, str]:
    """Return `string`, `integer` or `number` by column of a table such as `grades`, in its order."""
    schema = json.loads((schema_folder() / f"{table}.json").read_text(encoding="utf-8"))
    return {field["name"]: field["type"] for field in schema["fields"]}


def require_parquet() -> None:
    """Refuse before any work is done where Parquet cannot be written.

    Raises
    ------
    UsageError
        The optional part is not installed.
    """
    if util.find_spec("pyarrow") is None:
        raise UsageError(
            "--parquet needs an optional part that is not installed; try: pip install 'lfja-mri[parquet]'"
        )


def write_beside(tables: Sequence[Path]) -> tuple[Path, ...]:
    """Write `<name>.parquet` beside each `<name>.csv` that exists, and return what was written."""
    written = []
    for path in tables:
        if path.is_file():
            target = path.with_suffix(".parquet")
            write_bytes(target, to_parquet(read_csv(path), path.stem))
            written.append(target)
    return tuple(written)


def to_parquet(rows: Sequence[Mapping[str, str]], table: str) -> bytes:
    """Return rows of text cells as a Parquet file; the same rows give the same bytes.

    Parameters
    ----------
    rows
        Rows as `read_csv` gives them: an empty cell is missing.
    table
        Name of the schema: `grades`, `change` or `summary`.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {"string": pa.string(), "integer": pa.int64(), "number": pa.float64()}
    types = column_types(table)
    columns = {
        name: pa.array([_CASTS[kind](row[name]) if row.get(name) else None for row in rows], type=kinds[kind])
        for name, kind in types.items()
    }
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer)
    return buffer.getvalue()
