"""Oedema of a joint: the bright tissue that belongs to it, how much there is, how far it reaches and into what.

Vocabulary: oedema is the bright rim of abnormal sectors at the joint's middle, and what runs on from it without a
narrow neck. Bright tissue that merely touches the perimeter - veins, nerve roots, fat that stayed bright - is not.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import ndimage

from lfja_mri.grading.bright import EXCLUDED, INSIDE_CAPSULE, BrightTissue
from lfja_mri.grading.perimeter import abnormal_shell
from lfja_mri.grading.sampling import Scene, ZoneSignal
from lfja_mri.model import EXTENSION_TARGETS, BoolArray, FloatArray, Zone

BONE = (
    Zone.SUPERIOR_PROCESS,
    Zone.INFERIOR_PROCESS,
    Zone.PEDICLE,
    Zone.TRANSVERSE_PROCESS,
    Zone.VERTEBRAL_BODY,
)
IN_PLANE = ndimage.generate_binary_structure(2, 1)[None]


@dataclass(frozen=True, eq=False)
class Oedema:
    """Masks on the zone grid of one joint.

    `mask` is its oedema; `tongues` adds what runs on through thinner necks, which tells how far it extends; `bright` is all
    bright tissue, the joint's or not.
    """

    ratio: ZoneSignal
    mask: BoolArray
    tongues: BoolArray
    bright: BoolArray

    @cached_property
    def touching(self) -> BoolArray:
        """Bright tissue that touches the perimeter, which tells how far oedema could reach."""
        return _touching(self.bright, self.ratio.perimeter)


def find_oedema(tissue: BrightTissue, scene: Scene) -> Oedema:
    """Find the bright tissue that belongs to a joint."""
    settings, ratio = scene.settings, tissue.ratio
    middle = scene.height_share <= settings.spread_from_height_share
    rim = abnormal_shell(tissue, scene.shell, settings.sector_bright_share) & middle
    around = _touching(tissue.bright & ~seen_sac(scene, ratio), rim)
    spread, tongues = (
        _joined(around, rim, width_mm, ratio)
        for width_mm in (settings.spread_least_width_mm, settings.tongue_least_width_mm)
    )
    return Oedema(ratio, np.asarray(rim | spread), np.asarray(rim | tongues), tissue.bright)


def seen_sac(scene: Scene, ratio: ZoneSignal) -> BoolArray:
    """Return the sac as the image shows it: fluid that runs on from the zone of the canal.

    The zone is a smooth tube; a real sac is wider in places, and a thick slice draws it wider still. The rim of a joint is
    not asked: there, near the coil, oedema can be as bright as this.
    """
    fluid = np.nan_to_num(ratio.signal_zyx) >= scene.settings.sac_csf_ratio
    may_be_sac = fluid & scene.near_canal & ~ratio.of(*INSIDE_CAPSULE)
    return _touching(may_be_sac, ratio.of(Zone.EXCLUDED_CANAL))


def _touching(mask: BoolArray, seeds: BoolArray) -> BoolArray:
    """Return the connected parts of a mask that meet the seeds."""
    labels, count = ndimage.label(mask)
    touching = np.zeros(count + 1, dtype=np.bool_)
    touching[labels[seeds]] = True
    touching[0] = False
    return np.asarray(touching[labels])


def _joined(mask: BoolArray, seeds: BoolArray, width_mm: float, ratio: ZoneSignal) -> BoolArray:
    """Return the parts of a mask that meet the seeds without a neck narrower than a width in the axial plane."""
    joined = np.zeros_like(mask)
    if mask.any():
        here = ndimage.find_objects(mask.astype(np.uint8))[0]  # what lies outside would only take time
        steps = max(1, round(0.5 * width_mm / float(ratio.spacing_zyx_mm[-1])))
        core = _touching(ndimage.binary_erosion(mask[here], IN_PLANE, iterations=steps), seeds[here])
        joined[here] = ndimage.binary_dilation(core, IN_PLANE, iterations=steps, mask=mask[here])
    return joined


def extent_mm(oedema: Oedema, from_capsule_mm: FloatArray) -> float:
    """Return how far oedema reaches from the capsule, in mm; 0 where there is none; higher is worse."""
    return float(from_capsule_mm[oedema.mask].max()) if oedema.mask.any() else 0.0


def extension_volumes_mm3(oedema: Oedema, scene: Scene) -> dict[str, float]:
    """Return the volume of oedema, thin tongues too, in each extension target beyond the shell, in mm3; higher is worse.

    In the foramen only what lies beside the joint counts, further up are the nerve root and its veins; there, tissue that
    no zone names belongs to it too. In the body only what lies beside the sac counts: a joint's oedema gets there through
    the pedicle, while the veins behind the middle of the body join with the sac.
    """
    ratio = oedema.ratio
    beyond = oedema.tongues & (scene.from_space_mm > scene.settings.extension_from_mm)

    def place(target: Zone) -> BoolArray:
        if target is Zone.VERTEBRAL_BODY:
            return np.asarray(ratio.of(target) & ~scene.in_front_of_sac)
        if target is Zone.FORAMEN:
            level = scene.height_share <= scene.settings.foramen_height_share
            unnamed = ratio.of(Zone.OUTSIDE) & scene.beside_in_front
            return np.asarray((ratio.of(target) & level) | unnamed)
        return ratio.of(target)

    return {target.value: _mm3(beyond & place(target), ratio) for target in EXTENSION_TARGETS}


def farthest_extension_mm3(oedema: Oedema, scene: Scene) -> dict[str, float]:
    """Return the volume of all touching bright tissue of each target outside the shell, in mm3: what it could be at most.

    Veins and roots that touch the joint's oedema count here, and spread through a neck counts too.
    """
    ratio = oedema.ratio
    behind_body = ratio.of(Zone.VERTEBRAL_BODY) & scene.in_front_of_sac
    could = oedema.touching & (scene.from_space_mm > scene.settings.shell_outer_mm) & ~behind_body
    return {target.value: _mm3(could & ratio.of(target), ratio) for target in EXTENSION_TARGETS}


def volume_mm3(oedema: Oedema, mask: BoolArray) -> float:
    """Return the volume of oedema in a mask, in mm3; higher is worse."""
    return _mm3(oedema.mask & mask, oedema.ratio)


def _mm3(mask: BoolArray, ratio: ZoneSignal) -> float:
    return float(mask.sum() * ratio.voxel_mm3)


def signal_ratio(oedema: Oedema, mask: BoolArray | None = None) -> float:
    """Return the mean ratio to CSF of oedema, in a mask if given; 0 where there is none."""
    chosen = oedema.mask if mask is None else oedema.mask & mask
    return float(oedema.ratio.signal_zyx[chosen].mean()) if chosen.any() else 0.0


def bright_share(oedema: Oedema, mask: BoolArray) -> float:
    """Return the share of a mask that is oedema, 0 to 1."""
    return float(oedema.mask[mask].mean()) if mask.any() else 0.0


def bone_mask(ratio: ZoneSignal) -> BoolArray:
    """Return the imaged voxels of bone."""
    return ratio.of(*BONE)


def soft_tissue_mask(ratio: ZoneSignal) -> BoolArray:
    """Return the imaged voxels that are neither bone, nor within the capsule, nor excluded."""
    labelled = ratio.zones.labels_zyx != Zone.OUTSIDE.code
    return np.asarray(labelled & ratio.imaged & ~ratio.of(*BONE, *INSIDE_CAPSULE, *EXCLUDED))
