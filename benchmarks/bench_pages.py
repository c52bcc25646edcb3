"""How long the first page of thirty studies takes to open in headless Chromium, and how large the pages are.

python -m benchmarks.bench_pages [--archive FOLDER]

The archive is made up: thirty copies of the sample case's golden table, and pages measured where an archive is given.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from benchmarks.rows import Row
from lfja_mri.report import About, index_page

ROOT = Path(__file__).resolve().parent.parent
GOLDEN = ROOT / "sample_data" / "golden" / "grades.csv"
STUDIES = 30
OPENED_S = 2.0
LARGEST_BYTES = 3_000_000
REPEATS = 5


def main() -> None:
    """Print the rows."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--archive", type=Path, help="what `grade` or `cohort` wrote: measure its pages too")
    asked = parser.parse_args()
    met = {True: "yes", False: "MISSED", None: "-"}
    print("| figure | value | target | met | data |\n|---|---|---|---|---|")
    for row in rows(asked.archive):
        print(f"| {row.figure} | {row.value} | {row.target} | {met[row.met]} | {row.data} |")


def rows(archive: Path | None = None) -> list[Row]:
    """Return how long the index takes to open and how large pages are."""
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "index.html"
        page.write_text(thirty_studies(), encoding="utf-8")
        found = [opened(page, f"synthetic: {STUDIES} copies of the sample case")]
        found.append(largest([page], "index of 30 studies, size", "the same"))
    if archive is not None:
        found.append(opened(archive / "index.html", archive.name))
        found.append(largest(sorted(archive.rglob("*.html")), "largest page", archive.name))
    return found


def thirty_studies() -> str:
    """Return the first page of thirty studies with their links."""
    with GOLDEN.open(encoding="utf-8", newline="") as handle:
        sample = list(csv.DictReader(handle))[:10]
    table = [
        dict(row, study_key=f"{number:012x}", subject=f"P{number:02d}")
        for number in range(STUDIES)
        for row in sample
    ]
    links = {row["study_key"]: f"studies/{row['study_key']}/report.html" for row in table}
    about = About(sample[0]["tool_version"], scale=sample[0]["scale"], rules_digest=sample[0]["rules_digest"])
    return index_page(table, about=about, links=links)


def opened(page: Path, data: str) -> Row:
    """Return how much longer a browser takes to start, load, lay out and paint the page than an empty one."""
    target = f"< {OPENED_S:.0f} s"
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        return Row("first page opens", "no Chromium on this machine", target, None, data)
    with tempfile.TemporaryDirectory() as folder:
        empty = Path(folder) / "empty.html"
        empty.write_text("<!doctype html><title>empty</title>", encoding="utf-8")
        pairs = [(_painted_s(browser, page), _painted_s(browser, empty)) for _ in range(REPEATS)]
    longer = max(0.0, statistics.median(full - bare for full, bare in pairs))
    whole = statistics.median(full for full, _ in pairs)
    value = f"{longer:.2f} s ({whole:.2f} s with the browser's own start; median of {REPEATS})"
    return Row("first page opens", value, target, longer < OPENED_S, data)


def _painted_s(browser: str, page: Path) -> float:
    with tempfile.TemporaryDirectory() as folder:
        options = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--disable-background-networking",
        ]
        profile = f"--user-data-dir={folder}/profile"
        command = [browser, *options, profile, f"--screenshot={folder}/page.png", page.resolve().as_uri()]
        start = time.perf_counter()
        subprocess.run(command, capture_output=True, timeout=120, check=True)
        return time.perf_counter() - start


def largest(pages: list[Path], figure: str, data: str) -> Row:
    """Return the size of the largest page."""
    size = max(page.stat().st_size for page in pages)
    value = f"{size / 1e6:.2f} MB of {len(pages)}"
    return Row(figure, value, f"< {LARGEST_BYTES / 1e6:.0f} MB", size < LARGEST_BYTES, data)


if __name__ == "__main__":
    main()
