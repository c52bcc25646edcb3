"""`inspect` in its plain form, without the parser: that takes longer to load than a thousand headers take to read.

Scripts call `inspect` once a folder, so its start counts. Any other word on the line goes to the whole app, and so
does trouble, an input without a study too, for the app to report in its usual words.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lfja_mri.errors import ExitCode, LfjaError

INTERRUPTED = 130
AS_JSON = "--json"


def inspected(words: Sequence[str]) -> bool:
    """Inspect the inputs if the command line asks for that and nothing else.

    Parameters
    ----------
    words
        The command line after the name of the program.

    Returns
    -------
    False where nothing was printed and the whole app has to be asked.
    """
    paths = [Path(word) for word in words[1:] if word != AS_JSON]
    others = [word for word in words[1:] if word.startswith("-") and word != AS_JSON]
    if words[:1] != ["inspect"] or others or not paths or "" in words or words.count(AS_JSON) > 1:
        return False
    try:
        description = _description(paths)
        if not description["studies"]:
            return False
        show(description, as_json=AS_JSON in words)
        sys.stdout.flush()
    except LfjaError:
        return False
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        # whoever read along has gone; the interpreter must not find the pipe broken again at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(int(ExitCode.BUG))
    return True


def show(description: Mapping[str, Any], *, as_json: bool) -> None:
    """Print what an input holds, for people or for scripts."""
    if as_json:
        sys.stdout.write(json.dumps(description, indent=2, sort_keys=True) + "\n")
        return
    from rich.console import Console

    from lfja_mri.app.display import catalogue_tree

    Console().print(catalogue_tree(description))


def _description(paths: Sequence[Path]) -> Mapping[str, Any]:
    from lfja_mri.ingest import describe, find_studies
    from lfja_mri.settings.ingest import packaged_ingest_settings

    settings = packaged_ingest_settings()
    return describe(find_studies(paths, settings), settings)
