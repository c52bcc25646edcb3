"""Both visits of a joint measured on the same series, where one of them would have fallen back to another.

Where fat suppression failed at one visit, its oedema is measured on the next best series. The other visit's then has to
be, too: two series show another extent of the same oedema.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from lfja_mri.model import Graded, Joint, JointResult, LevelMap, StudyImages

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


def _leading_source(result: JointResult) -> str | None:
    """Return the role that oedema was measured on; the first of the sources is always that one."""
    measurements = result.measurements
    return measurements.sources[0] if measurements is not None and measurements.sources else None


def _is_graded(result: JointResult) -> bool:
    return isinstance(result.outcome, Graded)
