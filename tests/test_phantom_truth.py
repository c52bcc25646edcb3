from __future__ import annotations

import numpy as np
import pytest

from lfja_mri.model import Level, Side
from lfja_mri.phantom.anatomy import FINE_HIGH_MM, FINE_LOW_MM
from lfja_mri.phantom.body import body_noise, build_curves, paint_body
from lfja_mri.phantom.bones import paint_bones
from lfja_mri.phantom.canal import paint_canal, paint_sleeve
from lfja_mri.phantom.erosions import paint_wear
from lfja_mri.phantom.findings import Finding, draw_findings, draw_grades
from lfja_mri.phantom.joints import paint_joints
from lfja_mri.phantom.numbers import base_numbers
from lfja_mri.phantom.person import draw_person
from lfja_mri.phantom.recipe import load_recipe
from lfja_mri.phantom.skeleton import Posture
from lfja_mri.phantom.tissue import Lattice
from lfja_mri.phantom.truth import judge_joint

KEY = (Level.L4_L5.value, Side.RIGHT)


def judged(finding: Finding, worn: float = 0.3, medial_mm: float | None = None):
    base = base_numbers()
    person = draw_person(3, base.anatomy, Posture(), arthropathy={KEY: worn})
    joint = next(j for j in person.spine.graded_joints() if (j.level, j.side) == KEY)
    origin = joint.frame.origin
    pair = [j.frame.origin for j in person.spine.graded_joints() if j.level == KEY[0]]
    middle = np.mean(pair, axis=0)
    if medial_mm is not None:
        middle = origin + medial_mm * (middle - origin) / np.linalg.norm(middle - origin)
    low, high = origin + FINE_LOW_MM * [0.7, 1, 0.8], origin + FINE_HIGH_MM * [0.7, 0.9, 0.8]
    lattice = Lattice.between(low, high, 0.6)
    curves, noise = build_curves(person), body_noise(person, lattice)
    paint_body(lattice, person, curves, noise)
    paint_sleeve(lattice, person, curves)
    paint_bones(lattice, person, {KEY: finding.fluid_width_mm}, noise)
    paint_canal(lattice, person, curves)
    paint_joints(lattice, person, {KEY: finding}, noise)
    paint_wear(lattice, person, {KEY: finding}, base.anatomy.wear)
    return judge_joint(lattice, joint, {KEY: finding}, base.definition, middle)


def test_a_quiet_joint_is_grade_0():
    truth = judged(Finding(fluid_width_mm=0.0))
    assert truth.grade == 0
    assert truth.effusion_volume_mm3 == 0
    assert truth.perimeter_fraction == 0
    assert truth.extension == ()


def test_fluid_alone_is_grade_1_and_as_wide_as_made():
    truth = judged(Finding(fluid_width_mm=2.2, recess_mm=2.0, synovitis=0.8))
    assert truth.grade == 1
    assert truth.effusion_width_mm == pytest.approx(2.2, abs=0.15)
    assert truth.perimeter_fraction == 0


@pytest.mark.parametrize(("share", "grade"), [(0.3, 2), (0.75, 3)])
def test_the_share_of_the_perimeter_sets_the_grade(share, grade):
    truth = judged(Finding(1.8, perimeter_share=share, reach_mm=5.0))
    assert truth.perimeter_fraction == pytest.approx(share, abs=0.15)
    assert truth.grade == grade
    assert truth.bone_oedema_volume_mm3 > 0
    assert truth.soft_tissue_oedema_volume_mm3 > 0


def test_only_severe_wear_erodes_and_erosions_are_no_synovitis():
    sound, worn = judged(Finding(fluid_width_mm=0.4), 0.5), judged(Finding(fluid_width_mm=0.4), 1.0)
    assert sound.erosion_volume_mm3 == 0
    assert 2 < worn.erosion_volume_mm3 < 400
    assert worn.grade == 0
    assert worn.perimeter_fraction == 0
    assert worn.bone_oedema_volume_mm3 == 0


def test_oedema_beyond_the_middle_of_the_level_is_the_other_joints():
    """With the middle laid through the joint itself, about half of what surrounds it is the other one's."""
    finding = Finding(1.8, perimeter_share=0.85, reach_mm=6.2)
    whole, half = judged(finding), judged(finding, medial_mm=0.01)
    assert whole.grade >= 3
    assert 0.3 < half.perimeter_fraction / whole.perimeter_fraction < 0.7
    assert 0.2 < half.soft_tissue_oedema_volume_mm3 / whole.soft_tissue_oedema_volume_mm3 < 0.8


@pytest.mark.slow
@pytest.mark.parametrize(
    "target", ["foramen", "ligamentum_flavum", "pedicle", "transverse_process", "vertebral_body"]
)
def test_every_target_can_be_reached(target):
    truth = judged(Finding(1.8, perimeter_share=0.85, reach_mm=6.2, extension=(target,)))
    assert target in truth.extension
    assert truth.grade == 4


def test_extension_without_most_of_the_perimeter_stays_grade_2():
    truth = judged(Finding(1.8, perimeter_share=0.25, reach_mm=6.0, extension=("foramen",)))
    assert truth.grade == 2


def test_an_unchanged_grade_shows_the_same_a_year_later():
    recipe = load_recipe("published_case")
    levels = ("L1-L2", "L2-L3", "L3-L4", "L4-L5", "L5-S1")
    before, after = (draw_grades(61, recipe, levels, visit) for visit in ("baseline", "follow_up"))
    changed = {key for key in before if before[key] != after[key]}
    assert changed == {("L4-L5", Side.RIGHT)}
    assert (before["L4-L5", Side.RIGHT], after["L4-L5", Side.RIGHT]) == (3, 1)
    first, second = draw_findings(61, before), draw_findings(61, after, before)
    assert all(first[key] == second[key] for key in before if key not in changed)


def test_truth_is_repeatable():
    once, again = (judged(Finding(1.6, perimeter_share=0.4)) for _ in range(2))
    assert once.perimeter_fraction == again.perimeter_fraction
    np.testing.assert_array_equal(once.joint_line_lps_mm, again.joint_line_lps_mm)
