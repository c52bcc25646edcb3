"""Where the discs lie from side to side: one smooth course down a series, and one shape of it for all series of a study."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.polynomial import Polynomial

from lfja_mri.levels.frames import DiscFrame
from lfja_mri.levels.sequence import Chain
from lfja_mri.model import FloatArray

LEAST_TRUST = 0.02
FEWEST_ON_A_COURSE = 4
FEWEST_SHARED = 3
STRAY_MM = 3.0
LARGEST_STRAY_MM = 6.0


@dataclass(frozen=True, eq=False)
class Course:
    """The discs of one series, cranial first, and how much each is to be trusted; shape (discs,)."""

    frames: tuple[DiscFrame, ...]
    trust: FloatArray

    @property
    def centres_lps_mm(self) -> FloatArray:
        """Shape (discs, 3)."""
        return np.array([frame.centre_lps_mm for frame in self.frames])


def trust_in(chain: Chain) -> FloatArray:
    """Weight of each disc: one that was hardly seen, or only interpolated, must not bend the course of the rest."""
    own = [0.0 if disc.interpolated else disc.score for disc in chain.discs]
    return np.asarray(np.maximum(own, LEAST_TRUST))


def smooth_laterally(course: Course) -> Course:
    """Draw the discs' lateral places onto one smooth course; thick slices leave each of them some millimetres off."""
    count = len(course.frames)
    if count < FEWEST_ON_A_COURSE:
        return course
    left, height = course.centres_lps_mm[:, 0], course.centres_lps_mm[:, 2]
    weights = course.trust
    for _ in range(4):
        line = Polynomial.fit(height, left, 2 if count > 5 else 1, w=weights)
        weights = course.trust / (1.0 + (np.abs(left - line(height)) / STRAY_MM) ** 2)
    return moved(course, line(height))


def moved(course: Course, left_mm: FloatArray) -> Course:
    """Return the discs at other places from side to side; the rest of their frames stays."""
    frames = tuple(
        replace(frame, centre_lps_mm=np.array([float(left), *frame.centre_lps_mm[1:]]))
        for frame, left in zip(course.frames, left_mm, strict=True)
    )
    return replace(course, frames=frames)


def common_course(lead: Course, others: Sequence[Course], same_mm: float) -> Course:
    """Give the leading series the mean shape of all series' courses from side to side.

    People lie some millimetres further to one side in another series, so each course is compared with the lead's after
    their mean distance is taken off. The spine's own bend is the same in all of them: what differs in shape is error.

    Parameters
    ----------
    same_mm
        Two series show the same disc where its middles lie this close, seen from the side.
    """
    strays = [stray for stray in (_stray(lead, other, same_mm) for other in others) if stray is not None]
    if not strays:
        return lead
    return moved(lead, lead.centres_lps_mm[:, 0] + np.sum(strays, axis=0) / (1 + len(strays)))


def _stray(lead: Course, other: Course, same_mm: float) -> FloatArray | None:
    """How far another series' course strays from the lead's at each of its discs; 0 where it does not show the disc."""
    ours, theirs = lead.centres_lps_mm, other.centres_lps_mm
    away = np.linalg.norm(ours[:, None, 1:] - theirs[None, :, 1:], axis=2)
    nearest = away.argmin(axis=1)
    shared = away.min(axis=1) < same_mm
    if np.count_nonzero(shared) < FEWEST_SHARED:
        return None
    weights = np.minimum(lead.trust, other.trust[nearest]) * shared
    stray = theirs[nearest, 0] - ours[:, 0]
    stray = np.clip(stray - np.average(stray, weights=weights), -LARGEST_STRAY_MM, LARGEST_STRAY_MM)
    return np.asarray(np.where(shared, stray, 0.0))
