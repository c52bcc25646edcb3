"""What a phantom study is asked to be.

A recipe is a small TOML file; everything it leaves out has the default below.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Literal

from pydantic import Field

from lfja_mri.config import config_folder, parse, read_toml
from lfja_mri.errors import ConfigurationError
from lfja_mri.phantom.numbers import FiveLevels, Range, base_numbers
from lfja_mri.settings.section import Settings


class Quality(StrEnum):
    """How good the images are."""

    GOOD = "good"
    FAIR = "fair"
    POOR = "poor"


class Headers(StrEnum):
    """Whose manner the DICOM headers follow; `mixed` draws one per study."""

    SIEMENS = "siemens"
    GE = "ge"
    PHILIPS = "philips"
    STRIPPED = "stripped"
    MIXED = "mixed"


class JointWish(Settings):
    """What one joint is asked to show at one visit; the truth is computed from what comes of it."""

    level: str
    side: Literal["left", "right"]
    visit: Literal["baseline", "follow_up", "both"] = "both"
    grade: int = Field(ge=0, le=4)
    arthropathy: float | None = Field(default=None, ge=0, le=1)


class VariantWeights(Settings):
    """How often the numbering is odd (Konin and Walz 2010: transitional vertebrae in 4-30 % of people)."""

    standard: float = 0.88
    l6: float = 0.03
    four_lumbar: float = 0.02
    sacralised: float = 0.03
    squared_s1: float = 0.02
    t12_without_ribs: float = 0.02


class Recipe(Settings):
    """A recipe. Ranges are drawn per study.

    `scanner_times` tells whether echo, repetition and inversion times are drawn anew for every scan of a person, as in
    a clinic, or hold for all of them, as a trial's protocol does. Where they hold, what the day brings (pulsing of CSF, ghosts)
    is drawn for every scan instead of once per person.
    """

    name: str = "recipe"
    series: tuple[str, ...]
    quality: tuple[Quality, ...] = (Quality.GOOD, Quality.FAIR, Quality.POOR)
    field_strength_t: tuple[float, ...] = (1.5, 3.0)
    headers: Headers = Headers.MIXED
    grade_weights: FiveLevels = (0.42, 0.22, 0.16, 0.12, 0.08)
    joints: tuple[JointWish, ...] = ()
    unlisted_joints: Literal["draw", "quiet"] = "draw"
    motion_mm: Range = (0.0, 4.0)
    confounders: float = Field(default=1.0, ge=0, le=3)
    variants: VariantWeights = VariantWeights()
    scoliosis_deg: Range = (0.0, 8.0)
    axial_plan: Literal["per_disc", "one_block", "mixed"] = "mixed"
    matrix: int | None = Field(default=None, ge=128, le=1024)
    sagittal_slices: int | None = Field(default=None, ge=5, le=60)
    axial_slices_per_disc: int | None = Field(default=None, ge=3, le=15)
    compressed: bool = False
    objects: Literal["classic", "enhanced"] = "classic"
    follow_up_change: tuple[float, float, float] = (0.3, 0.5, 0.2)
    scanner_times: Literal["per_scan", "per_person"] = "per_scan"
    patient_sex: Literal["F", "M", "O"] = "O"
    patient_age_years: int = Field(default=60, ge=18, le=100)


def load_recipe(source: Path | str) -> Recipe:
    """Read a recipe from a TOML file, or a packaged one by its name.

    Raises
    ------
    ConfigurationError
        No such recipe; an unknown key, series or value.
    """
    path = Path(source)
    if isinstance(source, str) and path.suffix != ".toml":
        if source not in packaged_recipes():
            known = ", ".join(packaged_recipes())
            raise ConfigurationError(f"no packaged recipe {source!r}; known: {known}; or give a .toml file")
        path = config_folder() / "phantom" / f"{source}.toml"
    recipe = parse(Recipe, read_toml(path), where=path.name)
    unknown = [name for name in recipe.series if name not in base_numbers().sequences]
    if unknown:
        known = ", ".join(sorted(base_numbers().sequences))
        raise ConfigurationError(f"{path.name}: unknown series {', '.join(unknown)}; known: {known}")
    return recipe


def packaged_recipes() -> tuple[str, ...]:
    """Names of the packaged recipes."""
    return tuple(sorted(path.stem for path in (config_folder() / "phantom").glob("*.toml")))
