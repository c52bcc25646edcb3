"""The nouns of change: one joint at one visit, and what became of it between two.

*Baseline* and *follow-up* name the order of the visits, never a judgement. Every measure here is worse when it is
higher; `change.toml` says so for each. A value that was not measured is absent from its mapping, never zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from lfja_mri.errors import Reason
from lfja_mri.model import Level, Side
from lfja_mri.results import MEASURES

__all__ = [
    "DOUBTS",
    "JOINT_PLACES_DISAGREE",
    "MEASURES",
    "REFERENCE_DRIFT",
    "SERIES_SHIFTS_DISAGREE",
    "Change",
    "Direction",
    "MeasureChange",
    "Registration",
    "Seen",
    "Status",
    "VisitJoint",
    "Witness",
]


REFERENCE_DRIFT = "reference_drift"
"""Flag: the signals of reference tissues moved against one another between the visits."""
JOINT_PLACES_DISAGREE = "joint_places_disagree"
"""Flag: the visits had placed the joint further apart than a joint is thick."""
SERIES_SHIFTS_DISAGREE = "series_shifts_disagree"
"""Flag: the visits judged differently how far the patient moved between series."""
DOUBTS = frozenset({JOINT_PLACES_DISAGREE, SERIES_SHIFTS_DISAGREE})
"""With any of these flags both visits do not share all that a threshold is wrong by."""


class Status(StrEnum):
    """Whether two visits of a joint may be compared."""

    COMPARABLE = "comparable"
    NOT_COMPARABLE = "not_comparable"


class Direction(StrEnum):
    """What became of a joint, beyond the noise of measuring it."""

    IMPROVED = "improved"
    UNCHANGED = "unchanged"
    WORSENED = "worsened"


@dataclass(frozen=True)
class Seen:
    """What some series of one visit show of one joint.

    Parameters
    ----------
    measures
        Name to value, for the measures that were taken.
    sources
        The roles they were measured on, sorted.
    readings
        The grades that these measures allow: lowest, stated and highest; empty where they were not judged.
    """

    measures: Mapping[str, float]
    sources: tuple[str, ...]
    readings: tuple[int, ...] = ()


@dataclass(frozen=True)
class Witness:
    """Both visits of a joint measured once more without the series that leads: what another series says of the change.

    Parameters
    ----------
    baseline, follow_up
        What the other series shows.
    extension_direction
        -1 or +1 where on both series less or more tissue spreads from the joint into its extension targets at the second visit; 0
        where they disagree, see as much at both visits, or were not measured.
    """

    baseline: Seen
    follow_up: Seen
    extension_direction: int = 0

    @property
    def swapped(self) -> Witness:
        """The same, told in the other order."""
        return Witness(self.follow_up, self.baseline, -self.extension_direction)

    @property
    def directions(self) -> frozenset[int]:
        """The ways (-1 better, +1 worse) in which any of its readings of the grade moved; both where it was not judged."""
        if not self.baseline.readings or not self.follow_up.readings:
            return frozenset({-1, 1})
        pairs = zip(self.baseline.readings, self.follow_up.readings, strict=True)
        return frozenset((second > first) - (second < first) for first, second in pairs) - {0}


@dataclass(frozen=True)
class VisitJoint:
    """What one visit says of one joint.

    Parameters
    ----------
    grade
        None where the joint was not graded; `reason` then says why.
    measures
        Name to value, for the measures that were taken.
    sources
        Roles of the series that were measured, such as `sagittal_stir`; sorted.
    numbering_basis
        What the level's name rests on.
    grade_interval
        Lowest and highest grade that the stated uncertainty of thresholds and reference allows; None if not stated.
    rules
        Scale and rules digest: grades of different rules are different things.
    """

    subject: str
    visit: str
    study_key: str
    level: Level
    side: Side
    grade: int | None
    measures: Mapping[str, float]
    sources: tuple[str, ...]
    numbering_basis: str
    rules: tuple[str, str]
    fat_suppression: str = ""
    reason: str = ""
    flags: tuple[str, ...] = ()
    tool_version: str = ""
    grade_interval: tuple[int, int] | None = None

    @property
    def seen(self) -> Seen:
        """What the visit measured, and on what."""
        return Seen(self.measures, self.sources)

    def could_be(self, grade: int) -> bool:
        """Return whether the joint's grade can take a value within its stated uncertainty; True where none is stated."""
        return self.grade_interval is None or self.grade_interval[0] <= grade <= self.grade_interval[1]


@dataclass(frozen=True)
class MeasureChange:
    """One measure at both visits; `sdc` is the smallest detectable change, None where no repeats tell it."""

    name: str
    baseline: float | None
    follow_up: float | None
    change: float | None = None
    sdc: float | None = None

    @property
    def detected(self) -> int:
        """-1 or +1 where the measure moved by more than its smallest detectable change, else 0."""
        return self.detected_beyond(1.0)

    def detected_beyond(self, times: float) -> int:
        """Return -1 or +1 where the measure moved by more than so many times its smallest detectable change, else 0."""
        if self.change is None or self.sdc is None or abs(self.change) <= times * self.sdc:
            return 0
        return 1 if self.change > 0 else -1


@dataclass(frozen=True)
class Registration:
    """How well the two visits of one joint were brought together, and what was seen only so.

    Parameters
    ----------
    error_mm
        None where they were not.
    witness
        None where there is no second series to ask, or nothing to ask it.
    reference_drift
        Share by which the signals of two reference tissues moved against one another, 0.2 for a fifth; 0 where not known.
    """

    error_mm: float | None
    reason: Reason | None = None
    flags: tuple[str, ...] = ()
    witness: Witness | None = None
    reference_drift: float = 0.0

    @property
    def swapped(self) -> Registration:
        """The same, told in the other order."""
        return self if self.witness is None else replace(self, witness=self.witness.swapped)


@dataclass(frozen=True)
class Change:
    """What became of one joint between two visits, or why that cannot be said."""

    subject: str
    baseline_visit: str
    follow_up_visit: str
    level: Level
    side: Side
    baseline: VisitJoint | None
    follow_up: VisitJoint | None
    status: Status
    change: Direction | None = None
    reason: Reason | None = None
    measures: tuple[MeasureChange, ...] = ()
    registration_error_mm: float | None = None
    flags: tuple[str, ...] = field(default=())

    @property
    def grade_change(self) -> int | None:
        """Follow-up minus baseline grade, below zero when better; None where the two cannot be compared."""
        pair = (self.baseline, self.follow_up)
        grades = [joint.grade for joint in pair if joint is not None and joint.grade is not None]
        comparable = self.status is Status.COMPARABLE and len(grades) == len(pair)
        return grades[1] - grades[0] if comparable else None
