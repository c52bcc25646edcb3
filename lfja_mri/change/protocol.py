"""Were two visits imaged alike? What differs in the way of imaging may look like a change of the joint.

A *protocol* is what the header says of each role that was measured. A fact that either header leaves out is
reported as unknown, never taken as equal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from lfja_mri.errors import Reason
from lfja_mri.model import Image
from lfja_mri.settings.change import ComparabilitySettings, OnMismatch

UNKNOWN_FLAG = "protocol_unknown"
ECHO_TIME, INVERSION_TIME = "different_echo_time", "different_inversion_time"
TIMES = frozenset({ECHO_TIME, INVERSION_TIME})
"""Mismatches that move every ratio of two tissues' signals, and with it what a threshold means."""


@dataclass(frozen=True)
class RoleProtocol:
    """How one role was imaged; None where the header is silent. Spacings are (column, row, plane) mm."""

    field_strength_t: float | None = None
    echo_time_ms: float | None = None
    inversion_time_ms: float | None = None
    pitch_mm: float | None = None
    pixel_mm: float | None = None
    contrast_agent: bool | None = None
    manufacturer_key: str | None = None


Protocol = Mapping[str, RoleProtocol]


@dataclass(frozen=True)
class Mismatch:
    """A way in which two protocols differ, and what is to be done about it."""

    name: str
    action: OnMismatch
    reason: Reason


def protocol_of(images: Iterable[Image]) -> dict[str, RoleProtocol]:
    """Return how each role of a study was imaged; the first image of a role speaks for it."""
    protocol: dict[str, RoleProtocol] = {}
    for image in images:
        protocol.setdefault(str(image.role), _role_protocol(image))
    return protocol


def mismatches(
    baseline: Protocol, follow_up: Protocol, roles: Iterable[str], settings: ComparabilitySettings
) -> tuple[Mismatch, ...]:
    """Return how two protocols differ over the given roles, each once, in a fixed order."""
    pairs = [(baseline[role], follow_up[role]) for role in roles if role in baseline and role in follow_up]
    found = [
        Mismatch(name, action, reason)
        for name, action, reason, differs in _checks(settings)
        if any(differs(one, other) for one, other in pairs)
    ]
    return tuple(found)


def is_unknown(baseline: Protocol, follow_up: Protocol, roles: Iterable[str]) -> bool:
    """Return whether either header leaves out scanner, field strength or echo time of a measured role."""
    facts = [protocol.get(role, RoleProtocol()) for role in roles for protocol in (baseline, follow_up)]
    return not facts or any(
        None in {fact.manufacturer_key, fact.field_strength_t, fact.echo_time_ms} for fact in facts
    )


def _role_protocol(image: Image) -> RoleProtocol:
    spacing = image.volume.spacing_mm
    header = image.acquisition
    return RoleProtocol(
        field_strength_t=header.field_strength_t,
        echo_time_ms=header.echo_time_ms,
        inversion_time_ms=header.inversion_time_ms,
        pitch_mm=float(spacing[2]),
        pixel_mm=float((spacing[0] * spacing[1]) ** 0.5),
        contrast_agent=header.contrast_agent,
        manufacturer_key=header.manufacturer_key,
    )


Check = tuple[str, OnMismatch, Reason, Callable[[RoleProtocol, RoleProtocol], bool]]


def _checks(settings: ComparabilitySettings) -> tuple[Check, ...]:
    protocol = Reason.DIFFERENT_PROTOCOL
    return (
        (
            "different_contrast_agent",
            settings.contrast_agent,
            Reason.DIFFERENT_CONTRAST_AGENT,
            # A header without the tag is how scanners say that no agent was given.
            lambda one, other: (one.contrast_agent is True) != (other.contrast_agent is True),
        ),
        (
            "different_scanner",
            settings.scanner,
            protocol,
            lambda one, other: _unequal(one.manufacturer_key, other.manufacturer_key),
        ),
        (
            "different_field_strength",
            settings.field_strength,
            protocol,
            lambda one, other: _apart(
                one.field_strength_t, other.field_strength_t, settings.field_strength_tolerance
            ),
        ),
        (
            ECHO_TIME,
            settings.echo_time,
            protocol,
            lambda one, other: _apart(one.echo_time_ms, other.echo_time_ms, settings.echo_time_tolerance),
        ),
        (
            INVERSION_TIME,
            settings.inversion_time,
            protocol,
            lambda one, other: _apart(
                one.inversion_time_ms, other.inversion_time_ms, settings.inversion_time_tolerance
            ),
        ),
        (
            "different_pitch",
            settings.pitch,
            protocol,
            lambda one, other: _apart(one.pitch_mm, other.pitch_mm, settings.pitch_tolerance),
        ),
        (
            "different_pixel_size",
            settings.pixel_size,
            protocol,
            lambda one, other: _apart(one.pixel_mm, other.pixel_mm, settings.pixel_size_tolerance),
        ),
    )


def _unequal(one: object | None, other: object | None) -> bool:
    return one is not None and other is not None and one != other


def _apart(one: float | None, other: float | None, tolerance: float) -> bool:
    """Return whether two positive numbers differ by more than a share of the larger (the same either way round)."""
    if one is None or other is None:
        return False
    return abs(one - other) > tolerance * max(abs(one), abs(other))
