"""How a plane's pixels are stored, and the way from stored numbers to signal."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from lfja_mri.ingest.scan import EXPLICIT, IMPLICIT, Record
from lfja_mri.ingest.values import first_value, integer_of, number_of, text_of
from lfja_mri.model import ImageArray

StoredArray = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Stored:
    """The layout of one plane's pixels.

    Parameters
    ----------
    start
        Offset of the plane in its file where the pixels are plain little-endian numbers; None where they have to be
        decoded.
    bits_allocated, bits_stored, signed
        As in DICOM.
    inverted
        True where low numbers are bright (MONOCHROME1).
    slope, intercept
        Signal = slope x number + intercept.
    """

    start: int | None
    bits_allocated: int
    bits_stored: int
    signed: bool
    inverted: bool
    slope: float
    intercept: float


LAYOUT_WORDS = (
    *("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PhotometricInterpretation"),
    *("TransferSyntaxUID", "Rows", "Columns"),
)


@dataclass(frozen=True, slots=True)
class _Layout:
    """What the files of a series share: of plain pixels the bytes of a frame, of others None."""

    frame_bytes: int | None
    bits_allocated: int
    bits_stored: int
    signed: bool
    inverted: bool


def stored_of(record: Record, frame: int | None, places: tuple[Any, ...]) -> Stored:
    """Read the layout of one plane; a slope of zero or none at all counts as one."""
    layout = _layout(tuple(map(record.fields.get, LAYOUT_WORDS)))
    start = None
    if layout.frame_bytes is not None and record.pixel_start is not None:
        start = record.pixel_start + (frame or 0) * layout.frame_bytes
    return Stored(
        start=start,
        bits_allocated=layout.bits_allocated,
        bits_stored=layout.bits_stored,
        signed=layout.signed,
        inverted=layout.inverted,
        slope=number_of(first_value(places, "RescaleSlope")) or 1.0,
        intercept=number_of(first_value(places, "RescaleIntercept")) or 0.0,
    )


def _layout(values: tuple[Any, ...]) -> _Layout:
    try:
        return _remembered(values)
    except TypeError:
        # a garbled element may hold a list, which cannot be looked up
        return _read_layout(values)


@lru_cache(maxsize=256)
def _remembered(values: tuple[Any, ...]) -> _Layout:
    return _read_layout(values)


def _read_layout(values: tuple[Any, ...]) -> _Layout:
    fields = dict(zip(LAYOUT_WORDS, values, strict=True))
    allocated = integer_of(fields["BitsAllocated"]) or 16
    bits = integer_of(fields["BitsStored"]) or allocated
    plain = text_of(fields["TransferSyntaxUID"]) in {IMPLICIT, EXPLICIT}
    usual = allocated in {8, 16} and integer_of(fields["HighBit"]) in {None, bits - 1}
    pixels = (integer_of(fields["Rows"]) or 0) * (integer_of(fields["Columns"]) or 0)
    return _Layout(
        frame_bytes=pixels * allocated // 8 if plain and usual and 0 < bits <= allocated else None,
        bits_allocated=allocated,
        bits_stored=bits,
        signed=integer_of(fields["PixelRepresentation"]) == 1,
        inverted=text_of(fields["PhotometricInterpretation"]) == "MONOCHROME1",
    )


def plain_numbers(content: bytes, stored: Stored, rows: int, columns: int) -> StoredArray:
    """Turn plain little-endian bytes into stored numbers, without the bits above those stored.

    Raises
    ------
    ValueError
        Too few bytes.
    """
    kind = np.dtype(f"<{'i' if stored.signed else 'u'}{stored.bits_allocated // 8}")
    numbers = np.frombuffer(content, kind, count=rows * columns).reshape(rows, columns)
    unused = stored.bits_allocated - stored.bits_stored
    return numbers << unused >> unused if unused else numbers


def signal(numbers: StoredArray, stored: Stored) -> ImageArray:
    """Turn stored numbers into signal: inverted ones round, then rescaled."""
    if stored.inverted:
        top = -1 if stored.signed else 2**stored.bits_stored - 1
        numbers = top - numbers.astype(np.int64)
    if stored.slope == 1.0 and stored.intercept == 0.0:
        return numbers.astype(np.float32)
    return np.asarray(numbers.astype(np.float64) * stored.slope + stored.intercept, dtype=np.float32)
