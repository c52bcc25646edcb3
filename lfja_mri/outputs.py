"""What a graded study leaves behind: tables, measurements, label map and pictures, as named bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from lfja_mri import __version__
from lfja_mri.batch.folder import StudyFiles, to_json
from lfja_mri.change import protocol_of
from lfja_mri.config import digest
from lfja_mri.errors import Reason
from lfja_mri.grading import explain, explanation_facts, measurements_to_json
from lfja_mri.model import AbsentJoint, Image, Joint, JointResult, NotGraded, StudyResult
from lfja_mri.pipeline import Road
from lfja_mri.report import About, label_map_files, study_page
from lfja_mri.report.figures import joint_picture, overview_picture
from lfja_mri.results import (
    GRADES_COLUMNS,
    JOINTS_COLUMNS,
    LEVELS_COLUMNS,
    Scale,
    Visit,
    grade_rows,
    joint_rows,
    level_rows,
)
from lfja_mri.tables import to_csv, write_bytes
from lfja_mri.threads import of_each

PAGE = "report.html"


@dataclass(frozen=True)
class Extras:
    """What people look at, beside the tables that programs read."""

    pictures: bool = True
    pages: bool = True


def study_content(result: StudyResult, visit: Visit, road: Road, extras: Extras) -> StudyFiles:
    """Return every file of a study's folder and its volatile record."""
    files = {
        "grades.csv": to_csv(GRADES_COLUMNS, grade_rows(result, visit, scale_of(road))).encode(),
        "measurements.json": to_json(_measurements(result)),
        **_explanations(result, road, pictured=extras.pictures),
    }
    files |= _regions(result)
    if extras.pictures:
        files |= _pictures(result, road.settings.levels.threads)
    if extras.pages:
        files[PAGE] = _page(result, visit, road).encode()
    return StudyFiles(files, record(result, road))


def scale_of(road: Road) -> Scale:
    """Return the name and digest of the rules that judge."""
    return Scale(road.rules.scale, road.rules.digest)


def record(result: StudyResult, road: Road) -> dict[str, Any]:
    """Return what `run.json` says of one study: versions, settings, series, timings."""
    return {
        "tool_version": __version__,
        "study_key": result.study_key,
        "rules_digest": road.rules.digest,
        "settings_digest": digest(road.settings),
        "settings": road.settings.model_dump(mode="json"),
        "protocol": {role: asdict(facts) for role, facts in protocol_of(result.images).items()},
        "series": [_series(image) for image in result.images],
        "rejections": [
            {"where": r.where, "reason": r.reason.value, "detail": r.detail} for r in result.rejections
        ],
        "refusals": [
            {
                "level": j.level.value,
                "side": j.side.value,
                "reason": j.outcome.reason.value,
                "detail": j.outcome.detail,
            }
            for j in result.joints
            if isinstance(j.outcome, NotGraded)
        ],
        "timings_s": {name: round(seconds, 3) for name, seconds in result.timings_s.items()},
    }


def _series(image: Image) -> dict[str, Any]:
    return {
        "key": image.key,
        "role": str(image.role),
        "confidence": round(float(image.confidence), 3),
        "evidence": list(image.evidence),
        "planes": int(image.volume.values_zyx.shape[0]),
        "pitch_mm": round(float(image.volume.spacing_mm[2]), 3),
        "acquisition": {name: value for name, value in vars(image.acquisition).items() if value is not None},
    }


def _joints(result: StudyResult) -> list[Joint | AbsentJoint]:
    return [joint.joint or _absent(joint) for joint in result.joints]


def _absent(joint: JointResult) -> AbsentJoint:
    reason = joint.outcome.reason if isinstance(joint.outcome, NotGraded) else Reason.JOINT_NOT_FOUND
    return AbsentJoint(joint.level, joint.side, reason)


def _measurements(result: StudyResult) -> Mapping[str, Any]:
    return measurements_to_json(
        [joint.measurements for joint in result.joints if joint.measurements is not None]
    )


def _explanations(result: StudyResult, road: Road, *, pictured: bool) -> dict[str, bytes]:
    drawn = pictured and bool(result.images)
    told = [
        explanation_facts(joint, road.rules, picture_name(joint) if drawn and joint.joint is not None else "")
        for joint in result.joints
    ]
    text = "\n\n".join(one["text"] for one in told) + "\n"
    return {"explanations.txt": text.encode(), "explanations.json": to_json({"joints": told})}


def _pictures(result: StudyResult, threads: int = 1) -> dict[str, bytes]:
    if not result.images:
        return {}
    placed = [joint for joint in result.joints if joint.joint is not None]
    drawn = of_each(partial(joint_picture, images=result.images), placed, threads)
    names = map(picture_name, placed)
    return {"overview.png": overview_picture(result), **dict(zip(names, drawn, strict=True))}


def _page(result: StudyResult, visit: Visit, road: Road) -> str:
    explanations = {(joint.level, joint.side): explain(joint, road.rules) for joint in result.joints}
    return study_page(result, about=about(road, visit), explanations=explanations)


def about(road: Road, visit: Visit | None = None) -> About:
    """Return what every page says of how it was made."""
    visit = visit or Visit()
    return About(__version__, visit.subject, visit.visit, road.rules.scale, road.rules.digest)


def write_segmentation(result: StudyResult, out: Path) -> None:
    """Write the joint regions of a study: label map, joints.csv, levels.csv and pictures."""
    files = _regions(result) | _pictures(result)
    for name, content in sorted(files.items()):
        write_bytes(out / name, content)


def _regions(result: StudyResult) -> dict[str, bytes]:
    if result.level_map is None:
        return {}
    tables = {
        "levels.csv": to_csv(LEVELS_COLUMNS, level_rows(result.level_map)).encode(),
        "joints.csv": to_csv(JOINTS_COLUMNS, joint_rows(_joints(result))).encode(),
    }
    return tables | label_map_files(result)


def picture_name(joint: JointResult) -> str:
    """Return the file name of a joint's picture."""
    return f"pictures/{joint.level.value}_{joint.side.value}.png"
