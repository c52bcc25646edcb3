"""The page of one study: self-contained, nothing is fetched, nothing is sent. Same input, same bytes.

What other stages know (explanations, versions, tables) comes in as plain words; this module lays it out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lfja_mri.model import (
    Graded,
    Image,
    JointResult,
    Level,
    Measurements,
    Missing,
    Outcome,
    Side,
    StudyResult,
)
from lfja_mri.report import palette, render, schematic, views
from lfja_mri.report.render import About

JointKey = tuple[Level, Side]
MARK_CHOICES = (
    ("agree", "agree"),
    ("disagree", "disagree"),
    ("other_grade", "other grade"),
    ("exclude", "exclude"),
)
_MEASURES = (
    ("perimeter_fraction", "bright share of the perimeter", "", 2),
    ("perimeter_fraction_max_slice", "the same, worst slice", "", 2),
    ("joint_signal_ratio", "joint signal / reference", "", 2),
    ("effusion_width_mm", "effusion width", "mm", 1),
    ("effusion_volume_mm3", "effusion volume", "mm\u00b3", 0),
    ("soft_tissue_oedema_volume_mm3", "soft-tissue oedema", "mm\u00b3", 0),
    ("bone_oedema_volume_mm3", "bone oedema", "mm\u00b3", 0),
    ("oedema_extent_mm", "reach of the oedema", "mm", 1),
    ("oedema_signal_ratio", "oedema signal / reference", "", 2),
    ("cyst_volume_mm3", "cyst", "mm\u00b3", 0),
    ("coverage_fraction", "imaged share of the joint", "", 2),
)


_RULE_LINE = re.compile(r"\s+grade \d+ \(")


@dataclass(frozen=True)
class MeasureRow:
    """One line of a joint's table of measures."""

    name: str
    value: str
    missing: str
    interval: str


@dataclass(frozen=True)
class ExplanationLine:
    """One line of an explanation; `kind` is `decided`, `met`, `unmet` or empty."""

    indent: int
    words: str
    kind: str


def explanation_lines(text: str) -> list[ExplanationLine]:
    """Return an explanation line by line: the rule that decided is the last one considered."""
    lines = [line for line in text.splitlines() if line.strip()]
    rules = [number for number, line in enumerate(lines) if _RULE_LINE.match(line)]
    decided = rules[-1] if rules and "not graded" not in lines[0] else None
    return [
        ExplanationLine(
            len(line) - len(line.lstrip()),
            line.strip(),
            "decided" if number == decided else _kind_of(line),
        )
        for number, line in enumerate(lines)
    ]


def _kind_of(line: str) -> str:
    if line.endswith(", not met"):
        return "unmet"
    return "met" if line.endswith(", met") else ""


@dataclass(frozen=True)
class JointCard:
    """One joint as the page shows it."""

    result: JointResult
    views: tuple[views.View, ...]
    explanation: str
    measures: tuple[MeasureRow, ...]

    @property
    def anchor(self) -> str:
        """Return the fragment that links to the joint."""
        return schematic.anchor_of(self.result)

    @property
    def name(self) -> str:
        """Return `L4-L5 right`."""
        return palette.name_of(self.result)

    @property
    def level(self) -> str:
        """Return the level's name."""
        return self.result.level.value

    @property
    def side(self) -> str:
        """Return the patient's side."""
        return self.result.side.value

    @property
    def outcome(self) -> Outcome:
        """Return the grade or the refusal."""
        return self.result.outcome

    @property
    def grade(self) -> str:
        """Return the grade as a cell: empty where there is none."""
        return str(self.outcome.grade) if isinstance(self.outcome, Graded) else ""

    @property
    def grade_words(self) -> str:
        """Return the grade with its interval in words."""
        return palette.grade_words(self.outcome)

    @property
    def explanation_lines(self) -> list[ExplanationLine]:
        """Return each line of the explanation with its depth, and whether it decided, held or did not."""
        return explanation_lines(self.explanation)

    @property
    def flags(self) -> tuple[str, ...]:
        """Return every flag once."""
        return palette.flags_of(self.result)


def study_page(result: StudyResult, *, about: About, explanations: Mapping[JointKey, str]) -> str:
    """Return the page of one graded study.

    Parameters
    ----------
    result
        The study with its images.
    about
        Version, scale, subject and visit.
    explanations
        Why each joint got its grade, with its numbers against the thresholds; the rule's words where absent.
    """
    cards = tuple(_card(joint, result.images, explanations) for joint in result.joints)
    return render.render(
        "study.html.j2",
        title=f"Lumbar facet joints of study {result.study_key}",
        tool_version=about.tool_version,
        meanings=about.meanings,
        facts=_facts(result, about),
        doubts=result.level_map.flags if result.level_map else (),
        spine=views.spine_view(result.level_map, result.images),
        front=schematic.front_view(result),
        grid=_grid(cards),
        joints=cards,
        outlines=render.outline_key(),
        series=[_series_row(image) for image in result.images],
        rejections=result.rejections,
        mark_choices=MARK_CHOICES,
        study_identity={"study_key": result.study_key, "subject": about.subject, "visit": about.visit},
    )


def _facts(result: StudyResult, about: About) -> tuple[tuple[str, str], ...]:
    level_map = result.level_map
    graded = sum(isinstance(joint.outcome, Graded) for joint in result.joints)
    return (
        ("subject", about.subject),
        ("visit", about.visit),
        ("joints graded", f"{graded} of {len(result.joints)}"),
        ("levels named by", render.words(level_map.numbering_basis.value) if level_map else "not found"),
        ("level confidence", palette.level_confidence(level_map) if level_map else ""),
        ("scale", about.scale_name),
        ("rules", about.rules_digest),
    )


def _card(joint: JointResult, images: Sequence[Image], explanations: Mapping[JointKey, str]) -> JointCard:
    words = explanations.get((joint.level, joint.side)) or palette.because(joint.outcome)
    measures = () if joint.measurements is None else _measure_rows(joint.measurements)
    return JointCard(joint, views.joint_views(joint, images), words, measures)


def _measure_rows(measurements: Measurements) -> tuple[MeasureRow, ...]:
    rows = []
    for key, name, unit, digits in _MEASURES:
        value = getattr(measurements, key)
        low, high = measurements.low.get(key), measurements.high.get(key)
        interval = "" if low is None or high is None else f"{low:.{digits}f} to {high:.{digits}f}"
        if isinstance(value, Missing):
            rows.append(MeasureRow(name, "", value.reason.value.replace("_", " "), interval))
        else:
            rows.append(MeasureRow(name, f"{value:.{digits}f} {unit}".strip(), "", interval))
    return tuple(rows)


def _grid(cards: Sequence[JointCard]) -> list[tuple[str, JointCard | None, JointCard | None]]:
    by_place = {(card.level, card.result.side): card for card in cards}
    levels = dict.fromkeys(card.level for card in cards)
    return [(level, by_place.get((level, Side.RIGHT)), by_place.get((level, Side.LEFT))) for level in levels]


def _series_row(image: Image) -> dict[str, str]:
    spacing = image.volume.spacing_mm
    return {
        "key": image.key,
        "role": str(image.role),
        "planes": str(image.volume.values_zyx.shape[0]),
        "pitch": f"{spacing[2]:.1f} mm",
        "pixel": f"{spacing[0]:.2f} mm",
        "confidence": f"{image.confidence:.2f}",
        "evidence": "; ".join(image.evidence),
    }
