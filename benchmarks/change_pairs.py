"""Phantom people scanned again and again: baseline, the same day again, that day with other echo times, and a year later.

Evaluation seeds are 14110-14129 and 14140-14159, those whose follow-up is renumbered start at 14130 (the 110 people from
14000 up were judged once, and what they missed is known); the smallest detectable changes in `configs/repeatability.toml`
come from training seeds (600-619: with fewer people the spread of one measure hangs on one or two of them). All scans of a person follow one protocol, as a trial's do: echo, repetition and inversion times hold,
while place, posture, motion, noise, fat suppression, coil and the pulsing of CSF are new on every occasion. Discs are the
true ones moved by 1.5 mm and turned by 2 degrees at random, so that these figures tell about change and not about the
search for levels. A year later every joint that can is one or two grades better or worse.

Each person is measured once, in a process of its own; what came out is kept, named by a digest of the code and settings
that decide it, so that a run that was stopped goes on where it was.

    python -m benchmarks.change_pairs --repeatability configs/repeatability.toml --jobs 2    # measure SDCs anew
"""

from __future__ import annotations

import argparse
import os
import pickle
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from benchmarks.change_errors import errors_mm
from benchmarks.change_scans import Scan, slim, slipped
from benchmarks.phantoms import ROOT, digest_of, write_whole
from lfja_mri.change import VisitJoint, read_visit_joint
from lfja_mri.change.common_frame import CommonFrame, common_frame
from lfja_mri.change.repeatability import JointPair, repeatability_both_ways, repeatability_toml
from lfja_mri.config import digest, load_change_settings
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
from lfja_mri.settings.change import ChangeSettings
from lfja_mri.tables import write_text

KEPT = ROOT / "evaluation_output" / "change"
EVALUATION_SEEDS = (*range(14110, 14130), *range(14140, 14160))
FIRST_SLIP_SEED = 14130
FIRST_TRAINING_SEED = 600
TRAINING_PEOPLE = 20
SERIES = ("sagittal_stir", "axial_t2", "axial_t2_fs")
PROTOCOLS: tuple[tuple[str, ...], ...] = ((), ("axial_t2_fs",))
"""Roles that a protocol leaves out."""
OTHER_TIMES = "other_times"
OCCASIONS = {
    "baseline": ("baseline", 0),
    "repeat": ("baseline", 1),
    "follow_up": ("follow_up", 0),
    OTHER_TIMES: ("baseline", 2),
}
SLIPS = {"slip_up": -1, "slip_down": 1}
GRADE_WEIGHTS = (0.28, 0.18, 0.2, 0.18, 0.16)
FOLLOW_UP_CHANGE = (0.5, 0.0, 0.5)
DISC_SD_MM, DISC_SD_DEG = 1.5, 2.0
DECIDING = (
    *("config.py", "geometry.py", "model", "pipeline.py", "settings", "facets", "grading", "phantom"),
    *("change/alignment.py", "change/common_frame.py", "change/common_joint.py", "change/layers.py"),
    *("change/matching.py", "change/registration.py", "change/rigid.py", "change/same_series.py"),
)
DECIDING_SETTINGS = ("pipeline.toml", "joint_outline.csv", "grading", "phantom")
OWN_CODE = ("change_pairs.py", "change_errors.py", "change_scans.py")


@dataclass(frozen=True, eq=False)
class Order:
    """A person to measure: the baseline against each of the `later` occasions, under each protocol."""

    seed: int
    later: tuple[str, ...]
    protocols: tuple[tuple[str, ...], ...] = PROTOCOLS[:1]

    @property
    def place(self) -> Path:
        """Where what came out is kept."""
        left_out = "-".join("+".join(roles) or "all" for roles in self.protocols)
        return KEPT / f"{self.seed}-{'-'.join(self.later)}-{left_out}-{measuring_digest()}.pickle"


@dataclass(frozen=True, eq=False)
class Pair:
    """A baseline and a later scan in common joint frames, and how far apart in the body each joint is read."""

    later: Scan
    frame: CommonFrame
    errors_mm: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Person:
    """A baseline and its pairs by occasion, without pixels and zones."""

    seed: int
    baseline: Scan
    pairs: Mapping[str, Pair]


def measured_people(orders: Sequence[Order], jobs: int) -> Iterator[tuple[Person, ...]]:
    """Yield each person once per protocol, in the order asked for, measured now unless they are kept."""
    missing = [order for order in orders if not order.place.is_file()]
    if jobs > 1 and len(missing) > 1:
        os.environ.setdefault("OMP_NUM_THREADS", "1")  # read by the processes that are started below
        with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
            for order in pool.map(_keep, missing):
                print(f"measured the person of seed {order.seed}", flush=True)
    for order in orders:
        yield _read(_keep(order))


def _keep(order: Order) -> Order:
    if not order.place.is_file():
        write_whole(order.place, pickle.dumps(_measured(order)))
    return order


def _read(order: Order) -> tuple[Person, ...]:
    kept: tuple[Person, ...] = pickle.loads(order.place.read_bytes())  # noqa: S301 - written by this module
    return kept


@cache
def measuring_digest() -> str:
    """Return a digest of everything that decides what is kept; what counts as change does not."""
    code = [ROOT / "lfja_mri" / name for name in DECIDING]
    own = [ROOT / "benchmarks" / name for name in OWN_CODE]
    files = digest_of([*code, *own, *(ROOT / "configs" / name for name in DECIDING_SETTINGS)])
    settings = load_change_settings()
    witness = [settings.witness.roles, settings.extension.grades]
    asked = digest({"registration": digest(settings.registration), "witness": witness})
    return f"{files}-{asked[:8]}"


# ------------------------------------------------------------------------------------------------ one person


def _measured(order: Order) -> tuple[Person, ...]:
    road, settings = prepare(), load_change_settings()
    names = {"baseline", *(name for name in order.later if name in OCCASIONS)}
    names |= {"follow_up"} if set(order.later) & set(SLIPS) else set()
    scans = {name: _simulated(order.seed, name) for name in OCCASIONS if name in names}
    return tuple(_person(order, scans, left_out, road, settings) for left_out in order.protocols)


def _person(
    order: Order,
    scans: Mapping[str, tuple[StudyImages, PhantomTruth]],
    left_out: Sequence[str],
    road: Road,
    settings: ChangeSettings,
) -> Person:
    graded = {
        name: _graded(
            images, truth, order.seed * len(OCCASIONS) + list(OCCASIONS).index(name), road, left_out
        )
        for name, (images, truth) in scans.items()
    }
    baseline = graded["baseline"]
    pairs: dict[str, Pair] = {}
    for name in order.later:
        later = graded.get(name) or slipped(graded["follow_up"], SLIPS[name])
        frame = common_frame(baseline.result, later.result, grader(road), settings)
        errors = errors_mm(frame, baseline.truth, later.truth) if name in OCCASIONS else ()
        small = CommonFrame(slim(frame.baseline), slim(frame.follow_up), frame.registrations)
        pairs[name] = Pair(replace(later, result=slim(later.result)), small, errors)
    return Person(order.seed, replace(baseline, result=slim(baseline.result)), pairs)


def recipe_of(seed: int, *, same_times: bool = True) -> Recipe:
    """Return a recipe whose quality, field strength and axial plan hold for all scans of a person; if asked its times too."""
    return load_recipe("trial").model_copy(
        update={
            "grade_weights": GRADE_WEIGHTS,
            "follow_up_change": FOLLOW_UP_CHANGE,
            "quality": ((Quality.GOOD, Quality.FAIR)[seed % 2],),
            "field_strength_t": ((1.5, 3.0)[seed // 2 % 2],),
            "axial_plan": ("per_disc", "one_block")[seed // 4 % 2],
            "scanner_times": "per_person" if same_times else "per_scan",
        }
    )


def _simulated(seed: int, occasion: str) -> tuple[StudyImages, PhantomTruth]:
    visit, repeat = OCCASIONS[occasion]
    recipe = recipe_of(seed, same_times=occasion != OTHER_TIMES)
    return simulate(recipe, seed, visit=visit, repeat=repeat, series=SERIES, detail=Detail.QUICK)


def _graded(images: StudyImages, truth: PhantomTruth, seed: int, road: Road, left_out: Sequence[str]) -> Scan:
    kept = tuple(image for image in images.images if str(image.role) not in left_out)
    study = StudyImages(images.study_key, kept)
    levels = level_map_of(truth, seed)
    grade = grader(road)
    joints = tuple(
        JointResult(joint.level, joint.side, NotGraded(joint.reason))
        if isinstance(joint, AbsentJoint)
        else grade(joint, study, levels)
        for joint in place_joints(study, levels, road.settings.facets)
    )
    return Scan(StudyResult(study.study_key, levels, joints, study.images), truth)


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


# --------------------------------------------------------------------------------------------- repeatability


def joint_rows(result: StudyResult, visit: str, road: Road) -> list[VisitJoint]:
    """Return a result's joints as the comparison reads them."""
    return [read_visit_joint(row) for row in grade_rows(result, Visit("phantom", visit), scale_of(road))]


def repeat_pairs(person: Person, road: Road, *, registered: bool) -> list[JointPair]:
    """Return every joint that was graded at the baseline and at its repeat, in common frames or each in its own."""
    pair = person.pairs["repeat"]
    own = (person.baseline.result, pair.later.result)
    results = (pair.frame.baseline, pair.frame.follow_up) if registered else own
    first, second = (joint_rows(result, "", road) for result in results)
    return [
        (one, other)
        for one, other in zip(first, second, strict=True)
        if one.grade is not None and other.grade is not None
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the repeatability of every measure on training phantoms and write the file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeatability", type=Path, required=True, help="the file to write")
    parser.add_argument("--people", type=int, default=TRAINING_PEOPLE)
    parser.add_argument("--jobs", type=int, default=1)
    asked = parser.parse_args(arguments)
    last = FIRST_TRAINING_SEED + asked.people - 1
    orders = [Order(seed, ("repeat",), PROTOCOLS) for seed in range(FIRST_TRAINING_SEED, last + 1)]
    people = [person for both in measured_people(orders, asked.jobs) for person in both]
    settings = load_change_settings()
    provenance = (
        f"{asked.people} phantom people (training seeds {FIRST_TRAINING_SEED}-{last}), two scans of one day each by one "
        "protocol, good and fair quality, 1.5 and 3 T, STIR and axial T2, with and without axial T2 FS"
    )
    road = prepare()
    in_one_frame, apart = (
        [pair for person in people for pair in repeat_pairs(person, road, registered=registered)]
        for registered in (True, False)
    )
    found = repeatability_both_ways(
        in_one_frame, apart, provenance=provenance, fewest_pairs=settings.fewest_pairs
    )
    write_text(asked.repeatability, repeatability_toml(found, detection_z=settings.detection_z))


if __name__ == "__main__":
    # What is kept names its classes by their module; written by `__main__` nobody else could read it.
    import_module("benchmarks.change_pairs").main()
