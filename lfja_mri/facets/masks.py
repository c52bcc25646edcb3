"""Joints from another tool's masks: the facing surfaces of two articular processes (SPINEPS labels 45-48).

The joint of a level lies between the inferior process of the upper vertebra and the superior process of the lower one.
Masks are turned into points in LPS mm at once, so that the order and direction of their axes cannot matter. Stray
voxels of neighbours at the edge of the view are too few to make a joint. MR masks give the sacrum no processes: there
its surface nearest to the inferior process stands in.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import nibabel as nib
import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from lfja_mri import geometry
from lfja_mri.errors import InputError, Reason
from lfja_mri.facets.frames import LINE_POINTS, JointShape, Site, joint_frame
from lfja_mri.model import FloatArray, JointFrame, Level, Side
from lfja_mri.settings.facets import MaskSettings

SUPERIOR = {Side.LEFT: 45, Side.RIGHT: 46}
INFERIOR = {Side.LEFT: 47, Side.RIGHT: 48}
SACRUM_PART, SACRUM = 26, 26
VERTEBRAE = {
    Level.L1_L2: (20, 21),
    Level.L2_L3: (21, 22),
    Level.L3_L4: (22, 23),
    Level.L4_L5: (23, 24),
    Level.L5_S1: (24, SACRUM),
    Level.L5_L6: (24, 25),
    Level.L6_S1: (25, SACRUM),
    Level.L4_S1: (23, SACRUM),
}
FROM_MASK = "joint_from_external_mask"

IntArray = npt.NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class ProcessMasks:
    """Parts of vertebrae and which vertebra each voxel belongs to, on one grid.

    `voxel_to_lps` maps array indices (first, second, third axis) to LPS mm.
    """

    parts: IntArray
    vertebrae: IntArray
    voxel_to_lps: FloatArray

    def points(self, part: int, vertebra: int | None) -> FloatArray:
        """Return the LPS mm of a part's voxels, of one vertebra or of any, shape (N, 3)."""
        mask = self.parts == part
        if vertebra is not None:
            mask = mask & (self.vertebrae == vertebra)
        return geometry.apply(self.voxel_to_lps, np.argwhere(mask).astype(np.float64))

    def moved(self, shift_lps_mm: FloatArray) -> ProcessMasks:
        """Return the masks shifted, as another image would show them."""
        affine = self.voxel_to_lps.copy()
        affine[:3, 3] += shift_lps_mm
        return replace(self, voxel_to_lps=affine)

    @property
    def voxel_mm(self) -> float:
        """Mean edge of a voxel."""
        return float(np.mean(np.linalg.norm(self.voxel_to_lps[:3, :3], axis=0)))


def read_process_masks(parts: Path, vertebrae: Path) -> ProcessMasks:
    """Read a SPINEPS pair: the subregion mask and the vertebra instance mask.

    Raises
    ------
    InputError
        A file cannot be read, or the two lie on different grids.
    """
    first, second = _read(parts), _read(vertebrae)
    same = first[0].shape == second[0].shape and np.allclose(first[1], second[1], atol=1e-3)
    if not same:
        raise InputError(
            f"the subregion and the vertebra mask lie on different grids: {first[0].shape} and {second[0].shape}; "
            "give the pair that one run wrote",
            reason=Reason.MASK_IMPLAUSIBLE,
        )
    return ProcessMasks(first[0], second[0], geometry.lps_to_ras(first[1]))


def process_masks_in(path: Path) -> ProcessMasks | None:
    """Return the SPINEPS pair in a folder or beside a file; None where there is none, as with every other tool."""
    files = sorted(path.rglob("*")) if path.is_dir() else sorted(path.parent.iterdir())
    for vertebrae in files:
        parts = vertebrae.with_name(vertebrae.name.replace("seg-vert", "seg-spine"))
        if "seg-vert" in vertebrae.name and parts.is_file():
            return read_process_masks(parts, vertebrae)
    return None


def _read(path: Path) -> tuple[IntArray, FloatArray]:
    try:
        image = nib.Nifti1Image.from_filename(path)
        return np.asarray(image.dataobj).astype(np.int32), np.asarray(image.affine, dtype=np.float64)
    except (OSError, ValueError, nib.filebasedimages.ImageFileError) as error:
        raise InputError(
            f"cannot read the mask {path.name}; a NIfTI file was needed", reason=Reason.UNREADABLE_FILE
        ) from error


def joint_from_masks(
    masks: ProcessMasks, site: Site, shape: JointShape, settings: MaskSettings
) -> JointFrame | None:
    """Return the joint between two processes in the masks' frame; None where either is missing or they do not face.

    Parameters
    ----------
    shape
        The joint that anatomy expects, for what masks cannot tell.
    """
    inferior, superior = _facing_processes(masks, site, settings)
    if min(len(inferior), len(superior)) < settings.least_voxels:
        return None
    distance, nearest = cKDTree(inferior).query(superior, distance_upper_bound=settings.facing_mm)
    faces = np.isfinite(distance)
    if np.count_nonzero(faces) < settings.least_facing_voxels:
        return None
    surface = 0.5 * (superior[faces] + inferior[nearest[faces]])
    return _frame(surface, superior[faces] - inferior[nearest[faces]], masks.voxel_mm, site, shape, settings)


def _facing_processes(
    masks: ProcessMasks, site: Site, settings: MaskSettings
) -> tuple[FloatArray, FloatArray]:
    upper, lower = VERTEBRAE[site.level]
    inferior = masks.points(INFERIOR[site.side], upper)
    superior = masks.points(SUPERIOR[site.side], lower)
    if lower == SACRUM and len(superior) < settings.least_voxels:
        sacrum = masks.points(SACRUM_PART, None)
        behind = -site.from_lps(sacrum)[:, 0] > 0.5 * site.disc.depth_mm if len(sacrum) else np.zeros(0, bool)
        superior = sacrum[behind]
    return inferior, superior


def _frame(
    surface: FloatArray,
    across: FloatArray,
    voxel_mm: float,
    site: Site,
    shape: JointShape,
    settings: MaskSettings,
) -> JointFrame:
    """Fit the frame to the points half-way between both processes."""
    offsets = site.from_lps(surface)
    middle = offsets.mean(axis=0)
    line = _line(offsets[:, :2], site.side)
    heights = np.percentile(offsets[:, 2], [2.5, 97.5])
    normal = site.axes.from_lps(across.mean(axis=0))
    flat = float(np.hypot(normal[0], normal[1]))
    slope = float(np.clip(normal[2] / flat, -0.5, 0.5)) if flat > 0 else shape.normal_cranial
    length = float(np.linalg.norm(np.diff(line, axis=0), axis=1).sum())
    line_lps = site.to_lps(np.column_stack([line, np.full(len(line), middle[2])]))
    measured = replace(
        shape,
        length_mm=length,
        height_mm=float(heights[1] - heights[0]) + voxel_mm,
        gap_mm=max(float(np.median(np.linalg.norm(across, axis=1))) - voxel_mm, 0.5 * voxel_mm),
        normal_cranial=slope,
    )
    return joint_frame(
        site,
        measured,
        uncertainty_mm=settings.uncertainty_mm + 0.5 * voxel_mm,
        confidence=settings.confidence * site.disc.confidence,
        line_lps_mm=line_lps,
        flags=(FROM_MASK,),
    )


def _line(flat: FloatArray, side: Side) -> FloatArray:
    """Return a smooth line through points in the axial plane, (anterior, left) mm, anteromedial tip first."""
    centre = flat.mean(axis=0)
    _, _, directions = np.linalg.svd(flat - centre, full_matrices=False)
    along = directions[0] * (-1.0 if directions[0][0] > 0 else 1.0)
    across = np.array([-along[1], along[0]]) * side.lateral_sign
    places, bulge = (flat - centre) @ along, (flat - centre) @ across
    curve = np.polynomial.Polynomial.fit(places, bulge, 2)
    first, last = np.percentile(places, [2.5, 97.5])
    steps = np.linspace(first, last, LINE_POINTS)
    return np.asarray(centre + steps[:, None] * along + curve(steps)[:, None] * across)
