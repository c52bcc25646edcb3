"""READ FIRST: the whole road. DICOM folder in; levels found, joints placed, signals measured, grades judged.

Every step is a function from nouns of `model` to nouns of `model`; no step knows another.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from lfja_mri.config import PipelineSettings, load_pipeline_settings
from lfja_mri.errors import LevelsError, Reason
from lfja_mri.facets import place_joints, process_masks_in
from lfja_mri.grading import (
    ItemSheet,
    RuleTable,
    judge,
    judge_items,
    load_items,
    load_rules,
)
from lfja_mri.grading.measure import measure_joint
from lfja_mri.grading.places import TissuePlaces, tissue_places
from lfja_mri.ingest import Study, read_study
from lfja_mri.levels import locate
from lfja_mri.levels.mask_files import nifti_files
from lfja_mri.levels.masks import levels_from_masks
from lfja_mri.model import (
    STANDARD_LEVELS,
    AbsentJoint,
    Joint,
    JointResult,
    Level,
    LevelMap,
    NotGraded,
    Side,
    StudyImages,
    StudyResult,
)
from lfja_mri.names import MaskScheme
from lfja_mri.threads import of_each


@dataclass(frozen=True)
class MaskSource:
    """Spine masks of another tool: where they lie, and whose labels they carry."""

    path: Path
    scheme: MaskScheme

    @property
    def digest(self) -> str:
        """SHA-256 over the mask files, whatever their names."""
        digests = sorted(hashlib.sha256(file.read_bytes()).hexdigest() for file in nifti_files(self.path))
        return hashlib.sha256("".join((self.scheme.value, *digests)).encode()).hexdigest()


@dataclass(frozen=True)
class Road:
    """How to look and how to judge: everything that decides a result besides the images."""

    settings: PipelineSettings
    rules: RuleTable
    items: ItemSheet
    lowest_level: Level | None = None
    masks: MaskSource | None = None


@dataclass
class Stopwatch:
    """Wall time by stage, for `run.json` and the bench; never for a table."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time what happens inside the block."""
        start = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start


def prepare(
    config: Path | None = None,
    rules: Path | None = None,
    lowest_level: Level | None = None,
    masks: MaskSource | None = None,
) -> Road:
    """Read the settings and rules; a user's files override the packaged ones."""
    return Road(load_pipeline_settings(config), load_rules(rules), load_items(), lowest_level, masks)


def grade_study(study: Study, road: Road) -> StudyResult:
    """Grade every joint of one study."""
    stopwatch = Stopwatch()
    with stopwatch.stage("read"):
        images = read_study(study, road.settings.ingest)
    return grade_images(images, road, stopwatch)


def grade_images(images: StudyImages, road: Road, stopwatch: Stopwatch | None = None) -> StudyResult:
    """Grade every joint of images already read; a spine that cannot be found costs the grades, not the run."""
    stopwatch = stopwatch or Stopwatch()
    try:
        with stopwatch.stage("levels"):
            level_map = locate_levels(images, road)
    except LevelsError as error:
        return _without_levels(images, error, stopwatch)
    with stopwatch.stage("joints"):
        joints = find_joints(images, level_map, road)
    with stopwatch.stage("measures"):
        results = grade_joints(joints, images, level_map, road)
    return StudyResult(
        study_key=images.study_key,
        level_map=level_map,
        joints=results,
        images=images.images,
        rejections=images.rejections,
        timings_s=stopwatch.seconds,
    )


def locate_levels(images: StudyImages, road: Road) -> LevelMap:
    """Find and name the lumbar levels, or take them from another tool's masks."""
    if road.masks is not None:
        return levels_from_masks(road.masks.path, road.masks.scheme, road.settings.levels, images.images)
    return locate(images, road.settings.levels, lowest_level=road.lowest_level)


def find_joints(images: StudyImages, level_map: LevelMap, road: Road) -> tuple[Joint | AbsentJoint, ...]:
    """Place the joints, from another tool's articular processes where its masks hold them."""
    processes = process_masks_in(road.masks.path) if road.masks is not None else None
    threads = road.settings.levels.threads
    return place_joints(images, level_map, road.settings.facets, masks=processes, threads=threads)


def segment_images(images: StudyImages, road: Road) -> StudyResult:
    """Place the joint regions without grading them."""
    level_map = locate_levels(images, road)
    joints = find_joints(images, level_map, road)
    return StudyResult(
        study_key=images.study_key,
        level_map=level_map,
        joints=tuple(_ungraded(joint) for joint in joints),
        images=images.images,
        rejections=images.rejections,
    )


def grader(road: Road) -> Callable[[Joint, StudyImages, LevelMap], JointResult]:
    """Return what measures and judges one joint, as the comparison of visits needs it."""

    def grade(joint: Joint, images: StudyImages, level_map: LevelMap) -> JointResult:
        return _grade_joint(joint, images, level_map, road)

    return grade


def grade_joints(
    joints: Sequence[Joint | AbsentJoint], images: StudyImages, level_map: LevelMap, road: Road
) -> tuple[JointResult, ...]:
    """Measure and judge the joints of one study; reference tissue is looked for once a level."""
    first = {joint.frame.level: joint for joint in reversed(joints) if isinstance(joint, Joint)}
    places = {
        level: tissue_places(joint, images, level_map, road.settings.measure)
        for level, joint in first.items()
    }

    grade = partial(_grade_joint, images=images, level_map=level_map, road=road, places=places)
    return of_each(grade, joints, road.settings.levels.threads)


def _grade_joint(
    joint: Joint | AbsentJoint,
    images: StudyImages,
    level_map: LevelMap,
    road: Road,
    places: Mapping[Level, TissuePlaces] | None = None,
) -> JointResult:
    if isinstance(joint, AbsentJoint):
        return JointResult(joint.level, joint.side, NotGraded(joint.reason))
    known = None if places is None else places.get(joint.frame.level)
    measurements = measure_joint(joint, images, level_map, road.settings.measure, known)
    return JointResult(
        level=joint.frame.level,
        side=joint.frame.side,
        outcome=judge(measurements, road.rules),
        measurements=measurements,
        joint=joint,
        items=judge_items(measurements, road.items),
    )


def _ungraded(joint: Joint | AbsentJoint) -> JointResult:
    if isinstance(joint, AbsentJoint):
        return JointResult(joint.level, joint.side, NotGraded(joint.reason))
    refusal = NotGraded(Reason.NOT_NEEDED, "regions only")
    return JointResult(joint.frame.level, joint.frame.side, refusal, joint=joint)


def _without_levels(images: StudyImages, error: LevelsError, stopwatch: Stopwatch) -> StudyResult:
    refusal = NotGraded(error.reason or Reason.LEVELS_NOT_FOUND, str(error))
    return StudyResult(
        study_key=images.study_key,
        level_map=None,
        joints=tuple(JointResult(level, side, refusal) for level in STANDARD_LEVELS for side in Side),
        images=images.images,
        rejections=images.rejections,
        timings_s=stopwatch.seconds,
    )
