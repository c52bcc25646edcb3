"""A cluster worker's own child: keeps the bounds of a local worker where `multiprocessing` may start none.

Dask's workers are daemons, which may not have workers of their own, so the child is a plain process that is handed one
end of a pipe. It stays for the next task: libraries and network are loaded once.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any

from lfja_mri.batch.bounds import ORPHANED, Bounds, bound_memory, bounded_threads
from lfja_mri.batch.workers import Failure, attempt
from lfja_mri.errors import Reason

LOOK_FOR_PARENT_S = 0.2
_own = threading.local()


class Child:
    """One process that runs tasks one after the other."""

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self._pipe, end = Pipe()
        words = [sys.executable, "-m", "lfja_mri.batch.child", str(end.fileno()), str(bounds.memory_mib or 0)]
        with bounded_threads(bounds.threads):
            self._process = subprocess.Popen(words, pass_fds=[end.fileno()])  # noqa: S603 - our own module
        end.close()

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return self._process.poll() is None

    def ask(self, function: Callable[[Any], Any], task: Any) -> Any:
        """Run one task; a child that hangs or dies is ended and costs this task only."""
        try:
            self._pipe.send((function, task))
            if self._pipe.poll(self.bounds.timeout_s):
                return self._pipe.recv()
        except (EOFError, OSError):
            self._process.wait(timeout=5)
            return Failure(Reason.WORKER_LOST, f"the worker ended with code {self._process.returncode}")
        self.end()
        return Failure(Reason.TIMED_OUT, f"no result within {self.bounds.timeout_s:g} s")

    def end(self) -> None:
        """End the process at once."""
        self._pipe.close()
        self._process.kill()
        self._process.wait(timeout=5)


def in_child(function: Callable[[Any], Any], task: Any, bounds: Bounds) -> Any:
    """Run one task in this thread's child, started where there is none or its bounds are others."""
    child: Child | None = getattr(_own, "child", None)
    if child is not None and child.bounds != bounds:
        child.end()
    if child is None or child.bounds != bounds or not child.alive:
        child = _own.child = Child(bounds)
    return child.ask(function, task)


def serve(pipe: Connection, memory_mib: int | None) -> None:
    """Answer tasks until the other end of the pipe is closed."""
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    bound_memory(memory_mib)
    while True:
        try:
            function, task = pipe.recv()
        except EOFError:
            return
        pipe.send(attempt(function, task))


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(LOOK_FOR_PARENT_S)
    os._exit(ORPHANED)


if __name__ == "__main__":
    serve(Connection(int(sys.argv[1])), int(sys.argv[2]) or None)
