"""Names for the discs of a chain: which of them lies on S1, how sure that is, and what looks transitional."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lfja_mri.config import LevelsSettings
from lfja_mri.levels.candidates import Candidate
from lfja_mri.levels.sequence import Chain
from lfja_mri.model import (
    LEVELS_WITH_L6,
    LEVELS_WITHOUT_L5,
    STANDARD_LEVELS,
    FloatArray,
    Level,
    NumberingBasis,
)

BODY, S1, S2 = range(3)
FLOOR = 0.02
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


def sacral_scores(chain: Chain, settings: LevelsSettings) -> FloatArray:
    """Log evidence, for each disc, that it is the one on S1.

    Every segment votes: bone above the disc must be vertebral body, the segment below it S1, those below S2. A segment
    outside the image votes for nothing. The tilt of the disc and the shape of the step across it add a little.
    """
    total = np.maximum(chain.segments.sum(axis=1), 0.3)
    weight = chain.inside
    body = weight * np.log(np.clip(chain.segments[:, BODY] / total, FLOOR, 1.0))
    sacrum = weight * np.log(np.clip(chain.segments[:, [S1, S2]].sum(axis=1) / total, FLOOR, 1.0))
    s1, s2 = chain.segments[:, S1] + FLOOR, chain.segments[:, S2] + FLOOR
    first = weight * np.log(s1 / (s1 + s2))
    count = len(chain.discs)
    scores = np.array(
        [body[:k].sum() + sacrum[k:].sum() + settings.first_sacral_weight * first[k] for k in range(count)]
    )
    return np.asarray(
        scores + settings.tilt_weight * np.array([tilt_evidence(chain, k, settings) for k in range(count)])
    )


def tilt_evidence(chain: Chain, k: int, settings: LevelsSettings) -> float:
    """Log evidence from the bend of the column at a disc: the sacrum turns back below L5-S1."""
    if k == 0:
        return 0.0
    above = chain.discs[k].centre_lps_mm - chain.discs[k - 1].centre_lps_mm
    slope_deg = float(np.degrees(np.arctan2(above[1], -above[2])))
    expected, spread = settings.lumbosacral_slope_deg
    return -0.5 * ((slope_deg - expected) / spread) ** 2


def certainty_of(scores: FloatArray, settings: LevelsSettings) -> float:
    """Share of the best score among all after the calibrated softening."""
    power = np.exp((scores - scores.max()) / settings.numbering_temperature)
    return float(power.max() / power.sum())


def name_discs(chain: Chain, settings: LevelsSettings, lowest_level: Level | None = None) -> Naming:
    """Name the discs of a chain upwards from the sacrum.

    Parameters
    ----------
    lowest_level
        Override: what the disc on the sacrum is to be called (`L5-S1`, `L6-S1` or `L4-S1`).
    """
    scores = sacral_scores(chain, settings)
    sacral = int(np.argmax(scores))
    certainty = certainty_of(scores, settings)
    seen = sacrum_seen(chain, sacral, settings)
    names = NAMES_BY_LOWEST.get(lowest_level or Level.L5_S1, STANDARD_LEVELS)
    if not seen:
        sacral, certainty = len(chain.discs) - 1, min(certainty, settings.assumed_confidence)
    basis = NumberingBasis.SACRUM if seen else NumberingBasis.ASSUMED
    if lowest_level is not None:
        basis = NumberingBasis.OVERRIDE
    flags = transitional_flags(chain, sacral, certainty, settings) if seen else ("sacrum_not_in_view",)
    return Naming(spread_names(names, sacral, len(chain.discs)), sacral, certainty, basis, flags, seen)


def sacrum_seen(chain: Chain, sacral: int, settings: LevelsSettings) -> bool:
    """Tell whether the segment below the chosen disc is in view and looks like sacrum at all."""
    sacrum = float(chain.segments[sacral, [S1, S2]].sum())
    return bool(chain.inside[sacral] > 0.5 and sacrum > settings.least_sacrum_share)


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
        flags.append("transitional_anatomy_suspected")
    return tuple(flags)


def _well_formed(below: Candidate, sacral: Candidate, settings: LevelsSettings) -> bool:
    """Tell whether the disc below the sacral one is more than a remnant."""
    return not below.interpolated and below.volume_mm3 > settings.remnant_share * sacral.volume_mm3
