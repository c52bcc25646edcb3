"""The column: discs and vertebrae from T10 to the coccyx, placed one after the other.

The sacrum is a part of the column with shapes of its own: a wedge-shaped S1 with a deep upper end-plate, remnants for
discs, bodies that grow small quickly, and a back that bends forward again.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lfja_mri.model import LEVELS_WITH_L6, LEVELS_WITHOUT_L5, STANDARD_LEVELS, FloatArray, Side
from lfja_mri.phantom.articulations import JointDraw, draw_joints
from lfja_mri.phantom.chance import stream
from lfja_mri.phantom.numbers import AnatomyNumbers, FiveLevels
from lfja_mri.phantom.skeleton import DiscShape, Posture, Spine, VertebraShape
from lfja_mri.phantom.tissue import Frame, rotation

UPPER_DISCS = ("T10-T11", "T11-T12", "T12-L1")
UPPER_TILT_STEP_DEG = 5.0
SACRAL_DISCS = ("S1-S2", "S2-S3", "S3-S4", "S4-S5", "S5-Co1")
LARGEST_TILT_DEG = 72.0
SLIP_PLACES = (0.15, 0.65, 0.2)  # L3-L4, L4-L5, L5-S1
LEAST_HALF_HEIGHT_MM = 0.7  # of a disc at its back
LUMBAR_COUNT = {
    "standard": 5,
    "l6": 6,
    "four_lumbar": 4,
    "sacralised": 5,
    "squared_s1": 5,
    "t12_without_ribs": 5,
}
LEVELS_BY_COUNT = {4: LEVELS_WITHOUT_L5, 5: STANDARD_LEVELS, 6: LEVELS_WITH_L6}


class ColumnBuilder:
    """Draws the numbers, then places discs, vertebrae and joints one after the other."""

    def __init__(
        self,
        seed: int,
        numbers: AnatomyNumbers,
        posture: Posture,
        variant: str,
        scoliosis_deg: tuple[float, float],
    ) -> None:
        self.seed = seed
        self.variant = variant
        self.scoliosis_deg = scoliosis_deg
        self.numbers = numbers
        self.posture = posture
        self.rng = stream(seed, "spine")
        self.sacral_rng = stream(seed, "sacrum")
        self.levels = tuple(level.value for level in LEVELS_BY_COUNT[LUMBAR_COUNT[variant]])
        self.names = (*UPPER_DISCS, *self.levels, *SACRAL_DISCS)
        self.first_lumbar = len(UPPER_DISCS)
        self.first_sacral = self.first_lumbar + len(self.levels)
        self.size = float(self.rng.normal(1.0, numbers.disc.size_sd_share))
        self.size = float(np.clip(self.size, 0.84, 1.18))

    def spread(self, five: FiveLevels, sacral: FiveLevels | None = None) -> FloatArray:
        """Spread five numbers over every disc (or vertebra); the ends continue unless the sacrum has its own five."""
        lumbar = np.interp(np.linspace(0, 4, len(self.levels)), np.arange(5), five)
        below = [lumbar[-1]] * len(SACRAL_DISCS) if sacral is None else list(sacral)
        return np.array([*[lumbar[0]] * len(UPPER_DISCS), *lumbar, *below])

    def build(self, arthropathy: Mapping[tuple[str, Side], float]) -> Spine:
        """Place everything."""
        discs = self._discs()
        canal, sacrum = self.numbers.canal, self.numbers.sacrum
        canal_depth = self.spread(canal.depth_mm, sacrum.canal_depth_mm) * np.sqrt(self.size)
        change = self.rng.normal(0, canal.depth_sd_mm)
        canal_depth *= 1 + change / canal.depth_mm[2]
        vertebrae = self._vertebrae(discs, canal_depth)
        shares = np.ones(len(discs))
        if self.variant == "sacralised":
            shares[self.first_sacral - 1] = self.numbers.transition.sacralised_joint_share
        draw = JointDraw(self.numbers.joint, self.spread, self.size, shares, arthropathy, self.rng)
        joints = draw_joints(draw, discs, canal_depth, range(1, self.first_sacral))
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
        first, below = self.first_lumbar, self.first_sacral
        tilts[:first] = tilts[first] - UPPER_TILT_STEP_DEG * np.array([2.0, 1.6, 0.9])
        sacrum = self.numbers.sacrum
        bend = np.clip(self.sacral_rng.normal(1, sacrum.kyphosis_sd_share), 0.3, 1.7)
        steps = np.array(sacrum.tilt_step_deg) * np.array([1.0, *[bend] * (len(SACRAL_DISCS) - 1)])
        if self.variant == "squared_s1":
            steps[0] = self.numbers.transition.squared_tilt_step_deg
        steps[0] += np.clip(self.sacral_rng.normal(0, sacrum.wedge_sd_deg), -8, 8)
        tilts[below:] = tilts[below - 1] + np.cumsum(steps)
        pitch = float(self.rng.normal(0, self.numbers.disc.pitch_sd_deg)) + self.posture.pitch_deg
        return np.asarray(np.minimum(tilts + pitch, LARGEST_TILT_DEG))

    def _discs(self) -> tuple[DiscShape, ...]:
        tilts = self._tilts_deg()
        heights, wear = self._heights_and_wear()
        depths, widths = self._depths_and_widths_mm()
        wedges, remnants = self._wedges_deg(), self._remnant_shares()
        slips = self._slips_mm()
        frames = self._frames(tilts, heights, depths, slips)
        return tuple(
            DiscShape(
                name,
                frame,
                depth / 2,
                width / 2,
                height,
                min(float(wedge), _widest_wedge_deg(depth, height)),
                float(worn),
                float(slip),
                min(float(remnant), 1.0),
            )
            for name, frame, depth, width, height, wedge, worn, slip, remnant in zip(
                self.names, frames, depths, widths, heights, wedges, wear, slips, remnants, strict=True
            )
        )

    def _depths_and_widths_mm(self) -> tuple[FloatArray, FloatArray]:
        numbers, sacrum, below = self.numbers.disc, self.numbers.sacrum, self.first_sacral
        depths = self.spread(numbers.depth_mm, sacrum.lower_depth_mm) * self.size
        widths = self.spread(numbers.width_mm, sacrum.lower_width_mm) * self.size
        for sizes in (depths, widths):
            sizes[: self.first_lumbar] *= (0.9, 0.93, 0.97)
        if self.variant == "squared_s1":
            depths[below] = self.numbers.transition.squared_depth_share * depths[below - 1]
            widths[below] = self.numbers.transition.squared_width_share * widths[below - 1]
        return depths, widths

    def _wedges_deg(self) -> FloatArray:
        share = np.clip(self.rng.normal(1, self.numbers.disc.wedge_sd_share), 0.5, 1.5)
        wedges = self.spread(self.numbers.disc.wedge_deg) * share
        wedges[self.first_sacral :] = 0.0
        return np.asarray(wedges)

    def _remnant_shares(self) -> FloatArray:
        """How much of a disc each is, 1 for a whole one: sacral ones are remnants, transitions lie in between."""
        sacrum, below = self.numbers.sacrum, self.first_sacral
        spread = self.sacral_rng.normal(1, sacrum.remnant_sd_share, len(SACRAL_DISCS))
        remnants = np.ones(len(self.names))
        remnants[below:] = np.array(sacrum.remnant_share) * np.clip(spread, 0.4, 1.6)
        if self.variant == "squared_s1":
            remnants[below] = 1.0
        elif self.variant == "sacralised":
            remnants[below - 1] = self.numbers.transition.sacralised_remnant_share
        return remnants

    def _heights_and_wear(self) -> tuple[FloatArray, FloatArray]:
        """Height (mm) and wear (0-1) of every disc; sacral remnants are thin and mostly dark."""
        numbers, sacrum, below = self.numbers.disc, self.numbers.sacrum, self.first_sacral
        count = len(self.names)
        heights = self.spread(numbers.height_mm) * self.size + self.rng.normal(0, numbers.height_sd_mm, count)
        wear = np.clip(self.rng.beta(1.6, 2.0, count) + np.linspace(-0.1, 0.2, count), 0, 1)
        heights = np.clip(heights * (1.1 - 0.35 * wear), 3.5, None)
        heights[: self.first_lumbar] *= 0.7
        change = np.clip(self.sacral_rng.normal(1, sacrum.disc_height_sd_share, len(SACRAL_DISCS)), 0.5, 1.8)
        heights[below:] = np.array(sacrum.disc_height_mm) * change
        bright = self.sacral_rng.random(len(SACRAL_DISCS)) < sacrum.bright_remnant
        wear[below:] = np.where(bright, 0.3, 0.9)
        between = self.numbers.transition
        if self.variant == "squared_s1":
            heights[below], wear[below] = between.squared_disc_mm * self.size, between.squared_wear
        elif self.variant == "sacralised":
            heights[below - 1] *= between.sacralised_disc_share
            wear[below - 1] = between.sacralised_wear
        return heights, wear

    def _slips_mm(self) -> FloatArray:
        """How far the vertebra above each disc has slid forward: one of the lowest three discs in some people."""
        numbers, rng = self.numbers.disc, stream(self.seed, "slip")
        slips = np.zeros(len(self.names))
        slides, size = rng.random() < numbers.slip_chance, rng.uniform(*numbers.slip_mm)
        place = int(rng.choice(3, p=SLIP_PLACES))
        slips[self.first_sacral - 3 + place] = size if slides else 0.0
        return slips

    def _frames(
        self, tilts: FloatArray, heights: FloatArray, depths: FloatArray, slips: FloatArray
    ) -> list[Frame]:
        bodies = self.spread(self.numbers.vertebra.height_mm, self.numbers.sacrum.body_height_mm) * self.size
        bodies[: self.first_lumbar] *= (0.86, 0.9, 0.94)
        rolls, yaws = self._curve(len(tilts))
        turn = rotation(0.0, self.posture.roll_deg, self.posture.yaw_deg)
        centre = np.zeros(3)
        frames: list[Frame] = []
        for index, tilt in enumerate(np.radians(tilts)):
            up = np.array([0.0, -np.sin(tilt), np.cos(tilt)])
            anterior = np.array([0.0, -np.cos(tilt), -np.sin(tilt)])
            axes = np.stack([anterior, [1.0, 0.0, 0.0], up]) @ rotation(0.0, rolls[index], yaws[index]).T
            if frames:
                down, back = (-_unit(axes[row] + frames[-1].axes[row]) for row in (2, 0))
                centre = centre + (bodies[index] + 0.5 * (heights[index] + heights[index - 1])) * down
                centre = centre + 0.5 * (slips[index - 1] + slips[index]) * back
                if index >= self.first_sacral:  # the backs of sacral bodies lie in line, whatever their depth
                    centre = centre + 0.5 * (depths[index - 1] - depths[index]) * back
            frames.append(Frame(centre, axes))
        middle = frames[self.first_lumbar + 2].origin
        offset = np.array(self.posture.offset_mm)
        return [Frame(turn @ (f.origin - middle) + offset, f.axes @ turn.T) for f in frames]

    def _curve(self, count: int) -> tuple[FloatArray, FloatArray]:
        """Side bend and turn of each disc (degrees): one scoliotic bow, with the turn that goes with it."""
        rng = stream(self.seed, "scoliosis")
        bend = float(rng.uniform(*self.scoliosis_deg)) * float(rng.choice([-1, 1]))
        moving = count - len(SACRAL_DISCS) + 2
        place = np.linspace(0, 1, moving)
        wave = np.sin(2 * np.pi * (place - rng.uniform(0.1, 0.3)))
        wave[-3:] *= (0.6, 0.4, 0.4)
        rolls = 0.5 * bend * wave
        yaws = 0.6 * bend * np.cos(np.pi * (place - 0.5)) * (place < 0.85)
        rest = count - moving
        return np.pad(rolls, (0, rest), mode="edge"), np.pad(yaws, (0, rest), mode="edge")

    def _vertebrae(self, discs: tuple[DiscShape, ...], canal_depth: FloatArray) -> tuple[VertebraShape, ...]:
        numbers, sacrum = self.numbers.vertebra, self.numbers.sacrum
        own = {
            "interpedicular_mm": sacrum.interpedicular_mm,
            "spinous_length_mm": sacrum.crest_mm,
            "transverse_reach_mm": sacrum.wing_reach_mm,
            "pedicle_width_mm": None,
            "pedicle_height_mm": None,
        }
        tables = {
            name: self.spread(getattr(numbers, name), sacral) * self.size for name, sacral in own.items()
        }
        return tuple(
            self._vertebra(
                discs, below, canal_depth, {name: float(row[below]) for name, row in tables.items()}
            )
            for below in range(1, len(discs))
        )

    def _vertebra(
        self, discs: tuple[DiscShape, ...], below: int, canal_depth: FloatArray, row: Mapping[str, float]
    ) -> VertebraShape:
        upper, lower = discs[below - 1], discs[below]
        top = upper.frame.to_lps(np.array([-0.5 * upper.slip_mm, 0.0, 0.0]))
        bottom = lower.frame.to_lps(np.array([0.5 * lower.slip_mm, 0.0, 0.0]))
        up = _unit(top - bottom)
        left = _unit(upper.frame.axes[1] + lower.frame.axes[1])
        left = _unit(left - (left @ up) * up)
        frame = Frame(0.5 * (top + bottom), np.stack([np.cross(left, up), left, up]))
        gap = float(np.linalg.norm(top - bottom))
        return VertebraShape(
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


def _widest_wedge_deg(depth_mm: float, height_mm: float) -> float:
    """The wedge that still leaves a disc open at its back."""
    spare = max(0.43 * height_mm - LEAST_HALF_HEIGHT_MM, 0.0)
    return float(2 * np.degrees(np.arctan2(spare, 0.5 * depth_mm)))


def _unit(vector: FloatArray) -> FloatArray:
    return np.asarray(vector / np.linalg.norm(vector))
