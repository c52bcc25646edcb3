"""Ribs beside the vertebrae called T12 and L1: a second evidence of the count, besides the sacrum.

A rib's neck crosses the slices 22 to 30 mm from the midline as an oval of bone, darker than the fat above and below it,
close behind the vertebral body; beside L1 there is fat, and only further back a transverse process. It is looked for
where the neck runs, in the vertebra's own frame, on images whose fat is bright. Where the field of view ends, or only
fat-suppressed images are there, nothing is said, and names that rest on the sacrum alone are given no more confidence
than the frequency of five lumbar vertebrae allows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from lfja_mri.geometry import perpendicular, sample, unit
from lfja_mri.levels.frames import DiscFrame
from lfja_mri.levels.numbering import Naming
from lfja_mri.model import BoolArray, Contrast, FloatArray, Image, Level, NumberingBasis, Side
from lfja_mri.settings.levels import RibSettings

FAT_BRIGHT = (Contrast.T1, Contrast.T2, Contrast.PD, Contrast.T1_GD)
DISAGREE = "ribs_disagree"
LEAST_OF_TEMPLATE = 0.75  # of a template's weight that must lie in view


class Ribs(StrEnum):
    """What is seen of the ribs of one vertebra."""

    PRESENT = "present"
    ABSENT = "absent"
    UNCLEAR = "unclear"  # looked at, neither one nor the other
    NOT_SEEN = "not_seen"  # outside the view on a side, or no image with bright fat


class Count(StrEnum):
    """What the ribs say about the names that were counted up from the sacrum."""

    AGREES = "agrees"
    DISAGREES = "disagrees"
    UNKNOWN = "unknown"


@dataclass(frozen=True, eq=False)
class Body:
    """A vertebral body: its middle and its axes, in the plane that the discs above and below it share."""

    centre_lps_mm: FloatArray
    cranial: FloatArray
    anterior: FloatArray
    left: FloatArray
    half_depth_mm: float


@dataclass(frozen=True)
class Likeness:
    """Likeness to a rib's neck (-1 to 1) along its course: mean of the best places, and the least beyond the pedicle."""

    mean: float
    least: float


@dataclass(frozen=True)
class RibEvidence:
    """Likeness to a rib's neck beside the vertebrae called T12 and L1; None where it is not in view."""

    likeness: Mapping[tuple[str, Side], Likeness | None]
    settings: RibSettings

    def ribs(self, vertebra: str) -> Ribs:
        """Judge one vertebra from both sides together."""
        sides = [self.likeness.get((vertebra, side)) for side in Side]
        seen = [value.mean for value in sides if value is not None]
        if len(seen) < len(sides):
            return Ribs.NOT_SEEN
        if np.mean(seen) >= self.settings.present_from and min(seen) >= self.settings.absent_below:
            return Ribs.PRESENT
        if np.mean(seen) < self.settings.absent_below and max(seen) < self.settings.present_from:
            return Ribs.ABSENT
        return Ribs.UNCLEAR

    @property
    def count(self) -> Count:
        """Compare with the names: T12 carries the last ribs."""
        twelfth, first = self.ribs("T12"), self.ribs("L1")
        if twelfth is Ribs.ABSENT or self.runs_on("L1"):
            return Count.DISAGREES
        agree = twelfth is Ribs.PRESENT and first in {Ribs.ABSENT, Ribs.UNCLEAR}
        return Count.AGREES if agree else Count.UNKNOWN

    def runs_on(self, vertebra: str) -> bool:
        """Tell whether ribs are present and run on beyond the pedicle, which a process or pedicle that looks like one does not."""
        sides = [self.likeness.get((vertebra, side)) for side in Side]
        least = [0.0 if value is None else value.least for value in sides]
        enough = float(np.mean(least)) >= self.settings.runs_on_from
        return (
            self.ribs(vertebra) is Ribs.PRESENT and enough and min(least) >= self.settings.runs_on_each_side
        )


def weigh_ribs(
    naming: Naming, frames: Sequence[DiscFrame], images: Sequence[Image], settings: RibSettings
) -> Naming:
    """Compare names with the ribs: flag them where the two disagree, and limit the certainty to what is known.

    A user's override is flagged but not doubted; names that are assumed are doubted already.
    """
    evidence = RibEvidence({}, settings)
    if Level.L1_L2 in naming.levels:
        evidence = rib_evidence(images, frames, naming.levels.index(Level.L1_L2), settings)
    limits = {
        Count.AGREES: 1.0,
        Count.UNKNOWN: settings.sacrum_alone_confidence,
        Count.DISAGREES: settings.disagreeing_confidence,
    }
    limit = 1.0 if naming.basis is NumberingBasis.OVERRIDE else limits[evidence.count]
    flags = (*naming.flags, DISAGREE) if evidence.count is Count.DISAGREES else naming.flags
    return replace(naming, certainty=min(naming.certainty, limit), flags=flags)


def rib_evidence(
    images: Sequence[Image], frames: Sequence[DiscFrame], uppermost: int, settings: RibSettings
) -> RibEvidence:
    """Look for ribs beside the two vertebrae above the disc called L1-L2.

    Parameters
    ----------
    images
        Sagittal images of the study; those with dark fat are passed over.
    frames
        Frames of a chain's discs, cranial first.
    uppermost
        Index of the disc called L1-L2.
    """
    bright = [image for image in images if image.role.contrast in FAT_BRIGHT]
    likeness: dict[tuple[str, Side], Likeness | None] = {}
    for steps, name in enumerate(("L1", "T12")):
        body = body_above(frames, uppermost - steps)
        for side in Side:
            seen = [] if body is None else [_likeness(image, body, side, settings) for image in bright]
            values = [value for value in seen if value is not None]
            likeness[name, side] = _averaged(values) if values else None
    return RibEvidence(likeness, settings)


def body_above(frames: Sequence[DiscFrame], below: int) -> Body | None:
    """Body on top of a disc; half a pitch of the disc below further up where no disc was found above it."""
    if not 0 <= below < len(frames):
        return None
    lower = frames[below]
    if below > 0:
        step = frames[below - 1].centre_lps_mm - lower.centre_lps_mm
    elif len(frames) > 1:
        step = lower.centre_lps_mm - frames[1].centre_lps_mm
    else:
        return None
    cranial = unit(np.array([0.0, step[1], step[2]]))
    left = perpendicular(
        lower.axes.left if below == 0 else lower.axes.left + frames[below - 1].axes.left, cranial
    )
    return Body(
        lower.centre_lps_mm + 0.5 * step, cranial, np.cross(left, cranial), left, 0.5 * lower.depth_mm
    )


def _averaged(values: Sequence[Likeness]) -> Likeness:
    return Likeness(
        float(np.mean([value.mean for value in values])), float(np.mean([value.least for value in values]))
    )


def _likeness(image: Image, body: Body, side: Side, settings: RibSettings) -> Likeness | None:
    """Likeness at the best places along the neck's course; None where fewer are in view."""
    found = {lateral: _at(image, body, side, lateral, settings) for lateral in settings.lateral_mm}
    seen = {lateral: value for lateral, value in found.items() if value is not None}
    if len(seen) < settings.places:
        return None
    best = sorted(seen.values(), reverse=True)[: settings.places]
    beyond = [value for lateral, value in seen.items() if lateral >= settings.beyond_pedicle_mm]
    least = min(beyond) if len(beyond) >= settings.places_beyond else 0.0
    return Likeness(float(np.mean(best)), least)


def _at(image: Image, body: Body, side: Side, lateral_mm: float, settings: RibSettings) -> float | None:
    """Best likeness within reach of where the neck crosses one parasagittal plane; None in a void or out of view."""
    behind, above = neck_course(body, lateral_mm, settings)
    back_reach, up_reach = settings.reach_mm
    margin = max(
        template.shape[0] // 2 for template, _ in templates(settings.half_heights_mm, settings.surround_mm)
    )
    up, back = np.meshgrid(
        np.arange(above + up_reach + margin, above - up_reach - margin - 0.5, -1.0),
        np.arange(behind - back_reach - margin, behind + back_reach + margin + 0.5),
        indexing="ij",
    )
    points = (
        body.centre_lps_mm
        + up[..., None] * body.cranial
        - back[..., None] * body.anterior
        + side.lateral_sign * lateral_mm * body.left
    )
    values = sample(image.volume, points)
    seen = np.isfinite(values)
    if not seen.any() or values[seen].std() < settings.flattest_share * image.volume.values_zyx.std():
        return None
    best = [
        _best(np.where(seen, values, 0.0), seen, template, weight, margin, settings.least_in_view)
        for template, weight in templates(settings.half_heights_mm, settings.surround_mm)
    ]
    found = [value for value in best if value is not None]
    return max(found) if found else None


def neck_course(body: Body, lateral_mm: float, settings: RibSettings) -> tuple[float, float]:
    """Where a rib's neck lies behind and above the middle of its vertebral body, at a distance from the midline."""
    out = lateral_mm - settings.course_from_mm
    return (
        body.half_depth_mm + settings.course_behind_mm + settings.course_backwards * out,
        settings.course_above_mm - settings.course_downwards * out,
    )


@lru_cache(maxsize=4)
def templates(
    half_heights_mm: tuple[float, ...], surround_mm: float
) -> tuple[tuple[FloatArray, FloatArray], ...]:
    """Dark ovals between bright fat above and below, on a grid of 1 mm, with weights; what lies in front and behind is free."""
    out = []
    for half in half_heights_mm:
        reach = int(np.ceil(half + surround_mm))
        steps = np.arange(-reach, reach + 1.0)
        up, back = np.meshgrid(steps, steps, indexing="ij")
        from_edge = np.hypot(up, back) - half
        bright = (from_edge >= 0) & (from_edge < surround_mm) & (np.abs(up) > 0.6 * np.hypot(up, back))
        dark = from_edge < 0
        weight = (bright | dark).astype(np.float64)
        out.append((bright.astype(np.float64) - dark, weight / weight.sum()))
    return tuple(out)


def _best(
    values: FloatArray, seen: BoolArray, template: FloatArray, weight: FloatArray, margin: int, least: float
) -> float | None:
    """Highest weighted correlation with a template over the places where nearly all of it is in view."""
    cut = margin - template.shape[0] // 2
    inner = slice(cut, -cut or None)
    parts = sliding_window_view(values[inner, inner], template.shape)
    weights = weight * sliding_window_view(seen[inner, inner], template.shape)
    total = weights.sum(axis=(2, 3))
    enough = total >= LEAST_OF_TEMPLATE
    if enough.mean() < least:
        return None
    share = weights / np.maximum(total, LEAST_OF_TEMPLATE)[..., None, None]
    mean, shape_mean = (
        np.einsum("ijkl,ijkl->ij", share, np.broadcast_to(x, share.shape)) for x in (parts, template)
    )
    spread = np.einsum("ijkl,ijkl->ij", share, parts**2) - mean**2
    shape_spread = np.einsum("ijkl,kl->ij", share, template**2) - shape_mean**2
    together = np.einsum("ijkl,ijkl,kl->ij", share, parts, template) - mean * shape_mean
    likeness = together / np.sqrt(np.maximum(spread * shape_spread, 1e-12))
    return float(likeness[enough].max())
