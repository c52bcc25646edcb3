"""Anatomy to tissue to scanner to DICOM, with the truth beside it."""
