"""The ten joints seen from the front as plain shapes: the map that links to each joint's section."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lfja_mri.model import Disc, FloatArray, JointResult, StudyResult
from lfja_mri.report import palette, places

MARGIN_MM = 18.0


@dataclass(frozen=True)
class Spot:
    """A joint's mark; `placed` is false where only the disc says where it should be."""

    anchor: str
    words: str
    mark: str
    x: float
    y: float
    colour: str
    ink: str
    placed: bool


@dataclass(frozen=True)
class DiscShape:
    """A disc's outline from the front; `points` in SVG words, its name's right end at (x, y)."""

    words: str
    points: str
    x: float
    y: float


@dataclass(frozen=True)
class Front:
    """The whole map in picture mm: the viewer's right is the patient's left."""

    width_mm: float
    height_mm: float
    discs: tuple[DiscShape, ...]
    spots: tuple[Spot, ...]


def anchor_of(result: JointResult) -> str:
    """Return the fragment of a joint's section: `L4-L5-right`."""
    return f"{result.level.value}-{result.side.value}"


def front_view(result: StudyResult) -> Front | None:
    """Lay out discs and joints by their LPS x and z, or return None without levels."""
    level_map = result.level_map
    if level_map is None or not level_map.discs:
        return None
    spots = [(joint, places.place(joint, level_map)) for joint in result.joints]
    known = [(joint, place) for joint, place in spots if place is not None]
    outline = np.concatenate([disc_corners(disc) for disc in level_map.discs])
    points = np.concatenate([outline, *(place[None] for _, place in known)])
    low, high = points.min(axis=0) - MARGIN_MM, points.max(axis=0) + MARGIN_MM
    top_left = np.array([low[0], 0.0, high[2]])
    return Front(
        width_mm=round(float(high[0] - low[0]), 1),
        height_mm=round(float(high[2] - low[2]), 1),
        discs=tuple(_disc_shape(disc, top_left) for disc in level_map.discs),
        spots=tuple(_spot(joint, _picture(place, top_left)) for joint, place in known),
    )


def disc_corners(disc: Disc) -> FloatArray:
    """Return the four corners of a disc's frontal outline in LPS mm, shape (4, 3)."""
    across, up = disc.axes.left * disc.width_mm / 2, disc.axes.cranial * disc.height_mm / 2
    return disc.centre_lps_mm + np.stack([across + up, across - up, -across - up, -across + up])


def _picture(points_lps_mm: FloatArray, top_left: FloatArray) -> FloatArray:
    offset = points_lps_mm - top_left
    return np.stack([offset[..., 0], -offset[..., 2]], axis=-1).round(1)


def _disc_shape(disc: Disc, top_left: FloatArray) -> DiscShape:
    corners = _picture(disc_corners(disc), top_left)
    x = corners[:, 0].min() - 2.0
    y = _picture(disc.centre_lps_mm, top_left)[1]
    words = " ".join(f"{column:.1f},{row:.1f}" for column, row in corners)
    return DiscShape(disc.level.value, words, round(float(x), 1), float(y))


def _spot(joint: JointResult, place: FloatArray) -> Spot:
    outcome = joint.outcome
    return Spot(
        anchor=anchor_of(joint),
        words=f"{palette.name_of(joint)}: {palette.grade_words(outcome)}",
        mark=palette.short_grade(outcome),
        x=float(place[0]),
        y=float(place[1]),
        colour=palette.colour_of(outcome),
        ink=palette.text_colour_of(outcome),
        placed=joint.joint is not None,
    )
