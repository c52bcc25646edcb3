"""The door to pydicom: for the files that the fast walk leaves, and for pixels."""

from __future__ import annotations

import io
import os
import struct
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO

import numpy as np
import pydicom
from pydicom import config as pydicom_config
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.pixels.utils import pixel_array
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless

from lfja_mri.errors import Reason
from lfja_mri.ingest import packbits
from lfja_mri.ingest.scan import LARGEST_HEADER_BYTES, NUMBER_TAGS, PIXEL_DATA, TEXT_TAGS, Record
from lfja_mri.ingest.stored import StoredArray
from lfja_mri.ingest.values import PARSE_ERRORS

DEFLATED = "1.2.840.10008.1.2.1.99"
BIG_ENDIAN = "1.2.840.10008.1.2.2"
ITEM_LITTLE, ITEM_BIG = b"\xfe\xff\x00\xe0", b"\xff\xfe\xe0\x00"
MOST_ITEMS = 200_000
META_BYTES = 1024
BLOCK_BYTES = 1 << 20
LARGEST_UNPACKED_BYTES = 1 << 28
META_WORDS = ("TransferSyntaxUID", "MediaStorageSOPClassUID")
WORDS = tuple(word for word in (*NUMBER_TAGS.values(), *TEXT_TAGS.values()) if word not in META_WORDS)
PYDICOM_ERRORS = (*PARSE_ERRORS, BytesLengthException, InvalidDicomError)
GROUPS = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
TAGS: list[Any] = [tag_for_keyword(word) for word in (*WORDS, *GROUPS, "DirectoryRecordSequence")]


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


def read_record(stream: BinaryIO) -> Record:
    """Read a header of any kind.

    Raises
    ------
    ValueError
        pydicom cannot read it either.
    """
    try:
        return _record(_header_of(stream), stream)
    except PYDICOM_ERRORS as error:
        raise ValueError("pydicom cannot read the header") from error


def _header_of(stream: BinaryIO) -> BinaryIO:
    """Return what pydicom may read for the header: it would go on to the end of any file that hides its pixels.

    Raises
    ------
    ValueError
        More sequence items than any image has: they would fill the memory.
    """
    stream.seek(0)
    start = stream.read(LARGEST_HEADER_BYTES)
    if start.count(ITEM_LITTLE) + start.count(ITEM_BIG) > MOST_ITEMS:
        raise ValueError("too many sequence items")
    return io.BytesIO(start)


def _record(view: BinaryIO, stream: BinaryIO) -> Record:
    with quiet_reading():
        dataset = read_dataset(view, tags=TAGS)
        values = {word: _value(dataset, word) for word in WORDS}
        fields = {word: value for word, value in values.items() if value is not None and value != ""}
        meta = getattr(dataset, "file_meta", Dataset())
        fields |= {word: str(value) for word in META_WORDS if (value := meta.get(word))}
        stream.seek(view.tell())
        start, length = _pixels(dataset, stream, fields.get("TransferSyntaxUID", ""))
        return Record(fields, start, length, _frames(dataset))


def read_dataset(stream: BinaryIO, *, tags: list[Any] | None = None) -> Dataset:
    """Read a data set, whole or up to the pixels; the caller has checked that it looks like DICOM.

    Raises
    ------
    ValueError
        A deflated data set that unpacks to more than any image; or pydicom cannot read it.
    """
    _refuse_bomb(stream)
    return pydicom.dcmread(stream, stop_before_pixels=tags is not None, specific_tags=tags, force=True)


def _refuse_bomb(stream: BinaryIO) -> None:
    """Unpack a deflated data set piece by piece, keeping nothing, before pydicom unpacks it at once."""
    start = stream.read(META_BYTES)
    stream.seek(0)
    if DEFLATED.encode() not in start or start[132:138] != b"\x02\x00\x00\x00UL":
        return
    stream.seek(144 + int.from_bytes(start[140:144], "little"))
    unpacker, total = zlib.decompressobj(-zlib.MAX_WBITS), 0
    while not unpacker.eof and (packed := unpacker.unconsumed_tail or stream.read(BLOCK_BYTES)):
        total += len(unpacker.decompress(packed, BLOCK_BYTES))
        if total > LARGEST_UNPACKED_BYTES:
            raise ValueError("unpacks to more than any image")
    stream.seek(0)


def decoder(stream: BinaryIO) -> Callable[[int | None], StoredArray | Reason]:
    """Open a file for decoding; the result gives the stored numbers of a frame, or the reason why it cannot."""
    try:
        with quiet_reading():
            dataset = _with_syntax(read_dataset(stream))
    except PYDICOM_ERRORS:
        return lambda _: Reason.PIXELS_UNREADABLE
    return lambda frame: _decode(dataset, frame)


def _decode(dataset: Dataset, frame: int | None) -> StoredArray | Reason:
    try:
        with quiet_reading():
            return np.asarray(_frame(dataset, frame))
    except NotImplementedError:
        return Reason.UNSUPPORTED_TRANSFER_SYNTAX
    except PYDICOM_ERRORS:
        return Reason.PIXELS_UNREADABLE


def _frame(dataset: Dataset, frame: int | None) -> StoredArray:
    """Let pydicom decode; RLE by its own slow loop only where the compiled one finds anything odd."""
    if dataset.file_meta.TransferSyntaxUID == RLELossless:
        packbits.register()
        with suppress(*PYDICOM_ERRORS):
            return pixel_array(dataset, raw=True, index=frame, decoding_plugin=packbits.PLUGIN)
    return pixel_array(dataset, raw=True, index=frame)


def _with_syntax(dataset: Dataset) -> Dataset:
    """Name the transfer syntax of a file that lacks its preamble."""
    if not hasattr(dataset, "file_meta"):
        dataset.ensure_file_meta()
    if "TransferSyntaxUID" not in dataset.file_meta:
        implicit, little = dataset.original_encoding
        explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit
    return dataset


def _value(dataset: Dataset, keyword: str) -> Any:
    """Return a value, or None where it is absent or garbled."""
    try:
        return dataset.get(keyword)
    except PYDICOM_ERRORS:
        return None


def _pixels(dataset: Dataset, stream: BinaryIO, syntax: str) -> tuple[int | None, int | None]:
    """Return where the pixels start and how many bytes follow; a deflated data set tells neither."""
    if syntax == DEFLATED:
        return 0, None
    here = stream.tell()
    head = stream.read(8)
    size = stream.seek(0, os.SEEK_END)
    if len(head) < 8:
        return None, None
    group, element = struct.unpack(">HH" if syntax == BIG_ENDIAN else "<HH", head[:4])
    start = here + (8 if dataset.original_encoding[0] else 12)
    return (start, size - start) if group << 16 | element == PIXEL_DATA else (None, None)


def _frames(dataset: Dataset) -> tuple[tuple[Any, ...], ...] | None:
    items = _value(dataset, "PerFrameFunctionalGroupsSequence")
    if items is None:
        return None
    shared = _value(dataset, "SharedFunctionalGroupsSequence") or []
    common = macros(shared[0]) if shared else []
    return tuple((*macros(item), *common) for item in items)


def macros(item: Dataset) -> list[dict[str, Any]]:
    """Return the values of every functional group of one frame, nested groups after their parents."""
    found: list[dict[str, Any]] = []
    for element in item:
        if element.VR == "SQ" and not element.tag.is_private:
            for inner in element.value:
                found.append({one.keyword: one.value for one in inner if one.VR != "SQ"})
                found.extend(macros(inner))
    return found
