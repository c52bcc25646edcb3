"""Every rule fires, just misses, answers on its boundary, and says when it cannot judge."""

from __future__ import annotations

from dataclasses import replace

import pytest
from grading_joints import NORMAL, joint_with
from hypothesis import given, settings
from hypothesis import strategies as st

from lfja_mri.config import config_folder
from lfja_mri.errors import ConfigurationError, Reason
from lfja_mri.grading import judge, judge_items, load_items, load_rules, rule_rows, rules_in_words
from lfja_mri.model import Graded, Missing, NotGraded

RULES = load_rules()
SHIPPED = (config_folder() / "grading" / "czervionke_fenton.toml").read_text(encoding="utf-8")
FOCAL = next(rule for rule in RULES.rule if rule.grade == 2).when[0].at_least
RIM, BRIGHT = (
    condition.at_least for condition in next(rule for rule in RULES.rule if rule.id == "G2-thin-rim").when
)
FLUID_MM = next(rule for rule in RULES.rule if rule.id == "G1-effusion").when[0].at_least
SIGNAL = next(rule for rule in RULES.rule if rule.id == "G1-joint-signal").when[0].at_least
VOLUME_MM3 = RULES.choices.extension_counts_from_mm3
GONE = Missing(Reason.FAT_SUPPRESSION_FAILED)

CASES = [
    ("G4-extension", 4, {"perimeter_fraction": 0.8, "foramen_mm3": 200.0}),
    ("G4-extension", 4, {"perimeter_fraction": 0.5, "foramen_mm3": VOLUME_MM3}),
    ("G3-majority-perimeter", 3, {"perimeter_fraction": 0.8, "foramen_mm3": VOLUME_MM3 - 0.01}),
    ("G3-majority-perimeter", 3, {"perimeter_fraction": 0.5}),
    ("G2-focal-perimeter", 2, {"perimeter_fraction": 0.499, "foramen_mm3": VOLUME_MM3}),
    ("G2-focal-perimeter", 2, {"perimeter_fraction": 0.499}),
    ("G2-focal-perimeter", 2, {"perimeter_fraction": FOCAL}),
    ("G2-thin-rim", 2, {"perimeter_fraction": FOCAL - 0.001, "joint_signal_ratio": BRIGHT}),
    ("G2-thin-rim", 2, {"perimeter_fraction": RIM, "joint_signal_ratio": 0.9}),
    ("G1-joint-signal", 1, {"perimeter_fraction": RIM - 0.001, "joint_signal_ratio": 0.9}),
    ("G0-normal", 0, {"perimeter_fraction": FOCAL - 0.001, "joint_signal_ratio": BRIGHT - 0.001}),
    ("G2-thin-rim-fluid", 2, {"perimeter_fraction": RIM, "effusion_width_mm": FLUID_MM}),
    ("G1-effusion", 1, {"perimeter_fraction": RIM - 0.001, "effusion_width_mm": 2.0}),
    ("G1-effusion", 1, {"effusion_width_mm": FLUID_MM}),
    ("G1-joint-signal", 1, {"effusion_width_mm": FLUID_MM - 0.001, "joint_signal_ratio": 0.9}),
    ("G1-joint-signal", 1, {"joint_signal_ratio": SIGNAL}),
    ("G0-normal", 0, {"joint_signal_ratio": SIGNAL - 0.001}),
    ("G0-normal", 0, {}),
]


@pytest.mark.parametrize(("rule", "grade", "measures"), CASES)
def test_rule_fires_and_its_neighbour_just_misses(rule, grade, measures):
    outcome = judge(joint_with(**measures), RULES)
    assert isinstance(outcome, Graded)
    assert (outcome.rule, outcome.grade) == (rule, grade)


def test_what_lies_further_away_is_no_spread_of_a_quiet_joint():
    quiet = judge(joint_with(foramen_mm3=200.0), RULES)
    focal = judge(joint_with(perimeter_fraction=0.3, foramen_mm3=200.0), RULES)
    assert isinstance(quiet, Graded)
    assert isinstance(focal, Graded)
    assert (quiet.extension, focal.extension) == ((), ("foramen",))


def test_every_rule_can_be_reached():
    assert {rule for rule, _, _ in CASES} == {rule.id for rule in RULES.rule}


@pytest.mark.parametrize(
    "measures",
    [
        {"perimeter_fraction": GONE},
        {"perimeter_fraction": 0.8, "foramen_mm3": 0.0, "coverage_fraction": GONE},
        {"effusion_width_mm": GONE},
        {"joint_signal_ratio": GONE},
    ],
)
def test_a_needed_measure_that_is_missing_refuses_with_its_reason(measures):
    outcome = judge(joint_with(**measures), RULES)
    assert isinstance(outcome, NotGraded)
    assert outcome.reason is Reason.FAT_SUPPRESSION_FAILED
    missing = next(name for name, value in measures.items() if isinstance(value, Missing))
    assert missing in outcome.detail


def test_a_missing_measure_that_no_rule_needs_any_more_does_not_refuse():
    outcome = judge(joint_with(perimeter_fraction=0.9, effusion_width_mm=GONE), RULES)
    assert isinstance(outcome, Graded)
    assert outcome.grade == 3


def test_extension_that_was_nowhere_measured_refuses_only_where_it_matters():
    gone = dict.fromkeys(NORMAL.extension_mm3, GONE)
    undecided = judge(joint_with(perimeter_fraction=0.9), RULES)
    assert isinstance(undecided, Graded)
    outcome = judge(replace(joint_with(perimeter_fraction=0.9), extension_mm3=gone), RULES)
    assert isinstance(outcome, NotGraded)
    assert "extension_targets" in outcome.detail
    assert isinstance(judge(replace(NORMAL, extension_mm3=gone), RULES), Graded)


def test_extension_without_majority_stays_at_two_and_is_flagged():
    outcome = judge(joint_with(perimeter_fraction=0.3, foramen_mm3=100.0), RULES)
    assert isinstance(outcome, Graded)
    assert outcome.grade == 2
    assert outcome.flags == ("extension_without_majority_perimeter",)
    assert outcome.extension == ("foramen",)


def test_extension_adds_up_over_its_targets_and_names_those_that_hold_a_fifth():
    third = VOLUME_MM3 / 3
    spread = {
        **NORMAL.extension_mm3,
        "foramen": third,
        "pedicle": 1.9 * third,
        "vertebral_body": 0.11 * third,
    }
    outcome = judge(replace(joint_with(perimeter_fraction=0.8), extension_mm3=spread), RULES)
    assert isinstance(outcome, Graded)
    assert (outcome.grade, outcome.extension) == (4, ("foramen", "pedicle"))
    short = {name: 0.99 * volume for name, volume in spread.items()}
    outcome = judge(replace(joint_with(perimeter_fraction=0.8), extension_mm3=short), RULES)
    assert isinstance(outcome, Graded)
    assert (outcome.grade, outcome.extension) == (3, ())


def test_little_coverage_refuses():
    outcome = judge(joint_with(coverage_fraction=0.59), RULES)
    assert isinstance(outcome, NotGraded)
    assert outcome.reason is Reason.INSUFFICIENT_COVERAGE
    assert isinstance(judge(joint_with(coverage_fraction=0.60), RULES), Graded)


def with_choice(tmp_path, old: str, new: str):
    path = tmp_path / "rules.toml"
    assert old in SHIPPED
    path.write_text(SHIPPED.replace(old, new), encoding="utf-8")
    return load_rules(path)


def test_exactly_half_is_a_named_choice_and_flagged(tmp_path):
    joint = joint_with(perimeter_fraction=0.5)
    three = judge(joint, RULES)
    two = judge(
        joint, with_choice(tmp_path, "exactly_half_perimeter_grade = 3", "exactly_half_perimeter_grade = 2")
    )
    assert isinstance(three, Graded)
    assert isinstance(two, Graded)
    assert (three.grade, two.grade) == (3, 2)
    assert three.flags == two.flags == ("exactly_half_perimeter",)


def test_worst_slice_is_a_named_choice(tmp_path):
    joint = joint_with(perimeter_fraction=0.3, perimeter_fraction_max_slice=0.7)
    rules = with_choice(tmp_path, '"length_weighted"\n', '"maximum_slice"\n')
    assert judge(joint, rules).grade == 3
    assert judge(joint, RULES).grade == 2


def test_extension_grade_is_a_named_choice(tmp_path):
    joint = joint_with(perimeter_fraction=0.3, foramen_mm3=100.0)
    rules = with_choice(tmp_path, "majority_perimeter_grade = 2", "majority_perimeter_grade = 4")
    assert judge(joint, rules).grade == 4


def test_interval_comes_from_the_low_and_high_variants():
    joint = joint_with(
        perimeter_fraction=0.55, low={"perimeter_fraction": 0.45}, high={"extension_mm3.foramen": 90.0}
    )
    outcome = judge(joint, RULES)
    assert isinstance(outcome, Graded)
    assert (outcome.grade_low, outcome.grade, outcome.grade_high) == (2, 3, 4)


REFUSED = [
    (
        'measure = "joint_signal_ratio", at',
        'measure = "joint_signal", at',
        "did you mean 'joint_signal_ratio'",
    ),
    ("because = ", "becuase = ", "did you mean 'because'"),
    ('id = "G3-majority-perimeter"', 'id = "G4-extension"', "used twice"),
    ("grade = 3\nwhen", "grade = 1\nwhen", "order worst first"),
    (
        "grade = 0\nwhen = []",
        'grade = 0\nwhen = [{ measure = "perimeter_fraction", below = 0.1 }]',
        "the last rule",
    ),
    ("grade = 0\nwhen", "grade = 7\nwhen", "which the scale does not have"),
    (
        'because = "too little fluid or bright tissue lies in and around the joint to be abnormal"',
        'because = " "',
        "lacks a 'because'",
    ),
    ("at_least = 0.45 }", "at_least = 0.45, below = 0.9 }", "either at_least or below"),
    ("[measures.joint_signal_ratio]", "[measures.cyst_volume_mm3]", "does not declare"),
    ("[measures.joint_signal_ratio]", "[measures.cyst_volume]", "did you mean 'cyst_volume_mm3'"),
    ('when = [{ measure = "effusion_width_mm", at_least = 1.0 }]', "when = []", "not the last"),
]


@pytest.mark.parametrize(("old", "new", "message"), REFUSED)
def test_loader_refuses_what_could_be_misread(tmp_path, old, new, message):
    with pytest.raises(ConfigurationError) as refusal:
        with_choice(tmp_path, old, new)
    assert message in str(refusal.value)


def test_because_is_needed(tmp_path):
    lines = [line for line in SHIPPED.splitlines() if not line.startswith('because = "too little fluid')]
    path = tmp_path / "rules.toml"
    path.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"rule\.7\.because"):
        load_rules(path)


def test_digest_changes_with_a_threshold_and_not_with_a_comment(tmp_path):
    assert with_choice(tmp_path, "at_least = 0.45 }", "at_least = 0.46 }").digest != RULES.digest
    assert with_choice(tmp_path, "# How to judge", "# How we judge").digest == RULES.digest


def test_words_for_the_signature_say_what_was_not_verified():
    text = rules_in_words(RULES)
    assert "verified" in text
    assert all(rule.id in text and rule.because in text for rule in RULES.rule)
    assert [row[0] for row in rule_rows(RULES)] == ["4", "3", "2", "2", "2", "1", "1", "0"]


RANGES = {
    "perimeter_fraction": st.floats(0, 1),
    "foramen_mm3": st.floats(0, 500),
    "effusion_width_mm": st.floats(0, 6),
    "joint_signal_ratio": st.floats(0, 1.3),
}


@settings(max_examples=200, deadline=None)
@given(st.fixed_dictionaries(RANGES), st.sampled_from(sorted(RANGES)), st.floats(0, 1))
def test_more_disease_never_lowers_the_grade(measures, name, more):
    worse = {**measures, name: measures[name] * (1 + more) + more * 0.1}
    assert judge(joint_with(**worse), RULES).grade >= judge(joint_with(**measures), RULES).grade


def test_items_score_their_own_definitions():
    sheet = load_items()
    assert sheet.columns[0] == "effusion"
    normal = judge_items(joint_with(), sheet)
    assert normal["effusion"] == 0
    assert normal["bone_oedema_extent"] is None
    bone = {"bone_oedema_fraction": 0.6, "bone_oedema_signal_ratio": 0.4}
    soft = {"soft_tissue_oedema_fraction": 0.2, "soft_tissue_oedema_signal_ratio": 0.7}
    scored = judge_items(joint_with(effusion_width_mm=1.6, further={**bone, **soft}), sheet)
    assert tuple(scored.values()) == (2, 1, 2, 2, 1)
