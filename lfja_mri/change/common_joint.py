"""One joint frame for two visits: half-way between the places that both gave it, carried into each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from lfja_mri.change.registration import LevelMotion
from lfja_mri.change.rigid import Rigid, between_frames, joint_axes, mean_axes, move_joint
from lfja_mri.model import FloatArray, Joint, SeriesShift, StudyImages


@dataclass(frozen=True, eq=False)
class CommonJoint:
    """One joint carried into both visits; how far apart the visits had placed it and its series."""

    first: Joint
    second: Joint
    middle_lps_mm: FloatArray
    apart_mm: float
    series_apart_mm: float


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
    together = motion.together
    back = together.from_middle.inverse
    one = None if first is None else move_joint(first, together.to_middle)
    other = None if second is None else move_joint(second, back)
    if one is None or other is None or first is None or second is None:
        return None
    surer = one if one.frame.confidence >= other.frame.confidence else other
    centre = (one.frame.centre_lps_mm + other.frame.centre_lps_mm) / 2
    axes = mean_axes(joint_axes(one.frame), joint_axes(other.frame))
    own = joint_axes(surer.frame)
    middle = move_joint(surer, between_frames(own, surer.frame.centre_lps_mm, axes, centre))
    off_mm = {
        role: (
            alone.to_middle.inverse.apply(centre) - together.to_middle.inverse.apply(centre),
            alone.from_middle.apply(centre) - together.from_middle.apply(centre),
        )
        for role, alone in motion.by_role.items()
    }
    return CommonJoint(
        first=_carried(
            middle, together.to_middle.inverse, first, images[0], {r: o[0] for r, o in off_mm.items()}
        ),
        second=_carried(
            middle, together.from_middle, second, images[1], {r: o[1] for r, o in off_mm.items()}
        ),
        middle_lps_mm=centre,
        apart_mm=float(np.linalg.norm(one.frame.centre_lps_mm - other.frame.centre_lps_mm)),
        series_apart_mm=max((float(np.linalg.norm(o[1] - o[0])) for o in off_mm.values()), default=0.0),
    )


def _carried(
    middle: Joint, motion: Rigid, own: Joint, images: StudyImages, off_mm: Mapping[str, FloatArray]
) -> Joint:
    """Carry a joint of the middle frame into a visit, each series shifted so that both visits show the same tissue.

    Where the visits' series shifts disagree, each visit gives way by half.
    """
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
