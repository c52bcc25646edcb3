"""Roles: the header where it speaks, the pixels where it is silent or contradicts itself; then the best of each."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from lfja_mri.errors import Reason
from lfja_mri.ingest.candidates import Cast, best_of_each, with_agent_told, without_late_stir
from lfja_mri.ingest.crosscheck import crosschecked
from lfja_mri.ingest.judging import Judged, judge
from lfja_mri.ingest.moments import Moment, agent_moments
from lfja_mri.ingest.pixels import Pixels
from lfja_mri.ingest.roles import Fat, Weighting
from lfja_mri.ingest.stacks import Stack
from lfja_mri.model import Acquisition, Contrast, Plane, Rejection, Role
from lfja_mri.settings.ingest import IngestSettings


@dataclass(frozen=True, eq=False)
class Roles:
    """Who plays what in a study, and which stacks play nothing.

    `pixels` are the planes that were looked at on the way, so that none is decoded twice.
    """

    casts: tuple[Cast, ...]
    rejections: tuple[Rejection, ...]
    pixels: Pixels


def assign_roles(
    stacks: Sequence[Stack], settings: IngestSettings, agent_given: Sequence[Moment] = ()
) -> Roles:
    """Give each stack of a study its role; stacks of one series and echo share one contrast.

    Parameters
    ----------
    agent_given
        When any series of the study was taken whose header states a contrast agent, those without a stack included.
    """
    given = tuple(sorted({*agent_given, *agent_moments(stack.planes[0] for stack in stacks)}))
    groups: dict[tuple[str, float | None, tuple[str, ...], Plane], list[Stack]] = {}
    for stack in stacks:
        facts = stack.planes[0].facts
        key = (stack.key.split("k")[0], facts.echo_time_ms, facts.image_type, stack.plane)
        groups.setdefault(key, []).append(stack)
    pixels: Pixels = {}
    judged = crosschecked(
        [judge(tuple(group), pixels, settings) for group in groups.values()], pixels, settings
    )
    casts: list[Cast] = []
    rejections: list[Rejection] = []
    for one in judged:
        refusal = _refusal(one)
        if refusal is None:
            casts.extend(_casts(one))
        else:
            rejections.extend(Rejection(stack.key, *refusal) for stack in one.stacks)
    usable, refused = without_late_stir(with_agent_told(casts, given), given)
    best, beaten = best_of_each(usable, settings)
    return Roles(best, (*rejections, *refused, *beaten), pixels)


def acquisition_of(cast: Cast) -> Acquisition:
    """Return the header facts that comparability rests on; names only as a hash."""
    facts = cast.stack.planes[0].facts
    maker = hashlib.sha256(facts.maker.lower().encode()).hexdigest()[:8] if facts.maker.strip("|") else None
    return Acquisition(
        repetition_time_ms=facts.repetition_time_ms,
        echo_time_ms=facts.echo_time_ms,
        inversion_time_ms=facts.inversion_time_ms,
        field_strength_t=facts.field_strength_t,
        contrast_agent=cast.agent,
        manufacturer_key=maker,
        days_since_epoch=_days(facts.date),
    )


def _days(date: str) -> int | None:
    try:
        day = dt.date.fromisoformat(date.replace(".", ""))
    except ValueError:
        return None
    return day.toordinal() - dt.date(1970, 1, 1).toordinal()


def _refusal(judged: Judged) -> tuple[Reason, str] | None:
    if judged.header.refusal is not None:
        return Reason.UNKNOWN_CONTRAST, judged.header.refusal
    if judged.plane is Plane.CORONAL:
        return Reason.UNSUPPORTED_PLANE, "coronal planes are not measured"
    if judged.weighting is None:
        return Reason.UNKNOWN_CONTRAST, f"neither header nor pixels tell the contrast ({judged.evidence[-1]})"
    return None


def _casts(judged: Judged) -> list[Cast]:
    contrast = _contrast(judged.weighting, judged.fat, agent=judged.header.agent)
    return [
        Cast(
            stack=stack,
            role=Role(stack.plane, contrast),
            confidence=judged.confidence,
            evidence=(*judged.evidence, *stack.notes),
            agent=judged.header.agent,
            guessed=judged.guessed,
            perhaps_stir=judged.weighting is Weighting.T2
            and (judged.fat is Fat.INVERSION or judged.fat_kind_assumed),
        )
        for stack in judged.stacks
    ]


def _contrast(weighting: Weighting | None, fat: Fat | None, *, agent: bool | None) -> Contrast:
    if fat is Fat.WATER_IMAGE and weighting is not Weighting.T1:
        return Contrast.DIXON_WATER
    if weighting is Weighting.T1:
        if fat in {None, Fat.BRIGHT}:
            return Contrast.T1_GD if agent else Contrast.T1
        return Contrast.T1_FS_GD if agent else Contrast.T1_FS
    if fat is Fat.INVERSION:
        return Contrast.STIR
    if fat is Fat.SATURATED:
        return Contrast.T2_FS
    return Contrast.PD if weighting is Weighting.PD else Contrast.T2
