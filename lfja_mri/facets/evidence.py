"""What an axial slice says about where a joint line may run: a map per direction, higher is more like a joint.

A joint line on a cut across it is a thin grey or bright line (cartilage, fluid) between two dark ones (subchondral
bone) with the brighter marrow of the two processes outside. Where fat is suppressed the marrow is dark and only the
bright line remains. The maps come from smoothed copies of the slice, moved across each direction; in the
frequency domain a smoothed and moved copy is one multiplication. Two widths are tried, a joint and a joint full of fluid.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import fft

from lfja_mri.model import FloatArray

DIRECTION_STEP_DEG = 12.0
FIRST_DIRECTION_DEG = -36.0
DIRECTION_COUNT = 14
PIXEL_MM = 0.6
ALONG_SMOOTHING_MM = 1.6
NARROW = ((0.0, 0.4), (1.6, 0.5), (-1.6, 0.5), (4.6, 1.0), (-4.6, 1.0))
WIDE = ((0.0, 0.8), (2.9, 0.6), (-2.9, 0.6), (5.9, 1.0), (-5.9, 1.0))
"""Copies as (mm moved, mm smoothed): the line, what flanks it, the marrow outside."""
SOFT_MINIMUM = 0.7
PADDING_MM = 9.0
LEAST_MARROW = 0.6
"""Marrow this far above the darkest signal, in robust ranges of the patch, gives a full band."""

Widths = tuple[tuple[float, float], ...]
ComplexArray = npt.NDArray[np.complex64]


@dataclass(frozen=True)
class Weights:
    """How much the dark band between bright marrow counts, and the bright line within it.

    `closed` weighs a joint so narrow that its dark pair has become one line. `fluid` says whether fluid is bright, so that a wide bright line may be a joint full of it; on T1 it would be fat.
    """

    band: float
    line: float
    closed: float
    fluid: bool


def direction_index(angle_deg: FloatArray) -> npt.NDArray[np.intp]:
    """Return the map whose direction is nearest to a tangent's angle from the sagittal plane."""
    index = np.rint((np.asarray(angle_deg) - FIRST_DIRECTION_DEG) / DIRECTION_STEP_DEG)
    return np.clip(index, 0, DIRECTION_COUNT - 1).astype(np.intp)


def evidence_maps(patch: FloatArray, weights: Weights) -> FloatArray:
    """Return how much each pixel looks like a joint line in each direction.

    Parameters
    ----------
    patch
        Signal of one side, rows backwards, columns outwards from the midline, `PIXEL_MM` apart.

    Returns
    -------
    Shape (DIRECTION_COUNT, rows, columns); about 0 for no joint and 1 for a clear one.
    """
    rows, columns = patch.shape
    middle = float(np.median(patch))
    scale = float(np.percentile(patch, 85) - np.percentile(patch, 5))
    if scale <= 0:
        return np.zeros((DIRECTION_COUNT, rows, columns))
    shape = _padded(rows), _padded(columns)
    widths = (*NARROW, *WIDE) if weights.fluid else NARROW
    signal = (patch - middle) / scale
    spectrum = fft.rfft2(signal.astype(np.float32), s=shape)
    darkest = float(np.percentile(signal, 2))
    maps = np.empty((DIRECTION_COUNT, rows, columns))
    for direction, transfer in enumerate(_transfer(*shape, widths)):
        # one direction at a time stays in the processor's cache: all at once take twice as long
        copies = fft.irfft2(spectrum * transfer, s=shape, axes=(-2, -1))[..., :rows, :columns]
        maps[direction] = _likeness(copies[: len(NARROW)], weights, darkest)
        if weights.fluid:
            np.maximum(maps[direction], _fluid_likeness(copies[len(NARROW) :]), out=maps[direction])
    return maps


def _likeness(copies: npt.NDArray[np.float32], weights: Weights, darkest: float) -> FloatArray:
    """Return the likeness to a joint from the line, its two flanks and the marrow outside them."""
    line, flank_out, flank_in, marrow_out, marrow_in = copies
    flanks = 0.5 * (flank_out + flank_in)
    lower, higher = np.minimum(marrow_out, marrow_in), np.maximum(marrow_out, marrow_in)
    marrow = SOFT_MINIMUM * lower + (1.0 - SOFT_MINIMUM) * higher
    contrast = np.maximum(marrow - darkest, LEAST_MARROW)
    band = np.clip(1.2 * (marrow - np.maximum(flank_out, flank_in)) / contrast, -0.5, 1.2)
    closed = np.clip(1.2 * (marrow - line) / contrast, -0.5, 1.2)
    bright = np.clip(4.0 * (line - flanks), -0.5, 1.2)
    opened = weights.band * band + weights.line * bright
    return np.asarray(np.maximum(opened, weights.closed * closed), dtype=np.float64)


def _fluid_likeness(copies: npt.NDArray[np.float32]) -> FloatArray:
    """Return the likeness to a joint full of fluid: a wide line clearly brighter than the marrow on both sides.

    A process seen edge on is a wide bright line between dark ones too, but no brighter than its neighbours.
    """
    line, flank_out, flank_in, marrow_out, marrow_in = copies
    over_marrow = line - np.maximum(marrow_out, marrow_in)
    over_flanks = line - np.maximum(flank_out, flank_in)
    return np.asarray(np.clip(2.0 * np.minimum(over_marrow, 0.5 * over_flanks), -0.5, 1.0), dtype=np.float64)


def _padded(count: int) -> int:
    return int(fft.next_fast_len(count + round(PADDING_MM / PIXEL_MM), real=True))


@lru_cache(maxsize=8)
def _transfer(rows: int, columns: int, widths: Widths) -> ComplexArray:
    """Return the frequency responses, shape (directions, copies, rows, columns // 2 + 1)."""
    back = np.asarray(2.0 * np.pi * np.fft.fftfreq(rows, PIXEL_MM)[:, None], dtype=np.float64)
    out = np.asarray(2.0 * np.pi * np.fft.rfftfreq(columns, PIXEL_MM)[None, :], dtype=np.float64)
    angles = np.deg2rad(FIRST_DIRECTION_DEG + DIRECTION_STEP_DEG * np.arange(DIRECTION_COUNT))
    responses = [[_response(angle, back, out, *copy) for copy in widths] for angle in angles]
    return np.asarray(responses, dtype=np.complex64)


def _response(
    angle: float, back: FloatArray, out: FloatArray, offset_mm: float, smoothing_mm: float
) -> ComplexArray:
    """Return a copy's response: smoothed along and across the direction, read `offset_mm` towards the superior process."""
    along = np.sin(angle) * out + np.cos(angle) * back
    across = np.cos(angle) * out - np.sin(angle) * back
    smooth = np.exp(-0.5 * ((ALONG_SMOOTHING_MM * along) ** 2 + (smoothing_mm * across) ** 2))
    return np.asarray(smooth * np.exp(1j * across * offset_mm), dtype=np.complex64)
