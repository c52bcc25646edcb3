"""A box around the canal in two images, and how much both tell of each other there when one is shifted.

Boxes stand in the reference stack's own frame, on a lattice of `LATTICE_MM`; mutual information does not mind different
contrasts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from lfja_mri import geometry
from lfja_mri.facets.frames import Site
from lfja_mri.model import FloatArray, Volume
from lfja_mri.settings.facets import AlignmentSettings

LATTICE_MM = 1.0
BLOCK_THINNING = 2
BLOCKS = 4
MARGIN = 2
FWHM_TO_SIGMA = 0.425
PARALLEL = 0.9
LEAST_SHOWN = 0.6

IndexArray = npt.NDArray[np.intp]
Offset = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class Box:
    """A box in the reference stack's own frame; arrays are (across its slices, second, first axis) at `LATTICE_MM`.

    `reference` holds the grey class of each of the stack's slices, (slices, rows, columns); `planes` is where on the
    lattice each slice lies; `moving` the grey classes of the other image on the lattice, wider by the search bound.
    `parallel` stacks are not shifted across their slices: information peaks wherever two slice grids coincide.
    """

    reference: IndexArray
    planes: IndexArray
    moving: IndexArray
    blocks: IndexArray
    reach: int
    bins: int
    parallel: bool


def box_frame(volume: Volume, site: Site, settings: AlignmentSettings) -> tuple[FloatArray, FloatArray]:
    """Return two unit vectors in a stack's slices and one across, as rows, and the box's half sizes along them."""
    anatomical = np.stack([site.axes.left, -site.axes.anterior, site.axes.cranial])
    half_mm = np.array([settings.half_width_mm, settings.half_depth_mm, settings.half_height_mm])
    along_normal = anatomical @ volume.normal_lps
    across = int(np.argmax(np.abs(along_normal)))
    first, second = (axis for axis in range(3) if axis != across)
    normal = volume.normal_lps * np.sign(along_normal[across])
    row = geometry.perpendicular(anatomical[first], normal)
    column = geometry.perpendicular(geometry.perpendicular(anatomical[second], normal), row)
    return np.stack([row, column, normal]), half_mm[[first, second, across]]


def cut_box(
    reference: Volume,
    moving: Volume,
    axes: FloatArray,
    half_mm: FloatArray,
    middle: FloatArray,
    settings: AlignmentSettings,
) -> Box | None:
    """Cut the box out of both images; None where either shows too little of it."""
    if not _shows(moving, middle, axes, half_mm):
        return None
    places = _slice_places(reference, middle, axes[2], float(half_mm[2]))
    if len(places) < settings.least_slices:
        return None
    reach = round(settings.bound_mm / LATTICE_MM) + MARGIN
    counts = np.rint(half_mm / LATTICE_MM).astype(int)
    inner = [_lattice(count) for count in counts]
    outer = [_lattice(count + reach) for count in counts]
    fixed = _read(reference, middle, axes, (inner[0], inner[1], places))
    moved = _read(moving, middle, axes, (outer[0], outer[1], outer[2]))
    if fixed is None or moved is None:
        return None
    for axis in range(2):
        fixed = ndimage.gaussian_filter1d(fixed, _blur(moving, axes[axis]), axis=2 - axis)
    moved = ndimage.gaussian_filter1d(moved, _blur(reference, axes[2]), axis=0)
    return Box(
        reference=_classes(fixed, settings.grey_bins),
        planes=np.rint(places / LATTICE_MM).astype(np.intp) + int(counts[2]) + reach,
        moving=_classes(moved, settings.grey_bins),
        blocks=_blocks(fixed.shape),
        reach=reach,
        bins=settings.grey_bins,
        parallel=are_parallel(reference, moving),
    )


def are_parallel(first: Volume, second: Volume) -> bool:
    """Return whether the slices of two stacks lie nearly alike, so that neither tells of shifts across the other's."""
    return abs(float(first.normal_lps @ second.normal_lps)) > PARALLEL


def _shows(volume: Volume, middle: FloatArray, axes: FloatArray, half_mm: FloatArray) -> bool:
    """Return whether an image shows two thirds of a box, from a coarse grid of points."""
    steps = np.stack(np.meshgrid(*[np.linspace(-1.0, 1.0, 7)] * 3, indexing="ij"), axis=-1)
    inside = geometry.contains(volume, middle + (steps * half_mm) @ axes)
    return float(np.mean(inside)) >= LEAST_SHOWN


def _lattice(count: int) -> FloatArray:
    return np.asarray(np.arange(-count, count + 1) * LATTICE_MM, dtype=np.float64)


def _slice_places(volume: Volume, middle: FloatArray, normal: FloatArray, reach_mm: float) -> FloatArray:
    count = volume.values_zyx.shape[0]
    corners = volume.voxel_to_lps[:3, 3] + np.arange(count)[:, None] * volume.voxel_to_lps[:3, 2]
    places = np.sort((corners - middle) @ normal)
    return np.asarray(places[np.abs(places) <= reach_mm])


def _read(
    volume: Volume, middle: FloatArray, axes: FloatArray, grid: tuple[FloatArray, FloatArray, FloatArray]
) -> FloatArray | None:
    """Sample an image on (third, second, first axis) positions; None where too many lie outside it."""
    first, second, across = grid
    points = (
        middle
        + across[:, None, None, None] * axes[2]
        + second[None, :, None, None] * axes[1]
        + first[None, None, :, None] * axes[0]
    )
    values = geometry.sample(volume, points)
    absent = ~np.isfinite(values)
    if float(absent.mean()) > 1.0 - LEAST_SHOWN:
        return None
    return np.where(absent, float(np.median(values[~absent])), values)


def _blur(volume: Volume, direction: FloatArray) -> float:
    """Return the blur, in lattice steps, that a stack's slice thickness puts along a direction."""
    across = abs(float(volume.normal_lps @ direction))
    return FWHM_TO_SIGMA * volume.spacing_mm[2] * across / LATTICE_MM + 0.3


def _classes(values: FloatArray, bins: int) -> IndexArray:
    """Sort signal into equally filled grey classes."""
    edges = np.quantile(values, np.linspace(0.0, 1.0, bins + 1)[1:-1])
    return np.searchsorted(edges, values).astype(np.intp)


def _blocks(shape: tuple[int, ...]) -> IndexArray:
    """Number the quarters of a box's slices."""
    _, row, column = np.indices(shape)
    return np.asarray(2 * (row >= shape[1] // 2) + (column >= shape[2] // 2), dtype=np.intp)


def neighbours(centre: Offset, box: Box, step: int) -> Iterator[Offset]:
    """Yield the shifts within a step of one, those across the slices only where they can be told."""
    spans = [range(max(at - step, -box.reach), min(at + step, box.reach) + 1) for at in centre]
    across = (centre[2],) if box.parallel else spans[2]
    return ((i, j, k) for i in spans[0] for j in spans[1] for k in across)


def _joint_counts(
    box: Box, own: IndexArray, offsets: Sequence[Offset], size: int, thin: int
) -> list[IndexArray]:
    """Return, for each shift, how often each cell of the reference's table meets each class of the moving image."""
    rows, columns = box.reference.shape[1:]
    start = [[box.reach + max(-box.reach, min(at, box.reach)) for at in offset] for offset in offsets]
    slabs = {plane: box.moving[box.planes + plane - box.reach] for plane in {place[2] for place in start}}
    counts = []
    for column, row, plane in start:
        moved = slabs[plane][:, row : row + rows : thin, column : column + columns : thin]
        counts.append(np.bincount((own + moved).ravel(), minlength=size))
    return counts


def information(box: Box, offsets: Sequence[Offset], thin: int) -> dict[Offset, float]:
    """Return how much both images tell of each other at each shift, in nats."""
    own = box.reference[:, ::thin, ::thin] * box.bins
    counts = _joint_counts(box, own, offsets, box.bins**2, thin)
    tables = np.array(counts).reshape(len(offsets), box.bins, box.bins)
    return dict(zip(offsets, (float(value) for value in _mutual(tables)), strict=True))


def block_information(box: Box, offsets: Sequence[Offset]) -> FloatArray:
    """Return the same for each quarter of the box on its own, shape (offsets, quarters)."""
    thin = BLOCK_THINNING
    own = (box.blocks * box.bins + box.reference)[:, ::thin, ::thin] * box.bins
    counts = _joint_counts(box, own, offsets, BLOCKS * box.bins**2, thin)
    return _mutual(np.array(counts).reshape(len(offsets), BLOCKS, box.bins, box.bins))


def _mutual(counts: IndexArray) -> FloatArray:
    """Return the mutual information of tables of joint counts, shape (..., classes, classes), in nats."""
    share = counts / counts.sum(axis=(-2, -1), keepdims=True)
    apart = share.sum(axis=-1, keepdims=True) * share.sum(axis=-2, keepdims=True)
    seen = share > 0
    ratio = np.divide(share, apart, out=np.ones_like(share), where=seen)
    return np.asarray(np.sum(share * np.log(ratio), axis=(-2, -1)), dtype=np.float64)
