"""dcm2niix as the oracle: converts a folder, and compares volumes by where their voxels lie."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import nibabel as nib
import numpy as np

BINARY = Path(sys.executable).parent / "dcm2niix"


def converted(folder: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    """Values (x, y, z) and RAS affines of what dcm2niix makes of a folder."""
    with tempfile.TemporaryDirectory() as out:
        subprocess.run(
            [BINARY, "-z", "n", "-b", "n", "-f", "%s_%r_%u", "-o", out, folder],
            check=False,
            capture_output=True,
        )
        images = [nib.nifti1.load(path) for path in sorted(Path(out).glob("*.nii"))]
        return [(volume, np.asarray(image.affine)) for image in images for volume in _volumes(image)]


def _volumes(image: nib.nifti1.Nifti1Image) -> list[np.ndarray]:
    values = np.asarray(image.get_fdata())
    return [values] if values.ndim < 4 else [values[..., i] for i in range(values.shape[3])]


def placement_error_mm(
    ours: tuple[np.ndarray, np.ndarray], theirs: tuple[np.ndarray, np.ndarray]
) -> float | None:
    """Largest distance between matching voxel centres when both hold the same values at the same places.

    None where the grids differ or any value does.
    """
    (values, affine), (other_values, other_affine) = ours, theirs
    if sorted(values.shape) != sorted(other_values.shape):
        return None
    mapping = np.linalg.inv(other_affine) @ affine
    turn = np.round(mapping[:3, :3]).astype(int)
    if not np.array_equal(np.abs(turn) @ np.ones(3), np.ones(3)):
        return None
    index = np.indices(values.shape).reshape(3, -1)
    places = mapping[:3, :3] @ index + mapping[:3, 3:]
    nearest = np.round(places).astype(int)
    if np.any(nearest < 0) or np.any(nearest >= np.array(other_values.shape)[:, None]):
        return None
    if not np.allclose(values.reshape(-1), other_values[tuple(nearest)], rtol=1e-6, atol=1e-3):
        return None
    return float(np.max(np.linalg.norm(other_affine[:3, :3] @ (places - nearest), axis=0)))
