"""Section `levels` of `pipeline.toml`: how discs are found, framed and named; see there for every number."""

from __future__ import annotations

from lfja_mri.settings.section import Settings


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
    most_in_view: float
    least_bone_seen: float
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
    suspected_confidence: float
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
