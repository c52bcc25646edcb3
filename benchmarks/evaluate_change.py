"""Change from baseline on phantom people of evaluation seeds: noise called change, change found, and slips caught."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.change_pairs import (
    EVALUATION_SEEDS,
    FIRST_SLIP_SEED,
    OTHER_TIMES,
    SLIPS,
    Order,
    Pair,
    Person,
    measured_people,
)
from benchmarks.change_scans import Scan, alterations, altered, named
from benchmarks.rows import Row
from lfja_mri.change import Change, Direction, Evidence, Status, compare_tables
from lfja_mri.change.common_frame import CommonFrame
from lfja_mri.config import load_change_settings
from lfja_mri.model import Level, Side, StudyResult
from lfja_mri.outputs import scale_of
from lfja_mri.pipeline import Road, prepare
from lfja_mri.results import Visit, grade_rows
from lfja_mri.settings.change import ChangeSettings

SLIP_PEOPLE, JOBS = 6, 2


@dataclass(frozen=True, eq=False)
class Compared:
    """One pair of scans, the changes told, and what is true."""

    first: Scan
    pair: Pair
    changes: tuple[Change, ...]

    def true_change(self, level: Level, side: Side) -> int:
        """Follow-up minus baseline grade, as the phantom knows it."""
        return self.pair.later.truth.joint(level, side).grade - self.first.truth.joint(level, side).grade


def rows() -> list[Row]:
    """Return the figures of the change stage."""
    road, settings = prepare(), load_change_settings()
    everyone = [person for (person,) in measured_people(_orders(), JOBS)]
    crowd, renumbered = everyone[: len(EVALUATION_SEEDS)], everyone[len(EVALUATION_SEEDS) :]
    repeats = [_compare(person, "repeat", road, settings) for person in crowd]
    years = [_compare(person, "follow_up", road, settings) for person in crowd]
    others = [_compare(person, OTHER_TIMES, road, settings) for person in crowd]
    data = (
        f"phantoms, {len(EVALUATION_SEEDS)} people (seeds {EVALUATION_SEEDS[0]} up), good and fair quality, 1.5 and 3 T, STIR and "
        "axial T2 with and without FS, one protocol per person; discs true to 1.5 mm and 2 degrees"
    )
    return [
        _noise("unchanged joints called changed", repeats, data),
        _noise("the same, echo and repetition times drawn anew", others, data),
        _found(years, Direction.IMPROVED, data),
        _found(years, Direction.WORSENED, data),
        *_registration(repeats + years, data),
        _protocols(crowd, road, settings, data),
        _slips(renumbered, road, settings),
        _identity(crowd, road, settings, data),
        _mirror(years, road, settings, data),
    ]


def _orders() -> list[Order]:
    pairs = ("repeat", "follow_up", OTHER_TIMES)
    return [
        *(Order(seed, pairs) for seed in EVALUATION_SEEDS),
        *(Order(FIRST_SLIP_SEED + number, tuple(SLIPS)) for number in range(SLIP_PEOPLE)),
    ]


def _compare(person: Person, occasion: str, road: Road, settings: ChangeSettings) -> Compared:
    pair = person.pairs[occasion]
    return Compared(person.baseline, pair, _changes(pair.frame, road, settings))


def _changes(frame: CommonFrame, road: Road, settings: ChangeSettings) -> tuple[Change, ...]:
    tables = (_table(frame.baseline, road), _table(frame.follow_up, road))
    return compare_tables(*tables, settings, frame.evidence("phantom", "phantom"))


def _table(result: StudyResult, road: Road) -> list[dict[str, str | int | float | None]]:
    return grade_rows(result, Visit("phantom", result.study_key), scale_of(road))


# ------------------------------------------------------------------------------------------ noise and change


def _noise(figure: str, pairs: Sequence[Compared], data: str) -> Row:
    changes = [change for pair in pairs for change in pair.changes if change.status is Status.COMPARABLE]
    wrong = sum(change.change is not Direction.UNCHANGED for change in changes)
    share = wrong / max(len(changes), 1)
    value = f"{wrong} of {len(changes)} ({share:.1%})"
    return Row(figure, value, "<= 1 %", share <= 0.01, data)


def _found(pairs: Sequence[Compared], direction: Direction, data: str) -> Row:
    """Count the joints whose true grade moved by one or more and that are told so."""
    sign = -1 if direction is Direction.IMPROVED else 1
    told = [
        change.change is direction
        for pair in pairs
        for change in pair.changes
        if sign * pair.true_change(change.level, change.side) >= 1
    ]
    share = sum(told) / max(len(told), 1)
    name = "true improvements found" if direction is Direction.IMPROVED else "true worsening found"
    value = f"{sum(told)} of {len(told)} ({share:.0%})"
    return Row(name, value, ">= 90 %", share >= 0.9 if told else None, data)


# --------------------------------------------------------------------------------------------- registration


def _registration(pairs: Sequence[Compared], data: str) -> list[Row]:
    errors = [error for pair in pairs for error in pair.pair.errors_mm]
    found = [one for pair in pairs for one in pair.pair.frame.registrations.values()]
    stated = [one.error_mm for one in found if one.error_mm is not None]
    middle, high = (float(np.percentile(errors, share)) for share in (50, 95))
    name = "registration error at the joint"
    return [
        Row(f"{name}, median", f"{middle:.2f} mm", "<= 0.5 mm", middle <= 0.5, data),
        Row(f"{name}, 95th percentile", f"{high:.2f} mm", "<= 1.5 mm", high <= 1.5, data),
        Row("registration error as stated, median", f"{np.median(stated):.2f} mm", "", None, data),
        Row("joints registered", f"{len(stated)} of {len(found)}", "", None, data),
    ]


# ------------------------------------------------------------------------------------- what must be caught


def _protocols(crowd: Sequence[Person], road: Road, settings: ChangeSettings, data: str) -> Row:
    """Count the pairs, one scan altered, of which every joint is refused or bears a flag that names the alteration.

    A scan is set against its own altered copy: a repeat draws an echo time of its own, which an altered one may meet.
    """
    figure = "another scanner or protocol noticed"
    caught = tried = 0
    for person in crowd:
        baseline = altered(person.baseline.result, lambda image: named(image, "maker"))
        plain = altered(person.pairs["repeat"].later.result, lambda image: named(image, "maker"))
        for name, alter in alterations().items():
            changes = _changes(CommonFrame(baseline, altered(baseline, alter), {}), road, settings)
            passed = [change for change in changes if not _is_noticed(change)]
            tried += 1
            caught += not passed
            for change in passed:
                print(f"not noticed: {name}, seed {person.seed}, {change.level} {change.side}")
        usual = _changes(CommonFrame(baseline, plain, {}), road, settings)
        if any("protocol_unknown" in change.flags for change in usual):
            return Row(figure, "flags everything", "100 %", met=False, data=data)
    return Row(figure, f"{caught} of {tried}", "100 %", caught == tried, data)


def _is_noticed(change: Change) -> bool:
    known = {"different_tool_version", "different_subject", "different_numbering_basis"}
    found = {flag for flag in change.flags if flag.startswith(("different_", "protocol_"))} - known
    return change.status is Status.NOT_COMPARABLE or bool(found)


def _slips(crowd: Sequence[Person], road: Road, settings: ChangeSettings) -> Row:
    """Count the renumbered follow-ups (each level named as its neighbour) of which no joint is told to have changed."""
    slips = [person.pairs[name] for person in crowd for name in SLIPS]
    caught = sum(
        all(change.status is Status.NOT_COMPARABLE for change in _changes(pair.frame, road, settings))
        for pair in slips
    )
    data = f"phantoms, {len(crowd)} other people (seeds from {FIRST_SLIP_SEED}), every follow-up renumbered up and down"
    return Row("numbering slips caught", f"{caught} of {len(slips)}", "100 %", caught == len(slips), data)


def _identity(crowd: Sequence[Person], road: Road, settings: ChangeSettings, data: str) -> Row:
    tables = [_table(person.baseline.result, road) for person in crowd]
    changes = [change for table in tables for change in compare_tables(table, table, settings, Evidence())]
    moved = sum(change.change not in {Direction.UNCHANGED, None} for change in changes)
    return Row("a scan against itself, joints changed", f"{moved} of {len(changes)}", "0", moved == 0, data)


def _mirror(pairs: Sequence[Compared], road: Road, settings: ChangeSettings, data: str) -> Row:
    mirror: Mapping[Direction | None, Direction | None] = {
        Direction.IMPROVED: Direction.WORSENED,
        Direction.WORSENED: Direction.IMPROVED,
        Direction.UNCHANGED: Direction.UNCHANGED,
        None: None,
    }
    backward = [_changes(pair.pair.frame.swapped, road, settings) for pair in pairs]
    both = [
        (one.change, other.change)
        for pair, swapped in zip(pairs, backward, strict=True)
        for one, other in zip(pair.changes, swapped, strict=True)
    ]
    unlike = sum(mirror[one] != other for one, other in both)
    return Row(
        "B against A that does not mirror A against B", f"{unlike} of {len(both)}", "0", unlike == 0, data
    )
