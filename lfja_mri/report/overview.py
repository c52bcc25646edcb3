"""The overview of a study: levels on the mid-sagittal plane, joints seen from the front, grades as a table."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lfja_mri.model import Disc, JointResult, Level, LevelMap, Side, StudyResult
from lfja_mri.report import cuts, paint, palette, places
from lfja_mri.report.paint import Style

JOINT_RADIUS_MM = 5.0
MARGIN_MM = 16.0
SPINE_BOX = (24.0, 56.0, 463.0, 658.0)
FRONT_BOX = (486.0, 56.0, 867.0, 658.0)
TABLE_BOX = (890.0, 56.0, 1176.0, 658.0)
TITLE, DOUBTS, NAMING = 24.0, 44.0, 220.0
_SIDES = (Side.RIGHT, Side.LEFT)


def draw(sheet: paint.Sheet, result: StudyResult) -> None:
    """Fill a sheet with the three panels of the overview."""
    _draw_sagittal(sheet, result)
    _draw_front(sheet, result)
    _draw_table(sheet, result)
    sheet.write((SPINE_BOX[0], TITLE), f"study {result.study_key}", Style(12, "#ffffff"))
    sheet.write((TABLE_BOX[2], TITLE), palette.DISCLAIMER, Style(across="r"))
    if result.level_map is not None:
        _draw_naming(sheet, result.level_map)


def _draw_naming(sheet: paint.Sheet, level_map: LevelMap) -> None:
    """Say what the names of the levels rest on, how sure they are, and what casts doubt on them."""
    basis, sure = level_map.numbering_basis.value, palette.level_confidence(level_map)
    named = f"levels named by: {basis}" + (f", confidence {sure}" if sure else "")
    sheet.write((NAMING, TITLE), named, Style(12, "#ffffff"))
    if level_map.flags:
        doubts = ", ".join(flag.replace("_", " ") for flag in level_map.flags)
        caution = Style(12, palette.CAUTION_COLOUR, bold=True)
        sheet.write((NAMING, DOUBTS), f"check the names: {doubts}", caution)


def _draw_sagittal(sheet: paint.Sheet, result: StudyResult) -> None:
    level_map = result.level_map
    if level_map is None or not level_map.discs:
        paint.draw_empty(sheet, SPINE_BOX, "lumbar levels not found")
        return
    centre = np.median([disc.centre_lps_mm for disc in level_map.discs], axis=0)
    image = places.spine_image(result.images, centre)
    if image is None:
        paint.draw_empty(sheet, SPINE_BOX, "no sagittal image")
        return
    cut = cuts.cut_through(image.volume, centre)
    title = f"{image.key}  {image.role}, slice nearest the disc centres"
    panel = paint.draw_cut(sheet, SPINE_BOX, cut, title)
    for disc in level_map.discs:
        _draw_disc_mark(panel, cut, disc)


def _draw_disc_mark(panel: paint.Panel, cut: cuts.Cut, disc: Disc) -> None:
    half = disc.axes.anterior * disc.depth_mm / 2
    ends = cut.to_picture(np.stack([disc.centre_lps_mm + half, disc.centre_lps_mm - half]))
    middle = cut.to_picture(disc.centre_lps_mm)
    panel.lines([paint.Line(ends, "#4de3ff", 1.2)])
    panel.disc((float(middle[0]), float(middle[1])), 2.8, "#ffd43b")
    name = Style(10, "#ffffff", across="r", behind=paint.LETTER_BOX, pad_pt=1.5)
    panel.write((float(ends[0, 0]) - 3, float(ends[0, 1])), disc.level.value, name)


def _draw_front(sheet: paint.Sheet, result: StudyResult) -> None:
    """Draw the joints in patient x (viewer's right is the patient's left) and z."""
    if result.level_map is None or not result.level_map.discs:
        return
    panel = _front_panel(sheet, result.level_map)
    for disc in result.level_map.discs:
        _draw_disc_outline(panel, disc)
    for joint in result.joints:
        _draw_joint_mark(panel, joint, result.level_map)
    paint.draw_letter(panel, 0.04, "R", down=0.04)
    paint.draw_letter(panel, 0.96, "L", down=0.04)
    paint.draw_caption(panel, "joints seen from the front; dashed: place assumed")


def _front_panel(sheet: paint.Sheet, level_map: LevelMap) -> paint.Panel:
    centres = np.stack([disc.centre_lps_mm for disc in level_map.discs])
    reach = max(disc.width_mm for disc in level_map.discs) / 2 + MARGIN_MM
    middle = float(np.median(centres[:, 0]))
    highest, lowest = float(centres[:, 2].max()) + MARGIN_MM, float(centres[:, 2].min()) - 2 * MARGIN_MM
    return paint.fitted(sheet, FRONT_BOX, middle - reach, highest, middle + reach, lowest)


def _draw_disc_outline(panel: paint.Panel, disc: Disc) -> None:
    across, up = disc.axes.left * disc.width_mm / 2, disc.axes.cranial * disc.height_mm / 2
    corners = disc.centre_lps_mm + np.stack([across + up, across - up, -across - up, -across + up])
    panel.shape(corners[:, [0, 2]], "#2b2b2b", "#8c8c8c")
    beside = float(disc.centre_lps_mm[0]) - disc.width_mm / 2 - 2.0
    panel.write((beside, float(disc.centre_lps_mm[2])), disc.level.value, Style(across="r"))


def _draw_joint_mark(panel: paint.Panel, result: JointResult, level_map: LevelMap) -> None:
    centre = places.place(result, level_map)
    if centre is None:
        return
    at, placed = (float(centre[0]), float(centre[2])), result.joint is not None
    fill, edge = palette.colour_of(result.outcome), "#ffffff" if placed else "#cccccc"
    panel.disc(at, JOINT_RADIUS_MM * panel.px_per_unit, fill, edge, dashed=not placed)
    grade = Style(12, palette.text_colour_of(result.outcome), bold=True, across="m")
    panel.write(at, palette.short_grade(result.outcome), grade)


def _draw_table(sheet: paint.Sheet, result: StudyResult) -> None:
    levels = tuple(dict.fromkeys(joint.level for joint in result.joints))
    panel = paint.Panel(sheet, TABLE_BOX, 0.0, -0.6, 3.0, len(levels) + 2.0)
    for column, words in ((1, "patient's\nright"), (2, "patient's\nleft")):
        panel.write((column + 0.5, 0.0), words, Style(10, across="m"))
    by_place = {(joint.level, joint.side): joint for joint in result.joints}
    for row, level in enumerate(levels):
        _draw_row(panel, row + 0.5, level, by_place)
    panel.write((0.0, len(levels) + 1.0), "\u2013  not graded", Style())


def _draw_row(
    panel: paint.Panel, top: float, level: Level, by_place: Mapping[tuple[Level, Side], JointResult]
) -> None:
    panel.write((0.0, top + 0.45), level.value, Style(11))
    for column, side in enumerate(_SIDES, start=1):
        joint = by_place.get((level, side))
        if joint is None:
            continue
        outcome = joint.outcome
        cell = paint.rectangle(column + 0.05, top + 0.05, column + 0.95, top + 0.85)
        panel.shape(cell, palette.colour_of(outcome))
        words = Style(11, palette.text_colour_of(outcome), bold=True, across="m")
        panel.write((column + 0.5, top + 0.45), palette.interval(outcome), words)
