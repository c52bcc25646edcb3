"""Levels on phantoms that nothing was tuned on: normal counts, and the variants one by one.

Only the sagittal series are simulated, on coarser lattices. A study is right where every lumbar disc carries its name and
lies within 6 mm of its place in one of the series' frames (people move between series); flagged where the map bears a
flag, or where the levels were refused.

Variants are those of the count (six or four lumbar vertebrae, a sacralised L5, T12 without ribs) and of the shape of the
junction (a squared S1 with a disc below it, as in O'Driscoll's type 4; the lumbar vertebrae number five). Whether confidence
keeps its word is asked of people as they come, whose variants are as frequent as the recipes have them.

    python -m benchmarks.level_phantoms
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from benchmarks.level_pictures import draw_levels, wrong_cases
from benchmarks.rows import Row
from benchmarks.sure_levels import NEAR_MM, calibration_row, sure_levels_right
from lfja_mri.config import load_pipeline_settings
from lfja_mri.errors import LevelsError
from lfja_mri.levels import locate
from lfja_mri.model import LevelMap
from lfja_mri.phantom import PhantomTruth, load_recipe, simulate
from lfja_mri.phantom.anatomy import Detail
from lfja_mri.phantom.recipe import Recipe, VariantWeights
from lfja_mri.settings.levels import LevelsSettings

FIRST_SEED = 15000
RECIPES = ("routine_clinical", "trial", "trial_dixon", "post_contrast")
NORMAL, VARIANT_COUNT = "standard", 4
NORMAL_RUNS = ((FIRST_SEED, 20), (FIRST_SEED + 100, 80))  # (first seed, how many): a hundred can show 99 %
VARIANTS = ("l6", "four_lumbar", "sacralised", "t12_without_ribs", "squared_s1")
FIRST_VARIANT_SEED = FIRST_SEED + 20
AS_THEY_COME, COMERS, FIRST_COMER_SEED = "as they come", 60, FIRST_SEED + 200
JOBS = 2
NORMAL_TARGET, VARIANT_TARGET, FALSE_FLAG_TARGET = 0.99, 0.94, 0.05
PICTURES = Path(__file__).resolve().parent.parent / "build" / "levels"


@dataclass(frozen=True, eq=False)
class NamedPhantom:
    """What became of one phantom's levels; `sure` tells of each name that counts as sure whether it is right."""

    name: str
    variant: str
    right: bool
    flags: tuple[str, ...]
    confidence: float
    sure: tuple[bool, ...]
    discs: int

    @property
    def flagged(self) -> bool:
        """True where the reader is told to doubt the names."""
        return bool(self.flags)


def phantoms_to_name() -> list[tuple[str, int, str]]:
    """Return (recipe, seed, variant) of every phantom; recipes take turns."""
    normal = [(first + number, NORMAL) for first, count in NORMAL_RUNS for number in range(count)]
    kinds = [variant for variant in VARIANTS for _ in range(VARIANT_COUNT)]
    variants = [(FIRST_VARIANT_SEED + number, variant) for number, variant in enumerate(kinds)]
    comers = [(FIRST_COMER_SEED + number, AS_THEY_COME) for number in range(COMERS)]
    everyone = (*normal, *variants, *comers)
    return [(RECIPES[seed % len(RECIPES)], seed, variant) for seed, variant in everyone]


def name_phantom(
    recipe_name: str, seed: int, variant: str, settings: LevelsSettings, pictures: Path | None = None
) -> NamedPhantom:
    """Simulate one phantom's sagittal series and name its levels; draw it where it is wrong or flagged."""
    recipe = _of_variant(load_recipe(recipe_name), variant)
    sagittal = tuple(name for name in recipe.series if name.startswith("sagittal"))
    images, truth = simulate(recipe, seed, series=sagittal, detail=Detail.QUICK)
    name = f"{recipe_name} {seed}"
    try:
        found = locate(images, settings)
    except LevelsError:
        found = None
    right = found is not None and any(all_near(found, truth, image.key) for image in images.images)
    if pictures is not None and (found is None or found.flags or not right):
        image = images.images[0]
        true = {disc.level: truth.moved(image.key, disc.frame.origin) for disc in truth.discs if disc.level}
        target = pictures / f"{variant}_{recipe_name}_{seed}.png"
        draw_levels(image.volume, true, found, f"{name} ({variant})", target)
    if found is None:
        return NamedPhantom(name, variant, right=False, flags=("refused",), confidence=0.0, sure=(), discs=0)
    return NamedPhantom(
        name,
        variant,
        right,
        found.flags,
        min(disc.confidence for disc in found.discs),
        sure_levels_right(found, truth),
        len(found.discs),
    )


def _of_variant(recipe: Recipe, variant: str) -> Recipe:
    """Return a recipe all of whose people have one variant; the recipe itself for people as they come."""
    if variant == AS_THEY_COME:
        return recipe
    weights = {name: float(name == variant) for name in VariantWeights.model_fields}
    return recipe.model_copy(update={"variants": VariantWeights(**weights)})


def all_near(found: LevelMap, truth: PhantomTruth, image_key: str) -> bool:
    """Tell whether every lumbar disc is named and near its place in the frame of one image."""
    for true in truth.discs:
        disc = found.disc(true.level) if true.level is not None else None
        place = truth.moved(image_key, true.frame.origin)
        if disc is None or np.linalg.norm(disc.centre_lps_mm - place) > NEAR_MM:
            return False
    return True


def named_phantoms(settings: LevelsSettings, pictures: Path | None = None) -> Iterator[NamedPhantom]:
    """Name every phantom of the evaluation, some at a time; the order is always the same."""
    alone = settings.model_copy(update={"threads": 1})
    with ProcessPoolExecutor(JOBS, mp_context=get_context("spawn")) as pool:
        yield from pool.map(_named, [(*one, alone, pictures) for one in phantoms_to_name()])


def _named(task: tuple[str, int, str, LevelsSettings, Path | None]) -> NamedPhantom:
    return name_phantom(*task)


def rows(pictures: Path | None = None) -> list[Row]:
    """Return the rows on phantoms; pictures of failures and of flagged ones go to a folder."""
    return phantom_rows(list(named_phantoms(load_pipeline_settings().levels, pictures)))


def phantom_rows(cases: Sequence[NamedPhantom]) -> list[Row]:
    """Rows on normal counts, on variants, and on each kind of variant."""
    seeds = f"evaluation phantoms, seeds {FIRST_SEED} up, sagittal series alone"
    normal = [case for case in cases if case.variant == NORMAL]
    variant = [case for case in cases if case.variant in VARIANTS]
    comers = [case for case in cases if case.variant == AS_THEY_COME]
    right = sum(case.right for case in normal)
    wrong = wrong_cases([case.name for case in normal if not case.right])
    falsely = sum(case.flagged for case in normal)
    caught = sum(case.right or case.flagged for case in variant)
    kinds = "; ".join(f"{kind} {_caught(variant, kind)}" for kind in VARIANTS)
    return [
        Row(
            "phantoms of normal count: every lumbar disc named right and within 6 mm",
            f"{right} of {len(normal)} ({wrong})",
            ">= 99 %",
            right >= NORMAL_TARGET * len(normal),
            f"{len(normal)} {seeds}",
        ),
        Row(
            "phantoms of normal count that bear a flag about numbering",
            f"{falsely} of {len(normal)}",
            "<= 5 %",
            falsely <= FALSE_FLAG_TARGET * len(normal),
            f"{len(normal)} {seeds}",
        ),
        Row(
            "phantoms of variant count or junction: right or flagged",
            f"{caught} of {len(variant)} ({kinds})",
            ">= 94 %",
            caught >= VARIANT_TARGET * len(variant),
            f"{len(variant)} {seeds}",
        ),
        calibration_row(
            [sure for case in comers for sure in case.sure],
            sum(case.discs for case in comers),
            f"{len(comers)} evaluation phantoms as they come, seeds {FIRST_COMER_SEED} up, sagittal series alone",
        ),
    ]


def _caught(cases: Sequence[NamedPhantom], kind: str) -> str:
    chosen = [case for case in cases if case.variant == kind]
    return f"{sum(case.right or case.flagged for case in chosen)} of {len(chosen)}"


def main() -> None:
    """Print every phantom, then the rows."""
    cases = []
    for case in named_phantoms(load_pipeline_settings().levels, PICTURES):
        cases.append(case)
        print(
            case.name,
            case.variant,
            "right" if case.right else "WRONG",
            ",".join(case.flags) or "-",
            f"{case.confidence:.2f}",
            flush=True,
        )
    for row in phantom_rows(cases):
        print(f"{row.figure}: {row.value} (target {row.target})")


if __name__ == "__main__":
    main()
