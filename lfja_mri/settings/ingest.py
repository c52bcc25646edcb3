"""The settings of ingestion: a plain dataclass, so that `inspect` need not load what checks all the others.

`config.py` checks it like any other section where a user's file is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from lfja_mri.packaged import config_folder, read_toml


@dataclass(frozen=True)
class IngestSettings:
    """How files become stacks and stacks get their roles; see `configs/pipeline.toml` for each."""

    # read by pydantic: an unknown key is refused
    __pydantic_config__: ClassVar[Mapping[str, Any]] = {"extra": "forbid"}

    largest_file_mib: float
    largest_archive_mib: float
    largest_archive_ratio: float
    orientation_tolerance: float
    position_tolerance_mm: float
    position_tolerance_fraction: float
    smallest_pause_pitches: float
    largest_crumb_fraction: float
    localiser_planes: int
    keep_latest_at_same_place: bool
    keep_parts_beside_lost_planes: bool
    t1_longest_echo_ms: float
    t1_longest_repetition_ms: float
    t2_shortest_echo_ms: float
    t2_shortest_repetition_ms: float
    pd_shortest_echo_ms: float
    pd_longest_echo_ms: float
    stir_shortest_inversion_ms: float
    stir_longest_inversion_ms: float
    stir_shortest_repetition_ms: float
    t1_flair_shortest_inversion_ms: float
    t1_flair_longest_inversion_ms: float
    sagittal_dark_fat: float
    axial_dark_fat: float
    fat_steepness: float
    sagittal_fluid_weights: tuple[float, float, float, float]
    axial_fluid_to_muscle: float
    axial_fluid_steepness: float
    least_sure_correction: float
    canal_dark_below: float
    canal_bright_above: float
    guide_least_sure: float
    guide_widest_mm: float
    same_place_fraction: float


def packaged_ingest_settings() -> IngestSettings:
    """Read the packaged settings as `load_pipeline_settings().ingest` does, which tests hold it to."""
    values = read_toml(config_folder() / "pipeline.toml")["ingest"]
    return IngestSettings(
        **{field.name: _as(str(field.type), values[field.name]) for field in fields(IngestSettings)}
    )


def _as(kind: str, value: Any) -> Any:
    """Take whole numbers for decimal ones, and lists for tuples."""
    if kind == "float":
        return float(value)
    return tuple(map(float, value)) if isinstance(value, list) else value
