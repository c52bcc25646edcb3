"""Print speed and memory: paired in one run, medians and ratios, since machines are noisy.

python -m benchmarks.bench [--studies 16] [--write docs/speed.md]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks import bench_ingest, bench_pages
from benchmarks.rows import Row

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "sample_data" / "baseline"
REAL = ROOT.parent / "shared" / "data" / "dicom" / "rsna-100206310"
TOOL = [sys.executable, "-m", "lfja_mri"]
REPEATS = 5


def main() -> None:
    """Run the benchmarks and print one table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--studies", type=int, default=16, help="studies of the scaling run")
    parser.add_argument("--archive", type=int, default=1000, help="studies of the regrade run")
    parser.add_argument("--write", type=Path, help="also write the table as Markdown")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        _keep_bytecode(Path(folder) / "bytecode")
        rows = [
            yardstick(),
            *cold_start(),
            *bench_ingest.rows(),
            *bench_pages.rows(),
            *one_study(Path(folder)),
            *scaling(Path(folder), asked.studies),
            *growth(Path(folder), asked.studies),
            *regrading(Path(folder), asked.archive),
        ]
    lines = ["| figure | value | target | met | data |", "|---|---|---|---|---|"]
    met = {True: "yes", False: "MISSED", None: "-"}
    lines += [f"| {r.figure} | {r.value} | {r.target} | {met[r.met]} | {r.data} |" for r in rows]
    print("\n".join(lines))
    if asked.write:
        head = f"# Speed and memory\n\nWritten by `make bench` on {os.cpu_count()} cores; medians of {REPEATS} runs.\n\n"
        asked.write.write_text(head + "\n".join(lines) + "\n", encoding="utf-8")


def _keep_bytecode(folder: Path) -> None:
    """Let the commands find their modules compiled, as pip leaves them.

    Where the environment forbids a checkout to keep bytecode, every process would compile 160 modules anew.
    """
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = str(folder)


def timed(command: Sequence[str], repeats: int = REPEATS) -> float:
    """Return the median wall time of a command in seconds, after one run that is not counted."""
    seconds = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        subprocess.run(command, capture_output=True, check=False)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[1:])


def yardstick() -> Row:
    """Time one slice through the network: by it the figures of two machines may be compared.

    In a process of its own: what is loaded here, every process that is started here counts as its own peak of memory.
    """
    command = [sys.executable, "-m", "benchmarks.yardstick"]
    told = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout.strip()
    return Row(
        "this machine: one slice through the network, one core", f"{told} ms", "-", None, "384 x 384 of noise"
    )


def cold_start() -> list[Row]:
    """Time the two commands that should feel instant."""
    bare = timed([sys.executable, "-c", "pass"])
    rows = []
    for words, target in ((["--help"], 0.4), (["info"], None)):
        seconds = timed([*TOOL, *words])
        value = f"{seconds:.2f} s ({seconds / bare:.1f} x a bare interpreter)"
        met = None if target is None else seconds < target
        rows.append(Row(f"cold start of {words[0]}", value, f"< {target} s" if target else "-", met, "-"))
    return rows


def one_study(folder: Path) -> list[Row]:
    """Grade one study end to end in a process of its own: wall time, stages, peak memory."""
    study, data = (
        (REAL, "real: RSNA 100206310, 96 slices") if REAL.is_dir() else (SAMPLE, "synthetic: sample case")
    )
    out = folder / "one"
    seconds = timed([*TOOL, "grade", str(study), "--out", str(out), "--force", "--quiet"], repeats=3)
    bare = timed(
        [*TOOL, "grade", str(study), "--out", str(out), "--force", "--quiet", "--no-pictures"], repeats=3
    )
    record = json.loads(next((out / "studies").glob("*/run.json")).read_text())
    peak = json.loads((out / "run.json").read_text())["peak_memory_mib"]
    stages = ", ".join(f"{name} {value:.1f} s" for name, value in sorted(record["timings_s"].items()))
    return [
        Row("one study without pictures", f"{bare:.1f} s ({stages})", "<= 10 s", bare <= 10, data),
        Row("one study with pictures and pages", f"{seconds:.1f} s", "<= 10 s", seconds <= 10, data),
        Row("peak memory", f"{peak} MiB", "<= 1024 MiB", peak <= 1024, data),
    ]


def scaling(folder: Path, count: int) -> list[Row]:
    """Grade copies of one study, told apart by their UID, with one process and with two."""
    studies = folder / "many"
    for number in range(count):
        copy_study(SAMPLE, studies / f"{number:03d}", number)
    seconds = {jobs: graded([studies], folder / f"jobs{jobs}", jobs) for jobs in (1, 2)}
    efficiency = seconds[1] / (2 * seconds[2])
    same = (folder / "jobs1/grades.csv").read_bytes() == (folder / "jobs2/grades.csv").read_bytes()
    data = f"synthetic: {count} copies of the sample case, one thread a process"
    return [
        Row(
            "two processes against one, efficiency",
            f"{efficiency:.2f} ({seconds[1]:.0f} s to {seconds[2]:.0f} s)",
            ">= 0.9",
            efficiency >= 0.9,
            data,
        ),
        Row("same bytes whatever --jobs", "yes" if same else "no", "yes", same, data),
    ]


def graded(inputs: Sequence[Path], out: Path, jobs: int) -> float:
    """Grade studies by workers and return the wall time in seconds."""
    command = [*TOOL, "grade", *map(str, inputs), "--out", str(out), "--jobs", str(jobs), "--timeout", "600"]
    start = time.perf_counter()
    subprocess.run([*command, "--quiet", "--no-pictures"], capture_output=True, check=False)
    return time.perf_counter() - start


def growth(folder: Path, count: int) -> list[Row]:
    """Grade a quarter and half of the copies, and one study with half of its slices: cost must grow no faster."""
    copies = sorted((folder / "many").iterdir())
    parts = [count // 4, count // 2]
    seconds = [graded(copies[:part], folder / f"out{part}", 2) for part in parts]
    half, whole = (graded([study], folder / f"graded_{study.name}", 1) for study in _thinned(folder))
    each = (seconds[1] - seconds[0]) / (parts[1] - parts[0])
    first = seconds[0] / parts[0]
    return [
        Row(
            f"cost of a study among {parts[0]}, and of each further one up to {parts[1]}",
            f"{first:.1f} s, {each:.1f} s",
            "no more",
            each <= 1.1 * first,
            "synthetic: copies of the sample case, 2 processes",
        ),
        Row(
            "one study with half of its slices, and with all",
            f"{half:.1f} s, {whole:.1f} s",
            "at most twice",
            whole <= 2.2 * half,
            "synthetic: sample case, 39 and 78 slices",
        ),
    ]


def _thinned(folder: Path) -> tuple[Path, Path]:
    """Return the sample case with every second slice of each series, and whole."""
    import pydicom

    half, whole = folder / "half", folder / "whole"
    half.mkdir()
    shutil.copytree(SAMPLE, whole)
    by_series: dict[str, list[tuple[int, Path]]] = {}
    for path in sorted(SAMPLE.rglob("*.dcm")):
        header = pydicom.dcmread(path, stop_before_pixels=True)
        by_series.setdefault(header.SeriesInstanceUID, []).append((int(header.InstanceNumber), path))
    for planes in by_series.values():
        for _, path in sorted(planes)[::2]:
            shutil.copy(path, half / path.name)
    return half, whole


def copy_study(source: Path, target: Path, number: int) -> None:
    """Copy a study under another StudyInstanceUID."""
    import pydicom

    target.mkdir(parents=True)
    for path in sorted(source.rglob("*.dcm")):
        header = pydicom.dcmread(path)
        header.StudyInstanceUID = f"{header.StudyInstanceUID}.{number + 1}"[:64]
        header.save_as(target / path.name)


def regrading(folder: Path, count: int) -> list[Row]:
    """Regrade an archive of many studies."""
    done = next((folder / "jobs1" / "studies").glob("*"))
    archive = folder / "archive" / "studies"
    for number in range(count):
        copy = archive / f"{number:012x}"
        copy.mkdir(parents=True)
        for name in ("grades.csv", "measurements.json", "run.json"):
            shutil.copy(done / name, copy / name)
    seconds = timed([*TOOL, "regrade", str(folder / "archive"), "--out", str(folder / "re.csv")], repeats=3)
    value = f"{seconds:.1f} s"
    return [
        Row(
            f"regrade of {count} studies", value, "< 5 s", seconds < 5, "synthetic: copies of the sample case"
        )
    ]


if __name__ == "__main__":
    main()
