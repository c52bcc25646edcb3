"""Figures, label maps and pages made of graded studies."""

from __future__ import annotations

from lfja_mri.report.figures import joint_picture, overview_picture
from lfja_mri.report.label_map import label_map_files, make_label_map, write_label_map
from lfja_mri.report.pages import About, study_page

__all__ = [
    "About",
    "joint_picture",
    "label_map_files",
    "make_label_map",
    "overview_picture",
    "study_page",
    "write_label_map",
]
