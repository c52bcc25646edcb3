"""One study's folder: written whole beside its place, moved in at once, and checkable ever after.

`run.json` in it is the ledger: the digest of everything that decided the result, and the digest of every file
written. It alone may differ between two runs (timings); all other files are the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lfja_mri.errors import OutputError, Reason

RECORD_NAME = "run.json"
STUDIES = "studies"


@dataclass(frozen=True)
class StudyFiles:
    """What a study's folder holds: stable files by name, and the volatile record."""

    files: Mapping[str, bytes]
    record: Mapping[str, Any]


def write_study_folder(folder: Path, content: StudyFiles, request_digest: str) -> None:
    """Write a study's folder, replacing an older one only once the new one is whole.

    Raises
    ------
    OutputError
        The disk is full, the folder is gone or not writable; what was finished before stays.
    """
    try:
        folder.parent.mkdir(
            exist_ok=True
        )  # no parents: an output folder that is gone is not quietly made again
        partial = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".partial-"))
        try:
            _fill(partial, content, request_digest)
            _swap(partial, folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    except OSError as error:
        raise OutputError(
            f"cannot write into {folder.parent}: {error.strerror or error}; the finished part is intact, "
            "the same command goes on from there",
            reason=Reason.CANNOT_WRITE,
        ) from error


def clear_leftovers(studies: Path) -> None:
    """Make the folder of studies and remove what a killed run left half-written; the caller holds the lock.

    Raises
    ------
    OutputError
        The folder cannot be made or written.
    """
    try:
        studies.mkdir(exist_ok=True)
        for pattern in (".partial-*", ".old-*"):
            for leftover in (*studies.glob(pattern), *studies.parent.glob(pattern)):
                if leftover.is_dir():
                    shutil.rmtree(leftover)
                else:
                    leftover.unlink()
    except OSError as error:
        raise OutputError(f"cannot write into {studies}: {error.strerror}") from error


def finished(folder: Path, request_digest: str) -> bool:
    """Return whether the folder holds the result of exactly this request, every file as it was written."""
    record = read_record(folder)
    return record is not None and record.get("request_digest") == request_digest and not damaged(folder)


def read_record(folder: Path) -> dict[str, Any] | None:
    """Return the ledger of a study's folder, or None where there is none that can be read."""
    try:
        record = json.loads((folder / RECORD_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) else None


def damaged(folder: Path) -> tuple[str, ...]:
    """Return the names of files that are not what the ledger says."""
    record = read_record(folder)
    if record is None:
        return (RECORD_NAME,)
    return tuple(
        name
        for name, expected in sorted(record.get("outputs", {}).items())
        if file_digest(folder / name) != expected
    )


def file_digest(path: Path) -> str | None:
    """Return the SHA-256 of a file, None where it cannot be read."""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return None


def to_json(value: object) -> bytes:
    """Write JSON with sorted keys, readable, ending in a newline."""
    return (json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _fill(partial: Path, content: StudyFiles, request_digest: str) -> None:
    outputs = {}
    for name, data in content.files.items():
        target = partial / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        outputs[name] = hashlib.sha256(data).hexdigest()
    record = {**content.record, "request_digest": request_digest, "outputs": outputs}
    (partial / RECORD_NAME).write_bytes(to_json(record))
    partial.chmod(0o755)


def _swap(partial: Path, folder: Path) -> None:
    if folder.exists():
        old = folder.with_name(f".old-{folder.name}")
        shutil.rmtree(old, ignore_errors=True)
        folder.rename(old)
        partial.rename(folder)
        shutil.rmtree(old, ignore_errors=True)
    else:
        partial.rename(folder)
