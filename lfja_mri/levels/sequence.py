"""From tissue probabilities to discs in order along the canal: no duplicates, no gaps, plausible spacing and size.

Everything is in LPS mm. A *chain* is the discs of one image from the head down, whatever they are called;
`numbering.py` names them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from lfja_mri.config import LevelsSettings
from lfja_mri.geometry import apply, perpendicular, unit
from lfja_mri.levels.network import Segmentation
from lfja_mri.model import BoolArray, FloatArray, ImageArray

CRANIAL_LPS = np.array([0.0, 0.0, 1.0])
ANTERIOR_LPS = np.array([0.0, -1.0, 0.0])
SEGMENT_CLASSES = ("body", "s1", "s2")


@dataclass(frozen=True, eq=False)
class CanalLine:
    """Centre line of the canal, cranial first: points (N, 3) and unit tangents towards the head."""

    points_lps_mm: FloatArray
    tangents: FloatArray
    arc_mm: FloatArray

    def nearest(self, point_lps_mm: FloatArray) -> int:
        """Index of the nearest point of the line, seen in the sagittal plane."""
        away = self.points_lps_mm[:, 1:] - point_lps_mm[1:]
        return int(np.argmin((away**2).sum(axis=1)))


@dataclass(frozen=True, eq=False)
class Candidate:
    """What may be a disc: its voxels, their probability, and where it lies on the canal line."""

    points_lps_mm: FloatArray
    shares: FloatArray
    centre_lps_mm: FloatArray
    volume_mm3: float
    arc_mm: float
    score: float
    interpolated: bool = False


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


def read_share(field: Segmentation, name: str, points_lps_mm: FloatArray) -> FloatArray:
    """Probability of a class at LPS points (N, 3); zero outside."""
    index = apply(np.linalg.inv(field.voxel_to_lps), points_lps_mm)[:, ::-1].T
    return np.asarray(ndimage.map_coordinates(field.share(name), index, order=1, mode="constant", cval=0.0))


def inside_share(field: Segmentation, points_lps_mm: FloatArray) -> float:
    """Share of LPS points that lie inside the canonical grid's planes and pixels."""
    index = apply(np.linalg.inv(field.voxel_to_lps), points_lps_mm)
    shape = np.array(field.shares.shape[:0:-1])
    return float(np.mean(np.all((index >= -0.5) & (index <= shape - 0.5), axis=1)))


def largest_part(mask: BoolArray) -> BoolArray:
    """Largest connected part of a mask."""
    labels, count = ndimage.label(mask)
    if count < 2:
        return mask
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return np.asarray(labels == int(np.argmax(sizes)))


def canal_line(field: Segmentation, smooth_mm: float = 6.0) -> CanalLine | None:
    """Centre line of the canal: the best continuous path down the rows; None where hardly any canal is seen."""
    share = field.share("canal") * (field.share("canal") > 0.3)
    profile = share.sum(axis=0) * (0.1 + bone_in_front(field))
    pixel_mm = float(np.linalg.norm(field.voxel_to_lps[:3, 1]))
    columns = best_path(ndimage.gaussian_filter(profile, [0, 3.0 / pixel_mm]))
    near = np.abs(np.arange(profile.shape[1])[None, :] - columns[:, None]) <= 12.0 / pixel_mm
    kept = share * near
    mass = kept.sum(axis=(0, 2))
    rows = np.flatnonzero(mass * field.voxel_mm3 > 60.0)
    if rows.size < 20:
        return None
    planes = np.einsum("zyx,z->y", kept, np.arange(share.shape[0]))[rows] / mass[rows]
    across = np.einsum("zyx,x->y", kept, np.arange(share.shape[2]))[rows] / mass[rows]
    every = np.arange(rows[0], rows[-1] + 1)
    sigma = smooth_mm / pixel_mm
    index = np.stack(
        [
            ndimage.gaussian_filter1d(np.interp(every, rows, across), sigma, mode="nearest"),
            every.astype(np.float64),
            ndimage.gaussian_filter1d(np.interp(every, rows, planes), 2 * sigma, mode="nearest"),
        ],
        axis=1,
    )
    return line_through(apply(field.voxel_to_lps, index))


def bone_in_front(field: Segmentation) -> FloatArray:
    """How much of the 10 to 45 mm in front of each pixel is body, disc or sacrum: 0-1, shape (rows, columns)."""
    bone = np.max([field.share(name) for name in (*SEGMENT_CLASSES, "disc")], axis=0).max(axis=0)
    pixel_mm = float(np.linalg.norm(field.voxel_to_lps[:3, 0]))
    near, far = round(10 / pixel_mm), round(45 / pixel_mm)
    total = np.cumsum(np.pad(bone, ((0, 0), (far, 0))), axis=1)
    width = bone.shape[1]
    return np.asarray((total[:, far - near : far - near + width] - total[:, :width]) / (far - near))


def best_path(profile: FloatArray, reach: int = 2) -> npt.NDArray[np.int64]:
    """Column per row of the path with the largest sum that moves at most `reach` columns a row."""
    best = np.array(profile, dtype=np.float64)
    step = np.zeros(profile.shape, dtype=np.int64)
    moves = range(-reach, reach + 1)
    for row in range(1, len(best)):
        padded = np.pad(best[row - 1], reach, constant_values=-np.inf)
        choices = np.stack([padded[reach + m : reach + m + best.shape[1]] - 0.01 * abs(m) for m in moves])
        step[row] = np.argmax(choices, axis=0) - reach
        best[row] += choices.max(axis=0)
    path = np.zeros(len(best), dtype=np.int64)
    path[-1] = int(np.argmax(best[-1]))
    for row in range(len(best) - 1, 0, -1):
        path[row - 1] = path[row] + step[row, path[row]]
    return path


def line_through(points_lps_mm: FloatArray) -> CanalLine:
    """Line with tangents and arc length, from points that run from the head down."""
    steps = np.gradient(points_lps_mm, axis=0)
    tangents = -steps / np.linalg.norm(steps, axis=1, keepdims=True)
    lengths = np.linalg.norm(np.diff(points_lps_mm, axis=0), axis=1)
    return CanalLine(points_lps_mm, tangents, np.concatenate([[0.0], np.cumsum(lengths)]))


def candidates(field: Segmentation, canal: CanalLine, settings: LevelsSettings) -> list[Candidate]:
    """Connected parts of the disc class that lie in front of the canal and are large enough, cranial first."""
    share = field.share("disc") * middle_slab(field, canal, settings.slab_half_width_mm)
    found: list[Candidate] = []
    for mask in _parts(share, settings):
        candidate = _candidate(field, canal, mask)
        if _plausible(candidate, canal, settings):
            found.append(replace(candidate, score=_score(field, canal, candidate, settings)))
    return sorted(_merged(found, canal, settings), key=lambda c: c.arc_mm)


def middle_slab(field: Segmentation, canal: CanalLine, half_width_mm: float) -> BoolArray:
    """True within a distance of the canal's line from side to side; the training slices show no more than that.

    Shape (planes, rows, 1). Rows beyond the line's ends take its end's place.
    """
    index = apply(np.linalg.inv(field.voxel_to_lps), canal.points_lps_mm)
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


def _candidate(field: Segmentation, canal: CanalLine, part: tuple[BoolArray, tuple[slice, ...]]) -> Candidate:
    mask, place = part
    start = np.array([side.start for side in place])
    index_zyx = np.argwhere(mask) + start
    points = apply(field.voxel_to_lps, index_zyx[:, ::-1])
    shares = np.asarray(field.share("disc")[tuple(index_zyx.T)], dtype=np.float64)
    return make_candidate(points, shares, field.voxel_mm3, canal)


def make_candidate(
    points: FloatArray, shares: FloatArray, voxel_mm3: float, canal: CanalLine, *, interpolated: bool = False
) -> Candidate:
    """Bundle a disc's voxels; its score is set later."""
    centre = np.average(points, axis=0, weights=shares)
    arc = float(canal.arc_mm[canal.nearest(centre)])
    return Candidate(points, shares, centre, len(points) * voxel_mm3, arc, 0.0, interpolated)


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
            if abs(kept.arc_mm - candidate.arc_mm) < settings.same_disc_mm
            and np.linalg.norm(kept.centre_lps_mm[1:] - candidate.centre_lps_mm[1:])
            < settings.same_disc_span_mm
        ]
        if near:
            out[near[0]] = _joined(out[near[0]], candidate, canal)
        else:
            out.append(candidate)
    return out


def _joined(first: Candidate, second: Candidate, canal: CanalLine) -> Candidate:
    points = np.vstack([first.points_lps_mm, second.points_lps_mm])
    shares = np.concatenate([first.shares, second.shares])
    volume = first.volume_mm3 + second.volume_mm3
    joined = make_candidate(points, shares, volume / len(points), canal)
    return replace(joined, score=max(first.score, second.score))


def best_chain(found: list[Candidate], settings: LevelsSettings) -> list[Candidate]:
    """Choose the sequence with the highest sum of scores less penalties for implausible spacing."""
    if not found:
        return []
    worth = [candidate.score - settings.least_score for candidate in found]
    best = np.array(worth)
    before = np.full(len(found), -1)
    for k in range(len(found)):
        for j in range(k):
            cost = spacing_cost(found[k].arc_mm - found[j].arc_mm, settings)
            total = best[j] + worth[k] - cost
            if total > best[k]:
                best[k], before[k] = total, j
    chain, k = [], int(np.argmax(best))
    while k >= 0:
        chain.append(found[k])
        k = int(before[k])
    return chain[::-1]


def spacing_cost(step_mm: float, settings: LevelsSettings) -> float:
    """Zero for one vertebra's pitch; a little for each disc skipped; prohibitive for less than a pitch."""
    low, high = settings.pitch_mm
    if step_mm < low:
        return 2.0 * (low - step_mm) / low + 0.5
    skipped = max(0.0, np.ceil(step_mm / high) - 1)
    return float(0.35 * skipped)


def fill_gaps(
    chain: list[Candidate], field: Segmentation, canal: CanalLine, settings: LevelsSettings
) -> list[Candidate]:
    """Put a disc wherever two neighbours lie two or more pitches apart."""
    if len(chain) < 2:
        return chain
    steps = np.diff([disc.arc_mm for disc in chain])
    pitch = float(np.clip(np.median(steps), *settings.usual_pitch_mm))
    out = [chain[0]]
    for upper, lower in zip(chain[:-1], chain[1:], strict=True):
        count = round((lower.arc_mm - upper.arc_mm) / pitch - settings.gap_slack) if pitch else 0
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
    return slab_candidate(path[int(np.argmax(weight))], field, canal, settings)


def slab_candidate(
    centre: FloatArray, field: Segmentation, canal: CanalLine, settings: LevelsSettings
) -> Candidate:
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
    return make_candidate(points, shares, depth * width * height / len(points), canal, interpolated=True)


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


def add_lumbosacral(
    discs: list[Candidate], field: Segmentation, canal: CanalLine, settings: LevelsSettings
) -> list[Candidate]:
    """Add a disc on top of S1 where S1 is seen but its disc was not segmented (collapsed, fused)."""
    s1 = largest_part(field.share("s1") > 0.5)
    index_zyx = np.argwhere(s1)
    if len(index_zyx) * field.voxel_mm3 < settings.smallest_s1_mm3:
        return discs
    centre = apply(field.voxel_to_lps, index_zyx[:, ::-1]).mean(axis=0)
    arc = float(canal.arc_mm[canal.nearest(centre)])
    last = discs[-1]
    away = float(np.linalg.norm((centre - last.centre_lps_mm)[1:]))
    if centre[2] > last.centre_lps_mm[2] or arc < last.arc_mm or not 36.0 < away < 75.0:
        return discs
    target = replace(last, centre_lps_mm=centre)
    return [*discs, missed_disc(last, target, 0.62, field, canal, settings)]
