"""One series, one contrast: the header where it is certain, else the header and a few planes of pixels together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from lfja_mri.errors import Reason
from lfja_mri.ingest.cues import Cues, cues_of, fat_is_dark, fluid_is_bright, middle_cues
from lfja_mri.ingest.pixels import Pixels, plane_key, read_planes
from lfja_mri.ingest.roles import Fat, HeaderOpinion, Weighting, header_opinion
from lfja_mri.ingest.stacks import Stack
from lfja_mri.model import Plane
from lfja_mri.settings.ingest import IngestSettings

MIDDLE = (0.35, 0.425, 0.5, 0.575, 0.65)
FRINGE = (0.1, 0.25, 0.75, 0.9)
HEADER_CERTAIN = 0.95
SUREST_GUESS = 0.9
ONLY_FAT_KNOWN = 0.6
STRAY_PLANES, PLANES_DISAGREE = 1, 0.6
Look = tuple[Stack, int, Cues]
NO_SKIN_FAT_STATED, NO_SKIN = 0.6, 0.4


@dataclass(frozen=True, eq=False)
class Judged:
    """The stacks of one series and echo with their contrast.

    Parameters
    ----------
    cues
        What the pixels showed; None where none were looked at or no skin was seen.
    guessed
        True where the weighting rests on the pixels of this series alone.
    looks
        The planes looked at that show the skin: stack, number of the plane, cues.
    fat_kind_assumed
        True where the way in which fat was suppressed is only what is usual.
    fat_confidence
        Of fat alone.
    """

    stacks: tuple[Stack, ...]
    header: HeaderOpinion
    cues: Cues | None
    weighting: Weighting | None
    fat: Fat | None
    confidence: float
    evidence: tuple[str, ...]
    guessed: bool = False
    looks: tuple[Look, ...] = ()
    fat_kind_assumed: bool = False
    fat_confidence: float = 1.0

    @property
    def plane(self) -> Plane:
        """Anatomical direction."""
        return self.stacks[0].plane


def judge(stacks: tuple[Stack, ...], pixels: Pixels, settings: IngestSettings) -> Judged:
    """Judge the stacks of one series and echo; `pixels` gains the planes looked at."""
    header = header_opinion(stacks[0].planes[0].facts, settings)
    silent = header.refusal is not None or stacks[0].plane is Plane.CORONAL
    if header.certain or silent:
        return Judged(stacks, header, None, header.weighting, header.fat, HEADER_CERTAIN, header.evidence)
    looks = look(stacks, pixels)
    if not looks:
        sure = NO_SKIN if header.fat is None else NO_SKIN_FAT_STATED
        evidence = (*header.evidence, "the pixels show no skin to judge by")
        return Judged(stacks, header, None, header.weighting, header.fat or Fat.BRIGHT, sure, evidence)
    return _judge_weighting(_judge_fat(stacks, header, looks, pixels, settings), settings)


def _judge_fat(
    stacks: tuple[Stack, ...],
    header: HeaderOpinion,
    looks: tuple[Look, ...],
    pixels: Pixels,
    settings: IngestSettings,
) -> Judged:
    cues = middle_cues([found for _, _, found in looks])
    dark, sure = fat_is_dark(cues, settings)
    seen = f"skin fat {cues.fat_to_fluid:.2f} x the brightest inner structure, fat {'dark' if dark else 'bright'}"
    evidence = [*header.evidence, f"pixels: {seen}"]
    # suppression fails in patches, so axial planes from elsewhere are asked as well
    votes = (*looks, *look(stacks, pixels, FRINGE)) if cues.plane is Plane.AXIAL else looks
    others = sum(fat_is_dark(found, settings)[0] is not dark for _, _, found in votes)
    if others > STRAY_PLANES:
        sure = min(sure, PLANES_DISAGREE)
        evidence.append(f"pixels: {others} of {len(votes)} planes say the opposite of fat")
    fat, assumed = header.fat, False
    stated_dark = None if fat is None else fat is not Fat.BRIGHT
    if fat is None or (stated_dark is not dark and sure >= settings.least_sure_correction):
        if stated_dark is not None:
            evidence.append("pixels contradict the header on fat and are believed")
        assumed = dark
        fat = _suppression(stacks[0].plane, evidence) if dark else Fat.BRIGHT
        sure = min(sure, SUREST_GUESS) if dark else sure
    elif stated_dark is not dark:
        sure = 1 - sure
        evidence.append("pixels doubt the header on fat, which is believed")
    return Judged(
        stacks,
        header,
        cues,
        header.weighting,
        fat,
        sure,
        tuple(evidence),
        looks=looks,
        fat_kind_assumed=assumed,
        fat_confidence=sure,
    )


def _judge_weighting(judged: Judged, settings: IngestSettings) -> Judged:
    if judged.weighting is not None or judged.cues is None:
        return judged
    bright, sure = fluid_is_bright(judged.cues, settings)
    weighting = Weighting.T2 if bright else Weighting.T1
    said = f"pixels: fluid {'bright' if bright else 'dark'}, weighting taken as {weighting.value}"
    limit = sure if judged.fat is Fat.BRIGHT else min(sure, ONLY_FAT_KNOWN)
    return replace(
        judged,
        weighting=weighting,
        confidence=min(judged.confidence, limit),
        evidence=(*judged.evidence, said),
        guessed=True,
    )


def _suppression(plane: Plane, evidence: list[str]) -> Fat:
    """Name the kind of suppression that is usual for a plane: the pixels cannot tell one from the other."""
    usual = Fat.INVERSION if plane is Plane.SAGITTAL else Fat.SATURATED
    evidence.append(f"{'STIR' if usual is Fat.INVERSION else 'fat saturation'} assumed: usual for this plane")
    return usual


def look(stacks: tuple[Stack, ...], pixels: Pixels, shares: Sequence[float] = MIDDLE) -> tuple[Look, ...]:
    """Measure a few planes, as a rule from the middle of a series; those that show no skin are left out."""
    every = [(stack, i) for stack in stacks for i in range(len(stack.planes))]
    chosen = [every[round(share * (len(every) - 1))] for share in shares]
    pixels.update(read_planes((stack.planes[i] for stack, i in chosen), pixels))
    found = []
    for stack, i in chosen:
        array = pixels[plane_key(stack.planes[i])]
        cues = None if isinstance(array, Reason) else cues_of(array, stack.voxel_to_lps, stack.plane)
        if cues is not None:
            found.append((stack, i, cues))
    return tuple(found)
