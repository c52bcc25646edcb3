"""Inputs made to hurt: bounded time and memory, and a reason for each; what lies beside them is still read."""

from __future__ import annotations

import os
import resource
import struct
import time
import zlib
from collections import Counter

import pytest
from made_dicom import DEFLATED, Slab, as_bytes, enhanced, series, write

from lfja_mri.config import load_pipeline_settings
from lfja_mri.ingest import Catalogue, find_studies, read_study

SETTINGS = load_pipeline_settings().ingest
PLANE = as_bytes(series(Slab())[0])
MIB = 1 << 20
ITEM = struct.pack("<HHI", 0xFFFE, 0xE000, 0)
OPEN_ITEM, ITEM_END, SEQUENCE_END = (
    struct.pack("<HHI", 0xFFFE, element, length)
    for element, length in ((0xE000, 0xFFFFFFFF), (0xE00D, 0), (0xE0DD, 0))
)


def sequence(group: int, element: int, content: bytes) -> bytes:
    head = struct.pack("<HH2sHI", group, element, b"SQ", 0, 0xFFFFFFFF)
    return head + content + SEQUENCE_END


def before(tag: tuple[int, int], insert: bytes, whole: bytes = PLANE) -> bytes:
    place = whole.index(struct.pack("<HH", *tag))
    return whole[:place] + insert + whole[place:]


def read_within(folder, *, seconds: float, mib: float) -> tuple[Catalogue, Counter]:
    """Read everything below; processor time and growth of the peak memory are bounded."""
    memory, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    catalogue = find_studies([folder], SETTINGS)
    for study in catalogue.studies:
        read_study(study, SETTINGS)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory
    assert time.process_time() - start < seconds
    assert grown < mib * 1024
    return catalogue, Counter(one.reason.value for one in catalogue.rejections)


@pytest.fixture
def beside(tmp_path):
    """A folder with one sound study in it."""
    write(tmp_path / "sound", series(Slab()))
    return tmp_path


def test_links_pipes_and_odd_names(beside):
    os.mkfifo(beside / "pipe")
    (beside / "folder_out").symlink_to("/etc")
    (beside / "file_out").symlink_to("/etc/passwd")
    (beside / "endless").symlink_to("/dev/zero")
    (beside / "circle_b").symlink_to(beside / "circle_a")
    (beside / "circle_a").symlink_to(beside / "circle_b")
    (beside / "sound" / "up").symlink_to(beside)
    (beside / os.fsdecode(b"\xff\xfe\n\x01name")).write_bytes(PLANE[:300])
    catalogue, reasons = read_within(beside, seconds=5, mib=100)
    assert [len(stack.planes) for study in catalogue.studies for stack in study.stacks] == [10]
    assert reasons["outside_folder"] == 3
    assert reasons["unreadable_file"] >= 2
    assert reasons["not_a_plain_file"] == 1
    assert catalogue.file_count == 10 + 7


@pytest.mark.parametrize("kind", ["zeros", "header", "endless_header", "after_pixels", "zip", "tar"])
def test_a_sparse_file_of_four_gibibytes(beside, kind):
    start = {
        "zeros": b"",
        "header": PLANE[:400],
        "endless_header": PLANE[:400] + struct.pack("<HH2sHI", 0x0029, 0x1001, b"OB", 0, 0xFFFFFFF0),
        "after_pixels": PLANE,
        "zip": b"PK\x03\x04",
        "tar": bytes(257) + b"ustar",
    }[kind]
    name = beside / f"large.{kind}"
    with name.open("wb") as stream:
        stream.write(start)
        stream.truncate(4096 * MIB)
    catalogue, reasons = read_within(beside, seconds=5, mib=100)
    assert len(catalogue.studies) == 1
    assert sum(reasons.values()) == 1


def test_a_header_that_hides_its_pixels_is_read_in_part_only(beside):
    with (beside / "large").open("wb") as stream:
        stream.write(PLANE[:400] + struct.pack("<HH2sHI", 0x0029, 0x1001, b"OB", 0, 0xFFFFFFF0))
        stream.truncate(1000 * MIB)
    catalogue, reasons = read_within(beside, seconds=10, mib=200)
    assert len(catalogue.studies) == 1
    assert sum(reasons.values()) == 1


@pytest.fixture
def deep_folder(tmp_path):
    """1,200 folders within one another; taken away from below, since pytest's own cleaning goes down too deep."""
    folder = tmp_path.joinpath(*["d"] * 1200)
    for above in [*reversed(folder.parents[:1199]), folder]:
        above.mkdir()
    yield folder
    for path in folder.iterdir():
        path.unlink()
    while folder != tmp_path:
        folder.rmdir()
        folder = folder.parent


def test_folders_within_folders(tmp_path, deep_folder):
    write(deep_folder, series(Slab()))
    catalogue, _ = read_within(tmp_path, seconds=10, mib=100)
    assert len(catalogue.studies) == 1


def test_sequences_within_sequences(beside):
    inner = b""
    for _ in range(3000):
        inner = sequence(0x0018, 0x9999, OPEN_ITEM + inner + ITEM_END)
    (beside / "deep").write_bytes(before((0x0020, 0x000D), inner))
    catalogue, reasons = read_within(beside, seconds=10, mib=200)
    assert len(catalogue.studies) == 1
    assert sum(reasons.values()) == 1


def test_a_million_items(beside):
    (beside / "many").write_bytes(before((0x0020, 0x000D), sequence(0x0018, 0x9999, ITEM * 1_000_000)))
    frames = before(
        (0x5200, 0x9230), sequence(0x5200, 0x9230, ITEM * 1_000_000), as_bytes(enhanced([(Slab(), range(5))]))
    )
    (beside / "frames").write_bytes(frames)
    catalogue, reasons = read_within(beside, seconds=20, mib=200)
    assert len(catalogue.studies) == 1
    assert reasons["unreadable_file"] == 1


def test_items_that_name_one_another_in_a_circle(beside):
    """A directory whose records point back to themselves; files are found by looking, not by following."""
    record = struct.pack("<HH2sHI", 0x0004, 0x1400, b"UL", 4, 0)[:8] + struct.pack("<I", 300)
    (beside / "DICOMDIR").write_bytes(before((0x0020, 0x000D), record * 3))
    assert len(find_studies([beside / "DICOMDIR"], SETTINGS).studies) == 1


def test_a_deflated_bomb(beside):
    data = series(Slab())[0]
    plain = as_bytes(data, DEFLATED)
    start = 144 + int.from_bytes(plain[140:144], "little")
    packer = zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS)
    body = b"".join(packer.compress(bytes(8 * MIB)) for _ in range(40)) + packer.flush()
    (beside / "bomb").write_bytes(plain[:start] + body)
    catalogue, reasons = read_within(beside, seconds=20, mib=150)
    assert len(catalogue.studies) == 1
    assert reasons == {"unreadable_file": 1}


@pytest.mark.parametrize(
    "absurd",
    [{"Rows": 65535, "Columns": 65535}, {"Rows": 0}, {"NumberOfFrames": 2**31 - 1}, {"BitsAllocated": 65528}],
)
def test_absurd_sizes(beside, absurd):
    sets = series(Slab())
    for data in sets:
        data.StudyInstanceUID, data.SeriesInstanceUID = "1.2.9", "1.2.9.1"
        for keyword, value in absurd.items():
            setattr(data, keyword, value)
    write(beside / "absurd", sets)
    catalogue, reasons = read_within(beside, seconds=5, mib=100)
    assert next(len(stack.planes) for study in catalogue.studies for stack in study.stacks) == 10
    assert sum(reasons.values()) == 10 or len(catalogue.studies) == 2


@pytest.mark.slow
def test_a_hundred_thousand_tiny_files(tmp_path):
    for number in range(100):
        folder = tmp_path / f"{number}"
        folder.mkdir()
        for inner in range(1000):
            (folder / f"{inner}").write_bytes(b"x")
    catalogue, reasons = read_within(tmp_path, seconds=60, mib=300)
    assert catalogue.studies == ()
    assert reasons == {"not_dicom": 100_000}
