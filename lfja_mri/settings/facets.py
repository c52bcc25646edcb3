"""Section `facets` of `pipeline.toml`: where a joint may lie, how it is refined and divided; see there for every number."""

from __future__ import annotations

from lfja_mri.settings.section import Settings


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
    sac_half_mm: tuple[float, float]
    sac_wedge: float
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

    depth_trust: float
    width_trust: float
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
