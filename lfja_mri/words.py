"""Numbers with their nouns, for messages that people read."""

from __future__ import annotations


def counted(number: int, one: str, many: str | None = None) -> str:
    """Return `1 file`, `2 files`; `many` where the plural is not the singular with an s."""
    return f"{number} {one if number == 1 else many or one + 's'}"
