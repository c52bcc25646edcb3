"""Where the joint line runs in the axial cuts of one level: every plausible arc is scored, the best one kept.

Scores are means of the evidence along an arc. The prior's log-probability is added to their weighted sum over the
slices; left and right are chosen together. Each slice may then move its arc a little.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from lfja_mri.facets import cuts as cut_grid
from lfja_mri.facets.cuts import Cut
from lfja_mri.facets.evidence import PIXEL_MM, Weights, direction_index, evidence_maps
from lfja_mri.facets.frames import JointShape, arc_points
from lfja_mri.model import FloatArray
from lfja_mri.settings.facets import RefineSettings

ARC_SAMPLES = 13
MARGIN_PIXELS = 24

StepArray = npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class SideSearch:
    """The scores of one side: (angle, bend, slice, backwards, outwards), and their pooled log-probability.

    Each slice's window lies `steps_px` (outwards, backwards) from that of the expected height, so that a joint that leans
    as expected has the same indices in all of them.
    """

    cuts: tuple[Cut, ...]
    steps_px: StepArray
    evidence: FloatArray
    scores: FloatArray
    pooled: FloatArray
    log_probability: FloatArray


@dataclass(frozen=True)
class Arc:
    """An arc in a cut: its mean point (outwards from the midline, behind the expected depth), shape and score."""

    outwards_mm: float
    backwards_mm: float
    angle_deg: float
    bend_deg: float
    score: float


def search_side(
    cuts: tuple[Cut, ...], shape: JointShape, lean: FloatArray, weights: Weights, settings: RefineSettings
) -> SideSearch:
    """Score every arc about the expected joint in every cut of one side.

    Parameters
    ----------
    lean
        How far (outwards, backwards) the expected joint moves per mm of height.
    """
    evidence = np.stack([evidence_maps(cut.patch, weights) for cut in cuts])
    heights = np.array([cut.height_mm for cut in cuts])
    steps_px = np.rint(heights[:, None] * lean / PIXEL_MM).astype(np.intp)
    scores = _arc_scores(evidence, steps_px, shape, settings)
    importance = np.exp(-0.5 * (heights / settings.slice_window_mm) ** 2)
    near_best = ndimage.grey_dilation(scores, (1, 1, 1, 3, 3))
    pooled = np.tensordot(near_best, importance / importance.sum(), axes=(2, 0))
    log_probability = settings.evidence_gain * pooled + _log_prior(shape, settings)
    return SideSearch(cuts, steps_px, evidence, scores, pooled, log_probability)


def best_pair(
    first: SideSearch, second: SideSearch, settings: RefineSettings
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the indices (angle, bend, backwards, outwards) of the best arcs of both sides together.

    Both joints lie about equally far behind the disc and about as far apart as expected; the middle between them may lie
    off the midline that the levels gave.
    """
    best = [side.log_probability.max(axis=(0, 1)) for side in (first, second)]
    size = best[0].shape[0]
    offset = (np.arange(size) - size // 2) * PIXEL_MM
    apart = _normal(offset[:, None] - offset[None, :], settings.side_difference_sd_mm)
    lateral = _normal(0.5 * (offset[:, None] + offset[None, :]), settings.lateral_sd_mm)
    midline = _normal(0.5 * (offset[:, None] - offset[None, :]), settings.midline_sd_mm)
    together = best[0][:, :, None, None] + best[1][None, None, :, :]
    together = together + apart[:, None, :, None] + (lateral + midline)[None, :, None, :]
    rows = np.unravel_index(int(np.argmax(together)), together.shape)
    places = ((int(rows[0]), int(rows[1])), (int(rows[2]), int(rows[3])))
    return _best_at(first, places[0]), _best_at(second, places[1])


def _normal(offset_mm: FloatArray, sd_mm: float) -> FloatArray:
    return np.asarray(-0.5 * (offset_mm / sd_mm) ** 2)


def arc_of(search: SideSearch, index: tuple[int, ...], shape: JointShape, settings: RefineSettings) -> Arc:
    """Return the arc at (angle, bend, backwards, outwards) indices with its pooled score, bent as is likely there."""
    arc = _arc(index, float(search.pooled[index]), shape, settings)
    return replace(arc, bend_deg=_likely_bend_deg(search, index, settings))


def _likely_bend_deg(search: SideSearch, index: tuple[int, ...], settings: RefineSettings) -> float:
    """Return the mean bend over all that could be tried at a place: tries lie far apart, joints in between."""
    at_place = search.log_probability[:, :, index[2], index[3]]
    likely = np.exp(at_place - at_place.max()).sum(axis=0)
    return float(likely @ np.array(settings.bends_deg) / likely.sum())


def slice_arcs(
    search: SideSearch, index: tuple[int, ...], shape: JointShape, settings: RefineSettings
) -> tuple[Arc, ...]:
    """Let each slice move and turn the pooled arc a little, and return its own best."""
    reach = round(settings.slice_freedom_mm / PIXEL_MM)
    spans = (1, 1, reach, reach)
    low = [max(at - span, 0) for at, span in zip(index, spans, strict=True)]
    high = [at + span + 1 for at, span in zip(index, spans, strict=True)]
    window = search.scores[low[0] : high[0], low[1] : high[1], :, low[2] : high[2], low[3] : high[3]]
    penalty, bend_deg = _wander_penalty(window.shape, index, low), _likely_bend_deg(search, index, settings)
    arcs = []
    for at_slice, step_px in enumerate(search.steps_px):
        scores = window[:, :, at_slice]
        best = np.unravel_index(int(np.argmax(scores - penalty)), scores.shape)
        place = tuple(int(start + step) for start, step in zip(low, best, strict=True))
        arc = replace(_arc(place, float(scores[best]), shape, settings), bend_deg=bend_deg)
        arcs.append(_stepped(arc, step_px))
    return tuple(arcs)


def _stepped(arc: Arc, step_px: StepArray) -> Arc:
    """Return an arc of a slice's own window in the cut's coordinates."""
    outwards, backwards = (float(step * PIXEL_MM) for step in step_px)
    return replace(arc, outwards_mm=arc.outwards_mm + outwards, backwards_mm=arc.backwards_mm + backwards)


def _wander_penalty(shape: tuple[int, ...], index: tuple[int, ...], low: list[int]) -> FloatArray:
    """Return a small cost for leaving the pooled arc, so that slices without evidence stay on it."""
    angle, bend, _, back, out = np.indices((shape[0], shape[1], 1, shape[3], shape[4]), dtype=np.float64)
    steps = [axis + start - at for axis, start, at in zip((angle, bend, back, out), low, index, strict=True)]
    cost = 0.004 * (steps[2] ** 2 + steps[3] ** 2) + 0.03 * (steps[0] ** 2 + steps[1] ** 2)
    return np.asarray(cost[:, :, 0])


def _best_at(search: SideSearch, place: tuple[int, int]) -> tuple[int, ...]:
    plane = search.log_probability[:, :, place[0], place[1]]
    angle, bend = np.unravel_index(int(np.argmax(plane)), plane.shape)
    return int(angle), int(bend), *place


def _half_window(settings: RefineSettings) -> int:
    return round(settings.search_mm / PIXEL_MM)


def _arc(index: tuple[int, ...], score: float, shape: JointShape, settings: RefineSettings) -> Arc:
    half = _half_window(settings)
    angle, bend, row, column = index
    column_zero = _column_of(shape.lateral_mm)
    return Arc(
        outwards_mm=float(cut_grid.columns_mm()[column_zero] + (column - half) * PIXEL_MM),
        backwards_mm=(row - half) * PIXEL_MM,
        angle_deg=shape.angle_deg + settings.angles_deg[angle],
        bend_deg=settings.bends_deg[bend],
        score=score,
    )


def _column_of(outwards_mm: float) -> int:
    return round((outwards_mm - cut_grid.INNER_MM) / PIXEL_MM)


def _arc_scores(
    evidence: FloatArray, steps_px: StepArray, shape: JointShape, settings: RefineSettings
) -> FloatArray:
    """Return mean evidence along each arc, shape (angles, bends, slices, rows, columns of the search window)."""
    half = _half_window(settings)
    padded = np.pad(evidence, ((0, 0), (0, 0), (MARGIN_PIXELS,) * 2, (MARGIN_PIXELS,) * 2), mode="edge")
    for at, (outwards, backwards) in enumerate(steps_px):
        padded[at] = np.roll(padded[at], (-backwards, -outwards), axis=(1, 2))
    row_zero = round(cut_grid.DEPTH_MM / PIXEL_MM) + MARGIN_PIXELS
    column_zero = _column_of(shape.lateral_mm) + MARGIN_PIXELS
    size = 2 * half + 1
    scores = np.zeros((len(settings.angles_deg), len(settings.bends_deg), len(evidence), size, size))
    for at_angle, turn in enumerate(settings.angles_deg):
        for at_bend, bend in enumerate(settings.bends_deg):
            points, tangents = arc_points(shape.angle_deg + turn, bend, shape.length_mm, ARC_SAMPLES)
            for (out, back), direction in zip(points, direction_index(tangents), strict=True):
                row, column = row_zero + round(back / PIXEL_MM), column_zero + round(out / PIXEL_MM)
                rows, columns = slice(row - half, row + half + 1), slice(column - half, column + half + 1)
                scores[at_angle, at_bend] += padded[:, direction, rows, columns]
    return scores / ARC_SAMPLES


def _log_prior(shape: JointShape, settings: RefineSettings) -> FloatArray:
    """Return the prior's log-probability without the lateral part, shape (angles, bends, rows, 1)."""
    half = _half_window(settings)
    back = (np.arange(2 * half + 1) - half) * PIXEL_MM / settings.behind_sd_mm
    angle = np.array(settings.angles_deg) / settings.angle_sd_deg
    bend = (np.array(settings.bends_deg) - shape.bend_deg) / settings.bend_sd_deg
    squares = np.add.outer(np.add.outer(angle**2, bend**2), back**2)
    return np.asarray(-0.5 * squares[..., None])
