"""From a sagittal volume to tissue probabilities: canonical slices, then the shipped network, on CPU.

Canonical slices run cranial to caudal down the rows and anterior to posterior along the columns, whatever the
array order was; the grid and the classes come from the sidecar beside the weights.
"""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache, partial
from importlib import resources
from pathlib import Path

import numpy as np
import onnxruntime
from scipy import ndimage

from lfja_mri.errors import GeometryError, LevelsError, Reason
from lfja_mri.geometry import apply, perpendicular, unit
from lfja_mri.model import BoolArray, FloatArray, ImageArray, Volume
from lfja_mri.threads import allowed_threads, of_each

POSTERIOR_LPS = np.array([0.0, 1.0, 0.0])
CAUDAL_LPS = np.array([0.0, 0.0, -1.0])
WEIGHTS = "spine_unet.onnx"
SEGMENT_CLASSES = ("body", "s1", "s2")  # what lies between discs
WIDEST_PIXEL_MM = 3.0
BLUR_MM = 0.45  # the training images were averaged over three pixels of 0.47 mm before they were resampled


@dataclass(frozen=True, eq=False)
class Segmentation:
    """Tissue probabilities of one image on its canonical grid.

    Parameters
    ----------
    shares
        Float32, shape (classes, planes, rows, columns); sums to one over the classes.
    voxel_to_lps
        4x4; (column, row, plane) to LPS mm; columns run to the back, rows to the feet.
    classes
        Name of each class.
    """

    shares: ImageArray
    voxel_to_lps: FloatArray
    classes: tuple[str, ...]

    def share(self, name: str) -> ImageArray:
        """Probability of one class, shape (planes, rows, columns)."""
        return self.shares[self.classes.index(name)]

    @property
    def lps_to_voxel(self) -> FloatArray:
        """4x4 map from LPS mm to (column, row, plane)."""
        return np.asarray(np.linalg.inv(self.voxel_to_lps), dtype=np.float64)

    @property
    def voxel_mm3(self) -> float:
        """Volume of a voxel of the canonical grid."""
        return float(abs(np.linalg.det(self.voxel_to_lps[:3, :3])))


@dataclass(frozen=True)
class Weights:
    """The loaded network and what its sidecar says."""

    session: onnxruntime.InferenceSession
    classes: tuple[str, ...]
    grid_mm: float
    multiple: int
    sha256: str


@lru_cache(maxsize=1)
def load_weights() -> Weights:
    """Open the shipped network once per process; a slice is one thread's work, see `segment`.

    Raises
    ------
    LevelsError
        The weights are absent from the installation or differ from their digest.
    """
    folder = Path(str(resources.files("lfja_mri.levels") / "weights"))
    try:
        content = (folder / WEIGHTS).read_bytes()
        sidecar = json.loads((folder / WEIGHTS).with_suffix(".json").read_text(encoding="utf-8"))
    except OSError as error:
        raise LevelsError(
            f"the network {WEIGHTS} is missing from this installation; install the wheel again"
        ) from error
    digest = hashlib.sha256(content).hexdigest()
    if digest != sidecar["sha256"]:
        raise LevelsError(f"the network {WEIGHTS} does not match its digest; install the wheel again")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return Weights(
        session, tuple(sidecar["classes"]), float(sidecar["grid_mm"]), int(sidecar["multiple"]), digest
    )


def sagittal_order(volume: Volume) -> Volume:
    """Return the volume with its array turned so that the plane axis is the one nearest to left-right.

    Raises
    ------
    GeometryError
        The other two axes are too coarse to be looked at as a sagittal image.
    """
    steps = volume.voxel_to_lps[:3, :3] / volume.spacing_mm
    plane_axis = int(np.argmax(np.abs(steps[0])))
    others = [axis for axis in range(3) if axis != plane_axis]
    if volume.spacing_mm[others].max() > WIDEST_PIXEL_MM:
        raise GeometryError("no fine sagittal plane in this stack", reason=Reason.NO_SAGITTAL_SERIES)
    order = [*others, plane_axis]
    affine = volume.voxel_to_lps[:, [*order, 3]]
    values = np.transpose(volume.values_zyx, [2 - axis for axis in reversed(order)])
    return Volume(values, affine, volume.slice_thickness_mm)


@dataclass(frozen=True, eq=False)
class CanonicalGrid:
    """Where canonical pixels lie: rows and columns of one plane, the same in every plane of the stack."""

    voxel_to_lps: FloatArray
    shape: tuple[int, int]


def canonical_grid(volume: Volume, grid_mm: float, multiple: int) -> CanonicalGrid:
    """Lay a grid of `grid_mm` pixels over a sagittal volume's planes, sides padded to a multiple."""
    columns, rows = volume.values_zyx.shape[2], volume.values_zyx.shape[1]
    normal = unit(np.cross(volume.voxel_to_lps[:3, 0], volume.voxel_to_lps[:3, 1]))
    posterior = perpendicular(POSTERIOR_LPS, normal)
    caudal = np.cross(normal, posterior)
    caudal = caudal * np.sign(caudal @ CAUDAL_LPS)
    corners = apply(
        volume.voxel_to_lps,
        np.array([[x, y, 0] for x in (-0.5, columns - 0.5) for y in (-0.5, rows - 0.5)]),
    )
    along, down = corners @ posterior, corners @ caudal
    base = volume.voxel_to_lps[:3, 3]
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1], affine[:3, 2] = (
        posterior * grid_mm,
        caudal * grid_mm,
        volume.voxel_to_lps[:3, 2],
    )
    affine[:3, 3] = (
        base
        + (along.min() + grid_mm / 2 - base @ posterior) * posterior
        + (down.min() + grid_mm / 2 - base @ caudal) * caudal
    )
    sides = [int(np.ceil(np.ptp(side) / grid_mm / multiple - 0.05)) * multiple for side in (down, along)]
    return CanonicalGrid(affine, (max(sides[0], multiple), max(sides[1], multiple)))


def canonical_slices(
    volume: Volume, grid: CanonicalGrid, planes: tuple[int, ...], threads: int = 1
) -> ImageArray:
    """Resample chosen planes onto the canonical grid; zero outside the image; shape (planes, rows, columns)."""
    to_voxel = volume.lps_to_voxel @ grid.voxel_to_lps
    matrix = np.array([[to_voxel[1, 1], to_voxel[1, 0]], [to_voxel[0, 1], to_voxel[0, 0]]])
    offset = to_voxel[[1, 0], 3]
    sigma = [BLUR_MM / volume.spacing_mm[1], BLUR_MM / volume.spacing_mm[0]]
    floor = float(np.percentile(volume.values_zyx, 1))

    def resampled(plane: int) -> ImageArray:
        smooth = ndimage.gaussian_filter(volume.values_zyx[plane] - floor, sigma, truncate=3)
        return np.asarray(
            ndimage.affine_transform(
                smooth, matrix, offset, output_shape=grid.shape, order=1, mode="constant", cval=0.0
            ),
            dtype=np.float32,
        )

    return np.maximum(np.stack(of_each(resampled, planes, threads)), 0)


def standardise(slices: ImageArray) -> ImageArray:
    """Clip each slice at its 99.5th percentile, then zero mean and unit deviation, as in training."""
    top = np.quantile(slices, 0.995, axis=(1, 2), keepdims=True)
    clipped = np.minimum(slices, top)
    mean = clipped.mean(axis=(1, 2), keepdims=True)
    deviation = np.maximum(clipped.std(axis=(1, 2), keepdims=True), 1e-4)
    return np.asarray((clipped - mean) / deviation, dtype=np.float32)


def chosen_planes(volume: Volume, closest_mm: float) -> tuple[int, ...]:
    """Every plane, or every n-th where planes lie closer than `closest_mm`."""
    step = max(1, round(closest_mm / float(volume.spacing_mm[2])))
    count = volume.values_zyx.shape[0]
    return tuple(range((count - 1) % step // 2, count, step))


def segment(volume: Volume, *, threads: int, closest_planes_mm: float) -> Segmentation:
    """Label every sagittal slice of a volume.

    Parameters
    ----------
    volume
        Any array order; the axis nearest to left-right is taken as the slice axis.
    threads
        Threads the network may use; fewer where the environment says so (`OMP_NUM_THREADS`), as in a worker.
    closest_planes_mm
        Planes closer together than this are thinned out.

    Returns
    -------
    Probabilities on the canonical grid.
    """
    weights = load_weights()
    turned = sagittal_order(volume)
    grid = canonical_grid(turned, weights.grid_mm, weights.multiple)
    planes = chosen_planes(turned, closest_planes_mm)
    slices = standardise(canonical_slices(turned, grid, planes, threads))
    shares = np.empty((len(weights.classes), *slices.shape), np.float32)
    # a slice a thread: two threads within one slice wait for each other, a third of their time
    with ThreadPoolExecutor(allowed_threads(threads)) as pool:
        for place, share in enumerate(pool.map(partial(_probabilities, weights), slices)):
            shares[:, place] = share
    affine = grid.voxel_to_lps.copy()
    affine[:3, 3] += planes[0] * affine[:3, 2]
    affine[:3, 2] *= planes[1] - planes[0] if len(planes) > 1 else 1
    return Segmentation(shares, affine, weights.classes)


def _probabilities(weights: Weights, one_slice: ImageArray) -> ImageArray:
    """Softmax of the logits of a slice, shape (classes, rows, columns)."""
    logits = weights.session.run(None, {"image": one_slice[None, None]})[0][0]
    logits -= logits.max(axis=0, keepdims=True)
    power = np.exp(logits, out=logits)
    power /= power.sum(axis=0, keepdims=True)
    return np.asarray(power)


def read_share(field: Segmentation, name: str, points_lps_mm: FloatArray) -> FloatArray:
    """Probability of a class at LPS points (N, 3); zero outside."""
    index = apply(field.lps_to_voxel, points_lps_mm)[:, ::-1].T
    return np.asarray(ndimage.map_coordinates(field.share(name), index, order=1, mode="constant", cval=0.0))


def read_bone(field: Segmentation, points_lps_mm: FloatArray) -> FloatArray:
    """Probability of vertebral body or sacrum at LPS points (N, 3)."""
    return np.asarray(sum(read_share(field, name, points_lps_mm) for name in SEGMENT_CLASSES))


def inside(field: Segmentation, points_lps_mm: FloatArray, margin: float = 0.5) -> BoolArray:
    """Tell which LPS points (N, 3) lie inside the canonical grid, or up to a margin (in voxels) beyond voxel centres."""
    index = apply(field.lps_to_voxel, points_lps_mm)
    shape = np.array(field.shares.shape[:0:-1])
    return np.asarray(np.all((index >= -margin) & (index <= shape - 1 + margin), axis=1))


def inside_share(field: Segmentation, points_lps_mm: FloatArray) -> float:
    """Share of LPS points that lie inside the canonical grid's planes and pixels."""
    return float(np.mean(inside(field, points_lps_mm)))


def largest_part(mask: BoolArray) -> BoolArray:
    """Largest connected part of a mask."""
    labels, count = ndimage.label(mask)
    if count < 2:
        return mask
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return np.asarray(labels == int(np.argmax(sizes)))
