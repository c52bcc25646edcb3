"""Distances to a curved joint line, looked up quickly: how far across, how far past a tip, where along the perimeter.

Everything is in the joint's own plane cut: first coordinate along the joint (anteromedial to posterolateral), second
across it (towards the superior process). The joint's surface is this line carried along the joint's cranial axis.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lfja_mri.model import FloatArray, JointFrame

REACH_MM = 36.0
STEP_MM = 0.4


@dataclass(frozen=True, eq=False)
class LineProfile:
    """Tables over the cut, indexed by `index`.

    Parameters
    ----------
    across_mm
        Signed distance to the joint line within its tips, and to the line's end normals beyond them; positive on the
        side of the superior process.
    beyond_mm
        Distance past the nearer tip along the line's own direction, 0 between the tips.
    nearest_mm
        Plain distance to the joint line.
    along_share
        0 at the anteromedial tip, 1 at the posterolateral tip.
    perimeter_share
        0-1 once around the line at an even pace, from the anteromedial tip along the superior process.
    """

    across_mm: FloatArray
    beyond_mm: FloatArray
    nearest_mm: FloatArray
    along_share: FloatArray
    perimeter_share: FloatArray

    @staticmethod
    def index(along_mm: FloatArray, normal_mm: FloatArray) -> npt.NDArray[np.intp]:
        """Return the flat table index of positions in the cut."""
        size = _table_size()
        column = np.clip(np.rint((along_mm + REACH_MM) / STEP_MM), 0, size - 1)
        row = np.clip(np.rint((normal_mm + REACH_MM) / STEP_MM), 0, size - 1)
        return (row * size + column).astype(np.intp)


def line_profile(frame: JointFrame, shell_mm: float) -> LineProfile:
    """Tabulate the distances to a joint's line; `shell_mm` is the radius at which the perimeter is paced."""
    line = cut_line(frame)
    axis = np.arange(_table_size()) * STEP_MM - REACH_MM
    normal, along = (grid.ravel() for grid in np.meshgrid(axis, axis, indexing="ij"))
    return _profile(line, np.stack([along, normal], axis=-1), shell_mm)


def cut_line(frame: JointFrame) -> FloatArray:
    """Return the joint line in the cut, (along, across) mm from the centre, shape (N, 2)."""
    offsets = frame.joint_line_lps_mm - frame.centre_lps_mm
    return np.stack([offsets @ frame.along_lps, offsets @ frame.normal_lps], axis=-1)


def _table_size() -> int:
    return round(2 * REACH_MM / STEP_MM) + 1


def _profile(line: FloatArray, points: FloatArray, shell_mm: float) -> LineProfile:
    """Project points on every segment and keep the nearest; see `LineProfile`."""
    start, step = line[:-1], np.diff(line, axis=0)
    lengths = np.linalg.norm(step, axis=1)
    tangent = step / lengths[:, None]
    passed = np.concatenate([[0.0], np.cumsum(lengths)])
    best_mm = np.full(len(points), np.inf)
    across, along = np.zeros(len(points)), np.zeros(len(points))
    for segment in range(len(start)):
        offset = points - start[segment]
        raw = offset @ tangent[segment]
        inside = np.clip(raw, 0.0, lengths[segment])
        left_hand = offset[:, 1] * tangent[segment, 0] - offset[:, 0] * tangent[segment, 1]
        distance = np.hypot(left_hand, raw - inside)
        nearer = distance < best_mm - 1e-9
        np.copyto(best_mm, distance, where=nearer)
        np.copyto(across, left_hand, where=nearer)
        np.copyto(along, passed[segment] + _open_ends(raw, inside, segment, len(start)), where=nearer)
    total = passed[-1]
    beyond = np.maximum(-along, along - total)
    return LineProfile(
        across_mm=np.where(beyond > 0, across, np.copysign(best_mm, across)),
        beyond_mm=np.maximum(beyond, 0.0),
        nearest_mm=best_mm,
        along_share=np.clip(along / total, 0.0, 1.0),
        perimeter_share=_perimeter_share(across, along, total, shell_mm),
    )


def _open_ends(raw: FloatArray, inside: FloatArray, segment: int, count: int) -> FloatArray:
    """Let the position along the line run on past its two tips."""
    below = np.minimum(raw, inside) if segment == 0 else inside
    return np.maximum(raw, below) if segment == count - 1 else below


def _perimeter_share(across: FloatArray, along: FloatArray, total: float, shell_mm: float) -> FloatArray:
    """Pace once around the line at a radius: quarter turn, superior side, half turn, inferior side, quarter turn."""
    quarter = 0.5 * np.pi * shell_mm
    start_turn = shell_mm * np.arctan2(np.abs(across), np.maximum(-along, 1e-9))
    end_turn = shell_mm * np.arctan2(np.maximum(along - total, 0.0), np.abs(across) + 1e-9)
    one_side = np.where(
        along < 0,
        start_turn,
        np.where(along > total, quarter + total + end_turn, quarter + np.clip(along, 0.0, total)),
    )
    whole = 2.0 * (2.0 * quarter + total)
    walked = np.where(across >= 0, one_side, whole - one_side)
    return np.clip(walked / whole, 0.0, 1.0 - 1e-9)
