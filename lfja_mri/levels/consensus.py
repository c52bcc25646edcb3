"""One decision for a study: the evidence of every sagittal series about which disc is L5-S1, on one row of discs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from lfja_mri.levels.network import inside_share
from lfja_mri.levels.numbering import Naming, hypothesis_scores, name_chain, sacrum_in_view, shares_of
from lfja_mri.levels.sequence import Chain
from lfja_mri.model import STANDARD_LEVELS, FloatArray, Image, Level
from lfja_mri.settings.levels import LevelsSettings, NumberingSettings

LUMBAR_DISCS = len(STANDARD_LEVELS)


@dataclass(frozen=True, eq=False)
class Reading:
    """What one image says: its discs, and the score of each of them, and last of none, as L5-S1."""

    image: Image
    chain: Chain
    scores: FloatArray


@dataclass(frozen=True, eq=False)
class Decision:
    """What all series say together, laid over the chain of the one that shows the discs best."""

    lead: Reading
    naming: Naming


@dataclass(frozen=True, eq=False)
class Row:
    """The discs that any series shows, cranial first.

    Parameters
    ----------
    centres_lps_mm
        Shape (discs, 3), from the first series that shows each.
    places
        For each series, in the order given: the index in its own chain of each disc of the row, None where it has none.
    """

    centres_lps_mm: FloatArray
    places: tuple[tuple[int | None, ...], ...]


def read_chain(image: Image, chain: Chain, settings: LevelsSettings) -> Reading:
    """Weigh one image's own evidence."""
    return Reading(image, chain, hypothesis_scores(chain, settings.numbering))


def decide(readings: Sequence[Reading], settings: LevelsSettings, lowest_level: Level | None) -> Decision:
    """Add up the evidence of all series, then name the discs of the clearest of those that count as most do."""
    ordered = sorted(readings, key=clearness)
    row = common_row(ordered, settings.series_agree_mm)
    pairs = list(zip(ordered, row.places, strict=True))
    scores = np.array([scores_on_row(reading, at, row, settings) for reading, at in pairs])
    rules = settings.numbering
    shares = shares_of(scores.sum(axis=0), rules.temperature * len(pairs) ** rules.likeness)
    best = int(np.argmax(shares))
    alike = counted_alike(row, best)
    index = int(np.argmax(alike))
    lead, chosen = ordered[index], place_of(row.places[index], best)
    seen = any(in_view(reading, at, best, rules) for reading, at in pairs)
    certainty = float(shares[best] * alike[index])
    naming = name_chain(lead.chain, chosen, certainty, settings, lowest_level, seen=seen)
    doubted = alike[index] < 1.0 or disagree(scores, best, settings)
    return Decision(lead, replace(naming, flags=(*naming.flags, *(("series_disagree",) if doubted else ()))))


def clearness(reading: Reading) -> tuple[bool, float]:
    """Sort key: bright fluid first, which shows the canal best; then clear discs."""
    fluid = reading.image.role.contrast.is_fluid_sensitive
    return not fluid, -sum(disc.score for disc in reading.chain.discs)


def common_row(readings: Sequence[Reading], same_mm: float) -> Row:
    """Lay the discs of all series into one row; people move some millimetres between series."""
    centres: list[FloatArray] = []
    places: list[dict[int, int]] = []
    for reading in readings:
        at: dict[int, int] = {}
        for k, disc in enumerate(reading.chain.discs):
            away = [
                np.inf if u in at else float(np.linalg.norm((centre - disc.centre_lps_mm)[1:]))
                for u, centre in enumerate(centres)
            ]
            nearest = int(np.argmin(away)) if away else 0
            if not away or away[nearest] > same_mm:
                centres.append(disc.centre_lps_mm)
                nearest = len(centres) - 1
            at[nearest] = k
        places.append(at)
    order = sorted(range(len(centres)), key=lambda u: -float(centres[u][2]))
    return Row(np.array([centres[u] for u in order]), tuple(tuple(at.get(u) for u in order) for at in places))


def scores_on_row(
    reading: Reading, at: tuple[int | None, ...], row: Row, settings: LevelsSettings
) -> FloatArray:
    """Scores of one series for each disc of the row and for none, relative to its best and limited.

    A disc that it should show and does not is no L5-S1 to it; one outside its view may be.
    """
    none = float(reading.scores[-1])
    scores = []
    for centre, k in zip(row.centres_lps_mm, at, strict=True):
        if k is not None:
            scores.append(float(reading.scores[k]))
        else:
            seen = inside_share(reading.chain.field, centre[None, :]) > 0.5
            scores.append(-np.inf if seen else none)
    all_scores = np.array([*scores, none])
    return np.asarray(np.maximum(all_scores - all_scores.max(), -settings.numbering.strongest_series))


def in_view(reading: Reading, at: tuple[int | None, ...], best: int, settings: NumberingSettings) -> bool:
    """Tell whether a series shows the chosen disc of the row and the sacrum below it."""
    k = place_of(at, best)
    return k is not None and sacrum_in_view(reading.chain, k, settings)


def place_of(at: tuple[int | None, ...], best: int) -> int | None:
    """Index of the chosen disc of the row in a series' own chain; None where it has none or none was chosen."""
    return at[best] if best < len(at) else None


def counted_alike(row: Row, best: int) -> list[float]:
    """For each series, the share of all that show the chosen disc and count the lumbar discs above it as it does.

    A series that misses a disc, or shows one too many, counts otherwise. 0 for one that does not show the chosen disc;
    1 for all where none was chosen.
    """
    if best == len(row.centres_lps_mm):
        return [1.0] * len(row.places)
    counts = [counted_from(at, best) for at in row.places]
    known = [count for count in counts if count]
    return [
        sum(all(count[u] == step for u, step in own.items() if u in count) for count in known) / len(known)
        if own
        else 0.0
        for own in counts
    ]


def counted_from(at: tuple[int | None, ...], best: int) -> dict[int, int]:
    """Steps up from the chosen disc to each lumbar disc of the row that a series shows."""
    chosen = place_of(at, best)
    if chosen is None:
        return {}
    return {u: chosen - k for u, k in enumerate(at) if k is not None and 0 <= chosen - k < LUMBAR_DISCS}


def disagree(scores: FloatArray, best: int, settings: LevelsSettings) -> bool:
    """Tell whether any series by itself is sure of another disc."""
    own = [shares_of(row, settings.numbering.temperature) for row in scores]
    return any(int(np.argmax(row)) != best and row.max() >= settings.uncertain_below for row in own)
