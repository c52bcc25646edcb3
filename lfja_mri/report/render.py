"""Templates to text: the one place that knows jinja2, and the words that all pages share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from lfja_mri.model import Graded, Outcome
from lfja_mri.report import glossary, palette

Row = Mapping[str, str]


@dataclass(frozen=True)
class About:
    """What a page says of its origin; empty words are left out."""

    tool_version: str
    subject: str = ""
    visit: str = ""
    scale: str = ""
    rules_digest: str = ""

    @property
    def scale_name(self) -> str:
        """Return the scale as people write it."""
        return palette.SCALE_NAMES.get(self.scale, self.scale)

    @property
    def meanings(self) -> tuple[str, ...]:
        """Return what grade 0, 1, ... mean; empty where the scale is a user's own."""
        return palette.GRADE_MEANINGS.get(self.scale, ())


def render(template: str, **content: Any) -> str:
    """Fill a template; a name that the template needs and nobody gave raises."""
    return _environment().get_template(template).render(disclaimer=palette.DISCLAIMER, **content)


def words(code: object) -> str:
    """Return a code as words: `thick_slices` becomes `thick slices`."""
    return str(code).replace("_", " ")


_CONTRASTS = {
    "t1": "T1",
    "t2": "T2",
    "pd": "PD",
    "stir": "STIR",
    "fs": "fat-suppressed",
    "gd": "after contrast",
    "dixon": "Dixon",
}


def series_words(role: object) -> str:
    """Return a role as a radiologist says it: `axial_t2_fs` becomes `axial T2 fat-suppressed`."""
    return " ".join(_CONTRASTS.get(part, part) for part in str(role).split("_"))


_UNITS = {"_mm3": " (mm\u00b3)", "_mm": " (mm)"}


def measure_words(column: object) -> str:
    """Return a measure's column as words with its unit: `effusion_width_mm` becomes `effusion width (mm)`."""
    name = str(column)
    for ending, unit in _UNITS.items():
        if name.endswith(ending):
            return words(name.removesuffix(ending)) + unit
    return words(name)


def grade_class(grade: Outcome | str) -> str:
    """Return the style of a grade, given as an outcome or as a table's cell."""
    if isinstance(grade, str):
        return f"g{min(int(grade), 4)}" if grade.isdigit() else "gn"
    return f"g{min(grade.grade, 4)}" if isinstance(grade, Graded) else "gn"


def outline_key() -> list[dict[str, str]]:
    """Return names and colours of the outlines."""
    outlines = [{"name": outline.name, "colour": outline.colour} for outline in palette.OUTLINES]
    return [*outlines, {"name": "joint line", "colour": palette.JOINT_LINE_COLOUR}]


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "grade_class": grade_class,
        "interval": palette.interval,
        "words": words,
        "series": series_words,
        "measure": measure_words,
        "meaning": glossary.flag_words,
        "because": glossary.reason_words,
    }
    return environment
