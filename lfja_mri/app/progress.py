"""How far a run is: a bar with rate and time left on a terminal, plain lines elsewhere, nothing when quiet."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from lfja_mri.app.display import messages
from lfja_mri.progress import ReportProgress, silent


class RateColumn(ProgressColumn):
    """How many are done in a minute."""

    def render(self, task: Task) -> Text:
        """Show the rate once it is known."""
        return Text("" if not task.speed else f"{task.speed * 60:.1f}/min")


@contextmanager
def progress_display(*, quiet: bool) -> Iterator[ReportProgress]:
    """Give a callback (done, total, word) that fits where standard error goes."""
    if quiet:
        yield silent
    elif sys.stderr.isatty():
        with _bar() as report:
            yield report
    else:
        yield _line


def _line(done: int, total: int, word: str) -> None:
    sys.stderr.write(f"{done}/{total} {word}\n")


@contextmanager
def _bar() -> Iterator[ReportProgress]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        RateColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=messages, transient=True) as bar:
        task = bar.add_task("grading", total=None)

        def report(done: int, total: int, word: str) -> None:
            bar.update(task, completed=done, total=total, description=word)

        yield report
