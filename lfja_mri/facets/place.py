"""From levels and images to joints with zones: READ FIRST in this folder."""

from __future__ import annotations

from lfja_mri.config import FacetsSettings
from lfja_mri.errors import Reason
from lfja_mri.facets.coverage import coverage_of
from lfja_mri.facets.frames import Site
from lfja_mri.facets.prior import expected_shape, site_of
from lfja_mri.facets.refine import refine_level
from lfja_mri.facets.zones import build_zones
from lfja_mri.model import AbsentJoint, Joint, JointFrame, Level, LevelMap, Side, StudyImages


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
    shapes = (expected_shape(sites[0], settings), expected_shape(sites[1], settings))
    refined = refine_level(study, sites, shapes, settings)
    return tuple(
        _joint(frame, site, study, settings) for frame, site in zip(refined.frames, sites, strict=True)
    )


def _joint(frame: JointFrame, site: Site, study: StudyImages, settings: FacetsSettings) -> Joint:
    zones = build_zones(frame, site, settings.zones)
    return Joint(frame, zones, coverage=coverage_of(study, zones, ()))
