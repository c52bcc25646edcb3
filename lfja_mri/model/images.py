"""Images of a study: their grid in the patient's space, what they show, and what was rejected."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from lfja_mri import names
from lfja_mri.errors import GeometryError, Reason
from lfja_mri.model.arrays import FloatArray, ImageArray, Scalar

AFFINE_SHAPE = (4, 4)
IMAGE_AXES = 3
SMALLEST_VOXEL_MM3 = 1e-9


Side = names.Side
Level = names.Level

STANDARD_LEVELS = (Level.L1_L2, Level.L2_L3, Level.L3_L4, Level.L4_L5, Level.L5_S1)
LEVELS_WITH_L6 = (Level.L1_L2, Level.L2_L3, Level.L3_L4, Level.L4_L5, Level.L5_L6, Level.L6_S1)
LEVELS_WITHOUT_L5 = (Level.L1_L2, Level.L2_L3, Level.L3_L4, Level.L4_S1)


class Plane(StrEnum):
    """The anatomical plane nearest to a stack's own."""

    SAGITTAL = "sagittal"
    AXIAL = "axial"
    CORONAL = "coronal"


class Contrast(StrEnum):
    """What an image is weighted to, and whether its fat is suppressed."""

    T1 = "t1"
    T2 = "t2"
    PD = "pd"
    STIR = "stir"
    T2_FS = "t2_fs"
    DIXON_WATER = "dixon_water"
    T1_FS = "t1_fs"
    T1_FS_GD = "t1_fs_gd"
    T1_GD = "t1_gd"

    @property
    def is_fat_suppressed(self) -> bool:
        """True where fat is dark by design, so that oedema or enhancement can be told from it."""
        return self in _FAT_SUPPRESSED

    @property
    def is_fluid_sensitive(self) -> bool:
        """True where free fluid is bright."""
        return self in _FLUID_SENSITIVE

    @property
    def shows_inflammation(self) -> bool:
        """True where synovitis and oedema are bright against suppressed fat."""
        return self in _SHOWS_INFLAMMATION


_FAT_SUPPRESSED = frozenset(
    {Contrast.STIR, Contrast.T2_FS, Contrast.DIXON_WATER, Contrast.T1_FS, Contrast.T1_FS_GD}
)
_FLUID_SENSITIVE = frozenset({Contrast.T2, Contrast.STIR, Contrast.T2_FS, Contrast.DIXON_WATER})
_SHOWS_INFLAMMATION = frozenset({Contrast.STIR, Contrast.T2_FS, Contrast.DIXON_WATER, Contrast.T1_FS_GD})


@dataclass(frozen=True, order=True)
class Role:
    """What a stack can be used for: its plane and contrast; written `sagittal_stir`."""

    plane: Plane
    contrast: Contrast

    def __str__(self) -> str:
        return f"{self.plane.value}_{self.contrast.value}"


@dataclass(frozen=True)
class Rejection:
    """Something left out, and why.

    `where` names it by position in the input or by a hash, never by a patient's name or id.
    """

    where: str
    reason: Reason
    detail: str = ""


@dataclass(frozen=True, eq=False)
class Volume:
    """Evenly spaced parallel planes.

    Parameters
    ----------
    values_zyx
        Float32, shape (planes, rows, columns); read-only.
    voxel_to_lps
        4x4; maps (column, row, plane) voxel centres to LPS mm. Its third column is the plane pitch, taken from
        positions, never from SliceThickness.
    slice_thickness_mm
        Thickness of the excited slice where the header states it, else the pitch.
    """

    values_zyx: ImageArray
    voxel_to_lps: FloatArray
    slice_thickness_mm: float

    def __post_init__(self) -> None:
        affine = np.asarray(self.voxel_to_lps, dtype=np.float64)
        if affine.shape != AFFINE_SHAPE or not np.all(np.isfinite(affine)):
            raise GeometryError("an affine needs 4x4 finite numbers", reason=Reason.INVALID_GEOMETRY)
        if abs(np.linalg.det(affine[:3, :3])) < SMALLEST_VOXEL_MM3:
            raise GeometryError(
                "a singular affine: planes or pixels coincide", reason=Reason.INVALID_GEOMETRY
            )
        if self.values_zyx.ndim != IMAGE_AXES:
            raise GeometryError("a volume needs three axes", reason=Reason.INVALID_GEOMETRY)
        object.__setattr__(self, "voxel_to_lps", _frozen(affine))
        object.__setattr__(self, "values_zyx", _frozen(np.asarray(self.values_zyx, dtype=np.float32)))

    @property
    def lps_to_voxel(self) -> FloatArray:
        """4x4 map from LPS mm to (column, row, plane)."""
        return np.asarray(np.linalg.inv(self.voxel_to_lps), dtype=np.float64)

    @property
    def spacing_mm(self) -> FloatArray:
        """(column, row, plane) steps in mm."""
        return np.asarray(np.linalg.norm(self.voxel_to_lps[:3, :3], axis=0), dtype=np.float64)

    @property
    def normal_lps(self) -> FloatArray:
        """Unit vector from one plane to the next."""
        step = self.voxel_to_lps[:3, 2]
        return step / np.linalg.norm(step)


def _frozen(array: npt.NDArray[Scalar]) -> npt.NDArray[Scalar]:
    view = array.view()
    view.flags.writeable = False
    return view


@dataclass(frozen=True)
class Acquisition:
    """What the header says of how a stack was made; None where it is silent."""

    repetition_time_ms: float | None = None
    echo_time_ms: float | None = None
    inversion_time_ms: float | None = None
    field_strength_t: float | None = None
    contrast_agent: bool | None = None
    manufacturer_key: str | None = None
    days_since_epoch: int | None = None


@dataclass(frozen=True, eq=False)
class Image:
    """A stack with its pixels and the role it plays.

    Parameters
    ----------
    key
        Stable short name within the study, such as `s2k1` (second series, first stack).
    volume
        Pixels and place.
    role
        Plane and contrast.
    confidence
        0-1, how sure the role is.
    evidence
        Why, in words a reader can check.
    acquisition
        Header facts that comparability rests on.
    """

    key: str
    volume: Volume
    role: Role
    confidence: float = 1.0
    evidence: tuple[str, ...] = ()
    acquisition: Acquisition = field(default_factory=Acquisition)


@dataclass(frozen=True, eq=False)
class StudyImages:
    """One study ready to be measured: every stack that has a role, and what was left out."""

    study_key: str
    images: tuple[Image, ...]
    rejections: tuple[Rejection, ...] = ()

    def of(self, plane: Plane, *contrasts: Contrast) -> tuple[Image, ...]:
        """Images of a plane, those of the first named contrast first; all contrasts if none is named."""
        wanted = contrasts or tuple(Contrast)
        return tuple(
            image for contrast in wanted for image in self.images if image.role == Role(plane, contrast)
        )
