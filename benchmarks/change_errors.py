"""How far apart in the body the same common joint is read at both visits: the true error of registration."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lfja_mri import geometry
from lfja_mri.change.common_frame import CommonFrame
from lfja_mri.model import FloatArray, Image, Joint
from lfja_mri.phantom import PhantomTruth


def errors_mm(frame: CommonFrame, first: PhantomTruth, second: PhantomTruth) -> tuple[float, ...]:
    """Return the error of every registered joint on every role that shows it at both visits."""
    errors = []
    for one, other in zip(frame.baseline.joints, frame.follow_up.joints, strict=True):
        found = frame.registrations.get((one.level, one.side))
        if one.joint is None or other.joint is None or found is None or found.error_mm is None:
            continue
        for role in sorted({str(image.role) for image in frame.baseline.images}):
            here = _read_at(one.joint, frame.baseline.images, role, first)
            there = _read_at(other.joint, frame.follow_up.images, role, second)
            if here is not None and there is not None:
                errors.append(float(np.linalg.norm(here - there)))
    return tuple(errors)


def _read_at(joint: Joint, images: Sequence[Image], role: str, truth: PhantomTruth) -> FloatArray | None:
    """Return where in the true joint's own axes the middle of a joint is read on a role; None where it is not shown."""
    true = truth.joint(joint.frame.level, joint.frame.side)
    axes = np.stack([true.along_lps, true.normal_lps, true.cranial_lps])
    for image in _nearest_first(images, role, joint):
        place = joint.frame.centre_lps_mm + joint.shift_of(image.key)
        if geometry.contains(image.volume, place):
            corners = true.centre_lps_mm + np.vstack([np.zeros(3), 10 * np.eye(3)])
            moved = truth.moved(image.key, corners)
            at_rest = (place - moved[0]) @ np.linalg.inv((moved[1:] - moved[0]) / 10)
            return np.asarray(axes @ at_rest)
    return None


def _nearest_first(images: Sequence[Image], role: str, joint: Joint) -> list[Image]:
    def distance(image: Image) -> float:
        middle = (np.array(image.volume.values_zyx.shape[::-1]) - 1) / 2
        return float(
            np.linalg.norm(geometry.apply(image.volume.voxel_to_lps, middle) - joint.frame.centre_lps_mm)
        )

    return sorted((image for image in images if str(image.role) == role), key=distance)
