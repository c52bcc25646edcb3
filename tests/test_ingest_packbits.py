"""RLE by Pillow's PackBits: the same numbers as pydicom's own decoder gives, and none where the frame is odd."""

from __future__ import annotations

import io
import struct
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_dicom import Slab, as_bytes, series
from pydicom.pixels.decoders import rle
from pydicom.pixels.decoders.base import DecodeRunner
from pydicom.pixels.encoders.native import _encode_frame
from pydicom.uid import RLELossless

from lfja_mri.errors import Reason
from lfja_mri.ingest import dataset, packbits


def runner(rows: int, columns: int, bits: int, samples: int = 1) -> DecodeRunner:
    facts = SimpleNamespace(
        rows=rows, columns=columns, bits_allocated=bits, samples_per_pixel=samples, byteorder="<"
    )
    facts.get_option = lambda _, default=None: default
    facts.set_option = lambda *_: None
    return cast("DecodeRunner", facts)


def frame_of(*segments: bytes) -> bytes:
    starts = [packbits.HEADER_BYTES + sum(map(len, segments[:place])) for place in range(len(segments))]
    return struct.pack("<16L", len(segments), *starts, *[0] * (15 - len(segments))) + b"".join(segments)


@given(
    numbers=st.lists(st.sampled_from([0, 1, 255, 256, 40000]), min_size=12, max_size=12),
    bits=st.sampled_from([8, 16, 32]),
)
def test_the_same_numbers_come_back(numbers: list[int], bits: int) -> None:
    plain = np.array(numbers).astype(f"<u{bits // 8}").tobytes()
    encoded = _encode_frame(plain, runner(3, 4, bits))
    assert packbits.decode_frame(encoded, runner(3, 4, bits)) == plain


@pytest.mark.filterwarnings("ignore:The decoded RLE segment")
@given(segment=st.binary(min_size=1, max_size=40))
def test_what_is_decoded_is_what_pydicom_decodes(segment: bytes) -> None:
    asked = runner(3, 4, 8)
    try:
        ours = packbits.decode_frame(frame_of(segment), asked)
    except ValueError:
        return
    assert ours == rle._decode_frame(frame_of(segment), asked)


def test_a_run_may_cross_rows_and_pass_over_empty_bytes() -> None:
    segment = bytes([0x80, 257 - 7, 9, 0x80, 4, 1, 2, 3, 4, 5])
    assert packbits.decode_frame(frame_of(segment), runner(3, 4, 8)) == bytes([9] * 7 + [1, 2, 3, 4, 5])


def test_what_follows_the_last_pixel_is_padding() -> None:
    assert packbits.decode_frame(frame_of(bytes([257 - 13, 9, 0, 0])), runner(3, 4, 8)) == bytes([9] * 12)


@pytest.mark.parametrize(
    ("frame", "asked"),
    [
        (b"short", runner(3, 4, 8)),
        (frame_of(bytes([257 - 11, 9])), runner(3, 4, 8)),
        (frame_of(bytes([257 - 12, 9])), runner(3, 4, 16)),
        (frame_of(bytes([257 - 12, 9])), runner(3, 4, 8, samples=3)),
        (frame_of(bytes([257 - 12, 9])), runner(65535, 65535, 8)),
    ],
    ids=["no header", "too short", "a segment missing", "colour", "absurd size"],
)
def test_what_is_odd_is_left_to_pydicom(frame: bytes, asked: DecodeRunner) -> None:
    with pytest.raises(ValueError, match=r"not |short|cannot"):
        packbits.decode_frame(frame, asked)


def test_a_file_is_decoded_by_the_plugin_and_by_pydicom_where_that_fails(monkeypatch):
    content = as_bytes(series(Slab())[0], RLELossless)
    numbers = dataset.decoder(io.BytesIO(content))(None)
    monkeypatch.setattr(rle, "_rle_decode_segment", lambda _: pytest.fail("the slow way was taken"))
    assert np.array_equal(dataset.decoder(io.BytesIO(content))(None), numbers)
    monkeypatch.undo()
    monkeypatch.setattr(packbits, "MOST_TIMES_LONGER", 0)
    assert np.array_equal(dataset.decoder(io.BytesIO(content))(None), numbers)


def test_a_frame_that_neither_can_decode_has_a_reason():
    content = as_bytes(series(Slab())[0], RLELossless)
    start = content.index(struct.pack("<2L", 2, packbits.HEADER_BYTES))
    damaged = content[:start] + struct.pack("<2L", 9, 0) + content[start + 8 :]
    assert dataset.decoder(io.BytesIO(damaged))(None) is Reason.PIXELS_UNREADABLE
