"""One joint frame for two visits: half-way between the places that both gave it, carried into each.

People move between the series of a study, and each visit has judged how far. Where the visits' judgements disagree,
the registration tells by how much but not which of them erred: each gives way by its share of the uncertainty that
they state, so that a visit which could not tell follows one that could.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from lfja_mri.change.registration import LevelMotion, Motion
from lfja_mri.change.rigid import Rigid, between_frames, joint_axes, mean_axes, move_joint
from lfja_mri.model import FloatArray, Joint, SeriesShift, StudyImages

FLOOR_MM = 0.3
"""Added to every stated uncertainty of a shift: a series that others were brought to has none of its own."""


@dataclass(frozen=True, eq=False)
class CommonJoint:
    """One joint carried into both visits; how far apart the visits had placed it and its series."""

    first: Joint
    second: Joint
    middle_lps_mm: FloatArray
    apart_mm: float
    series_apart_mm: float


@dataclass(frozen=True, eq=False)
class _RoleOffset:
    """What a role's own motion adds to the motion of all, in each visit; the variance of its shift there, mm2."""

    in_first_mm: FloatArray
    in_second_mm: FloatArray
    first_variance: float
    second_variance: float

    @property
    def variance(self) -> float:
        return self.first_variance + self.second_variance

    @property
    def apart_mm(self) -> float:
        return float(np.linalg.norm(self.in_second_mm - self.in_first_mm))

    def less(self, first_mm: FloatArray, second_mm: FloatArray) -> _RoleOffset:
        return replace(
            self, in_first_mm=self.in_first_mm - first_mm, in_second_mm=self.in_second_mm - second_mm
        )

    def shared_out(self) -> tuple[FloatArray, FloatArray]:
        """Return what each visit has to add: both offsets are halves, to be shared out by uncertainty instead."""
        share = 2 * self.first_variance / self.variance
        return share * self.in_first_mm, (2 - share) * self.in_second_mm


def common_joint(
    first: Joint | None, second: Joint | None, motion: LevelMotion, images: tuple[StudyImages, StudyImages]
) -> CommonJoint | None:
    """Lay one joint frame half-way between two, with the zones of the visit that was surer of its joint.

    Parameters
    ----------
    first, second
        The joint as each visit placed it; None where it did not.
    motion
        Of the joint's level.
    images
        Of each visit.

    Returns
    -------
    None where a visit did not place the joint.
    """
    if first is None or second is None:
        return None
    start = motion.together.to_middle.apply(first.frame.centre_lps_mm)
    offsets = _role_offsets(motion, start, (first, second), images)
    together, offsets = _trusted(motion.together, offsets)
    one, other = move_joint(first, together[0]), move_joint(second, together[1].inverse)
    surer = one if one.frame.confidence >= other.frame.confidence else other
    centre = (one.frame.centre_lps_mm + other.frame.centre_lps_mm) / 2
    axes = mean_axes(joint_axes(one.frame), joint_axes(other.frame))
    own = joint_axes(surer.frame)
    middle = move_joint(surer, between_frames(own, surer.frame.centre_lps_mm, axes, centre))
    added = {role: offset.shared_out() for role, offset in offsets.items()}
    return CommonJoint(
        first=_carried(middle, together[0].inverse, first, images[0], {r: a[0] for r, a in added.items()}),
        second=_carried(middle, together[1], second, images[1], {r: a[1] for r, a in added.items()}),
        middle_lps_mm=centre,
        apart_mm=float(np.linalg.norm(one.frame.centre_lps_mm - other.frame.centre_lps_mm)),
        series_apart_mm=max((offset.apart_mm for offset in offsets.values()), default=0.0),
    )


def _role_offsets(
    motion: LevelMotion,
    middle_lps_mm: FloatArray,
    joints: tuple[Joint, Joint],
    images: tuple[StudyImages, StudyImages],
) -> dict[str, _RoleOffset]:
    back, ahead = motion.together.to_middle.inverse, motion.together.from_middle
    return {
        role: _RoleOffset(
            alone.to_middle.inverse.apply(middle_lps_mm) - back.apply(middle_lps_mm),
            alone.from_middle.apply(middle_lps_mm) - ahead.apply(middle_lps_mm),
            *(_shift_variance(*visit, role) for visit in zip(joints, images, strict=True)),
        )
        for role, alone in motion.by_role.items()
    }


def _shift_variance(joint: Joint, images: StudyImages, role: str) -> float:
    """Return the variance of a role's shift in mm2, by the stack that knows it best."""
    stated = {shift.image_key: shift.uncertainty_mm for shift in joint.shifts}
    known = [stated.get(image.key, 0.0) for image in images.images if str(image.role) == role]
    return min(known, default=0.0) ** 2 + FLOOR_MM**2


def _trusted(
    together: Motion, offsets: Mapping[str, _RoleOffset]
) -> tuple[tuple[Rigid, Rigid], dict[str, _RoleOffset]]:
    """Return the motions to and from the middle frame as the roles tell that know their shifts, and what is left.

    All roles count alike in the registration; a role whose shift was misjudged at one visit has drawn it its way.
    """
    if not offsets:
        return (together.to_middle, together.from_middle), {}
    weights = np.array([1 / offset.variance for offset in offsets.values()])
    weights /= weights.sum()
    first = weights @ np.stack([offset.in_first_mm for offset in offsets.values()])
    second = weights @ np.stack([offset.in_second_mm for offset in offsets.values()])
    to_middle = together.to_middle.after(Rigid(np.eye(3), -first))
    from_middle = Rigid(np.eye(3), second).after(together.from_middle)
    return (to_middle, from_middle), {role: one.less(first, second) for role, one in offsets.items()}


def _carried(
    middle: Joint, motion: Rigid, own: Joint, images: StudyImages, off_mm: Mapping[str, FloatArray]
) -> Joint:
    """Carry a joint of the middle frame into a visit, each series shifted so that both visits show the same tissue."""
    level = own.frame.level
    known = {shift.image_key: shift.uncertainty_mm for shift in own.shifts}
    shifts = tuple(
        SeriesShift(
            image.key,
            level,
            own.shift_of(image.key) + off_mm[str(image.role)],
            known.get(image.key, own.frame.uncertainty_mm),
            estimated=True,
        )
        for image in images.images
        if str(image.role) in off_mm
    )
    rest = tuple(shift for shift in own.shifts if shift.image_key not in {one.image_key for one in shifts})
    return replace(move_joint(middle, motion), shifts=shifts + rest)
