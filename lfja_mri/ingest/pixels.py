"""Pixels of planes: decoded, turned where stored inverted, rescaled plane by plane."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import BinaryIO

import numpy as np

from lfja_mri.errors import Reason
from lfja_mri.ingest.files import open_each
from lfja_mri.ingest.headers import PlaneHeader
from lfja_mri.ingest.stored import StoredArray, plain_numbers, signal
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
    for source, stream in open_each(held[0].source for held in by_source.values()):
        wanted = by_source[source.number]
        pixels.update(_read_file(stream, wanted))
    return pixels


def _read_file(stream: BinaryIO | None, planes: Sequence[PlaneHeader]) -> Pixels:
    if stream is None:
        return {plane_key(plane): Reason.PIXELS_UNREADABLE for plane in planes}
    if all(plane.stored.start is not None for plane in planes):
        return {plane_key(plane): _read_plain(stream, plane) for plane in planes}
    # pydicom takes long to load, and plain pixels never need it
    from lfja_mri.ingest.dataset import decoder

    decode = decoder(stream)
    return {plane_key(plane): _checked(decode(plane.frame), plane) for plane in planes}


def _read_plain(stream: BinaryIO, plane: PlaneHeader) -> ImageArray | Reason:
    stored = plane.stored
    try:
        stream.seek(stored.start or 0)
        content = stream.read(plane.rows * plane.columns * stored.bits_allocated // 8)
        return signal(plain_numbers(content, stored, plane.rows, plane.columns), stored)
    except (OSError, ValueError):
        return Reason.PIXELS_UNREADABLE


def _checked(numbers: StoredArray | Reason, plane: PlaneHeader) -> ImageArray | Reason:
    if isinstance(numbers, Reason):
        return numbers
    if numbers.shape != (plane.rows, plane.columns):
        return Reason.PIXELS_UNREADABLE
    return signal(numbers, plane.stored)


def stacked(
    planes: Iterable[PlaneHeader], pixels: Mapping[PlaneKey, ImageArray | Reason]
) -> ImageArray | tuple[Reason, PlaneHeader]:
    """Put decoded planes on top of one another; the first that is missing, with its reason, if one is."""
    arrays = []
    for plane in planes:
        array = pixels[plane_key(plane)]
        if isinstance(array, Reason):
            return array, plane
        arrays.append(array)
    return np.stack(arrays)
