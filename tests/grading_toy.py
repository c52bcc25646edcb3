"""A toy lumbar joint: a flat upright slab of fluid with an arc of oedema around it, seen by toy scanners.

The joint plane is the sagittal plane x = 0 at the origin, the canal a tube 22 mm to its right, muscle behind it, the
foramen in front of it. Everything is known: fluid width, arc, signal. The signal of CSF is 1000.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from lfja_mri.config import load_pipeline_settings
from lfja_mri.geometry import grid_affine, grid_points
from lfja_mri.grading.measure import measure_joint
from lfja_mri.model import (
    Axes,
    Contrast,
    Disc,
    Image,
    Joint,
    JointFrame,
    Level,
    LevelMap,
    Measurements,
    NumberingBasis,
    Plane,
    Role,
    Side,
    StudyImages,
    Volume,
    Zone,
    Zones,
)

SETTINGS = load_pipeline_settings().measure
CSF = 1000.0
CANAL_X_MM = -22.0
HALF_LENGTH_MM, HALF_HEIGHT_MM, HALF_GAP_MM = 7.0, 8.0, 1.0
SECTORS = 24


@dataclass(frozen=True)
class Toy:
    """What the toy shows; signals are shares of CSF."""

    fluid_mm: float = 0.0
    arc_share: float = 0.0
    arc_from_deg: float = 0.0
    oedema: float = 0.5
    muscle: float = 0.15
    fat: float = 0.12
    foramen_oedema: bool = False
    cyst_mm: float = 0.0
    noise: float = 0.0
    gain: float = 1.0
    moved_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    shading_per_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)


def signal(toy: Toy, points: np.ndarray, contrast: Contrast) -> np.ndarray:
    """Signal of the toy at LPS points."""
    x, y, z = np.moveaxis(points - np.array(toy.moved_mm), -1, 0)
    t1 = contrast is Contrast.T1
    values = np.full(x.shape, 0.3 if t1 else toy.muscle)
    fat = (np.hypot(x - 12, y + 2) < 5) & (np.abs(z) < 14)
    values[fat] = {Contrast.T1: 1.2, Contrast.T2: 0.7}.get(contrast, toy.fat)
    if not t1:
        angle = (np.degrees(np.arctan2(x, y)) - toy.arc_from_deg) % 360
        shell = (_from_joint(x, y) < 6) & (np.abs(z) < 10)
        values[shell & (angle < 360 * toy.arc_share)] = toy.oedema
        if toy.foramen_oedema:
            values[(np.abs(x) < 4) & (y < -8) & (y > -18) & (np.abs(z) < 5)] = toy.oedema
        if toy.cyst_mm:
            values[np.hypot(np.hypot(x + 6, y - 10), z) < toy.cyst_mm / 2] = 1.0
    bone = (np.abs(y) < HALF_LENGTH_MM) & (np.abs(z) < HALF_HEIGHT_MM)
    values[bone & (np.abs(x) < HALF_GAP_MM)] = 0.1
    values[bone & (np.abs(x) < toy.fluid_mm / 2)] = 0.25 if t1 else 1.0
    values[np.hypot(x - CANAL_X_MM, y + 6) < 7] = 0.2 if t1 else 1.0
    return values * np.exp(points @ np.array(toy.shading_per_mm))


def _from_joint(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.hypot(np.maximum(np.abs(x) - HALF_GAP_MM, 0), np.maximum(np.abs(y) - HALF_LENGTH_MM, 0))


def scan(
    toy: Toy, plane: Plane, contrast: Contrast, *, pixel_mm: float = 0.6, pitch_mm: float = 4.4
) -> Image:
    """Image the toy; each voxel is the mean over its own extent."""
    axes = np.array(
        [[1, 0, 0], [0, 1, 0], [0, 0, 1]] if plane is Plane.AXIAL else [[0, 1, 0], [0, 0, -1], [1, 0, 0]]
    )
    step = np.array([pixel_mm, pixel_mm, pitch_mm])
    extent = np.array([76.0, 76.0, 48.0 if plane is Plane.AXIAL else 76.0])
    shape_xyz = np.ceil(extent / step).astype(int)
    origin = -((shape_xyz - 1) / 2 * step) @ axes + np.array([-4.0, 0.0, 0.0])
    affine = grid_affine(origin, axes.astype(float), step)
    points = grid_points(affine, tuple(int(n) for n in shape_xyz[::-1]))
    parts = [
        signal(toy, points + (np.array([a, a, b]) * step) @ axes, contrast)
        for a, b in zip(np.linspace(-0.45, 0.45, 10), 0.4 * np.resize([-1, 0.5, 0, 1, -0.5], 10), strict=True)
    ]
    values = np.mean(parts, axis=0)
    rng = np.random.default_rng(3)
    real = values + rng.normal(0, toy.noise, values.shape)
    noisy = np.hypot(real, rng.normal(0, toy.noise, values.shape))
    volume = Volume((CSF * toy.gain * noisy).astype(np.float32), affine, pitch_mm)
    role = Role(plane, contrast)
    return Image(key=str(role), volume=volume, role=role)


def toy_zones() -> Zones:
    spacing = 0.75
    count = 57
    affine = np.diag([spacing, spacing, spacing, 1.0])
    affine[:3, 3] = -spacing * (count // 2)
    points = grid_points(affine, (count, count, count))
    x, y, z = np.moveaxis(points, -1, 0)
    labels = np.full(x.shape, Zone.MUSCLE.code, dtype=np.uint8)
    near = _from_joint(x, y)
    tall = np.abs(z) <= HALF_HEIGHT_MM + 1
    labels[(np.abs(x) < 4) & (y < -8) & (y > -20) & (np.abs(z) < 6)] = Zone.FORAMEN.code
    shell = tall & (near > 1) & (near <= 6)
    labels[shell] = Zone.PERIMETER.code
    labels[tall & (near <= 1)] = Zone.CAPSULE.code
    labels[tall & (near <= 0)] = Zone.JOINT_SPACE.code
    angle = np.degrees(np.arctan2(x, y)) % 360
    sectors = np.where(shell, 1 + np.floor(angle / 360 * SECTORS), 0).astype(np.uint8)
    return Zones(labels, np.minimum(sectors, SECTORS).astype(np.uint8), affine, SECTORS)


def toy_joint() -> Joint:
    y = np.linspace(-HALF_LENGTH_MM, HALF_LENGTH_MM, 9)
    frame = JointFrame(
        level=Level.L4_L5,
        side=Side.LEFT,
        centre_lps_mm=np.zeros(3),
        normal_lps=np.array([1.0, 0.0, 0.0]),
        along_lps=np.array([0.0, 1.0, 0.0]),
        cranial_lps=np.array([0.0, 0.0, 1.0]),
        length_mm=2 * HALF_LENGTH_MM,
        height_mm=2 * HALF_HEIGHT_MM,
        gap_mm=2 * HALF_GAP_MM,
        joint_line_lps_mm=np.stack([0 * y, y, 0 * y], axis=1),
        angle_deg=0.0,
        uncertainty_mm=0.5,
        confidence=1.0,
    )
    return Joint(frame, toy_zones())


JOINT = toy_joint()


def toy_levels() -> LevelMap:
    axes = Axes(np.array([0.0, 0, 1]), np.array([0.0, -1, 0]), np.array([1.0, 0, 0]))
    disc = Disc(Level.L4_L5, np.array([CANAL_X_MM, -30.0, 4.0]), axes, 35.0, 49.0, 10.0, 1.0)
    z = np.linspace(30, -30, 61)
    line = np.stack([np.full(61, CANAL_X_MM), np.full(61, -6.0), z], axis=1)
    return LevelMap((disc,), line, NumberingBasis.SACRUM)


def study_of(*images: Image) -> StudyImages:
    return StudyImages("toy", images)


def measured(*images: Image, joint: Joint = JOINT, settings: object = SETTINGS) -> Measurements:
    return measure_joint(joint, study_of(*images), toy_levels(), settings)


def axial(toy: Toy, contrast: Contrast = Contrast.T2_FS, **how: float) -> Image:
    return scan(toy, Plane.AXIAL, contrast, **how)


def sagittal(toy: Toy, contrast: Contrast = Contrast.STIR, **how: float) -> Image:
    return scan(toy, Plane.SAGITTAL, contrast, **how)


def renamed(image: Image, key: str) -> Image:
    return replace(image, key=key)
