"""Around how much of the joint is the tissue abnormal? The share of the perimeter's sectors, slice by slice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lfja_mri.grading.bright import BrightTissue
from lfja_mri.model import BoolArray, FloatArray, Zone


@dataclass(frozen=True)
class PerimeterFraction:
    """Share of the perimeter that is abnormal: mean over slices by the joint's length in each, and the worst slice.

    `max_slice_z_mm` is the height of the worst slice in LPS; the lowest of them where several are as bad.
    """

    weighted: float
    max_slice: float
    max_slice_z_mm: float


def perimeter_fraction(tissue: BrightTissue, shell: BoolArray, bright_share: float) -> PerimeterFraction:
    """Return the share of perimeter sectors with abnormal signal, 0 to 1; higher is worse.

    Parameters
    ----------
    tissue
        Bright tissue around the joint.
    shell
        Voxels that may decide, in the grid of the zones.
    bright_share
        A sector counts as abnormal in a slice when at least this share of its shell is bright.

    Returns
    -------
    Sectors that were not imaged, or are filled by a cyst, count neither way; 0 where none is left.
    """
    shares = sector_shares(tissue, shell)
    known = np.isfinite(shares)
    weights = _joint_length(tissue) * (known.mean(axis=1) >= 0.5)
    place = tissue.ratio.zones.voxel_to_lps
    if not weights.sum():
        return PerimeterFraction(0.0, 0.0, float(place[2, 3] + place[2, 2] * (len(weights) // 2)))
    abnormal = np.where(known, shares >= bright_share, False)
    by_slice = abnormal.sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    worst = int(np.argmax(np.where(weights > 0, by_slice, -1.0)))
    return PerimeterFraction(
        weighted=float((by_slice * weights).sum() / weights.sum()),
        max_slice=float(by_slice[worst]),
        max_slice_z_mm=float(place[2, 3] + place[2, 2] * worst),
    )


def sector_shares(tissue: BrightTissue, shell: BoolArray) -> FloatArray:
    """Return the bright share of every sector in every plane of the grid, shape (planes, sectors); NaN if not imaged."""
    zones = tissue.ratio.zones
    planes, count = zones.labels_zyx.shape[0], zones.sector_count
    mask = shell & tissue.ratio.imaged & ~tissue.cyst
    cell = np.arange(planes)[:, None, None] * (count + 1) + zones.sectors_zyx

    def counted(chosen: BoolArray) -> FloatArray:
        cells = np.bincount(cell[chosen], minlength=planes * (count + 1)).reshape(planes, count + 1)
        return cells[:, 1:].astype(np.float64)

    total, bright = counted(mask), counted(mask & tissue.bright)
    return np.divide(bright, total, out=np.full_like(total, np.nan), where=total > 0)


def abnormal_shell(tissue: BrightTissue, shell: BoolArray, bright_share: float) -> BoolArray:
    """Return the bright voxels of the shell in those sectors of those planes that count as abnormal."""
    sectors = tissue.ratio.zones.sectors_zyx
    abnormal = np.zeros((len(sectors), tissue.ratio.zones.sector_count + 1), dtype=np.bool_)
    abnormal[:, 1:] = np.nan_to_num(sector_shares(tissue, shell)) >= bright_share
    planes = np.arange(len(sectors))[:, None, None]
    return np.asarray(abnormal[planes, sectors] & shell & tissue.bright)


def _joint_length(tissue: BrightTissue) -> FloatArray:
    """Return how much joint each plane holds: voxels of joint space."""
    space = tissue.ratio.zones.labels_zyx == Zone.JOINT_SPACE.code
    return np.asarray(space.sum(axis=(1, 2)), dtype=np.float64)
