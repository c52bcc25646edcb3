"""Print the accuracy table: every figure beside its target and its data, none typed by hand.

    python -m benchmarks.evaluate [TOPIC ...] [--write docs/validation.md]

Real data are used where they lie beside the checkout; a row whose data are absent says so. Phantom figures come from
evaluation seeds (10000 and up), which nothing was tuned on. Real and synthetic data never share a row.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import readme_table
from benchmarks.rows import Row

TOPICS = ("levels", "real_study", "facets", "grading", "change", "ingest", "phantom")
COLUMNS = ("figure", "value", "target", "met", "data")


def main() -> None:
    """Run the topics asked for, print one table, and write it where told."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("topics", nargs="*", help=f"any of {', '.join(TOPICS)}; all if none is named")
    parser.add_argument(
        "--write", type=Path, help="also write the table as Markdown, and the README's part of it"
    )
    parser.add_argument("--jobs", type=int, default=1, help="topics at a time; times are only fair with 1")
    asked = parser.parse_args()
    chosen = asked.topics or list(TOPICS)
    unknown = sorted(set(chosen) - set(TOPICS))
    if unknown:
        parser.error(f"unknown topics: {', '.join(unknown)}; known: {', '.join(TOPICS)}")
    sections = _sections(chosen, asked.jobs)
    rows = [row for section in sections.values() for row in section]
    Console(width=180).print(_table(rows))
    if asked.write:
        asked.write.write_text(_markdown(sections), encoding="utf-8")
        readme_table.write(rows)


def _sections(topics: Sequence[str], jobs: int) -> dict[str, Sequence[Row]]:
    """Return the rows of each topic, in the order asked for; side by side where more than one job is allowed."""
    if jobs == 1:
        return {topic: _rows(topic) for topic in topics}
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        return dict(zip(topics, pool.map(_rows, topics), strict=True))


def _rows(topic: str) -> Sequence[Row]:
    start = time.perf_counter()
    rows: Sequence[Row] = import_module(f"benchmarks.evaluate_{topic}").rows()
    print(f"{topic}: {len(rows)} figures in {time.perf_counter() - start:.0f} s", flush=True)
    return rows


def _met(row: Row) -> str:
    return {True: "yes", False: "MISSED", None: "-"}[row.met]


def _table(rows: Sequence[Row]) -> Table:
    table = Table(title="Accuracy", show_lines=False)
    for column in COLUMNS:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(row.figure, row.value, row.target, _met(row), row.data)
    return table


def _markdown(sections: dict[str, Sequence[Row]]) -> str:
    lines = [
        "# Validation",
        "",
        "Written by `make evaluate`; nothing here is typed by hand. Research software, not a medical device.",
    ]
    for topic, rows in sorted(sections.items(), key=lambda section: TOPICS.index(section[0])):
        lines += ["", f"## {topic.replace('_', ' ').capitalize()}", "", "| " + " | ".join(COLUMNS) + " |"]
        lines += ["|" + "---|" * len(COLUMNS)]
        lines += [f"| {row.figure} | {row.value} | {row.target} | {_met(row)} | {row.data} |" for row in rows]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
