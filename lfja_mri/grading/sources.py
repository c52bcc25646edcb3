"""Which images a joint is measured on: the best that shows it, has reference tissue, and whose fat is suppressed there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lfja_mri.errors import Reason
from lfja_mri.grading.fat_suppression import FatSuppression, fat_suppression_at
from lfja_mri.grading.reference import Reference, reference_of
from lfja_mri.grading.sampling import Scene, ZoneSignal, coverage_of, read_zones
from lfja_mri.model import Image, StudyImages


@dataclass(frozen=True, eq=False)
class Source:
    """One image as it serves one joint: its zones as ratios to the reference."""

    image: Image
    ratio: ZoneSignal
    reference: Reference
    coverage: float


def oedema_source(scene: Scene) -> tuple[Source | None, FatSuppression]:
    """Return the best image whose fat is suppressed at this joint; none, and why, if there is no such image."""
    worst = FatSuppression.NOT_SUPPRESSED
    for image in _images(scene.study, scene.settings.oedema_roles):
        source = _source(image, scene)
        if source is None:
            continue
        suppression = fat_suppression_at(image, source.ratio, scene)
        if suppression is not FatSuppression.FAILED:
            return source, suppression
        worst = suppression
    return None, worst


def fluid_source(scene: Scene, chosen: Source | None) -> Source | None:
    """Return the best image for the width of fluid; the one chosen for oedema is not read twice."""
    for image in _images(scene.study, scene.settings.effusion_roles):
        source = chosen if chosen is not None and chosen.image is image else _source(image, scene)
        if source is not None:
            return source
    return None


def _images(study: StudyImages, roles: Sequence[str]) -> list[Image]:
    return [image for role in roles for image in study.images if str(image.role) == role]


def _source(image: Image, scene: Scene) -> Source | None:
    coverage = coverage_of(scene, image)
    if coverage < scene.settings.least_coverage_fraction:
        return None
    zones = read_zones(scene, image)
    reference = reference_of(image, zones, scene)
    if reference is None:
        return None
    ratio = zones.divided_by(reference.signal)
    return Source(image, ratio, reference, coverage)


def best_coverage(scene: Scene) -> float:
    """Return the share of the joint in the image that shows most of it, 0 to 1."""
    return max((coverage_of(scene, image) for image in scene.study.images), default=0.0)


def why_no_source(suppression: FatSuppression, scene: Scene) -> Reason:
    """Return why a joint has no image to measure oedema on."""
    if suppression is FatSuppression.FAILED:
        return Reason.FAT_SUPPRESSION_FAILED
    images = _images(scene.study, scene.settings.oedema_roles)
    if not images:
        return Reason.NO_FAT_SUPPRESSED_SERIES
    least = scene.settings.least_coverage_fraction
    covered = any(coverage_of(scene, image) >= least for image in images)
    return Reason.REFERENCE_TISSUE_NOT_FOUND if covered else Reason.INSUFFICIENT_COVERAGE
