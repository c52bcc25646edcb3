"""What the pixels say of a contrast: skin fat against the brightest long structure inside the body (the CSF)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lfja_mri.config import IngestSettings
from lfja_mri.geometry import unit
from lfja_mri.model import BoolArray, FloatArray, ImageArray, Plane

WORKING_PIXEL_MM = 1.5
SKIN_DEPTHS_MM = (1.5, 18.0)
FLUID_DEPTH_MM = 30.0


@dataclass(frozen=True)
class Cues:
    """Signals of one plane, each as a share of the plane's bright end.

    Parameters
    ----------
    skin_fat
        Upper quartile of the band under the skin of the back, median over rows.
    fluid_path
        Median along the brightest path from top to bottom, deeper than the skin.
    typical
        Median of the body.
    """

    skin_fat: float
    fluid_path: float
    typical: float

    @property
    def fat_to_fluid(self) -> float:
        """Skin fat over the brightest inner path: under 1 where fat is suppressed, over 1 in T1."""
        return self.skin_fat / max(self.fluid_path, 1e-6)


def measure_cues(plane_yx: ImageArray, spacing_mm: tuple[float, float]) -> Cues | None:
    """Measure a sagittal plane given with the head up and the back on the right; None where no body is seen."""
    image = _working_image(plane_yx, spacing_mm)
    body = image > 0.06
    edge = _back_edge(body)
    width = image.shape[1]
    rows = [row for row in range(image.shape[0] // 10, image.shape[0] * 9 // 10) if edge[row] > 0.4 * width]
    near, deep = (int(depth / WORKING_PIXEL_MM) for depth in SKIN_DEPTHS_MM)
    bands = [image[row, max(edge[row] - deep, 0) : edge[row] - near + 1] for row in rows]
    if len(bands) < image.shape[0] // 4:
        return None
    fat = float(np.median([np.percentile(band, 75) for band in bands]))
    return Cues(fat, _bright_path(image, edge), float(np.median(image[body])))


def upright(plane_yx: ImageArray, voxel_to_lps: FloatArray) -> tuple[ImageArray, bool]:
    """Turn a sagittal plane so that its rows run from head to feet and its columns from front to back.

    Returns
    -------
    The turned plane, and whether rows and columns changed places.
    """
    axes = np.stack([unit(voxel_to_lps[:3, 0]), unit(voxel_to_lps[:3, 1])])
    swapped = bool(abs(axes[0, 2]) > abs(axes[1, 2]))
    turned = plane_yx.T if swapped else plane_yx
    across, down = (axes[1], axes[0]) if swapped else (axes[0], axes[1])
    if down[2] > 0:
        turned = turned[::-1]
    return (turned[:, ::-1] if across[1] < 0 else turned), swapped


def lying(plane_yx: ImageArray, voxel_to_lps: FloatArray) -> tuple[ImageArray, bool]:
    """Turn an axial plane so that its columns run from front to back (its rows then run across the body)."""
    axes = np.stack([unit(voxel_to_lps[:3, 0]), unit(voxel_to_lps[:3, 1])])
    swapped = bool(abs(axes[1, 1]) > abs(axes[0, 1]))
    turned = plane_yx.T if swapped else plane_yx
    across = axes[1] if swapped else axes[0]
    return (turned[:, ::-1] if across[1] < 0 else turned), swapped


def cues_of(plane_yx: ImageArray, voxel_to_lps: FloatArray, plane: Plane) -> Cues | None:
    """Measure a plane of any direction that shows the back."""
    if plane is Plane.CORONAL:
        return None
    turned, swapped = (upright if plane is Plane.SAGITTAL else lying)(plane_yx, voxel_to_lps)
    steps = np.linalg.norm(voxel_to_lps[:3, :2], axis=0)
    down, across = (steps[0], steps[1]) if swapped else (steps[1], steps[0])
    return measure_cues(turned, (float(down), float(across)))


def fat_is_dark(cues: Cues, settings: IngestSettings) -> tuple[bool, float]:
    """Return whether fat is suppressed, and how sure that is (0.5-1)."""
    distance = np.log(cues.fat_to_fluid / settings.suppressed_fat_to_fluid)
    share = 1.0 / (1.0 + np.exp(-4.0 * distance))
    return bool(share < 0.5), float(max(share, 1 - share))


def _working_image(plane_yx: ImageArray, spacing_mm: tuple[float, float]) -> FloatArray:
    from scipy import ndimage

    zoom = (spacing_mm[0] / WORKING_PIXEL_MM, spacing_mm[1] / WORKING_PIXEL_MM)
    image = ndimage.gaussian_filter(plane_yx.astype(np.float64), [0.35 / step for step in zoom])
    image = ndimage.zoom(image, zoom, order=1)
    low, high = np.percentile(image, [2, 99.5])
    scaled: FloatArray = np.clip((image - low) / max(high - low, 1e-9), 0, 1)
    return scaled


def _back_edge(body: BoolArray) -> list[int]:
    from scipy import ndimage

    solid = ndimage.binary_opening(body, np.ones((1, 3), dtype=bool))
    return [int(np.flatnonzero(row)[-1]) if row.any() else -1 for row in solid]


def _bright_path(image: FloatArray, edge: list[int]) -> float:
    """Median signal of the brightest path from the top row to the bottom row, one column a row at most."""
    from scipy import ndimage

    height, width = image.shape
    cost = np.full(image.shape, -1e9)
    for row in range(height):
        start, stop = width // 4, min(edge[row] - int(FLUID_DEPTH_MM / WORKING_PIXEL_MM), width * 17 // 20)
        if stop <= start:
            start, stop = width * 3 // 10, width * 7 // 10
        cost[row, start:stop] = image[row, start:stop]
    total = cost.copy()
    for row in range(1, height):
        total[row] += ndimage.maximum_filter1d(total[row - 1], 3)
    column = int(np.argmax(total[-1]))
    values = [image[-1, column]]
    for row in range(height - 2, -1, -1):
        near = range(max(column - 1, 0), min(column + 2, width))
        column = max(near, key=lambda place, line=total[row]: float(line[place]))  # type: ignore[misc]
        values.append(image[row, column])
    return float(np.median(values))
