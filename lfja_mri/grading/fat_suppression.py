"""Was the fat around one joint really suppressed? Unsuppressed fat looks like oedema.

Fat is never found on the image that is being checked: it is what is bright on T1, or, where there is no T1, what is
bright on T2 and dark on another fat-suppressed image (fluid and oedema are bright on both).
"""

from __future__ import annotations

from enum import StrEnum

import numpy as np

from lfja_mri.grading.reference import reference_of
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
    fat = _fat_mask(image, scene)
    if fat is None:
        return FatSuppression.UNVERIFIED
    for radius_mm in scene.settings.fat_search_radii_mm:
        values = ratio.signal_zyx[fat & ratio.imaged & (scene.from_capsule_mm < radius_mm)]
        if len(values) >= scene.settings.fat_least_points:
            bright = float(np.median(values)) > _brightest_suppressed(image, ratio, scene)
            return FatSuppression.FAILED if bright else FatSuppression.OK
    return FatSuppression.UNVERIFIED


def _brightest_suppressed(image: Image, ratio: ZoneSignal, scene: Scene) -> float:
    """Return how bright suppressed fat may be: near the coil all tissue is brighter, so muscle beside it counts too.

    On T1 the reference is muscle itself, times a number; fat, were it not suppressed, is three times as bright as muscle
    there and not ten times, so that a limit of its own is needed.
    """
    settings = scene.settings
    if not image.role.contrast.is_fluid_sensitive:
        return settings.enhanced_fat_muscle_ratio / settings.enhanced_muscle_to_reference
    muscle = ratio.signal_zyx[ratio.of(Zone.MUSCLE)]
    if len(muscle) < settings.reference_least_points:
        return settings.suppressed_fat_csf_ratio
    level = float(np.percentile(muscle, settings.muscle_percentile))
    return max(settings.suppressed_fat_csf_ratio, level * settings.suppressed_fat_muscle_ratio)


def _fat_mask(image: Image, scene: Scene) -> BoolArray | None:
    """Return the zone voxels that are fat; None where the study has no images that tell."""
    on_t1 = _far_brighter_than_muscle(scene, Contrast.T1, scene.settings.fat_t1_muscle_ratio)
    if on_t1 is not None:
        return on_t1
    on_t2 = _far_brighter_than_muscle(scene, Contrast.T2, scene.settings.fat_t2_muscle_ratio)
    dark = _dark_on_another(image, scene)
    return None if on_t2 is None or dark is None else np.asarray(on_t2 & dark)


def _far_brighter_than_muscle(scene: Scene, contrast: Contrast, times: float) -> BoolArray | None:
    """Return the zone voxels that are brighter than so many times muscle on the first image that shows muscle."""
    settings = scene.settings
    for plane in (Plane.AXIAL, Plane.SAGITTAL):
        for image in scene.study.of(plane, contrast):
            zones = read_zones(scene, image)
            muscle = zones.signal_zyx[zones.of(Zone.MUSCLE)]
            if len(muscle) >= settings.reference_least_points:
                level = float(np.percentile(muscle, settings.muscle_percentile))
                return np.asarray((zones.signal_zyx > level * times) & ~zones.of(*NOT_FAT))
    return None


def _dark_on_another(image: Image, scene: Scene) -> BoolArray | None:
    """Return the zone voxels that stay dark on a fat-suppressed image of another role."""
    for other in scene.study.images:
        if other.role == image.role or not other.role.contrast.is_fluid_sensitive:
            continue
        if not other.role.contrast.is_fat_suppressed:
            continue
        zones = read_zones(scene, other)
        reference = reference_of(other, zones, scene)
        if reference is not None and zones.perimeter.any():
            return np.asarray(zones.signal_zyx < scene.settings.oedema_csf_ratio * reference.signal)
    return None
