"""What was measured at a joint, the grade that follows, and the results of a study."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lfja_mri.errors import Reason
from lfja_mri.model.images import Image, Level, Rejection, Side
from lfja_mri.model.joints import Joint
from lfja_mri.model.levels import LevelMap


@dataclass(frozen=True)
class Missing:
    """A measure that could not be taken."""

    reason: Reason


Measure = float | Missing


@dataclass(frozen=True)
class Measurements:
    """What was measured at one joint: plain numbers with units in their names, or Missing with a reason.

    `extension_mm3` maps each extension target to its bright volume; the rules say from what volume it counts.
    `reference` holds reference-tissue signals in the unit of the image (never compared between images).
    `further` holds measures that item sheets need and the grade does not. `low` and `high` hold what measures become
    when thresholds, reference signal and position move by their stated uncertainty towards health or disease.
    """

    level: Level
    side: Side
    effusion_width_mm: Measure
    effusion_volume_mm3: Measure
    joint_signal_ratio: Measure
    perimeter_fraction: Measure
    perimeter_fraction_max_slice: Measure
    soft_tissue_oedema_volume_mm3: Measure
    bone_oedema_volume_mm3: Measure
    oedema_extent_mm: Measure
    oedema_signal_ratio: Measure
    cyst_volume_mm3: Measure
    extension_mm3: Mapping[str, Measure]
    coverage_fraction: Measure
    fat_suppression: str
    sources: tuple[str, ...]
    flags: tuple[str, ...] = ()
    reference: Mapping[str, float] = field(default_factory=dict)
    low: Mapping[str, float] = field(default_factory=dict)
    high: Mapping[str, float] = field(default_factory=dict)
    further: Mapping[str, Measure] = field(default_factory=dict)


@dataclass(frozen=True)
class Graded:
    """A grade with the rule that fired and the interval it can take."""

    grade: int
    grade_low: int
    grade_high: int
    rule: str
    because: str
    extension: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class NotGraded:
    """No grade, and why."""

    reason: Reason
    detail: str = ""
    flags: tuple[str, ...] = ()


Outcome = Graded | NotGraded


@dataclass(frozen=True, eq=False)
class JointResult:
    """Everything that is known of one joint at one visit; `joint` and `measurements` are None where it was not placed."""

    level: Level
    side: Side
    outcome: Outcome
    measurements: Measurements | None = None
    joint: Joint | None = None
    items: Mapping[str, int | None] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class StudyResult:
    """One graded study."""

    study_key: str
    level_map: LevelMap | None
    joints: tuple[JointResult, ...]
    images: tuple[Image, ...]
    rejections: tuple[Rejection, ...] = ()
    timings_s: Mapping[str, float] = field(default_factory=dict)
