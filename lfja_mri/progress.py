"""How far a run is, as a callback: (done, total, word). The library reports; the app decides how it looks."""

from __future__ import annotations

from collections.abc import Callable

ReportProgress = Callable[[int, int, str], None]


def silent(_done: int, _total: int, _word: str) -> None:
    """Report nothing."""
