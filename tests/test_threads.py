"""Several items at once: the order of the items, the bound of the environment, and an error that is not lost."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfja_mri.threads import allowed_threads, of_each


@given(items=st.lists(st.integers(), max_size=12), threads=st.integers(1, 4))
def test_results_come_in_the_order_of_the_items(items, threads):
    assert of_each(lambda item: item * item, items, threads) == tuple(item * item for item in items)


def test_a_late_first_item_still_comes_first(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    second_done = threading.Event()

    def wait_if_first(item):
        if item == "first":
            assert second_done.wait(timeout=30), "the two items did not run at once"
        else:
            second_done.set()
        return item

    assert of_each(wait_if_first, ["first", "second"], threads=2) == ("first", "second")


def test_one_thread_is_the_callers_own(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    mine = threading.get_ident()
    assert of_each(lambda _: threading.get_ident(), range(3), threads=1) == (mine,) * 3
    assert mine not in of_each(lambda _: threading.get_ident(), range(3), threads=2)


@pytest.mark.parametrize(
    ("said", "wanted", "allowed"),
    [("1", 2, 1), ("2", 2, 2), ("8", 2, 2), ("0", 2, 1), ("many", 2, 2), ("", 2, 2), ("1,2", 3, 3)],
)
def test_the_environment_bounds_but_never_raises_the_threads(monkeypatch, said, wanted, allowed):
    monkeypatch.setenv("OMP_NUM_THREADS", said)
    assert allowed_threads(wanted) == allowed


def test_an_error_of_one_item_reaches_the_caller():
    with pytest.raises(ZeroDivisionError):
        of_each(lambda item: 1 // item, [1, 0, 1], threads=2)
