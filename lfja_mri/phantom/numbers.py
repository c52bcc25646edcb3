"""The numbers that the phantom's anatomy, tissues, truth and scanner rest on: `configs/phantom/base/`."""

from __future__ import annotations

from functools import lru_cache

from lfja_mri.config import config_folder, parse, read_toml
from lfja_mri.settings.section import Settings

Range = tuple[float, float]
FiveLevels = tuple[float, float, float, float, float]


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


class TransitionNumbers(Settings):
    """A sacralised L5 and an S1 that stays half lumbar."""

    sacralised_disc_share: float
    sacralised_remnant_share: float
    sacralised_wear: float
    sacralised_joint_share: float
    squared_disc_mm: float
    squared_wear: float
    squared_depth_share: float
    squared_width_share: float
    squared_tilt_step_deg: float


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


class WearNumbers(Settings):
    """Erosions and subchondral cysts of severely worn joints: chances per place, of four a joint; diameters."""

    least_wear: float
    erosion_chance: float
    erosion_mm: Range
    cyst_chance: float
    cyst_mm: Range


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
    transition: TransitionNumbers
    canal: CanalNumbers
    joint: JointNumbers
    wear: WearNumbers
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
