"""Stacks as NIfTI with a sidecar each, and one index of everything used and refused."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lfja_mri.geometry import lps_to_ras
from lfja_mri.ingest.describe import Plain, describe
from lfja_mri.ingest.stacks import Stack
from lfja_mri.ingest.study import Catalogue, read_stack
from lfja_mri.model import ImageArray, Rejection, Volume
from lfja_mri.settings.ingest import IngestSettings
from lfja_mri.tables import write_bytes, write_text

INDEX_NAME = "index.json"
COMPRESSION = 6
SCANNER_SPACE = 1


def export(catalogue: Catalogue, folder: Path, settings: IngestSettings) -> Plain:
    """Write every usable stack and the index.

    Parameters
    ----------
    catalogue
        What `find_studies` found.
    folder
        Receives `<study>_<stack>.nii.gz` and `.json`, and `index.json`.

    Returns
    -------
    The index: that of `describe`, with `image` naming the file of each stack written, or None where its pixels could
    not be read (then `reason` says why).

    Raises
    ------
    OutputError
        The folder cannot be written.
    """
    index = describe(catalogue, settings)
    for study, plain in zip(catalogue.studies, index["studies"], strict=True):
        entries = {entry["stack"]: entry for series in plain["series"] for entry in series["stacks"]}
        for stack in study.stacks:
            entries[stack.key].update(_export_stack(stack, entries[stack.key], study.study_key, folder))
    write_text(folder / INDEX_NAME, _json(index))
    return index


def written_images(index: Plain) -> list[str]:
    """Return the names of the images that an index tells of."""
    stacks = [stack for study in index["studies"] for series in study["series"] for stack in series["stacks"]]
    return [stack["image"] for stack in stacks if stack["image"] is not None]


def _export_stack(stack: Stack, entry: Plain, study_key: str, folder: Path) -> Plain:
    volume = read_stack(stack)
    if isinstance(volume, Rejection):
        return {"image": None, "reason": volume.reason.value, "detail": volume.detail}
    name = f"{study_key}_{stack.key}"
    write_nifti(volume, folder / f"{name}.nii.gz")
    write_text(folder / f"{name}.json", _json({"study_key": study_key, **entry}))
    return {"image": f"{name}.nii.gz"}


def write_nifti(volume: Volume, path: Path) -> None:
    """Write a volume as NIfTI (RAS, mm); gzip without a clock, so that the same volume gives the same bytes."""
    import nibabel as nib

    image = nib.nifti1.Nifti1Image(_smallest_type(volume.values_zyx).T, lps_to_ras(volume.voxel_to_lps))
    image.set_sform(image.affine, code=SCANNER_SPACE)
    image.set_qform(image.affine, code=SCANNER_SPACE)
    image.header.set_xyzt_units("mm")
    content = image.to_bytes()
    packed = gzip.compress(content, COMPRESSION, mtime=0) if path.suffix == ".gz" else content
    write_bytes(path, packed)


def _smallest_type(values: ImageArray) -> npt.NDArray[np.generic]:
    """Store whole numbers as 16-bit integers where they fit: exact, and half the size."""
    if np.array_equal(values, np.round(values)):
        for kind in (np.int16, np.uint16):
            limits = np.iinfo(kind)
            if values.min() >= limits.min and values.max() <= limits.max:
                return values.astype(kind)
    return values


def _json(content: Plain) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
