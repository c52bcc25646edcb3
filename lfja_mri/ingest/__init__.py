"""Bytes to studies, stacks, roles and volumes; the only reader of DICOM."""
