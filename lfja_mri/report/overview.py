"""The overview of a study: levels on the mid-sagittal plane, joints seen from the front, grades as a table."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes as Panel
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Polygon, Rectangle

from lfja_mri.model import Disc, JointResult, Level, LevelMap, Side, StudyResult
from lfja_mri.report import cuts, paint, palette, places

JOINT_RADIUS_MM = 5.0
MARGIN_MM = 16.0
_SIDES = (Side.RIGHT, Side.LEFT)


def draw(figure: Figure, result: StudyResult) -> None:
    """Fill a figure with the three panels of the overview."""
    grid = figure.add_gridspec(
        1, 3, width_ratios=[1.15, 1.0, 0.75], left=0.02, right=0.98, top=0.92, bottom=0.06, wspace=0.06
    )
    _draw_sagittal(figure.add_subplot(grid[0, 0]), result)
    _draw_front(figure.add_subplot(grid[0, 1]), result)
    _draw_table(figure.add_subplot(grid[0, 2]), result)
    title = f"study {result.study_key}"
    if result.level_map is not None:
        title += f"   levels named by: {result.level_map.numbering_basis.value}"
    figure.text(0.02, 0.96, title, color="#ffffff", fontsize=12, va="center")
    figure.text(0.98, 0.96, palette.DISCLAIMER, color=paint.INK, fontsize=9, va="center", ha="right")


def _draw_sagittal(panel: Panel, result: StudyResult) -> None:
    level_map = result.level_map
    if level_map is None or not level_map.discs:
        paint.draw_empty(panel, "lumbar levels not found")
        return
    centre = np.median([disc.centre_lps_mm for disc in level_map.discs], axis=0)
    image = places.spine_image(result.images, centre)
    if image is None:
        paint.draw_empty(panel, "no sagittal image")
        return
    cut = cuts.cut_through(image.volume, centre)
    paint.draw_cut(panel, cut, f"{image.key}  {image.role}, slice nearest the disc centres")
    for disc in level_map.discs:
        _draw_disc_mark(panel, cut, disc)
    panel.set_xlim(0.0, cut.width_mm)
    panel.set_ylim(cut.height_mm, 0.0)


def _draw_disc_mark(panel: Panel, cut: cuts.Cut, disc: Disc) -> None:
    half = disc.axes.anterior * disc.depth_mm / 2
    front, middle, back = cut.to_picture(
        np.stack([disc.centre_lps_mm + half, disc.centre_lps_mm, disc.centre_lps_mm - half])
    )
    panel.plot([front[0], back[0]], [front[1], back[1]], color="#4de3ff", linewidth=1.2)
    panel.plot(middle[0], middle[1], marker="o", color="#ffd43b", markersize=4)
    panel.text(
        front[0] - 3,
        front[1],
        disc.level.value,
        color="#ffffff",
        fontsize=10,
        ha="right",
        va="center",
        bbox={"facecolor": "#000000", "alpha": 0.55, "edgecolor": "none", "pad": 1.5},
    )


def _draw_front(panel: Panel, result: StudyResult) -> None:
    """Draw the joints in patient x (viewer's right is the patient's left) and z."""
    panel.set_axis_off()
    if result.level_map is None or not result.level_map.discs:
        paint.draw_empty(panel, "")
        return
    panel.set_aspect("equal")
    for disc in result.level_map.discs:
        _draw_disc_outline(panel, disc)
    for joint in result.joints:
        _draw_joint_mark(panel, joint, result.level_map)
    _frame_front(panel, result)
    paint.draw_letter(panel, 0.04, "R", up=0.96)
    paint.draw_letter(panel, 0.96, "L", up=0.96)
    paint.draw_caption(panel, "joints seen from the front; dashed: place assumed")


def _draw_disc_outline(panel: Panel, disc: Disc) -> None:
    across, up = disc.axes.left * disc.width_mm / 2, disc.axes.cranial * disc.height_mm / 2
    corners = disc.centre_lps_mm + np.stack([across + up, across - up, -across - up, -across + up])
    panel.add_patch(Polygon(corners[:, [0, 2]], closed=True, facecolor="#2b2b2b", edgecolor="#8c8c8c"))


def _draw_joint_mark(panel: Panel, result: JointResult, level_map: LevelMap) -> None:
    centre = places.place(result, level_map)
    if centre is None:
        return
    x, z = centre[0], centre[2]
    outcome = result.outcome
    edge = "#ffffff" if result.joint is not None else "#cccccc"
    line = "solid" if result.joint is not None else "dashed"
    panel.add_patch(
        Circle((x, z), JOINT_RADIUS_MM, facecolor=palette.colour_of(outcome), edgecolor=edge, linestyle=line)
    )
    colour = palette.text_colour_of(outcome)
    panel.text(
        x,
        z,
        palette.short_grade(outcome),
        color=colour,
        fontsize=12,
        fontweight="bold",
        ha="center",
        va="center",
    )


def _frame_front(panel: Panel, result: StudyResult) -> None:
    discs = result.level_map.discs if result.level_map is not None else ()
    centres = np.stack([disc.centre_lps_mm for disc in discs])
    reach = max(disc.width_mm for disc in discs) / 2 + MARGIN_MM
    middle = float(np.median(centres[:, 0]))
    panel.set_xlim(middle - reach, middle + reach)
    panel.set_ylim(centres[:, 2].min() - 2 * MARGIN_MM, centres[:, 2].max() + MARGIN_MM)
    for disc in discs:
        beside = float(disc.centre_lps_mm[0]) - disc.width_mm / 2 - 2.0
        height = float(disc.centre_lps_mm[2])
        panel.text(beside, height, disc.level.value, color=paint.INK, fontsize=9, ha="right", va="center")


def _draw_table(panel: Panel, result: StudyResult) -> None:
    panel.set_axis_off()
    levels = tuple(dict.fromkeys(joint.level for joint in result.joints))
    panel.set_xlim(0, 3)
    panel.set_ylim(len(levels) + 2.0, -0.6)
    for column, words in ((1, "patient's\nright"), (2, "patient's\nleft")):
        panel.text(column + 0.5, 0.0, words, color=paint.INK, fontsize=10, ha="center", va="center")
    by_place = {(joint.level, joint.side): joint for joint in result.joints}
    for row, level in enumerate(levels):
        _draw_row(panel, row + 0.5, level, by_place)
    panel.text(0.0, len(levels) + 1.0, "\u2013  not graded", color=paint.INK, fontsize=9, va="center")


def _draw_row(
    panel: Panel, top: float, level: Level, by_place: dict[tuple[Level, Side], JointResult]
) -> None:
    panel.text(0.0, top + 0.45, level.value, color=paint.INK, fontsize=11, va="center")
    for column, side in enumerate(_SIDES, start=1):
        joint = by_place.get((level, side))
        if joint is None:
            continue
        outcome = joint.outcome
        panel.add_patch(
            Rectangle(
                (column + 0.05, top + 0.05), 0.9, 0.8, facecolor=palette.colour_of(outcome), edgecolor="none"
            )
        )
        panel.text(
            column + 0.5,
            top + 0.45,
            palette.interval(outcome),
            color=palette.text_colour_of(outcome),
            fontsize=11,
            fontweight="bold",
            ha="center",
            va="center",
        )
