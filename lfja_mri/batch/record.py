"""The record of a whole run: what it did, and the digest of every table and page beside the studies' folders."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lfja_mri.batch.folder import RECORD_NAME, STUDIES, damaged, file_digest, read_record, to_json
from lfja_mri.errors import InputError
from lfja_mri.tables import write_bytes

TOP_FILES = (
    "grades.csv",
    "visits.csv",
    "change.csv",
    "summary.csv",
    "grades.png",
    "change.png",
    "index.html",
    "cohort.html",
)


def write_run_record(out: Path, record: dict[str, Any]) -> None:
    """Write `run.json` of an output folder."""
    write_bytes(out / RECORD_NAME, to_json(record))
    seal(out)


def seal(out: Path, names: Sequence[str] = TOP_FILES) -> None:
    """Note in `run.json` the digests of files that were just written; a folder without a record stays without."""
    record = read_record(out)
    if record is None:
        return
    digests = dict(record.get("outputs", {}))
    for name in names:
        digests.pop(name, None)
        if (digest := file_digest(out / name)) is not None:
            digests[name] = digest
    write_bytes(out / RECORD_NAME, to_json({**record, "outputs": digests}))


def not_as_recorded(archive: Path) -> tuple[str, ...]:
    """Hash an archive again; return the places of files that are not what a `run.json` says, or are gone.

    Raises
    ------
    InputError
        The folder is no archive.
    """
    if not _folders(archive):
        raise InputError(
            f"{archive} {'holds no graded studies' if archive.is_dir() else 'is no folder'}; needed a folder that `lfja-mri grade` wrote"
        )
    wrong = [
        f"{STUDIES}/{folder}/{name}"
        for folder in _folders(archive)
        for name in damaged(archive / STUDIES / folder)
    ]
    if (archive / RECORD_NAME).exists():
        wrong += damaged(archive)
    return tuple(wrong)


def _folders(archive: Path) -> list[str]:
    """Return the folders that are there and those that should be."""
    there = {path.name for path in (archive / STUDIES).glob("*") if path.is_dir()}
    recorded = (read_record(archive) or {}).get("studies", [])
    return sorted({name for name in (*there, *recorded) if not name.startswith(".")})


def recorded_failures(archive: Path) -> list[dict[str, str]]:
    """Return the studies that the last run could not grade, with their reasons."""
    try:
        record = json.loads((archive / RECORD_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return list(record.get("failures", []))
