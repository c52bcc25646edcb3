"""How a run goes about its work; nothing here changes a result."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from lfja_mri.batch.bounds import MEMORY_MIB, Bounds
from lfja_mri.outputs import Extras


@dataclass(frozen=True)
class RunOptions:
    """What the command line asks of a run beside the studies; None leaves it to the machine or to the defaults."""

    jobs: int | None = None
    timeout_s: float | None = None
    force: bool = False
    extras: Extras = field(default_factory=Extras)
    salt: bytes | None = None
    scheduler: str | None = None
    overrides: Path | None = None
    memory_mib: int | None = MEMORY_MIB
    keep_dates: bool = False
    baseline: str | None = None

    @property
    def bounds(self) -> Bounds:
        """What one worker may use; one thread each, since there is a worker for every core."""
        return Bounds(self.timeout_s, self.memory_mib)

    @property
    def processes(self) -> int:
        """Number of worker processes: all cores this process may use by default, cores minus n where negative."""
        cores = _cores()
        return cores if self.jobs is None else max(1, self.jobs if self.jobs > 0 else cores + self.jobs)


def _cores() -> int:
    """Count what a scheduler granted, which may be fewer than the machine has."""
    granted = getattr(os, "sched_getaffinity", None)
    return len(granted(0)) if granted is not None else os.cpu_count() or 1
