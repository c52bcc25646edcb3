"""Levels from another tool's masks: read, recognise the scheme, check, measure the same frames as our own network.

A mask is turned into points in LPS mm at once, so the order and direction of its axes cannot matter.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import numpy.typing as npt
from scipy import ndimage

from lfja_mri.config import LevelsSettings
from lfja_mri.errors import LevelsError, Reason
from lfja_mri.geometry import apply, lps_to_ras, unit
from lfja_mri.levels.canal import CanalLine, line_through
from lfja_mri.levels.frames import disc_frame
from lfja_mri.levels.schemes import (
    SPINEPS_CANAL,
    SPINEPS_LEFT,
    SPINEPS_RIGHT,
    TABLES,
    LabelTable,
    level_below,
)
from lfja_mri.model import (
    Disc,
    FloatArray,
    Image,
    Level,
    LevelMap,
    NumberingBasis,
    SpineTissue,
    TissueLabels,
)
from lfja_mri.names import MaskScheme

IntArray = npt.NDArray[np.int32]
NIFTI_ENDINGS = (".nii", ".nii.gz")
CANAL_BEHIND_DISC_MM = 8.0


@dataclass(frozen=True, eq=False)
class Mask:
    """Integer labels on a grid; `voxel_to_lps` maps array indices (first, second, third axis) to LPS mm."""

    labels: IntArray
    voxel_to_lps: FloatArray

    def points(self, *wanted: int) -> FloatArray:
        """LPS mm of the voxels that carry one of the labels, shape (N, 3)."""
        return np.asarray(
            apply(self.voxel_to_lps, np.argwhere(np.isin(self.labels, wanted)).astype(np.float64))
        )

    @property
    def voxel_mm3(self) -> float:
        """Volume of a voxel."""
        return float(abs(np.linalg.det(self.voxel_to_lps[:3, :3])))

    @property
    def lateral_pitch_mm(self) -> float:
        """Distance between planes along the axis nearest to left-right."""
        steps = self.voxel_to_lps[:3, :3]
        axis = int(np.argmax(np.abs(steps[0]) / np.linalg.norm(steps, axis=0)))
        return float(np.linalg.norm(steps[:, axis]))


@dataclass(frozen=True, eq=False)
class MaskSet:
    """Masks of one scheme: vertebrae and discs, and where the scheme keeps it apart, the mask of the parts."""

    scheme: MaskScheme
    vertebrae: Mask
    parts: Mask | None = None


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
        raise _implausible(
            f"no lumbar disc or pair of lumbar vertebrae under the scheme {masks.scheme.value}"
        )
    canal = canal_of(masks, table, clouds)
    discs = tuple(
        measure(level, points, masks.vertebrae, canal, settings) for level, points in clouds.items()
    )
    check_order(discs, settings)
    tissues = tuple(carry(masks, table, image) for image in images)
    return LevelMap(discs, canal.points_lps_mm, NumberingBasis.EXTERNAL_MASK, (), tissues)


# ------------------------------------------------------------------------------------------------ reading


def read_masks(path: Path, scheme: MaskScheme) -> MaskSet:
    """Read a mask file or folder and settle its scheme."""
    files = nifti_files(path)
    if scheme in {MaskScheme.AUTO, MaskScheme.SPINEPS} and (pair := _spineps_pair(files)):
        return MaskSet(MaskScheme.SPINEPS, read_mask(pair[0]), read_mask(pair[1]))
    if scheme in {MaskScheme.AUTO, MaskScheme.TOTALSEGMENTATOR} and _is_class_folder(files):
        return MaskSet(MaskScheme.TOTALSEGMENTATOR, _joined(files))
    if len(files) != 1:
        raise _uncertain(f"{len(files)} NIfTI files that form no known set")
    mask = read_mask(files[0])
    if scheme is MaskScheme.AUTO:
        scheme = recognise(files[0], mask)
    return MaskSet(scheme, mask)


def nifti_files(path: Path) -> list[Path]:
    """NIfTI files at a path, by name."""
    found = [path] if path.is_file() else sorted(path.rglob("*"))
    files = [file for file in found if file.is_file() and file.name.endswith(NIFTI_ENDINGS)]
    if not files:
        raise LevelsError(
            "no NIfTI mask found at the place given with --masks; give a .nii.gz file or its folder"
        )
    return files


def read_mask(path: Path) -> Mask:
    """Read one label map."""
    try:
        image = nib.Nifti1Image.from_filename(path)
        values = np.asarray(image.dataobj)
    except (nib.filebasedimages.ImageFileError, OSError, EOFError, ValueError) as error:
        raise LevelsError("a mask given with --masks is not a readable NIfTI file") from error
    if values.ndim != 3:
        raise _implausible(f"a mask has {values.ndim} axes where three were needed")
    return Mask(np.rint(values).astype(np.int32), lps_to_ras(np.asarray(image.affine, dtype=np.float64)))


def recognise(path: Path, mask: Mask) -> MaskScheme:
    """Tell a single file's scheme, or refuse where two could be meant."""
    present = set(np.unique(mask.labels).tolist())
    if _says_totalsegmentator(path):
        return MaskScheme.TOTALSEGMENTATOR
    if len(present & set(range(41, 46))) > 1 and len(present & {91, 92, 93, 94, 95, 100}) > 1:
        return MaskScheme.TOTALSPINESEG
    raise _uncertain(f"labels {_shown(present)}")


def _spineps_pair(files: list[Path]) -> tuple[Path, Path] | None:
    for file in files:
        if "seg-vert" in file.name:
            sibling = file.with_name(file.name.replace("seg-vert", "seg-spine"))
            if sibling.is_file():
                return file, sibling
    return None


def _is_class_folder(files: list[Path]) -> bool:
    names = {file.name.split(".")[0] for file in files}
    return len(names & {f"vertebrae_L{n}" for n in range(1, 6)}) > 1


def _joined(files: list[Path]) -> Mask:
    """One label map out of a folder with one binary file a class, under the multilabel numbers."""
    numbers = {"sacrum": 1, **{f"vertebrae_L{n}": 7 - n for n in range(1, 6)}}
    named = [(numbers[stem], file) for file in files if (stem := file.name.split(".")[0]) in numbers]
    first = read_mask(named[0][1])
    labels = np.zeros_like(first.labels)
    for number, file in named:
        mask = read_mask(file)
        if mask.labels.shape != labels.shape or not np.allclose(
            mask.voxel_to_lps, first.voxel_to_lps, atol=1e-3
        ):
            raise _implausible("the files of one mask folder lie on different grids")
        labels[mask.labels > 0] = number
    return Mask(labels, first.voxel_to_lps)


def _says_totalsegmentator(path: Path) -> bool:
    """Multilabel files of TotalSegmentator name their classes in the header's extension."""
    extensions = getattr(nib.load(path).header, "extensions", [])
    texts = [extension.get_content() for extension in extensions]
    joined = b" ".join(text if isinstance(text, bytes) else str(text).encode() for text in texts)
    return b"vertebrae_L5" in joined and b"sacrum" in joined and b"T12" in joined


def _shown(present: set[int]) -> str:
    listed = sorted(present - {0})
    return ", ".join(map(str, listed[:12])) + (" ..." if len(listed) > 12 else "")


def _uncertain(found: str) -> LevelsError:
    names = ", ".join(scheme.value for scheme in MaskScheme if scheme is not MaskScheme.AUTO)
    return LevelsError(
        f"the masks' scheme is uncertain ({found}); say it with --mask-scheme: {names}",
        reason=Reason.MASK_SCHEME_UNCERTAIN,
    )


def _implausible(found: str) -> LevelsError:
    return LevelsError(
        f"implausible mask: {found}; check the mask and --mask-scheme", reason=Reason.MASK_IMPLAUSIBLE
    )


# ------------------------------------------------------------------------------------------------ measuring


def disc_clouds(mask: Mask, table: LabelTable) -> dict[Level, FloatArray]:
    """Points of every lumbar disc, cranial first: from disc labels, else from the gap between bodies."""
    present = set(np.unique(mask.labels).tolist())
    lowest = max((n for n in table.vertebrae if table.vertebrae[n] in present), default=5)
    lowest = lowest if lowest in {4, 5, 6} and _sacrum_below(table, present) else max(lowest, 5)
    out: dict[Level, FloatArray] = {}
    for n in range(1, lowest + 1):
        points = _disc_points(mask, table, n, lowest, present)
        if points is not None and len(points) * mask.voxel_mm3 > 100.0:
            out[level_below(n, lowest)] = points
    return out


def _sacrum_below(table: LabelTable, present: set[int]) -> bool:
    """Tell whether the count down to the sacrum can be trusted: the sacrum or its disc is labelled."""
    return bool(present & {*table.sacrum, table.lowest_disc or -1}) or not table.sacrum


def _disc_points(mask: Mask, table: LabelTable, n: int, lowest: int, present: set[int]) -> FloatArray | None:
    if n == lowest and table.lowest_disc in present and table.lowest_disc is not None:
        return mask.points(table.lowest_disc)
    if table.discs.get(n, -1) in present:
        return mask.points(table.discs[n])
    below = (table.vertebrae.get(n + 1, -1),) if n < lowest else table.sacrum
    if table.vertebrae.get(n, -1) not in present or not present & set(below):
        return None
    return gap_points(body_points(mask, (table.vertebrae[n],)), body_points(mask, below))


def body_points(mask: Mask, labels: tuple[int, ...]) -> FloatArray:
    """Points of the vertebral body near the midline: the front part of the whole vertebra's middle slab."""
    points = mask.points(*labels)
    middle = float(np.median(points[:, 0]))
    slab = np.abs(points[:, 0] - middle) <= max(6.0, 0.6 * mask.lateral_pitch_mm)
    near = points[slab]
    cells = np.floor((near[:, 1:] - near[:, 1:].min(axis=0)) / 2.5).astype(int)
    grid = np.zeros(cells.max(axis=0) + 1, bool)
    grid[cells[:, 0], cells[:, 1]] = True
    parts, _ = ndimage.label(grid)
    of_point = parts[cells[:, 0], cells[:, 1]]
    sizes = np.bincount(of_point)
    large = [part for part in range(1, len(sizes)) if sizes[part] > 0.25 * sizes.max()]
    front = min(large, key=lambda part: float(near[of_point == part, 1].mean()))
    return np.asarray(near[of_point == front])


def gap_points(upper: FloatArray, lower: FloatArray) -> FloatArray:
    """Fill the gap between two bodies: straight lines from the lower face of one to the upper face of the other."""
    axis = unit(lower.mean(axis=0) - upper.mean(axis=0))
    top, bottom = _face(upper, axis), _face(lower, -axis)
    count = min(len(top), len(bottom))
    top = top[np.linspace(0, len(top) - 1, count).astype(int)]
    bottom = bottom[np.linspace(0, len(bottom) - 1, count).astype(int)]
    share = np.linspace(0, 1, 7)[:, None, None]
    return np.asarray(top + share * (bottom - top)).reshape(-1, 3)


def _face(points: FloatArray, outward: FloatArray) -> FloatArray:
    """Outermost point of every 2 mm column from front to back."""
    forward = unit(np.cross(np.array([1.0, 0.0, 0.0]), outward))
    bins = np.round(points @ forward / 2.0).astype(int)
    height = points @ outward
    picked = []
    for value in np.unique(bins):
        column = np.flatnonzero(bins == value)
        picked.append(points[column[int(np.argmax(height[column]))]])
    faces = np.array(picked)
    faces[:, 0] = points[:, 0].mean()
    return faces


def canal_of(masks: MaskSet, table: LabelTable, clouds: dict[Level, FloatArray]) -> CanalLine:
    """Centre line of the labelled canal, or a line behind the discs where none is labelled."""
    source, labels = (
        (masks.parts, SPINEPS_CANAL) if masks.parts is not None else (masks.vertebrae, table.canal)
    )
    points = source.points(*labels) if labels else np.zeros((0, 3))
    if len(points) * source.voxel_mm3 > 2000.0:
        return line_through(_line(points))
    centres = np.array([cloud.mean(axis=0) for cloud in clouds.values()])
    half = np.array([np.ptp(cloud[:, 1]) / 2 for cloud in clouds.values()])
    centres[:, 1] += half + CANAL_BEHIND_DISC_MM
    steps = np.linspace(0, len(centres) - 1, 5 * len(centres))
    line = np.stack(
        [np.interp(steps, np.arange(len(centres)), centres[:, axis]) for axis in range(3)], axis=1
    )
    return line_through(line if len(line) > 1 and len(centres) > 1 else _upright(centres[0]))


def _upright(point: FloatArray) -> FloatArray:
    return point + np.array([[0.0, 0.0, 20.0], [0.0, 0.0, 0.0], [0.0, 0.0, -20.0]])


def _line(points: FloatArray) -> FloatArray:
    """Centroid of every 2 mm of height, head first, smoothed."""
    bins = np.round(-points[:, 2] / 2.0).astype(int)
    values = np.unique(bins)
    centres = np.array([points[bins == value].mean(axis=0) for value in values])
    return np.asarray(ndimage.gaussian_filter1d(centres, 2.0, axis=0, mode="nearest"))


def measure(level: Level, points: FloatArray, mask: Mask, canal: CanalLine, settings: LevelsSettings) -> Disc:
    """Frame of one labelled disc."""
    near = canal.nearest(points.mean(axis=0))
    frame = disc_frame(
        points,
        np.ones(len(points)),
        mask.lateral_pitch_mm,
        canal.tangents[near],
        float(canal.points_lps_mm[near, 0]),
        settings,
    )
    return Disc(
        level,
        frame.centre_lps_mm,
        frame.axes,
        frame.depth_mm,
        frame.width_mm,
        frame.height_mm,
        settings.external_mask_confidence,
    )


# ------------------------------------------------------------------------------------------------ checking


def check_sides(masks: MaskSet) -> None:
    """Refuse a SPINEPS mask whose left processes lie to the right of its right ones."""
    if masks.parts is None:
        return
    left, right = masks.parts.points(*SPINEPS_LEFT), masks.parts.points(*SPINEPS_RIGHT)
    if len(left) and len(right) and left[:, 0].mean() <= right[:, 0].mean():
        raise _implausible("left articular processes lie to the right of the right ones")


def check_order(discs: Sequence[Disc], settings: LevelsSettings) -> None:
    """Refuse discs that are out of order along the body, too close, too far apart or of impossible size."""
    low, high = settings.pitch_mm
    for upper, lower in itertools.pairwise(discs):
        step = float(np.linalg.norm(upper.centre_lps_mm - lower.centre_lps_mm))
        if upper.centre_lps_mm[2] <= lower.centre_lps_mm[2]:
            raise _implausible(f"{upper.level.value} lies below {lower.level.value}")
        if not low <= step <= 2 * high:
            raise _implausible(f"{upper.level.value} and {lower.level.value} are {step:.0f} mm apart")
    shortest, longest = settings.disc_depth_mm
    for disc in discs:
        if not shortest <= disc.depth_mm <= longest:
            raise _implausible(f"the disc {disc.level.value} is {disc.depth_mm:.0f} mm deep")


# ------------------------------------------------------------------------------------------------ tissues


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
