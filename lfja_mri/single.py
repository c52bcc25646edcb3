"""One study or one NIfTI file, for the commands that do a single stage."""

from __future__ import annotations

import gzip
from pathlib import Path

import nibabel as nib
import numpy as np

from lfja_mri.errors import InputError, Reason
from lfja_mri.geometry import lps_to_ras
from lfja_mri.ingest import find_studies, images_of_nifti, read_study
from lfja_mri.model import LevelMap, StudyImages
from lfja_mri.settings.ingest import IngestSettings
from lfja_mri.tables import write_bytes


def read_one_study(path: Path, settings: IngestSettings) -> StudyImages:
    """Read the one study at a path, DICOM or a single NIfTI volume.

    Raises
    ------
    InputError
        There is no study, or more than one.
    """
    if path.name.endswith((".nii", ".nii.gz")):
        return images_of_nifti(path, settings)
    studies = find_studies([path], settings).studies
    if len(studies) != 1:
        raise InputError(
            f"needed exactly one MR study, found {len(studies)}; `lfja-mri inspect` shows what is there",
            reason=Reason.NOT_MR_IMAGE if not studies else None,
        )
    return read_study(studies[0], settings)


def write_tissue_labels(level_map: LevelMap, images: StudyImages, path: Path) -> None:
    """Write the localiser's labels of the first labelled image on that image's own grid, same bytes every time."""
    if not level_map.tissues:
        raise InputError("no image was labelled, so there is no mask to write")
    labels = level_map.tissues[0]
    image = next(image for image in images.images if image.key == labels.image_key)
    affine = lps_to_ras(image.volume.voxel_to_lps)
    nifti = nib.Nifti1Image(np.ascontiguousarray(labels.labels_zyx.transpose(2, 1, 0)), affine)
    content = nifti.to_bytes()
    write_bytes(path, gzip.compress(content, mtime=0) if path.name.endswith(".gz") else content)
