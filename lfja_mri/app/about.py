"""What this installation is: versions, digests, optional parts."""

from __future__ import annotations

import json
import platform
from importlib import metadata, util

from lfja_mri import __version__
from lfja_mri.config import config_folder, digest, read_toml
from lfja_mri.grading import load_items, load_rules

OPTIONAL_PARTS = {"cluster": "distributed", "dicom": "highdicom", "parquet": "pyarrow"}


def facts() -> dict[str, object]:
    """Return what `info` prints, plain values only."""
    return {
        "notice": "Research software, not a medical device.",
        "tool_version": __version__,
        "python": platform.python_version(),
        "scales": {
            "czervionke_fenton": load_rules().digest,
            "inflammation_items": digest(load_items()),
        },
        "model": _model(),
        "optional_parts": {
            name: util.find_spec(module) is not None for name, module in OPTIONAL_PARTS.items()
        },
        "libraries": {
            name: metadata.version(name) for name in ("numpy", "pydicom", "SimpleITK", "onnxruntime")
        },
        "configuration": sorted(read_toml(config_folder() / "pipeline.toml")),
    }


def _model() -> object:
    from importlib import resources

    sidecar = resources.files("lfja_mri.levels") / "weights" / "spine_unet.json"
    return json.loads(sidecar.read_text(encoding="utf-8")) if sidecar.is_file() else "absent"
