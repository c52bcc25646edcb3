"""Discs and the end-plates that they leave on the vertebrae."""

from __future__ import annotations

import numpy as np

from lfja_mri.model import ImageArray
from lfja_mri.phantom.skeleton import DiscShape
from lfja_mri.phantom.tissue import Lattice, Part, Tissue, Window

BODY_POWER = 2.6
FUSED_MM = np.float32(0.35)  # so far fused bodies overlap, which leaves one thin dark line between them
WORN = 0.5
CORE_SHARE = 0.68  # of a disc's outline: its nucleus


def superellipse(first: ImageArray, second: ImageArray) -> ImageArray:
    """Return the radius of a rounded, slightly square outline."""
    power = np.float32(BODY_POWER)
    return np.asarray(
        (np.abs(first) ** power + np.abs(second) ** power) ** np.float32(1 / BODY_POWER), dtype=np.float32
    )


def _radius(a: ImageArray, b: ImageArray, disc: DiscShape, share: float) -> ImageArray:
    """Distance from a disc's axis: 1 at a share of its outline."""
    return superellipse(
        a / np.float32(share * disc.half_depth_mm), b / np.float32(share * disc.half_width_mm)
    )


def endplate_height(a: ImageArray, b: ImageArray, disc: DiscShape) -> ImageArray:
    """Half height of a disc: wedged open to the front and hollowed in the middle.

    Beside a sacral remnant the bones have grown together.
    """
    if disc.remnant_share < 1:
        radius = _radius(a, b, disc, disc.remnant_share)
        lens = np.clip(1 - radius * radius * radius, 0, 1)
        return np.asarray(np.float32(0.5 * disc.height_mm) * lens - FUSED_MM * (lens <= 0), dtype=np.float32)
    wedge = np.float32(np.tan(np.radians(disc.wedge_deg / 2)))
    hollow = np.float32(0.14 * disc.height_mm) * np.clip(
        1 - (a / np.float32(disc.half_depth_mm)) ** 2 - (b / np.float32(disc.half_width_mm)) ** 2, 0, 1
    )
    return np.asarray(np.float32(0.43 * disc.height_mm) + wedge * a + hollow, dtype=np.float32)


def endplate(window: Window, disc: DiscShape, sign: int) -> ImageArray:
    """Signed distance to the half space beyond an endplate: sign -1 keeps what lies below the disc."""
    a, b, u = window.local(disc.frame)
    return (endplate_height(a, b, disc) - sign * u).astype(np.float32)


def paint_disc(lattice: Lattice, disc: DiscShape) -> None:
    """Paint a disc: dark annulus around a nucleus that is smaller and darker where it is worn."""
    corners = [
        [a, b, c]
        for a in (-disc.half_depth_mm, disc.half_depth_mm)
        for b in (-disc.half_width_mm, disc.half_width_mm)
        for c in (-disc.height_mm, disc.height_mm)
    ]
    window = lattice.window_around(disc.frame.to_lps(np.array(corners)), 3.0)
    if window is None:
        return
    a, b, u = window.local(disc.frame)
    a = a - np.float32(disc.slip_mm / disc.height_mm) * np.clip(
        u, -0.5 * disc.height_mm, 0.5 * disc.height_mm
    )
    remnant = disc.remnant_share < 1
    radius = _radius(a, b, disc, disc.remnant_share if remnant else 1.03 + 0.04 * disc.degeneration)
    half = endplate_height(a, b, disc)
    inside = (radius < 1) & (np.abs(u) < half + np.float32(0.5))
    window.put(inside, Tissue.ANNULUS, Part.DISC)
    worn = disc.degeneration > WORN
    window.put(inside & (radius < 0.86), Tissue.WORN_NUCLEUS)
    core = _radius(a + np.float32(1.5), b, disc, CORE_SHARE * disc.remnant_share)
    spindle = 1 - np.float32(0.6) * np.minimum(core, 1) ** 2
    thick = np.abs(u) < half * spindle * np.float32(0.92 - 0.35 * disc.degeneration)
    if worn:
        window.put(inside & ((core > 1) | ~thick), Tissue.ANNULUS)
    else:
        window.put(inside & (core < 1) & thick, Tissue.NUCLEUS)
