"""Teaching the rule for joint outlines: lessons of a law that is known by construction."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lfja_mri.facets.outline import TARGETS, feature_names, rule_of
from lfja_mri.tables import read_csv
from training.outline import FOLDS, Lesson, left_out, rule_from, table

PEOPLE, JOINTS_EACH = 40, 10


def _taught(noise_mm: float = 0.0) -> list[Lesson]:
    """Joints that differ in two things, half of the features each; height follows their product, which no weighted sum can."""
    chance = np.random.default_rng(0)
    taught = []
    for person in range(PEOPLE):
        for _ in range(JOINTS_EACH):
            seen = np.resize(chance.uniform(-1.0, 1.0, 2), len(feature_names()))
            change = np.array([1.0, 2.0 * seen[0] * seen[1], 0.0, 0.0])
            taught.append(Lesson(f"person-{person}", seen, change + chance.normal(0.0, noise_mm, 4)))
    return taught


def test_the_rule_finds_a_law_that_no_weighted_sum_could() -> None:
    taught = _taught()
    missed = left_out(taught)
    heights = np.array([lesson.change[1] for lesson in taught])
    assert np.sqrt(np.mean(missed[:, 1] ** 2)) < 0.2 * heights.std()
    assert np.abs(missed[:, [0, 2, 3]]).max() < 1e-9


def test_people_who_are_left_out_teach_nothing() -> None:
    """Of pure noise nothing can be known of others: what is missed is as large as the noise, or larger."""
    taught = _taught(noise_mm=1.0)
    missed = left_out(taught)
    assert missed.shape == (PEOPLE * JOINTS_EACH, len(TARGETS))
    assert np.sqrt(np.mean(missed[:, 2] ** 2)) > 0.97


def test_the_folds_part_people_not_joints() -> None:
    """Doubling every joint within its person makes nobody's error smaller."""
    taught = _taught(noise_mm=1.0)[: FOLDS * JOINTS_EACH]
    once, twice = (np.mean(left_out(lessons)[:, 2] ** 2) for lessons in (taught, [*taught, *taught]))
    assert twice > 0.95 * once


def test_the_table_holds_the_rule(tmp_path: Path) -> None:
    taught, path = _taught(), tmp_path / "rule.csv"
    path.write_text(table(taught), encoding="utf-8")
    rows = read_csv(path)
    seen, weights = (
        np.array([[float(row[name]) for name in names] for row in rows[1:]])
        for names in (feature_names(), TARGETS)
    )
    read = rule_of(seen, weights, np.array([float(rows[0][name]) for name in TARGETS]))
    asked = read.deviation(taught[3].seen)
    assert read.change(asked) == pytest.approx(rule_from(taught).change(asked), abs=0.01)
