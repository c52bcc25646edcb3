"""Rewrite the tables that `sample_data` must give. Read the diff before committing it."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "sample_data"
GOLDEN = SAMPLE / "golden"
TOOL = (sys.executable, "-m", "lfja_mri")


def make(golden: Path) -> None:
    """Grade both visits, compare them, and keep the tables."""
    golden.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "graded"
        run("grade", SAMPLE / "baseline", SAMPLE / "one_year", "--out", out, "--no-pictures", "--no-report")
        (golden / "grades.csv").write_bytes((out / "grades.csv").read_bytes())
    run("compare", SAMPLE / "baseline", SAMPLE / "one_year", "--out", golden / "change.csv", "--no-report")


def run(*words: object) -> None:
    """Run the tool; a failure stops the rewriting."""
    subprocess.run([*TOOL, *map(str, words), "--quiet"], check=True)


if __name__ == "__main__":
    make(GOLDEN)
