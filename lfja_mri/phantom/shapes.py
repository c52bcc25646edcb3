"""Signed distances (mm, negative inside) to simple bodies, on coordinate arrays; nearly exact, which is enough here."""

from __future__ import annotations

import numpy as np

from lfja_mri.model import FloatArray, ImageArray
from lfja_mri.phantom.tissue import Local


def ellipsoid(local: Local, half_mm: tuple[float, float, float]) -> ImageArray:
    """Ellipsoid with half axes along the three coordinates."""
    reach = np.sqrt(sum((c / np.float32(h)) ** 2 for c, h in zip(local, half_mm, strict=True)))
    return ((reach - 1) * np.float32(min(half_mm))).astype(np.float32)


def rounded_box(local: Local, half_mm: tuple[float, float, float], radius_mm: float) -> ImageArray:
    """Box with rounded edges; half sizes include the rounding."""
    radius = min(radius_mm, *half_mm)
    over = [np.abs(c) - np.float32(h - radius) for c, h in zip(local, half_mm, strict=True)]
    outside = np.sqrt(sum(np.maximum(o, 0) ** 2 for o in over))
    inside = np.minimum(np.maximum(np.maximum(over[0], over[1]), over[2]), 0)
    return (outside + inside - np.float32(radius)).astype(np.float32)


def capsule(local: Local, start: FloatArray, end: FloatArray, radii_mm: tuple[float, float]) -> ImageArray:
    """Rod with round ends whose radius runs from the first to the second value."""
    step = np.asarray(end, dtype=np.float32) - np.asarray(start, dtype=np.float32)
    relative = [c - np.float32(s) for c, s in zip(local, start, strict=True)]
    along = sum(r * d for r, d in zip(relative, step, strict=True)) / np.float32(step @ step + 1e-6)
    along = np.clip(along, 0, 1)
    gap = np.sqrt(sum((r - along * d) ** 2 for r, d in zip(relative, step, strict=True)))
    return (gap - (radii_mm[0] + (radii_mm[1] - radii_mm[0]) * along)).astype(np.float32)


def smooth_union(first: ImageArray, second: ImageArray, blend_mm: float) -> ImageArray:
    """Union of two bodies with a fillet of about `blend_mm`."""
    gap = np.maximum(np.float32(blend_mm) - np.abs(first - second), 0)
    return (np.minimum(first, second) - gap * gap / np.float32(4 * blend_mm)).astype(np.float32)
