"""The few figures that the README shows, taken from the rows of `make evaluate`; none is typed by hand."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from benchmarks.rows import Row

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
START, END = "<!-- figures: written by make evaluate -->", "<!-- end of figures -->"
SHOWN = (
    "volumes with every visible lumbar disc named right and within 6 mm",
    "phantoms of normal count: every lumbar disc named right and within 6 mm",
    "phantoms of variant count or junction: right or flagged",
    "joint centre error, median / worst",
    "joint line to read line in plane, median",
    "silently wrong geometries",
    "grades: quadratic-weighted kappa, axial fat-suppressed",
    "grades: quadratic-weighted kappa, sagittal STIR alone",
    "grades: joints within one grade of the truth",
    "grades: joints within one grade of the truth, phantoms of normal count",
    "grades: joints within one grade of the truth, joints taken by place, whatever their name",
    "grades: grade-0 joints called 2 or more",
    "grades: grade-0 joints called 2 or more, phantoms of normal count",
    "grades: grade-0 joints called 2 or more, joints taken by place, whatever their name",
    "joint slab (space and 2 mm) IoU, axial slices",
    "joint slab (space and 2 mm) IoU, axial slices, phantoms of normal count",
    "unchanged joints called changed",
    "true improvements found",
    "true worsening found",
)


def write(rows: Iterable[Row], readme: Path = README) -> None:
    """Put the shown figures between the marks of a README; without all of them it stays as it is."""
    found = {row.figure: row for row in rows}
    if not set(SHOWN) <= set(found):
        return
    text = readme.read_text(encoding="utf-8")
    before, rest = text.split(START, 1)
    after = rest.split(END, 1)[1]
    table = "\n".join(_line(found[figure]) for figure in SHOWN)
    head = "| figure | value | target | on |\n|---|---|---|---|"
    readme.write_text(f"{before}{START}\n\n{head}\n{table}\n\n{END}{after}", encoding="utf-8")


def _line(row: Row) -> str:
    target = f"{row.target}: **missed**" if row.met is False else row.target
    return f"| {row.figure} | {row.value} | {target} | {row.data} |"
