"""Figures, label maps and pages made of graded studies."""

from __future__ import annotations

from lfja_mri.report.cohort import cohort_page, index_page
from lfja_mri.report.comparison import StoredPair, comparison_page
from lfja_mri.report.figures import joint_picture, overview_picture
from lfja_mri.report.label_map import label_map_files, make_label_map, write_label_map
from lfja_mri.report.pages import study_page
from lfja_mri.report.render import About
from lfja_mri.report.stored import StoredStudy, stored_study_page

__all__ = [
    "About",
    "StoredPair",
    "StoredStudy",
    "cohort_page",
    "comparison_page",
    "index_page",
    "joint_picture",
    "label_map_files",
    "make_label_map",
    "overview_picture",
    "stored_study_page",
    "study_page",
    "write_label_map",
]
