"""What one worker may use: wall time, memory, threads; and that none outlives the run that started it."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import wait

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS",
)
MEMORY_MIB = 4096
BYTES_PER_MIB = 1 << 20
ORPHANED = 70


@dataclass(frozen=True)
class Bounds:
    """What one worker may use.

    Parameters
    ----------
    timeout_s
        Wall time of one task; None for no bound.
    memory_mib
        Memory that a process may write to, in MiB, enforced by the kernel (Linux); None for no bound.
        A study of 100 slices needs about 800.
    threads
        Threads of numerical libraries and of the network in each process.
    """

    timeout_s: float | None = None
    memory_mib: int | None = MEMORY_MIB
    threads: int = 1


@contextmanager
def bounded_threads(threads: int) -> Iterator[None]:
    """Set what numerical libraries read when a process started inside the block imports them."""
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(threads)))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def bound_memory(memory_mib: int | None) -> None:
    """Let allocations beyond the bound fail in this process, rather than the machine run out.

    Data counts, not address space: libraries reserve far more addresses than they ever touch.
    """
    if memory_mib is None or os.name != "posix":
        return
    import resource

    _, hardest = resource.getrlimit(resource.RLIMIT_DATA)
    limit = memory_mib * BYTES_PER_MIB
    if hardest != resource.RLIM_INFINITY:
        limit = min(limit, hardest)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, hardest))


def end_with_parent() -> None:
    """Wait for the parent to end, then end this process at once, so that a resumed run meets no leftover writer."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(ORPHANED)
