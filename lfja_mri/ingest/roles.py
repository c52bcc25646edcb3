"""What the header says of a stack's contrast, in the order of `clinical.md` 8.2, with its evidence."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from lfja_mri.ingest.facts import SeriesFacts
from lfja_mri.settings.ingest import IngestSettings

STIR_WORDS = re.compile(r"stir|tirm|(?<![a-z])ir(?![a-z])|turbo_?ir|fir_")
SATURATION_WORDS = re.compile(
    r"spair|spir(?![a-z])|fat[ _-]?sat|fatsup|chess|(?<![a-z])fs(?![a-z])|(?<=t[12])fs|frfse.*fs|proset|(?<![a-z])we(?![a-z])"
)
WATER_WORDS = re.compile(r"water|dixon.{0,30}[ _-]w(?=$|[ _-])|ideal(?!.*fat)")
OTHER_DIXON_WORDS = re.compile(
    r"(in|out|opp|opposed)[ _-]?(of[ _-])?phase|(?<=dixon)[ _-](f|fat|ip|op|in|opp)(?![a-z])|fat[ _-]?(only|fraction|image)|(?<=dixon)_fat"
)
OTHER_WORDS = re.compile(
    r"dwi|diff|adc(?![a-z])|ep2d|epi(?![a-z])|angio|tof(?![a-z])|perf(?![a-z])|myelo|haste.*myel|medic(?![a-z])|merge(?![a-z])|t2 ?\*|t2_?star|swi(?![a-z])|subtract|(?<![a-z])sub(?![a-z])|survey|scout|locali[sz]er|calibration|map(?![a-z])"
)
AGENT_WORDS = re.compile(
    r"(?<![a-z])(gd|gad|gado[a-z]*|km|contrast|ce|dotarem|prohance|gadovist)(?![a-z])|\+ ?(c|gd|km)(?![a-z])"
    r"|(?<![a-z])post(?![a-z])(?![ _-]?op)"
)
NO_AGENT_WORDS = re.compile(r"(?<![a-z])(pre|nativ|native|without|no|wo|w/o)(?![a-z])|-c(?![a-z])")
# names a whole examination, not the series
BOTH_WORDS = re.compile(
    r"(?<![a-z])(w|with)[ /_&+-]*(and[ _])?(wo|w/o|without)(?![a-z])|pre.{0,8}post|(wo|without).{0,6}(and|&|/).{0,3}w"
)
T1_WORDS = re.compile(r"(?<![a-z0-9])t1(?![0-9])")
T2_WORDS = re.compile(r"(?<![a-z0-9])t2(?![0-9*])")
PD_WORDS = re.compile(r"(?<![a-z0-9])pd(?![a-z])|pdw|proton")
FS_OPTIONS = frozenset({"FS", "SFS", "FAT-SAT", "FATSAT", "FAT_SAT", "SPAIR", "SPIR"})
OTHER_DIXON_KINDS = frozenset({"FAT", "F", "IN_PHASE", "OPP_PHASE", "OUT_PHASE", "IP", "OP", "FAT_FRACTION"})
PHASE_KINDS = frozenset({"P", "PHASE", "PHASE MAP", "I", "IMAGINARY"})
NO_AGENT_VALUES = frozenset({"", "none", "no", "no contrast", "n", "0"})


class Weighting(StrEnum):
    """What the contrast between tissues rests on."""

    T1 = "T1"
    T2 = "T2"
    PD = "PD"


class Fat(StrEnum):
    """How fat is suppressed, if at all."""

    BRIGHT = "bright"
    INVERSION = "nulled by inversion"
    SATURATED = "saturated"
    WATER_IMAGE = "left out of a water image"


@dataclass(frozen=True)
class HeaderOpinion:
    """What a header says; None where it is silent.

    Parameters
    ----------
    weighting, fat
        As read.
    agent
        Whether a contrast agent was given; None where nothing is said.
    refusal
        Why this can play no role at all, if so.
    certain
        True where two independent pieces of the header agree on weighting and fat, so that no pixel need be read.
    evidence
        What each piece says.
    """

    weighting: Weighting | None
    fat: Fat | None
    agent: bool | None
    refusal: str | None
    certain: bool
    evidence: tuple[str, ...]


def header_opinion(facts: SeriesFacts, settings: IngestSettings) -> HeaderOpinion:
    """Read weighting, fat suppression and contrast agent from the header."""
    from_times, time_words = _weighting_from_times(facts, settings)
    from_words = _weighting_from_words(facts.words)
    fat, fat_words, fat_count = _fat(facts, settings)
    agent, agent_words = states_agent(facts.agent, facts.description)
    evidence = [*time_words, *fat_words, *agent_words]
    if from_words is not None and not STIR_WORDS.search(facts.words):
        evidence.append(f"named {from_words.value}")
    agree = from_times is not None and from_words in {None, from_times}
    if from_times is not None and not agree:
        evidence.append("name and times contradict each other")
    return HeaderOpinion(
        weighting=from_times if agree else (from_words if from_times is None else None),
        fat=fat,
        agent=agent,
        refusal=_refusal(facts),
        certain=agree
        and fat is not None
        and (fat_count > 1 or fat is Fat.INVERSION or from_words is not None),
        evidence=tuple(evidence) or ("the header says nothing of the contrast",),
    )


def _refusal(facts: SeriesFacts) -> str | None:
    kind = frozenset(facts.image_type)
    if OTHER_WORDS.search(facts.words):
        return "named as another kind of series than anatomical T1, T2 or fat-suppressed images"
    if OTHER_DIXON_WORDS.search(facts.words) or kind & OTHER_DIXON_KINDS:
        return "a Dixon image other than the water image"
    if kind & PHASE_KINDS:
        return "a phase image"
    return None


def _weighting_from_times(facts: SeriesFacts, settings: IngestSettings) -> tuple[Weighting | None, list[str]]:
    repetition, echo = facts.repetition_time_ms, facts.echo_time_ms
    if repetition is None or echo is None:
        return None, []
    said = [f"TR {repetition:.0f} ms, TE {echo:.0f} ms"]
    if "GR" in facts.scanning_sequence and "SE" not in facts.scanning_sequence:
        return None, [*said, "a gradient echo"]
    slow = repetition > settings.t2_shortest_repetition_ms
    rules = (
        (Weighting.T2, _is_inversion(facts, settings)),
        (
            Weighting.T1,
            echo < settings.t1_longest_echo_ms and repetition < settings.t1_longest_repetition_ms,
        ),
        (Weighting.T1, echo < settings.t1_longest_echo_ms and _is_t1_flair(facts, settings)),
        (Weighting.T2, slow and echo >= settings.t2_shortest_echo_ms),
        (Weighting.PD, slow and settings.pd_shortest_echo_ms <= echo <= settings.pd_longest_echo_ms),
    )
    return next((weighting for weighting, holds in rules if holds), None), said


def _is_inversion(facts: SeriesFacts, settings: IngestSettings) -> bool:
    inversion = facts.inversion_time_ms
    nulls_fat = inversion is None or (
        settings.stir_shortest_inversion_ms <= inversion <= settings.stir_longest_inversion_ms
    )
    slow = facts.repetition_time_ms is None or facts.repetition_time_ms > settings.stir_shortest_repetition_ms
    stated = inversion is not None or "IR" in facts.scanning_sequence
    return stated and nulls_fat and slow


def _is_t1_flair(facts: SeriesFacts, settings: IngestSettings) -> bool:
    """Return whether the inversion time is one that darkens fluid in T1 images of long TR, as is usual at 3 T."""
    inversion = facts.inversion_time_ms
    return (
        inversion is not None
        and settings.t1_flair_shortest_inversion_ms <= inversion <= settings.t1_flair_longest_inversion_ms
    )


def _weighting_from_words(words: str) -> Weighting | None:
    named = [
        weighting
        for weighting, pattern in (
            (Weighting.T1, T1_WORDS),
            (Weighting.T2, T2_WORDS),
            (Weighting.PD, PD_WORDS),
        )
        if pattern.search(words)
    ]
    if not named and STIR_WORDS.search(words):
        return Weighting.T2
    return named[0] if len(named) == 1 else None


def _fat(facts: SeriesFacts, settings: IngestSettings) -> tuple[Fat | None, list[str], int]:
    """Return how fat is suppressed, the evidence, and how many independent pieces say so."""
    found: list[tuple[Fat, str]] = []
    if facts.image_type and {"WATER", "W"} & set(facts.image_type):
        found.append((Fat.WATER_IMAGE, "image type says water"))
    if WATER_WORDS.search(facts.words):
        found.append((Fat.WATER_IMAGE, "named a water image"))
    if _is_inversion(facts, settings):
        time = facts.inversion_time_ms
        found.append((Fat.INVERSION, "an inversion recovery" if time is None else f"TI {time:.0f} ms"))
    if STIR_WORDS.search(facts.words):
        found.append((Fat.INVERSION, "named STIR"))
    if facts.scan_options is not None and facts.scan_options & FS_OPTIONS:
        found.append((Fat.SATURATED, "scan options say fat saturation"))
    if facts.fat_suppression in {"FAT", "FAT_AND_WATER"}:
        found.append((Fat.SATURATED, "spectral suppression of fat"))
    if SATURATION_WORDS.search(facts.words):
        found.append((Fat.SATURATED, "named fat-saturated"))
    if found:
        return found[0][0], [text for _, text in found], len(found)
    if facts.scan_options is not None or facts.fat_suppression == "NONE":
        return Fat.BRIGHT, ["no fat suppression stated"], 1
    return None, [], 0


def states_agent(agent: str, description: str) -> tuple[bool | None, list[str]]:
    """Return whether a contrast agent was given, and what says so; None where nothing does.

    Parameters
    ----------
    agent, description
        ContrastBolusAgent and the name of the series, in lower case.
    """
    if agent and agent not in NO_AGENT_VALUES:
        return True, ["a contrast agent is stated"]
    if BOTH_WORDS.search(description):
        return None, []
    if NO_AGENT_WORDS.search(description):
        return False, ["named as before contrast"]
    if AGENT_WORDS.search(description):
        return True, ["named as after contrast"]
    return None, []
