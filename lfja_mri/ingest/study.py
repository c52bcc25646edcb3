"""From inputs to studies, and from a study to images ready to be measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lfja_mri.errors import InputError
from lfja_mri.ingest.assign import acquisition_of, assign_roles
from lfja_mri.ingest.candidates import Cast
from lfja_mri.ingest.files import Source, find_sources
from lfja_mri.ingest.headers import PlaneHeader, read_headers
from lfja_mri.ingest.moments import Moment, agent_moments
from lfja_mri.ingest.pixels import Pixels, read_planes, stacked
from lfja_mri.ingest.stacks import Stack, stacks_of_series, study_key
from lfja_mri.model import Image, Rejection, StudyImages, Volume
from lfja_mri.settings.ingest import IngestSettings


@dataclass(frozen=True, eq=False)
class Study:
    """One study as its headers describe it."""

    study_key: str
    stacks: tuple[Stack, ...]
    rejections: tuple[Rejection, ...]
    agent_given: tuple[Moment, ...] = ()

    @property
    def sources(self) -> tuple[Source, ...]:
        """Every file that a stack is made of, once, in a fixed order."""
        return tuple(dict.fromkeys(plane.source for stack in self.stacks for plane in stack.planes))


@dataclass(frozen=True, eq=False)
class Catalogue:
    """Everything the inputs hold: studies, and the files that belong to none."""

    studies: tuple[Study, ...]
    rejections: tuple[Rejection, ...]
    file_count: int


def find_studies(inputs: Sequence[Path], settings: IngestSettings) -> Catalogue:
    """Read the headers of everything below the inputs and sort them into studies and stacks.

    Raises
    ------
    InputError
        An input does not exist.
    """
    for position, given in enumerate(inputs, start=1):
        if not given.exists():
            raise InputError(f"input {position} of {len(inputs)} does not exist; check the path")
    found = find_sources(inputs, settings)
    planes, rejections = read_headers(found.sources)
    by_study: dict[str, list[PlaneHeader]] = {}
    for plane in planes:
        by_study.setdefault(plane.study_uid, []).append(plane)
    studies = sorted(
        (_study(uid, held, settings) for uid, held in by_study.items()), key=lambda study: study.study_key
    )
    count = len(found.sources) + len(found.rejections)
    in_order = sorted([*found.rejections, *rejections], key=lambda one: int(one.where.split()[1]))
    return Catalogue(tuple(studies), tuple(in_order), count)


def read_study(study: Study, settings: IngestSettings) -> StudyImages:
    """Read the pixels of every stack that plays a role."""
    roles = assign_roles(study.stacks, settings, study.agent_given)
    images: list[Image] = []
    rejections = [*study.rejections, *roles.rejections]
    for cast in roles.casts:
        volume = read_stack(cast.stack, roles.pixels)
        if isinstance(volume, Rejection):
            rejections.append(volume)
        else:
            images.append(_image(cast, volume))
    return StudyImages(study.study_key, tuple(images), tuple(rejections))


def _study(uid: str, planes: Sequence[PlaneHeader], settings: IngestSettings) -> Study:
    by_series: dict[str, list[PlaneHeader]] = {}
    for plane in planes:
        by_series.setdefault(plane.series_uid, []).append(plane)
    stacks: list[Stack] = []
    rejections: list[Rejection] = []
    for number, series_uid in enumerate(sorted(by_series), start=1):
        made, refused = stacks_of_series(by_series[series_uid], f"s{number}", settings)
        stacks.extend(made)
        rejections.extend(refused)
    key = study_key(uid or _stand_in_uid(planes))
    return Study(key, tuple(stacks), tuple(rejections), agent_moments(planes))


def _stand_in_uid(planes: Sequence[PlaneHeader]) -> str:
    """Name a study without a UID by what it holds, so that two such studies do not share a name."""
    held = {
        (plane.series_uid, plane.sop_uid, plane.frame_of_reference, plane.position_lps_mm) for plane in planes
    }
    return repr(sorted(held))


def read_stack(stack: Stack, known: Pixels | None = None) -> Volume | Rejection:
    """Read the pixels of one stack, whatever role it plays; `known` planes are not decoded again."""
    values = stacked(stack.planes, read_planes(stack.planes, known))
    if isinstance(values, tuple):
        reason, plane = values
        return Rejection(stack.key, reason, f"the pixels of {plane.source.where} could not be decoded")
    return Volume(values, stack.voxel_to_lps, stack.planes[0].thickness_mm or stack.pitch_mm)


def _image(cast: Cast, volume: Volume) -> Image:
    return Image(cast.stack.key, volume, cast.role, cast.confidence, cast.evidence, acquisition_of(cast))
