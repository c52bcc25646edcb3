"""Rigid motions of LPS space, and the motion half-way along one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from lfja_mri.model import Axes, FloatArray, Joint, JointFrame, Zones


@dataclass(frozen=True, eq=False)
class Rigid:
    """p -> rotation @ p + shift_mm; `rotation` is 3x3 and proper."""

    rotation: FloatArray
    shift_mm: FloatArray

    def apply(self, points_lps_mm: FloatArray) -> FloatArray:
        """Move points, shape (..., 3)."""
        return np.asarray(points_lps_mm, dtype=np.float64) @ self.rotation.T + self.shift_mm

    def turn(self, vectors: FloatArray) -> FloatArray:
        """Turn directions, shape (..., 3)."""
        return np.asarray(vectors, dtype=np.float64) @ self.rotation.T

    def after(self, first: Rigid) -> Rigid:
        """Return the motion that does `first`, then this one."""
        return Rigid(self.rotation @ first.rotation, self.rotation @ first.shift_mm + self.shift_mm)

    @property
    def inverse(self) -> Rigid:
        """The motion back."""
        return Rigid(self.rotation.T, -self.rotation.T @ self.shift_mm)

    @property
    def half(self) -> Rigid:
        """The motion that, done twice, is this one; the inverse's half is this half's inverse."""
        rotation = Rotation.from_rotvec(Rotation.from_matrix(self.rotation).as_rotvec() / 2).as_matrix()
        return Rigid(rotation, np.linalg.solve(np.eye(3) + rotation, self.shift_mm))

    @property
    def matrix(self) -> FloatArray:
        """4x4."""
        result = np.eye(4)
        result[:3, :3], result[:3, 3] = self.rotation, self.shift_mm
        return result

    @property
    def angle_deg(self) -> float:
        """How far it turns."""
        return float(np.degrees(np.linalg.norm(Rotation.from_matrix(self.rotation).as_rotvec())))


def small_motion(parameters: FloatArray, centre_lps_mm: FloatArray) -> Rigid:
    """Return the motion of (rotation vector in rad, shift in mm), shape (6,), turning about a centre."""
    rotation = Rotation.from_rotvec(parameters[:3]).as_matrix()
    return Rigid(rotation, centre_lps_mm - rotation @ centre_lps_mm + parameters[3:])


def between_frames(
    first: FloatArray, first_centre_mm: FloatArray, second: FloatArray, second_centre_mm: FloatArray
) -> Rigid:
    """Return the motion that takes one frame to another; frames are orthonormal axes as rows, shape (3, 3)."""
    rotation = second.T @ first
    return Rigid(rotation, second_centre_mm - rotation @ first_centre_mm)


def disc_frame(axes: Axes) -> FloatArray:
    """Return (anterior, left, cranial) as orthonormal rows."""
    return _orthonormal(np.stack([axes.anterior, axes.left, axes.cranial]))


def joint_axes(frame: JointFrame) -> FloatArray:
    """Return (normal, along, cranial) as orthonormal rows; of a left joint they are left-handed."""
    return _orthonormal(np.stack([frame.normal_lps, frame.along_lps, frame.cranial_lps]))


def mean_axes(first: FloatArray, second: FloatArray) -> FloatArray:
    """Return the frame half-way between two of the same handedness; the same either way round."""
    return _orthonormal(first + second)


def move_joint(joint: Joint, motion: Rigid) -> Joint:
    """Carry a joint with its zones to another place; series shifts and coverage do not travel with it."""
    frame = joint.frame
    moved = JointFrame(
        level=frame.level,
        side=frame.side,
        centre_lps_mm=motion.apply(frame.centre_lps_mm),
        normal_lps=motion.turn(frame.normal_lps),
        along_lps=motion.turn(frame.along_lps),
        cranial_lps=motion.turn(frame.cranial_lps),
        length_mm=frame.length_mm,
        height_mm=frame.height_mm,
        gap_mm=frame.gap_mm,
        joint_line_lps_mm=motion.apply(frame.joint_line_lps_mm),
        angle_deg=frame.angle_deg,
        uncertainty_mm=frame.uncertainty_mm,
        confidence=frame.confidence,
        flags=frame.flags,
    )
    zones = joint.zones
    affine = motion.matrix @ zones.voxel_to_lps
    return Joint(moved, Zones(zones.labels_zyx, zones.sectors_zyx, affine, zones.sector_count))


def _orthonormal(rows: FloatArray) -> FloatArray:
    """Return the orthonormal rows nearest to those given, with their handedness."""
    left, _, right = np.linalg.svd(rows)
    nearest: FloatArray = left @ right
    return nearest
