"""Abnormally bright tissue around the joint: where it is, how far it reaches, and what is a cyst.

Vocabulary: *bright* is above the oedema threshold, outside everything that is excluded by name (canal, disc, vessels,
unsuppressed fat) and outside cysts. *Connected* bright tissue touches the perimeter.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from lfja_mri.grading.sampling import Scene, ZoneSignal
from lfja_mri.model import EXTENSION_TARGETS, BoolArray, FloatArray, Zone
from lfja_mri.settings.grading import MeasureSettings

BONE = (
    Zone.SUPERIOR_PROCESS,
    Zone.INFERIOR_PROCESS,
    Zone.PEDICLE,
    Zone.TRANSVERSE_PROCESS,
    Zone.VERTEBRAL_BODY,
)
EXCLUDED = (Zone.EXCLUDED_CANAL, Zone.EXCLUDED_DISC, Zone.EXCLUDED_VESSEL, Zone.EXCLUDED_FAT)
INSIDE_CAPSULE = (Zone.JOINT_SPACE, Zone.CAPSULE)
IN_PLANE = ndimage.generate_binary_structure(2, 1)[None]


@dataclass(frozen=True, eq=False)
class BrightTissue:
    """Masks of bright tissue on the zone grid of one joint.

    `connected` touches the perimeter; `spreading` is joined with the shell by more than a narrow neck, so that a vein or
    a nerve root that merely touches the joint's oedema is not taken for its spread. `cyst` includes a rim.
    """

    ratio: ZoneSignal
    bright: BoolArray
    connected: BoolArray
    spreading: BoolArray
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
    seeds = scene.shell & (scene.height_share <= settings.spread_from_height_share)
    return BrightTissue(
        ratio=ratio,
        bright=bright,
        connected=_touching(bright, ratio.perimeter),
        spreading=_joined(bright, seeds, settings.spread_least_width_mm, ratio),
        cyst=cyst,
        cyst_volume_mm3=cyst_mm3,
    )


def _touching(mask: BoolArray, seeds: BoolArray) -> BoolArray:
    """Return the connected parts of a mask that meet the seeds."""
    labels, count = ndimage.label(mask)
    touching = np.zeros(count + 1, dtype=np.bool_)
    touching[labels[seeds]] = True
    touching[0] = False
    return np.asarray(touching[labels])


def _joined(mask: BoolArray, seeds: BoolArray, width_mm: float, ratio: ZoneSignal) -> BoolArray:
    """Return the parts of a mask that meet the seeds without a neck narrower than a width in the axial plane."""
    steps = max(1, round(0.5 * width_mm / float(ratio.spacing_zyx_mm[-1])))
    core = _touching(ndimage.binary_erosion(mask, IN_PLANE, iterations=steps), seeds)
    return np.asarray(ndimage.binary_dilation(core, IN_PLANE, iterations=steps, mask=mask))


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


def extent_mm(tissue: BrightTissue, from_capsule_mm: FloatArray) -> float:
    """Return how far connected bright tissue reaches from the capsule, in mm; 0 where there is none; higher is worse."""
    return float(from_capsule_mm[tissue.connected].max()) if tissue.connected.any() else 0.0


def extension_volumes_mm3(tissue: BrightTissue, scene: Scene) -> dict[str, float]:
    """Return the volume of spreading bright tissue in each extension target beyond the shell, in mm3; higher is worse.

    In the foramen only what lies beside the joint counts, further up are the nerve root and its veins; there, tissue that
    no zone names belongs to it too. In the body only what lies beside the sac counts: a joint's oedema gets there through
    the pedicle, while the veins behind the middle of the body join with the sac.
    """
    beyond = tissue.spreading & (scene.from_space_mm > scene.settings.extension_from_mm)

    def place(target: Zone) -> BoolArray:
        if target is Zone.VERTEBRAL_BODY:
            return np.asarray(tissue.ratio.of(target) & ~scene.in_front_of_sac)
        if target is Zone.FORAMEN:
            level = scene.height_share <= scene.settings.foramen_height_share
            unnamed = tissue.ratio.of(Zone.OUTSIDE) & scene.beside_in_front
            return np.asarray((tissue.ratio.of(target) & level) | unnamed)
        return tissue.ratio.of(target)

    return {target.value: volume_mm3(tissue, beyond & place(target)) for target in EXTENSION_TARGETS}


def farthest_extension_mm3(tissue: BrightTissue, scene: Scene) -> dict[str, float]:
    """Return the volume of every connected bright voxel of each target outside the shell, in mm3: what it could be at most.

    Veins and roots that touch the joint's oedema count here, and spread through a neck counts too.
    """
    outside = scene.from_space_mm > scene.settings.shell_outer_mm
    behind_body = tissue.ratio.of(Zone.VERTEBRAL_BODY) & scene.in_front_of_sac
    return {
        target.value: volume_mm3(tissue, np.asarray(outside & tissue.ratio.of(target) & ~behind_body))
        for target in EXTENSION_TARGETS
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
