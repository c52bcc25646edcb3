"""A made-up piece of body that can be imaged twice: a smooth random texture, moved rigidly between the visits."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from lfja_mri.change.rigid import Rigid
from lfja_mri.geometry import apply, grid_affine, grid_points
from lfja_mri.model import Axes, Contrast, Disc, Image, Level, Plane, Role, Volume

SIDE = 64
STEP_MM = 2.5
EYE = Rigid(np.eye(3), np.zeros(3))


class World:
    """A texture in baseline space: blobs of some 6 mm, `period_mm` repeats weakly along z as levels do."""

    def __init__(self, seed=0):
        generator = np.random.default_rng(seed)
        field = ndimage.gaussian_filter(generator.normal(size=(SIDE, SIDE, SIDE)), 2.2)
        self.field = ndimage.spline_filter(field / field.std() * 100 + 300, order=3)

    def at(self, points_lps_mm):
        index = points_lps_mm / STEP_MM + SIDE / 2
        flat = index.reshape(-1, 3).T
        values = ndimage.map_coordinates(self.field, flat, order=3, mode="mirror", prefilter=False)
        return values.reshape(index.shape[:-1])


def stack(world, motion, plane, *, key, role, offset_mm=0.0, noise=0.0, seed=1, gain=1.0):
    """Image the world after it moved: 4 mm slices, 0.9 mm pixels."""
    normal = {Plane.SAGITTAL: 0, Plane.AXIAL: 2}[plane]
    axes = np.eye(3)[[0, 1, 2] if normal == 2 else [1, 2, 0]]
    spacing = np.array([0.9, 0.9, 4.0])
    shape_zyx = (15, 100, 100) if plane is Plane.SAGITTAL else (11, 100, 100)
    origin = -(np.array(shape_zyx[::-1]) - 1) / 2 * spacing @ axes + offset_mm * axes[2] + centre_of(motion)
    affine = grid_affine(origin, axes, spacing)
    values = world.at(motion.inverse.apply(grid_points(affine, shape_zyx)))
    values = gain * values + np.random.default_rng(seed).normal(0, noise, values.shape) * (noise > 0)
    return Image(key, Volume(values.astype(np.float32), affine, 4.0), role)


def centre_of(motion):
    return apply(motion.matrix, np.zeros(3))


def disc_at(motion, level=Level.L4_L5, centre=(0.0, -20.0, 0.0), error_mm=(0.0, 0.0, 0.0)):
    axes = Axes(
        cranial=motion.turn(np.array([0.0, 0.0, 1.0])),
        anterior=motion.turn(np.array([0.0, -1.0, 0.0])),
        left=motion.turn(np.array([1.0, 0.0, 0.0])),
    )
    return Disc(level, motion.apply(np.array(centre)) + np.array(error_mm), axes, 34.0, 48.0, 9.0, 0.9)


STIR = Role(Plane.SAGITTAL, Contrast.STIR)
T2_FS = Role(Plane.AXIAL, Contrast.T2_FS)
