"""Soft tissue around the spine: skin, fat, muscle, vessels, kidneys, bowel; painted plane by plane.

Everything hangs on three curves along z: the middle of the canal, the tips of the spinous processes, the skin.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.interpolate import PchipInterpolator

from lfja_mri.model import BoolArray, ImageArray, LabelArray
from lfja_mri.phantom.bones import spinolaminar_point
from lfja_mri.phantom.person import Person, stream
from lfja_mri.phantom.tissue import Lattice, Tissue

TILE = 64
TILE_STEP_MM = np.array([3.2, 1.6, 1.6])


@dataclass(frozen=True, eq=False)
class Curves:
    """Smooth curves along z; each maps z (mm) to mm."""

    canal_x: PchipInterpolator
    canal_y: PchipInterpolator
    body_y: PchipInterpolator
    half_width: PchipInterpolator
    tip_y: PchipInterpolator
    skin_y: np.poly1d
    z_range: tuple[float, float]
    lumbar_z: tuple[float, float]

    def at(self, curve: PchipInterpolator, z: float) -> float:
        """Value at z, held beyond the ends."""
        return float(curve(np.clip(z, *self.z_range)))


def build_curves(person: Person) -> Curves:
    """Lay the curves through the person's discs and vertebrae."""
    spine = person.spine
    order = np.argsort(spine.canal_points_mm[:, 2])
    z = spine.canal_points_mm[order, 2]
    centres = np.array([disc.frame.origin for disc in spine.discs])
    centre_order = np.argsort(centres[:, 2])
    widths = np.array([disc.half_width_mm for disc in spine.discs])
    tips = np.array(
        [
            v.frame.to_lps(spinolaminar_point(v) + [-(8.0 if v.sacral else v.spinous_length_mm), 0, -4.0])
            for v in spine.vertebrae
        ]
    )
    tip_order = np.argsort(tips[:, 2])
    lumbar = [disc.frame.origin[2] for disc in spine.discs if disc.level is not None]
    skin = np.poly1d(np.polyfit(tips[:, 2], tips[:, 1], 2))
    lift = float(np.max(tips[:, 1] - skin(tips[:, 2])))
    return Curves(
        canal_x=PchipInterpolator(z, spine.canal_points_mm[order, 0]),
        canal_y=PchipInterpolator(z, spine.canal_points_mm[order, 1]),
        body_y=PchipInterpolator(centres[centre_order, 2], centres[centre_order, 1]),
        half_width=PchipInterpolator(centres[centre_order, 2], widths[centre_order]),
        tip_y=PchipInterpolator(tips[tip_order, 2], tips[tip_order, 1]),
        skin_y=skin + lift + 3.0,
        z_range=(float(z[0]) - 40.0, float(z[-1]) + 15.0),
        lumbar_z=(min(lumbar), max(lumbar)),
    )


def world_noise(seed: int, purpose: str, lattice: Lattice) -> ImageArray:
    """Smooth noise with unit spread, the same at the same place on every lattice."""
    tile = stream(seed, purpose).standard_normal((TILE, TILE, TILE)).astype(np.float32)
    tile = ndimage.gaussian_filter(tile, 1.3, mode="wrap")
    tile /= tile.std()
    scale = lattice.step_mm / TILE_STEP_MM
    offset = lattice.low_mm[::-1] / TILE_STEP_MM
    return np.asarray(
        ndimage.affine_transform(
            tile, scale, offset, output_shape=lattice.shape, order=1, mode="grid-wrap", output=np.float32
        )
    )


def paint_body(lattice: Lattice, person: Person, curves: Curves) -> None:
    """Paint everything that is not spine."""
    streaks = world_noise(person.seed, "streaks", lattice)
    x, y, z = (lattice.axis_mm(axis) for axis in range(3))
    for plane, height in enumerate(z):
        lattice.tissue_zyx[plane] = _plane(
            person, curves, x[None, :], y[:, None], float(height), streaks[plane]
        )


def _plane(
    person: Person, curves: Curves, x: ImageArray, y: ImageArray, z: float, streaks: ImageArray
) -> LabelArray:
    side = np.abs(x - np.float32(curves.at(curves.canal_x, z)))
    back = y - np.float32(curves.at(curves.canal_y, z))
    caudal = float(np.clip((curves.lumbar_z[1] - z) / (curves.lumbar_z[1] - curves.lumbar_z[0]), -0.5, 1.4))
    stout = person.subcutaneous_mm * (0.55 + 0.7 * max(caudal, 0.0))
    skin = np.float32(curves.skin_y(z) + stout - curves.at(curves.canal_y, z)) - side * side * np.float32(
        0.0016
    )
    tissue = np.full(np.broadcast_shapes(side.shape, back.shape), int(Tissue.FAT), dtype=np.uint8)
    _put_front(tissue, person, curves, x, y, z, caudal, streaks)
    _put_muscle(tissue, person, curves, side, back, z, caudal, streaks)
    _put_ilium(tissue, side, back, caudal)
    tissue[(back > skin - 2.0) & (back <= skin)] = Tissue.SKIN
    tissue[np.broadcast_to(back > skin, tissue.shape)] = Tissue.AIR
    return tissue


def _put_muscle(
    tissue: LabelArray,
    person: Person,
    curves: Curves,
    side: ImageArray,
    back: ImageArray,
    z: float,
    caudal: float,
    streaks: ImageArray,
) -> None:
    tip = np.float32(curves.at(curves.tip_y, z) - curves.at(curves.canal_y, z))
    lobes = 5 * np.exp(-(((side - 30) / 15) ** 2)) - 0.03 * np.maximum(side - 42, 0) ** 2
    fascia = tip * np.float32(0.86) + lobes
    muscle = (back > 4.0) & (back < fascia) & (side < 68)
    thin = 0.05 + 0.35 * person.muscle_fat_share * (0.6 + 0.8 * max(caudal, 0))
    septum = np.abs(side - (17 + 0.42 * np.maximum(back - 6, 0) + 5 * caudal)) < 0.9
    septum |= np.abs(side - (44 + 0.1 * back)) < 0.7
    fat = (np.abs(streaks) < np.float32(thin)) | septum
    fat |= (side < 26) & (np.abs(streaks) < np.float32(thin * (1.2 + 2.0 * max(caudal, 0))))
    tissue[muscle & ~fat] = Tissue.MUSCLE
    between = (side < 2.6) & (back > 10) & (back < tip)
    tissue[between] = Tissue.FLAVUM
    tissue[between & (streaks > 0.5)] = Tissue.FAT
    rim = (back >= fascia) & (back < fascia + 1.0) & (side < 66) & (back > 4)
    tissue[rim] = Tissue.LIGAMENT
    psoas = _psoas(curves, side, back, z, caudal)
    tissue[psoas & (np.abs(streaks) > 0.04)] = Tissue.MUSCLE
    if caudal < 0.85:
        square = ((side - 57) / 19) ** 2 + ((back + 5) / 8.5) ** 2 < 1
        tissue[square] = Tissue.MUSCLE


def _psoas(curves: Curves, side: ImageArray, back: ImageArray, z: float, caudal: float) -> BoolArray:
    grow = float(np.clip(caudal, 0.02, 1.2))
    half_width = curves.at(curves.half_width, z)
    body_back = curves.at(curves.body_y, z) - curves.at(curves.canal_y, z)
    wide, deep = 5 + 17 * grow, 8 + 17 * grow
    middle_side = half_width + 0.62 * wide + 3
    middle_back = body_back + 7 - 14 * max(grow - 0.5, 0)
    return np.asarray(((side - middle_side) / wide) ** 2 + ((back - middle_back) / deep) ** 2 < 1)


def _put_front(
    tissue: LabelArray,
    person: Person,
    curves: Curves,
    x: ImageArray,
    y: ImageArray,
    z: float,
    caudal: float,
    streaks: ImageArray,
) -> None:
    """Aorta, vena cava, kidneys, bowel."""
    middle = curves.at(curves.canal_x, z)
    front = curves.at(curves.body_y, z) - 18.0
    tissue[(y < front - 24) & (streaks > -0.2)] = Tissue.BOWEL
    across, ahead = x - np.float32(middle), y - np.float32(front)
    for sign in (-1, 1):
        kidney = ((across - sign * 66) / 26) ** 2 + ((ahead - 4) / 22) ** 2 + ((caudal - 0.12) / 0.42) ** 2
        tissue[kidney < 1] = Tissue.KIDNEY
        tissue[kidney < 0.12] = Tissue.FAT
    split = max(caudal - 0.75, 0) * 60
    wall = 1.4
    for centre, radius in ((9 + split, 9.0 - 3 * (split > 0)), (-13 - split, 10.0 - 2 * (split > 0))):
        for sign in (1, -1) if split > 0 else (1,):
            reach = np.hypot(across - sign * centre, (ahead + 11) * 1.15)
            tissue[reach < radius] = Tissue.LIGAMENT
            tissue[reach < radius - wall] = Tissue.ARTERY


def _put_ilium(tissue: LabelArray, side: ImageArray, back: ImageArray, caudal: float) -> None:
    """The wings of the pelvis beside the lumbosacral level."""
    if caudal < 0.8:
        return
    grow = min((caudal - 0.8) / 0.3, 1.0)
    start, end = np.array([52.0, 30.0]), np.array([82.0, -22.0])
    start = end + (start - end) * grow
    step = end - start
    share = ((side - start[0]) * step[0] + (back - start[1]) * step[1]) / max(step @ step, 1.0)
    share = np.clip(share, 0, 1)
    reach = np.hypot(side - start[0] - share * step[0], back - start[1] - share * step[1])
    tissue[reach < 7] = Tissue.CORTEX
    tissue[reach < 5.6] = Tissue.SACRAL_MARROW
