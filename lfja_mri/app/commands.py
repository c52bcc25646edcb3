"""Every command of the app, in the order of `--help`."""

from lfja_mri.app.root import app  # isort: skip
from lfja_mri.app import studies, changes, archives, exports, tools  # isort: skip - the order of --help
from lfja_mri.app import logs, manual  # isort: skip

logs.attach(app)
manual.attach(app)

__all__ = ["app", "archives", "changes", "exports", "logs", "manual", "studies", "tools"]
