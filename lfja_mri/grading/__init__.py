"""Zones to measurements, measurements to grades.

Named here is what judges stored measurements, which needs no image. What measures is imported from
`lfja_mri.grading.measure`, so that `regrade` and `info` do not wait for the image libraries.
"""

from lfja_mri.grading.aggregate import SUMMARY_COLUMNS, Summary, summarise
from lfja_mri.grading.agreement import Agreement, agreement, confusion_lines, weighted_kappa
from lfja_mri.grading.archive import MEASUREMENT_VERSION, measurements_from_json, measurements_to_json
from lfja_mri.grading.explain import explain, explanation_facts
from lfja_mri.grading.facts import MEASURES, plain_values
from lfja_mri.grading.items import ItemSheet, judge_items, load_items
from lfja_mri.grading.judge import judge
from lfja_mri.grading.rules import RuleTable, load_rules, rule_rows, rules_in_words

__all__ = [
    "MEASUREMENT_VERSION",
    "MEASURES",
    "SUMMARY_COLUMNS",
    "Agreement",
    "ItemSheet",
    "RuleTable",
    "Summary",
    "agreement",
    "confusion_lines",
    "explain",
    "explanation_facts",
    "judge",
    "judge_items",
    "load_items",
    "load_rules",
    "measurements_from_json",
    "measurements_to_json",
    "plain_values",
    "rule_rows",
    "rules_in_words",
    "summarise",
    "weighted_kappa",
]
