"""A NIfTI volume as a study of one image: for the commands that do a single stage. Its header tells no contrast."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from lfja_mri.errors import InputError, Reason
from lfja_mri.geometry import lps_to_ras, nearest_plane
from lfja_mri.ingest.cues import cues_of, fat_is_dark, fluid_is_bright
from lfja_mri.model import Contrast, Image, Plane, Role, StudyImages, Volume
from lfja_mri.settings.ingest import IngestSettings


def images_of_nifti(path: Path, settings: IngestSettings) -> StudyImages:
    """Read one volume, its slices along its coarsest axis; the contrast is judged from the pixels.

    Raises
    ------
    InputError
        The file is no NIfTI volume with three axes.
    """
    import nibabel as nib

    try:
        nifti = nib.nifti1.load(path)
        values_xyz = np.asarray(nifti.dataobj, dtype=np.float32)
        voxel_to_ras = np.asarray(nifti.affine, dtype=np.float64)
    except (OSError, ValueError, EOFError, nib.filebasedimages.ImageFileError) as error:
        raise InputError("the NIfTI file cannot be read", reason=Reason.UNREADABLE_FILE) from error
    if values_xyz.ndim != 3:
        raise InputError(
            f"needed a NIfTI volume of three axes, found {values_xyz.ndim}", reason=Reason.INVALID_GEOMETRY
        )
    volume = _volume(values_xyz, lps_to_ras(voxel_to_ras))
    role, evidence = _role(volume, settings)
    key = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    return StudyImages(key, (Image("s1k1", volume, role, 0.5, evidence),))


def _volume(
    values_xyz: np.ndarray[tuple[int, ...], np.dtype[np.float32]],
    to_lps: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
) -> Volume:
    """Put the slice axis, the one with the longest step, last; which way an axis runs stays as stored."""
    steps = np.linalg.norm(to_lps[:3, :3], axis=0)
    slice_axis = int(np.argmax(np.round(steps, 3)))
    order = [axis for axis in range(3) if axis != slice_axis] + [slice_axis]
    affine = to_lps[:, [*order, 3]]
    return Volume(np.ascontiguousarray(values_xyz.transpose(order[::-1])), affine, float(steps[slice_axis]))


def _role(volume: Volume, settings: IngestSettings) -> tuple[Role, tuple[str, ...]]:
    plane = nearest_plane(volume.normal_lps)
    middle = volume.values_zyx[len(volume.values_zyx) // 2]
    cues = cues_of(middle, volume.voxel_to_lps, plane)
    if cues is None:
        return Role(plane, Contrast.T2), ("NIfTI: contrast unknown, taken as T2",)
    dark, _ = fat_is_dark(cues, settings)
    suppressed = Contrast.STIR if plane is Plane.SAGITTAL else Contrast.T2_FS
    bright, _ = fluid_is_bright(cues, settings)
    plain = Contrast.T2 if bright else Contrast.T1
    return Role(plane, suppressed if dark else plain), (f"NIfTI: skin fat {cues.fat_to_fluid:.2f} x fluid",)
