"""A joint's zones read in one image: the signal at every zone voxel, where the patient lay in that image."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import ndimage

from lfja_mri.grading.places import TissuePlaces
from lfja_mri.model import BoolArray, FloatArray, Image, Joint, StudyImages, Zone, Zones
from lfja_mri.settings.grading import MeasureSettings


@dataclass(frozen=True, eq=False)
class Scene:
    """One joint in its study: what every measuring function needs to know."""

    joint: Joint
    study: StudyImages
    places: TissuePlaces
    settings: MeasureSettings

    @cached_property
    def zones(self) -> Zones:
        """The joint's zones with planes no closer than the settings ask: slices are thicker still."""
        zones = self.joint.zones
        pitch_mm = float(np.linalg.norm(zones.voxel_to_lps[:3, 2]))
        step = max(1, round(self.settings.zone_pitch_mm / pitch_mm))
        affine = zones.voxel_to_lps.copy()
        affine[:3, 2] *= step
        labels, sectors = zones.labels_zyx[::step], zones.sectors_zyx[::step]
        return Zones(labels, sectors, affine, zones.sector_count)

    @cached_property
    def from_capsule_mm(self) -> FloatArray:
        """Distance of every zone voxel from joint space and capsule, in mm."""
        return self._distance_mm(Zone.JOINT_SPACE, Zone.CAPSULE)

    @cached_property
    def from_space_mm(self) -> FloatArray:
        """Distance of every zone voxel from the joint space, in mm."""
        return self._distance_mm(Zone.JOINT_SPACE)

    @cached_property
    def shell(self) -> BoolArray:
        """Voxels whose signal decides whether their sector of the perimeter is abnormal: near the joint space."""
        near = (self.from_space_mm >= self.settings.shell_inner_mm) & (
            self.from_space_mm <= self.settings.shell_outer_mm
        )
        return np.asarray(near & (self.zones.sectors_zyx > 0))

    @cached_property
    def height_share(self) -> FloatArray:
        """How far every zone voxel lies above or below the joint's middle, as a share of the joint's height."""
        return np.abs(self._along_mm(self.joint.frame.cranial_lps)) / self.joint.frame.height_mm

    @cached_property
    def beside_in_front(self) -> BoolArray:
        """Voxels level with the joint and on the side of its superior process: the foramen's neighbourhood."""
        level = self.height_share <= self.settings.foramen_height_share
        return np.asarray(level & (self._along_mm(self.joint.frame.normal_lps) > self.joint.frame.gap_mm))

    @cached_property
    def in_front_of_sac(self) -> BoolArray:
        """Columns of the grid whose way back meets the sac: there the body's back is bare, and veins run behind it."""
        sac = self.zones.labels_zyx == Zone.EXCLUDED_CANAL.code
        return np.asarray(sac.any(axis=1, keepdims=True))

    @cached_property
    def near_canal(self) -> BoolArray:
        """Voxels in the zone of the canal, or so near that fluid may still be the sac's."""
        return np.asarray(self._distance_mm(Zone.EXCLUDED_CANAL) <= self.settings.sac_reach_mm)

    def _along_mm(self, axis_lps: FloatArray) -> FloatArray:
        zones, frame = self.zones, self.joint.frame
        step_zyx = (zones.voxel_to_lps[:3, :3].T @ axis_lps)[::-1]
        start = (zones.voxel_to_lps[:3, 3] - frame.centre_lps_mm) @ axis_lps
        plane, row, column = np.ogrid[tuple(slice(count) for count in zones.labels_zyx.shape)]
        return np.asarray(plane * step_zyx[0] + row * step_zyx[1] + column * step_zyx[2] + start)

    def _distance_mm(self, *zones: Zone) -> FloatArray:
        inside = self.zones.mask(*zones)
        spacing_zyx = np.linalg.norm(self.zones.voxel_to_lps[:3, :3], axis=0)[::-1]
        return np.asarray(ndimage.distance_transform_edt(~inside, sampling=spacing_zyx))


@dataclass(frozen=True, eq=False)
class ZoneSignal:
    """The zones of a joint with an image read on them.

    Parameters
    ----------
    zones
        Labels, sectors and grid.
    signal_zyx
        Signal in the unit of the image, or a ratio to a reference; NaN outside the image.
    """

    zones: Zones
    signal_zyx: FloatArray

    def of(self, *zones: Zone) -> BoolArray:
        """Return a mask of the voxels that carry one of the labels and were imaged."""
        return self.zones.mask(*zones) & self.imaged

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


def read_zones(scene: Scene, image: Image, moved_by_lps_mm: FloatArray | None = None) -> ZoneSignal:
    """Read an image on the zones of a joint, linearly between voxels.

    Parameters
    ----------
    scene
        Zones in the reference frame, and how far the patient had moved in this image.
    image
        Any image of the study.
    moved_by_lps_mm
        A further displacement, shape (3,), to learn what an error of position does.
    """
    zones = scene.zones
    shift = np.eye(4)
    shift[:3, 3] = scene.joint.shift_of(image.key) + (0 if moved_by_lps_mm is None else moved_by_lps_mm)
    to_image = image.volume.lps_to_voxel @ shift @ zones.voxel_to_lps
    matrix_zyx, offset_zyx = to_image[2::-1, 2::-1], to_image[2::-1, 3]
    shape = zones.labels_zyx.shape
    signal = ndimage.affine_transform(
        image.volume.values_zyx,
        matrix_zyx,
        offset=offset_zyx,
        output_shape=shape,
        output=np.float64,
        order=1,
        mode="nearest",
    )
    imaged = _inside(image.volume.values_zyx.shape, matrix_zyx, offset_zyx, shape)
    return ZoneSignal(zones, np.where(imaged, signal, np.nan))


def _inside(
    image_shape: tuple[int, ...], matrix_zyx: FloatArray, offset_zyx: FloatArray, shape: tuple[int, ...]
) -> BoolArray:
    """Return which voxels of a grid fall inside an image, to the outer faces of its voxels."""
    plane, row, column = np.ogrid[tuple(slice(count) for count in shape)]
    inside = np.ones(shape, dtype=bool)
    for count, (by_plane, by_row, by_column), start in zip(image_shape, matrix_zyx, offset_zyx, strict=True):
        index = by_plane * plane + by_row * row + by_column * column + start
        inside &= (index >= -0.5) & (index <= count - 0.5)
    return inside


def coverage_of(scene: Scene, image: Image) -> float:
    """Return the share of joint space, capsule and perimeter that an image shows; higher is better, unit 1."""
    if image.key in scene.joint.coverage:
        return float(scene.joint.coverage[image.key])
    read = read_zones(scene, image)
    counted = read.zones.mask(Zone.JOINT_SPACE, Zone.CAPSULE) | (read.zones.sectors_zyx > 0)
    return float(read.imaged[counted].mean()) if counted.any() else 0.0
