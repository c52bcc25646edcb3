"""Where anatomy expects a joint before the image is looked at: from the disc's frame, the canal and the level."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lfja_mri.facets.frames import JointShape, Site
from lfja_mri.model import Axes, Disc, FloatArray, LevelMap, Side
from lfja_mri.settings.facets import FacetsSettings, JointPrior

CANAL_REACH_MM = 12.0


def site_of(disc: Disc, side: Side, level_map: LevelMap, settings: FacetsSettings) -> Site:
    """Return one side of a disc's level; left is the patient's left whichever way the disc's axis was given."""
    axes = disc.axes if disc.axes.left[0] > 0 else _turned(disc.axes)
    offset = _canal_offset(disc, axes, level_map.canal_line_lps_mm)
    depth_scale, width_scale = _person_scale(level_map.discs or (disc,), settings)
    if offset is None:
        prior = level_prior(disc, settings)
        by_disc = prior.behind_disc_per_depth * prior.disc_depth_mm * depth_scale
        offset = np.array([prior.behind_canal_mm - by_disc, 0.0, 0.0])
    return Site(disc.level, side, disc, axes, offset, depth_scale, width_scale)


def level_prior(disc: Disc, settings: FacetsSettings) -> JointPrior:
    """Return the prior of a level; levels that only some people have borrow that of the most similar one."""
    name = settings.similar_level.get(disc.level.value, disc.level.value)
    return settings.levels[name]


def expected_shape(site: Site, settings: FacetsSettings) -> JointShape:
    """Return the joint that anatomy expects at a site, scaled by the patient's own discs and placed by the canal."""
    prior = level_prior(site.disc, settings)
    size_scale = float(np.sqrt(site.depth_scale * site.width_scale))
    by_disc = prior.behind_disc_per_depth * prior.disc_depth_mm * site.depth_scale
    by_canal = -float(site.canal_offset_mm[0]) + prior.behind_canal_mm * site.depth_scale
    weight = settings.canal_weight
    return JointShape(
        behind_mm=weight * by_canal + (1.0 - weight) * by_disc,
        lateral_mm=prior.lateral_mm * site.width_scale,
        cranial_mm=prior.cranial_mm * size_scale,
        angle_deg=prior.angle_deg,
        bend_deg=prior.bend_deg,
        length_mm=prior.length_mm * size_scale,
        height_mm=prior.height_mm * size_scale,
        gap_mm=settings.gap_mm,
        normal_cranial=prior.normal_cranial,
    )


def _turned(axes: Axes) -> Axes:
    return Axes(cranial=axes.cranial, anterior=axes.anterior, left=-axes.left)


def _person_scale(discs: Sequence[Disc], settings: FacetsSettings) -> tuple[float, float]:
    """Return how much deeper and wider a person's discs are than those of the mean shape: the median over the levels."""
    pairs = [(disc, level_prior(disc, settings)) for disc in discs]
    depth = np.median([disc.depth_mm / prior.disc_depth_mm for disc, prior in pairs])
    width = np.median([disc.width_mm / prior.disc_width_mm for disc, prior in pairs])
    low, high = settings.scale_range
    return (
        float(np.clip(1.0 + settings.depth_trust * (depth - 1.0), low, high)),
        float(np.clip(1.0 + settings.width_trust * (width - 1.0), low, high)),
    )


def _canal_offset(disc: Disc, axes: Axes, line_lps_mm: FloatArray) -> FloatArray | None:
    """Return where the canal's line crosses the disc's plane; None where it does not come near."""
    if len(line_lps_mm) == 0:
        return None
    offsets = axes.from_lps(line_lps_mm - disc.centre_lps_mm)
    order = np.argsort(offsets[:, 2], kind="stable")
    heights = offsets[order, 2]
    if heights[0] > CANAL_REACH_MM or heights[-1] < -CANAL_REACH_MM:
        return None
    behind = np.interp(0.0, heights, offsets[order, 0])
    if not -1.1 * disc.depth_mm < behind < -0.3 * disc.depth_mm:
        return None
    left = 0.5 * np.interp(0.0, heights, offsets[order, 1])
    return np.array([behind, left, 0.0])
