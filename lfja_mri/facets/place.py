"""From levels and images to joints with zones: READ FIRST in this folder."""

from __future__ import annotations

from lfja_mri.config import FacetsSettings
from lfja_mri.errors import Reason
from lfja_mri.facets.coverage import coverage_of
from lfja_mri.facets.frames import joint_frame
from lfja_mri.facets.prior import expected_shape, site_of
from lfja_mri.facets.zones import build_zones
from lfja_mri.model import AbsentJoint, Disc, Joint, Level, LevelMap, Side, StudyImages


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
    return tuple(_joint(disc, side, study, level_map, settings) for side in Side)


def _joint(
    disc: Disc, side: Side, study: StudyImages, level_map: LevelMap, settings: FacetsSettings
) -> Joint:
    site = site_of(disc, side, level_map, settings)
    frame = joint_frame(
        site,
        expected_shape(site, settings),
        uncertainty_mm=settings.prior_uncertainty_mm,
        confidence=0.3 * disc.confidence,
        flags=("joint_from_prior_only",),
    )
    zones = build_zones(frame, site, settings.zones)
    return Joint(frame, zones, coverage=coverage_of(study, zones, ()))
