"""Many evaluation phantoms, each made and graded once; only what came out is kept, a few hundred kB a phantom.

A row is named by a digest of all code, settings and weights that decide it, so an evaluation that was stopped goes on
where it was, and one of other code starts anew. One phantom takes about 30 s of one processor.

    python -m benchmarks.graded_phantoms --phantoms 100 --jobs 2 [--minutes 25]
"""

from __future__ import annotations

import argparse
import os
import pickle
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from benchmarks.phantoms import (
    ROOT,
    digest_of,
    evaluation_count,
    evaluation_recipe,
    evaluation_seeds,
    kept_path,
    write_whole,
)
from benchmarks.phantoms import kept as kept_phantom
from lfja_mri.model import FloatArray, Graded, JointResult, StudyImages, StudyResult, Zones
from lfja_mri.phantom import PhantomTruth, simulate
from lfja_mri.pipeline import grade_images, prepare

ROWS = ROOT / "evaluation_output" / "grading"
GAINS = (0.2, 0.5, 2.0, 5.0)
GAIN_EVERY, GAIN_STUDIES = 14, 3
DECIDING = (
    "config.py",
    "geometry.py",
    "model",
    "pipeline.py",
    "settings",
    "facets",
    "grading",
    "levels",
    "phantom",
)
DECIDING_SETTINGS = ("pipeline.toml", "joint_outline.csv", "grading", "phantom")


@dataclass(frozen=True, eq=False)
class GradedPhantom:
    """What the pipeline said of one phantom, without images and zones, and what is true.

    `with_gain` holds the grades of the same images multiplied by a gain; empty where that was not tried.
    """

    recipe: str
    seed: int
    result: StudyResult
    truth: PhantomTruth
    with_gain: tuple[tuple[int | None, ...], ...] = ()


def graded_phantoms(count: int | None = None) -> Iterator[GradedPhantom]:
    """Yield the first so many evaluation phantoms, graded now unless they are kept."""
    for number, (recipe, seed) in enumerate(evaluation_seeds(count)):
        yield _graded_or_kept(number, recipe, seed)


def grade_ahead(count: int, jobs: int, most_s: float) -> int:
    """Grade what is not kept yet in several processes, start none after so many seconds, and return how many are kept."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # read by the processes that are started below
    started = time.monotonic()
    waiting = [one for one in enumerate(evaluation_seeds(count)) if not _row_path(*one[1]).is_file()]
    done = count - len(waiting)
    running: set[Future[str]] = set()
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        while running or (waiting and time.monotonic() - started < most_s):
            while waiting and len(running) < jobs and time.monotonic() - started < most_s:
                number, pair = waiting.pop(0)
                running.add(pool.submit(_grade_one, number, *pair))
            ready, running = wait(running, return_when=FIRST_COMPLETED)
            for future in ready:
                done += 1
                print(f"{done} of {count}: {future.result()}, {time.monotonic() - started:.0f} s", flush=True)
    return done


def kept_rows(count: int) -> list[GradedPhantom]:
    """Return what is kept of the first so many evaluation phantoms, without making any."""
    return [_read(path) for pair in evaluation_seeds(count) if (path := _row_path(*pair)).is_file()]


def _grade_one(number: int, recipe: str, seed: int) -> str:
    _graded_or_kept(number, recipe, seed)
    return f"{recipe} {seed}"


def _graded_or_kept(number: int, recipe: str, seed: int) -> GradedPhantom:
    path = _row_path(recipe, seed)
    if path.is_file():
        return _read(path)
    images, truth = _images(recipe, seed)
    road = prepare()
    result = grade_images(images, road)
    try_gains = number % GAIN_EVERY == 1 and number < GAIN_EVERY * GAIN_STUDIES
    gains = tuple(_grades(grade_images(with_gain(images, gain), road)) for gain in GAINS if try_gains)
    row = GradedPhantom(recipe, seed, _slim(result), truth, gains)
    write_whole(path, pickle.dumps(row))
    return row


def _images(recipe: str, seed: int) -> tuple[StudyImages, PhantomTruth]:
    """Return the images; where they are not kept for another topic, they are not kept for this one either."""
    if kept_path(recipe, seed).is_file():
        phantom = kept_phantom(recipe, seed)
        return phantom.images, phantom.truth
    return simulate(evaluation_recipe(recipe), seed)


def with_gain(images: StudyImages, gain: float) -> StudyImages:
    """Return the images with every signal multiplied."""
    scaled = [
        replace(image, volume=replace(image.volume, values_zyx=image.volume.values_zyx * np.float32(gain)))
        for image in images.images
    ]
    return replace(images, images=tuple(scaled))


def _grades(result: StudyResult) -> tuple[int | None, ...]:
    return tuple(one.outcome.grade if isinstance(one.outcome, Graded) else None for one in result.joints)


def _slim(result: StudyResult) -> StudyResult:
    """Drop what takes room: images, tissue labels, zones."""
    levels = None if result.level_map is None else replace(result.level_map, tissues=())
    return replace(
        result, level_map=levels, images=(), joints=tuple(_without_zones(one) for one in result.joints)
    )


def _without_zones(result: JointResult) -> JointResult:
    if result.joint is None:
        return result
    empty = np.zeros((1, 1, 1), dtype=np.uint8)
    place: FloatArray = result.joint.zones.voxel_to_lps
    return replace(result, joint=replace(result.joint, zones=Zones(empty, empty, place, 1)))


def _row_path(recipe: str, seed: int) -> Path:
    return ROWS / f"{recipe}-{seed}-{grading_digest()}.pickle"


def _read(path: Path) -> GradedPhantom:
    row: GradedPhantom = pickle.loads(path.read_bytes())  # noqa: S301 - written by this module
    return row


@cache
def grading_digest() -> str:
    """Return a digest of everything that decides what comes out for a phantom."""
    code = [ROOT / "lfja_mri" / name for name in DECIDING]
    return digest_of([*code, *(ROOT / "configs" / name for name in DECIDING_SETTINGS), Path(__file__)])


def main(arguments: Sequence[str] | None = None) -> None:
    """Grade evaluation phantoms ahead of `make evaluate`, which then reads what is kept."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--phantoms", type=int, default=evaluation_count())
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=1e9, help="start no phantom after so many minutes")
    asked = parser.parse_args(arguments)
    done = grade_ahead(asked.phantoms, asked.jobs, 60 * asked.minutes)
    print(f"{done} of {asked.phantoms} phantoms are graded")


if __name__ == "__main__":
    # A kept row names its class by its module; written by `__main__` nobody else could read it.
    import_module("benchmarks.graded_phantoms").main()
