"""The last door: an error nobody expected is one line and exit code 1, never a traceback with patient data."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from lfja_mri.errors import ExitCode, place_of


@contextmanager
def last_door() -> Iterator[None]:
    """Turn any error into a line of text and the exit code of a bug."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - the last door
        from lfja_mri.app.display import messages

        messages.print(
            f"[bold red]bug:[/] {type(error).__name__} in {place_of(error)}; please report it with `lfja-mri info`"
        )
        sys.exit(int(ExitCode.BUG))
