"""Section `measure` of `pipeline.toml`: how a joint's measures are taken; the rules that judge them are files of their own."""

from __future__ import annotations

from lfja_mri.settings.section import Settings


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
    tongue_least_width_mm: float
    spread_from_height_share: float
    extension_from_mm: float
    foramen_height_share: float
    extension_uncertainty_factor: float
    effusion_half_window_mm: float
    effusion_height_share: float
    effusion_percentile: float
    effusion_width_uncertainty_mm: float
    fluid_confirmed_share: float
    sac_csf_ratio: float
    sac_reach_mm: float
    cyst_csf_ratio: float
    cyst_least_volume_mm3: float
    cyst_rim_mm: float
