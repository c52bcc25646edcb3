"""The centre line of the spinal canal, from tissue probabilities; in LPS mm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numpy.polynomial import Polynomial
from scipy import ndimage

from lfja_mri.geometry import apply
from lfja_mri.levels.network import SEGMENT_CLASSES, Segmentation, largest_part
from lfja_mri.model import BoolArray, FloatArray

LEAST_CANAL_SHARE = 0.3
LEAST_CANAL_MM3_PER_ROW = 60.0
LEAST_ROWS = 20
COURSE_DEGREE = 3
CENTRAL_SPREAD_MM = 25.0
FULL_DEPTH_MM = 9.0
HALF_WIDTH_MM = 10.0
SIDE_STEP_COST = 15.0
LEAST_S1_MM3 = 1500.0
SACRAL_CANAL_WEIGHT = 0.01


@dataclass(frozen=True, eq=False)
class CanalLine:
    """Centre line of the canal, cranial first: points (N, 3) and unit tangents towards the head."""

    points_lps_mm: FloatArray
    tangents: FloatArray

    def nearest(self, point_lps_mm: FloatArray) -> int:
        """Index of the nearest point of the line, seen in the sagittal plane."""
        away = self.points_lps_mm[:, 1:] - point_lps_mm[1:]
        return int(np.argmin((away**2).sum(axis=1)))


def canal_line(field: Segmentation, smooth_mm: float = 6.0) -> CanalLine | None:
    """Centre line of the canal: the best continuous path down the rows; None where hardly any canal is seen."""
    seen = field.share("canal") * (field.share("canal") > LEAST_CANAL_SHARE)
    share = np.asarray(seen * central_weight(field)[:, None, None], dtype=np.float64)
    pixel_mm = float(np.linalg.norm(field.voxel_to_lps[:3, 1]))
    kept = share
    for _ in range(2):  # the second look down the rows is without the false canal at the sides
        kept = share * near_columns(kept, field)
        kept = share * near_planes(kept.sum(axis=2).T, field)[:, :, None]
    kept = kept * near_columns(kept, field)
    mass = kept.sum(axis=(0, 2))
    rows = np.flatnonzero(mass * field.voxel_mm3 > LEAST_CANAL_MM3_PER_ROW)
    if rows.size < LEAST_ROWS:
        return None
    planes = np.einsum("zyx,z->y", kept, np.arange(share.shape[0]))[rows] / mass[rows]
    across = np.einsum("zyx,x->y", kept, np.arange(share.shape[2]))[rows] / mass[rows]
    every = np.arange(rows[0], rows[-1] + 1)
    sigma = smooth_mm / pixel_mm
    index = np.stack(
        [
            ndimage.gaussian_filter1d(np.interp(every, rows, across), sigma, mode="nearest"),
            every.astype(np.float64),
            lateral_course(rows, planes, mass[rows] * sacral_doubt(field, rows))(every),
        ],
        axis=1,
    )
    return line_through(apply(field.voxel_to_lps, index))


def near_columns(share: FloatArray, field: Segmentation) -> BoolArray:
    """Pixels within a canal's half depth of its path down the rows, seen from the side; shape (rows, columns)."""
    profile = share.sum(axis=0) * (0.1 + bone_in_front(field))
    pixel_mm = float(np.linalg.norm(field.voxel_to_lps[:3, 1]))
    path = best_path(ndimage.gaussian_filter(profile, [0, 3.0 / pixel_mm]))
    return np.asarray(np.abs(np.arange(profile.shape[1])[None, :] - path[:, None]) <= 12.0 / pixel_mm)


def central_weight(field: Segmentation) -> FloatArray:
    """Gentle preference for the middle of the stack: slices far to the side are unlike the training slices."""
    count = field.shares.shape[1]
    away = (np.arange(count) - (count - 1) / 2) * float(np.linalg.norm(field.voxel_to_lps[:3, 2]))
    return np.asarray(np.exp(-0.5 * (away / CENTRAL_SPREAD_MM) ** 2))


def near_planes(mass: FloatArray, field: Segmentation) -> BoolArray:
    """Planes within a canal's half width of the path that canal takes from side to side; shape (planes, rows).

    A plane counts by how steadily canal is seen down its rows, not by how much: false canal at the side comes in lumps.
    """
    row_mm, plane_mm = (float(np.linalg.norm(field.voxel_to_lps[:3, axis])) for axis in (1, 2))
    steady = ndimage.gaussian_filter(
        np.minimum(mass, FULL_DEPTH_MM / row_mm), [15.0 / row_mm, 4.0 / plane_mm]
    )
    path = best_path(steady, reach=1, cost=SIDE_STEP_COST)
    away = np.abs(np.arange(mass.shape[1])[:, None] - path[None, :]) * plane_mm
    return np.asarray(away <= max(HALF_WIDTH_MM, 1.1 * plane_mm))


def sacral_doubt(field: Segmentation, rows: npt.NDArray[np.int64]) -> FloatArray:
    """Weight of each row in the course from side to side: next to none below the middle of S1.

    The network was not taught the sacral canal, and what it takes for it lies to one side as often as not.
    """
    s1 = largest_part(field.share("s1") > 0.5)
    if np.count_nonzero(s1) * field.voxel_mm3 < LEAST_S1_MM3:
        return np.ones(rows.size)
    below = rows > np.median(np.nonzero(s1)[1])
    if np.count_nonzero(~below) < LEAST_ROWS:
        return np.ones(rows.size)
    return np.where(below, SACRAL_CANAL_WEIGHT, 1.0)


def lateral_course(rows: npt.NDArray[np.int64], planes: FloatArray, mass: FloatArray) -> Polynomial:
    """Plane of the canal's middle down the rows as a smooth curve (a scoliosis is one), blind to stray rows."""
    weights = np.sqrt(mass)
    course = Polynomial.fit(rows, planes, COURSE_DEGREE, w=weights)
    for _ in range(4):
        residual = np.abs(planes - course(rows))
        scale = max(float(np.median(residual)) * 3.0, 0.3)
        course = Polynomial.fit(rows, planes, COURSE_DEGREE, w=weights / (1.0 + (residual / scale) ** 2))
    return course


def bone_in_front(field: Segmentation) -> FloatArray:
    """How much of the 10 to 45 mm in front of each pixel is body, disc or sacrum: 0-1, shape (rows, columns)."""
    bone = np.max([field.share(name) for name in (*SEGMENT_CLASSES, "disc")], axis=0).max(axis=0)
    pixel_mm = float(np.linalg.norm(field.voxel_to_lps[:3, 0]))
    near, far = round(10 / pixel_mm), round(45 / pixel_mm)
    total = np.cumsum(np.pad(bone, ((0, 0), (far, 0))), axis=1)
    width = bone.shape[1]
    return np.asarray((total[:, far - near : far - near + width] - total[:, :width]) / (far - near))


def best_path(profile: FloatArray, reach: int = 2, cost: float = 0.05) -> npt.NDArray[np.int64]:
    """Column per row of the path with the largest sum that moves at most `reach` columns a row, each at a cost."""
    best = np.array(profile, dtype=np.float64)
    step = np.zeros(profile.shape, dtype=np.int64)
    costs = cost * np.abs(np.arange(-reach, reach + 1.0))[:, None]
    padded = np.full(best.shape[1] + 2 * reach, -np.inf)
    moved = np.lib.stride_tricks.sliding_window_view(padded, best.shape[1])
    for row in range(1, len(best)):
        padded[reach : reach + best.shape[1]] = best[row - 1]
        choices = moved - costs
        step[row] = np.argmax(choices, axis=0) - reach
        best[row] += choices.max(axis=0)
    path = np.zeros(len(best), dtype=np.int64)
    path[-1] = int(np.argmax(best[-1]))
    for row in range(len(best) - 1, 0, -1):
        path[row - 1] = path[row] + step[row, path[row]]
    return path


def line_through(points_lps_mm: FloatArray) -> CanalLine:
    """Line with tangents, from points that run from the head down."""
    steps = np.gradient(points_lps_mm, axis=0)
    tangents = -steps / np.linalg.norm(steps, axis=1, keepdims=True)
    return CanalLine(points_lps_mm, tangents)
