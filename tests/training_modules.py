"""Modules of `training/`, which import one another by bare name."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import pytest

TRAINING = Path(__file__).resolve().parent.parent / "training"


@contextmanager
def training_module(name: str) -> Iterator[ModuleType]:
    """Import a module of the folder; forget it and the reader of data afterwards."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(TRAINING))
        yield importlib.import_module(name)
    for one in (name, "data"):
        sys.modules.pop(one, None)
