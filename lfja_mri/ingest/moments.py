"""What came before what: moments of planes, and when a contrast agent is first stated in a study."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from lfja_mri.ingest.headers import PlaneHeader
from lfja_mri.ingest.roles import states_agent

DAY_DIGITS = 8
Moment = tuple[str, float, int]


def moment_of(plane: PlaneHeader) -> Moment:
    """Return day, seconds of the day and number of the series; empty, -1 and 0 where not said."""
    facts = plane.facts
    usable = len(facts.date) == DAY_DIGITS and facts.date.isdigit()
    return (
        facts.date if usable else "",
        -1.0 if facts.time_s is None else facts.time_s,
        plane.series_number or 0,
    )


def is_later(mine: Moment, theirs: Moment) -> bool | None:
    """Compare days, then clock times, then series numbers, where both are known and differ; None where none does."""
    day, time_s, number = mine
    other_day, other_time_s, other_number = theirs
    if day and other_day and day != other_day:
        return day > other_day
    if min(time_s, other_time_s) >= 0 and time_s != other_time_s:
        return time_s > other_time_s
    return number > other_number if min(number, other_number) > 0 and number != other_number else None


def agent_moments(planes: Iterable[PlaneHeader]) -> tuple[Moment, ...]:
    """Return when planes were taken whose header states a contrast agent, whether a stack can be made of them or not."""
    return tuple(
        sorted(
            {moment_of(plane) for plane in planes if _is_enhanced(plane.facts.agent, plane.facts.description)}
        )
    )


@lru_cache(maxsize=256)
def _is_enhanced(agent: str, description: str) -> bool:
    return states_agent(agent, description)[0] is True
