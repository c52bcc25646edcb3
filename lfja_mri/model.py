"""The nouns of the product: what flows from stage to stage.

One frame inside: **LPS patient millimetres** (+x to the patient's left, +y to the back, +z to the head). Image
arrays are `*_zyx` (plane, row, column); their affines `voxel_to_lps` map `(column, row, plane)` voxel centres.
Left and right are the patient's, decided by coordinates only. Missing is a `Missing` with its reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from lfja_mri import names
from lfja_mri.errors import GeometryError, Reason

FloatArray = npt.NDArray[np.float64]
ImageArray = npt.NDArray[np.float32]
LabelArray = npt.NDArray[np.uint8]
BoolArray = npt.NDArray[np.bool_]

Scalar = TypeVar("Scalar", bound=np.generic)

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


# ---------------------------------------------------------------------------------------------- levels


class NumberingBasis(StrEnum):
    """What the names of the levels rest on."""

    SACRUM = "sacrum"
    OVERRIDE = "override"
    EXTERNAL_MASK = "external_mask"
    ASSUMED = "assumed"


class SpineTissue(StrEnum):
    """What the localiser labels; `code` is the value in its label arrays."""

    BACKGROUND = "background"
    DISC = "disc"
    VERTEBRA = "vertebra"
    CANAL = "canal"
    SACRUM = "sacrum"
    POSTERIOR = "posterior"

    @property
    def code(self) -> int:
        """Value in label arrays: the order of definition."""
        return list(SpineTissue).index(self)


@dataclass(frozen=True, eq=False)
class Axes:
    """Unit axes of a disc, mutually perpendicular, in LPS.

    Parameters
    ----------
    cranial, anterior, left
        Unit vectors, shape (3,).
    """

    cranial: FloatArray
    anterior: FloatArray
    left: FloatArray

    def to_lps(self, offsets_mm: FloatArray) -> FloatArray:
        """Turn (anterior, left, cranial) offsets in mm, shape (..., 3), into LPS offsets."""
        return np.asarray(offsets_mm) @ np.stack([self.anterior, self.left, self.cranial])

    def from_lps(self, offsets_lps_mm: FloatArray) -> FloatArray:
        """Turn LPS offsets in mm, shape (..., 3), into (anterior, left, cranial) components."""
        return np.asarray(offsets_lps_mm) @ np.stack([self.anterior, self.left, self.cranial]).T


@dataclass(frozen=True, eq=False)
class Disc:
    """One intervertebral disc in LPS mm."""

    level: Level
    centre_lps_mm: FloatArray
    axes: Axes
    depth_mm: float
    width_mm: float
    height_mm: float
    confidence: float
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class TissueLabels:
    """Labels of the localiser on one image's own grid: `SpineTissue.code`, shape of the image's values."""

    image_key: str
    labels_zyx: LabelArray


@dataclass(frozen=True, eq=False)
class LevelMap:
    """Every lumbar disc that was found, cranial first, and the canal's centre line.

    `canal_line_lps_mm` has shape (N, 3), cranial first. `flags` speak of the whole spine (transitional anatomy,
    series that disagree).
    """

    discs: tuple[Disc, ...]
    canal_line_lps_mm: FloatArray
    numbering_basis: NumberingBasis
    flags: tuple[str, ...] = ()
    tissues: tuple[TissueLabels, ...] = ()

    @property
    def expected_levels(self) -> tuple[Level, ...]:
        """Levels that a table must have a row for."""
        present = {disc.level for disc in self.discs}
        if present & {Level.L5_L6, Level.L6_S1}:
            return LEVELS_WITH_L6
        return LEVELS_WITHOUT_L5 if Level.L4_S1 in present else STANDARD_LEVELS

    def disc(self, level: Level) -> Disc | None:
        """Return the disc of a level, or None where it was not found."""
        return next((disc for disc in self.discs if disc.level == level), None)


# ---------------------------------------------------------------------------------------------- joints


class Zone(StrEnum):
    """Places around a joint that the grades speak of; `code` is the value in zone arrays."""

    OUTSIDE = "outside"
    JOINT_SPACE = "joint_space"
    CAPSULE = "capsule"
    PERIMETER = "perimeter"
    SUPERIOR_PROCESS = "superior_process"
    INFERIOR_PROCESS = "inferior_process"
    FORAMEN = "foramen"
    LIGAMENTUM_FLAVUM = "ligamentum_flavum"
    PEDICLE = "pedicle"
    TRANSVERSE_PROCESS = "transverse_process"
    VERTEBRAL_BODY = "vertebral_body"
    MUSCLE = "muscle"
    EXCLUDED_CANAL = "excluded_canal"
    EXCLUDED_DISC = "excluded_disc"
    EXCLUDED_VESSEL = "excluded_vessel"
    EXCLUDED_FAT = "excluded_fat"

    @property
    def code(self) -> int:
        """Value in zone arrays: the order of definition."""
        return list(Zone).index(self)


EXTENSION_TARGETS = (
    Zone.FORAMEN,
    Zone.LIGAMENTUM_FLAVUM,
    Zone.PEDICLE,
    Zone.TRANSVERSE_PROCESS,
    Zone.VERTEBRAL_BODY,
)


@dataclass(frozen=True, eq=False)
class JointFrame:
    """Where one facet joint lies, in LPS mm.

    Parameters
    ----------
    centre_lps_mm
        Middle of the joint.
    normal_lps
        Unit normal of the joint plane, pointing from the inferior process of the upper vertebra (posteromedial)
        to the superior process of the lower one (anterolateral).
    along_lps
        Unit vector within the joint plane and near the axial plane, from the anteromedial to the posterolateral tip.
    cranial_lps
        Unit vector within the joint plane towards the head.
    length_mm, height_mm
        Extent along `along_lps` and `cranial_lps`.
    gap_mm
        Width of the joint space (cortex to cortex) across the joint plane.
    joint_line_lps_mm
        (N, 3) polyline from the anteromedial to the posterolateral tip, on the axial cut through the centre.
    angle_deg
        Axial angle between the joint line and the mid-sagittal plane.
    uncertainty_mm
        One standard deviation of the centre.
    confidence
        0-1.
    """

    level: Level
    side: Side
    centre_lps_mm: FloatArray
    normal_lps: FloatArray
    along_lps: FloatArray
    cranial_lps: FloatArray
    length_mm: float
    height_mm: float
    gap_mm: float
    joint_line_lps_mm: FloatArray
    angle_deg: float
    uncertainty_mm: float
    confidence: float
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Zones:
    """The zones of one joint on a fine grid in the patient's space.

    Parameters
    ----------
    labels_zyx
        `Zone.code` per voxel.
    sectors_zyx
        1-based sector of the shell around the joint line, whatever the tissue there (`facets.zones`), 0 elsewhere.
    voxel_to_lps
        4x4, (column, row, plane) to LPS mm; the grid's own axes are along LPS.
    sector_count
        How many sectors the perimeter is divided into.
    """

    labels_zyx: LabelArray
    sectors_zyx: LabelArray
    voxel_to_lps: FloatArray
    sector_count: int

    def mask(self, *zones: Zone) -> BoolArray:
        """Return which voxels carry one of the labels; compared label by label, many times as fast as `np.isin`."""
        chosen = np.zeros(self.labels_zyx.shape, dtype=np.bool_)
        for zone in zones:
            chosen |= self.labels_zyx == zone.code
        return chosen

    def points_lps_mm(self, mask_zyx: BoolArray) -> FloatArray:
        """LPS mm of the voxels of a mask, shape (N, 3), in array order."""
        index_xyz = np.argwhere(mask_zyx)[:, ::-1]
        return index_xyz @ self.voxel_to_lps[:3, :3].T + self.voxel_to_lps[:3, 3]


@dataclass(frozen=True, eq=False)
class SeriesShift:
    """How far the patient had moved when a series was taken, against the reference series, at one level.

    A structure seen at `p` in the reference frame is seen at `p + shift_lps_mm` in image `image_key`.
    """

    image_key: str
    level: Level
    shift_lps_mm: FloatArray
    uncertainty_mm: float
    estimated: bool


@dataclass(frozen=True, eq=False)
class Joint:
    """A facet joint with its zones; coverage is the imaged share of joint space, capsule and perimeter, per image."""

    frame: JointFrame
    zones: Zones
    shifts: tuple[SeriesShift, ...] = ()
    coverage: Mapping[str, float] = field(default_factory=dict)

    def shift_of(self, image_key: str) -> FloatArray:
        """LPS mm to add to reference points to find them in an image; zeros where none was estimated."""
        for shift in self.shifts:
            if shift.image_key == image_key:
                return shift.shift_lps_mm
        return np.zeros(3)


@dataclass(frozen=True)
class AbsentJoint:
    """A joint that could not be placed."""

    level: Level
    side: Side
    reason: Reason


# ---------------------------------------------------------------------------------------------- grading


@dataclass(frozen=True)
class Missing:
    """A measure that could not be taken."""

    reason: Reason


Measure = float | Missing


@dataclass(frozen=True)
class Measurements:
    """What was measured at one joint: plain numbers with units in their names, or Missing with a reason.

    `extension_mm3` maps each extension target to its bright volume; the rules say from what volume it counts.
    `reference` holds reference-tissue signals in the unit of the image (never compared between images).
    `further` holds measures that item sheets need and the grade does not. `low` and `high` hold what measures become
    when thresholds, reference signal and position move by their stated uncertainty towards health or disease.
    """

    level: Level
    side: Side
    effusion_width_mm: Measure
    effusion_volume_mm3: Measure
    joint_signal_ratio: Measure
    perimeter_fraction: Measure
    perimeter_fraction_max_slice: Measure
    soft_tissue_oedema_volume_mm3: Measure
    bone_oedema_volume_mm3: Measure
    oedema_extent_mm: Measure
    oedema_signal_ratio: Measure
    cyst_volume_mm3: Measure
    extension_mm3: Mapping[str, Measure]
    coverage_fraction: Measure
    fat_suppression: str
    sources: tuple[str, ...]
    flags: tuple[str, ...] = ()
    reference: Mapping[str, float] = field(default_factory=dict)
    low: Mapping[str, float] = field(default_factory=dict)
    high: Mapping[str, float] = field(default_factory=dict)
    further: Mapping[str, Measure] = field(default_factory=dict)


@dataclass(frozen=True)
class Graded:
    """A grade with the rule that fired and the interval it can take."""

    grade: int
    grade_low: int
    grade_high: int
    rule: str
    because: str
    extension: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class NotGraded:
    """No grade, and why."""

    reason: Reason
    detail: str = ""
    flags: tuple[str, ...] = ()


Outcome = Graded | NotGraded


@dataclass(frozen=True, eq=False)
class JointResult:
    """Everything that is known of one joint at one visit; `joint` and `measurements` are None where it was not placed."""

    level: Level
    side: Side
    outcome: Outcome
    measurements: Measurements | None = None
    joint: Joint | None = None
    items: Mapping[str, int | None] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class StudyResult:
    """One graded study."""

    study_key: str
    level_map: LevelMap | None
    joints: tuple[JointResult, ...]
    images: tuple[Image, ...]
    rejections: tuple[Rejection, ...] = ()
    timings_s: Mapping[str, float] = field(default_factory=dict)
