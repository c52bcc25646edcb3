"""What the discs of a chain look like, measured where a lumbar disc, L5-S1 and a sacral remnant differ.

Every measure takes a chain and the index of a disc and is None where it cannot be taken. What each should be in the
lumbar spine, at L5-S1 and below is in `pipeline.toml`, section `levels.numbering.measures`, under the same names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from scipy import ndimage

from lfja_mri.geometry import apply
from lfja_mri.levels.candidates import Candidate
from lfja_mri.levels.network import inside_share, read_bone
from lfja_mri.levels.sequence import Chain
from lfja_mri.model import FloatArray

Measure = Callable[[Chain, int], float | None]
LEFT_OFFSETS_MM = np.array([-4.0, 0.0, 4.0])
MIDDLE_HALF_MM = 10.0
ELONGATED = 1.7  # a part at least this much longer than high shows which way it lies
DISCS_ABOVE = 3
FAN_DEG = np.arange(-45.0, 46.0, 3.0)
FAN_MM = np.arange(8.0, 27.0, 2.0)
LEAST_BONE = 0.15
ACROSS_MM = np.arange(-36.0, 36.5, 1.0)
LONGEST_SEGMENT_MM = 34.0
LAST_SEGMENT_MM = 30.0
UPPER_PART, LOWER_PART = 0.25, 0.75
REACH_MM = 8.0


def tilt_deg(chain: Chain, k: int) -> float | None:
    """Slope of the disc in the sagittal plane: positive where its front lies lower, as at L5-S1."""
    disc = chain.discs[k]
    long, high, tilt = _long_axis(disc)
    return tilt if long > ELONGATED * high and not disc.interpolated else None


def bend_deg(chain: Chain, k: int) -> float | None:
    """By how much the column turns backwards at the disc: course of the bone below against that above."""
    above = bone_course_deg(chain, k - 1) if k > 0 else None
    below = bone_course_deg(chain, k)
    return None if above is None or below is None else below - above


def depth_ratio(chain: Chain, k: int) -> float | None:
    """Length of the disc from front to back against the discs above; a remnant between S1 and S2 is short."""
    above = _above(chain, k)
    if not above or chain.discs[k].interpolated:
        return None
    return _long_axis(chain.discs[k])[0] / float(np.median([_long_axis(disc)[0] for disc in above]))


def log_volume_ratio(chain: Chain, k: int) -> float | None:
    """Natural logarithm of the disc's volume against the discs above."""
    above = _above(chain, k)
    if not above or chain.discs[k].interpolated:
        return None
    return float(np.log(chain.discs[k].volume_mm3 / np.median([disc.volume_mm3 for disc in above])))


def taper(chain: Chain, k: int) -> float | None:
    """Depth of the bone below the disc near its lower end against its upper end; S1 is a wedge."""
    course = bone_course_deg(chain, k)
    if course is None:
        return None
    length = LAST_SEGMENT_MM
    if k + 1 < len(chain.discs):
        step = chain.discs[k + 1].centre_lps_mm - chain.discs[k].centre_lps_mm
        length = min(float(np.linalg.norm(step)), LONGEST_SEGMENT_MM)
    upper, lower = (_bone_depth_mm(chain, k, course, part * length) for part in (UPPER_PART, LOWER_PART))
    return None if upper is None or lower is None else lower / upper


def place_mm(chain: Chain, k: int) -> float | None:
    """Height of the disc above the middle of the image; people are centred on L3."""
    size = np.array(chain.field.shares.shape[:0:-1])
    middle = apply(chain.field.voxel_to_lps, (size - 1) / 2)
    return float(chain.discs[k].centre_lps_mm[2] - middle[2])


MEASURES: Mapping[str, Measure] = MappingProxyType(
    {
        "tilt_deg": tilt_deg,
        "bend_deg": bend_deg,
        "depth_ratio": depth_ratio,
        "log_volume_ratio": log_volume_ratio,
        "taper": taper,
        "place_mm": place_mm,
    }
)


def bone_course_deg(chain: Chain, k: int) -> float | None:
    """Direction from the disc to the bone below it: degrees backwards of straight down; None where none is seen."""
    centre = chain.discs[k].centre_lps_mm
    angle, reach = np.meshgrid(np.radians(_downwards_deg(chain, k) + FAN_DEG), FAN_MM, indexing="ij")
    away = np.stack([np.zeros_like(angle), reach * np.sin(angle), -reach * np.cos(angle)], axis=-1)
    points = (centre + away)[..., None, :] + _sideways()
    flat = points.reshape(-1, 3)
    bone = read_bone(chain.field, flat).reshape(points.shape[:3]).mean(axis=2)
    if bone.mean() < LEAST_BONE or inside_share(chain.field, flat) < 0.5:
        return None
    back, down = ((bone * reach * part).sum() for part in (np.sin(angle), np.cos(angle)))
    return float(np.degrees(np.arctan2(back, down)))


def _downwards_deg(chain: Chain, k: int) -> float:
    """Direction across the disc, from its own tilt or, where that is not to be had, from the disc above."""
    tilt = tilt_deg(chain, k)
    if tilt is not None:
        return tilt
    if k == 0:
        return 0.0
    step = chain.discs[k].centre_lps_mm - chain.discs[k - 1].centre_lps_mm
    return float(np.degrees(np.arctan2(step[1], -step[2])))


def _bone_depth_mm(chain: Chain, k: int, course_deg: float, below_mm: float) -> float | None:
    """Front-to-back length of the bone some way below the disc, across the bone's own course."""
    angle = np.radians(course_deg)
    down = np.array([0.0, np.sin(angle), -np.cos(angle)])
    back = np.array([0.0, np.cos(angle), np.sin(angle)])
    points = (
        chain.discs[k].centre_lps_mm + below_mm * down + ACROSS_MM[:, None, None] * back + _sideways()[None]
    )
    bone = read_bone(chain.field, points.reshape(-1, 3)).reshape(points.shape[:2]).mean(axis=1) > 0.5
    labels, count = ndimage.label(bone)
    if count == 0:
        return None
    seen = np.flatnonzero(bone)
    nearest = seen[int(np.argmin(np.abs(ACROSS_MM[seen])))]
    if abs(float(ACROSS_MM[nearest])) > REACH_MM:
        return None
    return float(np.count_nonzero(labels == labels[nearest]))


def _sideways() -> FloatArray:
    """Offsets to either side of the middle, shape (3, 3)."""
    return LEFT_OFFSETS_MM[:, None] * np.array([1.0, 0.0, 0.0])


def _above(chain: Chain, k: int) -> list[Candidate]:
    """The nearest discs above that were segmented."""
    return [disc for disc in chain.discs[max(0, k - DISCS_ABOVE) : k] if not disc.interpolated]


def _long_axis(disc: Candidate) -> tuple[float, float, float]:
    """Length and height in mm, and tilt in degrees, of the disc's middle part seen from the side."""
    lateral = disc.points_lps_mm[:, 0]
    middle = np.abs(lateral - np.median(lateral)) <= MIDDLE_HALF_MM
    values, vectors = np.linalg.eigh(np.cov(disc.points_lps_mm[middle][:, 1:].T))
    forward = vectors[:, 1] * -np.sign(vectors[0, 1] or 1.0)
    high, long = np.sqrt(12.0 * np.maximum(values, 1e-6))
    return float(long), float(high), float(np.degrees(np.arctan2(-forward[1], -forward[0])))
