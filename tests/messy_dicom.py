"""Messy inputs, each with what must come of it: built of `made_dicom`, whose pixels hold their own positions."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from made_dicom import (
    AXIAL,
    AXIAL_SLAB,
    CORONAL,
    DEFLATED,
    GDCM_SYNTAXES,
    SAGITTAL,
    SLAB,
    T2,
    Header,
    Slab,
    as_bytes,
    compress,
    enhanced,
    oblique,
    series,
    slice_of,
    tilted,
    write,
)
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as DicomSequence
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless


@dataclass(frozen=True)
class Case:
    """A messy input: how to write it, how many right stacks may come out, and which reason codes must."""

    build: Callable[[Path], None]
    stacks: int
    reasons: frozenset[str] = frozenset()
    studies: int = 1


def _plain(
    slab: Slab = SLAB, header: Header | None = None, syntax: str = ExplicitVRLittleEndian
) -> Callable[[Path], None]:
    return lambda folder: write(folder, series(slab, header), syntax)


def _edited(
    edit: Callable[[list[Dataset]], list[Dataset] | None], slab: Slab = SLAB
) -> Callable[[Path], None]:
    def build(folder: Path) -> None:
        sets = series(slab)
        changed = edit(sets)
        write(folder, sets if changed is None else changed)

    return build


def _renumbered(sets: list[Dataset]) -> None:
    order = np.random.default_rng(3).permutation(len(sets))
    for data, number in zip(sets, order, strict=True):
        data.InstanceNumber = int(number) + 1


def _without(keyword: str) -> Callable[[list[Dataset]], None]:
    def edit(sets: list[Dataset]) -> None:
        for data in sets:
            delattr(data, keyword)

    return edit


def _all(**values: object) -> Callable[[list[Dataset]], None]:
    def edit(sets: list[Dataset]) -> None:
        for data in sets:
            for keyword, value in values.items():
                setattr(data, keyword, value)

    return edit


def _moved(place: int, offset: tuple[float, float, float]) -> Callable[[Path], None]:
    """One plane displaced, pixels and header alike."""

    def build(folder: Path) -> None:
        sets = series(SLAB)
        moved = replace(SLAB, origin=tuple(np.array(SLAB.origin) + offset))
        sets[place] = slice_of(moved, place, Header(), place + 1)
        write(folder, sets)

    return build


def _monochrome1(sets: list[Dataset]) -> None:
    for data in sets:
        data.PhotometricInterpretation = "MONOCHROME1"
        data.PixelData = (65535 - np.frombuffer(data.PixelData, np.uint16)).tobytes()


def _rescaled(sets: list[Dataset]) -> None:
    for i, data in enumerate(sets):
        slope, intercept = 0.5 + 0.25 * (i % 3), -100.0 * i
        stored = np.round((np.frombuffer(data.PixelData, np.uint16) - intercept) / slope)
        data.RescaleSlope, data.RescaleIntercept = slope, intercept
        data.PixelData = np.clip(stored, 0, 65535).astype(np.uint16).tobytes()


def _mixed_matrix(folder: Path) -> None:
    small = replace(SLAB, shape=(16, 24))
    write(folder, [*series(SLAB), *series(small, Header(), places=[11, 12, 13, 14])[0:4]])


def _localiser(folder: Path) -> None:
    head = Header(description="plan")
    sets = [
        *series(replace(SLAB, count=3), head),
        *series(Slab(orientation=AXIAL, count=3), replace(head, acquisition=2)),
        *series(Slab(orientation=CORONAL, count=3), replace(head, acquisition=3)),
    ]
    write(folder, sets)


def _two_acquisitions(folder: Path) -> None:
    write(folder / "a", series(SLAB, Header(acquisition=1, time="101500")))
    write(folder / "b", series(SLAB, Header(acquisition=2, time="102000")))


def _dual_echo(folder: Path) -> None:
    head = Header(inversion=None, description="SAG DUAL", extra={"ScanOptions": "PFP"})
    write(folder / "a", series(SLAB, replace(head, echo=20, acquisition=1)))
    write(folder / "b", series(SLAB, replace(head, echo=90, acquisition=2)))


def _duplicate_files(folder: Path) -> None:
    write(folder / "a", series(SLAB))
    write(folder / "b", series(SLAB)[:4])


def _duplicate_place(folder: Path) -> None:
    write(folder, [*series(SLAB), slice_of(SLAB, 4, Header(), 55, uid="1.2.3.77.8")])


def _tilted_blocks(folder: Path) -> None:
    """Three blocks angled to their discs under one series, overlapping along z."""
    sets = []
    for k, (degrees, z) in enumerate([(-20.0, 0.0), (0.0, 22.0), (9.0, 44.0)]):
        slab = Slab(orientation=tilted(degrees), origin=(-70.0, -60.0 - 3 * k, z), count=8, pitch=3.5)
        sets += series(slab, replace(T2, acquisition=1), None)
        for j, data in enumerate(sets[-8:]):
            data.InstanceNumber, data.SOPInstanceUID = 8 * k + j + 1, f"1.2.3.4.{8 * k + j}"
    write(folder, sets)


def _parallel_overlapping(folder: Path) -> None:
    """Two parallel blocks that overlap along the normal but lie apart in their plane."""
    upper = replace(AXIAL_SLAB, origin=(-70.0, -52.0, -30.0 + 9.1))
    sets = [*series(AXIAL_SLAB, T2), *series(upper, replace(T2, acquisition=2))]
    for i, data in enumerate(sets):
        data.InstanceNumber, data.AcquisitionNumber = i + 1, 1
    write(folder, sets)


def _parallel_same_line(folder: Path) -> None:
    """Two parallel blocks that overlap along the normal, on one line."""
    upper = replace(AXIAL_SLAB, origin=(-70.0, -60.0, -30.0 + 3.9 * 3 + 1.7))
    sets = [*series(AXIAL_SLAB, T2), *series(upper, replace(T2, acquisition=2))]
    for i, data in enumerate(sets):
        data.InstanceNumber, data.AcquisitionNumber = i + 1, 1
    write(folder, sets)


def _blocks_with_pause(folder: Path) -> None:
    sets = series(
        replace(AXIAL_SLAB, count=12), T2, places=[0, 1, 2, 3, 5.6, 6.6, 7.6, 8.6, 11.1, 12.1, 13.1]
    )
    write(folder, sets)


def _reformat(folder: Path) -> None:
    kind = ("DERIVED", "SECONDARY", "REFORMATTED", "AVERAGE")
    write(folder, series(SLAB), prefix="a")
    made = Slab(orientation=AXIAL, count=5)
    write(folder, series(made, Header(acquisition=2, image_type=kind)), prefix="b")


def _phase_beside(folder: Path) -> None:
    write(folder, series(SLAB), prefix="a")
    write(folder, series(SLAB, Header(acquisition=2, image_type=("ORIGINAL", "PRIMARY", "P"))), prefix="b")


def _broken_off_repeat(folder: Path) -> None:
    write(folder, series(SLAB), prefix="a")
    write(folder, series(SLAB, Header(acquisition=2, time="102000"), places=range(5)), prefix="b")


def _whole_steps_apart(*, numbers_skip: bool) -> Callable[[Path], None]:
    """Axial planes with a gap of exactly three steps: two blocks where the numbers run on, lost planes where they skip."""

    def build(folder: Path) -> None:
        sets = series(AXIAL_SLAB, T2, places=[0, 1, 2, 3, 6, 7, 8, 9])
        for i, data in enumerate(sets):
            data.InstanceNumber = i + (3 if numbers_skip and i > 3 else 1)
        write(folder, sets)

    return build


def _zip_in_zip(folder: Path) -> None:
    _zip(folder)
    inner = (folder / "study.zip").read_bytes()
    with zipfile.ZipFile(folder / "study.zip", "a") as archive:
        archive.writestr("inner.zip", inner)


def _lying_zip(folder: Path) -> None:
    """A member whose stated size is smaller than what it unpacks to."""
    _zip(folder)
    whole = bytearray((folder / "study.zip").read_bytes())
    entry = whole.rindex(b"PK\x01\x02")
    whole[entry + 24 : entry + 28] = (300).to_bytes(4, "little")
    (folder / "study.zip").write_bytes(whole)


def _two_studies(folder: Path) -> None:
    write(folder, series(SLAB), prefix="a")
    write(folder, series(SLAB, Header(study="1.2.3.2", series="1.2.3.2.1")), prefix="b")


def _junk(folder: Path) -> None:
    write(folder / "deep" / "er", series(SLAB))
    (folder / "notes.txt").write_text("SECRET^NAME was here")
    (folder / "empty").write_bytes(b"")
    (folder / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(200))
    (folder / "random.dcm").write_bytes(np.random.default_rng(0).bytes(5000))
    report = Dataset()
    report.SOPClassUID, report.SOPInstanceUID, report.Modality = (
        "1.2.840.10008.5.1.4.1.1.88.11",
        "1.2.3.5",
        "SR",
    )
    (folder / "report").write_bytes(as_bytes(report))


def _colour(sets: list[Dataset]) -> None:
    for data in sets:
        data.SamplesPerPixel, data.PhotometricInterpretation = 3, "RGB"


def _truncated(folder: Path) -> None:
    write(folder, series(SLAB))
    victim = folder / "im0004"
    victim.write_bytes(victim.read_bytes()[:-200])


def _truncated_header(folder: Path) -> None:
    write(folder, series(SLAB))
    victim = folder / "im0004"
    victim.write_bytes(victim.read_bytes()[:420])


def _no_preamble(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for i, data in enumerate(series(SLAB)):
        (folder / f"{i}").write_bytes(as_bytes(data, preamble=False))


def _no_preamble_implicit(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for i, data in enumerate(series(SLAB)):
        (folder / f"{i}").write_bytes(as_bytes(data, ImplicitVRLittleEndian, preamble=False))


def _compressed(kind: str) -> Callable[[Path], None]:
    def build(folder: Path) -> None:
        write(folder, series(SLAB))
        for path in sorted(folder.iterdir()):
            compress(path, GDCM_SYNTAXES[kind])

    return build


def _zip(folder: Path) -> None:
    with zipfile.ZipFile(folder / "study.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for i, data in enumerate(series(SLAB)):
            archive.writestr(f"SECRET^NAME/{i}", as_bytes(data))


def _unsafe_zip(folder: Path) -> None:
    _zip(folder)
    with zipfile.ZipFile(folder / "study.zip", "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../../outside", as_bytes(series(SLAB)[0]))
        archive.writestr("bomb", bytes(30_000_000))


def _tar(folder: Path) -> None:
    with tarfile.open(folder / "study.tar.gz", "w:gz") as archive:
        for i, data in enumerate(series(SLAB)):
            content = as_bytes(data)
            info = tarfile.TarInfo(f"a/{i}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        link = tarfile.TarInfo("a/link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)


def _broken_zip(folder: Path) -> None:
    _zip(folder)
    whole = (folder / "study.zip").read_bytes()
    (folder / "study.zip").write_bytes(whole[: len(whole) // 2])


def _enhanced(slabs: Sequence[tuple[Slab, Iterable[int]]]) -> Callable[[Path], None]:
    return lambda folder: write(folder, [enhanced(slabs)])


def _icon_and_overlay(sets: list[Dataset]) -> None:
    """A thumbnail with pixels of its own and an overlay, both before the pixels of the slice."""
    for data in sets:
        icon = Dataset()
        icon.Rows, icon.Columns, icon.SamplesPerPixel, icon.BitsAllocated = 4, 4, 1, 8
        icon.BitsStored, icon.HighBit, icon.PixelRepresentation = 8, 7, 0
        icon.PhotometricInterpretation = "MONOCHROME2"
        icon.PixelData = bytes(range(16))
        icon["PixelData"].VR = "OB"
        data.IconImageSequence = DicomSequence([icon])
        data["IconImageSequence"].is_undefined_length = True
        data.add_new(0x60000010, "US", data.Rows)
        data.add_new(0x60000011, "US", data.Columns)
        data.add_new(0x60003000, "OW", bytes(data.Rows * data.Columns // 8))


def _temporal(folder: Path) -> None:
    """Two passes over the same places that only the temporal position tells apart."""
    for number in (1, 2):
        sets = series(SLAB, Header(acquisition=1))
        for i, data in enumerate(sets):
            data.TemporalPositionIdentifier, data.SOPInstanceUID = number, f"1.2.3.55.{number}.{i}"
        write(folder, sets, prefix=f"t{number}")


def _enhanced_localiser(folder: Path) -> None:
    planes = [replace(SLAB, orientation=kind, count=3) for kind in (SAGITTAL, AXIAL, CORONAL)]
    write(folder, [enhanced([(slab, range(3)) for slab in planes])])


def _shuffled(count: int) -> list[int]:
    return [int(i) for i in np.random.default_rng(5).permutation(count)]


POSITIONS = {
    "HFS": AXIAL,
    "HFP": (-1.0, 0.0, 0.0, 0.0, -1.0, 0.0),
    "FFS": (-1.0, 0.0, 0.0, 0.0, 1.0, 0.0),
    "FFP": (1.0, 0.0, 0.0, 0.0, -1.0, 0.0),
    "HFDR": (0.0, 1.0, 0.0, -1.0, 0.0, 0.0),
    "HFDL": (0.0, -1.0, 0.0, 1.0, 0.0, 0.0),
    "FFDR": (0.0, 1.0, 0.0, 1.0, 0.0, 0.0),
    "FFDL": (0.0, -1.0, 0.0, -1.0, 0.0, 0.0),
}


def _codes(*codes: str) -> frozenset[str]:
    return frozenset(codes)


CASES: dict[str, Case] = {
    "plain": Case(_plain(), 1),
    "oblique": Case(_plain(replace(SLAB, orientation=oblique())), 1),
    "scrambled_instance_numbers": Case(_edited(_renumbered), 1),
    "equal_instance_numbers": Case(_edited(_all(InstanceNumber=1)), 1),
    "missing_slice": Case(_edited(lambda sets: sets[:4] + sets[5:]), 0, _codes("missing_slice")),
    "two_missing_slices": Case(
        _edited(lambda sets: [*sets[:3], *sets[4:7], *sets[8:]]), 0, _codes("missing_slice")
    ),
    "duplicate_files": Case(_duplicate_files, 1, _codes("duplicate_file")),
    "duplicate_position": Case(_duplicate_place, 0, _codes("duplicate_position")),
    "jitter_along_normal": Case(_moved(4, (0.6, 0.0, 0.0)), 0, _codes("uneven_spacing")),
    "jitter_in_plane": Case(_moved(4, (0.0, 0.9, 0.0)), 0, _codes("uneven_spacing")),
    "end_plane_displaced": Case(_moved(9, (0.0, 3.0, 0.0)), 1, _codes("too_few_slices")),
    "sheared": Case(_plain(replace(SLAB, slide=(0.0, 0.7, 0.0))), 0, _codes("sheared_stack")),
    "mixed_matrix": Case(_mixed_matrix, 2),
    "localiser": Case(_localiser, 0, _codes("localiser")),
    "single_slice": Case(_edited(lambda sets: sets[:1]), 0, _codes("too_few_slices")),
    "two_slices": Case(_edited(lambda sets: sets[:2]), 0, _codes("too_few_slices")),
    "two_acquisitions": Case(_two_acquisitions, 2),
    "dual_echo": Case(_dual_echo, 2),
    "monochrome1": Case(_edited(_monochrome1), 1),
    "rescale_per_slice": Case(_edited(_rescaled), 1),
    "missing_position": Case(
        _edited(_without("ImagePositionPatient")), 0, _codes("missing_position"), studies=0
    ),
    "missing_orientation": Case(
        _edited(_without("ImageOrientationPatient")), 0, _codes("missing_orientation"), studies=0
    ),
    "missing_spacing": Case(_edited(_without("PixelSpacing")), 0, _codes("missing_spacing"), studies=0),
    "skewed_orientation": Case(
        _edited(_all(ImageOrientationPatient=[0, 1, 0, 0, 0.2, -1])), 0, _codes("invalid_geometry"), studies=0
    ),
    "no_tags": Case(
        _plain(SLAB, Header(modality=None, repetition=None, echo=None, inversion=None, frame=None)), 1
    ),
    "odd_uids": Case(_plain(SLAB, Header(study="100206310", series="100206310.1.14")), 1),
    "tilted_blocks": Case(_tilted_blocks, 3),
    "overlapping_blocks": Case(_parallel_overlapping, 2),
    "overlapping_on_one_line": Case(_parallel_same_line, 2),
    "blocks_with_pause": Case(_blocks_with_pause, 3),
    "phase_beside": Case(_phase_beside, 2),
    "broken_off_repeat": Case(_broken_off_repeat, 2),
    "blocks_whole_steps_apart": Case(_whole_steps_apart(numbers_skip=False), 2),
    "axial_planes_lost": Case(_whole_steps_apart(numbers_skip=True), 0, _codes("missing_slice")),
    "equal_sop_uids": Case(_edited(_all(SOPInstanceUID="1.2.3")), 1),
    "no_uids": Case(_edited(_all(SOPInstanceUID="", StudyInstanceUID="", SeriesInstanceUID="")), 1),
    "empty_thickness": Case(_edited(_all(SliceThickness=None)), 1),
    "spacing_from_positions": Case(_edited(_all(SliceThickness=1.0, SpacingBetweenSlices=9.9)), 1),
    "zip_in_zip": Case(_zip_in_zip, 1, _codes("not_dicom")),
    "lying_zip": Case(_lying_zip, 1, _codes("unreadable_file")),
    "two_studies": Case(_two_studies, 2, studies=2),
    "junk_beside": Case(_junk, 1, _codes("not_dicom", "empty_file", "not_mr_image")),
    "reformat_beside": Case(_reformat, 1, _codes("derived_image")),
    "colour": Case(_edited(_colour), 0, _codes("colour_image"), studies=0),
    "truncated_pixels": Case(_truncated, 0, _codes("truncated_file", "missing_slice")),
    "truncated_header": Case(_truncated_header, 0, _codes("missing_slice")),
    "implicit_vr": Case(_plain(syntax=ImplicitVRLittleEndian), 1),
    "big_endian": Case(_plain(syntax=ExplicitVRBigEndian), 1),
    "deflated": Case(_plain(syntax=DEFLATED), 1),
    "rle": Case(_plain(syntax=RLELossless), 1),
    "jpeg_lossless": Case(_compressed("jpeg_lossless"), 1),
    "jpeg_ls": Case(_compressed("jpeg_ls"), 1),
    "jpeg_2000": Case(_compressed("jpeg_2000"), 1),
    "no_preamble": Case(_no_preamble, 1),
    "no_preamble_implicit": Case(_no_preamble_implicit, 1),
    "zip": Case(_zip, 1),
    "tar_gz": Case(_tar, 1, _codes("unsafe_archive_member")),
    "unsafe_zip": Case(_unsafe_zip, 1, _codes("unsafe_archive_member", "too_large")),
    "broken_zip": Case(_broken_zip, 0, _codes("unreadable_archive"), studies=0),
    "icon_and_overlay": Case(_edited(_icon_and_overlay), 1),
    "temporal_positions": Case(_temporal, 2),
    "far_jump": Case(_moved(9, (401.0, 0.0, 0.0)), 1, _codes("too_few_slices")),
    "enhanced_localiser": Case(_enhanced_localiser, 0, _codes("localiser")),
    "enhanced": Case(_enhanced([(SLAB, range(10))]), 1),
    "enhanced_shuffled": Case(_enhanced([(SLAB, _shuffled(10))]), 1),
    "enhanced_missing_frame": Case(_enhanced([(SLAB, [0, 1, 2, 3, 5, 6, 7])]), 0, _codes("missing_slice")),
    "enhanced_mixed_orientation": Case(
        _enhanced(
            [
                (SLAB, _shuffled(10)),
                (replace(AXIAL_SLAB, shape=SLAB.shape, spacing=SLAB.spacing, count=9), _shuffled(9)),
            ]
        ),
        2,
    ),
    **{
        f"position_{name}": Case(
            _plain(
                replace(AXIAL_SLAB, orientation=orientation),
                replace(T2, extra={"PatientPosition": name, "ScanOptions": "PFP"}),
            ),
            1,
        )
        for name, orientation in POSITIONS.items()
    },
}
