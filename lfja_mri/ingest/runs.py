"""Runs: planes of one orientation in order along their normal, and the checks that make an even stack of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lfja_mri.errors import Reason
from lfja_mri.geometry import unit
from lfja_mri.ingest.headers import PlaneHeader
from lfja_mri.model import FloatArray
from lfja_mri.settings.ingest import IngestSettings

SMALLEST_STACK = 3


@dataclass(frozen=True, eq=False)
class Run:
    """Planes of one orientation with their place along the normal and in the plane."""

    planes: tuple[PlaneHeader, ...]
    along_mm: FloatArray
    across_mm: FloatArray
    normal: FloatArray

    def part(self, index: Sequence[int]) -> Run:
        """Return the planes with these indices, ordered along the normal."""
        order = sorted(index, key=lambda i: (self.along_mm[i], self.planes[i].sop_uid))
        return Run(
            tuple(self.planes[i] for i in order), self.along_mm[order], self.across_mm[order], self.normal
        )


class StackError(Exception):
    """A group of planes makes no stack; carries the code and the words."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def run_of(planes: Sequence[PlaneHeader], orientation: tuple[float, ...]) -> Run:
    """Order parallel planes along their normal."""
    row, column = unit(np.array(orientation[:3])), unit(np.array(orientation[3:]))
    positions = np.array([plane.position_lps_mm for plane in planes])
    normal = unit(np.cross(row, column))
    whole = Run(tuple(planes), positions @ normal, positions @ np.stack([row, column], axis=1), normal)
    return whole.part(range(len(planes)))


def tolerance_mm(pitch_mm: float, settings: IngestSettings) -> float:
    """Return how far a plane may stray from its even place."""
    return max(settings.position_tolerance_mm, settings.position_tolerance_fraction * abs(pitch_mm))


def coincide(run: Run, settings: IngestSettings) -> bool:
    """Return whether two planes lie at one place."""
    for i in range(1, len(run.planes)):
        j = i - 1
        while j >= 0 and run.along_mm[i] - run.along_mm[j] < settings.position_tolerance_mm:
            if np.max(np.abs(run.across_mm[i] - run.across_mm[j])) < settings.position_tolerance_mm:
                return True
            j -= 1
    return False


def is_even(run: Run, settings: IngestSettings) -> bool:
    """Return whether the planes follow each other in equal steps."""
    steps = np.diff(run.along_mm)
    pitch = float(np.median(steps))
    return bool(np.max(np.abs(steps - pitch)) <= tolerance_mm(pitch, settings))


def usual_step(steps: FloatArray, settings: IngestSettings) -> float:
    """Return the step that most steps agree with; the smallest of equals."""
    slack = np.maximum(settings.position_tolerance_mm, settings.position_tolerance_fraction * np.abs(steps))
    support = np.sum(np.abs(steps[:, None] - steps) <= slack, axis=0)
    return float(np.min(steps[support == np.max(support)]))


def even_affine(run: Run, settings: IngestSettings) -> FloatArray:
    """Return the affine of an even stack.

    Raises
    ------
    StackError
        The planes are too few, coincide, are unevenly spaced, lack one, or are sheared.
    """
    count = len(run.planes)
    if count < SMALLEST_STACK:
        raise StackError(Reason.TOO_FEW_SLICES, f"{count} of at least {SMALLEST_STACK} planes")
    if coincide(run, settings):
        raise StackError(Reason.DUPLICATE_POSITION, "different images at the same place; keep one of them")
    steps = np.diff(run.along_mm)
    pitch = float(np.median(steps))
    _require_even(steps, usual_step(steps, settings), settings)
    _require_straight(run, settings)
    first = run.planes[0]
    orientation = np.median([plane.orientation for plane in run.planes], axis=0)
    row, column = unit(orientation[:3]), unit(orientation[3:])
    places = np.array([plane.position_lps_mm for plane in run.planes])
    step = (places[-1] - places[0]) / (count - 1)
    affine = np.eye(4)
    affine[:3, :3] = np.stack([row * first.spacing_mm[1], column * first.spacing_mm[0], step], axis=1)
    affine[:3, 3] = places[0]
    residual = np.max(np.linalg.norm(places - places[0] - np.outer(np.arange(count), step), axis=1))
    if residual > tolerance_mm(pitch, settings):
        raise StackError(Reason.UNEVEN_SPACING, f"planes stray {residual:.2f} mm from an even stack")
    return affine


def _require_even(steps: FloatArray, pitch: float, settings: IngestSettings) -> None:
    odd = np.flatnonzero(np.abs(steps - pitch) > tolerance_mm(pitch, settings))
    if not odd.size:
        return
    whole = np.abs(steps[odd] - np.round(steps[odd] / pitch) * pitch) <= tolerance_mm(pitch, settings)
    if np.all(whole) and np.all(steps[odd] > pitch):
        lost = int(np.sum(np.round(steps[odd] / pitch) - 1))
        raise StackError(
            Reason.MISSING_SLICE,
            f"{lost} of {steps.size + 1 + lost} planes missing, the first after plane {odd[0] + 1}; send them again",
        )
    raise StackError(
        Reason.UNEVEN_SPACING, f"steps of {steps.min():.2f} to {steps.max():.2f} mm, usually {pitch:.2f} mm"
    )


def _require_straight(run: Run, settings: IngestSettings) -> None:
    """Refuse a stack whose planes slide sideways: an even slide is a shear, an uneven one a jitter."""
    tolerance = tolerance_mm(float(np.median(np.diff(run.along_mm))), settings)
    slide = run.across_mm - run.across_mm[0]
    travel = run.along_mm - run.along_mm[0]
    # rounded direction cosines alone look like a slide of so much
    if np.all(np.abs(slide) <= tolerance + settings.orientation_tolerance * travel[:, None]):
        return
    slope = travel @ slide / (travel @ travel)
    if np.max(np.abs(slide - np.outer(travel, slope))) <= tolerance:
        angle = float(np.degrees(np.arctan(np.linalg.norm(slope))))
        raise StackError(
            Reason.SHEARED_STACK, f"planes slide sideways by {angle:.1f} degrees against their normal"
        )
    raise StackError(Reason.UNEVEN_SPACING, f"planes stray sideways by up to {np.max(np.abs(slide)):.2f} mm")
