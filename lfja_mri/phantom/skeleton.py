"""The shapes that a lumbar skeleton is made of: discs, vertebrae, facet joints."""

from __future__ import annotations

from dataclasses import dataclass

from lfja_mri.model import FloatArray, Level, Side
from lfja_mri.phantom.tissue import Frame


@dataclass(frozen=True)
class Posture:
    """How the person lies at a visit."""

    lordosis_change_share: float = 0.0
    pitch_deg: float = 0.0
    roll_deg: float = 0.0
    yaw_deg: float = 0.0
    offset_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)


@dataclass(frozen=True, eq=False)
class DiscShape:
    """One disc; frame axes are (anterior, left, cranial), origin its centre.

    `slip_mm` is how far the vertebra above has slid forward on the one below (spondylolisthesis). `remnant_share` is less than 1 in the sacrum: the share of the junction's breadth that disc is left in; the rest has
    fused.
    """

    name: str
    frame: Frame
    half_depth_mm: float
    half_width_mm: float
    height_mm: float
    wedge_deg: float
    degeneration: float
    slip_mm: float = 0.0
    remnant_share: float = 1.0

    @property
    def level(self) -> Level | None:
        """The graded level, or None above L1 and below S1."""
        return Level(self.name) if self.name in {level.value for level in Level} else None


@dataclass(frozen=True, eq=False)
class VertebraShape:
    """One vertebra between two discs (positions in `Spine.discs`)."""

    name: str
    frame: Frame
    above: int
    below: int
    half_depth_mm: float
    half_width_mm: float
    height_mm: float
    pedicle_width_mm: float
    pedicle_height_mm: float
    interpedicular_mm: float
    canal_depth_mm: float
    spinous_length_mm: float
    transverse_reach_mm: float
    sacral: bool = False


@dataclass(frozen=True, eq=False)
class JointShape:
    """One facet joint; frame axes are (along, normal, cranial) as in `model.JointFrame`, origin its middle."""

    level: str
    side: Side
    disc: int
    frame: Frame
    length_mm: float
    height_mm: float
    curvature_radius_mm: float
    cartilage_mm: float
    process_thickness_mm: float
    capsule_mm: float
    arthropathy: float
    angle_deg: float


@dataclass(frozen=True, eq=False)
class Spine:
    """The whole spine, cranial first."""

    discs: tuple[DiscShape, ...]
    vertebrae: tuple[VertebraShape, ...]
    joints: tuple[JointShape, ...]
    canal_points_mm: FloatArray
    canal_depth_mm: FloatArray

    @property
    def lumbosacral(self) -> int:
        """Position of the disc on the sacrum."""
        return max(index for index, disc in enumerate(self.discs) if disc.level is not None)

    def graded_joints(self) -> tuple[JointShape, ...]:
        """Return the joints that have a row in the tables."""
        graded = {disc.name for disc in self.discs if disc.level is not None}
        return tuple(joint for joint in self.joints if joint.level in graded)
