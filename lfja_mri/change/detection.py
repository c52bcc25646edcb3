"""Did a joint change: whether grade and measures moved the same way, by more than the noise of either.

A grade alone makes no change, nor does a measure; what moved is in `moves`, what counts as moved in `sdc`.
"""

from __future__ import annotations

from dataclasses import replace

from lfja_mri.change.moves import Moves, sign
from lfja_mri.change.types import Direction, VisitJoint
from lfja_mri.settings.change import ChangeSettings


def shared_reading(
    baseline: VisitJoint, follow_up: VisitJoint, moves: Moves, settings: ChangeSettings
) -> tuple[VisitJoint, VisitJoint] | None:
    """Return both visits of one joint frame with the grades of another admissible reading, where that tells more.

    A threshold is stated with its uncertainty: a grade has an interval, whose lower end reads everything as far
    towards health as that allows, the upper end as far towards disease. In one frame and under one protocol both visits
    share what a threshold is wrong by, so the two lower grades are a reading as good as the two grades, and so are the two
    upper ones. Where the grades are the same, one of these readings moves, the other does not contradict it, and the
    measures confirm it as they must a move within the interval, the reading that moves is taken: the joint lies on both
    sides of a limit within whose error the stated limit separates nothing.

    Two grades are told apart by extension alone, and its volume is known so roughly that the ends of the interval are as a rule the
    same at both visits. Where both intervals hold both of these grades, more of it on two series is a reading, too; fluid and joint
    signal have to confirm it.

    Returns
    -------
    None where the grades stand.
    """
    if baseline.grade != follow_up.grade or settings.grade_must_leave_interval == "always":
        return None
    if baseline.grade_interval is None or follow_up.grade_interval is None:
        return None
    readings = list(zip(baseline.grade_interval, follow_up.grade_interval, strict=True))
    moved = [(first, second) for first, second in readings if first != second]
    one_way = len({sign(second - first) for first, second in moved}) == 1
    if one_way and moves.confirm(*moved[0], settings, within_interval=True):
        return _regraded(baseline, follow_up, moved[0])
    low, high = settings.extension.grades
    open_at_both = all(visit.could_be(low) and visit.could_be(high) for visit in (baseline, follow_up))
    if open_at_both and moves.confirm_extension(settings):
        return _regraded(baseline, follow_up, (low, high)[:: moves.extension])
    return None


def _regraded(
    baseline: VisitJoint, follow_up: VisitJoint, grades: tuple[int, ...]
) -> tuple[VisitJoint, VisitJoint]:
    return replace(baseline, grade=grades[0]), replace(follow_up, grade=grades[1])


def direction_of(
    baseline: VisitJoint,
    follow_up: VisitJoint,
    moves: Moves,
    settings: ChangeSettings,
    *,
    alike: bool = False,
    read: bool = False,
) -> tuple[Direction, tuple[str, ...]]:
    """Return what became of the joint, and what speaks against being sure.

    Neither the grade alone nor a measure alone makes a change: both must move the same way, enough of the measures that
    decide by more than their SDC and, where `change.toml` asks for it, the grade beyond what its own uncertainty at
    either visit allows.

    Parameters
    ----------
    alike
        Whether both visits were measured in one joint frame and with the same times: then most of a grade's own
        uncertainty is shared.
    read
        Whether the grades are those of a `shared_reading`, which the measures have confirmed already.
    """
    first, second = baseline.grade or 0, follow_up.grade or 0
    grade = sign(second - first)
    detected = {measure.detected for measure in moves.measures} - {0}
    unsure = baseline.could_be(second) or follow_up.could_be(first)
    within = unsure and _has_interval(baseline, follow_up)
    must_leave = {"always": True, "unregistered": not alike, "never": False}
    confirmed = read or moves.confirm(first, second, settings, within_interval=within)
    alone = replace(moves, witness={})
    unheard = not confirmed and alone.confirm(first, second, settings, within_interval=within)
    doubts = (
        (grade != 0 and not confirmed and not unheard, "grade_moved_within_noise"),
        (unheard, "not_seen_on_second_series"),
        (grade != 0 and within, "grade_moved_within_interval"),
        (grade == 0 and bool(detected), "measure_moved_within_grade"),
        (len(detected) > 1, "measures_disagree"),
        (any(m.change is not None and m.sdc is None for m in moves.measures), "sdc_unknown"),
    )
    direction = {-1: Direction.IMPROVED, 0: Direction.UNCHANGED, 1: Direction.WORSENED}[
        grade if confirmed and not (within and must_leave[settings.grade_must_leave_interval]) else 0
    ]
    return direction, tuple(name for applies, name in doubts if applies)


def _has_interval(*visits: VisitJoint) -> bool:
    return all(visit.grade_interval is not None for visit in visits)
