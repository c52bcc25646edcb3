"""Figures, label maps and pages made of graded studies."""

from __future__ import annotations

from lfja_mri.report.figures import joint_picture, overview_picture
from lfja_mri.report.label_map import label_map_files, make_label_map, write_label_map

__all__ = ["joint_picture", "label_map_files", "make_label_map", "overview_picture", "write_label_map"]
