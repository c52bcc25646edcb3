"""Speed of ingestion, paired with dcm2niix in one run: which goes first changes from round to round."""

from __future__ import annotations

import importlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.rows import Row
from lfja_mri.config import load_pipeline_settings
from lfja_mri.ingest import find_studies, read_study

ROOT = Path(__file__).resolve().parent.parent
REAL = ROOT.parent / "shared" / "data" / "dicom" / "rsna-100206310"
CONVERTER = Path(sys.executable).parent / "dcm2niix"
FILES, PLANES, SIDE = 1000, 25, 320
ROUNDS = 5
KIB_PER_MIB = 1024
ONE_STUDY_S = 1.0
MOST_MIB = 500.0


def rows() -> list[Row]:
    """Return the figures: inspecting 1,000 slices against converting them, loading a study, memory on 2,000 files."""
    with tempfile.TemporaryDirectory() as folder:
        made, out = Path(folder) / "in", Path(folder) / "out"
        out.mkdir()
        _write(made, FILES)
        ours, theirs = _paired(
            lambda: _run([sys.executable, "-m", "lfja_mri", "inspect", str(made), "--json"]),
            lambda: _run([str(CONVERTER), "-o", str(out), str(made)]),
        )
        _write(made / "more", FILES)
        peak_mib = _peak_mib(made)
    ratio = statistics.median(mine / other for mine, other in zip(ours, theirs, strict=True))
    data = f"{FILES} slice files of {SIDE} x {SIDE} made by code, {ROUNDS} rounds"
    seconds = f"{statistics.median(ours):.2f} against {statistics.median(theirs):.2f} s, ratio {ratio:.2f}"
    return [
        Row("inspect 1,000 files against dcm2niix converting them", seconds, "ratio <= 1", ratio <= 1, data),
        Row(
            "peak memory reading 2,000 headers and roles",
            f"{peak_mib:.0f} MiB",
            "<= 500 MiB",
            peak_mib <= MOST_MIB,
            "as above",
        ),
        *_real_study(),
    ]


def _real_study() -> list[Row]:
    if not REAL.is_dir():
        return []
    settings = load_pipeline_settings().ingest
    seconds = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        read_study(find_studies([REAL], settings).studies[0], settings)
        seconds.append(time.perf_counter() - start)
    median = statistics.median(seconds)
    figure = "load a study of 96 slices: headers, roles, pixels"
    return [Row(figure, f"{median:.2f} s", "<= 1 s", median <= ONE_STUDY_S, "real study, RLE compressed")]


def _paired(first: Callable[[], float], second: Callable[[], float]) -> tuple[list[float], list[float]]:
    """Time two things in turn, after one round that is not counted."""
    pairs = []
    for number in range(ROUNDS + 1):
        if number % 2:
            other, mine = second(), first()
        else:
            mine, other = first(), second()
        pairs.append((mine, other))
    return [mine for mine, _ in pairs[1:]], [other for _, other in pairs[1:]]


def _run(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, capture_output=True, check=False, cwd=ROOT)
    return time.perf_counter() - start


def _peak_mib(folder: Path) -> float:
    """Return the peak memory of reading a folder; of this one process, whatever was started before it."""
    command = [sys.executable, "-m", "lfja_mri", "inspect", str(folder), "--json"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return used.ru_maxrss / KIB_PER_MIB


def _write(folder: Path, count: int) -> None:
    """Write series of noise with headers as a scanner would state them."""
    made = _made()
    noise = np.random.default_rng(0).integers(0, 1000, (SIDE, SIDE)).astype(np.uint16).tobytes()
    slab = made.Slab(shape=(SIDE, SIDE), count=PLANES)
    for number in range(count // PLANES):
        head = replace(
            made.Header(), series=f"1.2.3.1.{count}.{number}.{len(folder.parts)}", number=number + 1
        )
        sets = made.series(slab, head)
        for data in sets:
            data.PixelData = noise
        made.write(folder / f"s{number}", sets)


def _made() -> Any:
    folder = str(ROOT / "tests")
    if folder not in sys.path:
        sys.path.append(folder)
    return importlib.import_module("made_dicom")


if __name__ == "__main__":
    for row in rows():
        print(row)
