"""Abnormally bright tissue beside the joint, and cysts.

Vocabulary: *bright* is above the oedema threshold, outside everything that is excluded by name (canal, disc, vessels,
unsuppressed fat) and outside cysts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from lfja_mri.grading.sampling import Scene, ZoneSignal
from lfja_mri.model import BoolArray, Zone
from lfja_mri.settings.grading import MeasureSettings

EXCLUDED = (Zone.EXCLUDED_CANAL, Zone.EXCLUDED_DISC, Zone.EXCLUDED_VESSEL, Zone.EXCLUDED_FAT)
INSIDE_CAPSULE = (Zone.JOINT_SPACE, Zone.CAPSULE)


@dataclass(frozen=True, eq=False)
class BrightTissue:
    """Masks of bright tissue on the zone grid of one joint. `cyst` includes a rim."""

    ratio: ZoneSignal
    bright: BoolArray
    cyst: BoolArray
    cyst_volume_mm3: float


def find_bright_tissue(ratio: ZoneSignal, threshold: float, scene: Scene) -> BrightTissue:
    """Find bright tissue outside the capsule in an image given as a ratio to CSF.

    Parameters
    ----------
    threshold
        Signal ratio from which tissue is bright.
    """
    settings = scene.settings
    outside = ratio.imaged & ~ratio.of(*INSIDE_CAPSULE, *EXCLUDED)
    cyst, cyst_mm3 = _cysts(ratio, outside, settings)
    bright = outside & ~cyst & (np.nan_to_num(ratio.signal_zyx) >= threshold)
    return BrightTissue(ratio, bright, cyst, cyst_mm3)


def _cysts(ratio: ZoneSignal, outside: BoolArray, settings: MeasureSettings) -> tuple[BoolArray, float]:
    fluid = outside & (np.nan_to_num(ratio.signal_zyx) >= settings.cyst_csf_ratio)
    labels, count = ndimage.label(fluid)
    volumes = ndimage.sum_labels(fluid, labels, np.arange(1, count + 1)) * ratio.voxel_mm3
    large = np.flatnonzero(volumes >= settings.cyst_least_volume_mm3) + 1
    if not len(large):
        return np.zeros(labels.shape, dtype=np.bool_), 0.0
    cyst = np.isin(labels, large)
    rim = ndimage.distance_transform_edt(~cyst, sampling=ratio.spacing_zyx_mm) <= settings.cyst_rim_mm
    return np.asarray(rim), float(volumes[large - 1].sum())
