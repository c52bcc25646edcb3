"""What the numbers in other tools' masks mean. Sources: their documentation, in our words in the label notes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lfja_mri.model import Level
from lfja_mri.names import MaskScheme


@dataclass(frozen=True)
class LabelTable:
    """Labels of one scheme.

    Parameters
    ----------
    vertebrae
        Label of L1 to L6 (key 1 to 6).
    discs
        Label of the disc below L1 to L6 (key 1 to 6); empty where the scheme has none.
    lowest_disc
        Label of the disc on the sacrum, where the scheme has one for it whatever the count.
    sacrum, canal
        Labels of the sacrum, and of canal and cord.
    """

    vertebrae: Mapping[int, int]
    discs: Mapping[int, int] = field(default_factory=dict)
    lowest_disc: int | None = None
    sacrum: tuple[int, ...] = ()
    canal: tuple[int, ...] = ()


TABLES: Mapping[MaskScheme, LabelTable] = {
    MaskScheme.SPINEPS: LabelTable(
        vertebrae={n: 19 + n for n in range(1, 7)},
        discs={n: 119 + n for n in range(1, 7)},
        sacrum=(26,),
    ),
    MaskScheme.TOTALSPINESEG: LabelTable(
        vertebrae={n: 40 + n for n in range(1, 7)},
        discs={**{n: 91 + n for n in range(1, 5)}, 5: 96},
        lowest_disc=100,
        sacrum=(50,),
        canal=(1, 2),
    ),
    MaskScheme.TOTALSEGMENTATOR: LabelTable(vertebrae={n: 7 - n for n in range(1, 6)}, sacrum=(1,)),
    MaskScheme.SPIDER: LabelTable(
        vertebrae={n: 6 - n for n in range(1, 6)},
        discs={n: 206 - n for n in range(1, 6)},
        canal=(100,),
    ),
}

# SPINEPS keeps canal and side in its second mask (`seg-spine`).
SPINEPS_CANAL = (60, 61)
SPINEPS_LEFT = (43, 45, 47)
SPINEPS_RIGHT = (44, 46, 48)

BELOW: Mapping[int, Level] = {
    1: Level.L1_L2,
    2: Level.L2_L3,
    3: Level.L3_L4,
    4: Level.L4_L5,
    5: Level.L5_S1,
    6: Level.L6_S1,
}


def level_below(vertebra: int, lowest: int) -> Level:
    """Level of the disc below a lumbar vertebra, given the lowest vertebra above the sacrum (4, 5 or 6)."""
    if vertebra == 4 and lowest == 4:
        return Level.L4_S1
    if vertebra == 5 and lowest == 6:
        return Level.L5_L6
    return BELOW[vertebra]
