"""How far a joint reaches, up and down and from tip to tip, read on its own surface.

Both are fits of one model: an articular surface is an ellipse, evidence of a joint lies inside it and none outside, and
anatomy says how large and where it is likely to be. Axial slices are thick, so a slice at the edge counts by its share.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from lfja_mri.facets.frames import JointShape
from lfja_mri.model import FloatArray
from lfja_mri.settings.facets import RefineSettings

HEIGHT_CANDIDATES_MM = np.arange(-6.0, 6.01, 0.5)
HEIGHT_SHARES = np.arange(0.76, 1.25, 0.06)
MIDDLE_CANDIDATES_MM = np.arange(-4.0, 4.01, 0.5)
LENGTH_SHARES = np.arange(0.7, 1.36, 0.05)
SLICE_EDGE = 0.25
BESIDE_EDGE_MM = 0.4
CLEAR_ABOVE = 0.25
SEEN_HEIGHT_SHARE = 0.7
MIDDLE_SHARE = 0.3
CORE_MM, FLANK_MM = 0.9, (0.4, 3.2)
PEAK_SEEN = (0.12, 0.30)
"""A line this far above its dark flanks, in robust ranges of the signal, begins to tell and tells fully."""


@dataclass(frozen=True, eq=False)
class HeightProfile:
    """Evidence along a joint's height from sagittal slices; heights in mm above the expected middle."""

    heights_mm: FloatArray
    evidence: FloatArray


@dataclass(frozen=True, eq=False)
class Sheet:
    """What axial slices show on the joint's surface: arrays (slices, places along the line).

    Parameters
    ----------
    heights_mm
        Of the slices above the joint's middle.
    along_mm
        Of the places, from the middle of the arc towards the posterolateral tip.
    evidence
        Likeness to a joint line between marrow.
    profiles
        Signal across the line, shape (slices, places, offsets), at `across_mm`.
    """

    heights_mm: FloatArray
    along_mm: FloatArray
    evidence: FloatArray
    profiles: FloatArray
    across_mm: FloatArray


def fit_height(
    slices: HeightProfile, beside: HeightProfile | None, shape: JointShape, settings: RefineSettings
) -> tuple[float, float]:
    """Return how far above its expected place the middle of a joint lies, and how tall the joint is.

    Parameters
    ----------
    slices
        The score of each axial slice; beyond the stack's ends nothing is said.
    beside
        Evidence of sagittal slices, whose ends are far sharper; used as far as they show the joint at all.

    Both are means over what is likely: slices are thicker than the ends are sharp, and the single likeliest place jumps
    from slice to slice.
    """
    middle = HEIGHT_CANDIDATES_MM[:, None]
    half = 0.5 * shape.height_mm * HEIGHT_SHARES[None, :]
    total = -0.5 * (middle / settings.height_sd_mm) ** 2
    total = total - 0.5 * ((HEIGHT_SHARES[None, :] - 1.0) / settings.height_sd_share) ** 2
    heights = slices.heights_mm
    pitch = float(np.median(np.diff(heights))) if len(heights) > 1 else shape.height_mm
    inside = _inside(heights, middle, half, SLICE_EDGE * pitch)
    total = total + settings.height_gain * pitch * (inside @ (slices.evidence - settings.present_score))
    if beside is not None:
        step = float(beside.heights_mm[1] - beside.heights_mm[0])
        inside = _inside(beside.heights_mm, middle, half, BESIDE_EDGE_MM)
        gain = settings.beside_gain * step * _visibility(beside, shape, settings)
        total = total + gain * (inside @ (beside.evidence - settings.beside_score))
    likely = np.exp(total - total.max())
    likely = likely / likely.sum()
    middle_mm = float(likely.sum(axis=1) @ HEIGHT_CANDIDATES_MM)
    return middle_mm, float(likely.sum(axis=0) @ HEIGHT_SHARES) * shape.height_mm


def _inside(heights: FloatArray, middle: FloatArray, half: FloatArray, edge_mm: float) -> FloatArray:
    """Return how far inside each (middle, half) each height lies, 0-1, shape (middles, halves, heights)."""
    past = np.abs(heights - middle[..., None]) - half[..., None]
    return np.asarray(1.0 / (1.0 + np.exp(np.clip(past / edge_mm, -30.0, 30.0))))


def _visibility(beside: HeightProfile, shape: JointShape, settings: RefineSettings) -> float:
    """Return 0-1 by whether sagittal slices show a line over most of a joint's height, or only spots."""
    count = max(round(SEEN_HEIGHT_SHARE * shape.height_mm / float(np.diff(beside.heights_mm[:2])[0])), 1)
    clear = ndimage.minimum_filter1d(ndimage.gaussian_filter1d(beside.evidence, 2.0), count)
    near = np.abs(beside.heights_mm) <= HEIGHT_CANDIDATES_MM[-1]
    return float(np.clip((clear[near].max() - settings.beside_score) / CLEAR_ABOVE, 0.0, 1.0))


def fit_tips(sheet: Sheet, shape: JointShape, settings: RefineSettings) -> tuple[float, float]:
    """Return the middle between the tips along the line, and the line's length, in mm.

    `shape.height_mm` is the height that was found. Where the line stands out between two darker ones its own contrast
    tells where it ends, else the likeness to a joint does, which fades more slowly.
    """
    worth = _worth(sheet, shape, settings)
    half = 0.5 * shape.length_mm * LENGTH_SHARES
    total = -0.5 * (MIDDLE_CANDIDATES_MM[:, None] / settings.tip_sd_mm) ** 2
    total = total - 0.5 * ((LENGTH_SHARES[None, :] - 1.0) / settings.length_sd_share) ** 2
    step = float(sheet.along_mm[1] - sheet.along_mm[0])
    count = len(sheet.heights_mm)
    pitch = float(np.median(np.diff(sheet.heights_mm))) if count > 1 else shape.height_mm
    gain = settings.tip_gain * step * pitch / shape.height_mm
    for height, row in zip(sheet.heights_mm, worth, strict=True):
        share = min(abs(2.0 * height / shape.height_mm), 1.0)
        if share > SEEN_HEIGHT_SHARE and count > 1:
            continue
        reach = np.sqrt(1.0 - share**2) * half
        past = np.abs(sheet.along_mm - MIDDLE_CANDIDATES_MM[:, None, None]) - reach[None, :, None]
        total = total + gain * (np.clip(0.5 - past, 0.0, 1.0) @ row)
    best = np.unravel_index(int(np.argmax(total)), total.shape)
    return float(MIDDLE_CANDIDATES_MM[best[0]]), float(LENGTH_SHARES[best[1]] * shape.length_mm)


def _worth(sheet: Sheet, shape: JointShape, settings: RefineSettings) -> FloatArray:
    """Return what each place is worth: above zero where it belongs to the joint."""
    peak = line_contrast(sheet)
    middle = np.abs(sheet.along_mm) < MIDDLE_SHARE * shape.length_mm
    near = np.abs(sheet.heights_mm) < MIDDLE_SHARE * shape.height_mm
    if not np.any(near):
        near = np.abs(sheet.heights_mm) == np.abs(sheet.heights_mm).min()
    plateau = float(np.median(peak[near][:, middle]))
    low, high = PEAK_SEEN
    seen = float(np.clip((plateau - low) / (high - low), 0.0, 1.0))
    by_line = np.clip(peak / max(plateau, low), 0.0, 1.0) - settings.tip_line_share
    return np.asarray((1.0 - seen) * (sheet.evidence - settings.tip_score) + seen * by_line)


def line_contrast(sheet: Sheet) -> FloatArray:
    """Return how far the line's signal lies above both dark flanks, in robust ranges of the signal."""
    low, high = np.percentile(sheet.profiles, [3.0, 88.0])
    signal = ndimage.gaussian_filter1d((sheet.profiles - low) / max(float(high - low), 1e-6), 1.0, axis=1)
    across = sheet.across_mm
    first, last = FLANK_MM
    inner = signal[..., (across <= -first) & (across >= -last)].min(axis=-1)
    outer = signal[..., (across >= first) & (across <= last)].min(axis=-1)
    line = signal[..., np.abs(across) <= CORE_MM].max(axis=-1)
    return np.asarray(line - np.maximum(inner, outer))
