"""Was the fat around one joint really suppressed? Unsuppressed fat looks like oedema.

Fat is found on a T1 or T2 image without fat suppression, never on the image that is being checked.
"""

from __future__ import annotations

from enum import StrEnum

import numpy as np

from lfja_mri.grading.sampling import Scene, ZoneSignal, read_zones
from lfja_mri.model import BoolArray, Contrast, Image, Plane, Zone

NOT_FAT = (Zone.JOINT_SPACE, Zone.CAPSULE, Zone.EXCLUDED_CANAL, Zone.EXCLUDED_DISC, Zone.EXCLUDED_VESSEL)


class FatSuppression(StrEnum):
    """State of fat suppression at one joint."""

    OK = "ok"
    FAILED = "failed"
    UNVERIFIED = "unverified"
    NOT_SUPPRESSED = "not_suppressed"


def fat_suppression_at(image: Image, ratio: ZoneSignal, scene: Scene) -> FatSuppression:
    """Judge fat suppression of an image around a joint.

    Parameters
    ----------
    image
        The image to be checked.
    ratio
        The same image on the joint's zones, as a ratio to CSF.
    scene
        Joint and study.
    """
    if not image.role.contrast.is_fat_suppressed:
        return FatSuppression.NOT_SUPPRESSED
    fat = _fat_mask(scene)
    if fat is None:
        return FatSuppression.UNVERIFIED
    for radius_mm in scene.settings.fat_search_radii_mm:
        values = ratio.signal_zyx[fat & ratio.imaged & (scene.from_capsule_mm < radius_mm)]
        if len(values) >= scene.settings.fat_least_points:
            bright = float(np.median(values)) > _brightest_suppressed(ratio, scene)
            return FatSuppression.FAILED if bright else FatSuppression.OK
    return FatSuppression.UNVERIFIED


def _brightest_suppressed(ratio: ZoneSignal, scene: Scene) -> float:
    """Return how bright suppressed fat may be: near the coil all tissue is brighter, so muscle beside it counts too."""
    settings = scene.settings
    muscle = ratio.signal_zyx[ratio.of(Zone.MUSCLE)]
    if len(muscle) < settings.reference_least_points:
        return settings.suppressed_fat_csf_ratio
    level = float(np.percentile(muscle, settings.muscle_percentile))
    return max(settings.suppressed_fat_csf_ratio, level * settings.suppressed_fat_muscle_ratio)


def _fat_mask(scene: Scene) -> BoolArray | None:
    """Return the zone voxels that are fat on T1: far brighter than muscle."""
    settings = scene.settings
    for plane in (Plane.AXIAL, Plane.SAGITTAL):
        for image in scene.study.of(plane, Contrast.T1):
            zones = read_zones(scene, image)
            muscle = zones.signal_zyx[zones.of(Zone.MUSCLE)]
            if len(muscle) >= settings.reference_least_points:
                level = float(np.percentile(muscle, settings.muscle_percentile))
                bright = zones.signal_zyx > level * settings.fat_t1_muscle_ratio
                return np.asarray(bright & ~zones.of(*NOT_FAT))
    return None
