"""One person: the shape of a lumbar spine, drawn from the ranges of `anatomy.toml`.

All draws come first and posture afterwards, so that a follow-up visit is the same person in another position.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from lfja_mri.model import (
    LEVELS_WITH_L6,
    LEVELS_WITHOUT_L5,
    STANDARD_LEVELS,
    FloatArray,
    Level,
    Side,
)
from lfja_mri.phantom.recipe import AnatomyNumbers, FiveLevels
from lfja_mri.phantom.tissue import Frame

UPPER_DISCS = ("T10-T11", "T11-T12", "T12-L1")
UPPER_TILT_STEP_DEG = 5.0
SACRAL_DISCS = ("S1-S2", "S2-S3")
SACRAL_TILT_STEP_DEG = 12.0
LUMBAR_COUNT = {"standard": 5, "l6": 6, "four_lumbar": 4, "sacralised": 5, "t12_without_ribs": 5}
LEVELS_BY_COUNT = {4: LEVELS_WITHOUT_L5, 5: STANDARD_LEVELS, 6: LEVELS_WITH_L6}


@dataclass(frozen=True)
class Posture:
    """How the person lies at a visit."""

    lordosis_change_share: float = 0.0
    pitch_deg: float = 0.0
    roll_deg: float = 0.0
    yaw_deg: float = 0.0
    offset_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)


@dataclass(frozen=True, eq=False)
class DiscShape:
    """One disc; frame axes are (anterior, left, cranial), origin its centre."""

    name: str
    frame: Frame
    half_depth_mm: float
    half_width_mm: float
    height_mm: float
    wedge_deg: float
    degeneration: float

    @property
    def level(self) -> Level | None:
        """The graded level, or None above L1 and below S1."""
        return Level(self.name) if self.name in {level.value for level in Level} else None


@dataclass(frozen=True, eq=False)
class VertebraShape:
    """One vertebra between two discs (positions in `Spine.discs`)."""

    name: str
    frame: Frame
    above: int
    below: int
    half_depth_mm: float
    half_width_mm: float
    height_mm: float
    pedicle_width_mm: float
    pedicle_height_mm: float
    interpedicular_mm: float
    canal_depth_mm: float
    spinous_length_mm: float
    transverse_reach_mm: float
    sacral: bool = False


@dataclass(frozen=True, eq=False)
class JointShape:
    """One facet joint; frame axes are (along, normal, cranial) as in `model.JointFrame`, origin its middle."""

    level: str
    side: Side
    disc: int
    frame: Frame
    length_mm: float
    height_mm: float
    curvature_radius_mm: float
    cartilage_mm: float
    process_thickness_mm: float
    capsule_mm: float
    arthropathy: float
    angle_deg: float


@dataclass(frozen=True, eq=False)
class Spine:
    """The whole spine, cranial first."""

    discs: tuple[DiscShape, ...]
    vertebrae: tuple[VertebraShape, ...]
    joints: tuple[JointShape, ...]
    canal_points_mm: FloatArray
    canal_depth_mm: FloatArray

    def graded_joints(self) -> tuple[JointShape, ...]:
        """Return the joints that have a row in the tables."""
        graded = {disc.name for disc in self.discs if disc.level is not None}
        return tuple(joint for joint in self.joints if joint.level in graded)


@dataclass(frozen=True, eq=False)
class Person:
    """A spine and the body around it."""

    seed: int
    spine: Spine
    subcutaneous_mm: float
    muscle_fat_share: float
    marrow_fat_share: float
    cortex_mm: float
    sac_share: float
    variant: str

    @property
    def anchor_lps_mm(self) -> FloatArray:
        """A place that moves with the person: the middle one of the discs."""
        return self.spine.discs[len(self.spine.discs) // 2].frame.origin


def stream(seed: int, purpose: str) -> np.random.Generator:
    """Return a generator of its own for each purpose, so that one more draw here never changes another there."""
    salt = int.from_bytes(hashlib.sha256(purpose.encode()).digest()[:8], "little")
    return np.random.default_rng([seed, salt])


def draw_person(
    seed: int,
    numbers: AnatomyNumbers,
    posture: Posture,
    *,
    arthropathy: dict[tuple[str, Side], float],
    variant: str = "standard",
    scoliosis_deg: tuple[float, float] = (0.0, 0.0),
) -> Person:
    """Draw a person; the same seed in another posture is the same person."""
    rng = stream(seed, "habitus")
    spine = _Builder(seed, numbers, posture, LUMBAR_COUNT[variant], scoliosis_deg).build(arthropathy)
    return Person(
        seed=seed,
        spine=spine,
        subcutaneous_mm=float(rng.uniform(*numbers.habitus.subcutaneous_mm)),
        muscle_fat_share=float(rng.uniform(*numbers.habitus.muscle_fat_share)),
        marrow_fat_share=float(rng.uniform(*numbers.habitus.marrow_fat_share)),
        cortex_mm=numbers.vertebra.cortex_mm,
        sac_share=numbers.canal.sac_share,
        variant=variant,
    )


def rotation(pitch_deg: float, roll_deg: float, yaw_deg: float) -> FloatArray:
    """Rotation about x (pitch), y (roll) and z (yaw), in that order."""
    angles = np.radians([pitch_deg, roll_deg, yaw_deg])
    (cx, cy, cz), (sx, sy, sz) = np.cos(angles), np.sin(angles)
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return np.asarray(about_z @ about_y @ about_x, dtype=np.float64)


class _Builder:
    """Draws the numbers, then places discs, vertebrae and joints one after the other."""

    def __init__(
        self,
        seed: int,
        numbers: AnatomyNumbers,
        posture: Posture,
        lumbar_count: int,
        scoliosis_deg: tuple[float, float],
    ) -> None:
        self.seed = seed
        self.scoliosis_deg = scoliosis_deg
        self.numbers = numbers
        self.posture = posture
        self.rng = stream(seed, "spine")
        self.levels = tuple(level.value for level in LEVELS_BY_COUNT[lumbar_count])
        self.names = (*UPPER_DISCS, *self.levels, *SACRAL_DISCS)
        self.first_lumbar = len(UPPER_DISCS)
        self.size = float(self.rng.normal(1.0, numbers.disc.size_sd_share))
        self.size = float(np.clip(self.size, 0.84, 1.18))

    def spread(self, five: FiveLevels) -> FloatArray:
        """Spread five numbers over every disc (or vertebra) of the spine, the ends continued."""
        lumbar = np.interp(np.linspace(0, 4, len(self.levels)), np.arange(5), five)
        upper = [lumbar[0]] * len(UPPER_DISCS)
        return np.array([*upper, *lumbar, *[lumbar[-1]] * len(SACRAL_DISCS)])

    def build(self, arthropathy: dict[tuple[str, Side], float]) -> Spine:
        """Place everything."""
        discs = self._discs()
        canal_depth = self.spread(self.numbers.canal.depth_mm) * np.sqrt(self.size)
        canal_depth += self.rng.normal(0, self.numbers.canal.depth_sd_mm)
        vertebrae = self._vertebrae(discs, canal_depth)
        joints = self._joints(discs, canal_depth, arthropathy)
        points = np.array(
            [
                disc.frame.to_lps(np.array([-disc.half_depth_mm - 0.5 * depth, 0, 0]))
                for disc, depth in zip(discs, canal_depth, strict=True)
            ]
        )
        return Spine(discs, vertebrae, joints, points, canal_depth)

    def _tilts_deg(self) -> FloatArray:
        lumbar = self.spread(self.numbers.disc.tilt_deg)
        lordosis = 1 + self.rng.normal(0, self.numbers.disc.lordosis_sd_share)
        lordosis = float(np.clip(lordosis, 0.5, 1.5)) * (1 + self.posture.lordosis_change_share)
        tilts = lumbar * lordosis
        first = self.first_lumbar
        tilts[:first] = tilts[first] - UPPER_TILT_STEP_DEG * np.array([2.0, 1.6, 0.9])
        tilts[-2:] = tilts[-3] + SACRAL_TILT_STEP_DEG * np.array([1.0, 2.0])
        pitch = float(self.rng.normal(0, self.numbers.disc.pitch_sd_deg)) + self.posture.pitch_deg
        return np.asarray(tilts + pitch)

    def _discs(self) -> tuple[DiscShape, ...]:
        numbers, rng = self.numbers.disc, self.rng
        tilts = self._tilts_deg()
        count = len(self.names)
        heights = self.spread(numbers.height_mm) * self.size + rng.normal(0, numbers.height_sd_mm, count)
        degeneration = np.clip(rng.beta(1.6, 2.0, count) + np.linspace(-0.1, 0.2, count), 0, 1)
        heights = np.clip(heights * (1.1 - 0.35 * degeneration), 3.5, None)
        heights[: self.first_lumbar] *= 0.7
        heights[-2:] = (3.5, 1.5)
        depths = self.spread(numbers.depth_mm) * self.size
        widths = self.spread(numbers.width_mm) * self.size
        for sizes in (depths, widths):
            sizes[: self.first_lumbar] *= (0.9, 0.93, 0.97)
            sizes[-2:] *= (0.72, 0.5)
        frames = self._frames(tilts, heights)
        return tuple(
            DiscShape(
                name,
                frame,
                depth / 2,
                width / 2,
                height,
                float(np.clip(0.25 * tilt + 2, 0, 11)) if name in self.levels else 1.0,
                float(worn),
            )
            for name, frame, depth, width, height, tilt, worn in zip(
                self.names, frames, depths, widths, heights, tilts, degeneration, strict=True
            )
        )

    def _frames(self, tilts: FloatArray, heights: FloatArray) -> list[Frame]:
        bodies = self.spread(self.numbers.vertebra.height_mm) * self.size
        bodies[: self.first_lumbar] *= (0.86, 0.9, 0.94)
        bodies[-1] *= 0.8
        rolls, yaws = self._curve(len(tilts))
        turn = rotation(0.0, self.posture.roll_deg, self.posture.yaw_deg)
        centre = np.zeros(3)
        frames: list[Frame] = []
        for index, tilt in enumerate(np.radians(tilts)):
            up = np.array([0.0, -np.sin(tilt), np.cos(tilt)])
            anterior = np.array([0.0, -np.cos(tilt), -np.sin(tilt)])
            axes = np.stack([anterior, [1.0, 0.0, 0.0], up]) @ rotation(0.0, rolls[index], yaws[index]).T
            up = axes[2]
            if frames:
                between = up + frames[-1].axes[2]
                body = bodies[index - 1]
                pitch = body + 0.5 * (heights[index] + heights[index - 1])
                centre = centre - pitch * between / np.linalg.norm(between)
            frames.append(Frame(centre, axes))
        middle = frames[self.first_lumbar + 2].origin
        offset = np.array(self.posture.offset_mm)
        return [Frame(turn @ (f.origin - middle) + offset, f.axes @ turn.T) for f in frames]

    def _curve(self, count: int) -> tuple[FloatArray, FloatArray]:
        """Side bend and turn of each disc (degrees): one scoliotic bow, with the turn that goes with it."""
        rng = stream(self.seed, "scoliosis")
        bend = float(rng.uniform(*self.scoliosis_deg)) * float(rng.choice([-1, 1]))
        place = np.linspace(0, 1, count)
        wave = np.sin(2 * np.pi * (place - rng.uniform(0.1, 0.3)))
        wave[-3:] *= (0.6, 0.4, 0.4)
        return 0.5 * bend * wave, 0.6 * bend * np.cos(np.pi * (place - 0.5)) * (place < 0.85)

    def _vertebrae(self, discs: tuple[DiscShape, ...], canal_depth: FloatArray) -> tuple[VertebraShape, ...]:
        numbers = self.numbers.vertebra
        tables = {
            name: self.spread(getattr(numbers, name)) * self.size
            for name in (
                "pedicle_width_mm",
                "pedicle_height_mm",
                "interpedicular_mm",
                "spinous_length_mm",
                "transverse_reach_mm",
            )
        }
        vertebrae = []
        for below in range(1, len(discs)):
            upper, lower = discs[below - 1], discs[below]
            up = _unit(upper.frame.origin - lower.frame.origin)
            left = _unit(upper.frame.axes[1] + lower.frame.axes[1])
            left = _unit(left - (left @ up) * up)
            frame = Frame(
                0.5 * (upper.frame.origin + lower.frame.origin), np.stack([np.cross(left, up), left, up])
            )
            gap = float(np.linalg.norm(upper.frame.origin - lower.frame.origin))
            row = {name: float(values[below - 1]) for name, values in tables.items()}
            vertebrae.append(
                VertebraShape(
                    name=lower.name.split("-")[0],
                    frame=frame,
                    above=below - 1,
                    below=below,
                    half_depth_mm=0.5 * (upper.half_depth_mm + lower.half_depth_mm),
                    half_width_mm=0.5 * (upper.half_width_mm + lower.half_width_mm),
                    height_mm=gap - 0.5 * (upper.height_mm + lower.height_mm),
                    canal_depth_mm=float(0.5 * (canal_depth[below - 1] + canal_depth[below])),
                    sacral=lower.name in SACRAL_DISCS,
                    **row,
                )
            )
        return tuple(vertebrae)

    def _joints(
        self,
        discs: tuple[DiscShape, ...],
        canal_depth: FloatArray,
        arthropathy: dict[tuple[str, Side], float],
    ) -> tuple[JointShape, ...]:
        numbers, rng = self.numbers.joint, self.rng
        spreads = {
            "behind": numbers.behind_canal_sd_mm,
            "lateral": numbers.lateral_sd_mm,
            "caudal": numbers.caudal_sd_mm,
            "angle": numbers.angle_sd_deg,
        }
        shared = {name: sd * float(np.clip(rng.normal(), -1.6, 1.6)) for name, sd in spreads.items()}
        joints: list[JointShape] = []
        for index in range(1, len(discs) - len(SACRAL_DISCS)):
            depth = float(canal_depth[index])
            joints.extend(self._joint(discs[index], index, side, depth, shared, arthropathy) for side in Side)
        return tuple(joints)

    def _joint(
        self,
        disc: DiscShape,
        index: int,
        side: Side,
        canal_depth: float,
        shared: dict[str, float],
        arthropathy: dict[tuple[str, Side], float],
    ) -> JointShape:
        numbers, rng = self.numbers.joint, self.rng
        worn = arthropathy.get((disc.name, side), 0.2)

        def at(five: FiveLevels) -> float:
            return float(self.spread(five)[index])

        jitter = rng.normal(0, [0.9, 0.8, 1.0, numbers.tropism_sd_deg])
        jitter = np.clip(jitter, [-1.8, -1.6, -2.0, -8.0], [1.8, 1.6, 2.0, 8.0])
        scale = self.size * float(np.clip(rng.normal(1, numbers.size_sd_share), 0.85, 1.15))
        behind = disc.half_depth_mm + 0.5 * canal_depth
        behind += max(at(numbers.behind_canal_mm) + shared["behind"] + jitter[0], -1.0)
        lateral = at(numbers.lateral_mm) * self.size + shared["lateral"] + jitter[1] + 1.2 * worn
        caudal = at(numbers.caudal_mm) + shared["caudal"] + jitter[2]
        angle = float(np.clip(at(numbers.angle_deg) + shared["angle"] + jitter[3], 15, 70))
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


def _unit(vector: FloatArray) -> FloatArray:
    return np.asarray(vector / np.linalg.norm(vector))
