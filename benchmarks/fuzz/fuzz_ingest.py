"""Coverage-guided fuzzing of ingestion: any bytes give studies or reasons, never an unhandled exception.

    make fuzz

Each input is one file of a folder that also holds three sound planes, so that grouping and stacking run too.
"""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path

import atheris
import pydicom

with atheris.instrument_imports(include=["lfja_mri.ingest"]):
    from lfja_mri.config import load_pipeline_settings
    from lfja_mri.errors import LfjaError
    from lfja_mri.ingest import find_studies, read_study

SEED_PLANE = Path(__file__).parent / "corpus" / "explicit"


def sound_planes() -> list[bytes]:
    """Return three planes of the seed's series, 4 mm apart."""
    planes = []
    for number in range(1, 4):
        plane = pydicom.dcmread(SEED_PLANE)
        plane.SOPInstanceUID = f"1.2.3.4.{number}"
        plane.ImagePositionPatient = [4 * number, 0, 0]
        buffer = io.BytesIO()
        plane.save_as(buffer)
        planes.append(buffer.getvalue())
    return planes


SOUND = sound_planes()
SETTINGS = load_pipeline_settings().ingest


def try_bytes(data: bytes) -> None:
    """Read one folder with the given bytes as a file; errors of the family are answers, all others are findings."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number, plane in enumerate(SOUND):
            (folder / f"sound{number}").write_bytes(plane)
        (folder / "input").write_bytes(data)
        try:
            for study in find_studies([folder], SETTINGS).studies:
                read_study(study, SETTINGS)
        except LfjaError:
            return


if __name__ == "__main__":
    atheris.Setup(sys.argv, try_bytes)
    atheris.Fuzz()
