"""What moved between two visits of a joint, on the leading series and on a second one that bears witness."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lfja_mri.change.sdc import measure_change
from lfja_mri.change.types import (
    DOUBTS,
    MEASURES,
    REFERENCE_DRIFT,
    MeasureChange,
    Registration,
    Seen,
    VisitJoint,
)
from lfja_mri.settings.change import ChangeSettings


@dataclass(frozen=True)
class Moves:
    """What moved between two visits of a joint: every measure on the leading series, and on a witness where there is one.

    Parameters
    ----------
    measures
        Of the leading series.
    witness
        Of a second series, by name; empty where none was asked or its repeats tell no SDC.
    witness_directions
        The ways in which the grade moved by any reading of the witness.
    extension
        The way in which the tissue that spreads from the joint grew or shrank on both series; 0 where they tell none.
    sure
        Whether both visits share what a threshold is wrong by. They do not where fat was suppressed differently well, or the
        visits placed the joint or their series differently: a move within the interval has to be as large there as without
        a witness.
    """

    measures: tuple[MeasureChange, ...]
    witness: Mapping[str, MeasureChange] = field(default_factory=dict)
    witness_directions: frozenset[int] = frozenset()
    extension: int = 0
    sure: bool = True

    def confirm(self, first: int, second: int, settings: ChangeSettings, *, within_interval: bool) -> bool:
        """Return whether enough of the measures that decide moved as the grade did, from `first` to `second`.

        Each by more than its SDC, and on the witness the same way by a stated share of its own; the grade by any reading of
        the witness. A grade that moved within its interval asks for more of a measure alone, and of all where nothing bears
        witness.
        """
        direction = sign(second - first)
        if direction == 0 or (self.witness and direction not in self.witness_directions):
            return False
        steps = set(range(min(first, second) + 1, max(first, second) + 1))
        for group in settings.deciding:
            times = self._times(settings, within_interval=within_interval, together=group.at_least > 1)
            moved = self._moved(direction, times, settings) & set(group.measures)
            if (not group.steps or steps & set(group.steps)) and len(moved) >= group.at_least:
                return True
        return False

    def confirm_extension(self, settings: ChangeSettings) -> bool:
        """Return whether both series say that less, or more, spreads from the joint, and all measures asked for moved so, too.

        Each by more than its SDC, and on the witness by the stated share of its own, as a move within the interval asks for.
        """
        if not self.witness or self.extension == 0:
            return False
        measures = settings.extension.measures
        times = self._times(settings, within_interval=True, together=len(measures) > 1)
        return self._moved(self.extension, times, settings).issuperset(measures)

    def _times(self, settings: ChangeSettings, *, within_interval: bool, together: bool) -> float:
        """By how many times its SDC a measure, alone or together with another, has to move."""
        if not within_interval:
            return 1.0
        heard = self.witness and self.sure and together
        return settings.witness.factor_within_interval if heard else settings.factor_within_interval

    def _moved(self, direction: int, times: float, settings: ChangeSettings) -> set[str]:
        """Return the measures that moved so by more than so many times their SDC, and on the witness, too."""
        moved = {one.name for one in self.measures if one.detected_beyond(times) == direction}
        return {name for name in moved if self._is_witnessed(name, direction, settings)}

    def _is_witnessed(self, name: str, direction: int, settings: ChangeSettings) -> bool:
        if not self.witness:
            return True
        other = self.witness.get(name)
        return other is not None and other.detected_beyond(settings.witness.share_of_sdc) == direction


def moves_between(
    baseline: VisitJoint, follow_up: VisitJoint, settings: ChangeSettings, registration: Registration | None
) -> Moves:
    """Return how every measure moved, on the leading series and on the witness."""
    registered = registration is not None and registration.error_mm is not None
    drift = registration.reference_drift if registration and REFERENCE_DRIFT in registration.flags else 0.0

    def changes(first: Seen, second: Seen) -> tuple[MeasureChange, ...]:
        return tuple(
            measure_change(name, first, second, settings, registered=registered, drift=drift)
            for name in MEASURES
        )

    measures = changes(baseline.seen, follow_up.seen)
    witness = registration.witness if registration is not None else None
    sure = baseline.fat_suppression == follow_up.fat_suppression
    sure &= registration is None or not DOUBTS & set(registration.flags)
    if registration is None or witness is None:
        return Moves(measures, sure=sure)
    return Moves(
        measures,
        {one.name: one for one in changes(witness.baseline, witness.follow_up) if one.sdc is not None},
        witness.directions,
        # Where the reference itself moved, all ratios to it move alike, on both series.
        0 if REFERENCE_DRIFT in registration.flags else witness.extension_direction,
        sure,
    )


def sign(number: int) -> int:
    """Return -1, 0 or 1."""
    return (number > 0) - (number < 0)
