"""Anatomy to tissue to scanner to DICOM, with the truth beside it."""

from lfja_mri.phantom.anatomy import Detail
from lfja_mri.phantom.cohort import PhantomStudy, generate_cohort, generate_pair, generate_study, write_truth
from lfja_mri.phantom.recipe import JointWish, Quality, Recipe, load_recipe, packaged_recipes
from lfja_mri.phantom.study import BASELINE, FOLLOW_UP, PhantomTruth, simulate
from lfja_mri.phantom.truth import JointTruth

__all__ = [
    "BASELINE",
    "FOLLOW_UP",
    "Detail",
    "JointTruth",
    "JointWish",
    "PhantomStudy",
    "PhantomTruth",
    "Quality",
    "Recipe",
    "generate_cohort",
    "generate_pair",
    "generate_study",
    "load_recipe",
    "packaged_recipes",
    "simulate",
    "write_truth",
]
