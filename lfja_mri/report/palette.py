"""Colours and words that every figure and page shares.

Grades run from blue to dark red; each colour is used with its number printed, so none rests on colour alone. Text on
a grade colour keeps a contrast of at least 4.5 to 1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from lfja_mri.errors import Reason
from lfja_mri.model import Graded, JointResult, LevelMap, NotGraded, Outcome, Zone

DISCLAIMER = "Research software, not a medical device"
NOT_GRADED_COLOUR = "#6b6b6b"
CAUTION_COLOUR = "#ffb347"
GRADE_COLOURS = ("#2f6db5", "#8ec3d9", "#f5cf55", "#ef8a3c", "#b1163a")
_DARK_TEXT = "#111111"
_LIGHT_TEXT = "#ffffff"
_TEXT_ON_GRADE = (_LIGHT_TEXT, _DARK_TEXT, _DARK_TEXT, _DARK_TEXT, _LIGHT_TEXT)


@dataclass(frozen=True)
class Outline:
    """Zones drawn as one outline: their name, colour, and which zones they take together."""

    name: str
    colour: str
    zones: tuple[Zone, ...]


OUTLINES = (
    Outline("perimeter", "#ff7ad9", (Zone.JOINT_SPACE, Zone.CAPSULE, Zone.PERIMETER)),
    Outline("capsule", "#ffd43b", (Zone.JOINT_SPACE, Zone.CAPSULE)),
    Outline("joint space", "#4de3ff", (Zone.JOINT_SPACE,)),
)
JOINT_LINE_COLOUR = "#ff5a4e"
SCALE_NAMES: Mapping[str, str] = {"czervionke_fenton": "Czervionke-Fenton 0-4"}
GRADE_MEANINGS: Mapping[str, tuple[str, ...]] = {
    "czervionke_fenton": (
        "no abnormal signal in or around the joint",
        "abnormal signal or fluid within the joint only",
        "abnormal signal around less than half of the joint",
        "abnormal signal around half of the joint or more",
        "as 3, and it reaches foramen, ligamentum flavum, pedicle, transverse process or vertebral body",
    )
}


def colour_of(outcome: Outcome) -> str:
    """Return the fill colour of an outcome; grades above the known ones take the worst colour."""
    if not isinstance(outcome, Graded):
        return NOT_GRADED_COLOUR
    return GRADE_COLOURS[min(outcome.grade, len(GRADE_COLOURS) - 1)]


def text_colour_of(outcome: Outcome) -> str:
    """Return the text colour that is readable on `colour_of`."""
    if not isinstance(outcome, Graded):
        return _LIGHT_TEXT
    return _TEXT_ON_GRADE[min(outcome.grade, len(_TEXT_ON_GRADE) - 1)]


def short_grade(outcome: Outcome) -> str:
    """Return the grade as one mark: its number, or a dash."""
    return str(outcome.grade) if isinstance(outcome, Graded) else "\u2013"


def grade_words(outcome: Outcome) -> str:
    """Return the grade with its interval, or that there is none and why."""
    if isinstance(outcome, NotGraded) and outcome.reason is Reason.NOT_NEEDED:
        return "region only, not graded"
    if not isinstance(outcome, Graded):
        return f"not graded: {outcome.reason.value.replace('_', ' ')}"
    if outcome.grade_low == outcome.grade_high:
        return f"grade {outcome.grade}"
    return f"grade {outcome.grade} ({outcome.grade_low} to {outcome.grade_high})"


def interval(outcome: Outcome) -> str:
    """Return the grade and, where it is wider than the grade, its interval: `2 (1-3)`."""
    if not isinstance(outcome, Graded) or outcome.grade_low == outcome.grade_high:
        return short_grade(outcome)
    return f"{outcome.grade} ({outcome.grade_low}\u2013{outcome.grade_high})"


def because(outcome: Outcome) -> str:
    """Return the rule that fired with its reason, or the detail of the refusal."""
    if isinstance(outcome, Graded):
        return f"{outcome.rule}: {outcome.because}"
    return outcome.detail


def name_of(result: JointResult) -> str:
    """Return `L4-L5 right`."""
    return f"{result.level.value} {result.side.value}"


def sources_of(result: JointResult) -> tuple[str, ...]:
    """Return the series that were measured."""
    return result.measurements.sources if result.measurements is not None else ()


def flags_of(result: JointResult) -> tuple[str, ...]:
    """Return every flag of a joint once: of its grade, its measures, its place."""
    measured = result.measurements.flags if result.measurements is not None else ()
    placed = result.joint.frame.flags if result.joint is not None else ()
    return tuple(dict.fromkeys((*result.outcome.flags, *measured, *placed)))


def level_confidence(level_map: LevelMap) -> str:
    """Return how sure the levels are, the least and the most sure of them, rounded down: none is certain; empty without levels."""
    sure = {f"{math.floor(round(100 * disc.confidence, 6)) / 100:.2f}" for disc in level_map.discs}
    return " to ".join(sorted({min(sure), max(sure)})) if sure else ""
