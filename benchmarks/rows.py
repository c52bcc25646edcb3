"""One row of the accuracy table: a figure, its target, whether it is met, and the data it was measured on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """A measured figure beside its target; `met` is None where the data are absent or no target is set."""

    figure: str
    value: str
    target: str
    met: bool | None
    data: str
