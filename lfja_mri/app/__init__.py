"""The Typer app: words in, tables and exit codes out. No medicine is decided here.

Heavy imports stay inside the commands, so that `--help` is quick; the app itself is loaded when it is asked for.
"""

from __future__ import annotations

import os
import sys
from typing import Any

__all__ = ["app", "main"]


def main() -> None:
    """Run the command line."""
    # our matrices have three columns: more threads take time of the processor for them and save none
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from lfja_mri.app.door import last_door

    with last_door():
        from lfja_mri.app.plain import inspected

        if not inspected(sys.argv[1:]):
            from lfja_mri.app.commands import app as whole

            whole()


def __getattr__(name: str) -> Any:
    if name != "app":
        raise AttributeError(name)
    from lfja_mri.app.commands import app as whole

    return whole
