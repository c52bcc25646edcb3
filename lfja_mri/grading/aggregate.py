"""Sums that people publish: per vertebra 0-16, per study 0-40, active joints, worst joint.

A sum over joints of which one has no grade would be too low by an unknown amount, so it is None.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lfja_mri.model import Graded, JointResult, Level

ACTIVE_FROM_GRADE = 2

SUMMARY_COLUMNS: tuple[str, ...] = (
    "subject",
    "visit",
    "study_key",
    "joints_graded",
    "total",
    "joints_grade_2_or_more",
    "worst_grade",
    "worst_joint",
    "vertebra_sums",
)


@dataclass(frozen=True)
class Summary:
    """Aggregates of one study.

    `total` is the sum of all joints (0-40 for ten) or None if one is not graded; `vertebra_sums` gives for each
    vertebra with two neighbouring levels the sum of its four joints (0-16; Lehman et al., AJNR 2013;34:1468), or None.
    """

    joints_graded: int
    total: int | None
    joints_grade_2_or_more: int
    worst_grade: int | None
    worst_joint: str | None
    vertebra_sums: dict[str, int | None]

    def row(self) -> dict[str, str | int | None]:
        """Return the cells of `summary.csv` that this stage knows."""
        sums = ";".join(
            f"{name}={'' if value is None else value}" for name, value in self.vertebra_sums.items()
        )
        return {
            "joints_graded": self.joints_graded,
            "total": self.total,
            "joints_grade_2_or_more": self.joints_grade_2_or_more,
            "worst_grade": self.worst_grade,
            "worst_joint": self.worst_joint,
            "vertebra_sums": sums,
        }


def summarise(joints: Sequence[JointResult]) -> Summary:
    """Aggregate the joints of one study; ties for the worst joint go to the most cranial, left first."""
    grades = {
        (joint.level, joint.side): joint.outcome.grade
        for joint in joints
        if isinstance(joint.outcome, Graded)
    }
    worst = max(grades, key=lambda key: grades[key]) if grades else None
    return Summary(
        joints_graded=len(grades),
        total=sum(grades.values()) if joints and len(grades) == len(joints) else None,
        joints_grade_2_or_more=sum(grade >= ACTIVE_FROM_GRADE for grade in grades.values()),
        worst_grade=None if worst is None else grades[worst],
        worst_joint=None if worst is None else f"{worst[0].value} {worst[1].value}",
        vertebra_sums=_vertebra_sums(joints),
    )


def _vertebra_sums(joints: Sequence[JointResult]) -> dict[str, int | None]:
    levels = list(dict.fromkeys(joint.level for joint in joints))
    sums: dict[str, int | None] = {}
    for above in levels:
        vertebra = above.value.split("-")[1]
        below = next((level for level in levels if level.value.split("-")[0] == vertebra), None)
        if below is not None:
            sums[vertebra] = _sum_of(joints, (above, below))
    return sums


def _sum_of(joints: Sequence[JointResult], levels: tuple[Level, Level]) -> int | None:
    outcomes = [joint.outcome for joint in joints if joint.level in levels]
    grades = [outcome.grade for outcome in outcomes if isinstance(outcome, Graded)]
    return sum(grades) if len(grades) == len(outcomes) else None
