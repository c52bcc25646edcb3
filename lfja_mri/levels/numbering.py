"""Names for the discs of a chain: which of them lies on S1, how sure that is, and what looks transitional.

Each hypothesis says of one disc that it is L5-S1 (or of none). Every disc and the segment below it then has a part to
play - lumbar, lumbosacral or sacral - and is asked how well it plays it: the network's own classes of the segment, and
the measures of `shape.py` against what they are in each part. A hypothesis scores the sum.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lfja_mri.levels.candidates import Candidate
from lfja_mri.levels.sequence import Chain
from lfja_mri.levels.shape import MEASURES
from lfja_mri.model import (
    LEVELS_WITH_L6,
    LEVELS_WITHOUT_L5,
    STANDARD_LEVELS,
    FloatArray,
    Level,
    NumberingBasis,
)
from lfja_mri.settings.levels import LevelsSettings, MeasureByPart, NumberingSettings

LUMBAR, LUMBOSACRAL, SACRAL = range(3)
BODY, S1, S2 = range(3)
FLOOR = 0.02
TRANSITIONAL = "transitional_anatomy_suspected"
NAMES_BY_LOWEST = {
    Level.L5_S1: STANDARD_LEVELS,
    Level.L6_S1: LEVELS_WITH_L6,
    Level.L4_S1: LEVELS_WITHOUT_L5,
}


@dataclass(frozen=True, eq=False)
class Naming:
    """Names of a chain's discs.

    Parameters
    ----------
    levels
        One per disc of the chain, cranial first; None above L1-L2 and below the sacral one.
    sacral
        Index of the disc that lies on S1.
    certainty
        0-1, share of the evidence for that index against its rivals.
    """

    levels: tuple[Level | None, ...]
    sacral: int
    certainty: float
    basis: NumberingBasis
    flags: tuple[str, ...]
    seen_sacrum: bool = True


def network_evidence(chain: Chain, settings: NumberingSettings) -> FloatArray:
    """Log evidence of the network's classes for each segment's part, shape (discs, 3).

    A segment outside the image says nothing.
    """
    total = np.maximum(chain.segments.sum(axis=1), settings.least_bone_seen)
    sacral = chain.segments[:, [S1, S2]].sum(axis=1)
    s1, s2 = chain.segments[:, S1] + FLOOR, chain.segments[:, S2] + FLOOR
    as_body = np.log(np.clip(chain.segments[:, BODY] / total, FLOOR, 1.0))
    as_sacrum = np.log(np.clip(sacral / total, FLOOR, 1.0))
    as_s1 = as_sacrum + settings.first_sacral_weight * np.log(s1 / (s1 + s2))
    return np.asarray(chain.inside[:, None] * np.stack([as_body, as_s1, as_sacrum], axis=1))


def measured_evidence(chain: Chain, name: str, expected: MeasureByPart) -> FloatArray:
    """Weighted log evidence of one measure for each disc's part, shape (discs, 3); 0 where it cannot be taken."""
    rows = []
    for k in range(len(chain.discs)):
        value = MEASURES[name](chain, k)
        parts = (expected.lumbar, expected.lumbosacral, expected.sacral)
        rows.append([0.0 if value is None else log_density(value, *part) for part in parts])
    return expected.weight * np.array(rows)


def log_density(value: float, mean: float, deviation: float, furthest: float = 3.0) -> float:
    """Logarithm of a normal density, but for a constant; no value counts as further off than `furthest` deviations."""
    away = min(abs(value - mean) / deviation, furthest)
    return float(-0.5 * away**2 - np.log(deviation))


def hypothesis_scores(chain: Chain, settings: NumberingSettings) -> FloatArray:
    """Log evidence that each disc is the one on S1, and last that none is; shape (discs + 1,).

    Discs further than two below the supposed L5-S1 count only where they look sacral: false discs in the pelvis say
    nothing against it.
    """
    table = network_evidence(chain, settings)
    for name in MEASURES:
        table = table + measured_evidence(chain, name, settings.measures[name])
    gain = table - table[:, [LUMBAR]]
    scores = [
        gain[k, LUMBOSACRAL]
        + gain[k + 1 : k + 3, SACRAL].sum()
        + np.maximum(gain[k + 3 :, SACRAL], 0.0).sum()
        for k in range(len(gain))
    ]
    return np.array([*scores, settings.no_sacrum_in_view])


def shares_of(scores: FloatArray, temperature: float) -> FloatArray:
    """Share of the evidence that each hypothesis has, after the calibrated softening."""
    power = np.exp((scores - scores.max()) / temperature)
    return np.asarray(power / power.sum())


def name_discs(chain: Chain, settings: LevelsSettings, lowest_level: Level | None = None) -> Naming:
    """Name the discs of one chain by itself, upwards from the sacrum.

    Parameters
    ----------
    lowest_level
        Override: what the disc on the sacrum is to be called (`L5-S1`, `L6-S1` or `L4-S1`).
    """
    shares = shares_of(hypothesis_scores(chain, settings.numbering), settings.numbering.temperature)
    best = int(np.argmax(shares))
    chosen = best if best < len(chain.discs) else None
    seen = chosen is not None and sacrum_in_view(chain, chosen, settings.numbering)
    return name_chain(chain, chosen, float(shares[best]), settings, lowest_level, seen=seen)


def sacrum_in_view(chain: Chain, k: int, settings: NumberingSettings) -> bool:
    """Tell whether the image shows what lies below a disc: most of the place is inside it, and bone is seen there.

    A view that ends within the vertebra below the disc holds half of the place; what is left of L5 looks like S1 there.
    """
    bone = float(chain.segments[k].sum())
    return bool(chain.inside[k] > settings.most_in_view and bone > settings.least_bone_seen)


def name_chain(
    chain: Chain,
    chosen: int | None,
    certainty: float,
    settings: LevelsSettings,
    lowest_level: Level | None,
    *,
    seen: bool,
) -> Naming:
    """Lay the names over a chain once it is decided which disc is L5-S1.

    Parameters
    ----------
    chosen
        Index of that disc; None where no disc looks like it, and the lowest is taken for want of a better.
    seen
        Whether the sacrum itself is in view; else the names are assumed.
    """
    count = len(chain.discs)
    sacral = count - 1 if chosen is None else chosen
    names = NAMES_BY_LOWEST.get(lowest_level or Level.L5_S1, STANDARD_LEVELS)
    basis = NumberingBasis.SACRUM if seen else NumberingBasis.ASSUMED
    if lowest_level is not None:
        basis = NumberingBasis.OVERRIDE
    if seen:
        flags = transitional_flags(chain, sacral, certainty, settings)
        if TRANSITIONAL in flags and basis is not NumberingBasis.OVERRIDE:
            certainty = min(certainty, settings.suspected_confidence)
    else:
        certainty, flags = min(certainty, settings.assumed_confidence), ("sacrum_not_in_view",)
    return Naming(spread_names(names, sacral, count), sacral, certainty, basis, flags, seen)


def spread_names(names: tuple[Level, ...], sacral: int, count: int) -> tuple[Level | None, ...]:
    """Lay level names over a chain so that the last of them falls on the sacral disc."""
    out: list[Level | None] = [None] * count
    for step, level in enumerate(reversed(names)):
        if sacral - step >= 0:
            out[sacral - step] = level
    return tuple(out)


def transitional_flags(
    chain: Chain, sacral: int, certainty: float, settings: LevelsSettings
) -> tuple[str, ...]:
    """What makes the count doubtful: a close rival, a well-formed S1-S2 disc."""
    flags: list[str] = []
    if certainty < settings.uncertain_below:
        flags.append("numbering_uncertain")
    if sacral + 1 < len(chain.discs) and _well_formed(chain.discs[sacral + 1], chain.discs[sacral], settings):
        flags.append(TRANSITIONAL)
    return tuple(flags)


def _well_formed(below: Candidate, sacral: Candidate, settings: LevelsSettings) -> bool:
    """Tell whether the disc below the sacral one is more than a remnant."""
    return not below.interpolated and below.volume_mm3 > settings.remnant_share * sacral.volume_mm3
