"""Teach the rule that corrects how far a joint reaches (`lfja_mri/facets/outline.py`) on phantoms of training seeds.

    python -m training.outline configs/joint_outline.csv

Each joint of each phantom is placed by the product without the rule, levels as the product finds them; what the rule looks at
and how far height and tips are off give one row of a ridge regression. Joints whose level was found elsewhere teach nothing.
The error that is printed is that on people left out. Phantoms are kept as those of
the evaluation are (`benchmarks.phantoms`): half an hour the first time.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import numpy as np

from benchmarks.phantoms import kept
from lfja_mri.config import load_pipeline_settings
from lfja_mri.facets import place_joints, refine
from lfja_mri.facets.extent import Sheet
from lfja_mri.facets.frames import JointShape
from lfja_mri.facets.outline import TARGETS, Extent, feature_names, features
from lfja_mri.geometry import unit
from lfja_mri.model import Contrast, FloatArray, Joint, LevelMap, StudyImages
from lfja_mri.phantom import PhantomTruth
from lfja_mri.pipeline import locate_levels, prepare
from lfja_mri.tables import to_csv

SEEDS = tuple(
    [("routine_clinical", seed) for seed in range(520, 531)] + [("trial", seed) for seed in range(620, 630)]
)
RIDGE = 60.0
FOLDS = 7
FARTHEST_MM = 5.0


@dataclass(frozen=True, eq=False)
class Lesson:
    """One joint: whose it is, what the rule sees of it, and by how much its extent is off."""

    person: str
    seen: FloatArray
    change: FloatArray


def lessons() -> Iterator[Lesson]:
    """Yield every joint of the training phantoms that lies on its own level."""
    road = prepare()
    for recipe, seed in SEEDS:
        made = kept(recipe, seed)
        for joint, seen in placed(made.images, locate_levels(made.images, road)):
            change = missed(joint, made.images, made.truth)
            if change is not None:
                yield Lesson(f"{recipe}-{seed}", seen, change)


def placed(images: StudyImages, levels: LevelMap) -> list[tuple[Joint, FloatArray]]:
    """Return the joints that axial slices show, as they are without the rule, with what it would see of them."""
    seen: list[tuple[float, FloatArray]] = []

    def recorded(extent: Extent, sheet: Sheet, shape: JointShape, angle_deg: float, _: Contrast) -> Extent:
        seen.append((extent.height_mm, features(extent, sheet, shape, angle_deg)[0]))
        return extent

    settings = load_pipeline_settings().facets
    coarse = settings.zones.model_copy(update={"spacing_mm": 3.0})
    with mock.patch.object(refine, "corrected", recorded):
        joints = place_joints(images, levels, settings.model_copy(update={"zones": coarse}))
    by_height = dict(seen)
    found = [joint for joint in joints if isinstance(joint, Joint)]
    return [
        (joint, by_height[joint.frame.height_mm]) for joint in found if joint.frame.height_mm in by_height
    ]


def missed(joint: Joint, images: StudyImages, truth: PhantomTruth) -> FloatArray | None:
    """Return what would have to be added to the extent, in the order of `TARGETS`; None on a wrong level."""
    frame = joint.frame
    true = next((t for t in truth.joints if (t.level, t.side) == (frame.level, frame.side)), None)
    if true is None:
        return None
    others = {shift.image_key for shift in joint.shifts}
    own = next(image.key for image in images.images if image.key not in others)
    centre = truth.moved(own, true.centre_lps_mm[None])[0]
    along, cranial = (
        unit(truth.moved(own, (true.centre_lps_mm + axis)[None])[0] - centre)
        for axis in (true.along_lps, true.cranial_lps)
    )
    tips = (frame.joint_line_lps_mm[[0, -1]] - centre) @ along
    above = float((frame.centre_lps_mm - centre) @ cranial)
    if np.linalg.norm(frame.centre_lps_mm - centre) > FARTHEST_MM:
        return None
    return np.array(
        [-above, true.height_mm - frame.height_mm, -tips.mean(), true.length_mm - frame.length_mm]
    )


def ridge(seen: FloatArray, change: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return mean and spread of the features, weights and mean change."""
    mean, spread, start = seen.mean(axis=0), seen.std(axis=0) + 1e-3, change.mean(axis=0)
    scaled = (seen - mean) / spread
    within = scaled.T @ scaled + RIDGE * np.eye(scaled.shape[1])
    return mean, spread, np.linalg.solve(within, scaled.T @ (change - start)), start


def left_out(taught: list[Lesson]) -> FloatArray:
    """Return what the rule misses on people it was not taught on, shape (joints, targets)."""
    people = sorted({lesson.person for lesson in taught})
    seen, change = (np.array([getattr(lesson, name) for lesson in taught]) for name in ("seen", "change"))
    fold = np.array([people.index(lesson.person) % FOLDS for lesson in taught])
    rest = np.zeros_like(change)
    for at in range(FOLDS):
        mean, spread, weights, start = ridge(seen[fold != at], change[fold != at])
        rest[fold == at] = change[fold == at] - start - ((seen[fold == at] - mean) / spread) @ weights
    return rest


def table(taught: list[Lesson]) -> str:
    """Return the rule as a table: the mean change, then one row a feature."""
    seen, change = (np.array([getattr(lesson, name) for lesson in taught]) for name in ("seen", "change"))
    mean, spread, weights, start = ridge(seen, change)
    rows: list[dict[str, str]] = [
        {"feature": "start", **{name: f"{at:.4f}" for name, at in zip(TARGETS, start, strict=True)}}
    ]
    for name, *numbers in zip(feature_names(), mean, spread, *weights.T, strict=True):
        columns = ("mean", "spread", *TARGETS)
        rows.append({"feature": name} | {key: f"{at:.4f}" for key, at in zip(columns, numbers, strict=True)})
    return to_csv(("feature", "mean", "spread", *TARGETS), rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", type=Path)
    words = parser.parse_args()
    lesson_list = list(lessons())
    before = np.sqrt(np.mean([lesson.change**2 for lesson in lesson_list], axis=0))
    after = np.sqrt(np.mean(left_out(lesson_list) ** 2, axis=0))
    print(len(lesson_list), "joints;", TARGETS, "rms before", before.round(2), "left out", after.round(2))
    words.target.write_text(table(lesson_list), encoding="utf-8")
