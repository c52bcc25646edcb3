"""How wide the fluid is that fat-suppressed sagittal slices show in a joint, though it is smeared over their thickness.

A slice blurs a film of fluid but keeps its amount: the signal above its surroundings, summed across the joint, over that of
CSF is the film's width. Cartilage and capsule add to it what `dry_gap_mm` takes for granted.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lfja_mri import geometry
from lfja_mri.facets.frames import JointShape, Site
from lfja_mri.facets.parasagittal import ShiftedImages
from lfja_mri.facets.sagittal import SMEAR_MM, slices_of, template
from lfja_mri.model import FloatArray, Image
from lfja_mri.settings.facets import SagittalSettings

SAC_MM = (4.0, 4.0, 8.0)
CSF_PERCENTILE = 80.0


def fluid_width_mm(
    images: ShiftedImages, site: Site, shape: JointShape, settings: SagittalSettings
) -> float | None:
    """Return the mean width of a joint's fluid over its surface, in mm; None where no image can tell.

    Parameters
    ----------
    images
        Sagittal images, each with the shift (LPS mm) at which it shows the site; only fat-suppressed ones
        on which fluid is bright are read.
    """
    widths = [
        width
        for image, shift in images
        if image.role.contrast.is_fat_suppressed
        and image.role.contrast.is_fluid_sensitive
        and (width := _width_mm(image, shift, site, shape, settings)) is not None
    ]
    return float(np.mean(widths)) if widths else None


def with_fluid(
    images: ShiftedImages, site: Site, shape: JointShape, settings: SagittalSettings
) -> JointShape:
    """Return the shape with its gap opened by the fluid that sagittal slices show; as it was where none can tell."""
    width = fluid_width_mm(images, site, shape, settings)
    if width is None:
        return shape
    low, high = settings.gap_range_mm
    gap_mm = settings.dry_gap_mm + settings.gap_per_fluid * width
    return replace(shape, gap_mm=float(np.clip(gap_mm, low, high)))


def _width_mm(
    image: Image, shift: FloatArray, site: Site, shape: JointShape, settings: SagittalSettings
) -> float | None:
    slices = slices_of(image, shift, site, shape, settings)
    csf = _csf(image, shift, site)
    if slices is None or csf is None:
        return None
    contrast = csf - slices.darkest
    expected = template(slices, shape)
    energy = float(np.sum(expected**2))
    if contrast <= 0.0 or energy <= 0.0:
        return None
    amplitude = float(np.sum(expected * slices.signal)) / energy
    return amplitude * SMEAR_MM * float(np.sqrt(2.0 * np.pi)) / contrast


def _csf(image: Image, shift: FloatArray, site: Site) -> float | None:
    """Return the signal of CSF beside the disc: roots and flow are darker, so a high percentile of the sac."""
    axes = [np.linspace(-reach, reach, 9) for reach in SAC_MM]
    steps = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    values = geometry.sample(image.volume, site.to_lps(site.canal_offset_mm + steps) + shift)
    values = values[np.isfinite(values)]
    return float(np.percentile(values, CSF_PERCENTILE)) if len(values) else None
