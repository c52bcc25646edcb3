"""From candidates to discs in order along the spine: no duplicates, no gaps, plausible spacing.

Everything is in LPS mm. A *chain* is the discs of one image from the head down, whatever they are called;
`numbering.py` names them.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from lfja_mri.geometry import apply, perpendicular, unit
from lfja_mri.levels.canal import CanalLine, canal_line
from lfja_mri.levels.candidates import ANTERIOR_LPS, Candidate, candidates, make_candidate
from lfja_mri.levels.network import (
    SEGMENT_CLASSES,
    Segmentation,
    inside_share,
    largest_part,
    read_share,
)
from lfja_mri.model import FloatArray
from lfja_mri.settings.levels import LevelsSettings


@dataclass(frozen=True, eq=False)
class Chain:
    """Discs of one image, cranial first, and what lies below each of them.

    Parameters
    ----------
    segments
        Shape (discs, 3): mean share of body, S1 and S2 in the segment below each disc.
    inside
        Shape (discs,): share of the segment below that lies inside the image.
    """

    discs: tuple[Candidate, ...]
    canal: CanalLine
    segments: FloatArray
    inside: FloatArray
    field: Segmentation


def find_chain(field: Segmentation, settings: LevelsSettings) -> Chain | None:
    """Discs of one image in order; None where no canal or fewer than two discs are seen."""
    canal = canal_line(field)
    if canal is None:
        return None
    discs = fill_gaps(best_chain(candidates(field, canal, settings), settings), field, canal, settings)
    if len(discs) < 2:
        return None
    discs = add_lumbosacral(discs, field, canal, settings)
    tubes = [segment_below(discs, k, canal, settings) for k in range(len(discs))]
    segments = np.array(
        [[float(read_share(field, name, points).mean()) for name in SEGMENT_CLASSES] for points in tubes]
    )
    inside = np.array([inside_share(field, points) for points in tubes])
    return Chain(tuple(discs), canal, segments, inside, field)


def best_chain(found: list[Candidate], settings: LevelsSettings) -> list[Candidate]:
    """Choose the sequence with the highest sum of scores less penalties for implausible spacing."""
    if not found:
        return []
    worth = [candidate.score - settings.least_score for candidate in found]
    best = np.array(worth)
    before = np.full(len(found), -1)
    for k in range(len(found)):
        for j in range(k):
            cost = spacing_cost(distance_mm(found[j], found[k]), settings)
            cost += course_cost(found[j], found[k], settings)
            total = best[j] + worth[k] - cost
            if total > best[k]:
                best[k], before[k] = total, j
    chain, k = [], int(np.argmax(best))
    while k >= 0:
        chain.append(found[k])
        k = int(before[k])
    return chain[::-1]


def distance_mm(upper: Candidate, lower: Candidate) -> float:
    """Distance of two discs' middles in the sagittal plane."""
    return float(np.linalg.norm((upper.centre_lps_mm - lower.centre_lps_mm)[1:]))


def spacing_cost(step_mm: float, settings: LevelsSettings) -> float:
    """Zero for one vertebra's pitch; a little for each disc skipped; from a rare pitch down more and more, in the end prohibitive.

    Two short steps in a row cost more than a weak candidate is worth: what lies between them is a cleft or a vein within
    a vertebra, not a disc. A well seen disc beside a collapsed vertebra is worth more than its short step costs.
    """
    low, high = settings.pitch_mm
    usual, _ = settings.usual_pitch_mm
    if step_mm < low:
        return 2.0 * (low - step_mm) / low + 0.5
    if step_mm < usual:
        return 0.5 * (usual - step_mm) / (usual - low)
    skipped = max(0.0, np.ceil(step_mm / high) - 1)
    return float(0.35 * skipped)


def course_cost(upper: Candidate, lower: Candidate, settings: LevelsSettings) -> float:
    """Prohibitive for a step to the front or back such as no column takes: false discs in front of the sacrum."""
    low, high = settings.course_deg
    step = lower.centre_lps_mm - upper.centre_lps_mm
    slope_deg = float(np.degrees(np.arctan2(step[1], -step[2])))
    return 0.0 if low <= slope_deg <= high else 2.0


def fill_gaps(
    chain: list[Candidate], field: Segmentation, canal: CanalLine, settings: LevelsSettings
) -> list[Candidate]:
    """Put a disc wherever two neighbours lie two or more pitches apart."""
    if len(chain) < 2:
        return chain
    steps = [distance_mm(upper, lower) for upper, lower in itertools.pairwise(chain)]
    pitch = float(np.clip(np.median(steps), *settings.usual_pitch_mm))
    out = [chain[0]]
    for upper, lower in itertools.pairwise(chain):
        count = round(distance_mm(upper, lower) / pitch - settings.gap_slack)
        out += [
            missed_disc(upper, lower, k / max(count, 1), field, canal, settings)
            for k in range(1, max(count, 1))
        ]
        out.append(lower)
    return out


def missed_disc(
    upper: Candidate,
    lower: Candidate,
    part: float,
    field: Segmentation,
    canal: CanalLine,
    settings: LevelsSettings,
) -> Candidate:
    """Find the weakest bone between two discs near a share of the way, and lay a disc of the neighbours' size there."""
    parts = np.linspace(max(part - 0.2, 0.1), min(part + 0.2, 0.9), 41)
    path = upper.centre_lps_mm + parts[:, None] * (lower.centre_lps_mm - upper.centre_lps_mm)
    bone = sum(read_share(field, name, path) for name in SEGMENT_CLASSES)
    disc = read_share(field, "disc", path)
    weight = ndimage.gaussian_filter1d(disc - 0.5 * bone, 2.0, mode="nearest") - 0.2 * np.abs(parts - part)
    return slab_candidate(path[int(np.argmax(weight))], canal, settings)


def slab_candidate(centre: FloatArray, canal: CanalLine, settings: LevelsSettings) -> Candidate:
    """Flat box of points across the canal's tangent, where no disc was segmented."""
    tangent = canal.tangents[canal.nearest(centre)]
    forward = perpendicular(ANTERIOR_LPS, tangent)
    left = np.cross(tangent, forward)
    depth, width, height = settings.default_disc_mm
    steps = np.stack(
        np.meshgrid(
            np.linspace(-0.5, 0.5, 25) * depth,
            np.linspace(-0.5, 0.5, 9) * width,
            np.linspace(-0.5, 0.5, 7) * height,
            indexing="ij",
        ),
        axis=-1,
    ).reshape(-1, 3)
    points = centre + steps @ np.stack([forward, left, tangent])
    shares = np.full(len(points), 0.1)
    return make_candidate(points, shares, depth * width * height / len(points), interpolated=True)


def add_lumbosacral(
    discs: list[Candidate], field: Segmentation, canal: CanalLine, settings: LevelsSettings
) -> list[Candidate]:
    """Add a disc on top of S1 where S1 is seen but its disc was not segmented (collapsed, fused)."""
    s1 = largest_part(field.share("s1") > 0.5)
    index_zyx = np.argwhere(s1)
    if len(index_zyx) * field.voxel_mm3 < settings.smallest_s1_mm3:
        return discs
    centre = apply(field.voxel_to_lps, index_zyx[:, ::-1].astype(np.float64)).mean(axis=0)
    last = discs[-1]
    away = float(np.linalg.norm((centre - last.centre_lps_mm)[1:]))
    if centre[2] > last.centre_lps_mm[2] or not 36.0 < away < 75.0:
        return discs
    target = replace(last, centre_lps_mm=centre)
    return [*discs, missed_disc(last, target, 0.62, field, canal, settings)]


def tube(start: FloatArray, end: FloatArray, radius_mm: float = 7.0) -> FloatArray:
    """Points in the middle part between two places, spread front to back, shape (N, 3)."""
    axis = unit(end - start)
    forward = perpendicular(ANTERIOR_LPS, axis)
    along = np.linspace(0.3, 0.7, 7)[:, None, None]
    across = np.linspace(-radius_mm, radius_mm, 5)[None, :, None]
    return np.asarray(start + along * (end - start) + across * forward).reshape(-1, 3)


def segment_below(discs: list[Candidate], k: int, canal: CanalLine, settings: LevelsSettings) -> FloatArray:
    """Points in the segment below disc `k`: towards the next disc, or along the canal by a usual pitch."""
    start = discs[k].centre_lps_mm
    if k + 1 < len(discs):
        return tube(start, discs[k + 1].centre_lps_mm)
    down = -canal.tangents[canal.nearest(start)]
    if k > 0:
        down = unit(down + 0.5 * unit(start - discs[k - 1].centre_lps_mm))
    return tube(start, start + settings.last_segment_mm * down)
