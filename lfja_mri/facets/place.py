"""From levels and images to joints with zones: READ FIRST in this folder."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from lfja_mri.config import FacetsSettings
from lfja_mri.errors import Reason
from lfja_mri.facets.alignment import level_shifts
from lfja_mri.facets.coverage import coverage_of
from lfja_mri.facets.cuts import best_axial_image
from lfja_mri.facets.frames import Site
from lfja_mri.facets.masks import ProcessMasks, joint_from_masks
from lfja_mri.facets.parasagittal import ShiftedImages, parasagittal_pair
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


def place_joints(
    study: StudyImages,
    level_map: LevelMap,
    settings: FacetsSettings,
    *,
    masks: ProcessMasks | None = None,
) -> tuple[Joint | AbsentJoint, ...]:
    """Place the left and the right joint of every expected level.

    Parameters
    ----------
    masks
        Another tool's articular processes, in the frame of the image that the levels come from; where they show both
        processes of a joint they decide, elsewhere the images do.

    Returns
    -------
    Level by level, cranial first, left then right; a level whose disc was not found gives absent joints.
    """
    scene = _Scene(study, level_map, settings, masks, _localiser(study, level_map))
    return tuple(joint for level in level_map.expected_levels for joint in _level_joints(level, scene))


def _level_joints(level: Level, scene: _Scene) -> tuple[Joint | AbsentJoint, ...]:
    disc = scene.level_map.disc(level)
    if disc is None:
        return tuple(AbsentJoint(level, side, Reason.LEVEL_NOT_VISIBLE) for side in Side)
    settings = scene.settings
    sites = _sites(disc, scene)
    axial = best_axial_image(scene.study, sites[0], expected_shape(sites[0], settings), settings.refine)
    reference = axial or scene.localiser
    shifts = () if reference is None else level_shifts(scene.study, reference, sites[0], settings.alignment)
    back = -_localiser_shift_mm(shifts, scene)
    sites = (sites[0].moved(back), sites[1].moved(back))
    sites, frames = _frames(axial, sites, shifts, scene)
    if scene.masks is not None:
        frames = _by_masks(scene.masks.moved(back), sites, frames, settings)
    return tuple(_joint(frame, site, shifts, scene) for frame, site in zip(frames, sites, strict=True))


def _sites(disc: Disc, scene: _Scene) -> SitePair:
    left, right = (site_of(disc, side, scene.level_map, scene.settings) for side in Side)
    return left, right


def _frames(
    axial: Image | None, sites: SitePair, shifts: Shifts, scene: _Scene
) -> tuple[SitePair, FramePair]:
    """Return the joints as axial slices show them, else as sagittal ones do; the midline may move."""
    settings = scene.settings
    shapes = (expected_shape(sites[0], settings), expected_shape(sites[1], settings))
    beside = _sagittal_images(shifts, scene)
    if axial is None:
        return sites, _sagittal_frames(sites, shapes, beside, scene)
    sites = centred_sites(axial, sites, shapes, settings)
    return sites, refine_pair(axial, sites, shapes, settings, beside)


def _sagittal_images(shifts: Shifts, scene: _Scene) -> ShiftedImages:
    """Return the sagittal images, each with the shift at which it shows the reference's structures."""
    shift_of = {shift.image_key: shift.shift_lps_mm for shift in shifts}
    return tuple((image, shift_of.get(image.key, np.zeros(3))) for image in scene.study.of(Plane.SAGITTAL))


def _sagittal_frames(sites: SitePair, shapes: ShapePair, images: ShiftedImages, scene: _Scene) -> FramePair:
    """Return the joints as sagittal slices show them, or where anatomy expects them."""
    settings = scene.settings
    moved = parasagittal_pair(images, sites, shapes, settings.sagittal)
    if np.mean([score for _, score in moved]) < settings.sagittal.present_score:
        first, second = (
            prior_frame(site, shape, settings) for site, shape in zip(sites, shapes, strict=True)
        )
    else:
        first, second = (
            sagittal_frame(site, shape, settings) for site, (shape, _) in zip(sites, moved, strict=True)
        )
    return first, second


def _by_masks(masks: ProcessMasks, sites: SitePair, frames: FramePair, settings: FacetsSettings) -> FramePair:
    """Let masks decide where they show a joint."""
    first, second = (
        joint_from_masks(masks, site, expected_shape(site, settings), settings.masks) or frame
        for site, frame in zip(sites, frames, strict=True)
    )
    return first, second


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
