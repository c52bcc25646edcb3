"""The five-item inflammation sheet: effusion, and intensity and extent of bone and soft-tissue oedema.

The definitions are this project's own, in `configs/grading/inflammation_items.toml`; they are not the published atlas.
"""

from __future__ import annotations

from pathlib import Path

from lfja_mri.config import config_folder, parse, read_toml
from lfja_mri.errors import Reason
from lfja_mri.grading.facts import FURTHER_MEASURES, measured_values
from lfja_mri.grading.rules import MeasureMeaning, Rule, check_rules, first_match
from lfja_mri.model import Measure, Measurements, Missing
from lfja_mri.settings.section import Settings


class Sheet(Settings):
    """Whose items these are."""

    name: str
    version: str
    statement: str


class Item(Settings):
    """One item with its own small scale."""

    id: str
    grades: tuple[int, ...]
    rule: tuple[Rule, ...]


class ItemSheet(Settings):
    """A sheet of items, each judged by its own rules."""

    sheet: Sheet
    measures: dict[str, MeasureMeaning]
    item: tuple[Item, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """Item ids in the sheet's order."""
        return tuple(item.id for item in self.item)


def load_items(path: Path | None = None) -> ItemSheet:
    """Read an item sheet; the packaged one if no path is given.

    Raises
    ------
    ConfigurationError
        The file cannot be read, or an item says something that a rule table may not.
    """
    source = path or config_folder() / "grading" / "inflammation_items.toml"
    sheet = parse(ItemSheet, read_toml(source), where=source.name)
    for item in sheet.item:
        check_rules(item.rule, sheet.measures, grades=item.grades, where=f"{source.name}, item {item.id}")
    return sheet


def judge_items(measurements: Measurements, sheet: ItemSheet) -> dict[str, int | None]:
    """Score every item; None where a needed measure is missing."""
    unmeasured: dict[str, Measure] = dict.fromkeys(FURTHER_MEASURES, Missing(Reason.MEASURE_MISSING))
    values = unmeasured | measured_values(measurements)
    return {item.id: _score(first_match(item.rule, values)) for item in sheet.item}


def _score(match: Rule | tuple[str, Missing]) -> int | None:
    return match.grade if isinstance(match, Rule) else None
