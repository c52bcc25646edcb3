"""Sagittal slices of our own phantoms with their true tissues, for sacra that no SPIDER person has.

The phantoms come from training seeds that nothing else uses. Variants of the junction are drawn far more often than among
people, since they are what the network is to learn: a slope, a square S1 or six lumbar vertebrae must not make it one off.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from data import BACKGROUND, BODY, CANAL, DISC, IGNORE, PIXEL_MM, POSTERIOR, S1, S2, Sample, scale_grey

from lfja_mri.geometry import apply
from lfja_mri.phantom import Detail, load_recipe
from lfja_mri.phantom.anatomy import build_tissue_map
from lfja_mri.phantom.findings import draw_findings
from lfja_mri.phantom.numbers import base_numbers
from lfja_mri.phantom.person import Person
from lfja_mri.phantom.planning import SeriesPlan, StackPlan
from lfja_mri.phantom.recipe import VariantWeights
from lfja_mri.phantom.skeleton import VertebraShape
from lfja_mri.phantom.study import SimulatedStudy, draw_grades, simulate_study
from lfja_mri.phantom.tissue import Lattice, Part

FIRST_SEED = 800
SERIES = ("sagittal_t2", "sagittal_t1", "sagittal_stir")
PLANES_A_SERIES = 3
MIDDLE_MM = 12.0
VARIANTS = VariantWeights(
    standard=0.6, l6=0.08, four_lumbar=0.08, sacralised=0.04, squared_s1=0.15, t12_without_ribs=0.05
)
LEARNT = {
    Part.BODY: BODY,
    Part.PEDICLE: POSTERIOR,
    Part.SUPERIOR_PROCESS: POSTERIOR,
    Part.INFERIOR_PROCESS: POSTERIOR,
    Part.LAMINA: POSTERIOR,
    Part.TRANSVERSE_PROCESS: POSTERIOR,
    Part.SPINOUS_PROCESS: POSTERIOR,
    Part.CANAL: CANAL,
    Part.DISC: DISC,
    Part.SACRUM: IGNORE,
}
CLASS_OF_PART = np.array([LEARNT.get(Part(code), BACKGROUND) for code in range(len(Part))], dtype=np.uint8)
SACRAL = {"S1": S1, "S2": S2}

Points = npt.NDArray[np.float64]
Labels = npt.NDArray[np.uint8]


def load_phantoms(count: int, folder: Path) -> list[Sample]:
    """Return the slices of so many phantoms, in the order of their seeds; a person's number is minus the seed.

    Each is made once, in about 15 s, and kept in the folder. What is kept does not know of later changes to the phantom:
    empty the folder after one.
    """
    return [sample for seed in range(FIRST_SEED, FIRST_SEED + count) for sample in _kept(seed, folder)]


def _kept(seed: int, folder: Path) -> list[Sample]:
    path = folder / f"phantom_{seed}.pickle"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pickle.dumps(list(_samples(seed))))
    samples: list[Sample] = pickle.loads(path.read_bytes())  # noqa: S301 - written by this module
    return samples


def _samples(seed: int) -> Iterator[Sample]:
    recipe = load_recipe("routine_clinical").model_copy(update={"variants": VARIANTS})
    study = simulate_study(recipe, seed, series=SERIES, detail=Detail.QUICK)
    lattices = _lattices(study)
    rng = np.random.default_rng(seed)
    for series in study.series:
        for stack, pixels in zip(series.plan.stacks, series.stacks, strict=True):
            for plane in _chosen(stack, study.person, rng):
                place = _on_grid(stack, plane)
                index = np.rint(apply(np.linalg.inv(stack.voxel_to_lps), place)).astype(int)
                image = _nearest(pixels, index)
                classes = _classes(_at_rest(place, series.plan), lattices, study.person)
                yield Sample(-seed, scale_grey(image), classes, PIXEL_MM)


def _lattices(study: SimulatedStudy) -> tuple[Lattice, ...]:
    """Paint the person of a study again, for the parts under every pixel."""
    levels = tuple(dict.fromkeys(joint.level.value for joint in study.truth.joints))
    findings = draw_findings(study.seed, draw_grades(study.seed, study.recipe, levels, "baseline"), None)
    corners = np.concatenate([stack.corners_lps_mm for plan in study.truth.plans for stack in plan.stacks])
    world = build_tissue_map(
        study.person,
        findings,
        base_numbers(),
        Detail.QUICK,
        confounders=study.recipe.confounders,
        imaged_lps_mm=corners,
    )
    return world.lattices


def _chosen(stack: StackPlan, person: Person, rng: np.random.Generator) -> list[int]:
    """Draw planes near the middle of the lumbar discs."""
    discs = [disc.frame.origin for disc in person.spine.discs if disc.level is not None]
    middle = apply(np.linalg.inv(stack.voxel_to_lps), np.mean(discs, axis=0))[2]
    pitch = float(np.linalg.norm(stack.voxel_to_lps[:3, 2]))
    near = [k for k in range(stack.shape_zyx[0]) if abs(k - middle) * pitch <= MIDDLE_MM]
    return sorted(int(k) for k in rng.choice(near, min(PLANES_A_SERIES, len(near)), replace=False))


def _on_grid(stack: StackPlan, plane: int) -> Points:
    """LPS of one plane's pixels on the common grid, rows to the feet and columns to the back, shape (rows, columns, 3)."""
    _, rows, columns = stack.shape_zyx
    corners = apply(
        stack.voxel_to_lps, np.array([[0, 0, plane], [columns - 1, 0, plane], [0, rows - 1, plane]], float)
    )
    across, down = corners[1] - corners[0], corners[2] - corners[0]
    if across[1] < 0 or down[2] > 0:
        raise ValueError("a phantom's sagittal rows run to the feet and its columns to the back")
    steps = [round(float(np.linalg.norm(way)) / PIXEL_MM) + 1 for way in (down, across)]
    y, x = np.meshgrid(*(np.linspace(0, 1, count) for count in steps), indexing="ij")
    return np.asarray(corners[0] + y[..., None] * down + x[..., None] * across)


def _nearest(pixels_zyx: npt.NDArray[np.generic], index_xyz: npt.NDArray[np.int_]) -> npt.NDArray[np.uint8]:
    shape = np.array(pixels_zyx.shape[::-1])
    x, y, z = np.moveaxis(np.clip(index_xyz, 0, shape - 1), -1, 0)
    return np.asarray(pixels_zyx[z, y, x])


def _at_rest(place_lps_mm: Points, plan: SeriesPlan) -> Points:
    """Where the tissue seen at places of a series lies at rest: the series' motion, undone to first order."""
    rise = place_lps_mm[..., 2:3] - plan.shift_lps_mm[2] - plan.centre_lps_mm[2]
    return np.asarray(place_lps_mm - plan.shift_lps_mm - rise * plan.bend_mm_per_mm)


def _classes(rest_lps_mm: Points, lattices: tuple[Lattice, ...], person: Person) -> Labels:
    """Class of every pixel: its part in the finest lattice that holds it; of the sacrum only the bodies of S1 and S2."""
    parts = np.zeros(rest_lps_mm.shape[:2], dtype=np.uint8)
    for lattice in lattices:
        index = np.rint((rest_lps_mm - lattice.low_mm) / lattice.step_mm).astype(int)
        held = np.all((index >= 0) & (index < lattice.shape[::-1]), axis=-1)
        parts[held] = _nearest(lattice.part_zyx, index)[held]
    classes = CLASS_OF_PART[parts]
    for vertebra in person.spine.vertebrae:
        if vertebra.name in SACRAL:
            classes[_body_of(vertebra, rest_lps_mm) & _sacral(parts)] = SACRAL[vertebra.name]
    return _without_what_is_below(classes, person, rest_lps_mm)


def _sacral(parts: Labels) -> npt.NDArray[np.bool_]:
    return np.isin(parts, [Part.SACRUM, Part.BODY, Part.DISC])


def _body_of(vertebra: VertebraShape, points_lps_mm: Points) -> npt.NDArray[np.bool_]:
    local = vertebra.frame.from_lps(points_lps_mm)
    return np.asarray(
        (np.abs(local[..., 0]) <= vertebra.half_depth_mm)
        & (np.abs(local[..., 2]) <= 0.5 * vertebra.height_mm)
    )


def _without_what_is_below(classes: Labels, person: Person, points_lps_mm: Points) -> Labels:
    """Teach nothing of the spine below S2, as on the slices of people."""
    second = next(one for one in person.spine.vertebrae if one.name == "S2")
    below = second.frame.from_lps(points_lps_mm)[..., 2] < -0.5 * second.height_mm
    out = classes.copy()
    out[below & (classes != BACKGROUND)] = IGNORE
    return out
