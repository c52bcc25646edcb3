"""How a plane's pixels are stored, and the way from stored numbers to signal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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


def stored_of(record: Record, frame: int | None, places: tuple[Any, ...]) -> Stored:
    """Read the layout of one plane; a slope of zero or none at all counts as one."""
    fields = record.fields
    allocated = integer_of(fields.get("BitsAllocated")) or 16
    bits = integer_of(fields.get("BitsStored")) or allocated
    slope = number_of(first_value(places, "RescaleSlope"))
    return Stored(
        start=_start(record, fields, frame, allocated, bits),
        bits_allocated=allocated,
        bits_stored=bits,
        signed=integer_of(fields.get("PixelRepresentation")) == 1,
        inverted=text_of(fields.get("PhotometricInterpretation")) == "MONOCHROME1",
        slope=slope or 1.0,
        intercept=number_of(first_value(places, "RescaleIntercept")) or 0.0,
    )


def _start(
    record: Record, fields: Mapping[str, Any], frame: int | None, allocated: int, bits: int
) -> int | None:
    plain = text_of(fields.get("TransferSyntaxUID")) in {IMPLICIT, EXPLICIT}
    usual = allocated in {8, 16} and integer_of(fields.get("HighBit")) in {None, bits - 1}
    if not plain or not usual or record.pixel_start is None or not 0 < bits <= allocated:
        return None
    pixels = (integer_of(fields.get("Rows")) or 0) * (integer_of(fields.get("Columns")) or 0)
    return record.pixel_start + (frame or 0) * pixels * allocated // 8


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
