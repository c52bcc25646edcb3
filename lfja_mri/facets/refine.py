"""How axial slices move a level's joints from where anatomy expects them to where they are.

The prior bounds the search: a joint that would rather lie outside stays at the edge, says so and loses confidence.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from lfja_mri.facets.cuts import cuts_of
from lfja_mri.facets.evidence import Weights
from lfja_mri.facets.extent import HeightProfile, fit_height, fit_tips
from lfja_mri.facets.frames import JointShape, Site, joint_frame
from lfja_mri.facets.gap import measured_gap_mm
from lfja_mri.facets.lines import see_line
from lfja_mri.facets.midline import midline_shift_mm
from lfja_mri.facets.outline import Extent, corrected
from lfja_mri.facets.parasagittal import ShiftedImages, height_profile
from lfja_mri.facets.search import Arc, SideSearch, arc_of, best_pair, search_side, slice_arcs
from lfja_mri.facets.slope import expected_lean, measured_slope
from lfja_mri.model import Contrast, FloatArray, Image, JointFrame
from lfja_mri.settings.facets import FacetsSettings, RefineSettings

SitePair = tuple[Site, Site]
ShapePair = tuple[JointShape, JointShape]
FramePair = tuple[JointFrame, JointFrame]

FROM_PRIOR = "joint_from_prior_only"
AT_BOUND = "joint_at_prior_bound"
WEAK = "joint_weakly_seen"
SAGITTAL_ONLY = "joint_from_sagittal_slices"
MIRRORED = "joint_from_other_side"


@dataclass(frozen=True, eq=False)
class _Seen:
    """One side of a level as the axial cuts show it: what was expected, the search, and the arc picked for it."""

    site: Site
    shape: JointShape
    search: SideSearch
    pick: tuple[int, ...]
    arc: Arc


def refine_pair(
    image: Image, sites: SitePair, shapes: ShapePair, settings: FacetsSettings, beside: ShiftedImages = ()
) -> FramePair:
    """Find the left and the right joint of a level in an axial stack; `sites` are centred by `centred_sites`.

    Parameters
    ----------
    beside
        Sagittal images of the same level: where they show a joint they say how high it reaches.
    """
    searches = tuple(_search(image, *at, settings.refine) for at in zip(sites, shapes, strict=True))
    picks = best_pair(searches[0], searches[1], settings.refine)
    left, right = (
        _Seen(site, shape, search, pick, arc_of(search, pick, shape, settings.refine))
        for site, shape, search, pick in zip(sites, shapes, searches, picks, strict=True)
    )
    return (
        _placed(left, right, image, beside, settings),
        _placed(right, left, image, beside, settings),
    )


def _placed(
    own: _Seen, other: _Seen, image: Image, beside: ShiftedImages, settings: FacetsSettings
) -> JointFrame:
    """Return a joint where its image shows it, else where its opposite suggests, else where anatomy expects it."""
    if own.arc.score >= settings.refine.absent_score:
        found = _refined(own, image.role.contrast, beside, settings)
        return _with_gap(image, found, settings.refine)
    if other.arc.score >= settings.refine.present_score:
        return _mirrored(own.site, own.shape, other.arc, settings)
    return prior_frame(own.site, own.shape, settings)


def _search(image: Image, site: Site, shape: JointShape, settings: RefineSettings) -> SideSearch:
    cuts = cuts_of(image, site, shape, settings)
    return search_side(cuts, shape, expected_lean(cuts[0], site, shape), _weights(image, settings), settings)


def centred_sites(image: Image, sites: SitePair, shapes: ShapePair, settings: FacetsSettings) -> SitePair:
    """Move the sites' midline to where the axial slices are most alike left and right."""
    left, right = (
        cuts_of(image, site, shape, settings.refine) for site, shape in zip(sites, shapes, strict=True)
    )
    shift = np.array([0.0, midline_shift_mm(left, right), 0.0])
    moved = [replace(site, canal_offset_mm=site.canal_offset_mm + shift) for site in sites]
    return moved[0], moved[1]


def _mirrored(site: Site, shape: JointShape, other: Arc, settings: FacetsSettings) -> JointFrame:
    """Return a joint that its own image does not show where its clearly seen opposite suggests."""
    frame = prior_frame(site, _moved(shape, other), settings)
    return replace(frame, flags=(MIRRORED,), confidence=0.4 * site.disc.confidence)


def prior_frame(site: Site, shape: JointShape, settings: FacetsSettings) -> JointFrame:
    """Return the joint that anatomy expects, for want of an image that shows it."""
    return joint_frame(
        site,
        shape,
        uncertainty_mm=settings.prior_uncertainty_mm,
        confidence=0.3 * site.disc.confidence,
        flags=(FROM_PRIOR,),
    )


def sagittal_frame(site: Site, shape: JointShape, settings: FacetsSettings) -> JointFrame:
    """Return a joint that only sagittal slices show, at the place they gave it."""
    return joint_frame(
        site,
        shape,
        uncertainty_mm=settings.sagittal.uncertainty_mm,
        confidence=settings.sagittal.confidence * site.disc.confidence,
        flags=(SAGITTAL_ONLY,),
    )


def _weights(image: Image, settings: RefineSettings) -> Weights:
    fluid = image.role.contrast.is_fluid_sensitive
    if image.role.contrast.is_fat_suppressed:
        return Weights(settings.band_weight_fat_suppressed, settings.line_weight_fat_suppressed, 0.0, fluid)
    return Weights(settings.band_weight, settings.line_weight, settings.closed_weight, fluid)


def _refined(own: _Seen, contrast: Contrast, beside: ShiftedImages, settings: FacetsSettings) -> JointFrame:
    line, middle_mm, shape = _sized(own, contrast, beside, settings.refine)
    flags = _flags(own.arc, middle_mm, shape, settings)
    certainty = _certainty(own.arc, flags, settings.refine)
    best, worst = settings.refine.best_uncertainty_mm, settings.prior_uncertainty_mm
    return joint_frame(
        own.site,
        shape,
        uncertainty_mm=worst + (best - worst) * certainty,
        confidence=own.site.disc.confidence * certainty,
        line_lps_mm=line,
        flags=flags,
    )


def _sized(
    own: _Seen, contrast: Contrast, beside: ShiftedImages, settings: RefineSettings
) -> tuple[FloatArray, float, JointShape]:
    """Return the joint line in LPS mm, how far above the expected middle its own lies, and the joint's shape."""
    arcs = slice_arcs(own.search, own.pick, own.shape, settings)
    cuts = own.search.cuts
    slices = HeightProfile(np.array([cut.height_mm for cut in cuts]), np.array([arc.score for arc in arcs]))
    seen = height_profile(beside, own.site, _moved(own.shape, own.arc))
    height, tall = fit_height(slices, seen, own.shape, settings)
    seen_slices = tuple(zip(cuts, arcs, strict=True))
    slope = measured_slope(own.site, own.shape, own.arc, seen_slices, height, settings)
    shape = replace(own.shape, height_mm=tall, normal_cranial=slope)
    line_seen = see_line(height, own.search, arcs, shape, settings)
    extent = Extent(height, tall, *fit_tips(line_seen.sheet, shape, settings))
    extent = corrected(extent, line_seen.sheet, own.shape, own.arc.angle_deg, contrast)
    line = line_seen.between(extent.middle_mm, extent.along_mm, extent.length_mm)
    shape = replace(shape, height_mm=extent.height_mm, length_mm=_length_mm(line))
    return line, extent.middle_mm, shape


def _moved(shape: JointShape, arc: Arc) -> JointShape:
    """Return the shape where an arc puts it."""
    return replace(
        shape,
        behind_mm=shape.behind_mm + arc.backwards_mm,
        lateral_mm=arc.outwards_mm,
        angle_deg=arc.angle_deg,
        bend_deg=arc.bend_deg,
    )


def _with_gap(image: Image, frame: JointFrame, settings: RefineSettings) -> JointFrame:
    """Return the frame in the middle between its bones, its gap between what the image shows and what anatomy expects."""
    measured = measured_gap_mm(image, frame, settings.subchondral_mm)
    if measured is None:
        return frame
    width, beside = measured
    low, high = settings.gap_range_mm
    weight = settings.gap_weight
    step = float(np.clip(beside, -settings.middle_freedom_mm, settings.middle_freedom_mm)) * frame.normal_lps
    return replace(
        frame,
        gap_mm=weight * float(np.clip(width, low, high)) + (1.0 - weight) * frame.gap_mm,
        centre_lps_mm=frame.centre_lps_mm + step,
        joint_line_lps_mm=frame.joint_line_lps_mm + step,
    )


def _length_mm(line: FloatArray) -> float:
    return float(np.linalg.norm(np.diff(line, axis=0), axis=1).sum())


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
