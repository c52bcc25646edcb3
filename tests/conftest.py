"""What every test file may use."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LONGEST_FIRST = (
    "test_sample.py",
    "test_grading_measures.py",
    "test_masks.py",
    "test_facets_place.py",
    "test_phantom_study.py",
)  # fmt: skip - so that no process ends long after the others


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first; the others stay as they are."""
    places = {name: place for place, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: places.get(item.path.name, len(places)))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the shared real data are not beside this checkout")
    return folder


@pytest.fixture(scope="session")
def sample_data() -> Path:
    return ROOT / "sample_data"
