"""Measurements in and out of JSON, so that rules can be applied again without pixels.

`MEASUREMENT_VERSION` changes whenever the same pixels would give other numbers; an archive of another version is
refused, since its grades could not be told from a change of rules.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lfja_mri.errors import CheckError, InputError, Reason
from lfja_mri.grading.facts import MEASURES
from lfja_mri.model import Level, Measure, Measurements, Missing, Side

MEASUREMENT_VERSION = "7"


def measurements_to_json(measurements: Sequence[Measurements]) -> dict[str, Any]:
    """Return the measurements of one study as plain values, in full precision, one joint after the other."""
    return {
        "measurement_version": MEASUREMENT_VERSION,
        "joints": [_joint_to_plain(joint) for joint in measurements],
    }


def measurements_from_json(body: Mapping[str, Any]) -> tuple[Measurements, ...]:
    """Return the measurements of one study exactly as they were stored.

    Raises
    ------
    InputError
        These are not stored measurements, or they are damaged.
    CheckError
        They were made by another measurement version; both are named.
    """
    version = body.get("measurement_version")
    if version is None:
        raise InputError("the file does not hold stored measurements; grade the study again")
    if version != MEASUREMENT_VERSION:
        raise CheckError(
            f"the stored measurements were made by measurement version {version}, this program measures by version "
            f"{MEASUREMENT_VERSION}; grade the study again"
        )
    try:
        return tuple(_joint_from_plain(joint) for joint in body["joints"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError("the stored measurements are damaged; grade the study again") from error


def _joint_to_plain(joint: Measurements) -> dict[str, Any]:
    return {
        "level": joint.level.value,
        "side": joint.side.value,
        "measures": {name: _measure_to_plain(getattr(joint, name)) for name in MEASURES},
        "extension_mm3": _measures_to_plain(joint.extension_mm3),
        "further": _measures_to_plain(joint.further),
        "fat_suppression": joint.fat_suppression,
        "sources": list(joint.sources),
        "flags": list(joint.flags),
        "reference": dict(joint.reference),
        "low": dict(joint.low),
        "high": dict(joint.high),
    }


def _joint_from_plain(plain: Mapping[str, Any]) -> Measurements:
    return Measurements(
        level=Level(plain["level"]),
        side=Side(plain["side"]),
        **{name: _measure_from_plain(plain["measures"][name]) for name in MEASURES},
        extension_mm3=_measures_from_plain(plain["extension_mm3"]),
        further=_measures_from_plain(plain["further"]),
        fat_suppression=str(plain["fat_suppression"]),
        sources=tuple(plain["sources"]),
        flags=tuple(plain["flags"]),
        reference=dict(plain["reference"]),
        low=dict(plain["low"]),
        high=dict(plain["high"]),
    )


def _measures_to_plain(measures: Mapping[str, Measure]) -> dict[str, Any]:
    return {name: _measure_to_plain(value) for name, value in measures.items()}


def _measures_from_plain(plain: Mapping[str, Any]) -> dict[str, Measure]:
    return {name: _measure_from_plain(value) for name, value in plain.items()}


def _measure_to_plain(value: Measure) -> float | dict[str, str]:
    return {"missing": value.reason.value} if isinstance(value, Missing) else float(value)


def _measure_from_plain(plain: Any) -> Measure:
    return Missing(Reason(plain["missing"])) if isinstance(plain, dict) else float(plain)
