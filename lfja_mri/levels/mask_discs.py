"""Discs and canal in another tool's mask: from their own labels, else from the gap between two bodies."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from lfja_mri.geometry import unit
from lfja_mri.levels.canal import CanalLine, line_through
from lfja_mri.levels.frames import disc_frame
from lfja_mri.levels.mask_files import Mask, MaskSet
from lfja_mri.levels.schemes import SPINEPS_CANAL, LabelTable, level_below
from lfja_mri.model import Disc, FloatArray, Level
from lfja_mri.settings.levels import LevelsSettings

CANAL_BEHIND_DISC_MM = 8.0


def disc_clouds(mask: Mask, table: LabelTable) -> dict[Level, FloatArray]:
    """Points of every lumbar disc, cranial first: from disc labels, else from the gap between bodies."""
    present = set(np.unique(mask.labels).tolist())
    lowest = max((n for n in table.vertebrae if table.vertebrae[n] in present), default=5)
    lowest = lowest if lowest in {4, 5, 6} and _sacrum_below(table, present) else max(lowest, 5)
    out: dict[Level, FloatArray] = {}
    for n in range(1, lowest + 1):
        points = _disc_points(mask, table, n, lowest, present)
        if points is not None and len(points) * mask.voxel_mm3 > 100.0:
            out[level_below(n, lowest)] = points
    return out


def _sacrum_below(table: LabelTable, present: set[int]) -> bool:
    """Tell whether the count down to the sacrum can be trusted: the sacrum or its disc is labelled."""
    return bool(present & {*table.sacrum, table.lowest_disc or -1}) or not table.sacrum


def _disc_points(mask: Mask, table: LabelTable, n: int, lowest: int, present: set[int]) -> FloatArray | None:
    if n == lowest and table.lowest_disc in present and table.lowest_disc is not None:
        return mask.points(table.lowest_disc)
    if table.discs.get(n, -1) in present:
        return mask.points(table.discs[n])
    below = (table.vertebrae.get(n + 1, -1),) if n < lowest else table.sacrum
    if table.vertebrae.get(n, -1) not in present or not present & set(below):
        return None
    return gap_points(body_points(mask, (table.vertebrae[n],)), body_points(mask, below))


def body_points(mask: Mask, labels: tuple[int, ...]) -> FloatArray:
    """Points of the vertebral body near the midline: the front part of the whole vertebra's middle slab."""
    points = mask.points(*labels)
    middle = float(np.median(points[:, 0]))
    slab = np.abs(points[:, 0] - middle) <= max(6.0, 0.6 * mask.lateral_pitch_mm)
    near = points[slab]
    cells = np.floor((near[:, 1:] - near[:, 1:].min(axis=0)) / 2.5).astype(int)
    grid = np.zeros(cells.max(axis=0) + 1, bool)
    grid[cells[:, 0], cells[:, 1]] = True
    parts, _ = ndimage.label(grid)
    of_point = parts[cells[:, 0], cells[:, 1]]
    sizes = np.bincount(of_point)
    large = [part for part in range(1, len(sizes)) if sizes[part] > 0.25 * sizes.max()]
    front = min(large, key=lambda part: float(near[of_point == part, 1].mean()))
    return np.asarray(near[of_point == front])


def gap_points(upper: FloatArray, lower: FloatArray) -> FloatArray:
    """Fill the gap between two bodies: straight lines from the lower face of one to the upper face of the other."""
    axis = unit(lower.mean(axis=0) - upper.mean(axis=0))
    top, bottom = _face(upper, axis), _face(lower, -axis)
    count = min(len(top), len(bottom))
    top = top[np.linspace(0, len(top) - 1, count).astype(int)]
    bottom = bottom[np.linspace(0, len(bottom) - 1, count).astype(int)]
    share = np.linspace(0, 1, 7)[:, None, None]
    return np.asarray(top + share * (bottom - top)).reshape(-1, 3)


def _face(points: FloatArray, outward: FloatArray) -> FloatArray:
    """Outermost point of every 2 mm column from front to back."""
    forward = unit(np.cross(np.array([1.0, 0.0, 0.0]), outward))
    bins = np.round(points @ forward / 2.0).astype(int)
    height = points @ outward
    picked = []
    for value in np.unique(bins):
        column = np.flatnonzero(bins == value)
        picked.append(points[column[int(np.argmax(height[column]))]])
    faces = np.array(picked)
    faces[:, 0] = points[:, 0].mean()
    return faces


def canal_of(masks: MaskSet, table: LabelTable, clouds: dict[Level, FloatArray]) -> CanalLine:
    """Centre line of the labelled canal, or a line behind the discs where none is labelled."""
    source, labels = (
        (masks.parts, SPINEPS_CANAL) if masks.parts is not None else (masks.vertebrae, table.canal)
    )
    points = source.points(*labels) if labels else np.zeros((0, 3))
    if len(points) * source.voxel_mm3 > 2000.0:
        return line_through(_line(points))
    centres = np.array([cloud.mean(axis=0) for cloud in clouds.values()])
    half = np.array([np.ptp(cloud[:, 1]) / 2 for cloud in clouds.values()])
    centres[:, 1] += half + CANAL_BEHIND_DISC_MM
    steps = np.linspace(0, len(centres) - 1, 5 * len(centres))
    line = np.stack(
        [np.interp(steps, np.arange(len(centres)), centres[:, axis]) for axis in range(3)], axis=1
    )
    return line_through(line if len(line) > 1 and len(centres) > 1 else _upright(centres[0]))


def _upright(point: FloatArray) -> FloatArray:
    return point + np.array([[0.0, 0.0, 20.0], [0.0, 0.0, 0.0], [0.0, 0.0, -20.0]])


def _line(points: FloatArray) -> FloatArray:
    """Centroid of every 2 mm of height, head first, smoothed."""
    bins = np.round(-points[:, 2] / 2.0).astype(int)
    values = np.unique(bins)
    centres = np.array([points[bins == value].mean(axis=0) for value in values])
    return np.asarray(ndimage.gaussian_filter1d(centres, 2.0, axis=0, mode="nearest"))


def measure(level: Level, points: FloatArray, mask: Mask, canal: CanalLine, settings: LevelsSettings) -> Disc:
    """Frame of one labelled disc."""
    near = canal.nearest(points.mean(axis=0))
    frame = disc_frame(
        points,
        np.ones(len(points)),
        mask.lateral_pitch_mm,
        canal.tangents[near],
        float(canal.points_lps_mm[near, 0]),
        settings,
    )
    return Disc(
        level,
        frame.centre_lps_mm,
        frame.axes,
        frame.depth_mm,
        frame.width_mm,
        frame.height_mm,
        settings.external_mask_confidence,
    )
