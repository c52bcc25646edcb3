"""Another tool's mask files: read, told apart by their labels and names, joined into one set on one grid."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import numpy.typing as npt

from lfja_mri.errors import LevelsError, Reason
from lfja_mri.geometry import apply, lps_to_ras
from lfja_mri.model import FloatArray
from lfja_mri.names import MaskScheme

IntArray = npt.NDArray[np.int32]
NIFTI_ENDINGS = (".nii", ".nii.gz")


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
        raise implausible(f"a mask has {values.ndim} axes where three were needed")
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
            raise implausible("the files of one mask folder lie on different grids")
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


def implausible(found: str) -> LevelsError:
    """Refusal of a mask that no lumbar spine can have."""
    return LevelsError(
        f"implausible mask: {found}; check the mask and --mask-scheme", reason=Reason.MASK_IMPLAUSIBLE
    )
