"""Pages made without images: from an archive's tables, explanations and stored pictures.

The pictures were drawn when the study was graded, outlines and all; they are made small enough that a page stays
self-contained and under 3 MB.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image as Picture

from lfja_mri.names import names_to_check
from lfja_mri.report import palette, render
from lfja_mri.report.grey import data_uri
from lfja_mri.report.pages import MARK_CHOICES, ExplanationLine, explanation_lines
from lfja_mri.report.render import About, Row

WIDTH_PIXELS = 720
GREYS = 48
MIXTURES = ((0, 1.0), (0, 0.7), (0, 0.4), (130, 0.6), (255, 0.6))  # how lines look where they are smoothed


@dataclass(frozen=True)
class StoredStudy:
    """What an archive keeps of one study.

    Parameters
    ----------
    rows
        Its rows of `grades.csv`, cells as text.
    explanations
        Text by `L4-L5 right`.
    pictures
        PNG bytes by `L4-L5 right`; `overview` is the whole spine.
    series, rejections
        As `run.json` lists them.
    """

    rows: Sequence[Row]
    explanations: Mapping[str, str]
    pictures: Mapping[str, bytes]
    series: Sequence[Mapping[str, object]] = ()
    rejections: Sequence[Mapping[str, object]] = ()


@dataclass(frozen=True)
class StoredCard:
    """One joint of a stored study as the page shows it."""

    row: Row
    picture: str
    lines: Sequence[ExplanationLine]

    @property
    def name(self) -> str:
        """Return `L4-L5 right`."""
        return f"{self.row['level']} {self.row['side']}"

    @property
    def anchor(self) -> str:
        """Return the fragment that links to the joint."""
        return f"{self.row['level']}-{self.row['side']}"

    @property
    def words(self) -> str:
        """Return the grade with its interval, or that there is none."""
        grade, low, high = (self.row[name] for name in ("grade", "grade_low", "grade_high"))
        if not grade:
            return f"not graded: {self.row['reason'].replace('_', ' ')}"
        return f"grade {grade}" if low == high else f"grade {grade} ({low} to {high})"

    @property
    def flags(self) -> list[str]:
        """Return the flags of the joint."""
        return [flag for flag in self.row["flags"].split(";") if flag]


def stored_study_page(study: StoredStudy, *, about: About) -> str:
    """Return the page of a study from its archive; the same archive gives the same page."""
    cards = [_card(row, study) for row in study.rows]
    first = study.rows[0]
    overview = study.pictures.get("overview")
    return render.render(
        "stored.html.j2",
        title=f"Lumbar facet joints of study {first['study_key']}",
        tool_version=about.tool_version,
        meanings=about.meanings,
        facts=(
            ("subject", first["subject"]),
            ("visit", first["visit"]),
            ("joints graded", f"{sum(bool(row['grade']) for row in study.rows)} of {len(study.rows)}"),
            ("levels named by", render.words(first["numbering_basis"])),
            ("scale", about.scale_name),
            ("rules", about.rules_digest),
        ),
        doubts=names_to_check(row["flags"] for row in study.rows),
        overview=small_picture(overview, 1000) if overview else "",
        joints=cards,
        grid=_grid(cards),
        series=study.series,
        rejections=study.rejections,
        mark_choices=MARK_CHOICES,
        study_identity={name: first[name] for name in ("study_key", "subject", "visit")},
    )


def _grid(cards: Sequence[StoredCard]) -> list[tuple[str, StoredCard | None, StoredCard | None]]:
    """Return (level, patient's right, patient's left) from the head down."""
    places = {(card.row["level"], card.row["side"]): card for card in cards}
    levels = dict.fromkeys(card.row["level"] for card in cards)
    return [(level, places.get((level, "right")), places.get((level, "left"))) for level in levels]


def _card(row: Row, study: StoredStudy) -> StoredCard:
    name = f"{row['level']} {row['side']}"
    picture = study.pictures.get(name)
    lines = explanation_lines(study.explanations.get(name, ""))
    return StoredCard(row, small_picture(picture) if picture else "", lines)


def small_picture(png: bytes, width: int = WIDTH_PIXELS, band: tuple[float, float] = (0.0, 1.0)) -> str:
    """Return a stored picture as a data URI of few colours.

    Parameters
    ----------
    png
        The stored picture.
    width
        At most so many pixels across.
    band
        Top and bottom of what to keep, as shares of the height.
    """
    with Picture.open(io.BytesIO(png)) as opened:
        picture = opened.convert("RGB")
    top, bottom = (round(share * picture.height) for share in band)
    picture = picture.crop((0, top, picture.width, bottom))
    if picture.width > width:
        picture = picture.resize((width, round(picture.height * width / picture.width)))
    buffer = io.BytesIO()
    few = picture.quantize(palette=_few_colours(), dither=Picture.Dither.NONE)
    few.save(buffer, format="PNG", optimize=True)
    return data_uri(buffer.getvalue())


@cache
def _few_colours() -> Picture.Image:
    """Return greys for the slices, and every outline's and grade's colour against dark and grey ground."""
    greys = [(value, value, value) for value in np.linspace(0, 255, GREYS).round().astype(int).tolist()]
    outlines = [outline.colour for outline in palette.OUTLINES]
    drawn = [*outlines, palette.JOINT_LINE_COLOUR, *palette.GRADE_COLOURS, palette.NOT_GRADED_COLOUR]
    mixed = [_mixed(colour, ground, share) for colour in drawn for ground, share in MIXTURES]
    swatch = Picture.new("P", (1, 1))
    swatch.putpalette([part for colour in (*greys, *mixed) for part in colour])
    return swatch


def _mixed(colour: str, ground: int, share: float) -> tuple[int, int, int]:
    parts = [int(colour[start : start + 2], 16) for start in (1, 3, 5)]
    red, green, blue = (round(share * part + (1 - share) * ground) for part in parts)
    return red, green, blue
