"""One graded scan of a phantom person, and the ways in which it could have been imaged or numbered otherwise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from lfja_mri.errors import Reason
from lfja_mri.model import (
    Acquisition,
    Contrast,
    Disc,
    Image,
    JointResult,
    Level,
    LevelMap,
    NotGraded,
    Side,
    StudyResult,
    Zones,
)
from lfja_mri.phantom import PhantomTruth

Alteration = Callable[[Image], Image]


@dataclass(frozen=True, eq=False)
class Scan:
    """One visit of a phantom person, graded."""

    result: StudyResult
    truth: PhantomTruth


def slim(result: StudyResult) -> StudyResult:
    """Drop what takes room: all but one pixel of every slice, and the zones."""
    images = tuple(
        replace(image, volume=replace(image.volume, values_zyx=image.volume.values_zyx[:, :1, :1].copy()))
        for image in result.images
    )
    return replace(result, images=images, joints=tuple(_without_zones(one) for one in result.joints))


def _without_zones(one: JointResult) -> JointResult:
    if one.joint is None:
        return one
    empty = np.zeros((1, 1, 1), dtype=np.uint8)
    return replace(one, joint=replace(one.joint, zones=Zones(empty, empty, one.joint.zones.voxel_to_lps, 1)))


# ------------------------------------------------------------------------------------------------- numbering


def slipped(scan: Scan, step: int) -> Scan:
    """Call every level by its neighbour's name, and drop the one that has no neighbour on that side."""
    result = scan.result
    if result.level_map is None:
        return scan
    order = [disc.level for disc in result.level_map.discs]
    names = {level: order[i + step] for i, level in enumerate(order) if 0 <= i + step < len(order)}
    discs: list[Disc] = [
        replace(disc, level=names[disc.level]) for disc in result.level_map.discs if disc.level in names
    ]
    levels: LevelMap = replace(result.level_map, discs=tuple(discs))
    joints = [_joint_named(one, names[one.level]) for one in result.joints if one.level in names]
    left_out = [level for level in order if level not in names.values()]
    absent = [JointResult(left_out[0], side, NotGraded(Reason.LEVEL_NOT_VISIBLE)) for side in Side]
    return replace(scan, result=replace(result, level_map=levels, joints=tuple(joints + absent)))


def _joint_named(one: JointResult, level: Level) -> JointResult:
    joint = None if one.joint is None else replace(one.joint, frame=replace(one.joint.frame, level=level))
    return replace(one, level=level, joint=joint)


# -------------------------------------------------------------------------------------------------- protocol


def alterations() -> dict[str, Alteration]:
    """Return ways in which a follow-up could have been imaged otherwise; pixels play no part in noticing them."""

    def header(change: Callable[[Acquisition], Acquisition]) -> Alteration:
        return lambda image: replace(image, acquisition=change(image.acquisition))

    def longer_echo(facts: Acquisition) -> Acquisition:
        return replace(facts, echo_time_ms=(facts.echo_time_ms or 60.0) * 1.5)

    def contrast(image: Image) -> Image:
        other = Contrast.DIXON_WATER if image.role.contrast.is_fat_suppressed else image.role.contrast
        return replace(image, role=replace(image.role, contrast=other))

    def thinned(image: Image) -> Image:
        affine = image.volume.voxel_to_lps.copy()
        affine[:3, 2] *= 2
        halved = replace(image.volume, values_zyx=image.volume.values_zyx[::2], voxel_to_lps=affine)
        return replace(image, volume=halved)

    return {
        "manufacturer": header(lambda facts: replace(facts, manufacturer_key="another")),
        "field strength": header(lambda facts: replace(facts, field_strength_t=7.0)),
        "contrast agent": header(lambda facts: replace(facts, contrast_agent=True)),
        "silent header": header(lambda _facts: Acquisition()),
        "echo time": header(longer_echo),
        "contrast": contrast,
        "pitch": thinned,
    }


def altered(result: StudyResult, alter: Alteration) -> StudyResult:
    """Return a result as if its images had been taken otherwise."""
    images = tuple(alter(image) for image in result.images)
    names = {str(image.role): str(other.role) for image, other in zip(result.images, images, strict=True)}
    return replace(result, images=images, joints=tuple(_with_sources(one, names) for one in result.joints))


def named(image: Image, maker: str) -> Image:
    """Return an image with a known manufacturer."""
    return replace(image, acquisition=replace(image.acquisition, manufacturer_key=maker))


def _with_sources(joint: JointResult, names: dict[str, str]) -> JointResult:
    if joint.measurements is None:
        return joint
    sources = tuple(names[source] for source in joint.measurements.sources)
    return replace(joint, measurements=replace(joint.measurements, sources=sources))
