"""Studies, pairs and cohorts on disk, with their truth tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from lfja_mri.phantom.anatomy import Detail
from lfja_mri.phantom.dicom import write_dicom
from lfja_mri.phantom.enhanced import write_enhanced
from lfja_mri.phantom.recipe import Recipe
from lfja_mri.phantom.study import BASELINE, FOLLOW_UP, PhantomTruth, simulate_study
from lfja_mri.phantom.truth import JointTruth
from lfja_mri.tables import Cell, to_csv, write_text

TRUTH_COLUMNS = (
    "subject",
    "visit",
    "study_key",
    "level",
    "side",
    "status",
    "grade",
    "effusion_width_mm",
    "effusion_volume_mm3",
    "perimeter_fraction",
    "extension",
    "soft_tissue_oedema_volume_mm3",
    "bone_oedema_volume_mm3",
    "oedema_extent_mm",
    "flags",
    "x_lps_mm",
    "y_lps_mm",
    "z_lps_mm",
)
LEVEL_COLUMNS = (
    "subject",
    "visit",
    "study_key",
    "level",
    "x_lps_mm",
    "y_lps_mm",
    "z_lps_mm",
    *(f"{axis}_{part}" for axis in ("cranial", "anterior", "left") for part in "xyz"),
    "disc_depth_mm",
    "disc_width_mm",
    "disc_height_mm",
)
SERIES_COLUMNS = (
    "subject",
    "visit",
    "study_key",
    "series",
    "level",
    "side",
    "x_lps_mm",
    "y_lps_mm",
    "z_lps_mm",
)
Row = dict[str, Cell]


@dataclass(frozen=True)
class PhantomStudy:
    """A study that was written: where, and its rows of the truth tables."""

    study_key: str
    subject: str
    visit: str
    folder: Path
    files: int
    truth: tuple[Row, ...]
    levels: tuple[Row, ...]
    series: tuple[Row, ...]


def generate_study(
    recipe: Recipe, seed: int, out: Path, *, visit: str = BASELINE, detail: Detail = Detail.FULL
) -> PhantomStudy:
    """Write one study as DICOM into a folder and return its truth; the same recipe and seed give the same bytes.

    Raises
    ------
    OutputError
        The folder cannot be written.
    """
    study = simulate_study(recipe, seed, visit=visit, detail=detail)
    files = (write_enhanced if recipe.objects == "enhanced" else write_dicom)(study, out)
    subject = f"{recipe.name}-{seed:05d}"
    names: Row = {"subject": subject, "visit": visit, "study_key": study.truth.study_key}
    return PhantomStudy(
        study_key=study.truth.study_key,
        subject=subject,
        visit=visit,
        folder=out,
        files=len(files),
        truth=tuple(names | _truth_row(joint) for joint in study.truth.joints),
        levels=tuple(names | row for row in _level_rows(study.truth)),
        series=tuple(names | row for row in _series_rows(study.truth)),
    )


def generate_pair(
    recipe: Recipe, seed: int, out: Path, *, detail: Detail = Detail.FULL
) -> tuple[PhantomStudy, PhantomStudy]:
    """Write a person's baseline and follow-up into `out/baseline` and `out/follow_up`."""
    return (
        generate_study(recipe, seed, out / BASELINE, visit=BASELINE, detail=detail),
        generate_study(recipe, seed, out / FOLLOW_UP, visit=FOLLOW_UP, detail=detail),
    )


def generate_cohort(
    out: Path,
    recipe: Recipe,
    seed: int,
    count: int,
    jobs: int = 1,
    *,
    pairs: bool = False,
    detail: Detail = Detail.FULL,
) -> tuple[PhantomStudy, ...]:
    """Write `count` people from `seed` upwards, each in a folder of its own, and the truth tables at the top.

    Parameters
    ----------
    jobs
        Processes at a time; the bytes do not depend on it.
    pairs
        Write a baseline and a follow-up of each person.
    detail
        Fineness of the tissue map; `Detail.QUICK` is for tests.
    """
    task = partial(_person, out, recipe, pairs=pairs, detail=detail)
    seeds = range(seed, seed + count)
    if jobs > 1 and count > 1:
        with ProcessPoolExecutor(min(jobs, count), mp_context=get_context("spawn")) as pool:
            people = list(pool.map(task, seeds))
    else:
        people = [task(each) for each in seeds]
    studies = tuple(study for person in people for study in person)
    write_truth(out, studies)
    return studies


def _person(out: Path, recipe: Recipe, seed: int, *, pairs: bool, detail: Detail) -> tuple[PhantomStudy, ...]:
    folder = out / f"{recipe.name}-{seed:05d}"
    if pairs:
        return generate_pair(recipe, seed, folder, detail=detail)
    return (generate_study(recipe, seed, folder, detail=detail),)


def write_truth(out: Path, studies: Sequence[PhantomStudy]) -> None:
    """Write `truth.csv`, `truth_levels.csv` and `truth_series.csv`."""
    write_text(out / "truth.csv", to_csv(TRUTH_COLUMNS, _joined(study.truth for study in studies)))
    write_text(out / "truth_levels.csv", to_csv(LEVEL_COLUMNS, _joined(study.levels for study in studies)))
    write_text(out / "truth_series.csv", to_csv(SERIES_COLUMNS, _joined(study.series for study in studies)))


def _joined(groups: Iterable[tuple[Row, ...]]) -> list[Row]:
    return [row for group in groups for row in group]


def _truth_row(joint: JointTruth) -> Row:
    x, y, z = (float(value) for value in joint.centre_lps_mm)
    return {
        "level": joint.level.value,
        "side": joint.side.value,
        "status": "graded",
        "grade": joint.grade,
        "effusion_width_mm": joint.effusion_width_mm,
        "effusion_volume_mm3": joint.effusion_volume_mm3,
        "perimeter_fraction": joint.perimeter_fraction,
        "extension": ";".join(joint.extension),
        "soft_tissue_oedema_volume_mm3": joint.soft_tissue_oedema_volume_mm3,
        "bone_oedema_volume_mm3": joint.bone_oedema_volume_mm3,
        "oedema_extent_mm": joint.oedema_extent_mm,
        "flags": ";".join(joint.flags),
        "x_lps_mm": x,
        "y_lps_mm": y,
        "z_lps_mm": z,
    }


def _level_rows(truth: PhantomTruth) -> list[Row]:
    rows: list[Row] = []
    for disc in truth.discs:
        row: Row = {"level": disc.name}
        row |= {f"{part}_lps_mm": float(v) for part, v in zip("xyz", disc.frame.origin, strict=True)}
        for axis, vector in zip(("anterior", "left", "cranial"), disc.frame.axes, strict=True):
            row |= {f"{axis}_{part}": float(v) for part, v in zip("xyz", vector, strict=True)}
        row |= {
            "disc_depth_mm": 2 * disc.half_depth_mm,
            "disc_width_mm": 2 * disc.half_width_mm,
            "disc_height_mm": disc.height_mm,
        }
        rows.append(row)
    return rows


def _series_rows(truth: PhantomTruth) -> list[Row]:
    rows: list[Row] = []
    for plan in truth.plans:
        for joint in truth.joints:
            place = plan.moved(joint.centre_lps_mm)
            row: Row = {"series": plan.name, "level": joint.level.value, "side": joint.side.value}
            row |= {f"{part}_lps_mm": float(v) for part, v in zip("xyz", place, strict=True)}
            rows.append(row)
    return rows
