"""Views for the pages: an acquired cut as a small picture with its outlines as vector paths that can be hidden.

Lengths are picture mm: the view's own coordinate system, so outlines stay sharp at any size and add few bytes.
"""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lfja_mri.model import FloatArray, Image, Joint, JointResult, LevelMap, Plane
from lfja_mri.report import cuts, overview, palette

CROP_MM = 70.0
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Path:
    """One outline: its name, colour, and the `d` of an SVG path in picture mm."""

    name: str
    colour: str
    d: str


@dataclass(frozen=True)
class Mark:
    """A labelled point or short line, in picture mm."""

    words: str
    x: float
    y: float
    x2: float
    y2: float


@dataclass(frozen=True)
class View:
    """A picture of one acquired plane.

    Parameters
    ----------
    name
        What it shows, for headings and screen readers.
    caption
        Series key and role.
    width_mm, height_mm
        Outer size.
    pixels
        PNG as a data URI.
    letters
        Anatomical letters at the viewer's left and right.
    paths
        Outlines.
    marks
        Discs, in the view of the whole spine.
    """

    name: str
    caption: str
    width_mm: float
    height_mm: float
    pixels: str
    letters: tuple[str, str]
    paths: tuple[Path, ...] = ()
    marks: tuple[Mark, ...] = ()


def joint_views(
    result: JointResult, images: Sequence[Image], reference_span: float | None = None
) -> tuple[View, ...]:
    """Return the axial and the sagittal view of a joint, as far as images show it.

    Parameters
    ----------
    result
        The joint.
    images
        Images of its study.
    reference_span
        White as a multiple of the joint's reference-tissue signal; the cut's own brightest share where None.
    """
    joint = result.joint
    if joint is None:
        return ()
    shown = [cuts.best_view(images, plane, joint, palette.sources_of(result)) for plane in _PLANES]
    return tuple(_joint_view(result, joint, image, reference_span) for image in shown if image is not None)


_PLANES = (Plane.AXIAL, Plane.SAGITTAL)


def _joint_view(result: JointResult, joint: Joint, image: Image, reference_span: float | None) -> View:
    shift = joint.shift_of(image.key)
    cut = cuts.cut_through(image.volume, joint.frame.centre_lps_mm + shift, CROP_MM)
    plane = cuts.plane_of(image)
    paths = [_zone_path(cut, joint, outline, shift) for outline in palette.OUTLINES]
    if plane is Plane.AXIAL:
        line = _svg_line(cut.to_picture(joint.frame.joint_line_lps_mm + shift))
        paths.append(Path("joint line", palette.JOINT_LINE_COLOUR, line))
    window = cut.window if reference_span is None else (0.0, reference_span)
    return View(
        name=f"{palette.name_of(result)}, {plane.value}",
        caption=f"{image.key} {image.role}",
        width_mm=round(cut.width_mm, 2),
        height_mm=round(cut.height_mm, 2),
        pixels=data_uri(gray_png(to_grey(cut.pixels_yx.astype(np.float64), window))),
        letters=cut.letters[:2],
        paths=tuple(path for path in paths if path.d),
    )


def _zone_path(cut: cuts.Cut, joint: Joint, outline: palette.Outline, shift_lps_mm: FloatArray) -> Path:
    lines = cuts.outlines(cut, joint.zones, outline.zones, shift_lps_mm)
    return Path(outline.name, outline.colour, " ".join(_svg_line(line) for line in lines))


def _svg_line(points_mm: FloatArray) -> str:
    return "M" + " ".join(f"{x:.1f},{y:.1f}" for x, y in points_mm)


def spine_view(level_map: LevelMap | None, images: Sequence[Image]) -> View | None:
    """Return the sagittal plane nearest the disc centres with the discs named, or None without levels or image."""
    if level_map is None or not level_map.discs:
        return None
    centre = np.median([disc.centre_lps_mm for disc in level_map.discs], axis=0)
    image = overview.spine_image(images, centre)
    if image is None:
        return None
    cut = cuts.cut_through(image.volume, centre)
    marks = []
    for disc in level_map.discs:
        half = disc.axes.anterior * disc.depth_mm / 2
        front, back = cut.to_picture(np.stack([disc.centre_lps_mm + half, disc.centre_lps_mm - half])).round(
            1
        )
        marks.append(Mark(disc.level.value, *(float(value) for value in (*front, *back))))
    return View(
        name="mid-sagittal plane with the lumbar discs",
        caption=f"{image.key} {image.role}",
        width_mm=round(cut.width_mm, 2),
        height_mm=round(cut.height_mm, 2),
        pixels=data_uri(gray_png(to_grey(cut.pixels_yx.astype(np.float64), cut.window))),
        letters=cut.letters[:2],
        marks=tuple(marks),
    )


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
    return _PNG_SIGNATURE + b"".join(_chunk(name, content) for name, content in chunks)


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def data_uri(png: bytes) -> str:
    """Return PNG bytes as a URI that needs no file."""
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")
