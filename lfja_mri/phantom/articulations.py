"""Where the facet joints lie, and how they are turned and sized."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from lfja_mri.model import FloatArray, Side
from lfja_mri.phantom.numbers import FiveLevels, JointNumbers
from lfja_mri.phantom.skeleton import DiscShape, JointShape
from lfja_mri.phantom.tissue import Frame

Spread = Callable[[FiveLevels], FloatArray]
LEAST_BEHIND_CANAL_MM = -1.0
ANGLE_LIMITS_DEG = (15.0, 70.0)
JITTER_LIMITS = np.array([1.8, 1.6, 2.0, 8.0])  # mm behind, mm lateral, mm caudal, degrees


@dataclass(frozen=True, eq=False)
class JointDraw:
    """What all joints of a person share while they are drawn; `spread` lays five numbers over every disc."""

    numbers: JointNumbers
    spread: Spread
    size: float
    shares: FloatArray  # of their usual size that the joints of each disc have
    worn: Mapping[tuple[str, Side], float]
    rng: np.random.Generator


def draw_joints(
    draw: JointDraw, discs: tuple[DiscShape, ...], canal_depth_mm: FloatArray, indices: range
) -> tuple[JointShape, ...]:
    """Draw both joints behind each of some discs."""
    numbers = draw.numbers
    spreads = {
        "behind": numbers.behind_canal_sd_mm,
        "lateral": numbers.lateral_sd_mm,
        "caudal": numbers.caudal_sd_mm,
        "angle": numbers.angle_sd_deg,
    }
    shared = {name: sd * float(np.clip(draw.rng.normal(), -1.6, 1.6)) for name, sd in spreads.items()}
    joints: list[JointShape] = []
    for index in indices:
        depth = float(canal_depth_mm[index])
        joints.extend(_joint(draw, discs[index], index, side, depth, shared) for side in Side)
    return tuple(joints)


def _joint(
    draw: JointDraw, disc: DiscShape, index: int, side: Side, canal_depth: float, shared: dict[str, float]
) -> JointShape:
    numbers, rng = draw.numbers, draw.rng
    worn = draw.worn.get((disc.name, side), 0.2)

    def at(five: FiveLevels) -> float:
        return float(draw.spread(five)[index])

    jitter = np.clip(rng.normal(0, [0.9, 0.8, 1.0, numbers.tropism_sd_deg]), -JITTER_LIMITS, JITTER_LIMITS)
    scale = (
        draw.size
        * float(draw.shares[index])
        * float(np.clip(rng.normal(1, numbers.size_sd_share), 0.85, 1.15))
    )
    behind = disc.half_depth_mm + 0.5 * canal_depth
    behind += max(at(numbers.behind_canal_mm) + shared["behind"] + jitter[0], LEAST_BEHIND_CANAL_MM)
    lateral = at(numbers.lateral_mm) * draw.size + shared["lateral"] + jitter[1] + 1.2 * worn
    caudal = at(numbers.caudal_mm) + shared["caudal"] + jitter[2]
    angle = float(np.clip(at(numbers.angle_deg) + shared["angle"] + jitter[3], *ANGLE_LIMITS_DEG))
    sign = side.lateral_sign
    origin = disc.frame.to_lps(np.array([-behind, sign * lateral, -caudal]))
    axes = _joint_axes(disc.frame.axes, sign, angle, at(numbers.nod_deg))
    return JointShape(
        level=disc.name,
        side=side,
        disc=index,
        frame=Frame(origin, axes),
        length_mm=at(numbers.length_mm) * scale * (1 + 0.12 * worn),
        height_mm=at(numbers.height_mm) * scale,
        curvature_radius_mm=at(numbers.curvature_radius_mm) * scale,
        cartilage_mm=numbers.cartilage_mm * (1 - 0.45 * worn),
        process_thickness_mm=at(numbers.process_thickness_mm) * scale * (1 + 0.3 * worn),
        capsule_mm=numbers.capsule_mm,
        arthropathy=worn,
        angle_deg=angle,
    )


def _joint_axes(disc_axes: FloatArray, sign: int, angle_deg: float, nod_deg: float) -> FloatArray:
    """(along, normal, cranial) of a joint: along runs from the anteromedial to the posterolateral tip."""
    anterior, left, up = disc_axes
    cos, sin = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
    along = -cos * anterior + sign * sin * left
    flat_normal = sin * anterior + sign * cos * left
    nod_cos, nod_sin = np.cos(np.radians(nod_deg)), np.sin(np.radians(nod_deg))
    normal = nod_cos * flat_normal - nod_sin * up
    cranial = nod_cos * up + nod_sin * flat_normal
    return np.stack([along, normal, cranial])
