"""A toy level with two known facet joints: what an axial and a sagittal stack of it would show."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from lfja_mri.config import load_pipeline_settings
from lfja_mri.facets.frames import arc_points
from lfja_mri.model import (
    Axes,
    Contrast,
    Disc,
    Image,
    Level,
    LevelMap,
    NumberingBasis,
    Plane,
    Role,
    Side,
    StudyImages,
    Volume,
)
from lfja_mri.settings.facets import FacetsSettings

ANTERIOR = np.array([0.0, -1.0, 0.0])
LEFT = np.array([1.0, 0.0, 0.0])
CRANIAL = np.array([0.0, 0.0, 1.0])
BONE_SHARE = 1.15  # how much taller the processes are than the surface between them


@dataclass(frozen=True)
class ToyJoint:
    """`lean` is how far its surface moves outwards and forward, across its line, per mm of height."""

    outwards_mm: float = 16.0
    behind_mm: float = 28.0
    cranial_mm: float = -4.0
    angle_deg: float = 45.0
    bend_deg: float = 40.0
    length_mm: float = 14.0
    height_mm: float = 17.0
    line_signal: float = 0.3
    lean: float = 0.0


def settings(zone_spacing_mm: float = 1.5) -> FacetsSettings:
    """The packaged settings with coarser zones, which the tests of places do not need fine."""
    packaged = load_pipeline_settings().facets
    return packaged.model_copy(
        update={"zones": packaged.zones.model_copy(update={"spacing_mm": zone_spacing_mm})}
    )


def toy_disc(level: Level = Level.L3_L4, centre=(5.0, 0.0, 0.0)) -> Disc:
    return Disc(level, np.array(centre), Axes(CRANIAL, ANTERIOR, LEFT), 35.0, 50.0, 9.0, 1.0)


def toy_levels(*discs: Disc) -> LevelMap:
    discs = discs or (toy_disc(),)
    line = np.array([[5.0, 24.0, z] for z in np.linspace(160, -160, 81)])
    return LevelMap(discs, line, NumberingBasis.SACRUM)


def joint_truth(joint: ToyJoint, side: Side, disc: Disc) -> np.ndarray:
    """The joint line in LPS mm."""
    arc, _ = arc_points(joint.angle_deg, joint.bend_deg, joint.length_mm)
    out, back = (arc + np.array([joint.outwards_mm, joint.behind_mm])).T
    height = np.full(len(arc), joint.cranial_mm)
    return disc.centre_lps_mm + np.stack([side.lateral_sign * out, back, height], axis=-1)


def across(joint: ToyJoint, side: Side) -> np.ndarray:
    """Left and back parts of the direction across the joint, outwards and forward."""
    turned = np.deg2rad(joint.angle_deg)
    return np.array([side.lateral_sign * np.cos(turned), -np.sin(turned)])


def world(points: np.ndarray, joints: dict[Side, ToyJoint], disc: Disc) -> np.ndarray:
    """Signal at LPS points: marrow on both sides of dark, grey, dark lines, on surfaces that are ellipses; bright canal; muscle."""
    local = points - disc.centre_lps_mm
    signal = np.full(points.shape[:-1], 0.25)
    body = (np.abs(local[..., 0]) < 25) & (local[..., 1] < 17.5) & (local[..., 1] > -17.5)
    signal[body] = 0.55
    signal[body & (np.abs(local[..., 2]) < 4.5)] = 0.35
    for side, joint in joints.items():
        line = joint_truth(joint, side, disc)[:, :2] - disc.centre_lps_mm[:2]
        above_mm = local[..., 2] - joint.cranial_mm
        distance, along = _nearest(
            local[..., :2] - joint.lean * above_mm[..., None] * across(joint, side), line
        )
        height = 2.0 * above_mm / joint.height_mm
        surface = np.hypot(along, height) < 1.0
        signal[(np.abs(height) < BONE_SHARE) & (distance < 8.0)] = 0.6
        signal[surface & (distance < 2.5)] = 0.05
        signal[surface & (distance < 0.8)] = joint.line_signal
    canal = ((local[..., 1] - 24) / 7.5) ** 2 + (local[..., 0] / 9.0) ** 2 < 1
    signal[canal] = 1.0
    return signal


def _nearest(points: np.ndarray, line: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distance to the line, and where along it: -1 and 1 at its tips."""
    places = np.linspace(-1.0, 1.0, 60)
    fine = [np.interp(places, np.linspace(-1.0, 1.0, len(line)), column) for column in line.T]
    best, along = np.full(points.shape[:-1], np.inf), np.zeros(points.shape[:-1])
    for place, x, y in zip(places, *fine, strict=True):
        away = np.hypot(points[..., 0] - x, points[..., 1] - y)
        along, best = np.where(away < best, place, along), np.minimum(away, best)
    return best, along


def axial_image(
    joints: dict[Side, ToyJoint], disc: Disc, *, key: str = "ax", shift=(0.0, 0.0, 0.0), seed: int = 7
) -> Image:
    """Nine slices of 3.5 mm, pixels of 0.8 mm, the world moved by `shift`."""
    affine = np.diag([0.8, 0.8, 3.5, 1.0])
    affine[:3, 3] = disc.centre_lps_mm + np.array([-44.0, -24.0, -18.0])
    return _image(key, Plane.AXIAL, Contrast.T2, affine, (9, 108, 110), joints, disc, shift, seed)


def sagittal_image(
    joints: dict[Side, ToyJoint], disc: Disc, *, key: str = "sag", shift=(0.0, 0.0, 0.0)
) -> Image:
    """Nineteen slices of 4 mm from right to left, pixels of 0.9 mm."""
    affine = np.zeros((4, 4))
    affine[:, 0] = [0, 0.9, 0, 0]
    affine[:, 1] = [0, 0, -0.9, 0]
    affine[:, 2] = [4.0, 0, 0, 0]
    affine[:, 3] = [*(disc.centre_lps_mm + np.array([-36.0, -40.0, 45.0])), 1]
    return _image(key, Plane.SAGITTAL, Contrast.T1, affine, (19, 100, 110), joints, disc, shift)


def _image(key, plane, contrast, affine, shape, joints, disc, shift, seed=7) -> Image:
    z, y, x = np.indices(shape, dtype=np.float64)
    points = np.stack([x, y, z], -1) @ affine[:3, :3].T + affine[:3, 3]
    values = world(points - np.array(shift), joints, disc)
    noise = np.random.default_rng(seed).normal(0, 0.02, shape)
    volume = Volume(
        (1000 * (values + noise)).astype(np.float32), affine, float(np.linalg.norm(affine[:3, 2]))
    )
    return Image(key, volume, Role(plane, contrast))


def toy_study(*images: Image) -> StudyImages:
    return StudyImages("toy", tuple(images))


def relayed(image: Image, order: tuple[int, int, int], flips: tuple[bool, bool, bool]) -> Image:
    """The same picture stored with its array axes reordered and turned round; `order` and `flips` are of (x, y, z)."""
    volume = image.volume
    values = np.transpose(volume.values_zyx, [2 - axis for axis in order[::-1]])
    affine = volume.voxel_to_lps.copy()
    affine[:, :3] = volume.voxel_to_lps[:, list(order)]
    for axis, flip in enumerate(flips):
        if flip:
            values = np.flip(values, 2 - axis)
            affine[:3, 3] += affine[:3, axis] * (values.shape[2 - axis] - 1)
            affine[:3, axis] *= -1
    return replace(image, volume=Volume(np.ascontiguousarray(values), affine, volume.slice_thickness_mm))


def mirrored_image(image: Image) -> Image:
    """The same study of a person who is the mirror image of the first."""
    affine = np.diag([-1.0, 1.0, 1.0, 1.0]) @ image.volume.voxel_to_lps
    return replace(image, volume=replace(image.volume, voxel_to_lps=affine))


def mirrored_levels(levels: LevelMap) -> LevelMap:
    flip = np.array([-1.0, 1.0, 1.0])
    discs = tuple(
        replace(
            disc,
            centre_lps_mm=disc.centre_lps_mm * flip,
            axes=Axes(disc.axes.cranial * flip, disc.axes.anterior * flip, -disc.axes.left * flip),
        )
        for disc in levels.discs
    )
    return replace(levels, discs=discs, canal_line_lps_mm=levels.canal_line_lps_mm * flip)
