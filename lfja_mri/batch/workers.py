"""Tasks in processes of their own: a crash, a hang or a kill costs the one task, never the run.

The standard pool breaks as a whole when one worker dies, and cannot stop a task that hangs; see
`docs/decisions/workers.md`. Each worker here has one pipe and one task at a time; the parent waits on pipes and on
the processes' ends. What a worker may use is bounded before it starts (`bounds.py`).
"""

from __future__ import annotations

import multiprocessing
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import Any, Generic, TypeVar

from lfja_mri.batch.bounds import Bounds, bound_memory, bounded_threads, end_with_parent
from lfja_mri.errors import LfjaError, Reason, place_of

Task = TypeVar("Task")
Result = TypeVar("Result")

LOST = frozenset({Reason.WORKER_LOST, Reason.TIMED_OUT})


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
    bounds
        Wall time of a task, memory and threads of a process.
    """

    def __init__(
        self, function: Callable[[Task], Result], *, jobs: int, bounds: Bounds | None = None
    ) -> None:
        self._function = function
        self._jobs = jobs
        self._bounds = bounds or Bounds()
        self._context: SpawnContext = multiprocessing.get_context("spawn")

    def run(self, tasks: Sequence[Task]) -> Iterator[tuple[int, Result | Failure]]:
        """Yield (index of the task, result or failure) as tasks finish, in no stated order."""
        waiting = list(range(len(tasks)))[::-1]
        workers: list[_Worker] = []
        try:
            while waiting or any(worker.index is not None for worker in workers):
                self._start_missing(len(waiting), workers)
                self._hand_out(tasks, waiting, workers)
                yield from self._collect(workers)
        finally:
            for worker in workers:
                _stop(worker)

    def _start_missing(self, waiting: int, workers: list[_Worker]) -> None:
        """Start all workers before the first task is sent: a long task blocks the pipe until its worker listens."""
        busy = sum(worker.index is not None for worker in workers)
        workers.extend(self._start() for _ in range(min(self._jobs, busy + waiting) - len(workers)))

    def _hand_out(self, tasks: Sequence[Task], waiting: list[int], workers: list[_Worker]) -> None:
        for worker in list(workers):
            if worker.index is not None or not waiting:
                continue
            if not worker.process.is_alive():  # killed while it had nothing to do
                workers.remove(worker)
                _stop(worker)
                continue
            worker.index = waiting.pop()
            worker.started_s = time.monotonic()
            try:
                worker.pipe.send(tasks[worker.index])
            except (BrokenPipeError, ConnectionResetError):
                continue  # its end is seen when its answer is asked for

    def _collect(self, workers: list[_Worker]) -> Iterator[tuple[int, Result | Failure]]:
        busy = [worker for worker in workers if worker.index is not None]
        if busy:
            wait([worker.pipe for worker in busy], timeout=self._patience_s(busy))
        for worker in busy:
            outcome = self._outcome(worker)
            if outcome is None or worker.index is None:
                continue
            index, worker.index = worker.index, None
            if isinstance(outcome, Failure) and outcome.reason in LOST:
                workers.remove(worker)
                _stop(worker)
            yield index, outcome

    def _outcome(self, worker: _Worker) -> Result | Failure | None:
        if worker.pipe.poll():
            try:
                received: Result | Failure = worker.pipe.recv()
            except (EOFError, OSError):
                return _ended(worker)
            return received
        limit_s = self._bounds.timeout_s
        if limit_s is not None and time.monotonic() - worker.started_s > limit_s:
            return Failure(Reason.TIMED_OUT, f"no result within {limit_s:g} s")
        return None

    def _patience_s(self, busy: Sequence[_Worker]) -> float | None:
        if self._bounds.timeout_s is None:
            return None
        ends = [worker.started_s + self._bounds.timeout_s for worker in busy]
        return max(0.05, min(ends) - time.monotonic() + 0.05)

    def _start(self) -> _Worker:
        parent, child = self._context.Pipe()
        process = self._context.Process(
            target=_serve, args=(child, self._function, self._bounds.memory_mib), daemon=True
        )
        with bounded_threads(self._bounds.threads):
            process.start()
        child.close()
        return _Worker(process, parent)


def _serve(pipe: Connection, function: Callable[[Any], Any], memory_mib: int | None) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends the run, and its workers with it
    threading.Thread(target=end_with_parent, daemon=True).start()
    bound_memory(memory_mib)
    while True:
        try:
            task = pipe.recv()
        except EOFError:
            return
        pipe.send(attempt(function, task))


def attempt(function: Callable[[Task], Result], task: Task) -> Result | Failure:
    """Run one task; what goes wrong becomes a failure whose text quotes nothing of the input."""
    try:
        return function(task)
    except LfjaError as error:
        return Failure(error.reason or Reason.STUDY_FAILED, str(error))
    except MemoryError:
        return Failure(Reason.WORKER_LOST, "out of memory; --memory-mib allows a worker more")
    except Exception as error:  # noqa: BLE001 - one study's bug must not cost the others
        return Failure(
            Reason.STUDY_FAILED, f"{type(error).__name__} in {place_of(error)}; please report this as a bug"
        )


def _ended(worker: _Worker) -> Failure:
    worker.process.join(timeout=5)
    code = worker.process.exitcode
    killed = "; killed from outside, by the system's memory guard perhaps" if code == -signal.SIGKILL else ""
    return Failure(Reason.WORKER_LOST, f"the worker ended with code {code}{killed}")


def _stop(worker: _Worker) -> None:
    worker.pipe.close()
    if worker.process.is_alive():
        worker.process.kill()
    worker.process.join(timeout=5)
