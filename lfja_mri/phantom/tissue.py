"""Tissues and parts, and the fine and coarse lattices that they are painted on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from lfja_mri.model import BoolArray, FloatArray, ImageArray, LabelArray


class Tissue(IntEnum):
    """What a voxel is made of; the value is its code in tissue maps."""

    AIR = 0
    SKIN = 1
    FAT = 2
    MUSCLE = 3
    CORTEX = 4
    MARROW = 5
    SACRAL_MARROW = 6
    NUCLEUS = 7
    ANNULUS = 8
    CSF = 9
    CORD = 10
    ROOT = 11
    LIGAMENT = 12
    FLAVUM = 13
    CARTILAGE = 14
    JOINT_FLUID = 15
    SYNOVIUM = 16
    VEIN = 17
    ARTERY = 18
    BOWEL = 19
    KIDNEY = 20
    CYST = 21
    GAS = 22
    FATTY_MUSCLE = 23
    WORN_NUCLEUS = 24
    EROSION = 25
    BONE_CYST = 26


class Part(IntEnum):
    """What a voxel belongs to, as far as the grades speak of it."""

    OTHER = 0
    BODY = 1
    PEDICLE = 2
    SUPERIOR_PROCESS = 3
    INFERIOR_PROCESS = 4
    LAMINA = 5
    TRANSVERSE_PROCESS = 6
    SPINOUS_PROCESS = 7
    FLAVUM = 8
    FORAMEN = 9
    CANAL = 10
    DISC = 11
    SACRUM = 12


OEDEMA_HOSTS = (
    Tissue.FAT,
    Tissue.MUSCLE,
    Tissue.FATTY_MUSCLE,
    Tissue.MARROW,
    Tissue.SACRAL_MARROW,
    Tissue.FLAVUM,
    Tissue.LIGAMENT,
)
MARROWS = (Tissue.MARROW, Tissue.SACRAL_MARROW)


@dataclass(frozen=True, eq=False)
class Frame:
    """A place and three unit axes (rows) in LPS.

    For bones and discs the axes are (anterior, left, cranial); for joints (along, normal, cranial).
    """

    origin: FloatArray
    axes: FloatArray

    def to_lps(self, local: FloatArray) -> FloatArray:
        """Turn local mm, shape (..., 3), into LPS mm."""
        return np.asarray(local, dtype=np.float64) @ self.axes + self.origin

    def from_lps(self, points: FloatArray) -> FloatArray:
        """Turn LPS mm, shape (..., 3), into local mm."""
        return (np.asarray(points, dtype=np.float64) - self.origin) @ self.axes.T

    def moved(self, local: FloatArray) -> Frame:
        """Return the same axes at another local point."""
        return Frame(self.to_lps(local), self.axes)


def rotation(pitch_deg: float, roll_deg: float, yaw_deg: float) -> FloatArray:
    """Rotation about x (pitch), y (roll) and z (yaw), in that order."""
    angles = np.radians([pitch_deg, roll_deg, yaw_deg])
    (cx, cy, cz), (sx, sy, sz) = np.cos(angles), np.sin(angles)
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return np.asarray(about_z @ about_y @ about_x, dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Lattice:
    """Tissue, part and oedema on a grid along LPS; arrays are written in place while the map is painted.

    Parameters
    ----------
    low_mm
        LPS of the first voxel centre.
    step_mm
        Voxel edge.
    tissue_zyx, part_zyx
        `Tissue` and `Part` codes.
    oedema_zyx
        0-255: how much of the voxel's signal is that of oedema.
    """

    low_mm: FloatArray
    step_mm: float
    tissue_zyx: LabelArray
    part_zyx: LabelArray
    oedema_zyx: LabelArray

    @classmethod
    def between(cls, low_mm: FloatArray, high_mm: FloatArray, step_mm: float) -> Lattice:
        """Return an empty lattice over a box."""
        count = np.ceil((np.asarray(high_mm) - low_mm) / step_mm).astype(int) + 1
        shape = (int(count[2]), int(count[1]), int(count[0]))
        layers = [np.zeros(shape, dtype=np.uint8) for _ in range(3)]
        return cls(np.asarray(low_mm, dtype=np.float64), step_mm, *layers)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(planes, rows, columns)."""
        planes, rows, columns = self.tissue_zyx.shape
        return planes, rows, columns

    @property
    def high_mm(self) -> FloatArray:
        """LPS of the last voxel centre."""
        return self.low_mm + self.step_mm * (np.array(self.shape[::-1]) - 1)

    def axis_mm(self, axis: int) -> ImageArray:
        """Voxel centres along x, y or z."""
        return (self.low_mm[axis] + self.step_mm * np.arange(self.shape[2 - axis])).astype(np.float32)

    def window(self, low_mm: FloatArray, high_mm: FloatArray) -> Window | None:
        """Return the part of the lattice inside an LPS box, or None where they do not meet."""
        start = np.maximum(np.ceil((low_mm - self.low_mm) / self.step_mm), 0).astype(int)
        stop = np.floor((high_mm - self.low_mm) / self.step_mm).astype(int) + 1
        stop = np.minimum(stop, self.shape[::-1])
        if np.any(stop <= start):
            return None
        columns, rows, planes = (slice(int(a), int(b)) for a, b in zip(start, stop, strict=True))
        return Window(self, (planes, rows, columns))

    def window_around(self, points_mm: FloatArray, margin_mm: float) -> Window | None:
        """Return the part of the lattice within a margin of the box of some points."""
        points = np.atleast_2d(points_mm)
        return self.window(points.min(axis=0) - margin_mm, points.max(axis=0) + margin_mm)


Local = tuple[ImageArray, ImageArray, ImageArray]


@dataclass(frozen=True, eq=False)
class Window:
    """A rectangular view into a lattice."""

    lattice: Lattice
    slices: tuple[slice, slice, slice]

    @property
    def tissue(self) -> LabelArray:
        """View of the tissue codes."""
        return self.lattice.tissue_zyx[self.slices]

    @property
    def part(self) -> LabelArray:
        """View of the part codes."""
        return self.lattice.part_zyx[self.slices]

    @property
    def oedema(self) -> LabelArray:
        """View of the oedema strength."""
        return self.lattice.oedema_zyx[self.slices]

    def axes_mm(self) -> Local:
        """x, y, z of the voxel centres, shaped to broadcast."""
        planes, rows, columns = self.slices
        return (
            self.lattice.axis_mm(0)[columns][None, None, :],
            self.lattice.axis_mm(1)[rows][None, :, None],
            self.lattice.axis_mm(2)[planes][:, None, None],
        )

    def local(self, frame: Frame) -> Local:
        """Coordinates of every voxel in a frame, mm."""
        axes = frame.axes.astype(np.float32)
        x, y, z = (values - np.float32(at) for values, at in zip(self.axes_mm(), frame.origin, strict=True))
        first, second, third = (row[0] * x + row[1] * y + row[2] * z for row in axes)
        return first, second, third

    def put(self, mask: BoolArray, tissue: Tissue, part: Part | None = None) -> None:
        """Write a tissue, and a part unless it is None, where the mask is true."""
        self.tissue[mask] = tissue
        if part is not None:
            self.part[mask] = part


def is_one_of(codes: LabelArray, members: tuple[IntEnum, ...]) -> BoolArray:
    """Return where a code is one of several."""
    table = np.zeros(256, dtype=bool)
    table[[int(member) for member in members]] = True
    return table[codes]


def mask_of(window: Window, *tissues: Tissue) -> BoolArray:
    """Return where a window holds one of some tissues."""
    table = np.zeros(256, dtype=bool)
    table[list(tissues)] = True
    return np.asarray(table[window.tissue])
