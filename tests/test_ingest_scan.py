"""The fast walk over a header says what pydicom says, or leaves the file to it."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import nibabel
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_dicom import SLAB, as_bytes, series
from messy_dicom import CASES
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless

from lfja_mri.config import load_pipeline_settings
from lfja_mri.ingest import dataset, headers, scan
from lfja_mri.ingest.files import Source, find_sources, open_each

SETTINGS = load_pipeline_settings().ingest
FOREIGN = {
    "pydicom": Path(pydicom.__file__).parent / "data" / "test_files",
    "nibabel": Path(nibabel.__file__).parent / "nicom" / "tests" / "data",
}
SLOW_ONLY = {
    "big_endian",
    "broken_zip",
    "deflated",
    "enhanced",
    "enhanced_localiser",
    "enhanced_missing_frame",
    "enhanced_mixed_orientation",
    "enhanced_shuffled",
    "no_preamble",
    "no_preamble_implicit",
}  # fmt: skip - no file that the fast way would read
SOURCE = Source(1, Path("one"))


def planes(content: bytes, *, fast: bool) -> object:
    """What a file gives, read one way: planes or the reason for none; None where the fast way declines."""
    stream = io.BytesIO(content)
    record = scan.scan(stream) if fast else None
    if fast and record is None:
        return None
    if record is None:
        try:
            record = dataset.read_record(stream)
        except ValueError:
            return "unreadable"
    try:
        headers._require_mr(record.fields)
        headers._require_pixels(record, stream)
        return headers._plane(SOURCE, record, None, (record.fields,))
    except headers.HeaderError as error:
        return error.reason


def agreed(content: bytes) -> bool:
    """Compare both ways; tell whether the fast one dared."""
    fast = planes(content, fast=True)
    if fast is not None:
        assert fast == planes(content, fast=False)
    return fast is not None


@pytest.mark.parametrize("name", sorted(CASES))
def test_both_ways_agree_on_messy_files(name, tmp_path):
    dared = []
    CASES[name].build(tmp_path)
    for _, stream in open_each(find_sources([tmp_path], SETTINGS).sources):
        if stream is not None:
            dared.append(agreed(stream.read()))
    assert any(dared) == (name not in SLOW_ONLY)


@pytest.mark.parametrize("name", sorted(FOREIGN))
def test_both_ways_agree_on_foreign_files(name):
    dared = [agreed(path.read_bytes()) for path in sorted(FOREIGN[name].rglob("*")) if path.is_file()]
    assert any(dared) or name == "nibabel"


def geometry(plane: object) -> object:
    """What places a plane and its pixels; a reason as it is."""
    if not isinstance(plane, headers.PlaneHeader):
        return plane
    stored = plane.stored
    return (
        *(plane.position_lps_mm, plane.orientation, plane.spacing_mm, plane.rows, plane.columns),
        *(stored.start, stored.bits_allocated, stored.bits_stored, stored.signed),
    )


SYNTAXES = [ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless]


@pytest.mark.parametrize("syntax", SYNTAXES, ids=["explicit", "implicit", "rle"])
@settings(max_examples=40, deadline=None, derandomize=True)
@given(place=st.integers(132, 1400), value=st.integers(0, 255))
def test_a_damaged_file_lies_where_pydicom_says_or_is_refused(syntax, place, value):
    content = bytearray(as_bytes(series(SLAB)[0], syntax))
    content[place] = value
    fast = planes(bytes(content), fast=True)
    # it may refuse where pydicom guesses: a zero byte inside a number is no number
    if isinstance(fast, headers.PlaneHeader):
        assert geometry(fast) == geometry(planes(bytes(content), fast=False))


def test_what_scanners_write_is_read_the_fast_way():
    for syntax in SYNTAXES:
        assert agreed(as_bytes(series(SLAB)[0], syntax))
    assert replace(SOURCE, number=2).number == 2
