"""What inflames each joint at a visit: drawn from the recipe, painted later, and judged from what was painted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from lfja_mri.model import EXTENSION_TARGETS, Side
from lfja_mri.phantom.chance import stream
from lfja_mri.phantom.recipe import Recipe

JointKey = tuple[str, Side]
GRADES = (0, 1, 2, 3, 4)
LEAST_ABNORMAL_FLUID_MM, MOST_FLUID_MM, LESS = 1.3, 3.2, 0.7


@dataclass(frozen=True)
class Finding:
    """What one joint shows.

    Parameters
    ----------
    fluid_width_mm
        Fluid between the cartilage layers at its widest.
    recess_mm
        How far fluid bulges the capsule at the posterolateral recess.
    synovitis
        0-1, signal of inflamed synovium along the capsule.
    perimeter_share
        Wished share of the perimeter with oedema around it; 0 for none.
    perimeter_middle
        Where on the perimeter the oedema is centred, 0-1 (see `inflammation.perimeter_position`).
    reach_mm
        How far the oedema reaches out from the joint space.
    strength
        0-1, how much of the voxel's signal the oedema takes.
    extension
        Targets that the oedema is led to.
    cyst_mm
        Diameter of a synovial cyst, 0 for none.
    """

    fluid_width_mm: float
    recess_mm: float = 0.0
    synovitis: float = 0.0
    perimeter_share: float = 0.0
    perimeter_middle: float = 0.385
    reach_mm: float = 6.0
    strength: float = 0.9
    extension: tuple[str, ...] = ()
    cyst_mm: float = 0.0


def draw_arthropathy(seed: int, recipe: Recipe, levels: tuple[str, ...]) -> dict[JointKey, float]:
    """Draw how worn each joint is, 0-1; more at the lower levels, much the same on both sides."""
    rng = stream(seed, "arthropathy")
    worn: dict[JointKey, float] = {}
    person = rng.beta(1.5, 2.2)
    for index, level in enumerate(levels):
        middle = person * (0.55 + 0.15 * min(index, 3)) + rng.normal(0, 0.1)
        for side in Side:
            worn[level, side] = float(np.clip(middle + rng.normal(0, 0.08), 0, 1))
    for wish in recipe.joints:
        if wish.arthropathy is not None:
            worn[wish.level, Side(wish.side)] = wish.arthropathy
    return worn


def draw_grades(seed: int, recipe: Recipe, levels: tuple[str, ...], visit: str) -> dict[JointKey, int]:
    """Draw the grade that each joint is asked to show at a visit."""
    keys = [(level, side) for level in levels for side in Side]
    rng = stream(seed, "grades")
    weights = np.array(recipe.grade_weights) / sum(recipe.grade_weights)
    drawn = rng.choice(GRADES, size=len(keys), p=weights)
    quiet = recipe.unlisted_joints == "quiet"
    grades = {key: int(grade > 2) if quiet else int(grade) for key, grade in zip(keys, drawn, strict=True)}
    if visit == "follow_up":
        grades = _a_year_later(seed, recipe, grades)
    for wish in recipe.joints:
        if wish.visit in (visit, "both"):
            grades[wish.level, Side(wish.side)] = wish.grade
    return grades


def _a_year_later(seed: int, recipe: Recipe, grades: Mapping[JointKey, int]) -> dict[JointKey, int]:
    """Better, unchanged or worse by one to two grades, with the recipe's chances."""
    rng = stream(seed, "year")
    better, same, _worse = recipe.follow_up_change
    later: dict[JointKey, int] = {}
    for key, grade in grades.items():
        chance, steps = rng.random(), int(rng.integers(1, 3))
        listed = recipe.unlisted_joints == "quiet"
        direction = 0 if listed or better <= chance < better + same else (-1 if chance < better else 1)
        later[key] = int(np.clip(grade + direction * steps, 0, 4))
    return later


def draw_findings(
    seed: int, grades: Mapping[JointKey, int], earlier: Mapping[JointKey, int] | None = None
) -> dict[JointKey, Finding]:
    """Draw what each joint shows for its grade.

    A joint whose grade is the same as at the `earlier` visit shows exactly the same; the draws of one joint never
    depend on another's grade.
    """
    findings: dict[JointKey, Finding] = {}
    for key, grade in grades.items():
        unchanged = earlier is not None and earlier.get(key) == grade
        salt = "" if earlier is None or unchanged else "later"
        name = f"finding{key[0]}{key[1]}"
        finding = draw_finding(grade, stream(seed, name), stream(seed, name + salt))
        if earlier is not None and not unchanged and key in earlier:
            before = draw_finding(earlier[key], stream(seed, name), stream(seed, name))
            finding = _in_step(finding, before, better=grade < earlier[key])
        findings[key] = finding
    return findings


def _in_step(finding: Finding, before: Finding, *, better: bool) -> Finding:
    """Let fluid, recess and capsule follow the grade's way; the joint's own place on its perimeter stays."""
    if finding.fluid_width_mm < LEAST_ABNORMAL_FLUID_MM or before.fluid_width_mm < LEAST_ABNORMAL_FLUID_MM:
        return finding
    scale, pick = (LESS, min) if better else (1 / LESS, max)
    fluid = pick(finding.fluid_width_mm, scale * before.fluid_width_mm)
    return replace(
        finding,
        fluid_width_mm=float(np.clip(fluid, LEAST_ABNORMAL_FLUID_MM, MOST_FLUID_MM)),
        recess_mm=pick(finding.recess_mm, before.recess_mm),
        synovitis=pick(finding.synovitis, before.synovitis),
    )


def draw_finding(grade: int, person: np.random.Generator, visit: np.random.Generator) -> Finding:
    """Draw a finding that should be judged as a grade."""
    middle = float(np.clip(person.normal(0.385, 0.1), 0.2, 0.6))
    strength = float(visit.uniform(0.7, 1.0))
    if grade == 0:
        return Finding(
            fluid_width_mm=float(visit.choice([0.0, 0.25, 0.4, 0.6, 0.8], p=[0.1, 0.25, 0.3, 0.25, 0.1]))
        )
    fluid = float(visit.uniform(1.25, 2.8))
    recess = float(visit.uniform(0.0, 3.0))
    if grade == 1:
        return Finding(fluid, recess_mm=recess, synovitis=float(visit.uniform(0.3, 1.0)))
    share = float(visit.uniform(0.18, 0.42) if grade == 2 else visit.uniform(0.62, 0.95))
    targets: tuple[str, ...] = ()
    if grade == 4:
        names = [zone.value for zone in EXTENSION_TARGETS]
        count = int(visit.choice([1, 2, 3], p=[0.5, 0.35, 0.15]))
        chosen = set(visit.choice(len(names), size=count, replace=False, p=[0.25, 0.25, 0.25, 0.15, 0.1]))
        targets = tuple(name for index, name in enumerate(names) if index in chosen)
    return Finding(
        fluid,
        recess_mm=recess,
        synovitis=float(visit.uniform(0.5, 1.0)),
        perimeter_share=share,
        perimeter_middle=middle,
        reach_mm=float(visit.uniform(5.6, 7.0) if grade == 4 else visit.uniform(4.6, 5.3)),
        strength=strength,
        extension=targets,
    )
