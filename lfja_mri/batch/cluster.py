"""The same tasks on a Dask cluster that the user started; nothing home-made."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from lfja_mri.batch.bounds import Bounds
from lfja_mri.batch.workers import Failure
from lfja_mri.errors import Reason, UsageError

TRIES = 2


def run_on_cluster(
    function: Callable[[Any], Any], tasks: Sequence[Any], address: str, bounds: Bounds
) -> Iterator[tuple[int, Any]]:
    """Yield (index, result or failure) from the workers of a Dask scheduler.

    Workers must see the same paths as this process (a shared file system). Each task runs in a process of its own
    that its Dask worker starts, so that time, memory and threads are bounded as they are without a cluster. A worker
    that dies has its task handed to another; a task that keeps killing workers is given up and named.

    Raises
    ------
    UsageError
        The `cluster` extra is not installed, or nobody answers at the address.
    """
    client = _connect(address)
    from distributed import as_completed

    from lfja_mri.batch.child import in_child

    with client:
        futures = {
            client.submit(in_child, function, task, bounds, pure=False, retries=TRIES): index
            for index, task in enumerate(tasks)
        }
        for future in as_completed(futures):
            error = future.exception()
            yield futures[future], _lost(error) if error is not None else future.result()
            future.release()


def _connect(address: str) -> Any:
    try:
        from distributed import Client
    except ImportError as error:
        raise UsageError("--scheduler needs the cluster extra: pip install 'lfja-mri[cluster]'") from error
    try:
        return Client(address, timeout=10)
    except (OSError, ValueError, TimeoutError) as error:
        raise UsageError(
            f"no Dask scheduler answers at {address}; start one with `dask scheduler`"
        ) from error


def _lost(error: BaseException) -> Failure:
    return Failure(Reason.WORKER_LOST, f"the cluster gave it up: {type(error).__name__}")
