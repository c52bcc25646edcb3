"""The axial slices in which a level's joints are looked for, cut to one side and turned to face the same way.

A *cut* is one side of one slice: rows run backwards, columns outwards from the midline, so that left and right joints
look alike and the same search serves both.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lfja_mri import geometry
from lfja_mri.facets.evidence import PIXEL_MM
from lfja_mri.facets.frames import JointShape, Site
from lfja_mri.model import Contrast, FloatArray, Image, Plane, Side, StudyImages
from lfja_mri.settings.facets import RefineSettings

INNER_MM, OUTER_MM, DEPTH_MM = -6.0, 42.0, 27.0

CONTRASTS = (
    Contrast.T2,
    Contrast.PD,
    Contrast.T1,
    Contrast.T2_FS,
    Contrast.DIXON_WATER,
    Contrast.STIR,
    Contrast.T1_GD,
    Contrast.T1_FS_GD,
    Contrast.T1_FS,
)
"""Best first: joint lines stand out most between bright marrow."""


@dataclass(frozen=True, eq=False)
class Cut:
    """One side of one axial slice.

    Parameters
    ----------
    origin_lps_mm
        The midline at the depth where the joint is expected.
    outwards_lps, backwards_lps
        Unit vectors in the slice.
    height_mm
        Of the slice above the expected joint centre, along the slice normal.
    patch
        Signal; rows backwards from `-DEPTH_MM`, columns outwards from `INNER_MM`, `PIXEL_MM` apart.
    """

    origin_lps_mm: FloatArray
    outwards_lps: FloatArray
    backwards_lps: FloatArray
    height_mm: float
    patch: FloatArray

    def to_lps(self, points_mm: FloatArray) -> FloatArray:
        """Turn (outwards, backwards) mm from the origin, shape (..., 2), into LPS mm."""
        return self.origin_lps_mm + points_mm @ np.stack([self.outwards_lps, self.backwards_lps])


def columns_mm() -> FloatArray:
    """Return how far outwards from the midline each column lies."""
    return np.arange(INNER_MM, OUTER_MM + 1e-6, PIXEL_MM)


def rows_mm() -> FloatArray:
    """Return how far behind the expected joint each row lies."""
    return np.arange(-DEPTH_MM, DEPTH_MM + 1e-6, PIXEL_MM)


def best_axial_image(
    study: StudyImages, site: Site, shape: JointShape, settings: RefineSettings
) -> Image | None:
    """Return the axial stack that shows most of a level's joints, clearer contrasts first; None where there is none."""
    best: tuple[float, Image] | None = None
    for image in study.of(Plane.AXIAL, *CONTRASTS):
        shown = _shown(image, site, shape, settings)
        if shown > 0 and (best is None or shown > best[0] + 0.5):
            best = (shown, image)
    return None if best is None else best[1]


def cuts_of(image: Image, site: Site, shape: JointShape, settings: RefineSettings) -> tuple[Cut, ...]:
    """Return the cuts of a stack near a site's expected joint, caudal first."""
    normal = _upward_normal(image, site)
    left = geometry.perpendicular(site.axes.left, normal)
    backwards = geometry.perpendicular(geometry.perpendicular(-site.axes.anterior, normal), left)
    outwards = site.side.lateral_sign * left
    middle = _level_point(site, shape)
    columns, rows = columns_mm()[None, :, None], rows_mm()[:, None, None]
    cuts = []
    for height in sorted(_heights(image, site, middle, settings)):
        origin = middle + height * normal
        points = origin + columns * outwards + rows * backwards
        signal = geometry.sample(image.volume, points, outside=0.0)
        cuts.append(Cut(origin, outwards, backwards, float(height), signal))
    return tuple(cuts)


def _level_point(site: Site, shape: JointShape) -> FloatArray:
    return site.to_lps(np.array([-shape.behind_mm, site.canal_offset_mm[1], shape.cranial_mm]))


def _upward_normal(image: Image, site: Site) -> FloatArray:
    normal = image.volume.normal_lps
    return normal if float(normal @ site.axes.cranial) >= 0 else -normal


def _heights(image: Image, site: Site, middle: FloatArray, settings: RefineSettings) -> list[float]:
    """Return the heights of a stack's slices above a point, those within reach."""
    volume, normal = image.volume, _upward_normal(image, site)
    count = volume.values_zyx.shape[0]
    corners = volume.voxel_to_lps[:3, 3] + np.arange(count)[:, None] * volume.voxel_to_lps[:3, 2]
    heights = (corners - middle) @ normal
    return [float(height) for height in heights if abs(height) <= settings.slice_reach_mm]


def _shown(image: Image, site: Site, shape: JointShape, settings: RefineSettings) -> float:
    """Return how many slices' worth of both joints a stack shows, weighted towards their middle."""
    if float(_upward_normal(image, site) @ site.axes.cranial) < np.cos(
        np.deg2rad(settings.steepest_stack_deg)
    ):
        return 0.0
    middle = _level_point(site, shape)
    seen = all(
        geometry.contains(image.volume, middle + sign * shape.lateral_mm * site.axes.left)
        or geometry.contains(image.volume, middle + sign * shape.lateral_mm * site.axes.left + _nudge(image))
        for sign in (Side.LEFT.lateral_sign, Side.RIGHT.lateral_sign)
    )
    heights = np.array(_heights(image, site, middle, settings))
    weight = float(np.sum(np.exp(-0.5 * (heights / settings.slice_window_mm) ** 2)))
    return weight * image.volume.spacing_mm[2] if seen or len(heights) > 1 else 0.0


def _nudge(image: Image) -> FloatArray:
    """Return one slice's step, for joints whose middle lies just outside a stack."""
    return image.volume.voxel_to_lps[:3, 2]
