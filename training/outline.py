"""Teach the rule that corrects how far a joint reaches (`lfja_mri/facets/outline.py`) on phantoms of training seeds.

    python -m training.outline configs/joint_outline.csv [--jobs 2]

Each joint of each phantom is placed by the product without the rule, levels as the product finds them; what the rule looks at
and how far height and tips are off give one row of a kernel ridge regression. Joints whose level was found elsewhere teach
nothing. The error that is printed is that on people left out. Phantoms are kept as those of
the evaluation are (`benchmarks.phantoms`): an hour the first time.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from unittest import mock

import numpy as np

from benchmarks.phantoms import kept
from lfja_mri.config import load_pipeline_settings
from lfja_mri.facets import place_joints, refine
from lfja_mri.facets.extent import Sheet
from lfja_mri.facets.frames import JointShape
from lfja_mri.facets.outline import (
    TARGETS,
    Extent,
    Rule,
    feature_names,
    features,
    nearness,
    rule_of,
)
from lfja_mri.geometry import unit
from lfja_mri.model import Contrast, FloatArray, Joint, LevelMap, StudyImages
from lfja_mri.phantom import PhantomTruth
from lfja_mri.pipeline import locate_levels, prepare
from lfja_mri.tables import to_csv

SEEDS = tuple(
    [("routine_clinical", seed) for seed in range(520, 552)] + [("trial", seed) for seed in range(620, 652)]
)
RIDGE = 0.1
FOLDS = 8
DECIMALS = 4
FARTHEST_MM = 5.0


@dataclass(frozen=True, eq=False)
class Lesson:
    """One joint: whose it is, what the rule sees of it, and by how much its extent is off."""

    person: str
    seen: FloatArray
    change: FloatArray


def lessons(jobs: int) -> list[Lesson]:
    """Return every joint of the training phantoms that lies on its own level."""
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        return [lesson for one in pool.map(lessons_of, *zip(*SEEDS, strict=True)) for lesson in one]


def lessons_of(recipe: str, seed: int) -> list[Lesson]:
    """Return the joints of one phantom that lie on their own level, what is seen of them rounded as the table will be."""
    made = kept(recipe, seed)
    changes = [
        (seen.round(DECIMALS), missed(joint, made.images, made.truth))
        for joint, seen in placed(made.images, locate_levels(made.images, prepare()))
    ]
    return [Lesson(f"{recipe}-{seed}", seen, change) for seen, change in changes if change is not None]


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


def rule_from(taught: Sequence[Lesson]) -> Rule:
    """Return the rule that lessons teach: the ridge's weights of every joint's nearness to every other."""
    seen, change = (np.array([getattr(lesson, name) for lesson in taught]) for name in ("seen", "change"))
    start = change.mean(axis=0)
    blank = rule_of(seen, np.zeros_like(change), start)
    within = nearness(blank.taught, blank.taught) + RIDGE * np.eye(len(taught))
    return replace(blank, weights=np.linalg.solve(within, change - start))


def left_out(taught: Sequence[Lesson]) -> FloatArray:
    """Return what the rule misses on people it was not taught on, shape (joints, targets)."""
    people = sorted({lesson.person for lesson in taught})
    folds = [
        [lesson for lesson in taught if people.index(lesson.person) % FOLDS == at] for at in range(FOLDS)
    ]
    return np.array(
        [
            lesson.change - rule.change(rule.deviation(lesson.seen))
            for fold in folds
            for rule in [rule_from([lesson for other in folds if other is not fold for lesson in other])]
            for lesson in fold
        ]
    )


def table(taught: Sequence[Lesson]) -> str:
    """Return the rule as a table: the mean change, then for each joint what was seen of it and its weights."""
    rule = rule_from(taught)
    start = dict(zip(TARGETS, rule.start, strict=True))
    names = (*feature_names(), *TARGETS)
    joints = [
        dict(zip(names, (*lesson.seen, *weights), strict=True))
        for lesson, weights in zip(taught, rule.weights, strict=True)
    ]
    rows = [{name: f"{number:.{DECIMALS}f}" for name, number in row.items()} for row in (start, *joints)]
    return to_csv(names, rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", type=Path)
    parser.add_argument("--jobs", type=int, default=1)
    words = parser.parse_args()
    taught_by = lessons(words.jobs)
    before = np.sqrt(np.mean([lesson.change**2 for lesson in taught_by], axis=0))
    after = np.sqrt(np.mean(left_out(taught_by) ** 2, axis=0))
    print(len(taught_by), "joints;", TARGETS, "rms before", before.round(2), "left out", after.round(2))
    words.target.write_text(table(taught_by), encoding="utf-8")
