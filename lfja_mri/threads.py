"""Work on several items at once: the same results in the same order, whatever the number of threads."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def of_each(function: Callable[[Item], Result], items: Iterable[Item], threads: int) -> tuple[Result, ...]:
    """Return the results of a pure function in the order of the items.

    Parameters
    ----------
    threads
        Most threads to use; fewer where the environment says so (`OMP_NUM_THREADS`), as in a worker, which shares
        the machine with others. One works in the caller's own thread.
    """
    count = allowed_threads(threads)
    if count == 1:
        return tuple(map(function, items))
    with ThreadPoolExecutor(count) as pool:
        return tuple(pool.map(function, items))


def allowed_threads(wanted: int) -> int:
    """Return the threads wanted, or fewer where the environment sets the bound that numerical libraries keep too."""
    said = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, min(wanted, int(said))) if said.isdecimal() else wanted
