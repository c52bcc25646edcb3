"""A trial in two pictures: each joint's grade over the visits, and each measure's change against its noise.

PNG bytes that depend on the data alone: no clock, no version, jitter from a fixed rule.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from lfja_mri.change.cohort import Rows
from lfja_mri.change.manifest import months_of
from lfja_mri.change.rows import read_visit_joint
from lfja_mri.change.types import MEASURES, Change, Direction, Status, VisitJoint
from lfja_mri.model import Level, Side

# Colours of Okabe and Ito, told apart by colour-blind readers too.
_SIDE_COLOURS = {Side.LEFT: "#0072B2", Side.RIGHT: "#D55E00"}
_DIRECTION_COLOURS = {
    Direction.IMPROVED: "#009E73",
    Direction.UNCHANGED: "#7F7F7F",
    Direction.WORSENED: "#CC3311",
}
MEASURE_TITLES = {
    "effusion_width_mm": "width of joint fluid (mm)",
    "effusion_volume_mm3": "volume of joint fluid (mm³)",
    "joint_signal_ratio": "signal of the joint (times CSF)",
    "perimeter_fraction": "bright share of the perimeter (0 to 1)",
    "soft_tissue_oedema_volume_mm3": "oedema of soft tissue (mm³)",
    "bone_oedema_volume_mm3": "oedema of bone (mm³)",
    "oedema_extent_mm": "reach of oedema from the capsule (mm)",
    "oedema_signal_ratio": "signal of oedema (times CSF)",
}
_JITTER = 0.12
_SPREAD = 0.03
_SHOWN_SDCS = 6.0
_DPI = 110
_TOP_GRADE = 4


def grades_plot(grade_rows: Rows, order: Sequence[str]) -> bytes:
    """Draw one panel per level, one line per joint and subject: grade at each visit; gaps where it was not graded."""
    joints = [read_visit_joint(row) for row in grade_rows]
    levels = [level for level in Level if any(joint.level is level for joint in joints)]
    places = _places(order)
    figure = Figure(figsize=(2.6 * max(len(levels), 1) + 0.6, 4.0), layout="constrained")
    axes = figure.subplots(1, max(len(levels), 1), sharex=True, sharey=True, squeeze=False)[0]
    for panel, level in zip(axes, levels, strict=False):
        panel.set_title(level.value)
        _draw_lines(panel, [joint for joint in joints if joint.level is level], places)
        _label_visits(panel, places)
        panel.set_ylim(-0.5, _TOP_GRADE + 0.5)
        panel.set_yticks(range(_TOP_GRADE + 1))
    axes[0].set_ylabel("grade of facet synovitis, 0 to 4")
    for side, colour in _SIDE_COLOURS.items():
        axes[-1].plot([], [], color=colour, marker="o", label=f"{side.value} joint")
    axes[-1].plot(
        [], [], color="#555555", linewidth=0.7, linestyle=":", label="across a visit without a grade"
    )
    figure.legend(frameon=False, loc="outside lower center", ncols=3)
    return _png(figure)


def changes_plot(changes: Sequence[Change], order: Sequence[str]) -> bytes:
    """Draw one panel per measure: each joint's change since the first visit in SDCs, the noise as a band of -1 to 1.

    Changes beyond six SDCs are drawn at the edge as triangles.
    """
    places = _places(order)
    comparable = [change for change in changes if change.status is Status.COMPARABLE]
    figure = Figure(figsize=(12.5, 6.4), layout="constrained")
    panels = figure.subplots(2, len(MEASURES) // 2, sharex=True, sharey=True).ravel()
    for panel, name in zip(panels, MEASURES, strict=True):
        panel.set_title(MEASURE_TITLES[name], fontsize=10)
        panel.axhspan(-1, 1, color="#DDDDDD", zorder=0)
        panel.axhline(0, color="#999999", linewidth=0.8, zorder=1)
        _draw_points(panel, comparable, name, places)
        _label_visits(panel, dict(list(places.items())[1:]))
        panel.set_ylim(-_SHOWN_SDCS - 0.5, _SHOWN_SDCS + 0.5)
    for direction, colour in _DIRECTION_COLOURS.items():
        panels[0].scatter([], [], color=colour, s=16, label=f"joint {direction.value}")
    panels[0].fill_between([], [], color="#DDDDDD", label="within measurement error")
    panels[0].scatter([], [], color="#555555", s=16, marker="^", label=f"beyond {_SHOWN_SDCS:g} times")
    figure.legend(frameon=False, loc="outside lower center", ncols=5)
    figure.supylabel(
        "change since the first visit, in smallest detectable changes (below 0: better)", fontsize=10
    )
    return _png(figure)


def _places(order: Sequence[str]) -> dict[str, float]:
    """Return where each visit stands on the axis: its months, or its rank where a name tells no time."""
    months = [months_of(name) for name in order]
    if all(month is not None for month in months):
        return {name: float(month or 0) for name, month in zip(order, months, strict=True)}
    return {name: float(rank) for rank, name in enumerate(order)}


def _label_visits(panel: Any, places: Mapping[str, float]) -> None:
    panel.set_xticks(list(places.values()), list(places), rotation=45, ha="right", fontsize=8)
    if places:
        # A visit at which nothing was graded keeps its place.
        margin = 2 * _SPREAD * (max(places.values()) or 1.0)
        panel.set_xlim(min(places.values()) - margin, max(places.values()) + margin)
    panel.spines[["top", "right"]].set_visible(False)


def _draw_lines(panel: Any, joints: Sequence[VisitJoint], places: Mapping[str, float]) -> None:
    subjects = sorted({joint.subject for joint in joints})
    for rank, subject in enumerate(subjects):
        for side, colour in _SIDE_COLOURS.items():
            found = {j.visit: j.grade for j in joints if (j.subject, j.side) == (subject, side)}
            # Joints with the same grades lie beside one another, not on one another.
            offset = side.lateral_sign * _JITTER * (rank + 1) / len(subjects)
            known = [(places[visit], found.get(visit)) for visit in places]
            _draw_line(panel, [(x, None if y is None else y + offset) for x, y in known], colour)


def _draw_line(panel: Any, points: Sequence[tuple[float, float | None]], colour: str) -> None:
    """Draw a line through what is known, thin and dotted across visits that are missing."""
    seen = [(x, y) for x, y in points if y is not None]
    panel.plot([x for x, _ in seen], [y for _, y in seen], color=colour, linewidth=0.7, linestyle=":")
    heights = [float("nan") if y is None else y for _, y in points]
    panel.plot([x for x, _ in points], heights, color=colour, marker="o", markersize=3, linewidth=1.2)


def _draw_points(panel: Any, changes: Sequence[Change], name: str, places: Mapping[str, float]) -> None:
    spread = (max(places.values(), default=1.0) or 1.0) * _SPREAD
    for rank, change in enumerate(changes):
        measure = next((one for one in change.measures if one.name == name), None)
        if measure is None or measure.change is None or not measure.sdc or change.change is None:
            continue
        ratio = measure.change / measure.sdc
        shown = min(max(ratio, -_SHOWN_SDCS), _SHOWN_SDCS)
        marker = "o" if shown == ratio else ("^" if ratio > 0 else "v")
        place = places.get(change.follow_up_visit, 0.0) + spread * (rank % 5 - 2) / 2
        colour = _DIRECTION_COLOURS[change.change]
        panel.scatter([place], [shown], color=colour, marker=marker, s=14, zorder=2)


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    FigureCanvasAgg(figure).print_figure(buffer, format="png", dpi=_DPI, metadata={"Software": None})
    return buffer.getvalue()
