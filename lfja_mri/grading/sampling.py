"""A joint's zones read in one image: the signal at every zone voxel, where the patient lay in that image."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lfja_mri.config import MeasureSettings
from lfja_mri.geometry import sample
from lfja_mri.model import BoolArray, FloatArray, Image, Joint, LevelMap, StudyImages, Zone, Zones


@dataclass(frozen=True, eq=False)
class Scene:
    """One joint in its study: what every measuring function needs to know."""

    joint: Joint
    study: StudyImages
    level_map: LevelMap
    settings: MeasureSettings


@dataclass(frozen=True, eq=False)
class ZoneSignal:
    """The zones of a joint with an image read on them.

    Parameters
    ----------
    zones
        Labels, sectors and grid.
    signal_zyx
        Signal in the unit of the image, or a ratio to a reference; NaN outside every zone and outside the image.
    """

    zones: Zones
    signal_zyx: FloatArray

    def of(self, *zones: Zone) -> BoolArray:
        """Return a mask of the voxels that carry one of the labels and were imaged."""
        codes = np.array([zone.code for zone in zones], dtype=np.uint8)
        return np.isin(self.zones.labels_zyx, codes) & self.imaged

    @cached_property
    def imaged(self) -> BoolArray:
        """Mask of voxels with a signal."""
        return np.isfinite(self.signal_zyx)

    @cached_property
    def perimeter(self) -> BoolArray:
        """Mask of imaged voxels that belong to a sector of the perimeter."""
        return np.asarray((self.zones.sectors_zyx > 0) & self.imaged)

    @property
    def spacing_zyx_mm(self) -> FloatArray:
        """Grid steps (plane, row, column) in mm."""
        return np.linalg.norm(self.zones.voxel_to_lps[:3, :3], axis=0)[::-1]

    @property
    def voxel_mm3(self) -> float:
        """Volume of a grid voxel."""
        return float(abs(np.linalg.det(self.zones.voxel_to_lps[:3, :3])))

    def divided_by(self, reference: float) -> ZoneSignal:
        """Return the same zones with the signal as a ratio to a reference."""
        return ZoneSignal(self.zones, self.signal_zyx / reference)


def read_zones(joint: Joint, image: Image, moved_by_lps_mm: FloatArray | None = None) -> ZoneSignal:
    """Read an image on the zones of a joint.

    Parameters
    ----------
    joint
        Zones in the reference frame, and how far the patient had moved in this image.
    image
        Any image of the study.
    moved_by_lps_mm
        A further displacement, shape (3,), to learn what an error of position does.
    """
    zones = joint.zones
    wanted = (zones.labels_zyx != Zone.OUTSIDE.code) | (zones.sectors_zyx > 0)
    shift = joint.shift_of(image.key) + (0 if moved_by_lps_mm is None else moved_by_lps_mm)
    signal = np.full(zones.labels_zyx.shape, np.nan)
    signal[wanted] = sample(image.volume, zones.points_lps_mm(wanted) + shift)
    return ZoneSignal(zones, signal)


def coverage_of(joint: Joint, image: Image) -> float:
    """Return the share of joint space, capsule and perimeter that an image shows; higher is better, unit 1."""
    if image.key in joint.coverage:
        return float(joint.coverage[image.key])
    read = read_zones(joint, image)
    labels = read.zones.labels_zyx
    counted = np.isin(labels, [Zone.JOINT_SPACE.code, Zone.CAPSULE.code]) | (read.zones.sectors_zyx > 0)
    return float(read.imaged[counted].mean()) if counted.any() else 0.0
