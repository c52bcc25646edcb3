"""Why a joint got its grade, in words that any reader understands."""

from __future__ import annotations

from typing import Any

from lfja_mri.grading.facts import EXTENSION_TARGET_COUNT, measured_values
from lfja_mri.grading.judge import SPREADS_FROM, facts_for
from lfja_mri.grading.rules import Condition, Rule, RuleTable
from lfja_mri.model import Graded, JointResult, Measure, Measurements, Missing, NotGraded, Outcome


def explain(joint: JointResult, rules: RuleTable, picture: str = "") -> str:
    """Tell which rule decided, each number against its threshold, the images used, and where it was worst.

    Parameters
    ----------
    picture
        Path of the joint's picture, if one was drawn.

    Returns
    -------
    Several lines of plain text without a final line end.
    """
    lines = [f"{joint.level.value} {joint.side.value}: {_headline(joint.outcome)}"]
    measurements = joint.measurements
    if measurements is None:
        return lines[0]
    facts = facts_for(measured_values(measurements), rules)
    lines += [line for rule in _considered(joint.outcome, rules) for line in _rule_lines(rule, facts)]
    lines += _evidence(measurements, joint.outcome, rules)
    lines += [f"  picture: {picture}"] if picture else []
    return "\n".join(lines)


def explanation_facts(joint: JointResult, rules: RuleTable, picture: str = "") -> dict[str, Any]:
    """Return the same explanation for programs: the text, and its parts as plain values of JSON.

    Parameters
    ----------
    picture
        Path of the joint's picture, if one was drawn.

    Returns
    -------
    Place, outcome, text and picture; where the joint was measured, each rule considered (worst first, the one that
    fired last) with each number against its threshold, and the slices it rests on.
    """
    told = {
        "level": joint.level.value,
        "side": joint.side.value,
        "text": explain(joint, rules, picture),
        "picture": picture or None,
        **_outcome_facts(joint.outcome),
    }
    measurements = joint.measurements
    if measurements is None:
        return told
    facts = facts_for(measured_values(measurements), rules)
    considered = [_rule_facts(rule, facts) for rule in _considered(joint.outcome, rules)]
    return told | {"rules_considered": considered} | _slice_facts(measurements)


def _outcome_facts(outcome: Outcome) -> dict[str, Any]:
    match outcome:
        case Graded():
            interval = [outcome.grade_low, outcome.grade_high]
            return {"grade": outcome.grade, "interval": interval, "rule": outcome.rule, "reason": None}
        case NotGraded():
            return {"grade": None, "interval": None, "rule": None, "reason": outcome.reason.value}


def _rule_facts(rule: Rule, facts: dict[str, Measure]) -> dict[str, Any]:
    conditions = [_condition_facts(condition, facts[condition.measure]) for condition in rule.when]
    return {"rule": rule.id, "grade": rule.grade, "conditions": conditions}


def _condition_facts(condition: Condition, value: Measure) -> dict[str, Any]:
    limits = {"measure": condition.measure, "at_least": condition.at_least, "below": condition.below}
    if isinstance(value, Missing):
        return limits | {"value": None, "missing": value.reason.value, "met": None}
    return limits | {"value": round(float(value), 4), "missing": None, "met": condition.holds(value)}


def _slice_facts(measurements: Measurements) -> dict[str, Any]:
    worst = measurements.perimeter_fraction_max_slice
    above = measurements.further.get("worst_slice_above_mm")
    return {
        "measured_on": list(measurements.sources),
        "worst_slice_perimeter_fraction": None if isinstance(worst, Missing) else round(float(worst), 4),
        "worst_slice_above_joint_middle_mm": (
            None if above is None or isinstance(above, Missing) else round(float(above), 2)
        ),
    }


def _headline(outcome: Outcome) -> str:
    match outcome:
        case Graded():
            span = (
                "the uncertainty of thresholds, reference and position leaves no other grade"
                if outcome.grade_low == outcome.grade_high
                else f"could be {outcome.grade_low} to {outcome.grade_high} within the stated uncertainty"
            )
            return f"grade {outcome.grade}, because {outcome.because} ({span})."
        case NotGraded():
            detail = f": {outcome.detail}" if outcome.detail else ""
            return f"not graded ({outcome.reason.value.replace('_', ' ')}{detail})."


def _considered(outcome: Outcome, rules: RuleTable) -> tuple[Rule, ...]:
    """Return the rules down to the one that decided; all of them if none could."""
    if isinstance(outcome, NotGraded):
        return rules.rule
    fired = next(index for index, rule in enumerate(rules.rule) if rule.id == outcome.rule)
    return rules.rule[: fired + 1]


def _rule_lines(rule: Rule, facts: dict[str, Measure]) -> list[str]:
    return [f"  grade {rule.grade} ({rule.id})"] + [
        f"    {condition.words()}: {_verdict(condition, facts[condition.measure])}" for condition in rule.when
    ]


def _verdict(condition: Condition, value: Measure) -> str:
    if isinstance(value, Missing):
        return f"cannot be judged, {value.reason.value.replace('_', ' ')}"
    number = f"{value:.{0 if condition.measure == EXTENSION_TARGET_COUNT else 2}f} {condition.unit}".rstrip()
    return f"{number}, {'met' if condition.holds(value) else 'not met'}"


def _evidence(measurements: Measurements, outcome: Outcome, rules: RuleTable) -> list[str]:
    lines = [f"  measured on: {', '.join(measurements.sources) or 'no series'}"]
    lines += _reference(measurements)
    lines.append(f"  fat suppression: {measurements.fat_suppression.replace('_', ' ')}")
    worst = measurements.perimeter_fraction_max_slice
    if not isinstance(worst, Missing):
        lines.append(
            f"  worst slice: {worst:.0%} of the perimeter{_where(measurements) if worst > 0 else ''}"
        )
    lines += _beyond(measurements, outcome, rules)
    if outcome.flags:
        lines.append(f"  flags: {', '.join(flag.replace('_', ' ') for flag in outcome.flags)}")
    return lines


def _reference(measurements: Measurements) -> list[str]:
    """Say how bright the tissue is that ratios are made with, in the unit of the first image."""
    tissues = ("csf", "muscle", "marrow")
    known = [
        f"{name} {measurements.reference[name]:.0f}" for name in tissues if name in measurements.reference
    ]
    return [f"  reference tissue in that image: {', '.join(known).replace('csf', 'CSF')}"] if known else []


def _beyond(measurements: Measurements, outcome: Outcome, rules: RuleTable) -> list[str]:
    """Name the bright tissue outside the perimeter, and why it is no spread of a joint that is quiet itself."""
    volumes = {
        name.replace("_", " "): float(volume)
        for name, volume in measurements.extension_mm3.items()
        if not isinstance(volume, Missing) and volume >= 1.0
    }
    if not volumes:
        return []
    named = ", ".join(f"{name} {volume:.0f} mm3" for name, volume in volumes.items())
    counts = f"extension counts from {rules.choices.extension_counts_from_mm3:g} mm3 in all"
    quiet = isinstance(outcome, Graded) and outcome.grade < SPREADS_FROM
    if quiet:
        counts = "vessels, roots or the sac: no spread, as the perimeter itself is not abnormal"
    return [f"  bright beyond the perimeter: {named} ({counts})"]


def _where(measurements: Measurements) -> str:
    """Say how high the worst slice lies; archives of older measures do not know."""
    above = measurements.further.get("worst_slice_above_mm")
    if above is None or isinstance(above, Missing):
        return ""
    side = "above" if above > 0 else "below"
    return f", {abs(above):.0f} mm {side} the joint's middle"
