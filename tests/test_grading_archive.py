"""Stored measurements come back exactly, explanations name what decided, sums refuse to guess."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from grading_joints import NORMAL, joint_with
from hypothesis import given
from hypothesis import strategies as st

from lfja_mri.errors import CheckError, InputError, Reason
from lfja_mri.grading import (
    MEASUREMENT_VERSION,
    explain,
    explanation_facts,
    judge,
    load_rules,
    measurements_from_json,
    measurements_to_json,
    plain_values,
    summarise,
)
from lfja_mri.model import JointResult, Level, Missing, NotGraded, Side

RULES = load_rules()


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 10))
def test_round_trip_is_exact(low, fraction, width):
    joint = joint_with(
        perimeter_fraction=fraction,
        effusion_width_mm=width,
        cyst_volume_mm3=Missing(Reason.MEASURE_MISSING),
        low={"perimeter_fraction": low},
        reference={"csf": 812.25},
        further={"bone_oedema_fraction": 0.1},
    )
    stored = json.loads(json.dumps(measurements_to_json([joint, NORMAL])))
    assert measurements_from_json(stored) == (joint, NORMAL)
    assert judge(measurements_from_json(stored)[0], RULES) == judge(joint, RULES)


def test_other_version_is_refused_by_both_names():
    stored = {**measurements_to_json([NORMAL]), "measurement_version": "0.3"}
    with pytest.raises(CheckError, match=rf"version 0\.3.*version {MEASUREMENT_VERSION}"):
        measurements_from_json(stored)


@pytest.mark.parametrize(
    "damage",
    [
        {},
        {"measurement_version": MEASUREMENT_VERSION},
        {"measurement_version": MEASUREMENT_VERSION, "joints": [{}]},
    ],
)
def test_damage_is_named(damage):
    with pytest.raises(InputError):
        measurements_from_json(damage)


def test_plain_values_are_cells():
    cells = plain_values(joint_with(effusion_width_mm=Missing(Reason.MEASURE_MISSING)))
    assert cells["effusion_width_mm"] is None
    assert cells["extension_mm3.foramen"] == 0.0


def result_of(measurements, level=Level.L4_L5, side=Side.RIGHT):
    return JointResult(level, side, judge(measurements, RULES), measurements)


def test_explanation_sets_each_number_against_its_threshold():
    text = explain(result_of(joint_with(perimeter_fraction=0.62)), RULES)
    assert "L4-L5 right: grade 3" in text
    assert "perimeter fraction at least 0.5: 0.62, met" in text
    assert "extension targets at least 1: 0, not met" in text
    assert "axial_t2_fs" in text
    assert "grade 2" not in text


def test_explanation_names_the_worst_slice_and_the_picture():
    joint = joint_with(perimeter_fraction_max_slice=0.7, further={"worst_slice_above_mm": -4.2})
    text = explain(result_of(joint), RULES, "pictures/L4-L5_right.png")
    assert "worst slice: 70% of the perimeter, 4 mm below the joint's middle" in text
    assert text.endswith("  picture: pictures/L4-L5_right.png")
    assert "picture" not in explain(result_of(joint), RULES)


@pytest.mark.parametrize(
    ("fraction", "words"),
    [(0.62, "extension counts from 40 mm3 in all"), (0.06, "vessels, roots or the sac: no spread")],
)
def test_explanation_says_where_tissue_is_bright_and_whether_that_counts(fraction, words):
    bright = {"foramen": 85.4, "pedicle": 0.3, "ligamentum_flavum": 12.0}
    joint = replace(joint_with(perimeter_fraction=fraction), extension_mm3=bright)
    text = explain(result_of(joint), RULES)
    assert f"bright beyond the perimeter: foramen 85 mm3, ligamentum flavum 12 mm3 ({words}" in text
    assert "extension targets at least 1: 1, met" in text


def test_explanation_gives_units_and_the_reference():
    joint = joint_with(effusion_width_mm=0.294, reference={"csf": 612.3, "muscle": 95.0, "reference": 612.3})
    text = explain(result_of(joint), RULES)
    assert "effusion width at least 1 mm: 0.29 mm, not met" in text
    assert "reference tissue in that image: CSF 612, muscle 95\n" in text


def test_explanation_of_a_refusal_names_the_reason():
    text = explain(result_of(joint_with(perimeter_fraction=Missing(Reason.FAT_SUPPRESSION_FAILED))), RULES)
    assert "not graded (fat suppression failed" in text
    assert "cannot be judged" in text
    placed_nowhere = JointResult(Level.L1_L2, Side.LEFT, NotGraded(Reason.JOINT_NOT_FOUND))
    assert explain(placed_nowhere, RULES) == "L1-L2 left: not graded (joint not found)."


def test_an_explanation_for_programs_holds_each_number_and_the_same_words():
    measured = joint_with(
        perimeter_fraction=0.62,
        perimeter_fraction_max_slice=0.7,
        cyst_volume_mm3=Missing(Reason.MEASURE_MISSING),
        further={"worst_slice_above_mm": -4.2},
    )
    joint = result_of(measured)
    told = json.loads(
        json.dumps(explanation_facts(joint, RULES, "pictures/L4-L5_right.png"), allow_nan=False)
    )
    assert told["text"] == explain(joint, RULES, "pictures/L4-L5_right.png")
    assert (told["level"], told["side"], told["grade"], told["reason"]) == ("L4-L5", "right", 3, None)
    assert (told["picture"], told["measured_on"]) == ("pictures/L4-L5_right.png", ["axial_t2_fs"])
    assert (told["worst_slice_perimeter_fraction"], told["worst_slice_above_joint_middle_mm"]) == (0.7, -4.2)
    *passed, fired = told["rules_considered"]
    assert fired["rule"] == told["rule"]
    assert all(one["met"] for one in fired["conditions"])
    assert all(not all(one["met"] for one in rule["conditions"]) for rule in passed)
    perimeter = {"measure": "perimeter_fraction", "at_least": 0.5, "below": None}
    assert perimeter | {"value": 0.62, "missing": None, "met": True} in fired["conditions"]


def test_a_refusal_for_programs_says_what_could_not_be_judged():
    refused = result_of(joint_with(perimeter_fraction=Missing(Reason.FAT_SUPPRESSION_FAILED)))
    told = explanation_facts(refused, RULES)
    assert (told["grade"], told["rule"], told["reason"]) == (None, None, "fat_suppression_failed")
    first = told["rules_considered"][0]["conditions"][0]
    assert (first["value"], first["missing"], first["met"]) == (None, "fat_suppression_failed", None)
    nowhere = explanation_facts(JointResult(Level.L1_L2, Side.LEFT, NotGraded(Reason.JOINT_NOT_FOUND)), RULES)
    assert nowhere["reason"] == "joint_not_found"
    assert nowhere["picture"] is None


def study_with(grades):
    levels = [Level.L1_L2, Level.L2_L3, Level.L3_L4, Level.L4_L5, Level.L5_S1]
    keys = [(level, side) for level in levels for side in Side]
    joints = {1: {"effusion_width_mm": 2.0}, 2: {"perimeter_fraction": 0.3}, 3: {"perimeter_fraction": 0.9}}
    return [
        result_of(replace(joint_with(**joints.get(grade, {})), level=level, side=side), level, side)
        for (level, side), grade in zip(keys, grades, strict=True)
    ]


def test_sums_per_vertebra_and_study():
    summary = summarise(study_with([0, 0, 0, 0, 1, 2, 3, 3, 0, 1]))
    assert summary.total == 10
    assert summary.joints_grade_2_or_more == 3
    assert summary.worst_joint == "L4-L5 left"
    assert summary.vertebra_sums == {"L2": 0, "L3": 3, "L4": 9, "L5": 7}
    assert summary.row()["vertebra_sums"] == "L2=0;L3=3;L4=9;L5=7"


def test_a_sum_with_a_hole_is_no_sum():
    joints = study_with([0, 0, 0, 0, 1, 2, 3, 3, 0, 1])
    joints[0] = JointResult(Level.L1_L2, Side.LEFT, NotGraded(Reason.INSUFFICIENT_COVERAGE))
    summary = summarise(joints)
    assert summary.total is None
    assert summary.joints_graded == 9
    assert summary.vertebra_sums["L2"] is None
    assert summary.vertebra_sums["L3"] == 3
    assert summarise([]).worst_joint is None
