"""Levels from another tool's masks: read, checked, and measured in the same frames as our own network's.

A mask is turned into points in LPS mm at once, so the order and direction of its axes cannot matter.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lfja_mri.geometry import apply
from lfja_mri.levels.mask_discs import canal_of, disc_clouds, measure
from lfja_mri.levels.mask_files import MaskSet, implausible, read_masks
from lfja_mri.levels.schemes import SPINEPS_CANAL, SPINEPS_LEFT, SPINEPS_RIGHT, TABLES, LabelTable
from lfja_mri.model import Disc, Image, LevelMap, NumberingBasis, SpineTissue, TissueLabels
from lfja_mri.names import MaskScheme
from lfja_mri.settings.levels import LevelsSettings


def levels_from_masks(
    path: Path,
    scheme: MaskScheme,
    settings: LevelsSettings,
    images: Sequence[Image] = (),
) -> LevelMap:
    """Read masks of another tool and measure the lumbar discs in them.

    Parameters
    ----------
    path
        A NIfTI file, or a folder that holds the files of one study.
    scheme
        Whose labels they are; `auto` only where that is certain.
    settings
        Section `levels` of `pipeline.toml`.
    images
        Sagittal images onto which the tissues are to be carried.

    Returns
    -------
    Levels with `external_mask` as numbering basis.

    Raises
    ------
    LevelsError
        Unreadable, scheme uncertain, or implausible: order, spacing, size or sides.
    """
    masks = read_masks(path, scheme)
    check_sides(masks)
    table = TABLES[masks.scheme]
    clouds = disc_clouds(masks.vertebrae, table)
    if not clouds:
        raise implausible(f"no lumbar disc or pair of lumbar vertebrae under the scheme {masks.scheme.value}")
    canal = canal_of(masks, table, clouds)
    discs = tuple(
        measure(level, points, masks.vertebrae, canal, settings) for level, points in clouds.items()
    )
    check_order(discs, settings)
    tissues = tuple(carry(masks, table, image) for image in images)
    return LevelMap(discs, canal.points_lps_mm, NumberingBasis.EXTERNAL_MASK, (), tissues)


def check_sides(masks: MaskSet) -> None:
    """Refuse a SPINEPS mask whose left processes lie to the right of its right ones."""
    if masks.parts is None:
        return
    left, right = masks.parts.points(*SPINEPS_LEFT), masks.parts.points(*SPINEPS_RIGHT)
    if len(left) and len(right) and left[:, 0].mean() <= right[:, 0].mean():
        raise implausible("left articular processes lie to the right of the right ones")


def check_order(discs: Sequence[Disc], settings: LevelsSettings) -> None:
    """Refuse discs that are out of order along the body, too close, too far apart or of impossible size."""
    low, high = settings.pitch_mm
    for upper, lower in itertools.pairwise(discs):
        step = float(np.linalg.norm(upper.centre_lps_mm - lower.centre_lps_mm))
        if upper.centre_lps_mm[2] <= lower.centre_lps_mm[2]:
            raise implausible(f"{upper.level.value} lies below {lower.level.value}")
        if not low <= step <= 2 * high:
            raise implausible(f"{upper.level.value} and {lower.level.value} are {step:.0f} mm apart")
    shortest, longest = settings.disc_depth_mm
    for disc in discs:
        if not shortest <= disc.depth_mm <= longest:
            raise implausible(f"the disc {disc.level.value} is {disc.depth_mm:.0f} mm deep")


def carry(masks: MaskSet, table: LabelTable, image: Image) -> TissueLabels:
    """Carry the mask's tissues onto an image's own grid, nearest neighbour."""
    codes = tissue_codes(masks, table)
    to_mask = np.linalg.inv(masks.vertebrae.voxel_to_lps) @ image.volume.voxel_to_lps
    shape = image.volume.values_zyx.shape
    out = np.zeros(shape, np.uint8)
    columns, rows = np.meshgrid(np.arange(shape[2]), np.arange(shape[1]))
    for plane in range(shape[0]):
        index = np.rint(
            apply(
                to_mask, np.stack([columns, rows, np.full_like(columns, plane)], axis=-1).astype(np.float64)
            )
        )
        inside = np.all((index >= 0) & (index < codes.shape), axis=-1)
        whole = np.where(inside[..., None], index, 0).astype(np.int64)
        out[plane] = np.where(inside, codes[whole[..., 0], whole[..., 1], whole[..., 2]], 0)
    return TissueLabels(image.key, out)


def tissue_codes(masks: MaskSet, table: LabelTable) -> npt.NDArray[np.uint8]:
    """`SpineTissue.code` on the mask's own grid."""
    labels = masks.vertebrae.labels
    codes = np.zeros(labels.shape, np.uint8)
    discs = [*table.discs.values(), *([table.lowest_disc] if table.lowest_disc else [])]
    codes[np.isin(labels, list(table.vertebrae.values()))] = SpineTissue.VERTEBRA.code
    codes[np.isin(labels, table.sacrum)] = SpineTissue.SACRUM.code
    codes[np.isin(labels, discs)] = SpineTissue.DISC.code
    in_canal = np.isin(labels, table.canal)
    if masks.parts is not None:
        in_canal = np.isin(masks.parts.labels, SPINEPS_CANAL)
    codes[in_canal] = SpineTissue.CANAL.code
    return codes
