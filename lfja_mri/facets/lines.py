"""From the arcs that each slice chose to one joint's line, from tip to tip, at the height of its middle.

The final line may leave its arc a little, smoothly (dynamic programming over the evidence), and is cut where the
evidence ends: the arcs' length is only the prior's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from lfja_mri.facets import cuts as cut_grid
from lfja_mri.facets.evidence import PIXEL_MM, direction_index
from lfja_mri.facets.extent import Sheet
from lfja_mri.facets.frames import LINE_POINTS, JointShape, arc_points
from lfja_mri.facets.search import Arc, SideSearch
from lfja_mri.model import BoolArray, FloatArray
from lfja_mri.settings.facets import RefineSettings

STEP_MM = 0.5
SIDEWAYS_MM = 0.6
ACROSS_MM = np.arange(-4.0, 4.01, 0.4)


@dataclass(frozen=True, eq=False)
class SeenLine:
    """A joint's line as every slice shows it, run on past its tips; `sideways_mm` is its path beside the arcs."""

    runs: tuple[Run, ...]
    sideways_mm: FloatArray
    sheet: Sheet

    def between(self, height_mm: float, along_mm: float, length_mm: float) -> FloatArray:
        """Return the line at a height from tip to tip, anteromedial first, LPS mm, shape (LINE_POINTS, 3).

        Parameters
        ----------
        along_mm
            Of the middle between the tips, from the middle of the arc.
        """
        lower, upper, share = _neighbours(height_mm, [run.cut.height_mm for run in self.runs])
        first, last = _between(self.sheet.along_mm, along_mm, length_mm)
        offsets = self.sideways_mm[first : last + 1]
        lines = [self.runs[at].lps(offsets, first, last) for at in (lower, upper)]
        return _resampled((1.0 - share) * lines[0] + share * lines[1])


def see_line(
    height_mm: float,
    search: SideSearch,
    arcs: tuple[Arc, ...],
    shape: JointShape,
    settings: RefineSettings,
) -> SeenLine:
    """Follow a joint's line through all slices by the evidence at a height."""
    lower, upper, share = _neighbours(height_mm, [cut.height_mm for cut in search.cuts])
    runs = tuple(Run(search, arcs, at, shape, settings) for at in range(len(arcs)))
    evidence = (1.0 - share) * runs[lower].evidence() + share * runs[upper].evidence()
    sideways = _smooth_path(evidence, settings)
    outwards = (1.0 - share) * runs[lower].points[:, 0] + share * runs[upper].points[:, 0]
    return SeenLine(
        runs, sideways, _sheet(height_mm, runs, sideways, outwards < settings.tip_least_lateral_mm)
    )


def _sheet(height_mm: float, runs: tuple[Run, ...], sideways_mm: FloatArray, canal: BoolArray) -> Sheet:
    """Return what the slices show along their lines; places that lie in the canal show nothing."""
    count = len(sideways_mm)
    seen = np.stack([run.best_near(sideways_mm) for run in runs])
    profiles = np.stack([run.profiles(sideways_mm) for run in runs])
    return Sheet(
        heights_mm=np.array([run.cut.height_mm for run in runs]) - height_mm,
        along_mm=np.asarray((np.arange(count) - 0.5 * (count - 1)) * STEP_MM, dtype=np.float64),
        evidence=np.where(canal, -1.0, seen),
        profiles=np.where(canal[:, None], profiles[..., :1], profiles),
        across_mm=ACROSS_MM,
    )


def _between(along_mm: FloatArray, middle_mm: float, length_mm: float) -> tuple[int, int]:
    """Return the first and last place of a stretch."""
    inside = np.flatnonzero(np.abs(along_mm - middle_mm) <= 0.5 * length_mm + 0.5 * STEP_MM)
    return int(inside[0]), int(inside[-1])


class Run:
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

    def profiles(self, sideways_mm: FloatArray) -> FloatArray:
        """Return the signal across a path, shape (points, offsets of `ACROSS_MM`)."""
        path = self.points + sideways_mm[:, None] * self.normals
        places = path[:, None] + ACROSS_MM[None, :, None] * self.normals[:, None]
        column = (places[..., 0] - cut_grid.INNER_MM) / PIXEL_MM
        row = (places[..., 1] + cut_grid.DEPTH_MM) / PIXEL_MM
        values = ndimage.map_coordinates(self.cut.patch, [row, column], order=1, mode="nearest")
        return np.asarray(values, dtype=np.float64)

    def lps(self, sideways_mm: FloatArray, first: int, last: int) -> FloatArray:
        """Return a stretch of the path in LPS mm."""
        chosen = slice(first, last + 1)
        return self.cut.to_lps(self.points[chosen] + sideways_mm[:, None] * self.normals[chosen])


def _sideways_mm(settings: RefineSettings) -> FloatArray:
    reach = round(settings.line_freedom_mm / SIDEWAYS_MM)
    return np.asarray(np.arange(-reach, reach + 1) * SIDEWAYS_MM)


def _neighbours(height_mm: float, slices_mm: list[float]) -> tuple[int, int, float]:
    """Return the slices below and above a height, and the share of the upper one."""
    heights = np.array(slices_mm)
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


def _resampled(line: FloatArray) -> FloatArray:
    """Return a polyline at evenly spaced points."""
    passed = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    even = np.linspace(0.0, passed[-1], LINE_POINTS)
    return np.stack([np.interp(even, passed, line[:, axis]) for axis in range(3)], axis=-1)
