"""Facet joints: their frames, the zones that grades speak of, and joints that are not there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from lfja_mri.errors import Reason
from lfja_mri.model.arrays import BoolArray, FloatArray, LabelArray
from lfja_mri.model.images import Level, Side


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
