"""The header pass: one small frozen record per plane, or the reason why a file gives none."""

from __future__ import annotations

import math
import os
import struct
import warnings
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO

import pydicom
from pydicom import config as pydicom_config
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from lfja_mri.errors import Reason
from lfja_mri.ingest.files import Source, open_each
from lfja_mri.model import Rejection

PARSE_ERRORS = (
    InvalidDicomError,
    EOFError,
    OSError,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    NotImplementedError,
    RuntimeError,
    ArithmeticError,
    AssertionError,
    MemoryError,
    struct.error,
    zlib.error,
)
MR_CLASSES = frozenset(
    {
        "1.2.840.10008.5.1.4.1.1.4",
        "1.2.840.10008.5.1.4.1.1.4.1",
        "1.2.840.10008.5.1.4.1.1.4.4",
    }
)
COMPRESSED_PREFIXES = ("1.2.840.10008.1.2.4", "1.2.840.10008.1.2.5")
DEFLATED = "1.2.840.10008.1.2.1.99"
PREAMBLE_BYTES = 128
PIXEL_DATA_TAG = 0x7FE00010
KEYWORDS = (
    "ImageType",
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyDate",
    "SeriesDate",
    "AcquisitionDate",
    "StudyTime",
    "SeriesTime",
    "AcquisitionTime",
    "AcquisitionDateTime",
    "Modality",
    "Manufacturer",
    "ManufacturerModelName",
    "SeriesDescription",
    "ProtocolName",
    "ContrastBolusAgent",
    "ScanningSequence",
    "SequenceVariant",
    "ScanOptions",
    "SequenceName",
    "PulseSequenceName",
    "SliceThickness",
    "RepetitionTime",
    "EchoTime",
    "InversionTime",
    "MagneticFieldStrength",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "SeriesNumber",
    "AcquisitionNumber",
    "InstanceNumber",
    "TemporalPositionIdentifier",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "FrameOfReferenceUID",
    "SamplesPerPixel",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "PixelSpacing",
    "BitsAllocated",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
)
TAGS: list[Any] = [pydicom.datadict.tag_for_keyword(word) for word in KEYWORDS]


@dataclass(frozen=True, slots=True)
class SeriesFacts:
    """What the header says of how a plane was made; None or empty where it is silent.

    `words` are the free-text names in lower case: matched against fixed lists, never written anywhere.
    """

    repetition_time_ms: float | None = None
    echo_time_ms: float | None = None
    inversion_time_ms: float | None = None
    field_strength_t: float | None = None
    agent: str = ""
    words: str = ""
    scanning_sequence: frozenset[str] = frozenset()
    scan_options: frozenset[str] | None = None
    image_type: tuple[str, ...] = ()
    fat_suppression: str = ""
    maker: str = ""
    date: str = ""
    time_s: float | None = None


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


class HeaderError(Exception):
    """A file or frame gives no plane; carries the code and the words."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


@contextmanager
def quiet_reading() -> Iterator[None]:
    """Let pydicom accept malformed values without a word: each value that matters is checked here."""
    before = pydicom_config.settings.reading_validation_mode
    pydicom_config.settings.reading_validation_mode = pydicom_config.IGNORE
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        pydicom_config.settings.reading_validation_mode = before


def read_headers(sources: Iterable[Source]) -> tuple[list[PlaneHeader], list[Rejection]]:
    """Read the header of every source; a file with several frames gives one record a frame."""
    planes: list[PlaneHeader] = []
    rejections: list[Rejection] = []
    with quiet_reading():
        for source, stream in open_each(sources):
            try:
                planes.extend(_planes_of(source, stream))
            except HeaderError as error:
                rejections.append(Rejection(source.where, error.reason, error.detail))
            except PARSE_ERRORS:
                rejections.append(Rejection(source.where, Reason.UNREADABLE_FILE, "a damaged DICOM header"))
    return planes, rejections


def read_dataset(stream: BinaryIO, *, tags: list[Any] | None = None) -> Dataset:
    """Read a data set, whole or up to the pixels; the caller has checked that it looks like DICOM."""
    return pydicom.dcmread(stream, stop_before_pixels=tags is not None, specific_tags=tags, force=True)


def _planes_of(source: Source, stream: BinaryIO | None) -> list[PlaneHeader]:
    if stream is None:
        raise HeaderError(Reason.UNREADABLE_FILE, "it could not be opened")
    _require_dicom(stream)
    dataset = read_dataset(stream, tags=TAGS)
    _require_mr(dataset)
    _require_pixels(dataset, stream)
    if "PerFrameFunctionalGroupsSequence" in dataset:
        return _frames_of(source, dataset)
    if (_integer(dataset.get("NumberOfFrames")) or 1) > 1:
        raise HeaderError(Reason.MISSING_POSITION, "several frames in one file without a place for each")
    return [_plane(source, None, (dataset,), _facts((dataset,)))]


def _require_dicom(stream: BinaryIO) -> None:
    start = stream.read(PREAMBLE_BYTES + 4)
    stream.seek(0)
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


def _require_mr(dataset: Dataset) -> None:
    sop_class = str(dataset.get("SOPClassUID") or "")
    modality = str(dataset.get("Modality") or "").upper()
    if "DirectoryRecordSequence" in dataset or sop_class == "1.2.840.10008.1.3.10":
        raise HeaderError(Reason.NOT_MR_IMAGE, "a DICOMDIR: the files themselves are read")
    meta_class = str(getattr(dataset, "file_meta", Dataset()).get("MediaStorageSOPClassUID") or "")
    if meta_class == "1.2.840.10008.1.3.10":
        raise HeaderError(Reason.NOT_MR_IMAGE, "a DICOMDIR: the files themselves are read")
    if modality not in {"", "MR"}:
        raise HeaderError(Reason.NOT_MR_IMAGE, "another modality than MR")
    known = sop_class or ("" if modality else meta_class)
    if known and known not in MR_CLASSES:
        raise HeaderError(Reason.NOT_MR_IMAGE, "another kind of object than an MR image")


def _require_pixels(dataset: Dataset, stream: BinaryIO) -> None:
    if (_integer(dataset.get("SamplesPerPixel")) or 1) != 1:
        raise HeaderError(Reason.COLOUR_IMAGE, "colour pixels: a screen copy or a map")
    syntax = str(getattr(dataset, "file_meta", Dataset()).get("TransferSyntaxUID") or "")
    if syntax == DEFLATED:
        return
    here = stream.tell()
    size = stream.seek(0, os.SEEK_END)
    stream.seek(here)
    head = stream.read(4)
    if len(head) < 4 or _tag(head, big=syntax == "1.2.840.10008.1.2.2") != PIXEL_DATA_TAG:
        raise HeaderError(
            Reason.TRUNCATED_FILE if len(head) < 4 else Reason.NO_PIXELS, "no pixels in the file"
        )
    if not syntax.startswith(COMPRESSED_PREFIXES) and size - here - 8 < _pixel_bytes(dataset):
        raise HeaderError(Reason.TRUNCATED_FILE, "the file ends before its pixels do")


def _tag(head: bytes, *, big: bool) -> int:
    group, element = struct.unpack(">HH" if big else "<HH", head)
    return int(group << 16 | element)


def _pixel_bytes(dataset: Dataset) -> int:
    pixels = (_integer(dataset.get("Rows")) or 0) * (_integer(dataset.get("Columns")) or 0)
    frames = _integer(dataset.get("NumberOfFrames")) or 1
    return pixels * frames * (_integer(dataset.get("BitsAllocated")) or 16) // 8


def _frames_of(source: Source, dataset: Dataset) -> list[PlaneHeader]:
    shared_items = dataset.get("SharedFunctionalGroupsSequence") or []
    shared = _macros(shared_items[0]) if shared_items else []
    planes = []
    for frame, item in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        places = (*_macros(item), *shared, dataset)
        planes.append(_plane(source, frame, places, _facts(places)))
    return planes


def _macros(item: Dataset) -> list[Dataset]:
    """Return the items of every functional group of one frame, nested sequences after their parents."""
    found = []
    for element in item:
        if element.VR == "SQ" and not element.tag.is_private:
            for inner in element.value:
                found.append(inner)
                found.extend(_macros(inner))
    return found


def _first(places: Iterable[Dataset], *keywords: str) -> Any:
    held = tuple(places)
    for keyword in keywords:
        for place in held:
            value = _value(place, keyword)
            if value is not None and value != "":
                return value
    return None


def _value(place: Dataset, keyword: str) -> Any:
    """Return a value, or None where it is absent or garbled."""
    try:
        return place.get(keyword)
    except PARSE_ERRORS:
        return None


def _plane(source: Source, frame: int | None, places: tuple[Dataset, ...], facts: SeriesFacts) -> PlaneHeader:
    rows, columns = _integer(_first(places, "Rows")), _integer(_first(places, "Columns"))
    if not rows or not columns:
        raise HeaderError(Reason.NO_PIXELS, "an image without rows or columns")
    position = _numbers(_first(places, "ImagePositionPatient"), 3)
    if position is None:
        raise HeaderError(Reason.MISSING_POSITION, "no ImagePositionPatient")
    spacing = _numbers(_first(places, "PixelSpacing"), 2)
    if spacing is None or min(spacing) <= 0:
        raise HeaderError(Reason.MISSING_SPACING, "no usable PixelSpacing")
    return PlaneHeader(
        source=source,
        frame=frame,
        study_uid=_text(_value(places[-1], "StudyInstanceUID")),
        series_uid=_text(_value(places[-1], "SeriesInstanceUID")),
        sop_uid=_text(_value(places[-1], "SOPInstanceUID")),
        frame_of_reference=_text(_value(places[-1], "FrameOfReferenceUID")),
        position_lps_mm=(position[0], position[1], position[2]),
        orientation=_orientation(places),
        spacing_mm=(spacing[0], spacing[1]),
        rows=rows,
        columns=columns,
        thickness_mm=_positive(_first(places, "SliceThickness")),
        series_number=_integer(_first(places, "SeriesNumber")),
        instance_number=_integer(_first(places, "InstanceNumber")) if frame is None else frame + 1,
        acquisition=_acquisition(places, facts),
        facts=facts,
    )


def _orientation(places: tuple[Dataset, ...]) -> tuple[float, float, float, float, float, float]:
    value = _numbers(_first(places, "ImageOrientationPatient"), 6)
    if value is None:
        raise HeaderError(Reason.MISSING_ORIENTATION, "no ImageOrientationPatient")
    row, column = value[:3], value[3:]
    lengths = math.hypot(*row), math.hypot(*column)
    across = sum(first * second for first, second in zip(row, column, strict=True))
    if max(abs(length - 1) for length in lengths) > 1e-3 or abs(across) > 1e-3:
        raise HeaderError(Reason.INVALID_GEOMETRY, "orientation vectors that are not unit and perpendicular")
    return (value[0], value[1], value[2], value[3], value[4], value[5])


def _acquisition(places: tuple[Dataset, ...], facts: SeriesFacts) -> tuple[float, ...]:
    """Return what tells repeated acquisitions of one place apart, most trusted first."""
    numbers = [
        _first(places, "TemporalPositionIdentifier", "TemporalPositionIndex"),
        _first(places, "AcquisitionNumber"),
        facts.time_s,
    ]
    return tuple(-1.0 if (number := _number(value)) is None else number for value in numbers)


def _facts(places: tuple[Dataset, ...]) -> SeriesFacts:
    texts = (
        _text(_first(places, word))
        for word in ("SeriesDescription", "ProtocolName", "SequenceName", "PulseSequenceName")
    )
    options = _first(places, "ScanOptions")
    return SeriesFacts(
        repetition_time_ms=_positive(_first(places, "RepetitionTime")),
        echo_time_ms=_positive(_first(places, "EffectiveEchoTime", "EchoTime")),
        inversion_time_ms=_positive(_first(places, "InversionTime", "InversionTimes")),
        field_strength_t=_positive(_first(places, "MagneticFieldStrength")),
        agent=_text(_first(places, "ContrastBolusAgent")).strip().lower(),
        words=" ".join(texts).lower(),
        scanning_sequence=frozenset(_texts(_first(places, "ScanningSequence")))
        | ({"IR"} if _text(_first(places, "InversionRecovery")) == "YES" else frozenset()),
        scan_options=None if options is None else frozenset(_texts(options)),
        image_type=tuple(_texts(_first(places, "FrameType", "ImageType"))),
        fat_suppression=_text(_first(places, "SpectrallySelectedSuppression")).upper(),
        maker=f"{_text(_first(places, 'Manufacturer'))}|{_text(_first(places, 'ManufacturerModelName'))}",
        date=_text(_first(places, "AcquisitionDate", "SeriesDate", "StudyDate", "AcquisitionDateTime"))[:8],
        time_s=_clock(places),
    )


def _clock(places: tuple[Dataset, ...]) -> float | None:
    """Seconds since midnight of the acquisition, else of the series."""
    whole = _text(_first(places, "FrameAcquisitionDateTime", "AcquisitionDateTime"))
    text = whole[8:] or _text(_first(places, "AcquisitionTime", "SeriesTime"))
    digits = text.replace(":", "")
    try:
        return int(digits[:2]) * 3600 + int(digits[2:4] or 0) * 60 + float(digits[4:12] or 0)
    except ValueError:
        return None


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip().strip("\0")


def _texts(value: Any) -> list[str]:
    if value is None:
        return []
    parts = [value] if isinstance(value, str) else list(value)
    return [str(part).strip().upper() for part in parts]


def _number(value: Any) -> float | None:
    if value is None:
        return None
    try:
        number = float(value[0] if isinstance(value, (list, pydicom.multival.MultiValue)) else value)
    except (TypeError, ValueError, IndexError):
        return None
    return number if math.isfinite(number) else None


def _positive(value: Any) -> float | None:
    number = _number(value)
    return number if number is not None and number > 0 else None


def _integer(value: Any) -> int | None:
    number = _number(value)
    return None if number is None else int(number)


def _numbers(value: Any, count: int) -> tuple[float, ...] | None:
    try:
        numbers = tuple(float(part) for part in value)
    except (TypeError, ValueError):
        return None
    return numbers if len(numbers) == count and all(map(math.isfinite, numbers)) else None
