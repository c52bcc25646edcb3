"""A fast walk over the usual DICOM headers, element by element, without interpreting what nobody asks for.

It covers what scanners write: little-endian files with a preamble. Anything else, or anything odd on the way, comes
back as None and is read by pydicom instead (`dataset.py`), so speed never decides what is found.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, BinaryIO

IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
COMPRESSED_PREFIXES = ("1.2.840.10008.1.2.4", "1.2.840.10008.1.2.5")
FIRST_READ_BYTES = 1 << 15
LARGEST_HEADER_BYTES = 1 << 24  # a thousand frames need about a quarter of it
PREAMBLE_BYTES = 128
UNKNOWN_LENGTH = 0xFFFFFFFF
EXPLICIT_HEAD = struct.Struct("<HH2sH")
PIXEL_DATA = 0x7FE00010
FIRST_PIXEL_TAG = 0x7FE00001
FRAME_GROUPS = range(0x52009229, 0x52009231)
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
DEEPEST_NESTING = 16
LONG_VRS = frozenset(
    {b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"}
)
SHORT_VRS = frozenset(
    {
        *(b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS"),
        *(b"LO", b"LT", b"PN", b"SH", b"SL", b"SS", b"ST", b"TM", b"UI", b"UL", b"US"),
    }
)
NUMBER_TAGS = {
    0x00280002: "SamplesPerPixel",
    0x00280010: "Rows",
    0x00280011: "Columns",
    0x00280100: "BitsAllocated",
    0x00280101: "BitsStored",
    0x00280102: "HighBit",
    0x00280103: "PixelRepresentation",
}
TEXT_TAGS = {
    0x00020002: "MediaStorageSOPClassUID",
    0x00020010: "TransferSyntaxUID",
    0x00080008: "ImageType",
    0x00080016: "SOPClassUID",
    0x00080018: "SOPInstanceUID",
    0x00080020: "StudyDate",
    0x00080021: "SeriesDate",
    0x00080022: "AcquisitionDate",
    0x0008002A: "AcquisitionDateTime",
    0x00080031: "SeriesTime",
    0x00080032: "AcquisitionTime",
    0x00080060: "Modality",
    0x00080070: "Manufacturer",
    0x0008103E: "SeriesDescription",
    0x00081090: "ManufacturerModelName",
    0x00180010: "ContrastBolusAgent",
    0x00180020: "ScanningSequence",
    0x00180022: "ScanOptions",
    0x00180024: "SequenceName",
    0x00180050: "SliceThickness",
    0x00180080: "RepetitionTime",
    0x00180081: "EchoTime",
    0x00180082: "InversionTime",
    0x00180087: "MagneticFieldStrength",
    0x00181030: "ProtocolName",
    0x00189005: "PulseSequenceName",
    0x0020000D: "StudyInstanceUID",
    0x0020000E: "SeriesInstanceUID",
    0x00200011: "SeriesNumber",
    0x00200012: "AcquisitionNumber",
    0x00200013: "InstanceNumber",
    0x00200032: "ImagePositionPatient",
    0x00200037: "ImageOrientationPatient",
    0x00200052: "FrameOfReferenceUID",
    0x00200100: "TemporalPositionIdentifier",
    0x00280004: "PhotometricInterpretation",
    0x00280008: "NumberOfFrames",
    0x00280030: "PixelSpacing",
    0x00281052: "RescaleIntercept",
    0x00281053: "RescaleSlope",
}
WANTED = frozenset(NUMBER_TAGS) | frozenset(TEXT_TAGS)
Raw = dict[int, bytes]


@dataclass(frozen=True, slots=True)
class Record:
    """What one file says, read either way.

    Parameters
    ----------
    fields
        Values by DICOM keyword, file meta included: text, several texts, or a whole number; absent ones are left out.
    pixel_start
        Offset of the pixel bytes in the file; None where the file holds no pixels.
    pixel_length
        Bytes from there to the end of the file; None where the data set is packed as a whole.
    frames
        For an enhanced multi-frame file: per frame, where to look for a value, nearest first.
    """

    fields: dict[str, Any]
    pixel_start: int | None
    pixel_length: int | None
    frames: tuple[tuple[Any, ...], ...] | None = None


class _OddError(Exception):
    """The bytes are not those of a plain header."""


class _ShortError(Exception):
    """The header goes on beyond the bytes read."""


def scan(stream: BinaryIO) -> Record | None:
    """Read the header of a plain file; None where pydicom has to."""
    data = stream.read(FIRST_READ_BYTES)
    if data[PREAMBLE_BYTES : PREAMBLE_BYTES + 4] != b"DICM":
        return None
    try:
        try:
            raw, start = _walk(data)
        except _ShortError:
            raw, start = _walk(data + stream.read(LARGEST_HEADER_BYTES))
    except (_OddError, _ShortError):
        return None
    if start is None:
        # no pixels where they belong: damage, perhaps, that pydicom reads round
        return None
    return Record(_decoded(raw), start, stream.seek(0, os.SEEK_END) - start)


def _walk(data: bytes) -> tuple[Raw, int | None]:
    found: Raw = {}
    place = _walk_meta(data, found)
    syntax = _text(found.get(0x00020010, b""))
    if syntax not in {IMPLICIT, EXPLICIT} and not syntax.startswith(COMPRESSED_PREFIXES):
        raise _OddError
    return found, _walk_elements(data, place, found, explicit=syntax != IMPLICIT)


def _walk_meta(data: bytes, found: Raw) -> int:
    place, end, unpack = PREAMBLE_BYTES + 4, len(data) - 12, EXPLICIT_HEAD.unpack_from
    while data[place : place + 2] == b"\x02\x00":
        if place > end:
            raise _ShortError
        group, element, kind, length = unpack(data, place)
        tag, start = group << 16 | element, place + 8
        if kind not in SHORT_VRS:
            tag, start, length = _element(data, place, explicit=True)
        if length == UNKNOWN_LENGTH or start + length > len(data):
            raise _OddError
        found[tag] = data[start : start + length]
        place = start + length
    return place


def _walk_elements(data: bytes, place: int, found: Raw, *, explicit: bool) -> int | None:
    """Keep what is wanted up to the pixels; return where those start."""
    last, end, unpack = 0, len(data) - 12, EXPLICIT_HEAD.unpack_from
    while True:
        if explicit and place <= end:
            # the usual element, spelt out: this loop is what the header pass spends its time on
            group, element, kind, length = unpack(data, place)
            tag, start = group << 16 | element, place + 8
            if kind not in SHORT_VRS:
                tag, start, length = _element(data, place, explicit=True)
        else:
            tag, start, length = _element(data, place, explicit=explicit)
        if tag <= last or tag in FRAME_GROUPS:
            raise _OddError
        if tag >= FIRST_PIXEL_TAG:
            return start if tag == PIXEL_DATA else None
        if length == UNKNOWN_LENGTH:
            place = _after_sequence(data, start, DEEPEST_NESTING, explicit=explicit)
        else:
            place = start + length
            if tag in WANTED:
                found[tag] = data[start:place]
        last = tag


def _element(data: bytes, place: int, *, explicit: bool) -> tuple[int, int, int]:
    """Return tag, start of the value, and its length."""
    if place + 12 > len(data):
        raise _ShortError
    if not explicit:
        group, element, length = struct.unpack_from("<HHL", data, place)
        return group << 16 | element, place + 8, length
    group, element, kind, length = struct.unpack_from("<HH2sH", data, place)
    if kind in SHORT_VRS:
        return group << 16 | element, place + 8, length
    if kind in LONG_VRS:
        return group << 16 | element, place + 12, struct.unpack_from("<L", data, place + 8)[0]
    raise _OddError


def _after_sequence(data: bytes, place: int, depth: int, *, explicit: bool) -> int:
    """Return where a sequence of unknown length ends."""
    while True:
        tag, place, length = _item(data, place)
        if tag == SEQUENCE_END:
            return place
        if tag != ITEM or not depth:
            raise _OddError
        place = (
            _after_item(data, place, depth, explicit=explicit) if length == UNKNOWN_LENGTH else place + length
        )


def _after_item(data: bytes, place: int, depth: int, *, explicit: bool) -> int:
    while True:
        tag, after, _ = _item(data, place)
        if tag == ITEM_END:
            return after
        _, start, length = _element(data, place, explicit=explicit)
        unknown = length == UNKNOWN_LENGTH
        place = _after_sequence(data, start, depth - 1, explicit=explicit) if unknown else start + length


def _item(data: bytes, place: int) -> tuple[int, int, int]:
    if place + 8 > len(data):
        raise _ShortError
    group, element, length = struct.unpack_from("<HHL", data, place)
    return group << 16 | element, place + 8, length


def _decoded(raw: Raw) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for tag, value in raw.items():
        word = TEXT_TAGS.get(tag)
        if word is not None:
            text = _value(value)
            if text:
                fields[word] = text
        elif tag in NUMBER_TAGS and len(value) == 2:
            fields[NUMBER_TAGS[tag]] = struct.unpack("<H", value)[0]
    return fields


@lru_cache(maxsize=4096)
def _value(value: bytes) -> str | tuple[str, ...]:
    """Decode text; most values repeat from file to file, so they are kept."""
    text = _text(value)
    return tuple(text.split("\\")) if "\\" in text else text


def _text(value: bytes) -> str:
    # padding follows a value; a zero byte before it is damage, and must not be read round
    return value.decode("latin-1").lstrip(" ").rstrip(" \0")
