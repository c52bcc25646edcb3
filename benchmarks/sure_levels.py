"""Is a level right whose name counts as sure: the calibration of confidence, on phantoms and on real volumes alike."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.rows import Row
from lfja_mri.model import LevelMap
from lfja_mri.phantom import PhantomTruth

SURE, TARGET = 0.9, 0.98
NEAR_MM = 6.0


def sure_levels_right(found: LevelMap, truth: PhantomTruth) -> tuple[bool, ...]:
    """Tell of each disc whose name counts as sure whether the true one lies within 6 mm, in any series' frame."""
    places = {
        disc.level: [plan.moved(disc.frame.origin) for plan in truth.plans]
        for disc in truth.discs
        if disc.level is not None
    }
    return tuple(
        any(np.linalg.norm(disc.centre_lps_mm - place) <= NEAR_MM for place in places.get(disc.level, ()))
        for disc in found.discs
        if disc.confidence >= SURE
    )


def calibration_row(right: Sequence[bool], of_all: int, data: str) -> Row:
    """Return the share of right levels among those that count as sure."""
    share = sum(right) / len(right) if right else 0.0
    return Row(
        f"levels right among those with confidence >= {SURE}",
        f"{100 * share:.1f} % of {len(right)} (of {of_all} in all)",
        f">= {100 * TARGET:.0f} %",
        share >= TARGET if right else None,
        data,
    )
