"""The evaluation phantoms, made once and kept: seeds from 10000 up, which nothing was tuned on.

Simulating is the slow part of an evaluation, so studies are kept below `evaluation_output/phantoms`, named by a digest of
the code and configuration that made them: a changed phantom is made anew.

    python -m benchmarks.phantoms [--jobs 2]     # make them ahead of time
"""

from __future__ import annotations

import argparse
import hashlib
import pickle
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from lfja_mri.model import StudyImages, StudyResult
from lfja_mri.phantom import PhantomTruth, load_recipe, simulate
from lfja_mri.pipeline import grade_images, prepare

ROOT = Path(__file__).resolve().parent.parent
KEPT = ROOT / "evaluation_output" / "phantoms"
FIRST_SEED = 10000
COUNTS = {"routine_clinical": 10, "trial": 10, "trial_dixon": 4, "post_contrast": 4}


@dataclass(frozen=True, eq=False)
class Simulated:
    """One evaluation phantom with its truth."""

    recipe: str
    seed: int
    images: StudyImages
    truth: PhantomTruth


def evaluation_seeds() -> list[tuple[str, int]]:
    """Return (recipe, seed) of every evaluation phantom; no seed serves two recipes."""
    pairs = []
    seed = FIRST_SEED
    for recipe, count in COUNTS.items():
        pairs += [(recipe, seed + number) for number in range(count)]
        seed += 1000
    return pairs


def evaluation_phantoms(*recipes: str) -> Iterator[Simulated]:
    """Yield the evaluation phantoms of some recipes, or of all."""
    for recipe, seed in evaluation_seeds():
        if not recipes or recipe in recipes:
            yield kept(recipe, seed)


def kept(recipe: str, seed: int) -> Simulated:
    """Return one phantom, made now unless it is kept."""
    path = KEPT / f"{recipe}-{seed}-{phantom_digest()}.pickle"
    if path.is_file():
        return Simulated(recipe, seed, *pickle.loads(path.read_bytes()))  # noqa: S301 - written by this module
    made = simulate(load_recipe(recipe), seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_bytes(pickle.dumps(made))
    partial.replace(path)
    return Simulated(recipe, seed, *made)


@cache
def graded(recipe: str, seed: int) -> tuple[StudyResult, PhantomTruth]:
    """Grade one evaluation phantom through the whole pipeline; kept for as long as the process runs."""
    phantom = kept(recipe, seed)
    return grade_images(phantom.images, prepare()), phantom.truth


@cache
def phantom_digest() -> str:
    """Return a digest of everything that decides what a phantom looks like."""
    folders = (ROOT / "lfja_mri" / "phantom", ROOT / "configs" / "phantom")
    files = sorted(
        path for folder in folders for path in folder.rglob("*") if path.suffix in {".py", ".toml"}
    )
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:10]


def _make(pair: tuple[str, int]) -> str:
    kept(*pair)
    return f"{pair[0]} {pair[1]}"


def main() -> None:
    """Make every evaluation phantom that is not kept yet."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--jobs", type=int, default=1)
    with ProcessPoolExecutor(parser.parse_args().jobs) as pool:
        for done in pool.map(_make, evaluation_seeds()):
            print(done, flush=True)


if __name__ == "__main__":
    main()
