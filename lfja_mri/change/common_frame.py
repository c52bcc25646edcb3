"""Both visits measured in the same joint frame and the same zones.

Each level is registered; each joint's frame is laid half-way between the places that both visits gave it, with one
set of zones; the half motions carry it into each visit, where it is measured on that visit's own pixels. Neither
image is resampled alone, and the measuring function does not learn which visit came first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from lfja_mri.change.common_joint import CommonJoint, common_joint
from lfja_mri.change.comparison import Evidence
from lfja_mri.change.layers import LevelImages
from lfja_mri.change.matching import numbering_slips
from lfja_mri.change.protocol import protocol_of
from lfja_mri.change.registration import LevelMotion, register_level
from lfja_mri.change.same_series import GradeJoint, JointAtVisit, graded_on_same_series, witness_of
from lfja_mri.change.types import (
    JOINT_PLACES_DISAGREE,
    REFERENCE_DRIFT,
    SERIES_SHIFTS_DISAGREE,
    Registration,
)
from lfja_mri.errors import Reason
from lfja_mri.model import (
    Graded,
    Image,
    Joint,
    JointResult,
    Level,
    LevelMap,
    Side,
    StudyImages,
    StudyResult,
)
from lfja_mri.settings.change import ChangeSettings, RegistrationSettings

JointKey = tuple[Level, Side]


@dataclass(frozen=True, eq=False)
class CommonFrame:
    """Two visits graded again in common joint frames, and how well each joint was brought together.

    The joints of both results are the same joint at the same place of the body, carried into each visit: pictures of
    them side by side show the same plane. Joints without a registration keep their own frames and grades.
    """

    baseline: StudyResult
    follow_up: StudyResult
    registrations: Mapping[JointKey, Registration]

    @property
    def swapped(self) -> CommonFrame:
        """The same, told in the other order."""
        registrations = {key: found.swapped for key, found in self.registrations.items()}
        return CommonFrame(self.follow_up, self.baseline, registrations)

    def evidence(self, baseline_subject: str, follow_up_subject: str) -> Evidence:
        """Return what `compare_tables` needs besides the rows of both results."""
        registrations = {(baseline_subject, *key): found for key, found in self.registrations.items()}
        return Evidence(
            {baseline_subject: protocol_of(self.baseline.images)},
            {follow_up_subject: protocol_of(self.follow_up.images)},
            registrations,
        )


@dataclass(frozen=True, eq=False)
class _Visit:
    """One visit, cut down to the series that both have."""

    result: StudyResult
    images: StudyImages
    level_map: LevelMap

    def joint(self, key: JointKey) -> Joint | None:
        return next((one.joint for one in self.result.joints if (one.level, one.side) == key), None)

    def carried(self, joint: Joint) -> JointAtVisit:
        return JointAtVisit(joint, self.images, self.level_map)

    def at(self, level: Level) -> LevelImages:
        """Return the images as registration wants them, with the mean shift of the level's joints."""
        by_role: dict[str, list[Image]] = {}
        for image in self.images.images:
            by_role.setdefault(str(image.role), []).append(image)
        joints = [one.joint for one in self.result.joints if one.level is level and one.joint is not None]
        shifts = {
            image.key: np.mean([joint.shift_of(image.key) for joint in joints] or [np.zeros(3)], axis=0)
            for image in self.images.images
        }
        return LevelImages(by_role, shifts)


def common_frame(
    baseline: StudyResult, follow_up: StudyResult, grade: GradeJoint, settings: ChangeSettings
) -> CommonFrame:
    """Measure and grade both visits in common joint frames.

    Parameters
    ----------
    baseline, follow_up
        Each graded on its own, with its images.
    grade
        Measures and judges one joint; the same function for both visits.
    settings
        `change.toml`.

    Returns
    -------
    Exactly the mirror image when the visits are handed in the other way round. Where no series that shows
    inflammation is shared, both results as they were: their comparison will be refused for that.
    """
    # Told by their keys, not by their order, so that B with A is A with B to the last bit.
    if follow_up.study_key < baseline.study_key:
        return common_frame(follow_up, baseline, grade, settings).swapped
    shared = _shared_roles(baseline, follow_up)
    if baseline.level_map is None or follow_up.level_map is None or not shared:
        return CommonFrame(baseline, follow_up, {})
    first = _Visit(baseline, _only(baseline, shared), baseline.level_map)
    second = _Visit(follow_up, _only(follow_up, shared), follow_up.level_map)
    return _measured(first, second, grade, settings)


def _shared_roles(baseline: StudyResult, follow_up: StudyResult) -> frozenset[str]:
    """Return the roles that both visits have; none where no inflammation could be seen on them."""
    roles = {str(image.role): image.role for image in baseline.images}
    shared = {role for role in roles if role in {str(image.role) for image in follow_up.images}}
    visible = any(roles[role].contrast.shows_inflammation for role in shared)
    return frozenset(shared) if visible else frozenset()


def _only(result: StudyResult, roles: frozenset[str]) -> StudyImages:
    return StudyImages(result.study_key, tuple(image for image in result.images if str(image.role) in roles))


def _measured(first: _Visit, second: _Visit, grade: GradeJoint, asked: ChangeSettings) -> CommonFrame:
    settings = asked.registration
    motions = {
        disc.level: _level_motion(first, second, disc.level, settings)
        for disc in first.level_map.discs
        if second.level_map.disc(disc.level) is not None
    }
    slips = numbering_slips(first.level_map.discs, second.level_map.discs, first.at, second.at, settings)
    registrations: dict[JointKey, Registration] = {}
    graded: dict[JointKey, tuple[JointResult, JointResult]] = {}
    for key in ((one.level, one.side) for one in first.result.joints):
        motion = motions.get(key[0])
        pair = _laid(first, second, key, motion)
        registration = _registration(motion, pair, first, second, settings)
        if key[0] in slips:
            registration = replace(registration, reason=Reason.DIFFERENT_NUMBERING)
        if pair is not None and registration.reason is None:
            visits = first.carried(pair.first), second.carried(pair.second)
            one, other, left_out = graded_on_same_series(*visits, grade)
            graded[key] = results = (one, other)
            doubts = _doubts(results, key, first, second, settings, fewer=left_out is not None)
            witness = None if left_out else witness_of(visits, results, grade, *_whom_to_ask(asked))
            flags, drift = (*registration.flags, *doubts), _reference_drift(*results)
            registration = replace(registration, flags=flags, witness=witness, reference_drift=drift)
        registrations[key] = registration
    return CommonFrame(
        _with_joints(first.result, {key: pair[0] for key, pair in graded.items()}),
        _with_joints(second.result, {key: pair[1] for key, pair in graded.items()}),
        registrations,
    )


def _whom_to_ask(settings: ChangeSettings) -> tuple[Sequence[str], Sequence[int]]:
    return settings.witness.roles, settings.extension.grades


def _laid(first: _Visit, second: _Visit, key: JointKey, motion: LevelMotion | None) -> CommonJoint | None:
    if motion is None:
        return None
    return common_joint(first.joint(key), second.joint(key), motion, (first.images, second.images))


def _level_motion(
    first: _Visit, second: _Visit, level: Level, settings: RegistrationSettings
) -> LevelMotion | None:
    one, other = first.level_map.disc(level), second.level_map.disc(level)
    if one is None or other is None:
        return None
    return register_level(one, other, first.at(level), second.at(level), settings)


def _registration(
    motion: LevelMotion | None,
    pair: CommonJoint | None,
    first: _Visit,
    second: _Visit,
    settings: RegistrationSettings,
) -> Registration:
    """Say how well a joint was brought together, or that it was not."""
    if motion is None or pair is None:
        return Registration(None, Reason.REGISTRATION_FAILED)
    error_mm = motion.error_mm(pair.middle_lps_mm)
    level = pair.first.frame.level
    believable = (
        motion.together.correlation >= settings.least_correlation
        and error_mm <= settings.most_error_mm
        and _near_start(motion, level, first, second, settings)
    )
    if not believable:
        return Registration(None, Reason.REGISTRATION_FAILED)
    limit_mm = settings.most_joint_disagreement_mm
    checks = (
        (pair.apart_mm > limit_mm, JOINT_PLACES_DISAGREE),
        (pair.series_apart_mm > limit_mm, SERIES_SHIFTS_DISAGREE),
    )
    return Registration(error_mm, flags=tuple(name for applies, name in checks if applies))


def _near_start(
    motion: LevelMotion, level: Level, first: _Visit, second: _Visit, settings: RegistrationSettings
) -> bool:
    """Return whether the motion stays near to what the discs say, so that it did not slide to a neighbour."""
    one, other = first.level_map.disc(level), second.level_map.disc(level)
    if one is None or other is None:
        return False
    shift_mm = np.linalg.norm(motion.together.whole.apply(one.centre_lps_mm) - other.centre_lps_mm)
    tilt = np.clip(np.dot(motion.together.whole.turn(one.axes.cranial), other.axes.cranial), -1, 1)
    return bool(shift_mm <= settings.most_shift_mm and np.degrees(np.arccos(tilt)) <= settings.most_turn_deg)


def _doubts(
    results: tuple[JointResult, JointResult],
    key: JointKey,
    first: _Visit,
    second: _Visit,
    settings: RegistrationSettings,
    *,
    fewer: bool,
) -> tuple[str, ...]:
    """Return what a reader should know of a joint that was measured again in the common frame."""
    alone = [
        next(one for one in visit.result.joints if (one.level, one.side) == key) for visit in (first, second)
    ]
    regraded = any(_grade_of(one) != _grade_of(other) for one, other in zip(alone, results, strict=True))
    fewer = fewer or any(len(visit.images.images) < len(visit.result.images) for visit in (first, second))
    checks = (
        (regraded, "grade_differs_from_single_visit"),
        (fewer, "measured_on_shared_series"),
        (_reference_drift(*results) > settings.reference_drift, REFERENCE_DRIFT),
    )
    return tuple(name for applies, name in checks if applies)


def _grade_of(result: JointResult) -> int | None:
    return result.outcome.grade if isinstance(result.outcome, Graded) else None


def _reference_drift(first: JointResult, second: JointResult) -> float:
    """Return by what share reference tissues' signals moved against one another: then a ratio to one misleads by so much."""
    if first.measurements is None or second.measurements is None:
        return 0.0
    one, other = first.measurements.reference, second.measurements.reference
    shared = sorted(name for name in one if other.get(name, 0) > 0 and one[name] > 0)
    ratios = [other[name] / one[name] for name in shared]
    return float(max(ratios) / min(ratios) - 1) if ratios else 0.0


def _with_joints(result: StudyResult, joints: Mapping[JointKey, JointResult]) -> StudyResult:
    return replace(result, joints=tuple(joints.get((one.level, one.side), one) for one in result.joints))
