"""From levels and images to joints with zones: READ FIRST in this folder."""

from __future__ import annotations

from dataclasses import replace

from lfja_mri.config import FacetsSettings
from lfja_mri.errors import Reason
from lfja_mri.facets.alignment import level_shifts
from lfja_mri.facets.coverage import coverage_of
from lfja_mri.facets.cuts import best_axial_image
from lfja_mri.facets.frames import Site
from lfja_mri.facets.prior import expected_shape, site_of
from lfja_mri.facets.refine import centred_sites, prior_frame, refine_pair
from lfja_mri.facets.zones import build_zones
from lfja_mri.model import (
    AbsentJoint,
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


def place_joints(
    study: StudyImages, level_map: LevelMap, settings: FacetsSettings
) -> tuple[Joint | AbsentJoint, ...]:
    """Place the left and the right joint of every expected level.

    Returns
    -------
    Level by level, cranial first, left then right; a level whose disc was not found gives absent joints.
    """
    return tuple(
        joint
        for level in level_map.expected_levels
        for joint in _level_joints(level, study, level_map, settings)
    )


def _level_joints(
    level: Level, study: StudyImages, level_map: LevelMap, settings: FacetsSettings
) -> tuple[Joint | AbsentJoint, ...]:
    disc = level_map.disc(level)
    if disc is None:
        return tuple(AbsentJoint(level, side, Reason.LEVEL_NOT_VISIBLE) for side in Side)
    sites = (
        site_of(disc, Side.LEFT, level_map, settings),
        site_of(disc, Side.RIGHT, level_map, settings),
    )
    axial = best_axial_image(study, sites[0], expected_shape(sites[0], settings), settings.refine)
    reference = axial or _localiser(study, level_map)
    shifts = () if reference is None else level_shifts(study, reference, sites[0], settings.alignment)
    sites = (
        _in_reference(sites[0], shifts, study, level_map),
        _in_reference(sites[1], shifts, study, level_map),
    )
    shapes = (expected_shape(sites[0], settings), expected_shape(sites[1], settings))
    if axial is None:
        frames = (prior_frame(sites[0], shapes[0], settings), prior_frame(sites[1], shapes[1], settings))
    else:
        sites = centred_sites(axial, sites, shapes, settings)
        frames = refine_pair(axial, sites, shapes, settings)
    return tuple(
        _joint(frame, site, shifts, study, settings) for frame, site in zip(frames, sites, strict=True)
    )


def _localiser(study: StudyImages, level_map: LevelMap) -> Image | None:
    """Return the image that the levels were found in."""
    keys = [labels.image_key for labels in level_map.tissues]
    named = (image for key in keys for image in study.images if image.key == key)
    return next(named, next(iter(study.of(Plane.SAGITTAL)), None))


def _in_reference(site: Site, shifts: Shifts, study: StudyImages, level_map: LevelMap) -> Site:
    """Move a site from the image that the levels were found in to the reference image."""
    localiser = _localiser(study, level_map)
    found = [shift for shift in shifts if localiser is not None and shift.image_key == localiser.key]
    return site.moved(-found[0].shift_lps_mm) if found else site


def _joint(
    frame: JointFrame, site: Site, shifts: Shifts, study: StudyImages, settings: FacetsSettings
) -> Joint:
    zones = build_zones(frame, site, settings.zones)
    coverage = coverage_of(study, zones, shifts)
    unknown = any(not shift.estimated and coverage[shift.image_key] > 0.5 for shift in shifts)
    flags = (*frame.flags, SHIFT_UNKNOWN) if unknown else frame.flags
    return Joint(replace(frame, flags=flags), zones, shifts, coverage)
