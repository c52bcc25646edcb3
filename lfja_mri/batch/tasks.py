"""One study as a task: what a worker gets, what it does, and what decides whether it is done already."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lfja_mri import __version__
from lfja_mri.batch.folder import STUDIES, finished, write_study_folder
from lfja_mri.config import digest
from lfja_mri.ingest import Study, content_digest
from lfja_mri.model import StudyResult
from lfja_mri.outputs import Extras, study_content
from lfja_mri.pipeline import Road, grade_study
from lfja_mri.results import Visit


@dataclass(frozen=True, eq=False)
class Task:
    """One study to grade into its folder.

    Parameters
    ----------
    request
        What decides the result besides the bytes of the input.
    force
        Grade again even where the folder holds the result of exactly this request.
    """

    study: Study
    visit: Visit
    folder: Path
    road: Road
    request: Mapping[str, Any]
    extras: Extras
    force: bool = False


@dataclass(frozen=True)
class Done:
    """A study whose folder is whole; `fresh` where it was graded now, not found finished."""

    study_key: str
    fresh: bool


def task_of(study: Study, visit: Visit, out: Path, road: Road, extras: Extras, *, force: bool) -> Task:
    """Return the task of grading a study into an output folder."""
    request = {
        "settings": digest(road.settings),
        "rules": road.rules.digest,
        "items": digest(road.items),
        "lowest_level": road.lowest_level,
        "masks": road.masks and road.masks.digest,
        "visit": [visit.subject, visit.visit],
        "extras": asdict(extras),
        "tool_version": __version__,
    }
    return Task(study, visit, out / STUDIES / study.study_key, road, request, extras, force)


def perform(task: Task) -> Done:
    """Grade one study and write its folder, unless it is there already: what a worker does."""
    wanted = wanted_of(task)
    if not task.force and finished(task.folder, wanted):
        return Done(task.study.study_key, fresh=False)
    return graded(task)[0]


def graded(task: Task) -> tuple[Done, StudyResult]:
    """Grade one study whether or not its folder is there, write the folder where it is not, and keep the result."""
    wanted = wanted_of(task)
    there = not task.force and finished(task.folder, wanted)
    result = grade_study(task.study, task.road)
    if not there:
        write_study_folder(task.folder, study_content(result, task.visit, task.road, task.extras), wanted)
    return Done(task.study.study_key, fresh=not there), result


def wanted_of(task: Task) -> str:
    """Return the digest of everything that decides a study's folder.

    The input is hashed here, by the worker and not by its parent, so that ten thousand studies are hashed by all of them.
    """
    return digest(dict(task.request) | {"input": content_digest(task.study.sources)})
