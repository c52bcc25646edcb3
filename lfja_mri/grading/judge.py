"""From measurements to a grade with its interval, or a refusal with its reason: plain numbers only."""

from __future__ import annotations

from lfja_mri.errors import Reason
from lfja_mri.grading.facts import (
    EXTENSION_TARGET_COUNT,
    Facts,
    extension_reached,
    measured_values,
    shifted,
    with_extension_count,
)
from lfja_mri.grading.rules import Choices, Rule, RuleTable, first_match
from lfja_mri.model import Graded, Measure, Measurements, Missing, NotGraded, Outcome

EXTENSION_FLAG = "extension_without_majority_perimeter"
HALF_FLAG = "exactly_half_perimeter"
HALF = 0.5
SPREADS_FROM = 2
ROUNDING = 1e-9


def judge(measurements: Measurements, rules: RuleTable) -> Outcome:
    """Grade one joint.

    Parameters
    ----------
    measurements
        What was measured, with the low and high variants that thresholds, reference, position and noise allow.
    rules
        The scale.

    Returns
    -------
    `Graded` with the rule that fired and the grades that the low and high variants get, or `NotGraded` naming the
    first measure without which no rule can be decided.
    """
    refused = _refuse(measurements, rules)
    if refused is not None:
        return refused
    values = measured_values(measurements)
    facts = facts_for(values, rules)
    match first_match(rules.rule, facts):
        case Rule() as fired:
            return _graded(measurements, rules, fired, values, facts)
        case (name, Missing() as missing):
            return NotGraded(missing.reason, detail=f"{name} could not be measured", flags=measurements.flags)


def facts_for(values: Facts, rules: RuleTable) -> dict[str, Measure]:
    """Turn measured values into what the rules see, with the scale's choices applied."""
    choices = rules.choices
    facts = with_extension_count(values, choices.extension_counts_from_mm3)
    if choices.slice_aggregation == "maximum_slice":
        facts["perimeter_fraction"] = facts["perimeter_fraction_max_slice"]
    if choices.exactly_half_perimeter_grade == 2 and _is_half(facts["perimeter_fraction"]):
        facts["perimeter_fraction"] = HALF - ROUNDING
    return facts


def _is_half(value: Measure) -> bool:
    return not isinstance(value, Missing) and abs(value - HALF) < ROUNDING


def _refuse(measurements: Measurements, rules: RuleTable) -> NotGraded | None:
    coverage, least = measurements.coverage_fraction, rules.refusal.least_coverage_fraction
    if isinstance(coverage, Missing):
        return NotGraded(
            coverage.reason, detail="coverage_fraction could not be measured", flags=measurements.flags
        )
    if coverage < least:
        detail = f"{coverage:.0%} of the joint was imaged, {least:.0%} is needed"
        return NotGraded(Reason.INSUFFICIENT_COVERAGE, detail=detail, flags=measurements.flags)
    return None


def _graded(measurements: Measurements, rules: RuleTable, fired: Rule, values: Facts, facts: Facts) -> Graded:
    grade = _final_grade(fired, facts, rules.choices)
    low, high = (
        _grade_of(shifted(values, moved), rules, grade) for moved in (measurements.low, measurements.high)
    )
    return Graded(
        grade=grade,
        grade_low=min(grade, low),
        grade_high=max(grade, high),
        rule=fired.id,
        because=fired.because,
        # Bright tissue further away is this joint's spread only if its own surroundings are abnormal.
        extension=extension_reached(values, rules.choices.extension_counts_from_mm3)
        if grade >= SPREADS_FROM
        else (),
        flags=(*measurements.flags, *_flags(fired, values, facts)),
    )


def _grade_of(values: Facts, rules: RuleTable, otherwise: int) -> int:
    facts = facts_for(values, rules)
    fired = first_match(rules.rule, facts)
    return _final_grade(fired, facts, rules.choices) if isinstance(fired, Rule) else otherwise


def _final_grade(fired: Rule, facts: Facts, choices: Choices) -> int:
    if _extends_without_majority(fired, facts):
        return max(fired.grade, choices.extension_without_majority_perimeter_grade)
    return fired.grade


def _extends_without_majority(fired: Rule, facts: Facts) -> bool:
    targets, perimeter = facts[EXTENSION_TARGET_COUNT], facts["perimeter_fraction"]
    if isinstance(targets, Missing) or isinstance(perimeter, Missing):
        return False
    return fired.grade >= SPREADS_FROM and targets >= 1 and perimeter < HALF


def _flags(fired: Rule, values: Facts, facts: Facts) -> tuple[str, ...]:
    flags = []
    if _extends_without_majority(fired, facts):
        flags.append(EXTENSION_FLAG)
    if _is_half(values["perimeter_fraction"]):
        flags.append(HALF_FLAG)
    return tuple(flags)
