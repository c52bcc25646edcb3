"""Values out of DICOM data sets: absent, empty and garbled ones all come out as None or empty."""

from __future__ import annotations

import math
import struct
import zlib
from functools import lru_cache
from typing import Any

PARSE_ERRORS = (
    EOFError,
    OSError,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    NotImplementedError,
    RuntimeError,
    ArithmeticError,
    AssertionError,
    MemoryError,
    struct.error,
    zlib.error,
)


def first_value(places: tuple[Any, ...], *keywords: str) -> Any:
    """Return the first value that is present, keyword by keyword and place by place."""
    for keyword in keywords:
        for place in places:
            value = value_of(place, keyword)
            if value is not None and value != "":
                return value
    return None


def value_of(place: Any, keyword: str) -> Any:
    """Return a value, or None where it is absent or garbled."""
    try:
        return place.get(keyword)
    except PARSE_ERRORS:
        return None


def text_of(value: Any) -> str:
    """Return a value as text; empty where absent."""
    return "" if value is None else str(value).strip().strip("\0")


def texts_of(value: Any) -> list[str]:
    """Return the parts of a value in upper case."""
    if value is None:
        return []
    parts = [value] if isinstance(value, str) else list(value)
    return [str(part).strip().upper() for part in parts]


def number_of(value: Any) -> float | None:
    """Return a finite number, or None."""
    if value is None:
        return None
    try:
        number = float(value if isinstance(value, (str, int, float)) else value[0])
    except (TypeError, ValueError, IndexError):
        return None
    return number if math.isfinite(number) else None


def positive_of(value: Any) -> float | None:
    """Return a number above zero, or None."""
    number = number_of(value)
    return number if number is not None and number > 0 else None


def integer_of(value: Any) -> int | None:
    """Return a whole number, or None."""
    number = number_of(value)
    return None if number is None else int(number)


def numbers_of(value: Any, count: int) -> tuple[float, ...] | None:
    """Return so many finite numbers, or None."""
    return _remembered_numbers(value, count) if isinstance(value, tuple) else _numbers(value, count)


def _numbers(value: Any, count: int) -> tuple[float, ...] | None:
    try:
        numbers = tuple(float(part) for part in value)
    except (TypeError, ValueError):
        return None
    return numbers if len(numbers) == count and all(map(math.isfinite, numbers)) else None


@lru_cache(maxsize=1024)
def _remembered_numbers(value: tuple[Any, ...], count: int) -> tuple[float, ...] | None:
    """Read numbers as text once: spacing and orientation repeat from file to file."""
    return _numbers(value, count)
