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


def grid_affine() -> np.ndarray:
    """Canonical grid: columns to the back, rows to the feet, planes to the patient's left."""
    affine = np.eye(4)
    affine[:3, 0] = [0, GRID_MM, 0]
    affine[:3, 1] = [0, 0, -GRID_MM]
    affine[:3, 2] = [PITCH_MM, 0, 0]
    affine[:3, 3] = [MIDLINE_MM - PITCH_MM * (SHAPE[0] - 1) / 2, -70.0, 140.0]
    return affine


def spine(
    discs: int = 6, *, missing: tuple[int, ...] = (), sacrum: bool = True, s1_s2_disc: bool = False
) -> tuple[Segmentation, np.ndarray]:
    """Return a straight spine with `discs` discs above the sacrum and their centres, cranial first."""
    affine = grid_affine()
    plane, row, column = np.indices(SHAPE)
    x = affine[0, 3] + PITCH_MM * plane
    y = affine[1, 3] + GRID_MM * column
    z = affine[2, 3] - GRID_MM * row
    kinds = np.zeros(SHAPE, int)
    wide = np.abs(x - MIDLINE_MM) <= 23.0
    front = wide & (np.abs(y) <= HALF_DEPTH_MM)
    canal = (np.abs(x - MIDLINE_MM) <= 11.0) & (y > HALF_DEPTH_MM + 2) & (y < HALF_DEPTH_MM + 16)
    kinds[canal] = CLASSES.index("canal")
    top, centres = 130.0, []
    for k in range(discs):
        kinds[front & (z <= top) & (z > top - BODY_MM)] = CLASSES.index("body")
        top -= BODY_MM
        kind = "body" if k in missing else "disc"
        kinds[front & (z <= top) & (z > top - DISC_MM)] = CLASSES.index(kind)
        centres.append([MIDLINE_MM, 0.0, top - DISC_MM / 2])
        top -= DISC_MM
    for kind in ("s1", "s2") if sacrum else ("body", "body"):
        kinds[front & (z <= top) & (z > top - BODY_MM)] = CLASSES.index(kind)
        top -= BODY_MM
        if s1_s2_disc and kind == "s1":
            kinds[front & (z <= top) & (z > top - 8.0)] = CLASSES.index("disc")
            top -= 8.0
    shares = np.stack([np.where(kinds == k, 0.94, 0.01) for k in range(len(CLASSES))]).astype(np.float32)
    return Segmentation(shares, affine, CLASSES), np.array(centres)
