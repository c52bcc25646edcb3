"""One picture of a case for the reader of the figures: the slice at the canal's middle, true and found centres."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from scipy import ndimage

from lfja_mri.geometry import apply
from lfja_mri.model import FloatArray, Level, LevelMap, Volume

PIXEL_MM = 0.8


def wrong_cases(names: Sequence[str]) -> str:
    """List the failures of a row, and say where their pictures lie."""
    return f"wrong: {', '.join(names)}; a picture of each in build/levels" if names else "wrong: none"


def draw_levels(
    volume: Volume, truth: Mapping[Level, FloatArray], found: LevelMap | None, title: str, target: Path
) -> None:
    """Draw true centres (green) and found ones (red, with their confidence) on one sagittal slice; flags in the title."""
    discs = () if found is None else found.discs
    true = {level: np.atleast_2d(points).mean(axis=0) for level, points in truth.items()}
    middle = np.median([*true.values(), *(disc.centre_lps_mm for disc in discs)], axis=0)
    slice_yx, back_mm, up_mm = _sagittal(volume, float(middle[0]))
    figure = Figure(figsize=(7, 8))
    axes = figure.subplots()
    shown = (back_mm[0], back_mm[-1], up_mm[-1], up_mm[0])
    axes.imshow(slice_yx, cmap="gray", extent=shown, vmax=float(np.percentile(slice_yx, 99.5)))
    for level, point in true.items():
        axes.plot(point[1], point[2], "g+", ms=10)
        axes.text(point[1] - 45, point[2], level.value, color="lime", fontsize=8)
    for disc in discs:
        _, back, up = disc.centre_lps_mm
        axes.plot(back, up, "rx")
        axes.text(back + 14, up, f"{disc.level.value} {disc.confidence:.2f}", color="red", fontsize=8)
    flags = ", ".join(("not found",) if found is None else found.flags) or "no flag"
    axes.set_title(f"{title}: {flags}", fontsize=9)
    axes.axis("off")
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(target, dpi=70)


def _sagittal(volume: Volume, left_mm: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Cut a volume at one place from side to side: rows to the feet, columns to the back, with their LPS mm."""
    corners = apply(
        volume.voxel_to_lps,
        np.array(
            [
                [x, y, z]
                for x in (0, volume.values_zyx.shape[2] - 1)
                for y in (0, volume.values_zyx.shape[1] - 1)
                for z in (0, volume.values_zyx.shape[0] - 1)
            ],
            dtype=np.float64,
        ),
    )
    low, high = corners.min(axis=0), corners.max(axis=0)
    back, up = np.arange(low[1], high[1], PIXEL_MM), np.arange(high[2], low[2], -PIXEL_MM)
    grid = np.stack(np.broadcast_arrays(left_mm, back[None, :], up[:, None]), axis=-1)
    index = apply(volume.lps_to_voxel, grid.reshape(-1, 3))[:, ::-1].T
    values = ndimage.map_coordinates(volume.values_zyx, index, order=1, cval=0.0, output=np.float64)
    return values.reshape(grid.shape[:2]), back, up
