"""What a header says of how a plane was made."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from lfja_mri.ingest.values import first_value, positive_of, text_of, texts_of


@dataclass(frozen=True, slots=True)
class SeriesFacts:
    """What the header says of how a plane was made; None or empty where it is silent.

    `words` are the free-text names of series and sequence in lower case, `description` that of the series alone: matched against fixed lists,
    never written anywhere.
    """

    repetition_time_ms: float | None = None
    echo_time_ms: float | None = None
    inversion_time_ms: float | None = None
    field_strength_t: float | None = None
    agent: str = ""
    words: str = ""
    description: str = ""
    scanning_sequence: frozenset[str] = frozenset()
    scan_options: frozenset[str] | None = None
    image_type: tuple[str, ...] = ()
    fat_suppression: str = ""
    maker: str = ""
    date: str = ""
    time_s: float | None = None


FIXED_WORDS = (
    *("SeriesDescription", "ProtocolName", "SequenceName", "PulseSequenceName", "ScanningSequence"),
    *(
        "RepetitionTime",
        "EffectiveEchoTime",
        "EchoTime",
        "InversionTime",
        "InversionTimes",
        "InversionRecovery",
    ),
    *("MagneticFieldStrength", "ContrastBolusAgent", "ScanOptions", "SpectrallySelectedSuppression"),
    *("FrameType", "ImageType", "Manufacturer", "ManufacturerModelName"),
)
REMEMBERED_SERIES = 256
Times = tuple[float | None, float | None, float | None, float | None]
Words = tuple[str, str, str]
Fixed = tuple[*Times, *Words, frozenset[str], frozenset[str] | None, tuple[str, ...], str, str]


def facts_of(places: tuple[Any, ...]) -> SeriesFacts:
    """Read the facts of one plane from its data set, or from its frame's functional groups before it."""
    day = first_value(places, "AcquisitionDate", "SeriesDate", "StudyDate", "AcquisitionDateTime")
    return SeriesFacts(*_fixed(places), date=text_of(day)[:8], time_s=_clock(places))


def _fixed(places: tuple[Any, ...]) -> Fixed:
    """Read what the planes of a series share, once a series where it lies in one plain place."""
    if len(places) == 1:
        try:
            return _remembered(tuple(map(places[0].get, FIXED_WORDS)))
        except TypeError:
            # pydicom's lists cannot be looked up
            return _read_fixed(places)
    return _read_fixed(places)


@lru_cache(maxsize=REMEMBERED_SERIES)
def _remembered(values: tuple[Any, ...]) -> Fixed:
    return _read_fixed((dict(zip(FIXED_WORDS, values, strict=True)),))


def _read_fixed(places: tuple[Any, ...]) -> Fixed:
    """Return the facts in the order of `SeriesFacts`, date and time left out."""
    # a protocol often names the whole examination, so it counts only where the series has no name
    name = text_of(first_value(places, "SeriesDescription", "ProtocolName"))
    texts = (
        name,
        text_of(first_value(places, "SequenceName")),
        text_of(first_value(places, "PulseSequenceName")),
    )
    options = first_value(places, "ScanOptions")
    inversion = {"IR"} if text_of(first_value(places, "InversionRecovery")) == "YES" else set()
    return (
        positive_of(first_value(places, "RepetitionTime")),
        positive_of(first_value(places, "EffectiveEchoTime", "EchoTime")),
        positive_of(first_value(places, "InversionTime", "InversionTimes")),
        positive_of(first_value(places, "MagneticFieldStrength")),
        text_of(first_value(places, "ContrastBolusAgent")).strip().lower(),
        " ".join(texts).lower(),
        text_of(first_value(places, "SeriesDescription")).lower(),
        frozenset(texts_of(first_value(places, "ScanningSequence"))) | inversion,
        None if options is None else frozenset(texts_of(options)),
        tuple(texts_of(first_value(places, "FrameType", "ImageType"))),
        text_of(first_value(places, "SpectrallySelectedSuppression")).upper(),
        f"{text_of(first_value(places, 'Manufacturer'))}|{text_of(first_value(places, 'ManufacturerModelName'))}",
    )


def _clock(places: tuple[Any, ...]) -> float | None:
    """Seconds since midnight of the acquisition, else of the series."""
    whole = text_of(first_value(places, "FrameAcquisitionDateTime", "AcquisitionDateTime"))
    text = whole[8:] or text_of(first_value(places, "AcquisitionTime", "SeriesTime"))
    digits = text.replace(":", "")
    try:
        return int(digits[:2]) * 3600 + int(digits[2:4] or 0) * 60 + float(digits[4:12] or 0)
    except ValueError:
        return None
