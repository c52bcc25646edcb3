"""Pixels of planes: decoded, turned where stored inverted, rescaled plane by plane."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.pixels.utils import pixel_array
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from lfja_mri.errors import Reason
from lfja_mri.ingest.files import open_each
from lfja_mri.ingest.headers import PlaneHeader
from lfja_mri.ingest.values import PARSE_ERRORS, first_value, macros, number_of, quiet_reading, read_dataset
from lfja_mri.model import ImageArray

PlaneKey = tuple[int, int | None]
Pixels = dict[PlaneKey, ImageArray | Reason]


def plane_key(plane: PlaneHeader) -> PlaneKey:
    """Return what names a plane's pixels: its source and frame."""
    return (plane.source.number, plane.frame)


def read_planes(
    planes: Iterable[PlaneHeader], known: Mapping[PlaneKey, ImageArray | Reason] | None = None
) -> Pixels:
    """Decode planes, each file once, but for those already known.

    Returns
    -------
    Float32 (rows, columns) in rescaled units by `plane_key`, or the reason why a plane could not be decoded.
    """
    by_source: dict[int, list[PlaneHeader]] = {}
    pixels: Pixels = {}
    for plane in planes:
        if known is not None and plane_key(plane) in known:
            pixels[plane_key(plane)] = known[plane_key(plane)]
        else:
            by_source.setdefault(plane.source.number, []).append(plane)
    with quiet_reading():
        for source, stream in open_each(held[0].source for held in by_source.values()):
            wanted = by_source[source.number]
            try:
                dataset = None if stream is None else _with_syntax(read_dataset(stream))
            except PARSE_ERRORS:
                dataset = None
            for plane in wanted:
                pixels[plane_key(plane)] = (
                    Reason.PIXELS_UNREADABLE if dataset is None else _decode(dataset, plane)
                )
    return pixels


def _with_syntax(dataset: Dataset) -> Dataset:
    """Name the transfer syntax of a file that lacks its preamble."""
    if not hasattr(dataset, "file_meta"):
        dataset.ensure_file_meta()
    if "TransferSyntaxUID" not in dataset.file_meta:
        implicit, little = dataset.original_encoding
        explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit
    return dataset


def _decode(dataset: Dataset, plane: PlaneHeader) -> ImageArray | Reason:
    try:
        stored = pixel_array(dataset, raw=True, index=plane.frame)
        values = _rescaled(np.asarray(stored), dataset, plane)
    except NotImplementedError:
        return Reason.UNSUPPORTED_TRANSFER_SYNTAX
    except PARSE_ERRORS:
        return Reason.PIXELS_UNREADABLE
    return values if values.shape == (plane.rows, plane.columns) else Reason.PIXELS_UNREADABLE


def _rescaled(stored: npt.NDArray[Any], dataset: Dataset, plane: PlaneHeader) -> ImageArray:
    values = stored.astype(np.float64)
    if str(dataset.get("PhotometricInterpretation", "")) == "MONOCHROME1":
        top = -1 if int(dataset.PixelRepresentation) else 2 ** int(dataset.BitsStored) - 1
        values = top - values
    slope, intercept = _scale(dataset, plane.frame)
    return np.asarray(values * slope + intercept, dtype=np.float32)


def _scale(dataset: Dataset, frame: int | None) -> tuple[float, float]:
    places: list[Dataset] = [dataset]
    if frame is not None:
        shared = dataset.get("SharedFunctionalGroupsSequence") or []
        places = [
            *macros(dataset.PerFrameFunctionalGroupsSequence[frame]),
            *(macros(shared[0]) if shared else []),
            dataset,
        ]
    slope, intercept = (
        number_of(first_value(places, "RescaleSlope")),
        number_of(first_value(places, "RescaleIntercept")),
    )
    return (1.0 if slope is None or slope == 0 else slope), (0.0 if intercept is None else intercept)


def stacked(
    planes: Iterable[PlaneHeader], pixels: Mapping[PlaneKey, ImageArray | Reason]
) -> ImageArray | Reason:
    """Put decoded planes on top of one another; the first reason found where one is missing."""
    arrays = []
    for plane in planes:
        array = pixels[plane_key(plane)]
        if isinstance(array, Reason):
            return array
        arrays.append(array)
    return np.stack(arrays)
