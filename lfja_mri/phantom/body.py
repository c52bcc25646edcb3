"""Soft tissue around the spine: skin, fat, muscle, vessels, kidneys, bowel; painted plane by plane.

Everything hangs on three curves along z: the middle of the canal, the tips of the spinous processes, the skin.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.interpolate import PchipInterpolator

from lfja_mri.model import BoolArray, ImageArray, LabelArray
from lfja_mri.phantom.chance import stream
from lfja_mri.phantom.person import Person
from lfja_mri.phantom.processes import spinolaminar_point
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
            v.frame.to_lps(spinolaminar_point(v) - np.array([v.spinous_length_mm, 0, 4.0]))
            for v in spine.vertebrae
        ]
    )
    tip_order = np.argsort(tips[:, 2])
    lumbar = [disc.frame.origin[2] for disc in spine.discs if disc.level is not None]
    shown = tips[: spine.lumbosacral + 2]  # to S2: further down the seat hides the sacrum
    skin = np.poly1d(np.polyfit(shown[:, 2], shown[:, 1], 2))
    lift = float(np.max(shown[:, 1] - skin(shown[:, 2])))
    return Curves(
        canal_x=PchipInterpolator(z, spine.canal_points_mm[order, 0]),
        canal_y=PchipInterpolator(z, spine.canal_points_mm[order, 1]),
        body_y=PchipInterpolator(centres[centre_order, 2], centres[centre_order, 1]),
        half_width=PchipInterpolator(centres[centre_order, 2], widths[centre_order]),
        tip_y=PchipInterpolator(tips[tip_order, 2], tips[tip_order, 1]),
        skin_y=skin + lift + 3.0,
        z_range=(float(z[0]) - 2.0, float(z[-1]) + 15.0),
        lumbar_z=(min(lumbar), max(lumbar)),
    )


def body_noise(person: Person, lattice: Lattice) -> ImageArray:
    """Smooth noise with unit spread that moves with the person, the same at the same place on every lattice."""
    tile = stream(person.seed, "streaks").standard_normal((TILE, TILE, TILE)).astype(np.float32)
    tile = ndimage.gaussian_filter(tile, 1.3, mode="wrap")
    tile /= tile.std()
    offset = (lattice.low_mm - person.anchor_lps_mm)[::-1] / TILE_STEP_MM
    for axis, count in enumerate(lattice.shape):
        place = offset[axis] + np.arange(count) * lattice.step_mm / TILE_STEP_MM[axis]
        first = np.floor(place).astype(int)
        share = (place - first).astype(np.float32).reshape([-1 if k == axis else 1 for k in range(3)])
        low, high = (np.take(tile, (first + step) % TILE, axis=axis) for step in (0, 1))
        tile = low + (high - low) * share
    return tile


def paint_body(lattice: Lattice, person: Person, curves: Curves, noise: ImageArray) -> None:
    """Paint everything that is not spine, plane by plane."""
    x, y, z = (lattice.axis_mm(axis) for axis in range(3))
    for plane, height in enumerate(z):
        cut = _Cut.at(person, curves, x, y, float(height), noise[plane])
        _put_front(lattice.tissue_zyx[plane], cut)
        _put_muscle(lattice.tissue_zyx[plane], cut)
        _put_ilium(lattice.tissue_zyx[plane], cut)
        _put_skin(lattice.tissue_zyx[plane], cut)


@dataclass(frozen=True, eq=False)
class _Cut:
    """One axial plane: coordinates from the canal, and what the curves say there (mm).

    `caudal` runs from 0 at the uppermost graded disc to 1 at the lowest.
    """

    across: ImageArray
    side: ImageArray
    back: ImageArray
    noise: ImageArray
    caudal: float
    tip: float
    skin: float
    body_back: float
    half_width: float
    fat_share: float

    @classmethod
    def at(
        cls, person: Person, curves: Curves, x: ImageArray, y: ImageArray, z: float, noise: ImageArray
    ) -> _Cut:
        """Read the curves at a height."""
        canal_y = curves.at(curves.canal_y, z)
        across = x[None, :] - np.float32(curves.at(curves.canal_x, z))
        low, high = curves.lumbar_z
        caudal = float(np.clip((high - z) / (high - low), -0.5, 1.4))
        stout = person.subcutaneous_mm * (0.55 + 0.7 * max(caudal, 0.0))
        return cls(
            across=across,
            side=np.abs(across),
            back=y[:, None] - np.float32(canal_y),
            noise=noise,
            caudal=caudal,
            tip=curves.at(curves.tip_y, z) - canal_y,
            skin=float(curves.skin_y(z)) + stout - canal_y,
            body_back=curves.at(curves.body_y, z) - canal_y,
            half_width=curves.at(curves.half_width, z),
            fat_share=person.muscle_fat_share,
        )


def _put_skin(tissue: LabelArray, cut: _Cut) -> None:
    skin = cut.skin - 0.0011 * cut.side**2 - 3.5 * np.exp(-((cut.side / 11) ** 2)) + 0.4 * cut.noise
    strands = np.abs(cut.noise) < 0.02
    fascia = cut.tip * 0.86 + 5
    tissue[strands & (cut.back > fascia + 6) & (cut.back < skin)] = Tissue.LIGAMENT
    tissue[(cut.back > skin - 1.8) & (cut.back <= skin)] = Tissue.SKIN
    tissue[cut.back > skin] = Tissue.AIR


def _put_muscle(tissue: LabelArray, cut: _Cut) -> None:
    """Multifidus and erector spinae with septa and fat streaks, fascia, psoas, quadratus lumborum."""
    side, back, caudal = cut.side, cut.back, max(cut.caudal, 0.0)
    lobes = 5.5 * np.exp(-(((side - 31) / 14) ** 2)) - 0.035 * np.maximum(side - 44, 0) ** 2
    fascia = cut.tip * 0.86 + lobes
    front = (
        4 + 5 * np.exp(-(((side - 20) / 9) ** 2)) - 4 * np.exp(-(((side - 52) / 14) ** 2)) + 0.9 * cut.noise
    )
    muscle = (back > front) & (back < fascia) & (side < 68)
    tissue[muscle] = Tissue.MUSCLE
    _put_streaks(tissue, cut, muscle)
    between = (side < 2.6) & (back > 10) & (back < cut.tip)
    tissue[between] = Tissue.FLAVUM
    tissue[between & (cut.noise > 0.4)] = Tissue.FAT
    tissue[(back >= fascia) & (back < fascia + 1.0) & (side < 66) & (back > 4)] = Tissue.LIGAMENT
    psoas = _psoas(cut)
    tissue[psoas & (np.abs(cut.noise) > 0.03)] = Tissue.MUSCLE
    if caudal < 0.85:
        square = ((side - 58) / 18) ** 2 + ((back + 5 - 0.12 * (side - 58)) / 8) ** 2 < 1 + 0.06 * cut.noise
        tissue[square] = Tissue.MUSCLE


def _put_streaks(tissue: LabelArray, cut: _Cut, muscle: BoolArray) -> None:
    """Fat between the muscles and within them, more towards the sacrum and the midline."""
    caudal = max(cut.caudal, 0.0)
    share = cut.fat_share * (0.4 + caudal)
    medial = np.exp(-((cut.side / 22) ** 2))
    deep = np.exp(-((np.maximum(cut.back - 10, 0) / 12) ** 2))
    width = np.float32(0.5 * share) * (0.25 + 1.6 * medial * deep) + 0.012
    septum = 16 + 0.4 * np.maximum(cut.back - 8, 0) + 6 * caudal + 1.6 * cut.noise
    gap = np.minimum(np.abs(cut.side - septum), np.abs(cut.side - 46 - 0.1 * cut.back - 1.5 * cut.noise))
    strength = np.abs(cut.noise)
    tissue[muscle & (strength < 2.2 * width)] = Tissue.FATTY_MUSCLE
    tissue[muscle & ((strength < width) | (gap < 0.45))] = Tissue.FAT


def _psoas(cut: _Cut) -> BoolArray:
    grow = float(np.clip(cut.caudal, 0.02, 1.2))
    wide, deep = 5 + 16 * grow, 8 + 16 * grow
    middle_side = cut.half_width + 0.62 * wide + 2.5
    middle_back = cut.body_back + 7 - 14 * max(grow - 0.5, 0)
    reach = ((cut.side - middle_side) / wide) ** 2 + ((cut.back - middle_back) / deep) ** 2
    return np.asarray(reach < 1 + 0.09 * cut.noise)


def _put_front(tissue: LabelArray, cut: _Cut) -> None:
    """Fat everywhere, then bowel, kidneys, aorta and vena cava."""
    tissue[...] = Tissue.FAT
    ahead = cut.back - (cut.body_back - 18.0)
    tissue[(ahead < -27 + 3 * cut.noise) & (cut.noise > -0.1)] = Tissue.BOWEL
    for sign in (-1, 1):
        rim = (
            ((cut.across - sign * 70) / 24) ** 2 + ((ahead - 8) / 24) ** 2 + ((cut.caudal - 0.1) / 0.42) ** 2
        )
        tissue[rim < 1 + 0.12 * cut.noise] = Tissue.KIDNEY
        tissue[rim < 0.12 + 0.05 * cut.noise] = Tissue.FAT
    split = max(cut.caudal - 0.75, 0) * 60
    sides = (1, -1) if split > 0 else (1,)
    for centre, radius in ((9 + split, 9.0 - 3 * (split > 0)), (-13 - split, 10.0 - 2 * (split > 0))):
        for sign in sides:
            reach = np.hypot(cut.across - sign * centre, (ahead + 11) * 1.15)
            tissue[reach < radius] = Tissue.LIGAMENT
            tissue[reach < radius - 1.2] = Tissue.ARTERY


def _put_ilium(tissue: LabelArray, cut: _Cut) -> None:
    """The wings of the pelvis beside the lumbosacral level."""
    if cut.caudal < 0.8:
        return
    grow = min((cut.caudal - 0.8) / 0.3, 1.0)
    end = np.array([84.0, -20.0])
    start = end + (np.array([52.0, 32.0]) - end) * grow
    step = end - start
    share = ((cut.side - start[0]) * step[0] + (cut.back - start[1]) * step[1]) / max(step @ step, 1.0)
    share = np.clip(share, 0, 1)
    reach = np.hypot(cut.side - start[0] - share * step[0], cut.back - start[1] - share * step[1])
    thick = 5.5 + 2.5 * share + 0.5 * cut.noise
    tissue[reach < thick] = Tissue.CORTEX
    tissue[reach < thick - 1.4] = Tissue.SACRAL_MARROW
