"""Both visits of a joint measured on the same series, and once more on another that bears witness.

Where fat suppression failed at one visit, its oedema is measured on the next best series. The other visit's then has to
be, too: two series show another extent of the same oedema.

Fat that stays bright in a patch at one visit looks like oedema that came or went. A series that suppresses fat in another way
does not show the patch, and its noise is its own: it is asked wherever the two visits could be told apart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from lfja_mri.change.types import Seen, Witness
from lfja_mri.model import Graded, Joint, JointResult, LevelMap, StudyImages
from lfja_mri.results import MEASURES, plain

GradeJoint = Callable[[Joint, StudyImages, LevelMap], JointResult]


@dataclass(frozen=True, eq=False)
class JointAtVisit:
    """One joint carried into one visit."""

    joint: Joint
    images: StudyImages
    level_map: LevelMap

    def graded(self, grade: GradeJoint, without: str | None = None) -> JointResult:
        """Return the joint graded, if asked without the images of one role."""
        kept = tuple(image for image in self.images.images if str(image.role) != without)
        return grade(self.joint, replace(self.images, images=kept), self.level_map)


def graded_on_same_series(
    first: JointAtVisit, second: JointAtVisit, grade: GradeJoint
) -> tuple[JointResult, JointResult, str | None]:
    """Grade a joint at both visits on the same series.

    Returns
    -------
    Both results, and the role that was left out at both visits; None where nothing had to be. The same either way round.
    Where no series serves both visits, each keeps its own, and their comparison will be refused for that.
    """
    one, other = first.graded(grade), second.graded(grade)
    leading = {_leading_source(one), _leading_source(other)}
    if len(leading) == 1 or None in leading:
        return one, other, None
    for role in sorted(role for role in leading if role is not None):
        pair = first.graded(grade, role), second.graded(grade, role)
        if len({_leading_source(result) for result in pair}) == 1 and all(map(_is_graded, pair)):
            return *pair, role
    return one, other, None


def witness_of(
    visits: tuple[JointAtVisit, JointAtVisit],
    results: tuple[JointResult, JointResult],
    grade: GradeJoint,
    roles: Sequence[str],
    open_grades: Sequence[int],
) -> Witness | None:
    """Measure a joint at both visits once more, without the series that leads.

    Parameters
    ----------
    visits, results
        The joint in its common frame, and as both visits were graded there.
    roles
        Series that may bear witness.
    open_grades
        Two grades that may differ between the visits though both got the same grade and interval, where that holds both.

    Returns
    -------
    None where both visits got the same single grade, or the same interval that holds not both of `open_grades`, so that nothing
    could be told anyway; where the series that leads is itself a witness, as all before it failed; and where no witness shows the
    joint at both visits.
    """
    leading = _leading_source(results[0])
    if leading is None or leading in roles or leading != _leading_source(results[1]):
        return None
    if not all(map(_is_graded, results)) or not _may_differ(results, open_grades):
        return None
    asked = [visit.graded(grade, leading) for visit in visits]
    baseline, follow_up = map(_seen, asked)
    if baseline.sources != follow_up.sources or not set(baseline.sources) & set(roles):
        return None
    directions = {_extension_direction(*pair) for pair in (results, asked)}
    return Witness(baseline, follow_up, directions.pop() if len(directions) == 1 else 0)


def _may_differ(results: tuple[JointResult, JointResult], open_grades: Sequence[int]) -> bool:
    first, second = map(_readings, results)
    return first != second or (first[0] <= min(open_grades) and max(open_grades) <= first[-1])


def _extension_direction(first: JointResult, second: JointResult) -> int:
    """Return -1 or +1 where less or more tissue spreads at the second visit; 0 where as much does, or a visit does not tell."""
    one, other = map(_extension_mm3, (first, second))
    return 0 if one is None or other is None else (other > one) - (other < one)


def _extension_mm3(result: JointResult) -> float | None:
    measurements = result.measurements
    volumes = () if measurements is None else measurements.extension_mm3.values()
    known = [volume for volume in map(plain, volumes) if volume is not None]
    return sum(known) if known else None


def _readings(result: JointResult) -> tuple[int, ...]:
    outcome = result.outcome
    return (outcome.grade_low, outcome.grade, outcome.grade_high) if isinstance(outcome, Graded) else ()


def _seen(result: JointResult) -> Seen:
    measurements = result.measurements
    if measurements is None or not _is_graded(result):
        return Seen({}, ())
    values = {name: plain(getattr(measurements, name)) for name in MEASURES}
    known = {name: value for name, value in values.items() if value is not None}
    return Seen(known, tuple(sorted(set(measurements.sources))), _readings(result))


def _leading_source(result: JointResult) -> str | None:
    """Return the role that oedema was measured on; the first of the sources is always that one."""
    measurements = result.measurements
    return measurements.sources[0] if measurements is not None and measurements.sources else None


def _is_graded(result: JointResult) -> bool:
    return isinstance(result.outcome, Graded)
