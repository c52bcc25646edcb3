"""What may be a disc: connected parts of the disc class near the midline and in front of the canal."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from lfja_mri.geometry import apply, perpendicular
from lfja_mri.levels.canal import CanalLine
from lfja_mri.levels.network import SEGMENT_CLASSES, Segmentation, inside_share, read_share
from lfja_mri.model import BoolArray, FloatArray, ImageArray
from lfja_mri.settings.levels import LevelsSettings

ANTERIOR_LPS = np.array([0.0, -1.0, 0.0])


@dataclass(frozen=True, eq=False)
class Candidate:
    """What may be a disc: its voxels, their probability and its middle."""

    points_lps_mm: FloatArray
    shares: FloatArray
    centre_lps_mm: FloatArray
    volume_mm3: float
    score: float
    interpolated: bool = False


def candidates(field: Segmentation, canal: CanalLine, settings: LevelsSettings) -> list[Candidate]:
    """Connected parts of the disc class that lie in front of the canal and are large enough, cranial first."""
    share = field.share("disc") * middle_slab(field, canal, settings.slab_half_width_mm)
    found: list[Candidate] = []
    for mask in _parts(share, settings):
        candidate = _candidate(field, mask)
        if _plausible(candidate, canal, settings):
            found.append(replace(candidate, score=_score(field, canal, candidate, settings)))
    return sorted(_merged(found, canal, settings), key=lambda c: -float(c.centre_lps_mm[2]))


def middle_slab(field: Segmentation, canal: CanalLine, half_width_mm: float) -> BoolArray:
    """True within a distance of the canal's line from side to side; the training slices show no more than that.

    Shape (planes, rows, 1). Rows beyond the line's ends take its end's place.
    """
    index = apply(field.lps_to_voxel, canal.points_lps_mm)
    planes, rows = np.arange(field.shares.shape[1]), np.arange(field.shares.shape[2])
    middle = np.interp(rows, index[:, 1], index[:, 2])
    pitch = float(np.linalg.norm(field.voxel_to_lps[:3, 2]))
    away = np.abs(planes[:, None] - middle[None, :]) * pitch
    return np.asarray(away <= max(half_width_mm, 1.05 * pitch))[:, :, None]


def _parts(share: ImageArray, settings: LevelsSettings) -> list[tuple[BoolArray, tuple[slice, ...]]]:
    labels, _ = ndimage.label(share > settings.disc_share)
    return [
        (np.asarray(labels[place] == number), place)
        for number, place in enumerate(ndimage.find_objects(labels), start=1)
        if place is not None
    ]


def _candidate(field: Segmentation, part: tuple[BoolArray, tuple[slice, ...]]) -> Candidate:
    mask, place = part
    start = np.array([side.start for side in place])
    index_zyx = np.argwhere(mask) + start
    points = apply(field.voxel_to_lps, index_zyx[:, ::-1].astype(np.float64))
    shares = np.asarray(field.share("disc")[tuple(index_zyx.T)], dtype=np.float64)
    return make_candidate(points, shares, field.voxel_mm3)


def make_candidate(
    points: FloatArray, shares: FloatArray, voxel_mm3: float, *, interpolated: bool = False
) -> Candidate:
    """Bundle a disc's voxels; its score is set later."""
    centre = np.average(points, axis=0, weights=shares)
    return Candidate(points, shares, centre, len(points) * voxel_mm3, 0.0, interpolated)


def _plausible(candidate: Candidate, canal: CanalLine, settings: LevelsSettings) -> bool:
    """Large enough, and in front of the canal by a disc's distance."""
    near = canal.nearest(candidate.centre_lps_mm)
    away = candidate.centre_lps_mm - canal.points_lps_mm[near]
    forward = perpendicular(ANTERIOR_LPS, canal.tangents[near])
    low, high = settings.canal_to_disc_mm
    return candidate.volume_mm3 >= settings.smallest_disc_mm3 and low <= float(away @ forward) <= high


def _score(field: Segmentation, canal: CanalLine, candidate: Candidate, settings: LevelsSettings) -> float:
    """Up to 1: half for size and certainty, half for bone above and below (as much where that is out of view)."""
    size = min(1.0, candidate.volume_mm3 / settings.full_disc_mm3) * float(candidate.shares.mean())
    cranial = canal.tangents[canal.nearest(candidate.centre_lps_mm)]
    reach = np.linspace(9, 18, 5)[:, None]
    bone = []
    for direction in (cranial, -cranial):
        points = candidate.centre_lps_mm + reach * direction
        seen = inside_share(field, points)
        share = sum(float(read_share(field, name, points).mean()) for name in SEGMENT_CLASSES)
        bone.append(share + 0.7 * (1 - seen))
    return 0.5 * size + 0.25 * (bone[0] + bone[1])


def _merged(found: list[Candidate], canal: CanalLine, settings: LevelsSettings) -> list[Candidate]:
    """Join parts of one disc: those nearer to each other along the canal than discs can lie."""
    out: list[Candidate] = []
    for candidate in sorted(found, key=lambda c: -c.volume_mm3):
        near = [
            k
            for k, kept in enumerate(out)
            if _apart_mm(kept, candidate, canal) < settings.same_disc_mm
            and np.linalg.norm(kept.centre_lps_mm[1:] - candidate.centre_lps_mm[1:])
            < settings.same_disc_span_mm
        ]
        if near:
            out[near[0]] = _joined(out[near[0]], candidate)
        else:
            out.append(candidate)
    return out


def _apart_mm(kept: Candidate, other: Candidate, canal: CanalLine) -> float:
    """Distance along the canal's direction at the larger part."""
    tangent = canal.tangents[canal.nearest(kept.centre_lps_mm)]
    return float(abs((kept.centre_lps_mm - other.centre_lps_mm) @ tangent))


def _joined(first: Candidate, second: Candidate) -> Candidate:
    points = np.vstack([first.points_lps_mm, second.points_lps_mm])
    shares = np.concatenate([first.shares, second.shares])
    volume = first.volume_mm3 + second.volume_mm3
    joined = make_candidate(points, shares, volume / len(points))
    return replace(joined, score=max(first.score, second.score))
