"""Settings: one TOML file says how to look (`pipeline.toml`); others say how to judge.

Every default lives in `configs/`, none here. A misspelt key is refused with the nearest known one. Settings are
frozen; a stage receives its own section only.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lfja_mri import packaged
from lfja_mri.config_ingest import IngestSettings
from lfja_mri.errors import ConfigurationError

config_folder = packaged.config_folder
read_toml = packaged.read_toml
# what pydantic calls a key that a section does not know, in a model and in a dataclass
UNKNOWN_KEY = frozenset({"extra_forbidden", "unexpected_keyword_argument"})


class Settings(BaseModel):
    """A frozen section that refuses unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class MeasureByPart(Settings):
    """Mean and standard deviation of one measure of a disc, by the part that it plays in the column."""

    lumbar: tuple[float, float]
    lumbosacral: tuple[float, float]
    sacral: tuple[float, float]
    weight: float


class NumberingSettings(Settings):
    """Which disc lies on S1: the weights of the evidence."""

    first_sacral_weight: float
    no_sacrum_in_view: float
    strongest_series: float
    temperature: float
    likeness: float
    measures: dict[str, MeasureByPart]


class RibSettings(Settings):
    """Where ribs are looked for beside T12 and L1, and what counts as one."""

    lateral_mm: tuple[float, ...]
    course_from_mm: float
    course_behind_mm: float
    course_backwards: float
    course_above_mm: float
    course_downwards: float
    reach_mm: tuple[float, float]
    half_heights_mm: tuple[float, ...]
    surround_mm: float
    places: int
    beyond_pedicle_mm: float
    places_beyond: int
    least_in_view: float
    flattest_share: float
    present_from: float
    absent_below: float
    runs_on_from: float
    runs_on_each_side: float
    disagreeing_confidence: float
    sacrum_alone_confidence: float


class LevelsSettings(Settings):
    """How the lumbar levels are found and named."""

    threads: int
    closest_planes_mm: float
    disc_share: float
    slab_half_width_mm: float
    smallest_disc_mm3: float
    full_disc_mm3: float
    smallest_s1_mm3: float
    least_score: float
    canal_to_disc_mm: tuple[float, float]
    same_disc_mm: float
    same_disc_span_mm: float
    pitch_mm: tuple[float, float]
    usual_pitch_mm: tuple[float, float]
    course_deg: tuple[float, float]
    gap_slack: float
    last_segment_mm: float
    default_disc_mm: tuple[float, float, float]
    assumed_confidence: float
    uncertain_below: float
    remnant_share: float
    middle_half_width_mm: float
    trusted_elongation: float
    tilt_half_width_mm: float
    largest_tilt_deg: float
    levelled_to_depth: float
    largest_levelling_deg: float
    width_per_depth: tuple[float, float]
    usual_width_per_depth: float
    width_share: float
    lateral_trust: float
    largest_shift_mm: float
    largest_plate_shift_mm: float
    series_agree_mm: float
    disc_depth_mm: tuple[float, float]
    external_mask_confidence: float
    numbering: NumberingSettings
    ribs: RibSettings


class JointPrior(Settings):
    """What is expected of one level's joint before the image is looked at; offsets are in the disc's own frame."""

    behind_disc_per_depth: float
    behind_canal_mm: float
    lateral_mm: float
    cranial_mm: float
    angle_deg: float
    length_mm: float
    height_mm: float
    normal_cranial: float
    bend_deg: float
    disc_depth_mm: float
    disc_width_mm: float


class ToleranceSettings(Settings):
    """How far a joint may lie from its prior."""

    behind_mm: float
    lateral_mm: float
    cranial_mm: float
    angle_deg: float
    bend_deg: float


class RefineSettings(Settings):
    """How the image moves a joint away from its prior."""

    slice_reach_mm: float
    steepest_stack_deg: float
    search_mm: float
    angles_deg: tuple[float, ...]
    bends_deg: tuple[float, ...]
    band_weight: float
    line_weight: float
    closed_weight: float
    band_weight_fat_suppressed: float
    line_weight_fat_suppressed: float
    evidence_gain: float
    behind_sd_mm: float
    lateral_sd_mm: float
    angle_sd_deg: float
    bend_sd_deg: float
    side_difference_sd_mm: float
    slice_window_mm: float
    slice_freedom_mm: float
    height_gain: float
    height_sd_mm: float
    height_sd_share: float
    slope_change: float
    slice_place_sd_mm: float
    beside_gain: float
    beside_score: float
    present_score: float
    absent_score: float
    line_freedom_mm: float
    line_stiffness: float
    line_pull: float
    tip_freedom_mm: float
    tip_sd_mm: float
    tip_score: float
    tip_line_share: float
    tip_gain: float
    tip_least_lateral_mm: float
    length_sd_share: float
    midline_sd_mm: float
    gap_range_mm: tuple[float, float]
    gap_weight: float
    subchondral_mm: float
    middle_freedom_mm: float
    best_uncertainty_mm: float


class AlignmentSettings(Settings):
    """How far the patient may have moved between series, and how that is measured."""

    bound_mm: float
    expected_sd_mm: float
    half_width_mm: float
    half_depth_mm: float
    half_height_mm: float
    grey_bins: int
    least_slices: int
    worst_uncertainty_mm: float


class ZoneSettings(Settings):
    """Sizes of the zones around a joint."""

    spacing_mm: float
    box_mm: tuple[float, float, float]
    sectors: int
    capsule_mm: float
    recess_mm: float
    perimeter_mm: float
    soft_perimeter_mm: float
    superior_process_mm: float
    inferior_process_mm: float
    process_overhang_mm: float
    flavum_mm: float
    flavum_below_mm: float
    flavum_above_mm: float
    foramen_below_mm: float
    foramen_above_mm: float
    foramen_lateral_mm: float
    pedicle_below_mm: tuple[float, float]
    pedicle_above_mm: tuple[float, float]
    pedicle_lateral_mm: tuple[float, float]
    transverse_below_mm: tuple[float, float]
    transverse_from_mm: float
    transverse_depth_mm: float
    canal_half_depth_mm: float
    canal_half_width_mm: float
    canal_wedge: float
    spinous_half_width_mm: float
    vessel_width_mm: float


class SagittalSettings(Settings):
    """How sagittal slices move a joint that no axial slice shows."""

    behind_mm: float
    cranial_mm: float
    person_sd: tuple[float, float, float, float]
    joint_sd: tuple[float, float, float, float]
    height_sd_share: float
    gain: float
    length_share: float
    dry_gap_mm: float
    gap_per_fluid: float
    gap_range_mm: tuple[float, float]
    present_evidence: float
    uncertainty_mm: float
    confidence: float


class MaskSettings(Settings):
    """When another tool's articular processes make a joint."""

    least_voxels: int
    least_facing_voxels: int
    facing_mm: float
    uncertainty_mm: float
    confidence: float


class FacetsSettings(Settings):
    """Where a facet joint may lie, and how it is refined."""

    scale_trust: float
    scale_range: tuple[float, float]
    canal_weight: float
    gap_mm: float
    prior_uncertainty_mm: float
    similar_level: dict[str, str]
    levels: dict[str, JointPrior]
    tolerance: ToleranceSettings
    refine: RefineSettings
    alignment: AlignmentSettings
    sagittal: SagittalSettings
    masks: MaskSettings
    zones: ZoneSettings


class MeasureSettings(Settings):
    """Reference tissue, thresholds and zones that signals are judged by; see `configs/pipeline.toml` for each."""

    oedema_roles: tuple[str, ...]
    effusion_roles: tuple[str, ...]
    least_coverage_fraction: float
    zone_pitch_mm: float
    oedema_csf_ratio: float
    oedema_muscle_ratio: float
    enhanced_muscle_ratio: float
    fluid_background_csf_ratio: float
    threshold_relative_uncertainty: float
    position_uncertainty_share: float
    reference_half_height_mm: float
    reference_least_points: int
    csf_percentile: float
    csf_least_muscle_ratio: float
    csf_least_study_share: float
    muscle_percentile: float
    enhanced_muscle_to_reference: float
    canal_radius_mm: float
    fat_search_radii_mm: tuple[float, ...]
    fat_t1_muscle_ratio: float
    fat_t2_muscle_ratio: float
    fat_least_points: int
    suppressed_fat_csf_ratio: float
    suppressed_fat_muscle_ratio: float
    enhanced_fat_muscle_ratio: float
    shell_inner_mm: float
    shell_outer_mm: float
    sector_bright_share: float
    perimeter_uncertainty: float
    spread_least_width_mm: float
    spread_from_height_share: float
    extension_from_mm: float
    foramen_height_share: float
    extension_uncertainty_factor: float
    effusion_half_window_mm: float
    effusion_height_share: float
    effusion_percentile: float
    effusion_width_uncertainty_mm: float
    fluid_confirmed_share: float
    cyst_csf_ratio: float
    cyst_least_volume_mm3: float
    cyst_rim_mm: float


class PipelineSettings(Settings):
    """The whole of `pipeline.toml`."""

    ingest: IngestSettings
    levels: LevelsSettings
    facets: FacetsSettings
    measure: MeasureSettings


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
    slip_margin_spine: float = Field(gt=0)
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


class ChangeSettings(Settings):
    """The whole of `change.toml`; `repeatability` is read from the file that it names."""

    detection_z: float = Field(gt=0)
    grade_must_leave_interval: Literal["always", "unregistered", "never"]
    factor_within_interval: float = Field(ge=1)
    fewest_pairs: int = Field(ge=2)
    deciding: tuple[DecidingSettings, ...]
    witness: WitnessSettings
    cohort: CohortSettings
    registration: RegistrationSettings
    comparability: ComparabilitySettings
    repeatability: RepeatabilitySettings


AnySettings = TypeVar("AnySettings", bound=BaseModel)


def load_pipeline_settings(path: Path | None = None) -> PipelineSettings:
    """Read `pipeline.toml`; a user's file overrides the packaged one key by key."""
    packaged = read_toml(config_folder() / "pipeline.toml")
    if path is None:
        return parse(PipelineSettings, packaged, where="pipeline.toml")
    return parse(PipelineSettings, _merged(packaged, read_toml(path)), where=str(path))


def load_change_settings(path: Path | None = None, *, repeatability: Path | None = None) -> ChangeSettings:
    """Read `change.toml` and the repeatability file that it names beside itself.

    Parameters
    ----------
    path
        A user's file, which overrides the packaged one key by key.
    repeatability
        A file written by `lfja-mri repeatability`, in place of the one that is named.
    """
    packaged = config_folder() / "change.toml"
    values = _with_repeatability(packaged)
    if path is not None:
        values = _merged(values, _with_repeatability(path))
    if repeatability is not None:
        values["repeatability"] = read_toml(repeatability)
    return parse(ChangeSettings, values, where=str(path or "change.toml"))


def _with_repeatability(path: Path) -> dict[str, Any]:
    values = read_toml(path)
    named = values.get("repeatability")
    return values | {"repeatability": read_toml(path.parent / named)} if isinstance(named, str) else values


def parse(model: type[AnySettings], values: Mapping[str, Any], *, where: str) -> AnySettings:
    """Check values against a settings type.

    Raises
    ------
    ConfigurationError
        Names the key, what is wrong with it and, where it is misspelt, the nearest known key.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise ConfigurationError(f"{where}: {_describe(error, model)}") from error


def digest(settings: BaseModel | Mapping[str, Any]) -> str:
    """Return a short stable hash of settings."""
    plain = settings.model_dump(mode="json") if isinstance(settings, BaseModel) else settings
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _merged(base: Mapping[str, Any], override: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in override.items():
        below = merged.get(key)
        if isinstance(value, Mapping) and isinstance(below, Mapping):
            merged[key] = _merged(below, value)
        else:
            merged[key] = value
    return merged


def _describe(error: ValidationError, model: type[BaseModel]) -> str:
    errors = error.errors()
    # A misspelt key is also reported as the right one missing; the misspelling is what helps.
    first = next((found for found in errors if found["type"] in UNKNOWN_KEY), errors[0])
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] not in UNKNOWN_KEY:
        return f"key '{key}': {first['msg']}"
    near = difflib.get_close_matches(str(first["loc"][-1]), sorted(_known_keys(model)), n=1)
    hint = f"; did you mean '{near[0]}'?" if near else ""
    return f"unknown key '{key}'{hint}"


def _known_keys(model: type[Any]) -> set[str]:
    if not issubclass(model, BaseModel):
        return {field.name for field in fields(model)}
    keys = set(model.model_fields)
    for field in model.model_fields.values():
        for below in _models_in(field.annotation):
            keys |= _known_keys(below)
    return keys


def _models_in(annotation: Any) -> list[type[Any]]:
    """Return the settings types that a field holds, also inside tuples, maps and unions."""
    if isinstance(annotation, type) and (issubclass(annotation, BaseModel) or is_dataclass(annotation)):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models_in(part)]
