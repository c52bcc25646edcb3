"""Sides, levels and mask schemes: the words of the command line, kept apart from the nouns that need numpy, so that help is quick."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum


class Side(StrEnum):
    """Side of the patient; +x in LPS is left."""

    LEFT = "left"
    RIGHT = "right"

    @property
    def lateral_sign(self) -> int:
        """+1 where the side lies towards the patient's left, else -1."""
        return 1 if self is Side.LEFT else -1


class Level(StrEnum):
    """A lumbar motion segment, named by the two vertebrae beside its disc; defined from the head down."""

    L1_L2 = "L1-L2"
    L2_L3 = "L2-L3"
    L3_L4 = "L3-L4"
    L4_L5 = "L4-L5"
    L4_S1 = "L4-S1"
    L5_L6 = "L5-L6"
    L5_S1 = "L5-S1"
    L6_S1 = "L6-S1"


class MaskScheme(StrEnum):
    """Whose labels a spine mask carries."""

    AUTO = "auto"
    SPINEPS = "spineps"
    TOTALSPINESEG = "totalspineseg"
    TOTALSEGMENTATOR = "totalsegmentator"
    SPIDER = "spider"


NUMBERING_DOUBTS = (
    "numbering_uncertain",
    "ribs_disagree",
    "series_disagree",
    "transitional_anatomy_suspected",
)
"""Flags of a spine whose count the images put in doubt; names that are assumed have a basis of their own."""

NAMES_TO_CHECK = (*NUMBERING_DOUBTS, "sacrum_not_in_view")
"""What makes a reader look at the names of levels before reading on."""


def numbering_doubts(flags: Iterable[str]) -> tuple[str, ...]:
    """Return which doubts about the names of levels stand among flags, or cells of flags joined by `;`."""
    return _among(NUMBERING_DOUBTS, flags)


def names_to_check(flags: Iterable[str]) -> tuple[str, ...]:
    """Return why the names of levels want a look: doubts, and that they are merely assumed."""
    return _among(NAMES_TO_CHECK, flags)


def _among(known: Sequence[str], flags: Iterable[str]) -> tuple[str, ...]:
    raised = {flag for cell in flags for flag in cell.split(";")}
    return tuple(flag for flag in known if flag in raised)
