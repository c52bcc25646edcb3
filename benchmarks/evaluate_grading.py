"""How well the grades agree with the truth of the evaluation phantoms, through the whole pipeline.

Confusion tables by level, side, protocol and quality are printed beside the rows; one joint of the worst cell is explained
and drawn below `evaluation_output/grading`. Phantoms graded ahead by `python -m benchmarks.graded_phantoms` are used as
they are; without any, the default number is graded now.

    python -m benchmarks.evaluate_grading
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.graded_phantoms import ROWS, GradedPhantom, graded_phantoms, kept_rows
from benchmarks.phantoms import DEFAULT_COUNT, evaluation_count, kept, normal_count
from benchmarks.rows import Row
from lfja_mri.grading import Agreement, agreement, confusion_lines, explain, load_rules
from lfja_mri.model import FloatArray, Graded, JointResult, Level, Side, StudyResult
from lfja_mri.phantom import JointTruth, PhantomTruth
from lfja_mri.pipeline import grade_images, prepare
from lfja_mri.report.figures import joint_picture

AXIAL_FAT_SUPPRESSED = ("trial", "trial_dixon")
STIR_ALONE = ("routine_clinical",)
SAME_JOINT_MM = 10.0
UNFLAGGED = "numbering not flagged"
NORMAL = "phantoms of normal count"
ANY_NAME = "joints taken by place, whatever their name"
DATA = "evaluation phantoms, seeds >= 10000, every true grade about equally likely, whole pipeline"


@dataclass(frozen=True, eq=False)
class Case:
    """One joint of one evaluation phantom: what is true of it and what came out.

    `numbering_flagged` says that the program doubts the names of this spine's levels, so that a reader would check them;
    `normal_count` that the spine has five lumbar vertebrae: of others names counted from the sacrum cannot all be right.
    """

    recipe: str
    seed: int
    quality: str
    level: Level
    side: Side
    truth: int
    truth_flags: tuple[str, ...]
    offset_mm: float | None
    numbering_flagged: bool
    normal_count: bool
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
    """Judge the evaluation phantoms, print the tables, draw the worst joint, and return the figures."""
    count = evaluation_count()
    phantoms = kept_rows(count)
    if len(phantoms) < min(count, DEFAULT_COUNT):
        phantoms = list(graded_phantoms(min(count, DEFAULT_COUNT)))
    cases = [case for one in phantoms for case in cases_of(one.recipe, one.seed, one.result, one.truth)]
    seen = [case for one in phantoms for case in cases_seen(one.recipe, one.seed, one.result, one.truth)]
    found = [*rows_of(cases, _gain_share(phantoms)), *seen_rows(seen)]
    _show_worst([case for case in cases if case.grade is not None])
    return found


def rows_of(cases: Sequence[Case], same_with_gain: tuple[int, int]) -> list[Row]:
    """Return the figures of graded joints and print the confusion tables."""
    judged = [case for case in cases if case.grade is not None]
    _print_tables(judged)
    axial = [case for case in judged if case.recipe in AXIAL_FAT_SUPPRESSED]
    stir = [case for case in judged if case.recipe in STIR_ALONE]
    groups = {
        "": judged,
        f", {NORMAL}": [case for case in judged if case.normal_count],
        f", {UNFLAGGED}": [case for case in judged if not case.numbering_flagged],
    }
    same, all_joints = same_with_gain
    return [
        _kappa_row("axial fat-suppressed", axial, 0.90),
        _kappa_row("sagittal STIR alone", stir, 0.80),
        _kappa_row(NORMAL, groups[f", {NORMAL}"], 0.90),
        *(row for words, group in groups.items() for row in _group_rows(words, group)),
        _share_row("joints that got a grade", cases, lambda case: case.grade is not None, "none set", None),
        _share_row(
            "joints with failed fat suppression not graded on that series",
            _failed(cases),
            _refused,
            ">= 90 %",
            0.90,
        ),
        _width_row(judged),
        *_naming_rows(cases),
        _per_grade_row(cases),
        _row("grade unchanged with image gain 0.2 to 5", same, all_joints, ">= 99 %", 0.99),
    ]


def seen_rows(cases: Sequence[Case]) -> list[Row]:
    """Return how well joints are graded whatever they are called: names are the numbering's affair."""
    judged = [case for case in cases if case.grade is not None]
    return [_kappa_row(ANY_NAME, judged, 0.90), *_group_rows(f", {ANY_NAME}", judged)]


def _group_rows(words: str, judged: Sequence[Case]) -> list[Row]:
    """Return how far the grades of a group of joints may be off, the group named by words that follow the figure."""
    zero = _of_grade(judged, 0)
    return [
        _share_row(f"joints within one grade of the truth{words}", judged, _within_one, ">= 99 %", 0.99),
        _share_row(f"grade-0 joints called 2 or more{words}", zero, _called_two, "<= 3 %", -0.03),
        _share_row(f"interval contains the true grade{words}", judged, _covered, ">= 95 %", 0.95),
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


def _naming_rows(cases: Sequence[Case]) -> list[Row]:
    """Count the phantoms of which every joint lies where its name says, and those whose wrong names were doubted."""
    by_phantom: dict[tuple[str, int], list[Case]] = {}
    for case in cases:
        by_phantom.setdefault((case.recipe, case.seed), []).append(case)
    groups = list(by_phantom.values())
    right = [_all_named_right(group) for group in groups]
    flagged = [group[0].numbering_flagged for group in groups]
    safe = sum(is_right or doubted for is_right, doubted in zip(right, flagged, strict=True))
    alarms = sum(is_right and doubted for is_right, doubted in zip(right, flagged, strict=True))
    return [
        _row("phantoms whose levels are all named right", sum(right), len(groups), "none set", None),
        _row("phantoms named right, or numbering flagged", safe, len(groups), "none set", None),
        _row("phantoms named right whose numbering is flagged", alarms, sum(right), "none set", None),
    ]


def _all_named_right(group: Sequence[Case]) -> bool:
    found = [case for case in group if case.offset_mm is not None]
    return bool(found) and all(_at_its_name(case) for case in found)


def _at_its_name(case: Case) -> bool:
    return case.offset_mm is not None and case.offset_mm <= SAME_JOINT_MM


def _per_grade_row(cases: Sequence[Case]) -> Row:
    counts = Counter(case.truth for case in cases)
    fewest = min(counts[grade] for grade in range(5))
    value = ", ".join(f"{grade}: {counts[grade]}" for grade in range(5))
    return Row("grades: joints per true grade", value, ">= 200 each", fewest >= 200, DATA)


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


def cases_of(recipe: str, seed: int, result: StudyResult, truth: PhantomTruth) -> Iterator[Case]:
    """Pair every joint that the phantom has with what the pipeline said of the joint of that name."""
    found = {(joint.level, joint.side): joint for joint in result.joints}
    for joint in truth.joints:
        if (joint.level, joint.side) in found:
            yield _case(recipe, seed, found[joint.level, joint.side], joint, result, truth)


def cases_seen(recipe: str, seed: int, result: StudyResult, truth: PhantomTruth) -> Iterator[Case]:
    """Pair every placed joint with the true one that lies where it was placed; one of neither list is left out."""
    for found in result.joints:
        beside = [joint for joint in truth.joints if joint.side is found.side]
        if found.joint is not None and beside:
            centre = found.joint.frame.centre_lps_mm
            nearest = min(beside, key=lambda one: float(np.linalg.norm(one.centre_lps_mm - centre)))
            case = _case(recipe, seed, found, nearest, result, truth)
            if _at_its_name(case):
                yield case


def _case(
    recipe: str, seed: int, found: JointResult, joint: JointTruth, result: StudyResult, truth: PhantomTruth
) -> Case:
    return Case(
        recipe=recipe,
        seed=seed,
        quality=str(truth.plans[0].quality),
        level=joint.level,
        side=joint.side,
        truth=joint.grade,
        truth_flags=joint.flags,
        offset_mm=_offset_mm(found, joint.centre_lps_mm),
        numbering_flagged=result.level_map is None or bool(result.level_map.flags),
        normal_count=normal_count(truth),
        result=found,
    )


def _offset_mm(result: JointResult, centre_lps_mm: FloatArray) -> float | None:
    """Return how far a placed joint lies from the true one, motion between series included."""
    return (
        None
        if result.joint is None
        else float(np.linalg.norm(result.joint.frame.centre_lps_mm - centre_lps_mm))
    )


def _gain_share(phantoms: Sequence[GradedPhantom]) -> tuple[int, int]:
    """Return (joints whose grade stays, joints) over studies whose images were all multiplied by a gain."""
    pairs = [
        (_grade_of(plain), louder)
        for one in phantoms
        for grades in one.with_gain
        for plain, louder in zip(one.result.joints, grades, strict=True)
    ]
    return sum(plain == louder for plain, louder in pairs), len(pairs)


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


def _show_worst(cases: Sequence[Case]) -> None:
    """Explain and draw one joint of the cell that weighs most: joints in it times the square of its distance."""
    if not cases:
        return
    cells = Counter((case.truth, case.grade or 0) for case in cases)
    worst = max(sorted(cells), key=lambda cell: cells[cell] * (cell[0] - cell[1]) ** 2)
    case = next(case for case in cases if (case.truth, case.grade) == worst)
    print(f"worst cell: {cells[worst]} joints of true grade {worst[0]} called {worst[1]}; one of them is")
    print(f"{case.recipe} seed {case.seed}, joint found {case.offset_mm} mm from the true one")
    print(explain(case.result, load_rules()))
    images = kept(case.recipe, case.seed).images
    found = grade_images(images, prepare()).joints
    result = next(one for one in found if (one.level, one.side) == (case.level, case.side))
    path = ROWS / "worst.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(joint_picture(result, images.images))
    print(f"picture: {path}")


if __name__ == "__main__":
    for row in rows():
        print(row)
