"""How far a patient had moved between two series, at one level: a shift that makes the images tell most of each other.

Series of a study share scanner coordinates, yet people move 1 to 5 mm between them, differently from level to level.
The measure is mutual information (it does not mind different contrasts) in a box around the canal; the shift's
uncertainty comes from the shifts that quarters of the box would choose on their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from lfja_mri import geometry
from lfja_mri.config import AlignmentSettings
from lfja_mri.facets.frames import Site
from lfja_mri.model import FloatArray, Image, SeriesShift, StudyImages, Volume

LATTICE_MM = 1.0
COARSE_STEP = 2
COARSE_THINNING = 3
BLOCK_THINNING = 2
LEAST_UNCERTAINTY = 0.5
BLOCKS = 4
MARGIN = 2
FWHM_TO_SIGMA = 0.425
PARALLEL = 0.9
LEAST_SHOWN = 0.6

IndexArray = npt.NDArray[np.intp]
Offset = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class _Box:
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


def series_shift(reference: Image, moving: Image, site: Site, settings: AlignmentSettings) -> SeriesShift:
    """Return where structures of the reference image are seen in another image at a site's level.

    The shift is shrunk towards none by its own uncertainty; where it cannot be told it is none, and not `estimated`.
    """
    axes, half_mm = _frame(reference.volume, site, settings)
    box = _box(reference.volume, moving.volume, axes, half_mm, site.to_lps(site.canal_offset_mm), settings)
    found = None if box is None else _best_offset(box)
    if found is None:
        return _unknown(moving, site, settings)
    offset_mm, uncertainty_mm = found
    at_bound = bool(np.any(np.abs(offset_mm) > settings.bound_mm - 0.5))
    if at_bound or uncertainty_mm > settings.worst_uncertainty_mm:
        return _unknown(moving, site, settings)
    trust = settings.expected_sd_mm**2 / (settings.expected_sd_mm**2 + uncertainty_mm**2)
    return SeriesShift(moving.key, site.level, trust * offset_mm @ axes, uncertainty_mm, estimated=True)


def _unknown(moving: Image, site: Site, settings: AlignmentSettings) -> SeriesShift:
    return SeriesShift(moving.key, site.level, np.zeros(3), settings.expected_sd_mm, estimated=False)


def level_shifts(
    study: StudyImages, reference: Image, site: Site, settings: AlignmentSettings
) -> tuple[SeriesShift, ...]:
    """Return the shift of every other image of a study against the reference image at a site's level."""
    others = (image for image in study.images if image.key != reference.key)
    return tuple(series_shift(reference, image, site, settings) for image in others)


def _frame(volume: Volume, site: Site, settings: AlignmentSettings) -> tuple[FloatArray, FloatArray]:
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


def _box(
    reference: Volume,
    moving: Volume,
    axes: FloatArray,
    half_mm: FloatArray,
    middle: FloatArray,
    settings: AlignmentSettings,
) -> _Box | None:
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
    return _Box(
        reference=_classes(fixed, settings.grey_bins),
        planes=np.rint(places / LATTICE_MM).astype(np.intp) + int(counts[2]) + reach,
        moving=_classes(moved, settings.grey_bins),
        blocks=_blocks(fixed.shape),
        reach=reach,
        bins=settings.grey_bins,
        parallel=abs(float(reference.normal_lps @ moving.normal_lps)) > PARALLEL,
    )


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


def _best_offset(box: _Box) -> tuple[FloatArray, float]:
    """Return the shift along the box's axes in mm that tells most, and its uncertainty."""
    limit = box.reach - MARGIN
    coarse = range(-limit, limit + 1, COARSE_STEP)
    across = (0,) if box.parallel else coarse
    grid = [(i, j, k) for i in coarse for j in coarse for k in across]
    told = _information(box, grid, COARSE_THINNING)
    first = max(grid, key=lambda offset: (told[offset], offset))
    near = _information(box, list(_neighbours(first, box, 1)), 1)
    centre = max(near, key=lambda offset: (near[offset], offset))
    near |= _information(box, [offset for offset in _crosswise(centre) if offset not in near], 1)
    fine = np.array(centre, dtype=np.float64) + _parabola(near, centre, parallel=box.parallel)
    return fine * LATTICE_MM, _uncertainty_mm(box, centre)


def _uncertainty_mm(box: _Box, centre: Offset) -> float:
    """Return the standard error of a shift from what each quarter of the box would choose near it."""
    near = list(_neighbours(centre, box, COARSE_STEP))
    by_block = _block_information(box, near)
    choices = np.array(near, dtype=np.float64)[np.argmax(by_block, axis=0)]
    spread = float(np.sqrt(np.mean(np.var(choices, axis=0)) / (BLOCKS - 1)))
    return max(spread, LEAST_UNCERTAINTY) * LATTICE_MM


def _neighbours(centre: Offset, box: _Box, step: int) -> Iterator[Offset]:
    spans = [range(max(at - step, -box.reach), min(at + step, box.reach) + 1) for at in centre]
    across = (centre[2],) if box.parallel else spans[2]
    return ((i, j, k) for i in spans[0] for j in spans[1] for k in across)


def _crosswise(centre: Offset) -> tuple[Offset, ...]:
    i, j, k = centre
    return ((i - 1, j, k), (i + 1, j, k), (i, j - 1, k), (i, j + 1, k), (i, j, k - 1), (i, j, k + 1))


def _moved(box: _Box, offset: Offset, thin: int) -> IndexArray:
    rows, columns = box.reference.shape[1:]
    column, row, plane = (int(np.clip(at, -box.reach, box.reach)) for at in offset)
    column, row = box.reach + column, box.reach + row
    return box.moving[box.planes + plane, row : row + rows : thin, column : column + columns : thin]


def _information(box: _Box, offsets: Sequence[Offset], thin: int) -> dict[Offset, float]:
    """Return how much both images tell of each other at each shift, in nats."""
    own = box.reference[:, ::thin, ::thin] * box.bins
    size = box.bins**2
    counts = [np.bincount((own + _moved(box, offset, thin)).ravel(), minlength=size) for offset in offsets]
    tables = np.array(counts).reshape(len(offsets), box.bins, box.bins)
    return dict(zip(offsets, (float(value) for value in _mutual(tables)), strict=True))


def _block_information(box: _Box, offsets: Sequence[Offset]) -> FloatArray:
    """Return the same for each quarter of the box on its own, shape (offsets, quarters)."""
    thin = BLOCK_THINNING
    own = (box.blocks * box.bins + box.reference)[:, ::thin, ::thin] * box.bins
    size = BLOCKS * box.bins**2
    counts = [np.bincount((own + _moved(box, offset, thin)).ravel(), minlength=size) for offset in offsets]
    return _mutual(np.array(counts).reshape(len(offsets), BLOCKS, box.bins, box.bins))


def _mutual(counts: IndexArray) -> FloatArray:
    """Return the mutual information of tables of joint counts, shape (..., classes, classes), in nats."""
    share = counts / counts.sum(axis=(-2, -1), keepdims=True)
    apart = share.sum(axis=-1, keepdims=True) * share.sum(axis=-2, keepdims=True)
    seen = share > 0
    ratio = np.divide(share, apart, out=np.ones_like(share), where=seen)
    return np.asarray(np.sum(share * np.log(ratio), axis=(-2, -1)), dtype=np.float64)


def _parabola(values: dict[Offset, float], centre: Offset, *, parallel: bool) -> FloatArray:
    """Return the sub-lattice peak along each axis from a parabola through three neighbours."""
    beside = [values[offset] for offset in _crosswise(centre)]
    peaks = []
    for below, above in zip(beside[::2], beside[1::2], strict=True):
        bend = below - 2.0 * values[centre] + above
        peaks.append(0.0 if bend >= 0 else float(np.clip(0.5 * (below - above) / bend, -0.5, 0.5)))
    if parallel:
        peaks[2] = 0.0
    return np.array(peaks)
