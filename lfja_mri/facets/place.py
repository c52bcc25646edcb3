"""From levels and images to joints with zones: READ FIRST in this folder."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from lfja_mri.errors import Reason
from lfja_mri.facets.alignment import level_shifts
from lfja_mri.facets.coverage import coverage_of
from lfja_mri.facets.cuts import best_axial_image
from lfja_mri.facets.film import with_fluid
from lfja_mri.facets.frames import Site
from lfja_mri.facets.masks import ProcessMasks, joint_from_masks
from lfja_mri.facets.parasagittal import ShiftedImages
from lfja_mri.facets.prior import expected_shape, site_of
from lfja_mri.facets.refine import (
    FramePair,
    ShapePair,
    SitePair,
    centred_sites,
    prior_frame,
    refine_pair,
    sagittal_frame,
)
from lfja_mri.facets.sagittal import longer, place_together, search_joint
from lfja_mri.facets.zones import build_zones
from lfja_mri.model import (
    AbsentJoint,
    Disc,
    FloatArray,
    Image,
    Joint,
    JointFrame,
    Level,
    LevelMap,
    Plane,
    SeriesShift,
    Side,
    StudyImages,
)
from lfja_mri.settings.facets import FacetsSettings
from lfja_mri.threads import of_each

Shifts = tuple[SeriesShift, ...]

SHIFT_UNKNOWN = "series_shift_unknown"


@dataclass(frozen=True, eq=False)
class _Scene:
    """What every level is placed from; `localiser` is the image that the levels were found in."""

    study: StudyImages
    level_map: LevelMap
    settings: FacetsSettings
    masks: ProcessMasks | None
    localiser: Image | None


@dataclass(frozen=True, eq=False)
class _View:
    """One level as the study shows it, in the frame of the reference image; `back_lps_mm` led from the levels' there.

    `beside` are the sagittal images, each with the shift at which it shows the reference's structures.
    """

    sites: SitePair
    shapes: ShapePair
    axial: Image | None
    shifts: Shifts
    beside: ShiftedImages
    back_lps_mm: FloatArray


def place_joints(
    study: StudyImages,
    level_map: LevelMap,
    settings: FacetsSettings,
    *,
    masks: ProcessMasks | None = None,
    threads: int = 1,
) -> tuple[Joint | AbsentJoint, ...]:
    """Place the left and the right joint of every expected level.

    Parameters
    ----------
    masks
        Another tool's articular processes, in the frame of the image that the levels come from; where they show both
        processes of a joint they decide, elsewhere the images do.
    threads
        Levels to look at at once.

    Returns
    -------
    Level by level, cranial first, left then right; a level whose disc was not found gives absent joints.
    """
    scene = _Scene(study, level_map, settings, masks, _localiser(study, level_map))
    seen = of_each(lambda disc: _view(disc, scene), level_map.discs, threads)
    views = {disc.level: view for disc, view in zip(level_map.discs, seen, strict=True)}
    sagittal = _sagittal_frames([view for view in seen if view.axial is None], settings)

    def placed(level: Level) -> tuple[Joint | AbsentJoint, ...]:
        return _level_joints(level, views.get(level), sagittal.get(level), scene)

    pairs = of_each(placed, level_map.expected_levels, threads)
    return tuple(joint for pair in pairs for joint in pair)


def _level_joints(
    level: Level, view: _View | None, sagittal: FramePair | None, scene: _Scene
) -> tuple[Joint | AbsentJoint, ...]:
    if view is None:
        return tuple(AbsentJoint(level, side, Reason.LEVEL_NOT_VISIBLE) for side in Side)
    settings, sites = scene.settings, view.sites
    frames = sagittal
    if frames is None and view.axial is not None:
        sites = centred_sites(view.axial, sites, view.shapes, settings)
        frames = refine_pair(view.axial, sites, view.shapes, settings, view.beside)
    if frames is None:
        frames = _pair(prior_frame(*at, settings) for at in zip(sites, view.shapes, strict=True))
    if scene.masks is not None:
        frames = _by_masks(scene.masks.moved(view.back_lps_mm), sites, frames, settings)
    return tuple(_joint(frame, site, view.shifts, scene) for frame, site in zip(frames, sites, strict=True))


def _view(disc: Disc, scene: _Scene) -> _View:
    settings = scene.settings
    sites = _sites(disc, scene)
    axial = best_axial_image(scene.study, sites[0], expected_shape(sites[0], settings), settings.refine)
    reference = axial or scene.localiser
    shifts = () if reference is None else level_shifts(scene.study, reference, sites[0], settings.alignment)
    back = -_localiser_shift_mm(shifts, scene)
    sites = (sites[0].moved(back), sites[1].moved(back))
    shapes = (expected_shape(sites[0], settings), expected_shape(sites[1], settings))
    return _View(sites, shapes, axial, shifts, _sagittal_images(shifts, scene), back)


def _sites(disc: Disc, scene: _Scene) -> SitePair:
    left, right = (site_of(disc, side, scene.level_map, scene.settings) for side in Side)
    return left, right


def _sagittal_images(shifts: Shifts, scene: _Scene) -> ShiftedImages:
    """Return the sagittal images, each with the shift at which it shows the reference's structures."""
    shift_of = {shift.image_key: shift.shift_lps_mm for shift in shifts}
    return tuple((image, shift_of.get(image.key, np.zeros(3))) for image in scene.study.of(Plane.SAGITTAL))


def _sagittal_frames(views: Sequence[_View], settings: FacetsSettings) -> dict[Level, FramePair]:
    """Return the joints of the levels that no axial slice shows, all of them placed together."""
    sides = [
        (site, longer(shape, settings.sagittal))
        for view in views
        for site, shape in zip(view.sites, view.shapes, strict=True)
    ]
    images = [view.beside for view in views for _ in view.sites]
    searches = [
        search_joint(beside, site, shape, settings.sagittal)
        for (site, shape), beside in zip(sides, images, strict=True)
    ]
    placed = place_together(searches, settings.sagittal)
    frames = [
        sagittal_frame(site, with_fluid(beside, site, shape, settings.sagittal), settings)
        if seen >= settings.sagittal.present_evidence
        else prior_frame(site, shape, settings)
        for (site, _), (shape, seen), beside in zip(sides, placed, images, strict=True)
    ]
    return {view.sites[0].level: _pair(frames[2 * at : 2 * at + 2]) for at, view in enumerate(views)}


def _pair(frames: Iterable[JointFrame]) -> FramePair:
    first, second = frames
    return first, second


def _by_masks(masks: ProcessMasks, sites: SitePair, frames: FramePair, settings: FacetsSettings) -> FramePair:
    """Let masks decide where they show a joint."""
    return _pair(
        joint_from_masks(masks, site, expected_shape(site, settings), settings.masks) or frame
        for site, frame in zip(sites, frames, strict=True)
    )


def _localiser(study: StudyImages, level_map: LevelMap) -> Image | None:
    keys = [labels.image_key for labels in level_map.tissues]
    named = (image for key in keys for image in study.images if image.key == key)
    return next(named, next(iter(study.of(Plane.SAGITTAL)), None))


def _localiser_shift_mm(shifts: Shifts, scene: _Scene) -> FloatArray:
    """Return the shift of the image that the levels were found in against the reference image."""
    key = None if scene.localiser is None else scene.localiser.key
    return next((shift.shift_lps_mm for shift in shifts if shift.image_key == key), np.zeros(3))


def _joint(frame: JointFrame, site: Site, shifts: Shifts, scene: _Scene) -> Joint:
    zones = build_zones(frame, site, scene.settings.zones)
    coverage = coverage_of(scene.study, zones, shifts)
    unknown = any(not shift.estimated and coverage[shift.image_key] > 0.5 for shift in shifts)
    flags = (*frame.flags, SHIFT_UNKNOWN) if unknown else frame.flags
    return Joint(replace(frame, flags=flags), zones, shifts, coverage)
