"""From the arcs that each slice chose to one joint: how high it sits, and its line from tip to tip at that height.

The final line may leave its arc a little, smoothly (dynamic programming over the evidence), and is cut where the
evidence ends: the arcs' length is only the prior's.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from lfja_mri.config import RefineSettings
from lfja_mri.facets import cuts as cut_grid
from lfja_mri.facets.cuts import Cut
from lfja_mri.facets.evidence import PIXEL_MM, direction_index
from lfja_mri.facets.frames import LINE_POINTS, JointShape, arc_points
from lfja_mri.facets.search import Arc, SideSearch
from lfja_mri.model import FloatArray

STEP_MM = 0.5
SIDEWAYS_MM = 0.6
HEIGHT_CANDIDATES_MM = np.arange(-6.0, 6.01, 0.5)


def joint_height_mm(
    search: SideSearch, arcs: tuple[Arc, ...], shape: JointShape, settings: RefineSettings
) -> float:
    """Return how far above its expected place the middle of a joint lies.

    A box of the joint's height slides over the slices' scores; slices beyond the stack's ends say nothing.
    """
    heights = np.array([cut.height_mm for cut in search.cuts])
    excess = np.array([arc.score for arc in arcs]) - settings.present_score
    pitch = float(np.median(np.diff(heights))) if len(heights) > 1 else shape.height_mm
    distance = np.abs(heights[None, :] - HEIGHT_CANDIDATES_MM[:, None])
    inside = 1.0 / (1.0 + np.exp((distance - 0.5 * shape.height_mm) / (0.4 * pitch)))
    gain = settings.height_gain * pitch / shape.height_mm * (inside @ excess)
    prior = -0.5 * (HEIGHT_CANDIDATES_MM / settings.height_sd_mm) ** 2
    return float(HEIGHT_CANDIDATES_MM[int(np.argmax(gain + prior))])


def joint_line(
    height_mm: float,
    search: SideSearch,
    arcs: tuple[Arc, ...],
    shape: JointShape,
    settings: RefineSettings,
) -> FloatArray:
    """Return the joint line at a height, anteromedial tip first, LPS mm, shape (LINE_POINTS, 3)."""
    lower, upper, share = _neighbours(height_mm, search.cuts)
    runs = [_Run(search, arcs, at, shape, settings) for at in range(len(arcs))]
    evidence = (1.0 - share) * runs[lower].evidence() + share * runs[upper].evidence()
    sideways = _smooth_path(evidence, settings)
    around = [run for run in runs if abs(run.cut.height_mm - height_mm) <= 0.35 * shape.height_mm]
    along = np.mean([run.best_near(sideways) for run in around or [runs[lower]]], axis=0)
    outwards = (1.0 - share) * runs[lower].points[:, 0] + share * runs[upper].points[:, 0]
    first, last = _tips(np.where(outwards < settings.tip_least_lateral_mm, -1.0, along), shape, settings)
    offsets = sideways[first : last + 1]
    lines = [runs[at].lps(offsets, first, last) for at in (lower, upper)]
    return _resampled((1.0 - share) * lines[0] + share * lines[1])


class _Run:
    """One slice's arc, run on past its tips, with the evidence beside it."""

    def __init__(
        self,
        search: SideSearch,
        arcs: tuple[Arc, ...],
        at: int,
        shape: JointShape,
        settings: RefineSettings,
    ) -> None:
        self.cut = search.cuts[at]
        arc, maps = arcs[at], search.evidence[at]
        count = 2 * round((0.5 * shape.length_mm + settings.tip_freedom_mm) / STEP_MM) + 1
        length = (count - 1) * STEP_MM
        bend = arc.bend_deg * length / shape.length_mm
        points, tangents = arc_points(arc.angle_deg, bend, length, count)
        own, _ = arc_points(arc.angle_deg, arc.bend_deg, shape.length_mm)
        middle = np.array([arc.outwards_mm, arc.backwards_mm]) + own[len(own) // 2]
        self.points = points - points[count // 2] + middle
        turned = np.deg2rad(tangents)
        self.normals = np.stack([np.cos(turned), -np.sin(turned)], axis=-1)
        self._maps, self._directions = maps, direction_index(tangents)
        self._sideways = _sideways_mm(settings)

    def evidence(self) -> FloatArray:
        """Return the evidence at (point, sideways offset)."""
        places = self.points[:, None] + self._sideways[None, :, None] * self.normals[:, None]
        column = (places[..., 0] - cut_grid.INNER_MM) / PIXEL_MM
        row = (places[..., 1] + cut_grid.DEPTH_MM) / PIXEL_MM
        direction = np.broadcast_to(self._directions[:, None], row.shape)
        values = ndimage.map_coordinates(self._maps, [direction, row, column], order=1, mode="nearest")
        return np.asarray(values, dtype=np.float64)

    def best_near(self, sideways_mm: FloatArray) -> FloatArray:
        """Return the best evidence within one step beside a path, at each point."""
        near = np.abs(self._sideways[None, :] - sideways_mm[:, None]) <= SIDEWAYS_MM + 1e-6
        return np.max(np.where(near, self.evidence(), -np.inf), axis=1)

    def lps(self, sideways_mm: FloatArray, first: int, last: int) -> FloatArray:
        """Return a stretch of the path in LPS mm."""
        chosen = slice(first, last + 1)
        return self.cut.to_lps(self.points[chosen] + sideways_mm[:, None] * self.normals[chosen])


def _sideways_mm(settings: RefineSettings) -> FloatArray:
    reach = round(settings.line_freedom_mm / SIDEWAYS_MM)
    return np.asarray(np.arange(-reach, reach + 1) * SIDEWAYS_MM)


def _neighbours(height_mm: float, cuts: tuple[Cut, ...]) -> tuple[int, int, float]:
    """Return the slices below and above a height, and the share of the upper one."""
    heights = np.array([cut.height_mm for cut in cuts])
    if len(heights) == 1:
        return 0, 0, 0.0
    upper = int(np.clip(np.searchsorted(heights, height_mm), 1, len(heights) - 1))
    share = (height_mm - heights[upper - 1]) / (heights[upper] - heights[upper - 1])
    return upper - 1, upper, float(np.clip(share, 0.0, 1.0))


def _smooth_path(evidence: FloatArray, settings: RefineSettings) -> FloatArray:
    """Return the sideways offset in mm at each point of the path with most evidence that bends little."""
    offsets = _sideways_mm(settings)
    step_cost = settings.line_stiffness * (offsets[:, None] - offsets[None, :]) ** 2
    total = evidence[0] - settings.line_pull * offsets**2
    came_from = []
    for values in evidence[1:]:
        paths = total[None, :] - step_cost
        came_from.append(np.argmax(paths, axis=1))
        total = np.max(paths, axis=1) + values - settings.line_pull * offsets**2
    at = int(np.argmax(total))
    path = [at]
    for back in reversed(came_from):
        at = int(back[at])
        path.append(at)
    return ndimage.gaussian_filter1d(offsets[path[::-1]], 1.5, mode="nearest")


def _tips(along: FloatArray, shape: JointShape, settings: RefineSettings) -> tuple[int, int]:
    """Return the first and last point of the joint: the stretch with most evidence whose length is plausible."""
    count = len(along)
    gained = np.concatenate([[0.0], np.cumsum(along - settings.tip_score)]) * STEP_MM
    first, last = np.indices((count, count))
    length = (last - first) * STEP_MM
    moved = (0.5 * (first + last) - 0.5 * (count - 1)) * STEP_MM
    plausible = -0.5 * ((length - shape.length_mm) / settings.length_sd_mm) ** 2
    plausible = plausible - 0.5 * (moved / settings.tip_freedom_mm) ** 2
    worth = settings.tip_gain * (gained[last + 1] - gained[first]) + plausible
    worth = np.where(length >= 0.5 * shape.length_mm, worth, -np.inf)
    best = np.unravel_index(int(np.argmax(worth)), worth.shape)
    return int(best[0]), int(best[1])


def _resampled(line: FloatArray) -> FloatArray:
    """Return a polyline at evenly spaced points."""
    passed = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    even = np.linspace(0.0, passed[-1], LINE_POINTS)
    return np.stack([np.interp(even, passed, line[:, axis]) for axis in range(3)], axis=-1)
