"""Figures as PNG bytes: one overview a study, one picture a joint. Same input, same bytes.

Sides are the patient's and come from LPS coordinates; the patient's right is on the viewer's left of every axial and
coronal view. Every image carries its letters, a scale bar, and the key and role of the series it shows.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from lfja_mri.model import Image, Joint, JointResult, Plane, StudyResult
from lfja_mri.report import cuts, overview, paint, palette

JOINT_CROP_MM = 70.0
WORDS_PER_LINE = 130
OVERVIEW_SIZE = (1200, 700)
JOINT_SIZE = (960, 600)
PANELS: tuple[tuple[Plane, paint.Box], ...] = (
    (Plane.AXIAL, (19.0, 60.0, 471.0, 477.0)),
    (Plane.SAGITTAL, (489.0, 60.0, 941.0, 477.0)),
)
MARGIN, TITLE, WORDS = 19.0, 27.0, 520.0


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
    sheet = paint.Sheet(*OVERVIEW_SIZE)
    overview.draw(sheet, result)
    return sheet.png()


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
    sheet = paint.Sheet(*JOINT_SIZE)
    for plane, box in PANELS:
        _draw_view(sheet, box, result, images, plane)
    _draw_title(sheet, result)
    _draw_words(sheet, result)
    return sheet.png()


def _draw_view(
    sheet: paint.Sheet, box: paint.Box, result: JointResult, images: Sequence[Image], plane: Plane
) -> None:
    joint = result.joint
    image = None if joint is None else cuts.best_view(images, plane, joint, palette.sources_of(result))
    if joint is None or image is None:
        why = "joint not placed" if joint is None else f"no {plane.value} image shows this joint"
        paint.draw_empty(sheet, box, why)
        return
    shift = joint.shift_of(image.key)
    cut = cuts.cut_through(image.volume, joint.frame.centre_lps_mm + shift, JOINT_CROP_MM)
    panel = paint.draw_cut(sheet, box, cut, f"{image.key}  {image.role}")
    _draw_outlines(panel, cut, joint, image)


def _draw_outlines(panel: paint.Panel, cut: cuts.Cut, joint: Joint, image: Image) -> None:
    shift = joint.shift_of(image.key)
    lines = [
        paint.Line(points_mm, outline.colour, 0.8)
        for outline in palette.OUTLINES
        for points_mm in cuts.outlines(cut, joint.zones, outline.zones, shift)
    ]
    if cuts.plane_of(image) is Plane.AXIAL:
        joint_line_mm = cut.to_picture(joint.frame.joint_line_lps_mm + shift)
        lines.append(paint.Line(joint_line_mm, palette.JOINT_LINE_COLOUR, 1.0))
    panel.lines(lines)


def _draw_title(sheet: paint.Sheet, result: JointResult) -> None:
    outcome = result.outcome
    sheet.write((MARGIN, TITLE), palette.name_of(result), paint.Style(15, "#ffffff", bold=True))
    grade = paint.Style(12, palette.text_colour_of(outcome), behind=palette.colour_of(outcome), pad_pt=4)
    sheet.write((0.21 * sheet.width, TITLE), palette.grade_words(outcome), grade)
    _draw_key(sheet)


def _draw_key(sheet: paint.Sheet) -> None:
    entries = [(outline.name, outline.colour) for outline in palette.OUTLINES]
    right = sheet.width - MARGIN
    for name, colour in [("joint line", palette.JOINT_LINE_COLOUR), *entries[::-1]]:
        sheet.write((right, TITLE), name, paint.Style(9, colour, across="r"))
        right -= 19.0 + 8.2 * len(name)


def _draw_words(sheet: paint.Sheet, result: JointResult) -> None:
    lines = textwrap.wrap(palette.because(result.outcome), WORDS_PER_LINE)[:3]
    flags = palette.flags_of(result)
    if flags:
        lines += textwrap.wrap("flags: " + ", ".join(flags).replace("_", " "), WORDS_PER_LINE)[:2]
    lines.append(palette.DISCLAIMER)
    sheet.write((MARGIN, WORDS), "\n".join(lines), paint.Style(down="a"))
