"""Joints on the command line: `--explain L4-L5 right`, as often as wanted.

The parser of the app takes one word per repeated option. So the two words of a joint are joined before it reads
them, and taken apart here.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import typer
from typer.core import TyperCommand

from lfja_mri.names import Level, Side

EXPLAIN = "--explain"
JOINTS = tuple(f"{level.value} {side.value}" for level in Level for side in Side)


@dataclass(frozen=True)
class NamedJoint:
    """One joint as a user names it."""

    level: Level
    side: Side


class GradeCommand(TyperCommand):
    """The command whose `--explain` takes two words each time."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the command line."""
        return super().parse_args(ctx, joined(args))


def joined(words: Sequence[str]) -> list[str]:
    """Return the command line with the level and the side after every `--explain` as one word."""
    left, result = list(words), []
    while left:
        word = left.pop(0)
        result.append(word)
        if word == "--":
            return result + left
        if word == EXPLAIN and left and " " not in left[0]:
            result.append(" ".join(left[:2]))
            del left[:2]
        elif word.startswith(f"{EXPLAIN}=") and left and " " not in word:
            result[-1] = f"{word} {left.pop(0)}"
    return result


def named_joint(words: str) -> NamedJoint:
    """Return the joint of words such as `L4-L5 right`; capitals do not matter.

    Raises
    ------
    typer.BadParameter
        No lumbar joint has this name: usage, with the nearest name there is.
    """
    names = {name.lower(): name for name in JOINTS}
    asked = " ".join(words.lower().split())
    if asked not in names:
        near = difflib.get_close_matches(asked, names, n=1)
        hint = (
            f"did you mean '{names[near[0]]}'?" if near else "needed a level and a side, such as L4-L5 right"
        )
        raise typer.BadParameter(f"'{words}' is no joint; {hint}")
    level, side = names[asked].split()
    return NamedJoint(Level(level), Side(side))
