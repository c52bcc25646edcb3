"""How axial slices move a level's joints from where anatomy expects them to where they are.

The prior bounds the search: a joint that would rather lie outside stays at the edge, says so and loses confidence.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lfja_mri.config import FacetsSettings, RefineSettings
from lfja_mri.facets.cuts import cuts_of
from lfja_mri.facets.evidence import Weights
from lfja_mri.facets.frames import JointShape, Site, arc_points, joint_frame
from lfja_mri.facets.search import Arc, SideSearch, arc_of, best_pair, search_side, slice_arcs
from lfja_mri.model import FloatArray, Image, JointFrame

SitePair = tuple[Site, Site]
ShapePair = tuple[JointShape, JointShape]

FROM_PRIOR = "joint_from_prior_only"
AT_BOUND = "joint_at_prior_bound"
WEAK = "joint_weakly_seen"


def refine_pair(
    image: Image, sites: SitePair, shapes: ShapePair, settings: FacetsSettings
) -> tuple[JointFrame, ...]:
    """Find the left and the right joint of a level in an axial stack."""
    weights = _weights(image, settings.refine)
    searches = [
        search_side(cuts_of(image, site, shape, settings.refine), shape, weights, settings.refine)
        for site, shape in zip(sites, shapes, strict=True)
    ]
    picks = best_pair(searches[0], searches[1], settings.refine)
    return tuple(
        _refined(site, shape, search, pick, settings)
        for site, shape, search, pick in zip(sites, shapes, searches, picks, strict=True)
    )


def prior_frame(site: Site, shape: JointShape, settings: FacetsSettings) -> JointFrame:
    """Return the joint that anatomy expects, for want of an image that shows it."""
    return joint_frame(
        site,
        shape,
        uncertainty_mm=settings.prior_uncertainty_mm,
        confidence=0.3 * site.disc.confidence,
        flags=(FROM_PRIOR,),
    )


def _weights(image: Image, settings: RefineSettings) -> Weights:
    if image.role.contrast.is_fat_suppressed:
        return Weights(settings.band_weight_fat_suppressed, settings.line_weight_fat_suppressed)
    return Weights(settings.band_weight, settings.line_weight)


def _refined(
    site: Site, shape: JointShape, search: SideSearch, pick: tuple[int, ...], settings: FacetsSettings
) -> JointFrame:
    arc = arc_of(search, pick, shape, settings.refine)
    if arc.score < settings.refine.absent_score:
        return prior_frame(site, shape, settings)
    arcs = slice_arcs(search, pick, shape, settings.refine)
    height = _joint_height_mm(search, arcs, shape, settings.refine)
    line = _line_at(height, search, arcs, shape)
    flags = _flags(arc, height, shape, settings)
    confidence = site.disc.confidence * _certainty(arc, flags, settings.refine)
    best, worst = settings.refine.best_uncertainty_mm, settings.prior_uncertainty_mm
    return joint_frame(
        site,
        replace(shape, angle_deg=arc.angle_deg, bend_deg=arc.bend_deg),
        uncertainty_mm=worst + (best - worst) * _certainty(arc, flags, settings.refine),
        confidence=confidence,
        line_lps_mm=line,
        flags=flags,
    )


def _joint_height_mm(
    search: SideSearch, arcs: tuple[Arc, ...], shape: JointShape, settings: RefineSettings
) -> float:
    """Return how far above its expected place the middle of the joint lies: a box of its height over the scores."""
    candidates = np.arange(-6.0, 6.01, 0.5)
    heights = np.array([cut.height_mm for cut in search.cuts])
    excess = np.array([arc.score for arc in arcs]) - settings.present_score
    pitch = float(np.median(np.diff(heights))) if len(heights) > 1 else shape.height_mm
    edge = (0.5 * shape.height_mm - np.abs(heights[None, :] - candidates[:, None])) / (0.4 * pitch)
    inside = 1.0 / (1.0 + np.exp(-edge))
    gain = settings.height_gain * pitch / shape.height_mm * (inside @ excess)
    chosen = int(np.argmax(gain - 0.5 * (candidates / settings.height_sd_mm) ** 2))
    return float(candidates[chosen])


def _line_at(height_mm: float, search: SideSearch, arcs: tuple[Arc, ...], shape: JointShape) -> FloatArray:
    """Return the joint line at a height in LPS mm, between the arcs of the slices below and above."""
    heights = np.array([cut.height_mm for cut in search.cuts])
    lines = np.stack(
        [
            cut.to_lps(arc_points(arc.angle_deg, arc.bend_deg, shape.length_mm)[0] + _middle(arc))
            for cut, arc in zip(search.cuts, arcs, strict=True)
        ]
    )
    above = int(np.clip(np.searchsorted(heights, height_mm), 1, max(len(heights) - 1, 1)))
    if len(heights) == 1:
        return np.asarray(lines[0])
    share = float(np.clip((height_mm - heights[above - 1]) / (heights[above] - heights[above - 1]), 0.0, 1.0))
    return np.asarray((1.0 - share) * lines[above - 1] + share * lines[above])


def _middle(arc: Arc) -> FloatArray:
    return np.array([arc.outwards_mm, arc.backwards_mm])


def _flags(arc: Arc, height_mm: float, shape: JointShape, settings: FacetsSettings) -> tuple[str, ...]:
    """Say where the image pulled the joint to the edge of what anatomy allows, or showed it weakly."""
    limit = settings.tolerance
    at_bound = (
        abs(arc.backwards_mm) >= limit.behind_mm - 0.7
        or abs(arc.outwards_mm - shape.lateral_mm) >= limit.lateral_mm - 0.7
        or abs(height_mm) >= limit.cranial_mm - 0.1
        or abs(arc.angle_deg - shape.angle_deg) >= limit.angle_deg
    )
    weak = arc.score < settings.refine.present_score - 0.1
    return ((AT_BOUND,) if at_bound else ()) + ((WEAK,) if weak else ())


def _certainty(arc: Arc, flags: tuple[str, ...], settings: RefineSettings) -> float:
    """Return 0-1 from the score of the line, halved at the prior's bound."""
    low, high = settings.absent_score, settings.present_score + 0.1
    certainty = 0.4 + 0.6 * float(np.clip((arc.score - low) / (high - low), 0.0, 1.0))
    return 0.5 * certainty if AT_BOUND in flags else certainty
