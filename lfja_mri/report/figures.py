"""Figures as PNG bytes: one overview a study, one picture a joint. Same input, same bytes.

Sides are the patient's and come from LPS coordinates; the patient's right is on the viewer's left of every axial and
coronal view. Every image carries its letters, a scale bar, and the key and role of the series it shows.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from matplotlib.axes import Axes as Panel
from matplotlib.figure import Figure

from lfja_mri.model import Image, Joint, JointResult, Plane, StudyResult
from lfja_mri.report import cuts, overview, paint, palette

JOINT_CROP_MM = 70.0
WORDS_PER_LINE = 130


def overview_picture(result: StudyResult) -> bytes:
    """Draw the spine of a study with its levels named and its joints coloured by grade.

    Parameters
    ----------
    result
        A graded study; without a level map the picture says so.

    Returns
    -------
    PNG. Left: the sagittal plane nearest the disc centres. Middle: the joints seen from the front, the patient's right on
    the viewer's left. Right: the grades as a table.
    """
    with paint.canvas(12.0, 7.0) as figure:
        overview.draw(figure, result)
        return paint.png(figure)


def joint_picture(result: JointResult, images: Sequence[Image]) -> bytes:
    """Draw one joint on the acquired axial and sagittal slices that show it best.

    Parameters
    ----------
    result
        The joint; without a placed joint the picture carries the words alone.
    images
        Images of the study.

    Returns
    -------
    PNG. Zones are cut by each image's own plane and moved by the series shift of that image.
    """
    with paint.canvas(9.6, 6.0) as figure:
        grid = figure.add_gridspec(1, 2, left=0.02, right=0.98, top=0.9, bottom=0.205, wspace=0.04)
        for column, plane in enumerate((Plane.AXIAL, Plane.SAGITTAL)):
            _draw_view(figure.add_subplot(grid[0, column]), result, images, plane)
        _draw_title(figure, result)
        _draw_words(figure, result)
        return paint.png(figure)


def _draw_view(panel: Panel, result: JointResult, images: Sequence[Image], plane: Plane) -> None:
    joint = result.joint
    image = None if joint is None else cuts.best_view(images, plane, joint, palette.sources_of(result))
    if joint is None or image is None:
        why = "joint not placed" if joint is None else f"no {plane.value} image shows this joint"
        paint.draw_empty(panel, why)
        return
    shift = joint.shift_of(image.key)
    cut = cuts.cut_through(image.volume, joint.frame.centre_lps_mm + shift, JOINT_CROP_MM)
    paint.draw_cut(panel, cut, f"{image.key}  {image.role}")
    _draw_outlines(panel, cut, joint, image)


def _draw_outlines(panel: Panel, cut: cuts.Cut, joint: Joint, image: Image) -> None:
    shift = joint.shift_of(image.key)
    lines = [
        paint.Line(points_mm, outline.colour, 0.8)
        for outline in palette.OUTLINES
        for points_mm in cuts.outlines(cut, joint.zones, outline.zones, shift)
    ]
    if cuts.plane_of(image) is Plane.AXIAL:
        joint_line_mm = cut.to_picture(joint.frame.joint_line_lps_mm + shift)
        lines.append(paint.Line(joint_line_mm, palette.JOINT_LINE_COLOUR, 1.0))
    paint.draw_lines(panel, lines)
    panel.set_xlim(0.0, cut.width_mm)
    panel.set_ylim(cut.height_mm, 0.0)


def _draw_title(figure: Figure, result: JointResult) -> None:
    outcome = result.outcome
    name = palette.name_of(result)
    figure.text(0.02, 0.955, name, color="#ffffff", fontsize=15, fontweight="bold", va="center")
    figure.text(
        0.2,
        0.955,
        f" {palette.grade_words(outcome)} ",
        color=palette.text_colour_of(outcome),
        fontsize=12,
        va="center",
        bbox={"facecolor": palette.colour_of(outcome), "edgecolor": "none", "pad": 4},
    )
    _draw_key(figure)


def _draw_key(figure: Figure) -> None:
    entries = [(outline.name, outline.colour) for outline in palette.OUTLINES]
    right = 0.98
    for name, colour in [("joint line", palette.JOINT_LINE_COLOUR), *entries[::-1]]:
        figure.text(right, 0.955, name, color=colour, fontsize=9, ha="right", va="center")
        right -= 0.02 + 0.0085 * len(name)


def _draw_words(figure: Figure, result: JointResult) -> None:
    lines = textwrap.wrap(palette.because(result.outcome), WORDS_PER_LINE)[:3]
    flags = palette.flags_of(result)
    if flags:
        lines += textwrap.wrap("flags: " + ", ".join(flags).replace("_", " "), WORDS_PER_LINE)[:2]
    lines.append(palette.DISCLAIMER)
    figure.text(0.02, 0.133, "\n".join(lines), color=paint.INK, fontsize=9, va="top", linespacing=1.35)
