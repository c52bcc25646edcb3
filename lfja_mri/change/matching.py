"""Do two visits call the same disc by the same name? Asked of the images, not of the names.

Neighbouring discs look alike, but not as alike as a disc and itself a year later: each disc of the baseline is
brought, coarsely, to the disc of its name and to that disc's neighbours at the follow-up. Where a neighbour fits
clearly better, the numbering slipped.

*Better* is told by what a fit leaves unexplained, 1 - correlation: between 0.94 and 0.98 the correlation hardly moves,
but what is left shrinks to a third. A spine that slipped as a whole shows it at every disc a little; a disc alone has
to show it more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from lfja_mri.change.layers import LevelImages
from lfja_mri.change.registration import register_level
from lfja_mri.model import Disc, Level
from lfja_mri.settings.change import RegistrationSettings

ImagesAt = Callable[[Level], LevelImages]

NO_FIT = -1.0
LEAST_UNEXPLAINED = 1e-3
NEIGHBOURS = (-1, 1)


def numbering_slips(
    baseline: Sequence[Disc],
    follow_up: Sequence[Disc],
    baseline_at: ImagesAt,
    follow_up_at: ImagesAt,
    settings: RegistrationSettings,
) -> frozenset[Level]:
    """Return the levels whose name means another disc at the follow-up.

    Parameters
    ----------
    baseline, follow_up
        Discs, cranial first.
    baseline_at, follow_up_at
        Images of each visit at a level.

    Returns
    -------
    All levels of the baseline where the spine as a whole fits better one disc off; else those that do alone, on a disc that they fit
    as much better than the disc of its own name does: a disc of the follow-up is one disc of the baseline.
    """
    names = [disc.level for disc in follow_up]
    fits: dict[int, dict[Level, float]] = {step: {} for step in (0, *NEIGHBOURS)}
    claimed: dict[int, dict[Level, Level]] = {step: {} for step in NEIGHBOURS}
    for disc in (disc for disc in baseline if disc.level in names):
        place = names.index(disc.level)
        for step, fit in fits.items():
            if 0 <= place + step < len(follow_up):
                other = follow_up[place + step]
                images = baseline_at(disc.level), follow_up_at(other.level)
                motion = register_level(disc, other, *images, settings, coarse_only=True)
                fit[disc.level] = NO_FIT if motion is None else motion.together.correlation
                if step:
                    claimed[step][disc.level] = other.level
    return _slipped(fits, claimed, settings)


def _slipped(
    fits: Mapping[int, Mapping[Level, float]],
    claimed: Mapping[int, Mapping[Level, Level]],
    settings: RegistrationSettings,
) -> frozenset[Level]:
    """Judge the fits of every step; compared over the levels that the step could be tried on."""
    alone: set[Level] = set()
    for step in NEIGHBOURS:
        gains = {level: _gain(fits[0][level], fit) for level, fit in fits[step].items()}
        if len(gains) > 1 and np.mean(list(gains.values())) > settings.slip_margin_spine:
            return frozenset(fits[0])
        alone.update(
            level
            for level, gain in gains.items()
            if min(gain, _gain(fits[0].get(claimed[step][level], NO_FIT), fits[step][level]))
            > settings.slip_margin
        )
    return frozenset(alone)


def _gain(named: float, neighbour: float) -> float:
    """Return how much less the neighbour leaves unexplained than the disc of the name: the logarithm of their ratio."""
    return float(np.log(max(1 - named, LEAST_UNEXPLAINED) / max(1 - neighbour, LEAST_UNEXPLAINED)))
