"""Phantom people scanned three times: baseline, the same day again, and a year later.

Evaluation seeds start at 14000; the smallest detectable changes in `configs/repeatability.toml` come from training seeds
(600 and up). Discs are the true ones moved by 1.5 mm and turned by 2 degrees at random, so that these figures tell
about change and not about the search for levels.

    python -m benchmarks.change_pairs --repeatability configs/repeatability.toml    # measure SDCs anew
"""

from __future__ import annotations

import argparse
import pickle
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from benchmarks.phantoms import KEPT, phantom_digest
from lfja_mri.change import VisitJoint, read_visit_joint
from lfja_mri.change.common_frame import CommonFrame, common_frame
from lfja_mri.change.repeatability import JointPair, repeatability, repeatability_toml
from lfja_mri.config import ChangeSettings, RepeatabilitySettings, load_change_settings
from lfja_mri.facets import place_joints
from lfja_mri.model import (
    AbsentJoint,
    Axes,
    Disc,
    JointResult,
    LevelMap,
    NotGraded,
    NumberingBasis,
    StudyImages,
    StudyResult,
)
from lfja_mri.outputs import scale_of
from lfja_mri.phantom import Detail, PhantomTruth, Quality, Recipe, load_recipe, simulate
from lfja_mri.pipeline import Road, grader, prepare
from lfja_mri.results import Visit, grade_rows
from lfja_mri.tables import write_text

FIRST_EVALUATION_SEED = 14000
FIRST_TRAINING_SEED = 600
PEOPLE = 3
SERIES = ("sagittal_stir", "axial_t2", "axial_t2_fs")
OCCASIONS = (("baseline", 0), ("baseline", 1), ("follow_up", 0))
GRADE_WEIGHTS = (0.28, 0.18, 0.2, 0.18, 0.16)
DISC_SD_MM, DISC_SD_DEG = 1.5, 2.0


@dataclass(frozen=True, eq=False)
class Scan:
    """One visit of a phantom person, graded."""

    result: StudyResult
    truth: PhantomTruth


@dataclass(frozen=True, eq=False)
class Person:
    """Baseline, repeat of the baseline, and follow-up."""

    seed: int
    baseline: Scan
    repeat: Scan
    follow_up: Scan


def people(first_seed: int, count: int, road: Road, leave_out: Sequence[str] = ()) -> Iterator[Person]:
    """Yield graded people; `leave_out` names roles that their protocol lacks."""
    for seed in range(first_seed, first_seed + count):
        scans = [_scan(seed, number, road, leave_out) for number in range(len(OCCASIONS))]
        yield Person(seed, *scans)


def repeated_person(seed: int, road: Road, leave_out: Sequence[str] = ()) -> Person:
    """Return a person scanned twice on one day, whose later scan plays no part."""
    baseline, repeat = (_scan(seed, number, road, leave_out) for number in range(2))
    return Person(seed, baseline, repeat, repeat)


def recipe_of(seed: int) -> Recipe:
    """Return a recipe whose quality, field strength and axial plan hold for all scans of a person."""
    return load_recipe("trial").model_copy(
        update={
            "grade_weights": GRADE_WEIGHTS,
            "quality": ((Quality.GOOD, Quality.FAIR)[seed % 2],),
            "field_strength_t": ((1.5, 3.0)[seed // 2 % 2],),
            "axial_plan": ("per_disc", "one_block")[seed // 4 % 2],
        }
    )


def common(person: Person, later: Scan, road: Road, settings: ChangeSettings) -> CommonFrame:
    """Measure the baseline and a later scan in common joint frames."""
    return common_frame(person.baseline.result, later.result, grader(road), settings)


def joint_rows(result: StudyResult, visit: str, road: Road) -> list[VisitJoint]:
    """Return a result's joints as the comparison reads them."""
    return [read_visit_joint(row) for row in grade_rows(result, Visit("phantom", visit), scale_of(road))]


def _scan(seed: int, number: int, road: Road, leave_out: Sequence[str]) -> Scan:
    images, truth = _simulated(seed, number)
    kept = tuple(image for image in images.images if str(image.role) not in leave_out)
    study = StudyImages(images.study_key, kept)
    levels = level_map_of(truth, seed * len(OCCASIONS) + number)
    grade = grader(road)
    joints = tuple(
        JointResult(joint.level, joint.side, NotGraded(joint.reason))
        if isinstance(joint, AbsentJoint)
        else grade(joint, study, levels)
        for joint in place_joints(study, levels, road.settings.facets)
    )
    return Scan(StudyResult(study.study_key, levels, joints, study.images), truth)


def _simulated(seed: int, number: int) -> tuple[StudyImages, PhantomTruth]:
    """Return one scan, made now unless it is kept."""
    path = KEPT / f"change-{seed}-{number}-{phantom_digest()}.pickle"
    if path.is_file():
        loaded: tuple[StudyImages, PhantomTruth] = pickle.loads(path.read_bytes())  # noqa: S301 - written here
        return loaded
    visit, repeat = OCCASIONS[number]
    made = simulate(recipe_of(seed), seed, visit=visit, repeat=repeat, series=SERIES, detail=Detail.QUICK)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_bytes(pickle.dumps(made))
    partial.replace(path)
    return made


def level_map_of(truth: PhantomTruth, seed: int) -> LevelMap:
    """Return the true discs, each moved and turned as a good localiser might."""
    generator = np.random.default_rng(seed)
    discs = []
    for disc in truth.discs:
        if disc.level is None:
            continue
        turn = Rotation.from_rotvec(np.radians(generator.normal(0, DISC_SD_DEG, 3))).as_matrix()
        anterior, left, cranial = np.asarray(disc.frame.axes) @ turn.T
        centre = disc.frame.origin + generator.normal(0, DISC_SD_MM, 3)
        sizes = (2 * disc.half_depth_mm, 2 * disc.half_width_mm, disc.height_mm)
        discs.append(Disc(disc.level, centre, Axes(cranial, anterior, left), *sizes, 1.0))
    return LevelMap(tuple(discs), truth.canal_line_lps_mm, NumberingBasis.SACRUM)


def repeat_pairs(
    people_: Sequence[Person], road: Road, settings: ChangeSettings, *, registered: bool
) -> list[JointPair]:
    """Return every joint that was graded at the baseline and at its repeat, in common frames or each in its own."""
    pairs: list[JointPair] = []
    for person in people_:
        results = (person.baseline.result, person.repeat.result)
        if registered:
            both = common(person, person.repeat, road, settings)
            results = (both.baseline, both.follow_up)
        first, second = (joint_rows(result, "", road) for result in results)
        pairs += [
            (one, other)
            for one, other in zip(first, second, strict=True)
            if one.grade is not None and other.grade is not None
        ]
    return pairs


def measured_repeatability(
    registered: Sequence[JointPair], apart: Sequence[JointPair], settings: ChangeSettings, provenance: str
) -> RepeatabilitySettings:
    """Return the repeatability in common frames and in each scan's own, as one file."""
    found = [
        repeatability(
            pairs, provenance=provenance, fewest_pairs=settings.fewest_pairs, registered=in_one_frame
        )
        for pairs, in_one_frame in ((registered, True), (apart, False))
    ]
    return found[0].model_copy(update={"protocol": found[0].protocol + found[1].protocol})


def main() -> None:
    """Measure the repeatability of every measure on training phantoms and write the file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeatability", type=Path, required=True, help="the file to write")
    parser.add_argument("--people", type=int, default=12)
    asked = parser.parse_args()
    road, settings = prepare(), load_change_settings()
    pairs: dict[bool, list[JointPair]] = {True: [], False: []}
    for number in range(asked.people):
        for leave_out in ((), ("axial_t2_fs",)):
            person = repeated_person(FIRST_TRAINING_SEED + number, road, leave_out)
            for registered in pairs:
                pairs[registered] += repeat_pairs([person], road, settings, registered=registered)
        print(f"{number + 1} of {asked.people} people", flush=True)
        if min(map(len, pairs.values())) >= settings.fewest_pairs:
            _write(asked.repeatability, number + 1, pairs, settings)


def _write(
    path: Path, people_count: int, pairs: dict[bool, list[JointPair]], settings: ChangeSettings
) -> None:
    """Write what is known after so many people, so that a run that is stopped leaves a whole file."""
    provenance = (
        f"{people_count} phantom people (training seeds from {FIRST_TRAINING_SEED}), two scans of one day each, good and "
        "fair quality, STIR and axial T2, with and without axial T2 FS"
    )
    found_both = measured_repeatability(pairs[True], pairs[False], settings, provenance)
    write_text(path, repeatability_toml(found_both, detection_z=settings.detection_z))


if __name__ == "__main__":
    main()
