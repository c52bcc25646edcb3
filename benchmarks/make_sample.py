"""Make `sample_data/` again: both visits of the published case as a phantom, and its truth; byte for byte on one processor."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from lfja_mri.phantom import BASELINE, FOLLOW_UP, generate_study, load_recipe, write_truth

ROOT = Path(__file__).resolve().parent.parent
SEED = 61
FOLDERS = {BASELINE: "baseline", FOLLOW_UP: "one_year"}


def make(out: Path) -> None:
    """Write both visits and the truth tables."""
    recipe = load_recipe("published_case")
    studies = []
    for visit, folder in FOLDERS.items():
        shutil.rmtree(out / folder, ignore_errors=True)
        studies.append(generate_study(recipe, SEED, out / folder, visit=visit))
    write_truth(out, studies)


def main() -> None:
    """Write to `sample_data`, or elsewhere for a comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "sample_data")
    make(parser.parse_args().out)


if __name__ == "__main__":
    main()
