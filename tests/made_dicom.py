"""DICOM on demand: every pixel holds its own position, so that any error of geometry can be read off in mm.

Column c of each plane stores one coordinate of its voxel: x, y or z in turn (c modulo 3), as 20 x (mm + 1000).
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import gdcm
import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as DicomSequence
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless

STEPS_PER_MM = 20
SHIFT_MM = 1000.0
SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)
MR_CLASS = "1.2.840.10008.5.1.4.1.1.4"
ENHANCED_CLASS = "1.2.840.10008.5.1.4.1.1.4.1"
DEFLATED = "1.2.840.10008.1.2.1.99"


@dataclass(frozen=True)
class Slab:
    """A stack of planes as it should come out; `pitch` along the normal, `shift` in plane per step (a shear)."""

    orientation: tuple[float, ...] = SAGITTAL
    origin: tuple[float, float, float] = (-24.3, -80.2, 60.7)
    spacing: tuple[float, float] = (0.8, 0.7)
    shape: tuple[int, int] = (20, 24)
    count: int = 10
    pitch: float = 4.4
    slide: tuple[float, float, float] = (0.0, 0.0, 0.0)

    @property
    def row(self) -> np.ndarray:
        return np.array(self.orientation[:3])

    @property
    def column(self) -> np.ndarray:
        return np.array(self.orientation[3:])

    @property
    def normal(self) -> np.ndarray:
        return np.cross(self.row, self.column)

    def position(self, place: float) -> np.ndarray:
        return np.array(self.origin) + place * (self.pitch * self.normal + np.array(self.slide))

    def points(self, position: np.ndarray) -> np.ndarray:
        """LPS mm of each voxel, shape (rows, columns, 3)."""
        rows, columns = np.indices(self.shape)
        return (
            position
            + columns[..., None] * self.row * self.spacing[1]
            + rows[..., None] * self.column * self.spacing[0]
        )


def encoded(points: np.ndarray) -> np.ndarray:
    """Store one coordinate a column."""
    columns = np.arange(points.shape[-2]) % 3
    chosen = np.take_along_axis(points, np.broadcast_to(columns[:, None], (*points.shape[:-1], 1)), axis=-1)
    return np.round((chosen[..., 0] + SHIFT_MM) * STEPS_PER_MM).astype(np.uint16)


def geometry_error_mm(values_zyx: np.ndarray, voxel_to_lps: np.ndarray) -> float:
    """Largest distance between the position a voxel holds and the one its affine gives."""
    plane, row, column = np.indices(values_zyx.shape)
    index = np.stack([column, row, plane, np.ones_like(plane)], axis=-1)
    points = index @ voxel_to_lps.T
    wanted = np.take_along_axis(points[..., :3], (column % 3)[..., None], axis=-1)[..., 0]
    return float(np.max(np.abs(values_zyx / STEPS_PER_MM - SHIFT_MM - wanted)))


@dataclass(frozen=True)
class Header:
    """What the slices of a series share; None leaves the tag out."""

    study: str = "1.2.3.1"
    series: str = "1.2.3.1.1"
    frame: str | None = "1.2.3.1.9"
    modality: str | None = "MR"
    description: str = "SAG STIR"
    repetition: float | None = 4000
    echo: float | None = 60
    inversion: float | None = 165
    image_type: tuple[str, ...] = ("ORIGINAL", "PRIMARY", "M")
    number: int = 1
    acquisition: int = 1
    time: str = "101500"
    extra: dict[str, object] = field(default_factory=dict)


def slice_of(slab: Slab, place: float, header: Header, number: int, *, uid: str | None = None) -> Dataset:
    """Make one single-frame data set at a place along the slab."""
    position = slab.position(place)
    data = _common(header)
    data.SOPClassUID = MR_CLASS
    data.SOPInstanceUID = uid or f"{header.series}.{header.acquisition}.{number}"
    data.InstanceNumber = number
    data.ImagePositionPatient = [round(float(v), 6) for v in position]
    data.ImageOrientationPatient = [round(float(v), 8) for v in slab.orientation]
    data.PixelSpacing = list(slab.spacing)
    data.SliceThickness = 4.0
    _set_pixels(data, encoded(slab.points(position)))
    for keyword, value in header.extra.items():
        setattr(data, keyword, value)
    return data


def _common(header: Header) -> Dataset:
    data = Dataset()
    data.PatientName = "SECRET^NAME"
    data.PatientID = "SECRET-ID"
    data.StudyInstanceUID, data.SeriesInstanceUID = header.study, header.series
    data.SeriesNumber, data.AcquisitionNumber = header.number, header.acquisition
    data.SeriesDescription = header.description
    data.ImageType = list(header.image_type)
    data.StudyDate = "20200102"
    data.AcquisitionTime = header.time
    optional = {
        "Modality": header.modality,
        "FrameOfReferenceUID": header.frame,
        "RepetitionTime": header.repetition,
        "EchoTime": header.echo,
        "InversionTime": header.inversion,
    }
    for keyword, value in optional.items():
        if value is not None:
            setattr(data, keyword, value)
    return data


def _set_pixels(data: Dataset, stored: np.ndarray) -> None:
    data.Rows, data.Columns = stored.shape[-2:]
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 16, 15, 0
    data.PixelData = stored.tobytes()


def series(slab: Slab, header: Header | None = None, places: Iterable[float] | None = None) -> list[Dataset]:
    """Make a whole series: one data set a place."""
    chosen = range(slab.count) if places is None else places
    return [slice_of(slab, place, header or Header(), i + 1) for i, place in enumerate(chosen)]


def as_bytes(data: Dataset, syntax: str = ExplicitVRLittleEndian, *, preamble: bool = True) -> bytes:
    """Encode a data set as a DICOM file."""
    if not preamble:
        buffer = io.BytesIO()
        data.save_as(
            buffer,
            implicit_vr=syntax == ImplicitVRLittleEndian,
            little_endian=True,
            enforce_file_format=False,
        )
        return buffer.getvalue()
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = data.get("SOPClassUID", MR_CLASS)
    meta.MediaStorageSOPInstanceUID = data.get("SOPInstanceUID") or "1.2.3"
    meta.TransferSyntaxUID = syntax
    copy = Dataset(data)
    copy.file_meta = meta
    if syntax == RLELossless:
        copy.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        copy.compress(RLELossless, generate_instance_uid=False)
    if syntax == ExplicitVRBigEndian:
        swapped = np.frombuffer(copy.PixelData, np.uint16).byteswap().tobytes()
        copy["PixelData"].VR = "OW"
        copy.PixelData = swapped
    buffer = io.BytesIO()
    copy.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def write(
    folder: Path, sets: Sequence[Dataset], syntax: str = ExplicitVRLittleEndian, *, prefix: str = "im"
) -> None:
    """Write data sets as numbered files without meaning."""
    folder.mkdir(parents=True, exist_ok=True)
    for i, data in enumerate(sets):
        (folder / f"{prefix}{i:04d}").write_bytes(as_bytes(data, syntax))


GDCM_SYNTAXES = {
    "jpeg_lossless": gdcm.TransferSyntax.JPEGLosslessProcess14_1,
    "jpeg_ls": gdcm.TransferSyntax.JPEGLSLossless,
    "jpeg_2000": gdcm.TransferSyntax.JPEG2000Lossless,
}


def compress(path: Path, syntax: int) -> None:
    """Rewrite a file in a compressed transfer syntax."""
    reader = gdcm.ImageReader()
    reader.SetFileName(str(path))
    assert reader.Read()
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(syntax))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer = gdcm.ImageWriter()
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    writer.SetFileName(str(path))
    assert writer.Write()


def enhanced(slabs: Sequence[tuple[Slab, Iterable[int]]], header: Header | None = None) -> Dataset:
    """Make one enhanced multi-frame data set; frames in the order given."""
    head = header or Header()
    data = _common(head)
    data.SOPClassUID, data.SOPInstanceUID = ENHANCED_CLASS, head.series + ".99"
    shared = Dataset()
    timing, echo, modifier, measures = Dataset(), Dataset(), Dataset(), Dataset()
    timing.RepetitionTime, echo.EffectiveEchoTime = head.repetition, head.echo
    modifier.InversionRecovery, modifier.InversionTimes = "YES", [head.inversion or 165]
    modifier.SpectrallySelectedSuppression = "NONE"
    first = slabs[0][0]
    measures.PixelSpacing, measures.SliceThickness = list(first.spacing), 4.0
    shared.MRTimingAndRelatedParametersSequence = DicomSequence([timing])
    shared.MREchoSequence = DicomSequence([echo])
    shared.MRModifierSequence = DicomSequence([modifier])
    shared.PixelMeasuresSequence = DicomSequence([measures])
    frames, arrays = [], []
    for slab, places in slabs:
        for place in places:
            frames.append(_frame(slab, place))
            arrays.append(encoded(slab.points(slab.position(place))))
    data.SharedFunctionalGroupsSequence = DicomSequence([shared])
    data.PerFrameFunctionalGroupsSequence = DicomSequence(frames)
    data.NumberOfFrames = len(frames)
    _set_pixels(data, np.stack(arrays))
    return data


def _frame(slab: Slab, place: int) -> Dataset:
    item, position, orientation, content = Dataset(), Dataset(), Dataset(), Dataset()
    position.ImagePositionPatient = [round(float(v), 6) for v in slab.position(place)]
    orientation.ImageOrientationPatient = [round(float(v), 8) for v in slab.orientation]
    content.InStackPositionNumber, content.StackID = place + 1, "1"
    item.PlanePositionSequence = DicomSequence([position])
    item.PlaneOrientationSequence = DicomSequence([orientation])
    item.FrameContentSequence = DicomSequence([content])
    return item


def tilted(degrees: float, base: tuple[float, ...] = AXIAL) -> tuple[float, ...]:
    """Turn an orientation about the patient's x axis."""
    angle = np.radians(degrees)
    turn = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    return (*(turn @ np.array(base[:3])), *(turn @ np.array(base[3:])))


def oblique() -> tuple[float, ...]:
    """A doubly oblique sagittal plane."""
    a, b = np.radians(9.0), np.radians(-6.0)
    about_z = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    about_y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    turn = about_y @ about_z
    return (*(turn @ np.array(SAGITTAL[:3])), *(turn @ np.array(SAGITTAL[3:])))


SLAB = Slab()
AXIAL_SLAB = Slab(orientation=AXIAL, origin=(-70.0, -60.0, -30.0), count=6, pitch=3.9)
T2 = Header(description="AX T2", inversion=None, echo=100, extra={"ScanOptions": "PFP"})
