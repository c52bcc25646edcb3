"""A spine drawn straight into tissue probabilities on a canonical grid: known discs, no image and no network."""

from __future__ import annotations

import numpy as np

from lfja_mri.levels.network import Segmentation

CLASSES = ("background", "disc", "body", "posterior", "canal", "s1", "s2")
GRID_MM = 1.2
PITCH_MM = 4.0
SHAPE = (15, 240, 160)
MIDLINE_MM = 4.0
BODY_MM, DISC_MM, HALF_DEPTH_MM = 26.0, 9.0, 17.0
TOP_MM = 130.0
LOWEST_TILTS_DEG = (13.0, 33.0)  # of the two lowest lumbar discs
SACRAL_TILT_DEG = 55.0
SACRAL_HALF_DEPTHS_MM = (11.0, 7.0)  # below S1, below S2


def grid_affine() -> np.ndarray:
    """Canonical grid: columns to the back, rows to the feet, planes to the patient's left."""
    affine = np.eye(4)
    affine[:3, 0] = [0, GRID_MM, 0]
    affine[:3, 1] = [0, 0, -GRID_MM]
    affine[:3, 2] = [PITCH_MM, 0, 0]
    affine[:3, 3] = [MIDLINE_MM - PITCH_MM * (SHAPE[0] - 1) / 2, -70.0, 140.0]
    return affine


class Pen:
    """Draws one piece of the column below the other, each between two end-plates, in the sagittal plane."""

    def __init__(self) -> None:
        affine = grid_affine()
        plane, row, column = np.indices(SHAPE)
        self.lateral = affine[0, 3] + PITCH_MM * plane - MIDLINE_MM
        self.y, self.z = affine[1, 3] + GRID_MM * column, affine[2, 3] - GRID_MM * row
        self.kinds = np.zeros(SHAPE, int)
        self.at = np.array([0.0, TOP_MM])
        self.tilt_deg, self.half_depth = 0.0, HALF_DEPTH_MM
        self.course = [self.at]

    def draw(
        self, kind: str, length_mm: float, tilt_deg: float, half_depth: float = HALF_DEPTH_MM
    ) -> np.ndarray:
        """Draw one piece down to an end-plate with a tilt and a half depth; return its (y, z) middle."""
        down = _along(np.radians((self.tilt_deg + tilt_deg) / 2))
        end = self.at + length_mm * down
        upper, lower = (
            (self.y - p[0]) * _along(np.radians(t))[0] + (self.z - p[1]) * _along(np.radians(t))[1]
            for p, t in ((self.at, self.tilt_deg), (end, tilt_deg))
        )
        done = ((self.y - self.at[0]) * down[0] + (self.z - self.at[1]) * down[1]) / length_mm
        half = self.half_depth + np.clip(done, 0, 1) * (half_depth - self.half_depth)
        across = -(self.y - self.at[0]) * down[1] + (self.z - self.at[1]) * down[0]
        inside = (upper >= 0) & (lower < 0) & (np.abs(across) <= half) & (np.abs(self.lateral) <= 23.0)
        self.kinds[inside] = CLASSES.index(kind)
        middle = (self.at + end) / 2
        self.at, self.tilt_deg, self.half_depth = end, tilt_deg, half_depth
        self.course.append(end)
        return middle

    def draw_canal(self) -> None:
        """Draw the canal behind everything that was drawn."""
        course = np.array(self.course)[::-1]
        behind = self.y - np.interp(self.z, course[:, 1], course[:, 0]) - HALF_DEPTH_MM
        free = (self.kinds == 0) & (self.z <= TOP_MM)
        self.kinds[free & (np.abs(self.lateral) <= 11.0) & (behind > 2) & (behind < 16)] = CLASSES.index(
            "canal"
        )


def _along(angle: float) -> np.ndarray:
    """Unit (y, z) vector that runs down, turned backwards by an angle in radians."""
    return np.array([np.sin(angle), -np.cos(angle)])


def spine(
    discs: int = 6,
    *,
    missing: tuple[int, ...] = (),
    sacrum: bool = True,
    s1_s2_disc: bool = False,
    straight: bool = False,
) -> tuple[Segmentation, np.ndarray]:
    """Return a spine with `discs` discs above the sacrum and their centres, cranial first.

    `straight`: lumbar all the way down but for the network's labels; without a sacrum the view ends below the lowest disc.
    """
    pen, centres = Pen(), []
    tilts = np.zeros(discs) if straight or not sacrum else np.r_[np.zeros(discs - 2), LOWEST_TILTS_DEG]
    for k, tilt in enumerate(tilts):
        pen.draw("body", BODY_MM, tilt)
        y, z = pen.draw("body" if k in missing else "disc", DISC_MM, tilt)
        centres.append([MIDLINE_MM, y, z])
    for kind, half in zip(("s1", "s2") if sacrum else ("body", "body"), SACRAL_HALF_DEPTHS_MM, strict=True):
        lumbar = straight or not sacrum
        pen.draw(kind, BODY_MM, 0.0 if lumbar else SACRAL_TILT_DEG, HALF_DEPTH_MM if lumbar else half)
        if s1_s2_disc and kind == "s1":
            pen.draw("disc", 8.0, pen.tilt_deg, pen.half_depth)
    pen.draw_canal()
    shares = np.stack([np.where(pen.kinds == k, 0.94, 0.01) for k in range(len(CLASSES))]).astype(np.float32)
    return Segmentation(shares, grid_affine(), CLASSES), np.array(centres)
