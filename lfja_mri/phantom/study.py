"""A whole phantom study in memory: images with their roles, and the truth."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from lfja_mri.model import (
    Acquisition,
    BoolArray,
    Contrast,
    FloatArray,
    Image,
    ImageArray,
    Level,
    Plane,
    Role,
    Side,
    StudyImages,
    Volume,
)
from lfja_mri.phantom.anatomy import Detail, build_tissue_map
from lfja_mri.phantom.chance import stream
from lfja_mri.phantom.column import LEVELS_BY_COUNT, LUMBAR_COUNT
from lfja_mri.phantom.findings import JointKey, draw_arthropathy, draw_findings, draw_grades
from lfja_mri.phantom.numbers import base_numbers
from lfja_mri.phantom.person import Person, draw_person
from lfja_mri.phantom.planning import SeriesPlan, plan_series
from lfja_mri.phantom.recipe import Recipe
from lfja_mri.phantom.scanner import acquire
from lfja_mri.phantom.signal import signal_tables
from lfja_mri.phantom.skeleton import DiscShape, Posture
from lfja_mri.phantom.truth import JointTruth

ROOT_UID = "2.25"
BASELINE, FOLLOW_UP = "baseline", "follow_up"
FAT_LEFT_IN_DOUBT = 0.35
RegionMask = Callable[[Level, Side, FloatArray], BoolArray]


@dataclass(frozen=True, eq=False)
class PhantomTruth:
    """What is true of a simulated study.

    Parameters
    ----------
    joints
        Every graded joint, at rest (the frame of the first series).
    discs
        Every lumbar disc, at rest.
    plans
        The series with their motion; `plan.moved(points)` turns points at rest into the series' frame.
    image_series
        Image key to the name of its series.
    """

    study_key: str
    joints: tuple[JointTruth, ...]
    discs: tuple[DiscShape, ...]
    canal_line_lps_mm: FloatArray
    plans: tuple[SeriesPlan, ...]
    image_series: Mapping[str, str]

    def joint(self, level: Level, side: Side) -> JointTruth:
        """Return the truth of one joint; KeyError where the person has no such joint."""
        for truth in self.joints:
            if truth.level is level and truth.side is side:
                return truth
        raise KeyError(f"{level} {side}")

    def moved(self, image_key: str, points_lps_mm: FloatArray) -> FloatArray:
        """Turn points at rest into the frame of one image."""
        series = self.image_series[image_key]
        return next(plan for plan in self.plans if plan.name == series).moved(points_lps_mm)

    def joint_region(
        self, level: Level, side: Side, points_lps_mm: FloatArray, *, margin_mm: float = 2.0
    ) -> BoolArray:
        """Return which points (at rest, shape (..., 3)) lie in the joint: its space and a margin (capsule) around."""
        truth = self.joint(level, side)
        local = (np.asarray(points_lps_mm) - truth.centre_lps_mm) @ np.stack(
            [truth.along_lps, truth.normal_lps, truth.cranial_lps]
        ).T
        line = (truth.joint_line_lps_mm - truth.centre_lps_mm) @ np.stack(
            [truth.along_lps, truth.normal_lps]
        ).T
        middle = np.interp(local[..., 0], line[:, 0], line[:, 1])
        along = np.maximum(np.abs(local[..., 0]) - truth.length_mm / 2, 0)
        across = np.maximum(np.abs(local[..., 1] - middle) - truth.gap_mm / 2, 0)
        height = np.maximum(np.abs(local[..., 2]) - truth.height_mm / 2, 0)
        return np.asarray(np.sqrt(along**2 + across**2 + height**2) <= margin_mm)


@dataclass(frozen=True, eq=False)
class SimulatedSeries:
    """One series: its plan and the pixels of each stack."""

    plan: SeriesPlan
    stacks: tuple[ImageArray, ...]


@dataclass(frozen=True, eq=False)
class SimulatedStudy:
    """Everything that the DICOM writer and the in-memory route need."""

    seed: int
    visit: str
    uid: str
    recipe: Recipe
    person: Person
    series: tuple[SimulatedSeries, ...]
    truth: PhantomTruth


def simulate(
    recipe: Recipe,
    seed: int,
    *,
    visit: str = BASELINE,
    series: Sequence[str] | None = None,
    detail: Detail = Detail.FULL,
    grades: Mapping[JointKey, int] | None = None,
    repeat: int = 0,
) -> tuple[StudyImages, PhantomTruth]:
    """Simulate a study in memory.

    Parameters
    ----------
    recipe, seed
        The same pair gives the same bytes.
    visit
        `baseline` or `follow_up` (the same person a year later).
    series
        Only these series of the recipe; all if None.
    detail
        `Detail.QUICK` paints coarser lattices in about a third of the time.
    grades
        Wished grades by (level, side) that replace the drawn ones.
    repeat
        Another scan of the same visit: repositioned, other noise, shading and motion, the same joints.
    """
    study = simulate_study(
        recipe, seed, visit=visit, series=series, detail=detail, grades=grades, repeat=repeat
    )
    return study_images(study), study.truth


def simulate_study(
    recipe: Recipe,
    seed: int,
    *,
    visit: str = BASELINE,
    series: Sequence[str] | None = None,
    detail: Detail = Detail.FULL,
    grades: Mapping[JointKey, int] | None = None,
    repeat: int = 0,
) -> SimulatedStudy:
    """Simulate a study and keep the plans; see `simulate`."""
    base = base_numbers()
    variant = _variant(seed, recipe)
    levels = tuple(level.value for level in LEVELS_BY_COUNT[LUMBAR_COUNT[variant]])
    before = draw_grades(seed, recipe, levels, BASELINE)
    wished = before if visit == BASELINE else draw_grades(seed, recipe, levels, visit)
    wished = {**wished, **(grades or {})}
    findings = draw_findings(seed, wished, None if visit == BASELINE else before)
    occasion = visit if repeat == 0 else f"{visit}{repeat}"
    person = draw_person(
        seed,
        base.anatomy,
        _posture(seed, occasion),
        arthropathy=draw_arthropathy(seed, recipe, levels),
        variant=variant,
        scoliosis_deg=recipe.scoliosis_deg,
    )
    names = recipe.series if series is None else tuple(name for name in recipe.series if name in series)
    plans = plan_series(person, recipe, base, names, occasion)
    tissues = build_tissue_map(
        person,
        findings,
        base,
        detail,
        confounders=recipe.confounders,
        imaged_lps_mm=np.concatenate([stack.corners_lps_mm for plan in plans for stack in plan.stacks]),
    )
    done = []
    for plan in plans:
        tables = signal_tables(plan.sequence, base.tissues, person.marrow_fat_share)
        done.append(SimulatedSeries(plan, acquire(tissues, plan, tables, person, occasion)))
    discs = tuple(disc for disc in person.spine.discs if disc.level is not None)
    study_uid = uid("study", recipe.name, seed, occasion)
    truth = PhantomTruth(
        study_key=study_key(study_uid),
        joints=tuple(_flagged(joint, plans, variant) for joint in tissues.joints),
        discs=discs,
        canal_line_lps_mm=person.spine.canal_points_mm,
        plans=plans,
        image_series={key: plan.name for plan in plans for key in _keys(plan)},
    )
    return SimulatedStudy(seed, occasion, study_uid, recipe, person, tuple(done), truth)


def _variant(seed: int, recipe: Recipe) -> str:
    """Draw how many lumbar vertebrae there are, and what is odd about them."""
    chances = recipe.variants.model_dump()
    names = sorted(chances)
    weights = np.array([chances[name] for name in names])
    return str(stream(seed, "variant").choice(names, p=weights / weights.sum()))


def _flagged(joint: JointTruth, plans: Sequence[SeriesPlan], variant: str) -> JointTruth:
    """Add what a reader of the truth should know of a joint: odd numbering, a cyst, erosions, series whose fat stayed bright."""
    flags = [] if variant == "standard" else [f"variant_{variant}"]
    if joint.cyst_volume_mm3 > 0:
        flags.append("synovial_cyst")
    if joint.erosion_volume_mm3 > 0:
        flags.append("erosions")
    for plan in plans:
        left = float(plan.fat_suppression.left_at(joint.centre_lps_mm))
        if plan.sequence.fat_suppressed and left > FAT_LEFT_IN_DOUBT:
            flags.append(f"fat_suppression_failed_{plan.name}")
    return replace(joint, flags=(*joint.flags, *flags))


def _posture(seed: int, occasion: str) -> Posture:
    """Draw how the person lies on an occasion."""
    rng = stream(seed, f"posture{occasion}")
    first = occasion == BASELINE
    offset = rng.normal([5, -20, 0], [5, 6, 8])
    return Posture(
        lordosis_change_share=0.0 if first else float(rng.normal(0, 0.06)),
        pitch_deg=0.0 if first else float(rng.normal(0, 1.5)),
        roll_deg=float(rng.normal(0, 1.2)),
        yaw_deg=float(rng.normal(0, 1.5)),
        offset_mm=(float(offset[0]), float(offset[1]), float(offset[2])),
    )


def _keys(plan: SeriesPlan) -> tuple[str, ...]:
    return tuple(f"s{plan.number}k{index}" for index in range(1, len(plan.stacks) + 1))


def study_images(study: SimulatedStudy) -> StudyImages:
    """Wrap a simulated study as what `ingest` would give, with the roles known."""
    images = []
    for series in study.series:
        plan = series.plan
        plane, _, contrast = plan.name.partition("_")
        acquisition = Acquisition(
            repetition_time_ms=plan.sequence.tr_ms,
            echo_time_ms=plan.sequence.te_ms,
            inversion_time_ms=plan.sequence.ti_ms,
            field_strength_t=plan.sequence.field_strength_t,
            contrast_agent=plan.sequence.contrast_agent,
        )
        for key, stack, pixels in zip(_keys(plan), plan.stacks, series.stacks, strict=True):
            volume = Volume(pixels, stack.voxel_to_lps, stack.thickness_mm)
            images.append(
                Image(key, volume, Role(Plane(plane), Contrast(contrast)), 1.0, ("phantom",), acquisition)
            )
    return StudyImages(study.truth.study_key, tuple(images))


def uid(*parts: object) -> str:
    """Return a UID that follows from its parts alone (2.25 and a number of at most 38 digits)."""
    text = "/".join(str(part) for part in parts)
    number = int.from_bytes(hashlib.sha256(f"lfja-mri phantom/{text}".encode()).digest()[:15], "big")
    return f"{ROOT_UID}.{number}"


def study_key(study_instance_uid: str) -> str:
    """Return the key that stands for a study."""
    return hashlib.sha256(study_instance_uid.encode()).hexdigest()[:12]
