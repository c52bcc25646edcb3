"""Roles: the header where it speaks, the pixels where it is silent or contradicts itself; then the best of each."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lfja_mri.config import IngestSettings
from lfja_mri.errors import Reason
from lfja_mri.ingest.candidates import Cast, best_of_each, without_late_stir
from lfja_mri.ingest.cues import Cues, cues_of, fat_is_dark, fluid_is_bright, middle_cues
from lfja_mri.ingest.pixels import Pixels, plane_key, read_planes
from lfja_mri.ingest.roles import Fat, HeaderOpinion, Weighting, header_opinion
from lfja_mri.ingest.stacks import Stack
from lfja_mri.model import Acquisition, Contrast, Plane, Rejection, Role

LOOKS_PER_SERIES = 5
HEADER_CERTAIN = 0.95
SUREST_GUESS = 0.9


@dataclass(frozen=True, eq=False)
class Roles:
    """Who plays what in a study, and which stacks play nothing.

    `pixels` are the planes that were looked at on the way, so that none is decoded twice.
    """

    casts: tuple[Cast, ...]
    rejections: tuple[Rejection, ...]
    pixels: Pixels


def assign_roles(stacks: Sequence[Stack], settings: IngestSettings) -> Roles:
    """Give each stack of a study its role; stacks of one series and echo share one contrast."""
    groups: dict[tuple[str, float | None, tuple[str, ...], Plane], list[Stack]] = {}
    for stack in stacks:
        facts = stack.planes[0].facts
        key = (stack.key.split("k")[0], facts.echo_time_ms, facts.image_type, stack.plane)
        groups.setdefault(key, []).append(stack)
    casts: list[Cast] = []
    rejections: list[Rejection] = []
    pixels: Pixels = {}
    for group in groups.values():
        for one in _cast(group, pixels, settings):
            if isinstance(one, Rejection):
                rejections.append(one)
            else:
                casts.append(one)
    usable, refused = without_late_stir(casts)
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


def _cast(group: list[Stack], pixels: Pixels, settings: IngestSettings) -> Sequence[Cast | Rejection]:
    header = header_opinion(group[0].planes[0].facts, settings)
    if header.refusal is not None:
        return _refused(group, Reason.UNKNOWN_CONTRAST, header.refusal)
    if group[0].plane is Plane.CORONAL:
        return _refused(group, Reason.UNSUPPORTED_PLANE, "coronal planes are not measured")
    weighting, fat, confidence, evidence = _decide(group, header, pixels, settings)
    if weighting is None:
        return _refused(group, Reason.UNKNOWN_CONTRAST, "neither header nor pixels tell the contrast")
    contrast = _contrast(weighting, fat, agent=header.agent)
    return [
        Cast(stack, Role(stack.plane, contrast), confidence, (*evidence, *stack.notes), header.agent)
        for stack in group
    ]


def _refused(group: list[Stack], reason: Reason, detail: str) -> list[Rejection]:
    return [Rejection(stack.key, reason, detail) for stack in group]


def _decide(
    group: list[Stack], header: HeaderOpinion, pixels: Pixels, settings: IngestSettings
) -> tuple[Weighting | None, Fat | None, float, tuple[str, ...]]:
    if header.certain:
        return header.weighting, header.fat, HEADER_CERTAIN, header.evidence
    cues = _look(group, pixels)
    if cues is None:
        sure = 0.6 if header.fat is not None else 0.4
        evidence = (*header.evidence, "the pixels show no skin to judge by")
        return header.weighting, header.fat or Fat.BRIGHT, sure, evidence
    return _judge_pixels(cues, header, group[0].plane, settings)


def _judge_pixels(
    cues: Cues, header: HeaderOpinion, plane: Plane, settings: IngestSettings
) -> tuple[Weighting | None, Fat | None, float, tuple[str, ...]]:
    dark, sure_of_fat = fat_is_dark(cues, settings)
    bright, sure_of_fluid = fluid_is_bright(cues, settings)
    evidence = [
        *header.evidence,
        f"pixels: skin fat {cues.fat_to_fluid:.2f} x the brightest inner structure, fat {'dark' if dark else 'bright'}",
    ]
    fat, sure = header.fat, sure_of_fat
    stated_dark = None if fat is None else fat is not Fat.BRIGHT
    if fat is None or (stated_dark is not dark and sure_of_fat >= settings.least_sure_correction):
        fat = _suppression(plane, evidence) if dark else Fat.BRIGHT
        sure = min(sure, SUREST_GUESS) if dark else sure
        if stated_dark is not None:
            evidence.append("pixels contradict the header on fat and are believed")
    elif stated_dark is not dark:
        sure = 1 - sure_of_fat
        evidence.append("pixels doubt the header on fat, which is believed")
    if header.weighting is not None:
        return header.weighting, fat, sure, tuple(evidence)
    weighting = Weighting.T2 if dark or bright else Weighting.T1
    evidence.append(f"pixels: fluid {'bright' if bright else 'dark'}, weighting taken as {weighting.value}")
    return weighting, fat, min(sure, sure_of_fluid if bright or not dark else 0.6), tuple(evidence)


def _suppression(plane: Plane, evidence: list[str]) -> Fat:
    """Name the kind of suppression that is usual for a plane: the pixels cannot tell one from the other."""
    usual = Fat.INVERSION if plane is Plane.SAGITTAL else Fat.SATURATED
    evidence.append(f"{'STIR' if usual is Fat.INVERSION else 'fat saturation'} assumed: usual for this plane")
    return usual


def _look(group: list[Stack], pixels: Pixels) -> Cues | None:
    """Measure a few planes from the middle of a series; the median of each cue."""
    chosen = _middle_planes(group)
    pixels.update(read_planes(stack.planes[i] for stack, i in chosen))
    found = []
    for stack, i in chosen:
        array = pixels[plane_key(stack.planes[i])]
        cues = None if isinstance(array, Reason) else cues_of(array, stack.voxel_to_lps, stack.plane)
        if cues is not None:
            found.append(cues)
    return middle_cues(found) if found else None


def _middle_planes(group: list[Stack]) -> list[tuple[Stack, int]]:
    every = [(stack, i) for stack in group for i in range(len(stack.planes))]
    shares = np.linspace(0.35, 0.65, LOOKS_PER_SERIES)
    return [every[round(share * (len(every) - 1))] for share in shares]


def _contrast(weighting: Weighting, fat: Fat | None, *, agent: bool | None) -> Contrast:
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
