"""Abnormally bright tissue around the joint: where it is, how far it reaches, and what is a cyst.

Vocabulary: *bright* is above the oedema threshold, outside everything that is excluded by name (canal, disc, vessels,
unsuppressed fat) and outside cysts. *Connected* bright tissue touches the perimeter.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from lfja_mri.config import MeasureSettings
from lfja_mri.grading.sampling import ZoneSignal
from lfja_mri.model import EXTENSION_TARGETS, BoolArray, FloatArray, Zone

BONE = (
    Zone.SUPERIOR_PROCESS,
    Zone.INFERIOR_PROCESS,
    Zone.PEDICLE,
    Zone.TRANSVERSE_PROCESS,
    Zone.VERTEBRAL_BODY,
)
EXCLUDED = (Zone.EXCLUDED_CANAL, Zone.EXCLUDED_DISC, Zone.EXCLUDED_VESSEL, Zone.EXCLUDED_FAT)
INSIDE_CAPSULE = (Zone.JOINT_SPACE, Zone.CAPSULE)


@dataclass(frozen=True, eq=False)
class BrightTissue:
    """Masks of abnormal tissue and of cysts with their rim on the zone grid of one joint, and the volume of cysts."""

    ratio: ZoneSignal
    bright: BoolArray
    connected: BoolArray
    cyst: BoolArray
    cyst_volume_mm3: float


def find_bright_tissue(ratio: ZoneSignal, threshold: float, settings: MeasureSettings) -> BrightTissue:
    """Find bright tissue outside the capsule in an image given as a ratio to CSF.

    Parameters
    ----------
    threshold
        Signal ratio from which tissue is bright.
    """
    outside = ratio.imaged & ~ratio.of(*INSIDE_CAPSULE, *EXCLUDED)
    cyst, cyst_mm3 = _cysts(ratio, outside, settings)
    bright = outside & ~cyst & (np.nan_to_num(ratio.signal_zyx) >= threshold)
    labels, _ = ndimage.label(bright)
    touching = np.setdiff1d(np.unique(labels[ratio.perimeter]), [0])
    return BrightTissue(ratio, bright, np.isin(labels, touching), cyst, cyst_mm3)


def _cysts(ratio: ZoneSignal, outside: BoolArray, settings: MeasureSettings) -> tuple[BoolArray, float]:
    fluid = outside & (np.nan_to_num(ratio.signal_zyx) >= settings.fluid_csf_ratio)
    labels, count = ndimage.label(fluid)
    volumes = ndimage.sum_labels(fluid, labels, np.arange(1, count + 1)) * ratio.voxel_mm3
    large = np.flatnonzero(volumes >= settings.cyst_least_volume_mm3) + 1
    cyst = np.isin(labels, large)
    if not cyst.any():
        return cyst, 0.0
    rim = ndimage.distance_transform_edt(~cyst, sampling=ratio.spacing_zyx_mm) <= settings.cyst_rim_mm
    return np.asarray(rim), float(volumes[large - 1].sum())


def extent_mm(tissue: BrightTissue, from_capsule_mm: FloatArray) -> float:
    """Return how far connected bright tissue reaches from the capsule, in mm; 0 where there is none; higher is worse."""
    return float(from_capsule_mm[tissue.connected].max()) if tissue.connected.any() else 0.0


def extension_volumes_mm3(tissue: BrightTissue) -> dict[str, float]:
    """Return the volume of connected bright tissue in each extension target beyond the perimeter, in mm3; higher is worse."""
    beyond = ~tissue.ratio.perimeter
    return {
        target.value: volume_mm3(tissue, tissue.ratio.of(target) & beyond) for target in EXTENSION_TARGETS
    }


def volume_mm3(tissue: BrightTissue, mask: BoolArray) -> float:
    """Return the volume of connected bright tissue in a mask, in mm3; higher is worse."""
    return float((tissue.connected & mask).sum() * tissue.ratio.voxel_mm3)


def signal_ratio(tissue: BrightTissue, mask: BoolArray | None = None) -> float:
    """Return the mean ratio to CSF of connected bright tissue, in a mask if given; 0 where there is none."""
    chosen = tissue.connected if mask is None else tissue.connected & mask
    return float(tissue.ratio.signal_zyx[chosen].mean()) if chosen.any() else 0.0


def bright_share(tissue: BrightTissue, mask: BoolArray) -> float:
    """Return the share of a mask that is connected bright tissue, 0 to 1."""
    return float(tissue.connected[mask].mean()) if mask.any() else 0.0


def bone_mask(ratio: ZoneSignal) -> BoolArray:
    """Return the imaged voxels of bone."""
    return ratio.of(*BONE)


def soft_tissue_mask(ratio: ZoneSignal) -> BoolArray:
    """Return the imaged voxels that are neither bone, nor within the capsule, nor excluded."""
    labelled = ratio.zones.labels_zyx != Zone.OUTSIDE.code
    return np.asarray(labelled & ratio.imaged & ~ratio.of(*BONE, *INSIDE_CAPSULE, *EXCLUDED))
