"""BIDS-derivative names for what a study leaves behind, so that BIDS tools find the zones and their names."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from lfja_mri.model import StudyResult
from lfja_mri.report import label_map

BIDS_VERSION = "1.10.0"
DESCRIPTION = "facetzones"


def dataset_description(tool_version: str) -> bytes:
    """Return `dataset_description.json` of a derivative data set."""
    content = {
        "Name": "Lumbar facet joint zones and grades",
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": "lfja-mri", "Version": tool_version}],
    }
    return _json(content)


def dataset_files(tool_version: str) -> dict[str, bytes]:
    """Return what stands at the top of a derivative data set: its description and a README."""
    readme = (
        "Zones of the lumbar facet joints, written by lfja-mri. Research software, not a medical device.\n\n"
        "Each _dseg.nii.gz is a label map in the scanner space of the subject's reference series, on a cubic 0.8 mm grid;\n"
        "the .tsv beside it names the labels. Left and right are the patient's.\n"
    )
    return {"dataset_description.json": dataset_description(tool_version), "README.md": readme.encode()}


def bids_files(result: StudyResult, *, subject: str, visit: str = "") -> dict[str, bytes]:
    """Return the label map, its sidecar and its table of names by BIDS path; empty where no joint was placed.

    Parameters
    ----------
    result
        A graded study.
    subject, visit
        Letters and digits of them become the `sub-` and `ses-` labels.
    """
    made = label_map.make_label_map(result.joints)
    if made is None:
        return {}
    parts = [f"sub-{label(subject or result.study_key)}"] + ([f"ses-{label(visit)}"] if visit else [])
    stem = "/".join([*parts, "anat", "_".join([*parts, f"desc-{DESCRIPTION}", "dseg"])])
    sidecar = {
        "Description": "Zones of the lumbar facet joints; names in the table beside it",
        "Manual": False,
        "SpatialReference": "patient space of the reference series (scanner RAS)",
        "Sources": [image.key for image in result.images],
    }
    return {
        f"{stem}.nii.gz": label_map.nifti_bytes(made),
        f"{stem}.json": _json(sidecar),
        f"{stem}.tsv": _names(made).encode(),
    }


def label(text: str) -> str:
    """Return the letters and digits of a word: what BIDS allows in a label."""
    return re.sub(r"[^A-Za-z0-9]", "", text) or "unknown"


def _names(made: label_map.LabelMap) -> str:
    lines: Sequence[str] = [
        f"{number}\t{name}\t#{red:02x}{green:02x}{blue:02x}"
        for number, name in made.names.items()
        for red, green, blue in [label_map.colour_of(number)]
    ]
    return "\n".join(["index\tname\tcolor", "0\tbackground\t#000000", *lines]) + "\n"


def _json(content: object) -> bytes:
    return (json.dumps(content, indent=2) + "\n").encode()
