"""Bytes to studies, stacks, roles and volumes; the only reader of DICOM."""

from lfja_mri.ingest.stacks import Stack
from lfja_mri.ingest.study import Catalogue, Study, find_studies, read_study

__all__ = ["Catalogue", "Stack", "Study", "find_studies", "read_study"]
