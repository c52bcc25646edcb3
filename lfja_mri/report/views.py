"""Views for the pages: an acquired cut as a small picture with its outlines as vector paths that can be hidden.

Lengths are picture mm: the view's own coordinate system, so outlines stay sharp at any size and add few bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lfja_mri.errors import GeometryError, Reason
from lfja_mri.model import FloatArray, Image, Joint, JointResult, LevelMap, Plane
from lfja_mri.report import cuts, palette, places
from lfja_mri.report.grey import data_uri, gray_png, to_grey
from lfja_mri.report.render import series_words

CROP_MM = 70.0
PLANES = (Plane.AXIAL, Plane.SAGITTAL)


@dataclass(frozen=True)
class Trace:
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
    bar_cm
        Length of the scale bar.
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
    bar_cm: int = 1
    paths: tuple[Trace, ...] = ()
    marks: tuple[Mark, ...] = ()


Window = tuple[float, float]


@dataclass(frozen=True)
class Pair:
    """The same plane at two visits; None where a visit does not show it."""

    plane: Plane
    earlier: View | None
    later: View | None
    common_window: bool


def joint_views(result: JointResult, images: Sequence[Image]) -> tuple[View, ...]:
    """Return the axial and the sagittal view of a joint, as far as images show it."""
    shown = [best_image(result, images, plane) for plane in PLANES]
    return tuple(joint_view(result, image) for image in shown if image is not None)


def best_image(
    result: JointResult, images: Sequence[Image], plane: Plane, role: str | None = None
) -> Image | None:
    """Choose the image that shows a joint best in a plane; one of the given role first."""
    if result.joint is None:
        return None
    return cuts.best_view(
        images, plane, result.joint, palette.sources_of(result) if role is None else (role,)
    )


def joint_view(
    result: JointResult,
    image: Image,
    window: Window | None = None,
    *,
    planes_away: int = 0,
    outlined: bool = True,
) -> View:
    """Return one view of a placed joint.

    Parameters
    ----------
    result
        A joint that was placed.
    image
        Image to cut.
    window
        Signals of black and white; outer percentiles of the cut where None.
    planes_away
        Which neighbour of the nearest plane to show.
    outlined
        Whether to trace the zones.
    """
    joint = result.joint
    if joint is None:
        raise GeometryError("a joint that was not placed has no view", reason=Reason.JOINT_NOT_FOUND)
    cut = joint_cut(joint, image, planes_away)
    return View(
        name=f"{palette.name_of(result)}, {cuts.plane_of(image).value}",
        caption=f"{series_words(image.role)}, series {image.key}",
        width_mm=round(cut.width_mm, 2),
        height_mm=round(cut.height_mm, 2),
        pixels=data_uri(gray_png(to_grey(cut.pixels_yx.astype(np.float64), window or cut.window))),
        letters=cut.letters[:2],
        paths=_paths(joint, image, cut) if outlined else (),
    )


def _paths(joint: Joint, image: Image, cut: cuts.Cut) -> tuple[Trace, ...]:
    shift = joint.shift_of(image.key)
    paths = [_zone_path(cut, joint, outline, shift) for outline in palette.OUTLINES]
    if cuts.plane_of(image) is Plane.AXIAL:
        line = _svg_line(cut.to_picture(joint.frame.joint_line_lps_mm + shift))
        paths.append(Trace("joint line", palette.JOINT_LINE_COLOUR, line))
    return tuple(path for path in paths if path.d)


def joint_cut(joint: Joint, image: Image, planes_away: int = 0) -> cuts.Cut:
    """Return the square around a joint on the acquired plane nearest to it, or on a neighbour of that plane."""
    step = image.volume.voxel_to_lps[:3, 2] * planes_away
    centre = joint.frame.centre_lps_mm + joint.shift_of(image.key)
    return cuts.cut_through(image.volume, centre + step, CROP_MM)


def pair_views(
    baseline: JointResult,
    baseline_images: Sequence[Image],
    follow_up: JointResult,
    follow_up_images: Sequence[Image],
) -> tuple[Pair, ...]:
    """Return both visits of a joint plane by plane, on the same kind of image where both have one.

    Where both visits know the same reference tissue of the image shown, one window serves both: black and white are
    the same multiples of that tissue's signal, so brightness can be compared by eye.
    """
    pairs = []
    for plane in PLANES:
        first = best_image(baseline, baseline_images, plane)
        second = best_image(follow_up, follow_up_images, plane, None if first is None else str(first.role))
        window = _common_window(baseline, first, follow_up, second)
        pairs.append(
            Pair(
                plane,
                None if first is None else joint_view(baseline, first),
                None if second is None else joint_view(follow_up, second, window),
                common_window=window is not None,
            )
        )
    return tuple(pair for pair in pairs if pair.earlier is not None or pair.later is not None)


def _common_window(
    baseline: JointResult, first: Image | None, follow_up: JointResult, second: Image | None
) -> Window | None:
    """Return the follow-up's window that shows the reference tissue as bright as at baseline."""
    if first is None or second is None or baseline.joint is None or first.role != second.role:
        return None
    signals = [_reference_signals(result, first) for result in (baseline, follow_up)]
    shared = [name for name in signals[0] if signals[0][name] > 0 and signals[1].get(name, 0.0) > 0]
    if not shared:
        return None
    ratio = signals[1][shared[0]] / signals[0][shared[0]]
    low, high = joint_cut(baseline.joint, first).window
    return low * ratio, high * ratio


def _reference_signals(result: JointResult, image: Image) -> Mapping[str, float]:
    """Return the reference signals if they were taken from the kind of image shown: the first source."""
    measured = result.measurements
    if measured is None or not measured.sources or measured.sources[0] != str(image.role):
        return {}
    return measured.reference


def _zone_path(cut: cuts.Cut, joint: Joint, outline: palette.Outline, shift_lps_mm: FloatArray) -> Trace:
    lines = cuts.outlines(cut, joint.zones, outline.zones, shift_lps_mm)
    return Trace(outline.name, outline.colour, " ".join(_svg_line(line) for line in lines))


def _svg_line(points_mm: FloatArray) -> str:
    return "M" + " ".join(f"{x:.1f},{y:.1f}" for x, y in points_mm)


def spine_view(level_map: LevelMap | None, images: Sequence[Image]) -> View | None:
    """Return the sagittal plane nearest the disc centres with the discs named, or None without levels or image."""
    if level_map is None or not level_map.discs:
        return None
    centre = np.median([disc.centre_lps_mm for disc in level_map.discs], axis=0)
    image = places.spine_image(images, centre)
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
        caption=f"{series_words(image.role)}, series {image.key}",
        width_mm=round(cut.width_mm, 2),
        height_mm=round(cut.height_mm, 2),
        pixels=data_uri(gray_png(to_grey(cut.pixels_yx.astype(np.float64), cut.window))),
        letters=cut.letters[:2],
        bar_cm=5,
        marks=tuple(marks),
    )
