"""The Typer app: words in, tables and exit codes out. No medicine is decided here.

Heavy imports stay inside the commands, so that `--help` is quick.
"""

from lfja_mri.app.root import app, main  # isort: skip
from lfja_mri.app import studies, changes, archives, exports, tools  # isort: skip - the order of --help
from lfja_mri.app import manual  # isort: skip

manual.attach(app)

__all__ = ["app", "archives", "changes", "exports", "main", "manual", "studies", "tools"]
