"""Weighted kappa against published and hand-worked values; intervals that respect patients."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfja_mri.errors import InputError
from lfja_mri.grading.agreement import agreement, confusion_lines, confusion_table, weighted_kappa


def test_weighted_kappa_by_hand():
    """Margins are 11, 6, 3 and 10, 6, 4; one pair is two grades apart.

    The penalty expected by chance is (11 (6 + 2 * 4) + 6 (10 + 4) + 3 (2 * 10 + 6)) / 20 with linear weights.
    """
    table = np.array([[10, 0, 1], [0, 6, 0], [0, 0, 3]])
    linear_expected = (11 * (6 + 2 * 4) + 6 * (10 + 4) + 3 * (2 * 10 + 6)) / 20
    assert weighted_kappa(table, "linear") == pytest.approx(1 - 2 / linear_expected)
    quadratic_expected = (11 * (6 + 4 * 4) + 6 * (10 + 4) + 3 * (4 * 10 + 6)) / 20
    assert weighted_kappa(table, "quadratic") == pytest.approx(1 - 4 / quadratic_expected)


def test_two_grades_give_the_unweighted_kappa():
    """The textbook table 20, 5, 10, 15 has kappa 0.4."""
    table = np.array([[20, 5], [10, 15]])
    assert weighted_kappa(table, "linear") == pytest.approx(0.4)
    assert weighted_kappa(table, "quadratic") == pytest.approx(0.4)


def test_perfect_opposite_and_undefined():
    assert weighted_kappa(np.diag([3, 4, 5])) == pytest.approx(1.0)
    assert weighted_kappa(np.array([[0, 5], [5, 0]])) == pytest.approx(-1.0)
    assert weighted_kappa(np.array([[7, 0], [0, 0]])) is None
    assert weighted_kappa(np.zeros((5, 5), dtype=np.int64)) is None


def test_rows_are_the_reference():
    table = confusion_table([4, 0], [3, 0])
    assert table[3, 4] == 1
    assert confusion_lines(table)[4].split() == ["3", "0", "0", "0", "0", "1"]


def test_agreement_counts():
    result = agreement([0, 1, 2, 4], [0, 2, 2, 2], ["a", "a", "b", "b"])
    assert (result.joints, result.patients) == (4, 2)
    assert (result.exact, result.within_one) == (0.5, 0.75)


def test_interval_is_by_patient_and_repeatable():
    rng = np.random.default_rng(1)
    reference = rng.integers(0, 5, 200)
    tested = np.clip(reference + rng.integers(-1, 2, 200), 0, 4)
    spread = agreement(tested.tolist(), reference.tolist(), [i // 10 for i in range(200)])
    again = agreement(tested.tolist(), reference.tolist(), [i // 10 for i in range(200)])
    assert spread.kappa_quadratic_interval == again.kappa_quadratic_interval
    low, high = spread.kappa_quadratic_interval
    assert low < spread.kappa_quadratic < high
    assert agreement([1, 2], [1, 1], ["a", "a"]).kappa_quadratic_interval is None


def test_copies_of_one_joint_do_not_narrow_the_interval():
    """Ten copies of each joint in the same patient carry no more evidence than one."""
    reference, tested = [0, 1, 2, 3, 4, 2, 1, 0], [0, 2, 2, 3, 3, 2, 0, 0]
    once = agreement(tested, reference, list(range(8)))
    copied = agreement(tested * 10, reference * 10, list(range(8)) * 10)
    assert copied.kappa_linear_interval == pytest.approx(once.kappa_linear_interval)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=2, max_size=30))
def test_kappa_does_not_care_which_reader_is_first(pairs):
    first, second = zip(*pairs, strict=True)
    ours = weighted_kappa(confusion_table(first, second))
    swapped = weighted_kappa(confusion_table(second, first))
    assert ours == swapped or ours == pytest.approx(swapped)


def test_nothing_to_compare_is_refused():
    with pytest.raises(InputError):
        agreement([], [], [])
    with pytest.raises(InputError):
        agreement([1], [1, 2], ["a"])
