"""Where the technologist puts the slices, and what is set on the scanner."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from lfja_mri.geometry import apply, grid_affine
from lfja_mri.model import FloatArray
from lfja_mri.phantom.chance import stream
from lfja_mri.phantom.numbers import BaseNumbers, Range, SequenceNumbers
from lfja_mri.phantom.person import Person
from lfja_mri.phantom.recipe import Quality, Recipe
from lfja_mri.phantom.signal import Sequence

NOISE_SHARE = {Quality.GOOD: 0.012, Quality.FAIR: 0.022, Quality.POOR: 0.04}
ACQUIRED_MM = {Quality.GOOD: (0.6, 0.8), Quality.FAIR: (0.75, 0.95), Quality.POOR: (0.9, 1.2)}
GHOST_SHARE = {Quality.GOOD: 0.004, Quality.FAIR: 0.012, Quality.POOR: 0.025}
SHADING_SHARE: Range = (
    0.35,
    1.0,
)  # the sac of real T2 volumes (VB2, IVD) is nearly as bright at L1-L2 as at L5-S1
SAGITTAL_PITCH_MM: Range = (3.6, 4.6)
AXIAL_PITCH_MM: Range = (3.5, 4.4)
SAGITTAL_FIELD_MM: Range = (250.0, 280.0)
SAGITTAL_WIDTH_SHARE = 0.75
AXIAL_FIELD_MM: Range = (165.0, 195.0)
# After an inversion pulse the pulsing fluid of the upper sac is darker than that in its resting end. On the two real STIR
# studies (RSNA 100206310; VB1-03) its bright end is 0.54-0.74 of that behind L5-S1 at L1-L2 to L3-L4.
FLOW_LOSS: Range = (0.12, 0.32)


@dataclass(frozen=True, eq=False)
class StackPlan:
    """One stack of parallel planes: grid of its voxel centres."""

    voxel_to_lps: FloatArray
    shape_zyx: tuple[int, int, int]
    thickness_mm: float

    @property
    def corners_lps_mm(self) -> FloatArray:
        """The eight outermost voxel centres, shape (8, 3)."""
        last = np.array(self.shape_zyx[::-1]) - 1
        index = np.array(list(product((0, 1), repeat=3))) * last
        return apply(self.voxel_to_lps, index)


@dataclass(frozen=True, eq=False)
class FatSuppression:
    """Share of fat signal that is left: `even` everywhere, rising towards 1 by `peak` in a bell-shaped patch."""

    even: float
    peak: float
    centre_lps_mm: FloatArray
    size_mm: FloatArray

    def left_at(self, points_lps_mm: FloatArray) -> FloatArray:
        """Share of fat signal left at some points."""
        bell = np.exp(
            -np.sum(((np.asarray(points_lps_mm) - self.centre_lps_mm) / self.size_mm) ** 2, axis=-1)
        )
        return np.asarray(self.even + (1 - self.even) * self.peak * bell)


@dataclass(frozen=True, eq=False)
class SeriesPlan:
    """One series: sequence, stacks, sharpness, noise, and how the patient has moved since the reference series.

    `shading_share` is what normalisation leaves of the coil's shading, 1 for all of it.
    `flow_loss` is the share of the fluid's signal that is lost in the upper sac to its pulsing.
    `shift_lps_mm` is added to a point at rest to find it in this series; `bend_mm_per_mm` tilts that shift along z
    about `centre_lps_mm`, the middle of the graded discs.
    """

    name: str
    number: int
    sequence: Sequence
    stacks: tuple[StackPlan, ...]
    acquired_mm: tuple[float, float]
    noise_share: float
    quality: Quality
    shift_lps_mm: FloatArray
    bend_mm_per_mm: FloatArray
    centre_lps_mm: FloatArray
    fat_suppression: FatSuppression
    fat_shift_mm: float
    fat_shift_axis: int
    ghost_share: float
    ghost_axis: int
    flow_loss: float = 0.0
    shading_share: float = 1.0

    def moved(self, points_lps_mm: FloatArray) -> FloatArray:
        """Where points at rest lie in this series."""
        points = np.asarray(points_lps_mm, dtype=np.float64)
        rise = points[..., 2:3] - self.centre_lps_mm[2]
        return points + self.shift_lps_mm + rise * self.bend_mm_per_mm


def plan_series(
    person: Person, recipe: Recipe, base: BaseNumbers, names: tuple[str, ...], visit: str
) -> tuple[SeriesPlan, ...]:
    """Plan every series of a study, in the recipe's order."""
    setup = stream(person.seed, f"scanner{visit}")
    quality = Quality(str(setup.choice([q.value for q in recipe.quality])))
    field = float(setup.choice(recipe.field_strength_t))
    angled = recipe.axial_plan == "per_disc" or (recipe.axial_plan == "mixed" and setup.random() < 0.5)
    shading = float(stream(person.seed, f"coil{visit}").uniform(*SHADING_SHARE))
    plans = []
    for number, name in enumerate(recipe.series, start=1):
        if name in names:
            rng = stream(person.seed, f"series{visit}{name}")
            plan = _plan(person, recipe, base, name, number, quality, field, rng, angled=angled)
            plans.append(replace(plan, shading_share=shading))
    return tuple(plans)


def _plan(
    person: Person,
    recipe: Recipe,
    base: BaseNumbers,
    name: str,
    number: int,
    quality: Quality,
    field: float,
    rng: np.random.Generator,
    *,
    angled: bool,
) -> SeriesPlan:
    held = recipe.scanner_times == "per_person"
    times = stream(person.seed, f"protocol{name}") if held else rng
    sequence = _sequence(name, base.sequences[name], field, times)
    sagittal = name.startswith("sagittal")
    geometry = stream(person.seed, f"geometry{'sagittal' if sagittal else 'axial'}")
    stacks = (
        _sagittal(person, recipe, geometry) if sagittal else _axial(person, recipe, geometry, angled=angled)
    )
    shift, bend = _motion(recipe.motion_mm, rng, number)
    noise = NOISE_SHARE[quality] * (1.6 if sequence.ti_ms is not None else 1.0)
    look = stream(person.seed, f"artefacts{name}{number}")
    day = rng if held else look
    return SeriesPlan(
        name=name,
        number=number,
        sequence=sequence,
        stacks=stacks,
        acquired_mm=ACQUIRED_MM[quality],
        noise_share=noise,
        quality=quality,
        shift_lps_mm=shift,
        bend_mm_per_mm=bend,
        centre_lps_mm=_centre(person),
        fat_suppression=_fat_suppression(person, base, sequence, quality, rng, recipe.confounders),
        fat_shift_mm=float(look.choice([0.0, 0.9])) if sequence.ti_ms is None and not sequence.dixon else 0.0,
        fat_shift_axis=0 if sagittal else 2,
        ghost_share=float(day.uniform(0, GHOST_SHARE[quality])),
        ghost_axis=1 if sagittal else 2,
        flow_loss=0.0 if sequence.ti_ms is None else float(day.uniform(*FLOW_LOSS)),
    )


def _sequence(name: str, numbers: SequenceNumbers, field: float, times: np.random.Generator) -> Sequence:
    """Set the scanner's times within their ranges; the inversion time follows the field strength."""
    inversion = numbers.ti_3t_ms if field > 2 else numbers.ti_1_5t_ms
    return Sequence(
        name,
        tr_ms=round(float(times.uniform(*numbers.tr_ms))),
        te_ms=round(float(times.uniform(*numbers.te_ms)), 1),
        ti_ms=None if inversion is None else round(float(times.uniform(*inversion))),
        field_strength_t=field,
        fat_suppressed=numbers.fat_suppressed,
        contrast_agent=numbers.contrast_agent,
        dixon=numbers.dixon,
    )


def _centre(person: Person) -> FloatArray:
    origins = [disc.frame.origin for disc in person.spine.discs if disc.level is not None]
    return np.asarray(np.mean(origins, axis=0))


def _fat_suppression(
    person: Person,
    base: BaseNumbers,
    sequence: Sequence,
    quality: Quality,
    rng: np.random.Generator,
    weight: float,
) -> FatSuppression:
    """Draw how well fat is suppressed; inversion recovery does it by its timing, Dixon evenly."""
    chances = dict(zip(Quality, base.confounders.fat_suppression_failure, strict=True))
    even, fails, peak = rng.uniform(0.05, 0.14), rng.random(), rng.uniform(0.35, 1.0)
    offset = rng.normal(0, [22, 22, 55]) + np.array([0.0, 25.0, 0.0])
    size = rng.uniform([18, 18, 22], [40, 40, 50])
    centre = _centre(person) + offset
    if not sequence.fat_suppressed:
        return FatSuppression(1.0, 0.0, centre, size)
    if sequence.dixon:
        return FatSuppression(0.03, 0.0, centre, size)
    failed = fails < chances[quality] * weight
    return FatSuppression(float(even), float(peak) if failed else 0.0, centre, size)


def _motion(span_mm: Range, rng: np.random.Generator, number: int) -> tuple[FloatArray, FloatArray]:
    """Draw how far the patient has moved since the first series, mostly along z and y."""
    size = rng.uniform(*span_mm)
    way = rng.normal(0, [0.5, 0.8, 1.0])
    bend = rng.normal(0, 0.004, 3) * [1, 1, 0]
    if number == 1:
        return np.zeros(3), np.zeros(3)
    return np.asarray(size * way / np.linalg.norm(way)), np.asarray(bend * min(size, 1.0))


def _sagittal(person: Person, recipe: Recipe, rng: np.random.Generator) -> tuple[StackPlan, ...]:
    discs = [disc for disc in person.spine.discs if disc.level is not None]
    centre = np.mean([disc.frame.origin for disc in discs], axis=0)
    left = np.mean([disc.frame.axes[1] for disc in discs], axis=0)
    left /= np.linalg.norm(left)
    pitch = round(float(rng.uniform(*SAGITTAL_PITCH_MM)), 2)
    field = float(rng.uniform(*SAGITTAL_FIELD_MM))
    count = recipe.sagittal_slices or int(rng.integers(15, 20))
    matrix = recipe.matrix or int(rng.choice([320, 384, 448]))
    down = np.array([0.0, 0.0, -1.0]) + left[2] * left
    down /= np.linalg.norm(down)
    row = np.cross(left, down)  # towards the back
    row /= np.linalg.norm(row)
    pixel = field / matrix
    columns = 2 * round(0.5 * SAGITTAL_WIDTH_SHARE * matrix)
    middle = centre + row * 8.0 + left * rng.normal(0, 1.5) + np.array([0, 0, rng.normal(-4, 4)])
    return (
        _stack(
            middle,
            np.stack([row, down, np.cross(row, down)]),
            (pixel, pixel, pitch),
            (count, matrix, columns),
        ),
    )


def _axial(
    person: Person, recipe: Recipe, rng: np.random.Generator, *, angled: bool
) -> tuple[StackPlan, ...]:
    discs = [disc for disc in person.spine.discs if disc.level is not None]
    pitch = round(float(rng.uniform(*AXIAL_PITCH_MM)), 2)
    field = float(rng.uniform(*AXIAL_FIELD_MM))
    matrix = recipe.matrix or int(rng.choice([256, 320, 384]))
    per_disc = recipe.axial_slices_per_disc or int(rng.integers(7, 10))
    pixel = field / matrix
    if angled:
        return tuple(
            _axial_stack(d.frame.origin - 3.0 * d.frame.axes[2], d.frame.axes, pixel, pitch, per_disc, matrix)
            for d in discs
        )
    tilt = np.mean([disc.frame.axes[2] for disc in discs], axis=0)
    tilt /= np.linalg.norm(tilt)
    centre = np.mean([disc.frame.origin for disc in discs], axis=0)
    left = discs[2].frame.axes[1]
    axes = np.stack([np.cross(left, tilt), left, tilt])
    span = float(np.linalg.norm(discs[0].frame.origin - discs[-1].frame.origin)) + 50.0
    return (_axial_stack(centre, axes, pixel, pitch, int(span / pitch), matrix),)


def _axial_stack(
    centre: FloatArray, axes: FloatArray, pixel: float, pitch: float, count: int, matrix: int
) -> StackPlan:
    anterior, left, up = axes
    row = left - (left @ up) * up
    row /= np.linalg.norm(row)
    down = np.cross(up, row)  # towards the back
    return _stack(
        centre - 28.0 * anterior, np.stack([row, down, up]), (pixel, pixel, pitch), (count, matrix, matrix)
    )


def _stack(
    middle: FloatArray, axes: FloatArray, spacing: tuple[float, float, float], shape: tuple[int, int, int]
) -> StackPlan:
    half = 0.5 * (np.array(shape[::-1]) - 1) * np.array(spacing)
    origin = middle - half @ axes
    return StackPlan(grid_affine(origin, axes, np.array(spacing)), shape, round(spacing[2] * 0.9, 2))
