"""The header pass: one small frozen record per plane, or the reason why a file gives none."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, BinaryIO

from lfja_mri.errors import Reason
from lfja_mri.ingest.facts import SeriesFacts, facts_of
from lfja_mri.ingest.files import Source, open_each
from lfja_mri.ingest.scan import COMPRESSED_PREFIXES, PREAMBLE_BYTES, Record, scan
from lfja_mri.ingest.stored import Stored, stored_of
from lfja_mri.ingest.values import (
    PARSE_ERRORS,
    first_value,
    integer_of,
    number_of,
    numbers_of,
    positive_of,
    text_of,
    value_of,
)
from lfja_mri.model import Rejection

MR_CLASSES = frozenset(
    {
        "1.2.840.10008.5.1.4.1.1.4",
        "1.2.840.10008.5.1.4.1.1.4.1",
        "1.2.840.10008.5.1.4.1.1.4.4",
    }
)
END_OF_FRAGMENTS = b"\xfe\xff\xdd\xe0\x00\x00\x00\x00"
LAST_BYTES = 64
DIRECTORY_CLASS = "1.2.840.10008.1.3.10"


@dataclass(frozen=True, slots=True)
class PlaneHeader:
    """One plane: where it lies and how to find its pixels; `frame` is None for a single-frame file."""

    source: Source
    frame: int | None
    study_uid: str
    series_uid: str
    sop_uid: str
    frame_of_reference: str
    position_lps_mm: tuple[float, float, float]
    orientation: tuple[float, float, float, float, float, float]
    spacing_mm: tuple[float, float]
    rows: int
    columns: int
    thickness_mm: float | None
    series_number: int | None
    instance_number: int | None
    acquisition: tuple[float, ...]
    facts: SeriesFacts
    stored: Stored


class HeaderError(Exception):
    """A file or frame gives no plane; carries the code and the words."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def read_headers(sources: Iterable[Source]) -> tuple[list[PlaneHeader], list[Rejection]]:
    """Read the header of every source; a file with several frames gives one record a frame."""
    planes: list[PlaneHeader] = []
    rejections: list[Rejection] = []
    for source, stream in open_each(sources):
        try:
            planes.extend(_planes_of(source, stream))
        except HeaderError as error:
            rejections.append(Rejection(source.where, error.reason, error.detail))
        except PARSE_ERRORS:
            rejections.append(Rejection(source.where, Reason.UNREADABLE_FILE, "a damaged DICOM header"))
    return planes, rejections


def read_record(stream: BinaryIO) -> Record:
    """Read one header, the fast way where it can be.

    Raises
    ------
    HeaderError
        The file is empty or not DICOM.
    """
    record = scan(stream)
    if record is not None:
        return record
    stream.seek(0)
    _require_dicom(stream)
    # pydicom takes long to load, and most inputs never need it
    from lfja_mri.ingest.dataset import read_record as read_any

    return read_any(stream)


def _planes_of(source: Source, stream: BinaryIO | None) -> list[PlaneHeader]:
    if stream is None:
        raise HeaderError(Reason.UNREADABLE_FILE, "it could not be opened")
    record = read_record(stream)
    _require_mr(record.fields)
    _require_pixels(record, stream)
    if record.frames is not None:
        return [
            _plane(source, record, frame, (*places, record.fields))
            for frame, places in enumerate(record.frames)
        ]
    if (integer_of(record.fields.get("NumberOfFrames")) or 1) > 1:
        raise HeaderError(Reason.MISSING_POSITION, "several frames in one file without a place for each")
    return [_plane(source, record, None, (record.fields,))]


def _require_dicom(stream: BinaryIO) -> None:
    start = stream.read(PREAMBLE_BYTES + 4)
    if not start:
        raise HeaderError(Reason.EMPTY_FILE, "zero bytes")
    if start[PREAMBLE_BYTES:] == b"DICM":
        return
    # without a preamble the data set starts at once, with group 0002 or 0008
    if start[:2] in {b"\x02\x00", b"\x08\x00"} and start[3:4] == b"\x00":
        return
    if start[:4] in {b"\x00\x08\x00\x05", b"\x00\x08\x00\x08", b"\x00\x08\x00\x16"}:
        return
    raise HeaderError(Reason.NOT_DICOM, "not a DICOM file")


def _require_mr(fields: Mapping[str, Any]) -> None:
    sop_class, meta_class = text_of(fields.get("SOPClassUID")), text_of(fields.get("MediaStorageSOPClassUID"))
    modality = text_of(fields.get("Modality")).upper()
    if DIRECTORY_CLASS in {sop_class, meta_class}:
        raise HeaderError(Reason.NOT_MR_IMAGE, "a DICOMDIR: the files themselves are read")
    if modality not in {"", "MR"}:
        raise HeaderError(Reason.NOT_MR_IMAGE, "another modality than MR")
    known = sop_class or ("" if modality else meta_class)
    if known and known not in MR_CLASSES:
        raise HeaderError(Reason.NOT_MR_IMAGE, "another kind of object than an MR image")


def _require_pixels(record: Record, stream: BinaryIO) -> None:
    fields = record.fields
    if (integer_of(fields.get("SamplesPerPixel")) or 1) != 1:
        raise HeaderError(Reason.COLOUR_IMAGE, "colour pixels: a screen copy or a map")
    if record.pixel_start is None:
        raise HeaderError(Reason.NO_PIXELS, "no pixels in the file, or it ends before them")
    if record.pixel_length is None:
        return
    if text_of(fields.get("TransferSyntaxUID")).startswith(COMPRESSED_PREFIXES):
        whole = _ends_its_fragments(stream, record.pixel_start)
    else:
        whole = record.pixel_length >= _pixel_bytes(fields)
    if not whole:
        raise HeaderError(Reason.TRUNCATED_FILE, "the file ends before its pixels do")


def _ends_its_fragments(stream: BinaryIO, pixel_start: int) -> bool:
    """Return whether compressed pixels are closed, as a rule by the last bytes of the file."""
    size = stream.seek(0, os.SEEK_END)
    stream.seek(max(pixel_start, size - LAST_BYTES))
    if END_OF_FRAGMENTS in stream.read():
        return True
    stream.seek(pixel_start)
    return END_OF_FRAGMENTS in stream.read()


def _pixel_bytes(fields: Mapping[str, Any]) -> int:
    pixels = (integer_of(fields.get("Rows")) or 0) * (integer_of(fields.get("Columns")) or 0)
    frames = integer_of(fields.get("NumberOfFrames")) or 1
    return pixels * frames * (integer_of(fields.get("BitsAllocated")) or 16) // 8


def _plane(source: Source, record: Record, frame: int | None, places: tuple[Any, ...]) -> PlaneHeader:
    facts = facts_of(places)
    rows, columns = integer_of(first_value(places, "Rows")), integer_of(first_value(places, "Columns"))
    if not rows or not columns:
        raise HeaderError(Reason.NO_PIXELS, "an image without rows or columns")
    position = numbers_of(first_value(places, "ImagePositionPatient"), 3)
    if position is None:
        raise HeaderError(Reason.MISSING_POSITION, "no ImagePositionPatient")
    spacing = numbers_of(first_value(places, "PixelSpacing"), 2)
    if spacing is None or min(spacing) <= 0:
        raise HeaderError(Reason.MISSING_SPACING, "no usable PixelSpacing")
    return PlaneHeader(
        source=source,
        frame=frame,
        study_uid=text_of(value_of(places[-1], "StudyInstanceUID")),
        series_uid=text_of(value_of(places[-1], "SeriesInstanceUID")),
        sop_uid=text_of(value_of(places[-1], "SOPInstanceUID")),
        frame_of_reference=text_of(value_of(places[-1], "FrameOfReferenceUID")),
        position_lps_mm=(position[0], position[1], position[2]),
        orientation=_orientation(places),
        spacing_mm=(spacing[0], spacing[1]),
        rows=rows,
        columns=columns,
        thickness_mm=positive_of(first_value(places, "SliceThickness")),
        series_number=integer_of(first_value(places, "SeriesNumber")),
        instance_number=integer_of(
            first_value(places, "InstanceNumber" if frame is None else "InStackPositionNumber")
        ),
        acquisition=_acquisition(places, facts),
        facts=facts,
        stored=stored_of(record, frame, places),
    )


def _orientation(places: tuple[Any, ...]) -> tuple[float, float, float, float, float, float]:
    value = numbers_of(first_value(places, "ImageOrientationPatient"), 6)
    if value is None:
        raise HeaderError(Reason.MISSING_ORIENTATION, "no ImageOrientationPatient")
    if not _is_rigid(value):
        raise HeaderError(Reason.INVALID_GEOMETRY, "orientation vectors that are not unit and perpendicular")
    return (value[0], value[1], value[2], value[3], value[4], value[5])


@lru_cache(maxsize=256)
def _is_rigid(value: tuple[float, ...]) -> bool:
    """Return whether two direction vectors are of unit length and at a right angle."""
    row, column = value[:3], value[3:]
    lengths = math.hypot(*row), math.hypot(*column)
    across = sum(first * second for first, second in zip(row, column, strict=True))
    return max(abs(length - 1) for length in lengths) <= 1e-3 and abs(across) <= 1e-3


def _acquisition(places: tuple[Any, ...], facts: SeriesFacts) -> tuple[float, ...]:
    """Return what tells repeated acquisitions of one place apart, most trusted first."""
    numbers = [
        first_value(places, "TemporalPositionIdentifier", "TemporalPositionIndex"),
        first_value(places, "AcquisitionNumber"),
        facts.time_s,
    ]
    return tuple(-1.0 if (number := number_of(value)) is None else number for value in numbers)
