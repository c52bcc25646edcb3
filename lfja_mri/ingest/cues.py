"""What the pixels say of a contrast, without any segmentation: skin fat, and the brightest path that the CSF would take.

Profiles run from the skin of the back inwards. Skin fat is the signal a few millimetres below the skin. In a sagittal
plane the brightest path from head to feet at the depth of the canal is narrow and smooth where the CSF is bright, wide
and restless (marrow, fat) where it is dark. In an axial plane the brightest compact spot near the midline is set
against the muscles beside it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lfja_mri.ingest.back import PIXEL_MM, back_of
from lfja_mri.model import FloatArray, ImageArray, Plane
from lfja_mri.settings.ingest import IngestSettings

SKIN_FAT_MM = (3.0, 7.5)
THICK_FAT_PERCENTILE = 85
FASCIA_MARGIN_MM = 12.0
CANAL_MM = (36.0, 105.0)
DEEPEST_START_MM = 75.0
BEHIND_CANAL_MM = (10.5, 24.0)
SAC_MM = (39.0, 96.0)
SAC_HALF_WIDTH_MM = 22.5
MUSCLE_MM = (30.0, 70.5)
MUSCLE_ASIDE_MM = (28.5, 60.0)
SMALLEST = 1e-3


@dataclass(frozen=True)
class Cues:
    """Signals of one plane as shares of its bright end (99.5th percentile).

    Parameters
    ----------
    plane
        Sagittal or axial.
    skin_fat
        Signal just below the skin of the back.
    fluid
        Signal of the brightest path (sagittal) or compact spot (axial) at the depth of the canal.
    beside
        Signal of the tissue behind the path (sagittal), or of the muscles beside the canal (axial).
    width_mm
        Width of the path; 0 for an axial plane.
    roughness
        Standard deviation of the path's sideways steps, in pixels of 1.5 mm; 0 for an axial plane.
    """

    plane: Plane
    skin_fat: float
    fluid: float
    beside: float
    width_mm: float
    roughness: float

    @property
    def fat_to_fluid(self) -> float:
        """Skin fat over the brightest structure at the depth of the canal."""
        return self.skin_fat / max(self.fluid, SMALLEST)

    @property
    def fat_measure(self) -> float:
        """What tells suppressed fat: fat / sqrt(fluid) in sagittal planes, fat / sqrt(fluid x muscle) in axial ones."""
        muscle = 1.0 if self.plane is Plane.SAGITTAL else max(self.beside, SMALLEST)
        return self.skin_fat / math.sqrt(max(self.fluid, SMALLEST) * muscle)


def cues_of(plane_yx: ImageArray, voxel_to_lps: FloatArray, plane: Plane) -> Cues | None:
    """Measure one plane; None where it is coronal or shows no skin of the back.

    Parameters
    ----------
    plane_yx
        Pixels.
    voxel_to_lps
        4x4, (column, row, plane) to LPS mm.
    plane
        Anatomical direction of the plane.
    """
    back = None if plane is Plane.CORONAL else back_of(plane_yx, voxel_to_lps, plane)
    if back is None:
        return None
    return _sagittal_cues(back.profiles) if plane is Plane.SAGITTAL else _axial_cues(back.profiles)


def bright_path(plane_yx: ImageArray, plane_to_lps: FloatArray) -> FloatArray | None:
    """Return the brightest path of a sagittal plane at the depth of the canal, (N, 3) LPS mm; None if no back is seen."""
    back = back_of(plane_yx, plane_to_lps, Plane.SAGITTAL)
    if back is None:
        return None
    first, canal = _canal(back.profiles)
    if canal.shape[1] < 3:
        return None
    depths = first + np.array(_brightest_path(canal), dtype=np.float64)
    return back.skin_lps_mm + depths[:, None] * back.inwards_lps_mm


def middle_cues(found: Sequence[Cues]) -> Cues:
    """Return the median of each signal over several planes of one series."""
    fields = ("skin_fat", "fluid", "beside", "width_mm", "roughness")
    return Cues(
        found[0].plane, *(float(np.median([getattr(cues, name) for cues in found])) for name in fields)
    )


def fat_is_dark(cues: Cues, settings: IngestSettings) -> tuple[bool, float]:
    """Return whether fat is suppressed, and how sure that is (0.5-1)."""
    sagittal = cues.plane is Plane.SAGITTAL
    limit = settings.sagittal_dark_fat if sagittal else settings.axial_dark_fat
    bright = _logistic(settings.fat_steepness * math.log(max(cues.fat_measure, SMALLEST) / limit))
    return bright < 0.5, max(bright, 1 - bright)


def fluid_is_bright(cues: Cues, settings: IngestSettings) -> tuple[bool, float]:
    """Return whether the CSF is bright, and how sure that is (0.5-1)."""
    contrast = math.log(max(cues.fluid, SMALLEST) / max(cues.beside, SMALLEST))
    if cues.plane is Plane.SAGITTAL:
        width, behind, roughness, constant = settings.sagittal_fluid_weights
        score = (
            width * math.log(max(cues.width_mm, PIXEL_MM))
            + behind * contrast
            + roughness * cues.roughness
            + constant
        )
    else:
        score = settings.axial_fluid_steepness * (contrast - math.log(settings.axial_fluid_to_muscle))
    share = _logistic(score)
    return share > 0.5, max(share, 1 - share)


def _logistic(score: float) -> float:
    """Return a share that never claims certainty: 0.02-0.98."""
    return 1.0 / (1.0 + math.exp(-max(min(score, 3.9), -3.9)))


def _sagittal_cues(profiles: FloatArray) -> Cues | None:
    fat = _skin_fat(profiles[len(profiles) // 2 :])
    first, canal = _canal(profiles)
    if canal.shape[1] < 3:
        return None
    places = _brightest_path(canal)
    rows = np.arange(len(places))
    near, deep = (int(depth / PIXEL_MM) for depth in BEHIND_CANAL_MM)
    behind = [
        _median(profiles[row, max(0, first + place - deep) : max(1, first + place - near)])
        for row, place in zip(rows, places, strict=True)
    ]
    widths = [_width(profiles[row], first + place) for row, place in zip(rows, places, strict=True)]
    return Cues(
        plane=Plane.SAGITTAL,
        skin_fat=fat,
        fluid=_median(canal[rows, places]),
        beside=_median(np.array(behind)),
        width_mm=float(np.median(widths)),
        roughness=float(np.std(np.diff(places))),
    )


def _canal(profiles: FloatArray) -> tuple[int, FloatArray]:
    """Return the first depth at which the canal may lie, below any thick fat, and the signal from there on."""
    start = min(max(CANAL_MM[0], _fascia_mm(profiles) + FASCIA_MARGIN_MM), DEEPEST_START_MM)
    first = int(start / PIXEL_MM)
    return first, np.nan_to_num(profiles[:, first : int(CANAL_MM[1] / PIXEL_MM)], nan=-1.0)


def _window(profiles: FloatArray, depths_mm: tuple[float, float]) -> FloatArray:
    """Return the part of every profile between two depths."""
    near, deep = (int(depth / PIXEL_MM) for depth in depths_mm)
    return profiles[:, near:deep]


def _skin_fat(profiles: FloatArray) -> float:
    """Signal below the skin, of the rows where it is bright: in thin people most rows have hardly any fat."""
    layer = np.median(_window(profiles, SKIN_FAT_MM), axis=1)
    layer = layer[np.isfinite(layer)]
    return float(np.percentile(layer, THICK_FAT_PERCENTILE)) if layer.size else 0.0


def _fascia_mm(profiles: FloatArray) -> float:
    """Depth at which bright skin fat ends: three pixels in a row below half the skin's signal."""
    outer = np.nanmax(profiles[:, 1:8], axis=1, keepdims=True)
    low = np.nan_to_num(profiles, nan=0.0) < 0.5 * outer
    run = low[:, :-2] & low[:, 1:-1] & low[:, 2:]
    run[:, :2] = False
    return float(np.median(np.argmax(run, axis=1))) * PIXEL_MM


def _brightest_path(canal: FloatArray) -> list[int]:
    """Column by row of the path of greatest total signal that moves by one column a row at most."""
    from scipy import ndimage

    total = canal.copy()
    for row in range(1, len(total)):
        total[row] += ndimage.maximum_filter1d(total[row - 1], 3)
    column = int(np.argmax(total[-1]))
    path = [column]
    for row in range(len(total) - 2, -1, -1):
        start = max(column - 1, 0)
        column = start + int(np.argmax(total[row, start : column + 2]))
        path.append(column)
    return path[::-1]


def _width(profile: FloatArray, place: int) -> float:
    """Width in mm of the stretch around a place that keeps 60 % of its signal."""
    dark = np.flatnonzero(~(profile > 0.6 * profile[place]))
    before, after = dark[dark < place], dark[dark > place]
    start = int(before[-1]) + 1 if before.size else 0
    stop = int(after[0]) if after.size else profile.size
    return (stop - start) * PIXEL_MM


def _axial_cues(profiles: FloatArray) -> Cues | None:
    from scipy import ndimage

    middle = len(profiles) // 2
    aside, far = (int(width / PIXEL_MM) for width in MUSCLE_ASIDE_MM)
    far, half = min(far, middle), int(SAC_HALF_WIDTH_MM / PIXEL_MM)
    compact = ndimage.median_filter(np.nan_to_num(profiles), size=5)
    sac = _window(compact[middle - half : middle + half], SAC_MM)
    muscles = profiles[[*range(middle - far, middle - aside), *range(middle + aside, middle + far)]]
    if not sac.size or not muscles.size:
        return None
    return Cues(
        plane=Plane.AXIAL,
        skin_fat=_skin_fat(profiles[middle - far : middle + far]),
        fluid=float(np.percentile(sac, 97)),
        beside=_median(_window(muscles, MUSCLE_MM)),
        width_mm=0.0,
        roughness=0.0,
    )


def _median(values: FloatArray) -> float:
    """Median of the numbers among the values; 0 where there are none."""
    numbers = values[np.isfinite(values)]
    return float(np.median(numbers)) if numbers.size else 0.0
