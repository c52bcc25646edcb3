"""Settings: one TOML file says how to look (`pipeline.toml`); others say how to judge.

Every default lives in `configs/`, none here. A misspelt key is refused with the nearest known one. Settings are
frozen; a stage receives its own section only.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from lfja_mri import packaged
from lfja_mri.errors import ConfigurationError
from lfja_mri.settings.change import ChangeSettings
from lfja_mri.settings.facets import FacetsSettings
from lfja_mri.settings.grading import MeasureSettings
from lfja_mri.settings.ingest import IngestSettings
from lfja_mri.settings.levels import LevelsSettings
from lfja_mri.settings.section import Settings

config_folder = packaged.config_folder
read_toml = packaged.read_toml
# what pydantic calls a key that a section does not know, in a model and in a dataclass
UNKNOWN_KEY = frozenset({"extra_forbidden", "unexpected_keyword_argument"})


class PipelineSettings(Settings):
    """The whole of `pipeline.toml`."""

    ingest: IngestSettings
    levels: LevelsSettings
    facets: FacetsSettings
    measure: MeasureSettings


AnySettings = TypeVar("AnySettings", bound=BaseModel)


def load_pipeline_settings(path: Path | None = None) -> PipelineSettings:
    """Read `pipeline.toml`; a user's file overrides the packaged one key by key."""
    packaged = read_toml(config_folder() / "pipeline.toml")
    if path is None:
        return parse(PipelineSettings, packaged, where="pipeline.toml")
    return parse(PipelineSettings, _merged(packaged, read_toml(path)), where=str(path))


def load_change_settings(path: Path | None = None, *, repeatability: Path | None = None) -> ChangeSettings:
    """Read `change.toml` and the repeatability file that it names beside itself.

    Parameters
    ----------
    path
        A user's file, which overrides the packaged one key by key.
    repeatability
        A file written by `lfja-mri repeatability`, in place of the one that is named.
    """
    packaged = config_folder() / "change.toml"
    values = _with_repeatability(packaged)
    if path is not None:
        values = _merged(values, _with_repeatability(path))
    if repeatability is not None:
        values["repeatability"] = read_toml(repeatability)
    return parse(ChangeSettings, values, where=str(path or "change.toml"))


def _with_repeatability(path: Path) -> dict[str, Any]:
    values = read_toml(path)
    named = values.get("repeatability")
    return values | {"repeatability": read_toml(path.parent / named)} if isinstance(named, str) else values


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
    errors = error.errors()
    # A misspelt key is also reported as the right one missing; the misspelling is what helps.
    first = next((found for found in errors if found["type"] in UNKNOWN_KEY), errors[0])
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] not in UNKNOWN_KEY:
        return f"key '{key}': {first['msg']}"
    near = difflib.get_close_matches(str(first["loc"][-1]), sorted(_known_keys(model)), n=1)
    hint = f"; did you mean '{near[0]}'?" if near else ""
    return f"unknown key '{key}'{hint}"


def _known_keys(model: type[Any]) -> set[str]:
    if not issubclass(model, BaseModel):
        return {field.name for field in fields(model)}
    keys = set(model.model_fields)
    for field in model.model_fields.values():
        for below in _models_in(field.annotation):
            keys |= _known_keys(below)
    return keys


def _models_in(annotation: Any) -> list[type[Any]]:
    """Return the settings types that a field holds, also inside tuples, maps and unions."""
    if isinstance(annotation, type) and (issubclass(annotation, BaseModel) or is_dataclass(annotation)):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models_in(part)]
