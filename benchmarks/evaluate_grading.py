"""How well the grades agree with the truth of the evaluation phantoms, through the whole pipeline.

Confusion tables by level, side, protocol and quality are printed beside the rows; the worst cell is explained.

    python -m benchmarks.evaluate_grading
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.phantoms import evaluation_seeds, graded, kept
from benchmarks.rows import Row
from lfja_mri.grading import Agreement, agreement, confusion_lines, explain, load_rules
from lfja_mri.model import FloatArray, Graded, JointResult, Level, Side, StudyImages, StudyResult
from lfja_mri.phantom import PhantomTruth
from lfja_mri.pipeline import grade_images, prepare

AXIAL_FAT_SUPPRESSED = ("trial", "trial_dixon")
STIR_ALONE = ("routine_clinical",)
GAINS = (0.2, 0.5, 2.0, 5.0)
GAIN_STUDIES = 2
SAME_JOINT_MM = 10.0
DATA = "evaluation phantoms, seeds >= 10000, whole pipeline"


@dataclass(frozen=True, eq=False)
class Case:
    """One joint of one evaluation phantom: what is true of it and what came out."""

    recipe: str
    seed: int
    quality: str
    level: Level
    side: Side
    truth: int
    truth_flags: tuple[str, ...]
    offset_mm: float | None
    result: JointResult

    @property
    def grade(self) -> int | None:
        """The grade it got, None where it was refused."""
        return self.result.outcome.grade if isinstance(self.result.outcome, Graded) else None

    @property
    def suppression_failed(self) -> bool:
        """Whether fat suppression failed in every fat-suppressed series that the grade could rest on."""
        failed = [flag for flag in self.truth_flags if flag.startswith("fat_suppression_failed_")]
        used = self.result.measurements.sources if self.result.measurements else ()
        return bool(failed) and (not used or any(flag.endswith(used[0]) for flag in failed))


def rows() -> list[Row]:
    """Grade every evaluation phantom, print the tables, and return the figures."""
    return rows_of(list(_cases()), _gain_share())


def rows_of(cases: Sequence[Case], same_with_gain: tuple[int, int]) -> list[Row]:
    """Return the figures of graded joints and print the confusion tables."""
    judged = [case for case in cases if case.grade is not None]
    _print_tables(judged)
    axial = [case for case in judged if case.recipe in AXIAL_FAT_SUPPRESSED]
    stir = [case for case in judged if case.recipe in STIR_ALONE]
    placed = [case for case in judged if case.offset_mm is not None and case.offset_mm <= SAME_JOINT_MM]
    same, all_joints = same_with_gain
    return [
        _kappa_row("axial fat-suppressed", axial, 0.90),
        _kappa_row("sagittal STIR alone", stir, 0.80),
        _kappa_row("joints whose level was named right", placed, 0.90),
        _share_row("joints within one grade of the truth", judged, _within_one, ">= 99 %", 0.99),
        _share_row("joints within one grade, level named right", placed, _within_one, ">= 99 %", 0.99),
        _share_row("grade-0 joints called 2 or more", _of_grade(judged, 0), _called_two, "<= 3 %", -0.03),
        _share_row("joints that got a grade", cases, lambda case: case.grade is not None, "none set", None),
        _share_row(
            "joints with failed fat suppression not graded on that series",
            _failed(cases),
            _refused,
            ">= 90 %",
            0.90,
        ),
        _share_row("interval contains the true grade", judged, _covered, ">= 95 %", 0.95),
        _share_row("interval contains the true grade, level named right", placed, _covered, ">= 95 %", 0.95),
        _width_row(judged),
        _row("grade unchanged with image gain 0.2 to 5", same, all_joints, ">= 99 %", 0.99),
    ]


def _kappa_row(name: str, cases: Sequence[Case], target: float) -> Row:
    figure = f"grades: quadratic-weighted kappa, {name}"
    if not cases:
        return Row(figure, "no joints", f">= {target:.2f}", None, DATA)
    result = _agreement(cases)
    kappa, interval = result.kappa_quadratic, result.kappa_quadratic_interval
    spread = f" ({interval[0]:.2f} to {interval[1]:.2f})" if interval else ""
    value = "undefined" if kappa is None else f"{kappa:.3f}{spread}"
    data = f"{DATA}; {result.joints} joints of {result.patients} phantoms"
    return Row(figure, value, f">= {target:.2f}", None if kappa is None else kappa >= target, data)


def _agreement(cases: Sequence[Case]) -> Agreement:
    grades = [case.grade for case in cases if case.grade is not None]
    return agreement(grades, [case.truth for case in cases], [case.seed for case in cases])


def _share_row(
    name: str, cases: Sequence[Case], holds: Callable[[Case], bool], target: str, limit: float | None
) -> Row:
    return _row(name, sum(holds(case) for case in cases), len(cases), target, limit)


def _row(name: str, count: int, total: int, target: str, limit: float | None) -> Row:
    """Return a share as a row; a negative limit is an upper one."""
    if not total:
        return Row(f"grades: {name}", "no joints", target, None, DATA)
    share = count / total
    met = None if limit is None else (share >= limit if limit > 0 else share <= -limit)
    return Row(f"grades: {name}", f"{share:.1%} ({count} of {total})", target, met, DATA)


def _width_row(cases: Sequence[Case]) -> Row:
    outcomes = [case.result.outcome for case in cases]
    widths = [outcome.grade_high - outcome.grade_low for outcome in outcomes if isinstance(outcome, Graded)]
    mean = float(np.mean(widths)) if widths else 0.0
    return Row(
        "grades: mean width of the interval", f"{mean:.2f} grades", "< 1", mean < 1 if widths else None, DATA
    )


def _of_grade(cases: Sequence[Case], grade: int) -> list[Case]:
    return [case for case in cases if case.truth == grade]


def _failed(cases: Sequence[Case]) -> list[Case]:
    return [
        case for case in cases if any(flag.startswith("fat_suppression_failed") for flag in case.truth_flags)
    ]


def _within_one(case: Case) -> bool:
    return case.grade is not None and abs(case.grade - case.truth) <= 1


def _called_two(case: Case) -> bool:
    return case.grade is not None and case.grade >= 2


def _refused(case: Case) -> bool:
    return case.grade is None or not case.suppression_failed


def _covered(case: Case) -> bool:
    outcome = case.result.outcome
    return isinstance(outcome, Graded) and outcome.grade_low <= case.truth <= outcome.grade_high


# ------------------------------------------------------------------------------------------------ data


def _cases() -> Iterator[Case]:
    for recipe, seed in evaluation_seeds():
        result, truth = graded(recipe, seed)
        yield from cases_of(recipe, seed, result, truth)


def cases_of(recipe: str, seed: int, result: StudyResult, truth: PhantomTruth) -> Iterator[Case]:
    """Pair every joint that the phantom has with what the pipeline said of the joint of that name."""
    found = {(joint.level, joint.side): joint for joint in result.joints}
    for joint in truth.joints:
        if (joint.level, joint.side) in found:
            yield Case(
                recipe=recipe,
                seed=seed,
                quality=str(truth.plans[0].quality),
                level=joint.level,
                side=joint.side,
                truth=joint.grade,
                truth_flags=joint.flags,
                offset_mm=_offset_mm(found[joint.level, joint.side], joint.centre_lps_mm),
                result=found[joint.level, joint.side],
            )


def _offset_mm(result: JointResult, centre_lps_mm: FloatArray) -> float | None:
    """Return how far a placed joint lies from the true one, motion between series included."""
    return (
        None
        if result.joint is None
        else float(np.linalg.norm(result.joint.frame.centre_lps_mm - centre_lps_mm))
    )


def _gain_share() -> tuple[int, int]:
    """Return (joints whose grade stays, joints) over studies whose images are all multiplied by a gain."""
    same = total = 0
    for recipe, seed in [pair for pair in evaluation_seeds() if pair[0] == "trial"][:GAIN_STUDIES]:
        plain = graded(recipe, seed)[0]
        for gain in GAINS:
            louder = grade_images(with_gain(kept(recipe, seed).images, gain), prepare())
            pairs = list(zip(plain.joints, louder.joints, strict=True))
            same += sum(_grade_of(first) == _grade_of(second) for first, second in pairs)
            total += len(pairs)
    return same, total


def with_gain(images: StudyImages, gain: float) -> StudyImages:
    """Return the images with every signal multiplied."""
    scaled = [
        replace(image, volume=replace(image.volume, values_zyx=image.volume.values_zyx * np.float32(gain)))
        for image in images.images
    ]
    return replace(images, images=tuple(scaled))


def _grade_of(joint: JointResult) -> int | None:
    return joint.outcome.grade if isinstance(joint.outcome, Graded) else None


# ------------------------------------------------------------------------------------------------ tables

SPLITS: tuple[tuple[str, Callable[[Case], str]], ...] = (
    ("all", lambda _: "joints"),
    ("protocol", lambda case: case.recipe),
    ("level", lambda case: case.level.value),
    ("side", lambda case: case.side.value),
    ("quality", lambda case: case.quality),
)


def _print_tables(cases: Sequence[Case]) -> None:
    for title, key in SPLITS:
        for name in sorted({key(case) for case in cases}):
            part = [case for case in cases if key(case) == name]
            result = _agreement(part)
            kappa = "undefined" if result.kappa_quadratic is None else f"{result.kappa_quadratic:.3f}"
            print(f"{title} {name}: {result.joints} joints, kappa {kappa}, exact {result.exact:.1%}")
            print("\n".join(f"  {line}" for line in confusion_lines(result.confusion)))
    if cases:
        worst = max(cases, key=lambda case: abs((case.grade or 0) - case.truth))
        print(f"worst joint: {worst.recipe} seed {worst.seed}, true grade {worst.truth}")
        print(explain(worst.result, load_rules()))


if __name__ == "__main__":
    for row in rows():
        print(row)
