"""Where the packaged configuration lies, and how a TOML file is read; kept apart from the settings, which take long to load."""

from __future__ import annotations

import tomllib
from importlib import resources
from pathlib import Path
from typing import Any

from lfja_mri.errors import ConfigurationError


def config_folder() -> Path:
    """Return the folder of the packaged configuration: inside the wheel, or at the root of a checkout."""
    inside = Path(str(resources.files("lfja_mri") / "configs"))
    return inside if inside.is_dir() else Path(__file__).resolve().parent.parent / "configs"


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises
    ------
    ConfigurationError
        The file is absent or is not TOML; the message names the line.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"cannot read the configuration {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is not valid TOML: {error}") from error
