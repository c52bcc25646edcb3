"""Label maps and pages made of graded studies; drawn pictures lie in `figures`, which loads the drawing library."""

from __future__ import annotations

from lfja_mri.report.cohort import cohort_page, index_page
from lfja_mri.report.comparison import StoredPair, comparison_page
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
    "label_map_files",
    "make_label_map",
    "stored_study_page",
    "study_page",
    "write_label_map",
]
