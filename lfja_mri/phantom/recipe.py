"""What a phantom study is asked to be, and the numbers that its anatomy, tissues and scanner rest on.

A recipe is a small TOML file; everything it leaves out has the default below. The clinical numbers are in
`configs/phantom/base/`.
"""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import Field

from lfja_mri.config import Settings, config_folder, parse, read_toml
from lfja_mri.errors import ConfigurationError

Range = tuple[float, float]
FiveLevels = tuple[float, float, float, float, float]


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

    standard: float = 0.9
    l6: float = 0.03
    four_lumbar: float = 0.02
    sacralised: float = 0.03
    t12_without_ribs: float = 0.02


class Recipe(Settings):
    """A recipe. Ranges are drawn per study."""

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
    patient_sex: Literal["F", "M", "O"] = "O"
    patient_age_years: int = Field(default=60, ge=18, le=100)


class DiscNumbers(Settings):
    """Sizes and tilts of the discs, L1-L2 to L5-S1."""

    height_mm: FiveLevels
    height_sd_mm: float
    depth_mm: FiveLevels
    width_mm: FiveLevels
    size_sd_share: float
    tilt_deg: FiveLevels
    wedge_deg: FiveLevels
    wedge_sd_share: float
    slip_chance: float
    slip_mm: Range
    lordosis_sd_share: float
    pitch_sd_deg: float


class VertebraNumbers(Settings):
    """Sizes of the vertebrae, L1 to L5."""

    height_mm: FiveLevels
    pedicle_width_mm: FiveLevels
    pedicle_height_mm: FiveLevels
    interpedicular_mm: FiveLevels
    spinous_length_mm: FiveLevels
    transverse_reach_mm: FiveLevels
    cortex_mm: float


class SacrumNumbers(Settings):
    """The sacrum: bodies S1 to S5, and the remnants of discs below each of them."""

    body_height_mm: FiveLevels
    lower_depth_mm: FiveLevels
    lower_width_mm: FiveLevels
    tilt_step_deg: FiveLevels
    wedge_sd_deg: float
    kyphosis_sd_share: float
    disc_height_mm: FiveLevels
    disc_height_sd_share: float
    remnant_share: FiveLevels
    remnant_sd_share: float
    bright_remnant: float
    canal_depth_mm: FiveLevels
    interpedicular_mm: FiveLevels
    wing_reach_mm: FiveLevels
    crest_mm: FiveLevels


class CanalNumbers(Settings):
    """The spinal canal and the share of it that the dural sac fills."""

    depth_mm: FiveLevels
    sac_share: float
    depth_sd_mm: float


class JointNumbers(Settings):
    """Place, angle and size of the facet joints, L1-L2 to L5-S1."""

    behind_canal_mm: FiveLevels
    behind_canal_sd_mm: float
    lateral_mm: FiveLevels
    lateral_sd_mm: float
    caudal_mm: FiveLevels
    caudal_sd_mm: float
    angle_deg: FiveLevels
    angle_sd_deg: float
    tropism_sd_deg: float
    nod_deg: FiveLevels
    length_mm: FiveLevels
    height_mm: FiveLevels
    size_sd_share: float
    curvature_radius_mm: FiveLevels
    cartilage_mm: float
    process_thickness_mm: FiveLevels
    capsule_mm: float


class HabitusNumbers(Settings):
    """How stout the person is."""

    subcutaneous_mm: Range
    muscle_fat_share: Range
    marrow_fat_share: Range


class AnatomyNumbers(Settings):
    """The whole of `anatomy.toml`."""

    disc: DiscNumbers
    vertebra: VertebraNumbers
    sacrum: SacrumNumbers
    canal: CanalNumbers
    joint: JointNumbers
    habitus: HabitusNumbers


class ConfounderNumbers(Settings):
    """The whole of `confounders.toml`: chances per place, sizes in mm."""

    lateral_vein: float
    posterior_vein: float
    vein_radius_mm: Range
    cyst_behind: float
    cyst_in_front: float
    cyst_mm: Range
    schmorl_node: float
    modic_oedema: float
    modic_depth_mm: Range
    interspinous_bursa: float
    subcutaneous_oedema: float
    fat_suppression_failure: tuple[float, float, float]


class TissueNumbers(Settings):
    """The whole of `tissues.toml`: (proton density, T1 at 1.5 T, T1 at 3 T, T2) and the texture of each tissue."""

    water: dict[str, tuple[float, float, float, float]]
    enhanced: dict[str, float]
    texture: dict[str, float]


class Definition(Settings):
    """What the truth counts: `definition.toml`."""

    abnormal_fluid_width_mm: float
    shell_inner_mm: float
    shell_outer_mm: float
    perimeter_sectors: int
    slab_mm: float
    sector_abnormal_share: float
    sector_tissue_share: float
    periarticular_least_share: float
    majority_share: float
    extension_least_mm3: float
    bridge_mm: float


class SequenceNumbers(Settings):
    """One series of `sequences.toml`."""

    tr_ms: Range
    te_ms: Range
    ti_1_5t_ms: Range | None = None
    ti_3t_ms: Range | None = None
    fat_suppressed: bool = False
    contrast_agent: bool = False
    dixon: bool = False


class BaseNumbers(Settings):
    """Everything in `configs/phantom/base`."""

    anatomy: AnatomyNumbers
    confounders: ConfounderNumbers
    tissues: TissueNumbers
    definition: Definition
    sequences: dict[str, SequenceNumbers]


@lru_cache(maxsize=1)
def base_numbers() -> BaseNumbers:
    """Read the packaged numbers once."""
    folder = config_folder() / "phantom" / "base"
    names = ("anatomy", "confounders", "tissues", "definition", "sequences")
    return parse(
        BaseNumbers, {name: read_toml(folder / f"{name}.toml") for name in names}, where="phantom/base"
    )


def load_recipe(source: Path | str) -> Recipe:
    """Read a recipe from a TOML file, or a packaged one by its name.

    Raises
    ------
    ConfigurationError
        No such recipe; an unknown key, series or value.
    """
    path = Path(source)
    if isinstance(source, str) and path.suffix != ".toml":
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
