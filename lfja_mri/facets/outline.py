"""How far a joint reaches, corrected by joints of known size whose line looks like its own.

`facets.extent` fits height and tips apart and from scores; how the bright line between its dark flanks fades, from slice to
slice and towards its tips, in front and behind, tells more. The rule is a Gaussian kernel ridge regression (Hastie, Tibshirani
and Friedman, The Elements of Statistical Learning, 2009, 5.8) on joints of phantoms (`training/outline.py`, a row for each in
`configs/joint_outline.csv`), every contrast taken relative to that at the joint's own middle. It knows T2-weighted axial
slices only, and it is heard only where a joint looks like those that taught it: a joint whose features lie far from theirs
keeps the extent that `facets.extent` found, so do all ten of the real study that we read.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from lfja_mri.config import config_folder
from lfja_mri.facets.extent import PEAK_SEEN, Sheet, line_contrast
from lfja_mri.facets.frames import JointShape
from lfja_mri.model import Contrast, FloatArray
from lfja_mri.tables import read_csv

CONTRASTS = (Contrast.T2,)
LEAST_SLICES = 4
HEIGHTS_MM = np.arange(-14.0, 14.1, 2.0)
ALONG_MM = np.arange(-11.0, 11.1, 1.0)
NEAR_SHARE, CORE_SHARE = 0.35, 0.3
PART_SHARES = ((-0.5, -0.15), (0.15, 0.5))
RANGE = (-0.5, 1.5)
FURTHEST_MM = 2.5
LEAST_SPREAD = 1e-3
NARROWNESS = 0.4
"""Of the kernel, per mean square of the difference between two joints' features in their spread."""

LIKE, UNLIKE = 1.5, 2.5
"""Mean square of the features' deviations, in their spread: up to which a joint is like those that taught, and from which it is
not. Nine of ten that taught lie below the first; those of the real study at 2.5 to 14."""

LEVELLED = (17.0, 45.0, 20.0)
TARGETS = ("middle_mm", "height_mm", "along_mm", "length_mm")


@dataclass(frozen=True)
class Extent:
    """Where a joint's surface lies and how large it is, in mm.

    Parameters
    ----------
    middle_mm
        Of its height, above the expected place along the slices' normal.
    along_mm
        Of the middle between its tips, along the line from the middle of the arc.
    """

    middle_mm: float
    height_mm: float
    along_mm: float
    length_mm: float


@dataclass(frozen=True, eq=False)
class Rule:
    """What joints of known size taught.

    Parameters
    ----------
    mean, spread
        Of each feature.
    taught
        The joints' features as deviations from the mean in units of the spread, shape (joints, features).
    weights
        Of each joint's nearness, in mm, shape (joints, targets).
    start
        The mean correction, in mm, in the order of `TARGETS`.
    """

    mean: FloatArray
    spread: FloatArray
    taught: FloatArray
    weights: FloatArray
    start: FloatArray

    def deviation(self, seen: FloatArray) -> FloatArray:
        """Return how far features lie from the mean, in units of their spread."""
        return (seen - self.mean) / self.spread

    def change(self, deviation: FloatArray) -> FloatArray:
        """Return the correction in mm of one joint, in the order of `TARGETS`."""
        return self.start + nearness(deviation[None], self.taught)[0] @ self.weights


def corrected(
    extent: Extent, sheet: Sheet, shape: JointShape, angle_deg: float, contrast: Contrast
) -> Extent:
    """Return an extent as the rule corrects it.

    Parameters
    ----------
    extent
        As `facets.extent` found it.
    sheet
        What the slices show, heights from the extent's middle.
    shape
        The joint that anatomy expects.
    angle_deg
        Of the line that was found.
    contrast
        Of the slices.
    """
    if contrast not in CONTRASTS or len(sheet.heights_mm) < LEAST_SLICES:
        return extent
    found, plateau = features(extent, sheet, shape, angle_deg)
    rule = packaged_rule()
    low, high = PEAK_SEEN
    seen = float(np.clip((plateau - low) / (high - low), 0.0, 1.0))
    deviation = rule.deviation(found)
    like = float(np.clip((UNLIKE - np.mean(deviation**2)) / (UNLIKE - LIKE), 0.0, 1.0))
    change = seen * like * np.clip(rule.change(deviation), -FURTHEST_MM, FURTHEST_MM)
    moves = {name: getattr(extent, name) + float(by) for name, by in zip(TARGETS, change, strict=True)}
    return replace(extent, **moves)


def features(extent: Extent, sheet: Sheet, shape: JointShape, angle_deg: float) -> tuple[FloatArray, float]:
    """Return what the rule looks at, one value a feature, and the contrast at the joint's middle."""
    order = np.argsort(sheet.heights_mm, kind="stable")
    heights, contrast = sheet.heights_mm[order], line_contrast(sheet)[order]
    near = np.abs(heights) < max(NEAR_SHARE * extent.height_mm, float(np.abs(heights).min()) + 1e-6)
    along = sheet.along_mm - extent.along_mm
    core = np.abs(along) < CORE_SHARE * extent.length_mm
    plateau = float(np.median(contrast[near][:, core]))
    relative = contrast / max(plateau, PEAK_SEEN[0])
    parts = [
        (along > first * extent.length_mm) & (along < last * extent.length_mm) for first, last in PART_SHARES
    ]
    by_height = [
        np.interp(HEIGHTS_MM, heights, relative[:, part].mean(axis=1), left=0.0, right=0.0) for part in parts
    ]
    by_place = np.interp(ALONG_MM, along, relative[near].mean(axis=0), left=0.0, right=0.0)
    height_scale, angle_start, angle_scale = LEVELLED
    sizes = [
        extent.height_mm / shape.height_mm - 1.0,
        extent.middle_mm / 4.0,
        extent.length_mm / shape.length_mm - 1.0,
        extent.along_mm / 3.0,
        (angle_deg - angle_start) / angle_scale,
        shape.height_mm / height_scale - 1.0,
        plateau,
    ]
    shown = np.clip(np.concatenate([*by_height, by_place]), *RANGE)
    return np.concatenate([sizes, shown]), plateau


def feature_names() -> list[str]:
    """Return the names of the features, in their order."""
    sizes = [
        "height_share",
        "middle",
        "length_share",
        "along",
        "angle",
        "expected_height",
        "contrast",
    ]
    by_height = [f"{part}_{at:+.0f}mm" for part in ("front", "back") for at in HEIGHTS_MM]
    return [*sizes, *by_height, *(f"along_{at:+.0f}mm" for at in ALONG_MM)]


def nearness(some: FloatArray, others: FloatArray) -> FloatArray:
    """Return the Gaussian kernel between joints, from deviations of shape (some, features) and (others, features)."""
    square = (some**2).sum(axis=1)[:, None] + (others**2).sum(axis=1)[None] - 2.0 * some @ others.T
    return np.asarray(np.exp(-NARROWNESS * np.maximum(square, 0.0) / some.shape[1]))


def rule_of(seen: FloatArray, weights: FloatArray, start: FloatArray) -> Rule:
    """Return the rule of joints with features of shape (joints, features), each with its weights in mm."""
    mean, spread = seen.mean(axis=0), seen.std(axis=0) + LEAST_SPREAD
    return Rule(mean, spread, (seen - mean) / spread, weights, start)


@cache
def packaged_rule() -> Rule:
    """Return the packaged rule."""
    first, *joints = read_csv(config_folder() / "joint_outline.csv")
    seen, weights = (
        np.array([[float(joint[name]) for name in names] for joint in joints])
        for names in (feature_names(), TARGETS)
    )
    return rule_of(seen, weights, np.array([float(first[name]) for name in TARGETS]))
