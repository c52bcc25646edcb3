"""Settings: one TOML file says how to look (`pipeline.toml`); others say how to judge.

Every default lives in `configs/`, none here. A misspelt key is refused with the nearest known one. Settings are
frozen; a stage receives its own section only.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from lfja_mri.errors import ConfigurationError


class Settings(BaseModel):
    """A frozen section that refuses unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class IngestSettings(Settings):
    """How files become stacks and stacks get their roles."""


class LevelsSettings(Settings):
    """How the lumbar levels are found and named."""


class FacetsSettings(Settings):
    """Where a facet joint may lie, and how it is refined."""


class MeasureSettings(Settings):
    """Reference tissue, thresholds and zones that signals are judged by."""


class PipelineSettings(Settings):
    """The whole of `pipeline.toml`."""

    ingest: IngestSettings
    levels: LevelsSettings
    facets: FacetsSettings
    measure: MeasureSettings


AnySettings = TypeVar("AnySettings", bound=BaseModel)


def config_folder() -> Path:
    """Return the folder of the packaged configuration: inside the wheel, or at the root of a checkout."""
    packaged = Path(str(resources.files("lfja_mri") / "configs"))
    return packaged if packaged.is_dir() else Path(__file__).resolve().parent.parent / "configs"


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


def load_pipeline_settings(path: Path | None = None) -> PipelineSettings:
    """Read `pipeline.toml`; a user's file overrides the packaged one key by key."""
    packaged = read_toml(config_folder() / "pipeline.toml")
    if path is None:
        return parse(PipelineSettings, packaged, where="pipeline.toml")
    return parse(PipelineSettings, _merged(packaged, read_toml(path)), where=str(path))


def parse(model: type[AnySettings], values: Mapping[str, Any], *, where: str) -> AnySettings:
    """Check values against a settings type.

    Raises
    ------
    ConfigurationError
        Names the key, what is wrong with it and, where it is misspelt, the nearest known key.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise ConfigurationError(f"{where}: {_describe(error, model)}") from error


def digest(settings: BaseModel | Mapping[str, Any]) -> str:
    """Return a short stable hash of settings."""
    plain = settings.model_dump(mode="json") if isinstance(settings, BaseModel) else settings
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _merged(base: Mapping[str, Any], override: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in override.items():
        below = merged.get(key)
        if isinstance(value, Mapping) and isinstance(below, Mapping):
            merged[key] = _merged(below, value)
        else:
            merged[key] = value
    return merged


def _describe(error: ValidationError, model: type[BaseModel]) -> str:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] != "extra_forbidden":
        return f"key '{key}': {first['msg']}"
    near = difflib.get_close_matches(str(first["loc"][-1]), sorted(_known_keys(model)), n=1)
    hint = f"; did you mean '{near[0]}'?" if near else ""
    return f"unknown key '{key}'{hint}"


def _known_keys(model: type[BaseModel]) -> set[str]:
    keys = set(model.model_fields)
    for field in model.model_fields.values():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            keys |= _known_keys(field.annotation)
    return keys
