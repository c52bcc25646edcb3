"""How wide a joint's space is, from bone to bone: the distance of the two dark subchondral lines, less their thickness.

The bright line between them is narrower than the space where cartilage is dark, as it is on T2 beside fluid.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from lfja_mri import geometry
from lfja_mri.facets.profile import cut_line
from lfja_mri.model import FloatArray, Image, JointFrame

ACROSS_MM = np.arange(-5.0, 5.01, 0.25)
MIDDLE_SHARE = (0.2, 0.8)
HEIGHT_SHARES = (-0.25, 0.0, 0.25)
PEAK_WITHIN_MM = 1.3
FLANK_WITHIN_MM = 4.0
LEAST_CONTRAST = 0.08


def measured_gap_mm(image: Image, frame: JointFrame, subchondral_mm: float) -> tuple[float, float] | None:
    """Return the width of a joint's space, the mean over its middle, and how far beside the line its middle lies.

    Parameters
    ----------
    subchondral_mm
        Thickness of the subchondral bone, in whose middle the signal is lowest.

    Returns
    -------
    mm between the bones, and mm along the frame's normal; None where no line stands out between two darker ones.
    """
    profile = _mean_profile(image, frame)
    if profile is None:
        return None
    near = np.abs(ACROSS_MM) <= PEAK_WITHIN_MM
    peak = int(np.flatnonzero(near)[np.argmax(profile[near])])
    front, back = _darkest(profile, peak, -1), _darkest(profile, peak, 1)
    contrast = float(profile[peak] - max(profile[front], profile[back]))
    if contrast < LEAST_CONTRAST * float(np.ptp(profile)) or contrast <= 0:
        return None
    first, last = _vertex_mm(profile, front), _vertex_mm(profile, back)
    return last - first - subchondral_mm, 0.5 * (first + last)


def _mean_profile(image: Image, frame: JointFrame) -> FloatArray | None:
    """Return the mean signal across the joint; None where it is not imaged."""
    places = _places(frame)
    directions = _across(frame)
    points = places[:, :, None] + ACROSS_MM[None, None, :, None] * directions[None, :, None]
    values = geometry.sample(image.volume, points).reshape(-1, len(ACROSS_MM))
    values = values[np.all(np.isfinite(values), axis=1)]
    return ndimage.gaussian_filter1d(values.mean(axis=0), 0.8) if len(values) else None


def _places(frame: JointFrame) -> FloatArray:
    """Return places on the joint's surface, shape (heights, along, 3)."""
    line = frame.joint_line_lps_mm
    first, last = (round(share * (len(line) - 1)) for share in MIDDLE_SHARE)
    rises = np.array(HEIGHT_SHARES)[:, None, None] * frame.height_mm * frame.cranial_lps
    return np.asarray(line[None, first : last + 1] + rises)


def _across(frame: JointFrame) -> FloatArray:
    """Return the unit direction across the line at each of the places along it."""
    line = cut_line(frame)
    tangent = np.gradient(line, axis=0)
    tangent = tangent / np.linalg.norm(tangent, axis=1, keepdims=True)
    first, last = (round(share * (len(line) - 1)) for share in MIDDLE_SHARE)
    normal = np.stack([-tangent[:, 1], tangent[:, 0]], axis=-1)[first : last + 1]
    return np.asarray(normal @ np.stack([frame.along_lps, frame.normal_lps]))


def _darkest(profile: FloatArray, peak: int, step: int) -> int:
    """Return where the profile stops falling on one side of its peak."""
    limit = round(FLANK_WITHIN_MM / (ACROSS_MM[1] - ACROSS_MM[0]))
    at = peak
    for _ in range(limit):
        if not 0 <= at + step < len(profile) or profile[at + step] > profile[at]:
            break
        at += step
    return at


def _vertex_mm(profile: FloatArray, low: int) -> float:
    """Return where a parabola through the lowest point and its neighbours is lowest."""
    spacing = float(ACROSS_MM[1] - ACROSS_MM[0])
    if not 0 < low < len(profile) - 1:
        return float(ACROSS_MM[low])
    before, at, after = profile[low - 1 : low + 2]
    bend = before - 2.0 * at + after
    share = 0.5 * (before - after) / bend if bend > 0 else 0.0
    return float(ACROSS_MM[low] + spacing * np.clip(share, -0.5, 0.5))
