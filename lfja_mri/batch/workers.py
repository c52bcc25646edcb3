"""Tasks in processes of their own: a crash, a hang or a kill costs the one task, never the run.

The standard pool breaks as a whole when one worker dies, and cannot stop a task that hangs; see
`docs/decisions/workers.md`. Each worker here has one pipe and one task at a time; the parent waits on pipes and on
the processes' ends.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import Any, Generic, TypeVar

from lfja_mri.errors import LfjaError, Reason, place_of

Task = TypeVar("Task")
Result = TypeVar("Result")

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS",
)


@dataclass(frozen=True)
class Failure:
    """A task that gave no result; `detail` holds no text from the input."""

    reason: Reason
    detail: str


@dataclass
class _Worker:
    process: SpawnProcess
    pipe: Connection
    index: int | None = None
    started_s: float = 0.0


class WorkerPool(Generic[Task, Result]):
    """Run one function over many tasks in separate processes.

    Parameters
    ----------
    function
        Importable function of one task; what it raises as `LfjaError` keeps its reason, anything else becomes
        `study_failed` with the exception's type only (its text could quote the input).
    jobs
        Number of processes.
    timeout_s
        Wall time a task may take; None for no bound.
    threads
        Threads that numerical libraries may use in each process.
    """

    def __init__(
        self,
        function: Callable[[Task], Result],
        *,
        jobs: int,
        timeout_s: float | None = None,
        threads: int = 1,
    ) -> None:
        self._function = function
        self._jobs = jobs
        self._timeout_s = timeout_s
        self._threads = threads
        self._context: SpawnContext = multiprocessing.get_context("spawn")

    def run(self, tasks: Sequence[Task]) -> Iterator[tuple[int, Result | Failure]]:
        """Yield (index of the task, result or failure) as tasks finish, in no stated order."""
        waiting = list(range(len(tasks)))[::-1]
        workers: list[_Worker] = []
        try:
            while waiting or any(worker.index is not None for worker in workers):
                self._hand_out(tasks, waiting, workers)
                yield from self._collect(workers)
        finally:
            for worker in workers:
                _stop(worker)

    def _hand_out(self, tasks: Sequence[Task], waiting: list[int], workers: list[_Worker]) -> None:
        while waiting:
            idle = next((worker for worker in workers if worker.index is None), None)
            if idle is None and len(workers) >= self._jobs:
                return
            if idle is None:
                idle = self._start()
                workers.append(idle)
            idle.index = waiting.pop()
            idle.started_s = time.monotonic()
            try:
                idle.pipe.send(tasks[idle.index])
            except (BrokenPipeError, ConnectionResetError):
                waiting.append(idle.index)
                workers.remove(idle)
                _stop(idle)

    def _collect(self, workers: list[_Worker]) -> Iterator[tuple[int, Result | Failure]]:
        wait([worker.pipe for worker in workers], timeout=self._patience_s(workers))
        for worker in list(workers):
            outcome = self._outcome(worker)
            if outcome is None or worker.index is None:
                continue
            index, worker.index = worker.index, None
            if isinstance(outcome, Failure) and outcome.reason in {Reason.WORKER_LOST, Reason.TIMED_OUT}:
                workers.remove(worker)
                _stop(worker)
            yield index, outcome

    def _outcome(self, worker: _Worker) -> Result | Failure | None:
        if worker.index is None:
            return None
        if worker.pipe.poll():
            try:
                received: Result | Failure = worker.pipe.recv()
            except (EOFError, OSError):
                worker.process.join(timeout=5)
                return Failure(Reason.WORKER_LOST, f"the worker ended with code {worker.process.exitcode}")
            return received
        if self._timeout_s is not None and time.monotonic() - worker.started_s > self._timeout_s:
            return Failure(Reason.TIMED_OUT, f"no result within {self._timeout_s:g} s")
        return None

    def _patience_s(self, workers: Sequence[_Worker]) -> float | None:
        if self._timeout_s is None:
            return None
        ends = [worker.started_s + self._timeout_s for worker in workers if worker.index is not None]
        return max(0.05, min(ends) - time.monotonic() + 0.05)

    def _start(self) -> _Worker:
        for name in THREAD_VARIABLES:
            os.environ.setdefault(name, str(self._threads))
        parent, child = self._context.Pipe()
        process = self._context.Process(target=_serve, args=(child, self._function), daemon=True)
        process.start()
        child.close()
        return _Worker(process, parent)


def _serve(pipe: Connection, function: Callable[[Any], Any]) -> None:
    while True:
        try:
            task = pipe.recv()
        except (EOFError, KeyboardInterrupt):
            return
        pipe.send(attempt(function, task))


def attempt(function: Callable[[Task], Result], task: Task) -> Result | Failure:
    """Run one task; what goes wrong becomes a failure whose text quotes nothing of the input."""
    try:
        return function(task)
    except LfjaError as error:
        return Failure(error.reason or Reason.STUDY_FAILED, str(error))
    except MemoryError:
        return Failure(Reason.WORKER_LOST, "out of memory")
    except Exception as error:  # noqa: BLE001 - one study's bug must not cost the others
        return Failure(
            Reason.STUDY_FAILED, f"{type(error).__name__} in {place_of(error)}; please report this as a bug"
        )


def _stop(worker: _Worker) -> None:
    worker.pipe.close()
    if worker.process.is_alive():
        worker.process.kill()
    worker.process.join(timeout=5)
