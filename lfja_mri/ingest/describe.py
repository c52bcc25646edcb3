"""A catalogue in plain words and numbers: what `inspect` prints and `index.json` keeps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lfja_mri.ingest.assign import Roles, assign_roles
from lfja_mri.ingest.stacks import Stack
from lfja_mri.ingest.study import Catalogue, Study
from lfja_mri.model import Rejection
from lfja_mri.settings.ingest import IngestSettings
from lfja_mri.words import counted

Plain = dict[str, Any]


def describe(catalogue: Catalogue, settings: IngestSettings) -> Plain:
    """Return studies, series and stacks with role, confidence and evidence, and each rejection with its reason.

    Reads a few pixels of those series whose header does not settle their role. Holds only strings, numbers, lists and
    dictionaries, and nothing that names a patient.
    """
    return {
        "files": catalogue.file_count,
        "studies": [_study(study, settings) for study in catalogue.studies],
        "rejections": [_rejection(rejection) for rejection in catalogue.rejections],
    }


def nothing_found(
    rejections: Sequence[Rejection], advice: str = "; try `lfja-mri inspect` for the reasons"
) -> str:
    """Return, for an error, that an input holds no study, what it holds instead, and what to try."""
    reasons = sorted({rejection.reason.value for rejection in rejections})
    found = (
        f"found {counted(len(rejections), 'file or series', 'files or series')} that cannot be used ({', '.join(reasons)})"
        if reasons
        else "found no file"
    )
    return f"no MR study in the input: {found}; needed a lumbar MR study as DICOM{advice}"


def describe_stack(stack: Stack) -> Plain:
    """Return the geometry of one stack."""
    first = stack.planes[0]
    return {
        "stack": stack.key,
        "plane": stack.plane.value,
        "planes": len(stack.planes),
        "rows": first.rows,
        "columns": first.columns,
        "pixel_mm": [round(first.spacing_mm[1], 4), round(first.spacing_mm[0], 4)],
        "pitch_mm": round(stack.pitch_mm, 4),
        "thickness_mm": first.thickness_mm,
        "obliquity_deg": round(stack.obliquity_deg, 2),
        "voxel_to_lps": [[round(float(value), 6) for value in row] for row in stack.voxel_to_lps],
        "notes": list(stack.notes),
    }


def _study(study: Study, settings: IngestSettings) -> Plain:
    roles = assign_roles(study.stacks, settings, study.agent_given)
    series: dict[str, list[Plain]] = {}
    for stack in study.stacks:
        series.setdefault(stack.key.split("k")[0], []).append(
            {**describe_stack(stack), **_part(stack, roles)}
        )
    return {
        "study_key": study.study_key,
        "series": [{"series": key, "stacks": stacks} for key, stacks in series.items()],
        "rejections": [_rejection(rejection) for rejection in study.rejections],
    }


def _part(stack: Stack, roles: Roles) -> Plain:
    """Return the part a stack plays, or why it plays none."""
    for cast in roles.casts:
        if cast.stack is stack:
            return {
                "role": str(cast.role),
                "confidence": round(cast.confidence, 3),
                "evidence": list(cast.evidence),
                "reason": None,
                "detail": "",
            }
    refusal = next(one for one in roles.rejections if one.where == stack.key)
    return {
        "role": None,
        "confidence": None,
        "evidence": [],
        "reason": refusal.reason.value,
        "detail": refusal.detail,
    }


def _rejection(rejection: Rejection) -> Plain:
    return {"where": rejection.where, "reason": rejection.reason.value, "detail": rejection.detail}
