"""How like a real study the phantom is: the same measurements on both, in the same places.

Each row is a phantom figure; its target is a band around what was measured on the one real study. Where that is absent
the row has no target. Nothing of the real study is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
import numpy.typing as npt

from benchmarks.evaluate_real_study import REFERENCE, STUDY, point, read_points
from benchmarks.phantom_cost import cost_rows
from benchmarks.phantom_histograms import Scan, histogram_rows
from benchmarks.rows import Row
from lfja_mri.config import load_pipeline_settings
from lfja_mri.geometry import apply, sample
from lfja_mri.ingest import find_studies, read_study
from lfja_mri.model import Contrast, Image, Level, Plane, Side, StudyImages
from lfja_mri.phantom import PhantomTruth, load_recipe, simulate
from lfja_mri.phantom.numbers import base_numbers
from lfja_mri.phantom.person import draw_person
from lfja_mri.phantom.skeleton import Posture

SEEDS = tuple(range(10000, 10006))
SERIES = ("sagittal_t1", "sagittal_t2", "sagittal_stir")
ONTO_DISC_MM = np.array(
    [0.0, -22.0, 0.0]
)  # the experts' canal points lie 18 to 25 mm behind the discs' middles
MIDDLE_LEVELS = ("L2-L3", "L3-L4", "L5-S1")
DATA = f"phantom seeds {SEEDS[0]}-{SEEDS[-1]}; bands from real RSNA LumbarDISC 100206310"
HISTOGRAM_DATA = f"phantom seeds {SEEDS[0]}-{SEEDS[-1]}; real VB1, VB2, IVD volumes and RSNA 100206310"
SHAPE_SEEDS = range(10000, 10060)
MEAN_BEHIND_DISC_MM = {"L2-L3": 34.0, "L3-L4": 33.0, "L4-L5": 30.5}  # clinical.md 7.3
QUIET = {
    (level.value, side): 0 for level in Level for side in Side
}  # the real study shows next to no synovitis
MUSCLE_MM = ((25.0, 32.0, 0.0), (-25.0, 32.0, 0.0))
MARROW_MM = ((0.0, -25.0, 16.0),)
DISC_MM = ((0.0, -24.0, 0.0),)
Points = Mapping[str, npt.NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class Subject:
    """One study with a canal point per level, in the frame of each image."""

    name: str
    images: StudyImages
    canal: Callable[[str], Points]
    discs: Callable[[str], npt.NDArray[np.float64]]

    def scans(self) -> list[Scan]:
        """Return its sagittal images with the places of the discs."""
        images = [image for image in self.images.images if image.role.plane is Plane.SAGITTAL]
        return [Scan(self.name, each.role.contrast, each.volume, self.discs(each.key)) for each in images]


@dataclass(frozen=True)
class Likeness:
    """One measurement: its name, where it is taken, and the factor by which phantom and real may differ."""

    name: str
    contrast: Contrast
    measure: Callable[[Image, Points], float]
    factor: float


def rows() -> list[Row]:
    """Return the realism table, and the time a study takes."""
    phantoms, real = _phantoms(), _real()
    table = [_row(likeness, phantoms, real) for likeness in LIKENESSES]
    scans = [scan for subject in phantoms for scan in subject.scans()]
    histograms = histogram_rows(scans, [] if real is None else real.scans(), HISTOGRAM_DATA)
    return [*table, *histograms, *_joint_rows(), *cost_rows()]


def _row(likeness: Likeness, phantoms: tuple[Subject, ...], real: Subject | None) -> Row:
    values = [value for subject in phantoms for value in [_taken(likeness, subject)] if np.isfinite(value)]
    middle = float(np.median(values))
    text = f"{middle:.3f} ({min(values):.3f} to {max(values):.3f})"
    name = f"phantom realism: {likeness.name}"
    if real is None:
        return Row(name, text, "real data absent", None, DATA)
    truth = _taken(likeness, real)
    low, high = truth / likeness.factor, truth * likeness.factor
    return Row(name, text, f"{low:.3f} to {high:.3f} (real {truth:.3f})", low <= middle <= high, DATA)


def _taken(likeness: Likeness, subject: Subject) -> float:
    images = subject.images.of(Plane.SAGITTAL, likeness.contrast)
    return likeness.measure(images[0], subject.canal(images[0].key)) if images else float("nan")


@cache
def _phantoms() -> tuple[Subject, ...]:
    recipe = load_recipe("routine_clinical")
    subjects = []
    for seed in SEEDS:
        images, truth = simulate(recipe, seed, series=SERIES, grades=QUIET)
        level_points = dict(
            zip(
                [disc.name for disc in truth.discs],
                _lumbar(truth.canal_line_lps_mm, len(truth.discs)),
                strict=True,
            )
        )
        centres = np.array([disc.frame.origin for disc in truth.discs])
        places = partial(_moved, truth, level_points)
        subjects.append(Subject(str(seed), images, places, partial(truth.moved, points_lps_mm=centres)))
    return tuple(subjects)


def _moved(truth: PhantomTruth, points: Points, key: str) -> Points:
    return {level: truth.moved(key, place) for level, place in points.items()}


def _lumbar(line: npt.NDArray[np.float64], count: int) -> npt.NDArray[np.float64]:
    """The canal points behind the graded discs: three discs lie above them."""
    return line[3 : 3 + count]


@cache
def _real() -> Subject | None:
    if not STUDY.is_dir():
        return None
    settings = load_pipeline_settings().ingest
    images = read_study(find_studies([STUDY], settings).studies[0], settings)
    rows = read_points(STUDY / "expert_points.csv")
    canal = {row["level"]: point(row) for row in rows if row["condition"].startswith("spinal")}
    discs = np.array([canal[level.value] + ONTO_DISC_MM for level in Level if level.value in canal])
    return Subject("rsna", images, lambda _key: canal, lambda _key: discs)


def _patch(image: Image, centre: npt.NDArray[np.float64], half_mm: float = 3.0) -> npt.NDArray[np.float64]:
    step = np.arange(-half_mm, half_mm + 0.5)
    grid = np.stack(np.meshgrid([-1.0, 0.0, 1.0], step, step, indexing="ij"), axis=-1).reshape(-1, 3)
    values = sample(image.volume, centre + grid)
    return values[np.isfinite(values)]


def fluid(image: Image, canal: Points) -> float:
    """Bright end of the sac where it is not crowded."""
    return float(max(np.percentile(_patch(image, canal[level]), 90) for level in MIDDLE_LEVELS))


def _ratio(offsets: tuple[tuple[float, float, float], ...]) -> Callable[[Image, Points], float]:
    def measure(image: Image, canal: Points) -> float:
        patches = [_patch(image, canal[level] + offset) for level in MIDDLE_LEVELS[:2] for offset in offsets]
        middles = [np.median(patch) for patch in patches if len(patch)]
        return float(np.median(middles)) / fluid(image, canal)

    return measure


def _texture(offset: tuple[float, float, float]) -> Callable[[Image, Points], float]:
    def measure(image: Image, canal: Points) -> float:
        patches = [_patch(image, canal[level] + offset) for level in MIDDLE_LEVELS[:2]]
        return float(np.median([patch.std() / max(np.median(patch), 1) for patch in patches]))

    return measure


def noise(image: Image, canal: Points) -> float:
    """Spread of the signal within muscle over fluid: noise and grain together."""
    patches = [_patch(image, canal[level] + offset) for level in MIDDLE_LEVELS[:2] for offset in MUSCLE_MM]
    return float(np.median([patch.std() for patch in patches if len(patch)])) / fluid(image, canal)


def subcutaneous(image: Image, canal: Points) -> float:
    """Brightest fat behind the spinous processes, over muscle."""
    levels = [canal[level] for level in MIDDLE_LEVELS[:2]]
    steps = [np.array([0.0, y, 0.0]) for y in np.arange(40, 100, 3.0)]
    patches = [_patch(image, level + step, 1.0) for level in levels for step in steps]
    muscle = _ratio(MUSCLE_MM)(image, canal) * fluid(image, canal)
    return float(max(np.median(patch) for patch in patches if len(patch))) / muscle


def sharpness(image: Image, canal: Points) -> float:
    """Steepest change per millimetre at the front of the sac, as a share of fluid."""
    slopes = []
    for level in MIDDLE_LEVELS:
        line = canal[level] + np.stack([np.zeros(60), np.linspace(-15, 6, 60), np.zeros(60)], axis=1)
        profile = sample(image.volume, line)
        slopes.append(np.nanmax(np.abs(np.diff(profile))) / (21 / 59))
    return float(np.median(slopes)) / fluid(image, canal)


def spread(image: Image, canal: Points) -> float:
    """Share of pixels round the lower lumbar spine that are brighter than half of fluid."""
    middle = canal["L4-L5"]
    inverse = image.volume.lps_to_voxel
    low, high = (apply(inverse, middle + np.array(c)) for c in ((-20.0, -45.0, -40.0), (20.0, 35.0, 40.0)))
    first = np.maximum(np.floor(np.minimum(low, high)).astype(int), 0)
    last = np.ceil(np.maximum(low, high)).astype(int) + 1
    box = image.volume.values_zyx[first[2] : last[2], first[1] : last[1], first[0] : last[0]]
    return float((box > 0.5 * fluid(image, canal)).mean())


LIKENESSES = (
    Likeness("muscle / CSF on STIR", Contrast.STIR, _ratio(MUSCLE_MM), 1.8),
    Likeness("marrow / CSF on STIR", Contrast.STIR, _ratio(MARROW_MM), 1.8),
    Likeness("disc / CSF on STIR", Contrast.STIR, _ratio(DISC_MM), 2.5),
    Likeness("spread within muscle / CSF on STIR", Contrast.STIR, noise, 1.8),
    Likeness("grain of marrow on STIR", Contrast.STIR, _texture(MARROW_MM[0]), 1.8),
    Likeness("edge of the sac on STIR, share of CSF a mm", Contrast.STIR, sharpness, 1.8),
    Likeness("share of bright pixels round L4-L5 on STIR", Contrast.STIR, spread, 2.0),
    Likeness("subcutaneous fat / muscle on T1", Contrast.T1, subcutaneous, 1.8),
    Likeness("marrow / CSF on T1", Contrast.T1, _ratio(MARROW_MM), 1.8),
    Likeness("muscle / CSF on T1", Contrast.T1, _ratio(MUSCLE_MM), 1.8),
    Likeness("disc / CSF on T1", Contrast.T1, _ratio(DISC_MM), 1.8),
    Likeness("grain of marrow on T1", Contrast.T1, _texture(MARROW_MM[0]), 1.8),
)


def _joint_rows() -> list[Row]:
    """Where the phantoms' joints lie, against the hand reading of the real study and the mean shape of 87 people."""
    apart, behind = _joint_places()
    read = {(row["level"], row["side"]): point(row) for row in read_points(REFERENCE / "rsna_facets.csv")}
    table = []
    for level in ("L1-L2", "L4-L5", "L5-S1"):
        real = float(np.linalg.norm(read[level, "left"] - read[level, "right"]))
        table.append(
            _held(f"left to right joint at {level}, mm", apart[level], real, "hand reading of RSNA 100206310")
        )
    for level, mean_shape in MEAN_BEHIND_DISC_MM.items():
        table.append(
            _held(
                f"joint behind the disc centre at {level}, mm",
                behind[level],
                mean_shape,
                "mean shape, Clouthier 2023",
            )
        )
    return table


def _joint_places() -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Distance between both joints, and of a joint behind the disc centre along its axis, by level (mm)."""
    scoliosis = load_recipe("routine_clinical").scoliosis_deg
    apart: dict[str, list[float]] = {}
    behind: dict[str, list[float]] = {}
    for seed in SHAPE_SEEDS:
        spine = draw_person(
            seed, base_numbers().anatomy, Posture(), arthropathy={}, scoliosis_deg=scoliosis
        ).spine
        joints = {(joint.level, joint.side): joint for joint in spine.graded_joints()}
        for level in dict.fromkeys(level for level, _ in joints):
            left, right = joints[level, Side.LEFT], joints[level, Side.RIGHT]
            apart.setdefault(level, []).append(float(np.linalg.norm(left.frame.origin - right.frame.origin)))
            disc = spine.discs[left.disc].frame
            behind.setdefault(level, []).append(-float(disc.from_lps(left.frame.origin)[0]))
    return apart, behind


def _held(what: str, values: list[float], reference: float, source: str) -> Row:
    low, middle, high = np.percentile(values, [2.5, 50, 97.5])
    return Row(
        f"phantom realism: {what}",
        f"{middle:.1f} (95 % {low:.1f} to {high:.1f})",
        f"its 95 % holds {reference:.1f}",
        bool(low <= reference <= high),
        f"phantom seeds {SHAPE_SEEDS[0]}-{SHAPE_SEEDS[-1]}; {source}",
    )
