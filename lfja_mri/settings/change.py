"""`change.toml` and `repeatability.toml`: how two visits are brought together, and what a change must exceed."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import Field

from lfja_mri.settings.section import Settings


class OnMismatch(StrEnum):
    """What to do where two visits were imaged differently."""

    REFUSE = "refuse"
    FLAG = "flag"
    IGNORE = "ignore"


class ComparabilitySettings(Settings):
    """How far apart two visits may have been imaged; each tolerance is a share of the larger value."""

    contrast_agent: OnMismatch
    scanner: OnMismatch
    field_strength: OnMismatch
    field_strength_tolerance: float = Field(ge=0)
    echo_time: OnMismatch
    echo_time_tolerance: float = Field(ge=0)
    inversion_time: OnMismatch
    inversion_time_tolerance: float = Field(ge=0)
    pitch: OnMismatch
    pitch_tolerance: float = Field(ge=0)
    pixel_size: OnMismatch
    pixel_size_tolerance: float = Field(ge=0)
    subject: OnMismatch
    tool_version: OnMismatch


class MeasureRepeatability(Settings):
    """Repeatability of one measure: one standard deviation of a single measurement is hypot(floor, share * value)."""

    sem_floor: float = Field(ge=0)
    sem_share: float = Field(ge=0)
    pairs: int = Field(ge=0)
    icc: float | None = None
    bias: float | None = None
    limit_low: float | None = None
    limit_high: float | None = None


class ProtocolRepeatability(Settings):
    """Repeatability of the measures that were taken from these sources; no sources: from any.

    `registered` tells whether both scans were measured in one joint frame, or each in its own.
    """

    sources: tuple[str, ...] = ()
    registered: bool = False
    measures: dict[str, MeasureRepeatability]


class RepeatabilitySettings(Settings):
    """What repeats of unchanged joints tell; written by `lfja-mri repeatability`."""

    provenance: str
    provisional: bool
    protocol: tuple[ProtocolRepeatability, ...]


class CohortSettings(Settings):
    """How a trial is summed up."""

    bootstrap_draws: int = Field(gt=0)
    bootstrap_seed: int = Field(ge=0)
    interval: float = Field(gt=0, lt=1)


class RegistrationSettings(Settings):
    """How the levels of two visits are brought together; regions are (low, high) mm from the disc's centre."""

    passes: tuple[tuple[float, float], ...] = Field(min_length=1)
    region_anterior_mm: tuple[float, float]
    region_left_mm: tuple[float, float]
    region_cranial_mm: tuple[float, float]
    iterations: int = Field(gt=0)
    damping: float = Field(gt=0)
    huber: float = Field(gt=0)
    least_overlap: float = Field(gt=0, le=1)
    least_correlation: float = Field(ge=-1, le=1)
    most_shift_mm: float = Field(gt=0)
    most_turn_deg: float = Field(gt=0)
    most_error_mm: float = Field(gt=0)
    most_joint_disagreement_mm: float = Field(gt=0)
    slip_margin: float = Field(gt=0)
    slip_margin_spine: float = Field(ge=0)
    reference_drift: float = Field(gt=0)


class DecidingSettings(Settings):
    """A group of measures of which so many must move beyond their SDC to confirm that a grade moved.

    `steps` names each step by its upper grade, 3 for that between 2 and 3: the group speaks of moves that hold one of them, of any
    move where none is named.
    """

    measures: tuple[str, ...]
    at_least: int = Field(ge=1)
    steps: tuple[int, ...] = ()


class WitnessSettings(Settings):
    """A second series that must not contradict a change told on the leading one; see `change.toml`."""

    roles: tuple[str, ...]
    share_of_sdc: float = Field(ge=0)
    factor_within_interval: float = Field(ge=1)


class ExtensionSettings(Settings):
    """Two grades that extension alone tells apart, and what confirms a move between them within both intervals; see `change.toml`."""

    grades: tuple[int, int]
    measures: tuple[str, ...] = Field(min_length=1)


class ChangeSettings(Settings):
    """The whole of `change.toml`; `repeatability` is read from the file that it names."""

    detection_z: float = Field(gt=0)
    grade_must_leave_interval: Literal["always", "unregistered", "never"]
    factor_within_interval: float = Field(ge=1)
    fewest_pairs: int = Field(ge=2)
    deciding: tuple[DecidingSettings, ...]
    witness: WitnessSettings
    extension: ExtensionSettings
    cohort: CohortSettings
    registration: RegistrationSettings
    comparability: ComparabilitySettings
    repeatability: RepeatabilitySettings
