"""The Typer app: words in, tables and exit codes out. No medicine is decided here.

Heavy imports stay inside the commands, so that `--help` is quick.
"""

from lfja_mri.app import archives, changes, studies, tools
from lfja_mri.app.root import app, main

__all__ = ["app", "archives", "changes", "main", "studies", "tools"]
