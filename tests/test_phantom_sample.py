from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from benchmarks.make_sample import FOLDERS, make
from lfja_mri.tables import read_csv


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.suffix in {".dcm", ".csv"} and "golden" not in path.parts
    }


def test_the_sample_tells_the_published_story(sample_data):
    rows = read_csv(sample_data / "truth.csv")
    grades = {(row["visit"], row["level"], row["side"]): int(row["grade"]) for row in rows}
    treated = ("L4-L5", "right")
    assert grades["baseline", *treated] == 3
    assert grades["follow_up", *treated] == 1
    others = {key[1:] for key in grades} - {treated}
    assert all(grades["baseline", *key] == grades["follow_up", *key] <= 1 for key in others)


def test_the_sample_is_small_enough_to_clone(sample_data):
    assert sum(path.stat().st_size for path in sample_data.rglob("*") if path.is_file()) < 15e6
    assert all(any((sample_data / folder).glob("*.dcm")) for folder in FOLDERS.values())


@pytest.mark.slow
def test_the_sample_is_made_again_byte_for_byte(sample_data, tmp_path):
    make(tmp_path)
    assert digests(tmp_path) == digests(sample_data)
