"""A task that fails, dies or hangs costs itself only."""

from __future__ import annotations

import os
import signal
import time

import pytest

from lfja_mri.batch.bounds import Bounds
from lfja_mri.batch.workers import Failure, WorkerPool, attempt
from lfja_mri.errors import InputError, Reason


def work(task: str) -> str:
    if task == "refuse":
        raise InputError("nothing usable", reason=Reason.LOCALISER)
    if task == "bug":
        raise ValueError("DOE^JANE")
    if task == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if task == "hang":
        time.sleep(60)
    if task == "swell":
        return str(len(bytearray(600 << 20)))
    return task.upper()


def resources(_: str) -> tuple[int, str, int]:
    """Return the process, the threads it allows its libraries, and how often the network was opened in it."""
    # loaded here: every worker of this module reads the module, and the network's runtime is slow to load
    from lfja_mri.levels.network import load_weights

    load_weights()
    return os.getpid(), os.environ["OMP_NUM_THREADS"], load_weights.cache_info().misses


@pytest.mark.slow
def test_a_worker_has_one_thread_and_opens_the_network_once():
    found = [outcome for _, outcome in WorkerPool(resources, jobs=1).run(["a", "b", "c"])]
    assert len(set(found)) == 1
    process, threads, opened = found[0]
    assert process != os.getpid()
    assert (threads, opened) == ("1", 1)


@pytest.mark.slow
def test_each_bad_task_costs_itself_only():
    tasks = ["a", "die", "b", "hang", "refuse", "c", "bug", "d", "swell", "e"]
    pool = WorkerPool(work, jobs=2, bounds=Bounds(timeout_s=8, memory_mib=400))
    outcomes = dict(pool.run(tasks))
    assert sorted(outcomes) == list(range(len(tasks)))
    assert [outcomes[i] for i in (0, 2, 5, 7, 9)] == ["A", "B", "C", "D", "E"]
    assert [outcomes[i].reason for i in (1, 3, 4, 6, 8)] == [
        Reason.WORKER_LOST,
        Reason.TIMED_OUT,
        Reason.LOCALISER,
        Reason.STUDY_FAILED,
        Reason.WORKER_LOST,
    ]
    assert "out of memory" in outcomes[8].detail


def test_a_bug_is_named_without_quoting_the_input():
    failure = attempt(work, "bug")
    assert isinstance(failure, Failure)
    assert "ValueError" in failure.detail
    assert "DOE" not in failure.detail


def test_an_error_of_the_family_keeps_its_reason_and_words():
    assert attempt(work, "refuse") == Failure(Reason.LOCALISER, "nothing usable")
