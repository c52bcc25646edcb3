"""What a study's bytes are, and whose they are as far as a table may say: digests, never names or numbers."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from datetime import date
from typing import BinaryIO

from lfja_mri.ingest.files import Source, open_each

HASH_LENGTH = 10
BLOCK_BYTES = 1 << 20


def content_digest(sources: Iterable[Source]) -> str:
    """Return the SHA-256 over the contents of files, whatever their names and order."""
    digests = []
    for _, stream in open_each(sources):
        if stream is not None:
            digests.append(_digest(stream))
    return hashlib.sha256("".join(sorted(digests)).encode()).hexdigest()


def _digest(stream: BinaryIO) -> str:
    digest = hashlib.sha256()
    while block := stream.read(BLOCK_BYTES):
        digest.update(block)
    return digest.hexdigest()


def subject_key(study_key: str, sources: Iterable[Source], salt: bytes | None) -> str:
    """Return a keyed hash that stands for the person.

    Parameters
    ----------
    study_key
        Without a salt the key is the study itself, so that nobody can link or guess: patient numbers are few, and
        an unkeyed hash of one is undone by trying them all.
    sources
        Files of the study; the first readable one tells the patient number.
    salt
        Secret key under which the visits of one person get the same hash.
    """
    number = _first_said(sources, "PatientID") if salt is not None else ""
    key, text = (salt, number) if salt is not None and number else (b"study", study_key)
    return "s-" + hmac.new(key, text.encode(), hashlib.sha256).hexdigest()[:HASH_LENGTH]


def study_date(sources: Iterable[Source]) -> date | None:
    """Return the day of a study, None where no header tells."""
    held = tuple(sources)
    for keyword in ("StudyDate", "SeriesDate", "AcquisitionDate"):
        text = _first_said(held[:1], keyword)
        try:
            return date(int(text[:4]), int(text[4:6]), int(text[6:8]))
        except ValueError:
            continue
    return None


def _first_said(sources: Iterable[Source], keyword: str) -> str:
    from lfja_mri.ingest.dataset import PYDICOM_ERRORS, quiet_reading, read_dataset

    for _, stream in open_each(sources):
        if stream is None:
            continue
        try:
            with quiet_reading():
                said = str(read_dataset(stream, tags=[keyword]).get(keyword, "")).strip()
        except PYDICOM_ERRORS:
            continue
        if said:
            return said
    return ""
