"""Bytes to studies, stacks, roles and volumes; the only reader of DICOM."""

from lfja_mri.ingest.assign import Roles, assign_roles
from lfja_mri.ingest.describe import describe, nothing_found
from lfja_mri.ingest.export import export, write_nifti, written_images
from lfja_mri.ingest.identity import content_digest, study_date, subject_key
from lfja_mri.ingest.nifti import images_of_nifti
from lfja_mri.ingest.stacks import Stack
from lfja_mri.ingest.study import Catalogue, Study, find_studies, read_stack, read_study

__all__ = [
    "Catalogue",
    "Roles",
    "Stack",
    "Study",
    "assign_roles",
    "content_digest",
    "describe",
    "export",
    "find_studies",
    "images_of_nifti",
    "nothing_found",
    "read_stack",
    "read_study",
    "study_date",
    "subject_key",
    "write_nifti",
    "written_images",
]
