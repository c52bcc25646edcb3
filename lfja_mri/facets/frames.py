"""How the numbers that describe a joint (place, angle, bend, size) become its frame in the patient's space.

Vocabulary: a *site* is one side of one level, with the disc's axes; *offsets* are (anterior, left, cranial) mm from the
disc's centre along those axes. The joint line is an arc in the disc's plane: it leaves the anteromedial tip turned
towards the coronal plane and ends turned towards the sagittal one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from lfja_mri import geometry
from lfja_mri.model import Axes, Disc, FloatArray, JointFrame, Level, Side

LINE_POINTS = 17


@dataclass(frozen=True, eq=False)
class Site:
    """One side of one level.

    Parameters
    ----------
    disc
        The disc of the level; `axes` are its axes with `left` pointing to the patient's left.
    canal_offset_mm
        (anterior, left, cranial) of the canal's middle in the disc's plane.
    depth_scale, width_scale
        How much deeper and wider this person's discs are than those that the prior belongs to.
    """

    level: Level
    side: Side
    disc: Disc
    axes: Axes
    canal_offset_mm: FloatArray
    depth_scale: float
    width_scale: float

    def to_lps(self, offsets_mm: FloatArray) -> FloatArray:
        """Turn (anterior, left, cranial) offsets from the disc's centre, shape (..., 3), into LPS mm."""
        return self.disc.centre_lps_mm + self.axes.to_lps(offsets_mm)

    def moved(self, shift_lps_mm: FloatArray) -> Site:
        """Return the site as another image shows it, its disc shifted."""
        disc = replace(self.disc, centre_lps_mm=self.disc.centre_lps_mm + shift_lps_mm)
        return replace(self, disc=disc)

    def from_lps(self, points_lps_mm: FloatArray) -> FloatArray:
        """Turn LPS mm, shape (..., 3), into (anterior, left, cranial) offsets from the disc's centre."""
        return self.axes.from_lps(points_lps_mm - self.disc.centre_lps_mm)


@dataclass(frozen=True)
class JointShape:
    """A joint in its site: offsets in mm from the disc's centre and the midline, size, and how its line runs.

    `lateral_mm` counts from the midline outwards on either side; `behind_mm` from the disc's centre backwards.
    """

    behind_mm: float
    lateral_mm: float
    cranial_mm: float
    angle_deg: float
    bend_deg: float
    length_mm: float
    height_mm: float
    gap_mm: float
    normal_cranial: float


def arc_points(
    angle_deg: float, bend_deg: float, length_mm: float, count: int = LINE_POINTS
) -> tuple[FloatArray, FloatArray]:
    """Return the arc of a joint line about its mean point.

    Parameters
    ----------
    angle_deg
        Of the chord to the sagittal plane.
    bend_deg
        How far the tangent turns from the anteromedial tip (more coronal) to the posterolateral one.
    length_mm
        Along the arc.

    Returns
    -------
    (lateral, backward) mm of `count` points and the tangent's angle in degrees at each, shapes (count, 2), (count,).
    """
    steps = np.linspace(-0.5, 0.5, count)
    tangent_deg = angle_deg - bend_deg * steps
    middle = np.deg2rad(0.5 * (tangent_deg[1:] + tangent_deg[:-1]))
    pieces = np.stack([np.sin(middle), np.cos(middle)], axis=-1) * length_mm / (count - 1)
    points = np.vstack([np.zeros(2), np.cumsum(pieces, axis=0)])
    return points - points.mean(axis=0), tangent_deg


def shape_line_lps(site: Site, shape: JointShape) -> FloatArray:
    """Return the joint line of a shape as an LPS polyline, anteromedial tip first, shape (LINE_POINTS, 3)."""
    arc, _ = arc_points(shape.angle_deg, shape.bend_deg, shape.length_mm)
    return line_lps(site, arc + np.array([shape.lateral_mm, shape.behind_mm]), shape.cranial_mm)


def line_lps(site: Site, lateral_behind_mm: FloatArray, cranial_mm: float) -> FloatArray:
    """Turn (lateral from the midline, behind the disc) mm, shape (N, 2), at one height into LPS mm."""
    left = site.canal_offset_mm[1] + site.side.lateral_sign * lateral_behind_mm[:, 0]
    cranial = np.full(len(left), cranial_mm)
    return site.to_lps(np.stack([-lateral_behind_mm[:, 1], left, cranial], axis=-1))


def joint_frame(
    site: Site,
    shape: JointShape,
    *,
    uncertainty_mm: float,
    confidence: float,
    line_lps_mm: FloatArray | None = None,
    flags: tuple[str, ...] = (),
) -> JointFrame:
    """Build a frame whose plane stands on the chord of the joint line.

    Parameters
    ----------
    line_lps_mm
        Refined joint line, anteromedial tip first; None uses the arc of `shape`.
    """
    line = shape_line_lps(site, shape) if line_lps_mm is None else line_lps_mm
    angle_deg = line_angle_deg(site, line)
    along, normal, cranial = joint_axes(site, angle_deg, shape.normal_cranial)
    return JointFrame(
        level=site.level,
        side=site.side,
        centre_lps_mm=line.mean(axis=0),
        normal_lps=normal,
        along_lps=along,
        cranial_lps=cranial,
        length_mm=shape.length_mm,
        height_mm=shape.height_mm,
        gap_mm=shape.gap_mm,
        joint_line_lps_mm=line,
        angle_deg=angle_deg,
        uncertainty_mm=uncertainty_mm,
        confidence=confidence,
        flags=flags,
    )


def line_angle_deg(site: Site, line_lps_mm: FloatArray) -> float:
    """Return the axial angle between the mid-sagittal plane and the line through both tips (clinical notes 4.4)."""
    anterior, left, _ = site.axes.from_lps(line_lps_mm[-1] - line_lps_mm[0])
    return float(np.degrees(np.arctan2(site.side.lateral_sign * left, -anterior)))


def joint_axes(
    site: Site, angle_deg: float, normal_cranial: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return (along, normal, cranial) unit vectors in LPS of a joint plane at an axial angle and slope."""
    sine, cosine = np.sin(np.deg2rad(angle_deg)), np.cos(np.deg2rad(angle_deg))
    sign = site.side.lateral_sign
    along = geometry.unit(site.axes.to_lps(np.array([-cosine, sign * sine, 0.0])))
    normal = geometry.unit(site.axes.to_lps(np.array([sine, sign * cosine, normal_cranial])))
    cranial = geometry.perpendicular(geometry.perpendicular(site.axes.cranial, normal), along)
    return along, normal, cranial
