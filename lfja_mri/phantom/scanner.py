"""From tissue maps to pixels: signal, slice profile, sharpness, coil shading, noise."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from lfja_mri.model import FloatArray, ImageArray
from lfja_mri.phantom.anatomy import TissueMap
from lfja_mri.phantom.chance import stream
from lfja_mri.phantom.person import Person
from lfja_mri.phantom.planning import SeriesPlan, StackPlan
from lfja_mri.phantom.signal import SignalTables
from lfja_mri.phantom.tissue import Lattice, Tissue

CSF_VALUE = 900.0
Profile = tuple[tuple[float, float], ...]
CENTRE: Profile = ((0.0, 1.0),)
STRAIGHT = 0.985  # cosine: slices this nearly across x are averaged along x, others read in sub-planes
COARSE_PROFILE: Profile = ((-0.33, 0.3), (0.0, 0.4), (0.33, 0.3))
FINE_PROFILE: Profile = ((-0.42, 0.14), (-0.21, 0.23), (0.0, 0.26), (0.21, 0.23), (0.42, 0.14))
OUTSIDE = -1.0
SIDE_LOBES = 4.0
LEAST_ACQUIRED = 1.2  # pixels; finer scans are averaged to the pixel
COIL_BEHIND_DISCS_MM = 85.0
COIL_DEPTH_MM = 95.0
SATURATED_MM = 150.0
FLOW_BELOW_MM, FLOW_RISE_MM = (
    60.0,
    90.0,
)  # fluid rests so far below the middle of the graded discs, and pulses above


def signal_volume(lattice: Lattice, grain: ImageArray, tables: SignalTables, plan: SeriesPlan) -> ImageArray:
    """Signal at every voxel of a lattice before the scanner blurs it."""
    signal = _water_and_fat(lattice, tables, plan)
    signal *= 1 + grain * tables.texture[lattice.tissue_zyx]
    if plan.flow_loss:
        signal *= np.where(lattice.tissue_zyx == Tissue.CSF, _flowing(lattice, plan)[:, None, None], 1)
    soaked = lattice.oedema_zyx > 0
    share = lattice.oedema_zyx[soaked].astype(np.float32) / np.float32(255)
    signal[soaked] = (1 - share) * signal[soaked] + share * np.float32(tables.oedema)
    return np.maximum(signal, 0)


def _flowing(lattice: Lattice, plan: SeriesPlan) -> ImageArray:
    """Share of its signal that the fluid of the sac keeps, by plane of a lattice: all of it in the sac's resting end."""
    rise = (lattice.axis_mm(2) - np.float32(plan.centre_lps_mm[2] - FLOW_BELOW_MM)) / np.float32(FLOW_RISE_MM)
    return np.asarray(1 - plan.flow_loss * np.clip(rise, 0, 1), dtype=np.float32)


def _water_and_fat(lattice: Lattice, tables: SignalTables, plan: SeriesPlan) -> ImageArray:
    """Signal without grain; fat is suppressed and shifted against water as the series does it."""
    tissue, left = lattice.tissue_zyx, _fat_left(lattice, plan)
    steps = round(plan.fat_shift_mm / lattice.step_mm)
    if left.size == 1 and not steps:
        return np.asarray((tables.water + tables.fat * left.ravel())[tissue], dtype=np.float32)
    fat = tables.fat[tissue] * left
    if steps:
        count = fat.shape[plan.fat_shift_axis]
        fat = np.take(fat, np.clip(np.arange(count) - steps, 0, None), axis=plan.fat_shift_axis)
    return np.asarray(tables.water[tissue] + fat, dtype=np.float32)


def _fat_left(lattice: Lattice, plan: SeriesPlan) -> ImageArray:
    """Share of the fat signal that suppression leaves, over a lattice: an even share and a patch where it failed."""
    patch = plan.fat_suppression
    if patch.peak == 0:
        return np.full((1, 1, 1), patch.even, dtype=np.float32)
    bells = [
        np.exp(-(((lattice.axis_mm(axis) - patch.centre_lps_mm[axis]) / patch.size_mm[axis]) ** 2)).astype(
            np.float32
        )
        for axis in range(3)
    ]
    bell = bells[2][:, None, None] * bells[1][None, :, None] * bells[0][None, None, :]
    return np.asarray(patch.even + (1 - patch.even) * patch.peak * bell, dtype=np.float32)


def acquire(
    world: TissueMap, plan: SeriesPlan, tables: SignalTables, person: Person, visit: str
) -> tuple[ImageArray, ...]:
    """Return the pixels of each stack of a series, as whole numbers in float32."""
    signals = [
        signal_volume(lattice, grain, tables, plan)
        for lattice, grain in zip(world.lattices, world.grain, strict=True)
    ]
    rng = stream(person.seed, f"noise{visit}{plan.name}")
    scale = CSF_VALUE / float(max(tables.water.max(), tables.oedema, 1e-6))
    if plan.sequence.ti_ms is None and plan.sequence.te_ms < 30:
        scale = CSF_VALUE / float((tables.water + tables.fat).max())
    stacks = []
    for stack in plan.stacks:
        clean = _sampled(world.lattices, signals, plan, stack)
        clean = _blurred(clean, stack, plan) * _shading(stack, plan, rng)
        clean = _ghosted(clean, plan)
        stacks.append(_noisy(clean * np.float32(scale), CSF_VALUE * plan.noise_share, rng))
    return tuple(stacks)


def _sampled(
    lattices: tuple[Lattice, ...], signals: list[ImageArray], plan: SeriesPlan, stack: StackPlan
) -> ImageArray:
    """Read the signal through every slice's profile; fine lattices win where they reach."""
    affine = _series_to_rest(plan) @ stack.voxel_to_lps
    step = affine[:3, 2] / np.linalg.norm(stack.voxel_to_lps[:3, 2]) * stack.thickness_mm
    result = np.zeros(stack.shape_zyx, dtype=np.float32)
    for number, (lattice, signal) in enumerate(zip(lattices, signals, strict=True)):
        box = _reached(lattice, affine, stack.shape_zyx)
        if box is None:
            continue
        total = np.zeros([s.stop - s.start for s in box], dtype=np.float32)
        inside = np.ones(total.shape, dtype=bool)
        read, profile = signal, FINE_PROFILE if number else COARSE_PROFILE
        if abs(step[0]) > STRAIGHT * np.linalg.norm(step):
            read, profile = slice_average(signal, abs(float(step[0])) / lattice.step_mm, profile), CENTRE
        for offset, weight in profile:
            values = _sub_plane(lattice, read, affine, step * offset, box)
            inside &= values >= 0
            total += np.float32(weight) * np.maximum(values, 0)
        np.copyto(result[box], total, where=inside | (number == 0))
    return result


def slice_average(signal: ImageArray, thickness: float, profile: Profile) -> ImageArray:
    """Average the signal along x over a slice profile; the thickness is in voxels."""
    reach = int(np.ceil(thickness * max(offset for offset, _ in profile)))
    taps = np.arange(-reach, reach + 1)
    weights = sum(
        weight * np.clip(1 - np.abs(taps - offset * thickness), 0, None) for offset, weight in profile
    )
    return np.asarray(ndimage.correlate1d(signal, weights, axis=2, mode="nearest"), dtype=np.float32)


def _sub_plane(
    lattice: Lattice,
    signal: ImageArray,
    affine: FloatArray,
    shift: FloatArray,
    box: tuple[slice, slice, slice],
) -> ImageArray:
    """Read one sub-plane of every slice in a box of (plane, row, column) indices."""
    start = np.array([s.start for s in box], dtype=np.float64)
    matrix = affine[:3, :3][::-1, ::-1] / lattice.step_mm
    origin = (affine[:3, 3] + shift - lattice.low_mm)[::-1] / lattice.step_mm + matrix @ start
    values = ndimage.affine_transform(
        signal,
        matrix,
        origin,
        output_shape=tuple(s.stop - s.start for s in box),
        order=1,
        mode="constant",
        cval=OUTSIDE,
        prefilter=False,
    )
    return np.asarray(values, dtype=np.float32)


def _series_to_rest(plan: SeriesPlan) -> FloatArray:
    """4x4 map from a place in the series to the same tissue at rest."""
    forward = np.eye(4)
    forward[:3, 2] += plan.bend_mm_per_mm
    forward[:3, 3] = plan.shift_lps_mm - plan.centre_lps_mm[2] * plan.bend_mm_per_mm
    return np.asarray(np.linalg.inv(forward))


def _reached(
    lattice: Lattice, affine: FloatArray, shape: tuple[int, int, int]
) -> tuple[slice, slice, slice] | None:
    """The box of (plane, row, column) indices that may meet a lattice."""
    low, high = lattice.low_mm, lattice.high_mm
    corners = np.array(
        [[x, y, z] for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])]
    )
    index = (corners - affine[:3, 3]) @ np.linalg.inv(affine[:3, :3]).T
    first = np.maximum(np.floor(index.min(axis=0)[::-1]).astype(int), 0)
    last = np.minimum(np.ceil(index.max(axis=0)[::-1]).astype(int) + 1, shape)
    if np.any(last <= first):
        return None
    planes, rows, columns = (slice(int(a), int(b)) for a, b in zip(first, last, strict=True))
    return planes, rows, columns


def _blurred(clean: ImageArray, stack: StackPlan, plan: SeriesPlan) -> ImageArray:
    """Blur in the plane to the acquired resolution, with the ripples that truncation leaves beside edges."""
    pixel = np.linalg.norm(stack.voxel_to_lps[:3, :2], axis=0)
    fine, rough = plan.acquired_mm
    for axis, acquired, size in ((2, fine, pixel[0]), (1, rough, pixel[1])):
        clean = ndimage.correlate1d(clean, point_spread(float(acquired / size)), axis=axis, mode="nearest")
    return np.asarray(clean, dtype=np.float32)


def point_spread(acquired: float) -> FloatArray:
    """Point spread of k-space cut off at an acquired resolution (in pixels): a sinc, tapered to a few side lobes."""
    acquired = max(acquired, LEAST_ACQUIRED)
    reach = int(np.ceil(SIDE_LOBES * acquired))
    place = np.arange(-reach, reach + 1) / acquired
    weights = np.sinc(place) * np.cos(0.5 * np.pi * np.clip(place / SIDE_LOBES, -1, 1)) ** 2
    return np.asarray(weights / weights.sum(), dtype=np.float64)


def _shading(stack: StackPlan, plan: SeriesPlan, rng: np.random.Generator) -> ImageArray:
    """Sensitivity of the coil behind the back: falls towards the front and past the ends; 1 near the spine."""
    planes, rows, columns = stack.shape_zyx
    step = 16
    grid = np.meshgrid(
        np.arange(planes), np.arange(0, rows + step, step), np.arange(0, columns + step, step), indexing="ij"
    )
    index = np.stack([grid[2], grid[1], grid[0]], axis=-1)
    points = index @ stack.voxel_to_lps[:3, :3].T + stack.voxel_to_lps[:3, 3]
    depth = np.maximum(plan.centre_lps_mm[1] + COIL_BEHIND_DISCS_MM - points[..., 1], 0)
    fall = 1.6 / (1 + (depth / COIL_DEPTH_MM) ** 2.2)
    fall *= 0.06 + 0.94 / (1 + np.exp((depth - SATURATED_MM) / 9))
    fall *= np.exp(-(((points[..., 2] - plan.centre_lps_mm[2] + 8.0) / 170.0) ** 4))
    fall **= plan.shading_share
    fall *= 1 + rng.uniform(-0.08, 0.08) * np.sin(points[..., 0] / 60 + rng.uniform(0, 6))
    down, along = _spread_matrix(rows, step), _spread_matrix(columns, step)
    return np.asarray(down @ fall @ along.T, dtype=np.float32)


def _spread_matrix(count: int, step: int) -> FloatArray:
    """Weights that interpolate `count` values from every `step`-th one."""
    place = np.arange(count)[:, None] / step
    nodes = np.arange(0, count + step, step)[None, :] / step
    return np.asarray(np.clip(1 - np.abs(place - nodes), 0, 1), dtype=np.float64)


def _ghosted(clean: ImageArray, plan: SeriesPlan) -> ImageArray:
    """Faint copies along the phase-encoding axis, from pulsing fluid and breathing."""
    if plan.ghost_share == 0:
        return clean
    size = clean.shape[plan.ghost_axis]
    copies = sum(np.roll(clean, shift, axis=plan.ghost_axis) for shift in (size // 5, -size // 5))
    return np.asarray(clean + np.float32(plan.ghost_share) * copies, dtype=np.float32)


def _noisy(clean: ImageArray, sigma: float, rng: np.random.Generator) -> ImageArray:
    """Rician noise, rounded to whole numbers."""
    real = clean + rng.standard_normal(clean.shape, dtype=np.float32) * np.float32(sigma)
    imaginary = rng.standard_normal(clean.shape, dtype=np.float32) * np.float32(sigma)
    return np.rint(np.hypot(real, imaginary)).astype(np.float32)
