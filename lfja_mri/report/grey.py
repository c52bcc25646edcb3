"""Grey pictures as PNG, small and the same to the byte, and any PNG as a URI within a page."""

from __future__ import annotations

import base64
import struct
import zlib

import numpy as np

from lfja_mri.model import FloatArray

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def to_grey(pixels_yx: FloatArray, window: tuple[float, float]) -> FloatArray:
    """Map signals to 0-255, the window's ends to black and white."""
    low, high = window
    return np.clip((pixels_yx - low) / (high - low), 0.0, 1.0) * 255.0


def gray_png(grey_yx: FloatArray) -> bytes:
    """Encode 8-bit greys as PNG: the shortest form there is, and the same bytes for the same greys."""
    pixels = np.rint(grey_yx).astype(np.uint8)
    rows, columns = pixels.shape
    lines = np.concatenate([np.zeros((rows, 1), np.uint8), pixels], axis=1)
    header = struct.pack(">IIBBBBB", columns, rows, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines.tobytes(), 9)), (b"IEND", b""))
    return SIGNATURE + b"".join(_chunk(name, content) for name, content in chunks)


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def data_uri(png: bytes) -> str:
    """Return PNG bytes as a URI that needs no file."""
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")
