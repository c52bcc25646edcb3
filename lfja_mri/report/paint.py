"""What every PNG picture is drawn on: a sheet of pixels, panels in mm or other units, letters and scale bars.

Images, lines and shapes are drawn three times as large and averaged, words at their own size over all of them. No user
setting and no global state has a say, so the same picture is the same bytes.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from lfja_mri.model import FloatArray
from lfja_mri.report import cuts

SCALE_BAR_MM = 10.0
INK = "#f2f2f2"
BACKGROUND = "#101010"
COMPRESSION = 2  # packs in a third of the time of the usual 6, for a file a tenth larger
FINENESS = 3
LETTER_BOX = (0, 0, 0, 140)
POINT_PX = 100 / 72
LINE_SPACING = 1.35
FONTS = "mpl-data/fonts/ttf"  # DejaVu Sans comes with matplotlib

Place = tuple[float, float]
Box = tuple[float, float, float, float]
Across = Literal["l", "m", "r"]
Down = Literal["a", "m", "d"]


@dataclass(frozen=True)
class Style:
    """How words look: size in points, colour, weight, which point of them lies at their place, and what lies behind."""

    size_pt: float = 9.0
    colour: str = INK
    bold: bool = False
    across: Across = "l"
    down: Down = "m"
    behind: str | tuple[int, int, int, int] | None = None
    pad_pt: float = 2.0


@dataclass(frozen=True, eq=False)
class Line:
    """A polyline to draw: its points in the panel's units, shape (N, 2), its colour and its width in points."""

    points: FloatArray
    colour: str
    width_pt: float


@dataclass(eq=False)
class Sheet:
    """A picture in the making; lengths are pixels from the top left corner."""

    width: int
    height: int
    words: list[tuple[Place, str, Style]] = field(default_factory=list)
    fine: Image.Image = field(init=False)
    draw: ImageDraw.ImageDraw = field(init=False)

    def __post_init__(self) -> None:
        """Start with an empty sheet."""
        self.fine = Image.new("RGB", (self.width * FINENESS, self.height * FINENESS), BACKGROUND)
        self.draw = ImageDraw.Draw(self.fine)

    def write(self, place: Place, words: str, style: Style) -> None:
        """Put words on the sheet, over everything drawn."""
        self.words.append((place, words, style))

    def png(self) -> bytes:
        """Return the finished picture, without dates or versions."""
        done = self.fine.reduce(FINENESS)
        for place, words, style in self.words:
            _write(done, place, words, style)
        buffer = io.BytesIO()
        done.save(buffer, format="png", compress_level=COMPRESSION)
        return buffer.getvalue()


@dataclass(frozen=True, eq=False)
class Panel:
    """A part of a sheet with units of its own.

    Parameters
    ----------
    box
        Left, top, right and bottom on the sheet.
    left, top
        The panel's units at the upper left corner.
    right, bottom
        And at the lower right one.
    """

    sheet: Sheet
    box: Box
    left: float
    top: float
    right: float
    bottom: float

    def at(self, points: FloatArray) -> FloatArray:
        """Turn points in the panel's units, shape (..., 2), into pixels of the sheet."""
        low, high = np.array([self.left, self.top]), np.array([self.right, self.bottom])
        corner, far = np.array(self.box[:2]), np.array(self.box[2:])
        return np.asarray(corner + (np.asarray(points) - low) / (high - low) * (far - corner))

    @property
    def px_per_unit(self) -> float:
        """Pixels per unit across."""
        return (self.box[2] - self.box[0]) / abs(self.right - self.left)

    def lines(self, lines: Sequence[Line]) -> None:
        """Draw polylines; what lies outside the panel is left out."""
        left, top, right, bottom = _fine_box(self.box)
        layer = self.sheet.fine.crop((left, top, right, bottom))
        pen = ImageDraw.Draw(layer)
        for line in lines:
            points = self.at(line.points) * FINENESS - (left, top)
            pen.line([tuple(point) for point in points], line.colour, _fine(line.width_pt), joint="curve")
        self.sheet.fine.paste(layer, (left, top))

    def shape(self, points: FloatArray, fill: str, edge: str | None = None, edge_pt: float = 1.0) -> None:
        """Fill a polygon, with an edge where one is asked for."""
        corners = [tuple(point) for point in self.at(points) * FINENESS]
        self.sheet.draw.polygon(corners, fill)
        if edge is not None:
            self.sheet.draw.line([*corners, corners[0]], edge, _fine(edge_pt), joint="curve")

    def disc(
        self, centre: Place, radius_px: float, fill: str, edge: str | None = None, *, dashed: bool = False
    ) -> None:
        """Draw a round spot."""
        x, y = self.at(np.array(centre)) * FINENESS
        reach = radius_px * FINENESS
        around = (x - reach, y - reach, x + reach, y + reach)
        self.sheet.draw.ellipse(around, fill)
        step, drawn = (24, 15) if dashed else (360, 360)
        for start in range(0, 360, step) if edge is not None else ():
            self.sheet.draw.arc(around, start, start + drawn, edge, _fine(1.0))

    def write(self, place: Place, words: str, style: Style) -> None:
        """Put words at a place in the panel's units."""
        x, y = self.at(np.array(place))
        self.sheet.write((float(x), float(y)), words, style)

    def write_at_share(self, across: float, down: float, words: str, style: Style) -> None:
        """Put words at shares of the panel's width and height, from its top left corner."""
        left, top, right, bottom = self.box
        self.sheet.write((left + across * (right - left), top + down * (bottom - top)), words, style)


def fitted(sheet: Sheet, box: Box, left: float, top: float, right: float, bottom: float) -> Panel:
    """Return the largest panel in the middle of a box whose units are as long across as down."""
    scale = min((box[2] - box[0]) / abs(right - left), (box[3] - box[1]) / abs(bottom - top))
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    half = 0.5 * scale * abs(right - left), 0.5 * scale * abs(bottom - top)
    return Panel(sheet, (x - half[0], y - half[1], x + half[0], y + half[1]), left, top, right, bottom)


def draw_cut(sheet: Sheet, box: Box, cut: cuts.Cut, title: str) -> Panel:
    """Show a cut in picture mm with its letters, scale bar and title, and return its panel."""
    panel = fitted(sheet, box, 0.0, 0.0, cut.width_mm, cut.height_mm)
    low, high = cut.window
    grey = np.clip((cut.pixels_yx.astype(np.float32) - low) / (high - low), 0, 1) * 255
    left, top, right, bottom = _fine_box(panel.box)
    image = Image.fromarray(grey.round().astype(np.uint8))
    sheet.fine.paste(image.resize((right - left, bottom - top), Image.Resampling.BILINEAR), (left, top))
    draw_caption(panel, title)
    draw_letter(panel, 0.04, cut.letters[0])
    draw_letter(panel, 0.96, cut.letters[1])
    _draw_scale_bar(panel, cut)
    return panel


def draw_caption(panel: Panel, words: str) -> None:
    """Write words under a panel."""
    panel.write_at_share(0.5, 1.015, words, Style(across="m", down="a"))


def draw_letter(panel: Panel, across: float, letter: str, down: float = 0.5) -> None:
    """Write an anatomical letter; `across` and `down` are shares of the panel's width and height."""
    style = Style(15, "#ffffff", bold=True, across="m", behind=LETTER_BOX)
    panel.write_at_share(across, down, letter, style)


def draw_empty(sheet: Sheet, box: Box, words: str) -> None:
    """Say in the middle of a box why it shows nothing."""
    middle = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    sheet.write(middle, words, Style(11, across="m"))


def rectangle(left: float, top: float, right: float, bottom: float) -> FloatArray:
    """Corners of an upright rectangle, shape (4, 2)."""
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]])


def _draw_scale_bar(panel: Panel, cut: cuts.Cut) -> None:
    thick = cut.height_mm / 80
    left, top = cut.width_mm * 0.96 - SCALE_BAR_MM, cut.height_mm * 0.96
    panel.shape(rectangle(left, top, left + SCALE_BAR_MM, top + thick), "#ffffff", "#000000", 0.6)
    style = Style(8, "#ffffff", across="m", down="d")
    panel.write((left + SCALE_BAR_MM / 2, top - thick), f"{SCALE_BAR_MM / 10:.0f} cm", style)


def _write(picture: Image.Image, place: Place, words: str, style: Style) -> None:
    pen = ImageDraw.Draw(picture, "RGBA")
    font = _font(style.size_pt, bold=style.bold)
    spacing = (LINE_SPACING - 1.0) * style.size_pt * POINT_PX
    anchor, align = style.across + style.down, {"l": "left", "m": "center", "r": "right"}[style.across]
    if style.behind is not None:
        pad = style.pad_pt * POINT_PX
        left, top, right, bottom = pen.multiline_textbbox(place, words, font, anchor, spacing, align)
        pen.rectangle((left - pad, top - pad, right + pad, bottom + pad), style.behind)
    pen.multiline_text(place, words, style.colour, font, anchor, spacing, align)


@lru_cache(maxsize=32)
def _font(size_pt: float, *, bold: bool) -> ImageFont.FreeTypeFont:
    found = find_spec("matplotlib")
    folder = Path(*(found.submodule_search_locations or ())[:1] if found is not None else ()) / FONTS
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    basic = ImageFont.Layout.BASIC  # the same with and without the optional shaping library
    return ImageFont.truetype(str(folder / name), size_pt * POINT_PX, layout_engine=basic)


def _fine_box(box: Box) -> tuple[int, int, int, int]:
    left, top, right, bottom = (round(edge * FINENESS) for edge in box)
    return left, top, right, bottom


def _fine(width_pt: float) -> int:
    return max(1, round(width_pt * POINT_PX * FINENESS))
