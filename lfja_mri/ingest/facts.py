"""What a header says of how a plane was made."""

from __future__ import annotations

from dataclasses import dataclass
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


def facts_of(places: tuple[Any, ...]) -> SeriesFacts:
    """Read the facts of one plane from its data set, or from its frame's functional groups before it."""
    # a protocol often names the whole examination, so it counts only where the series has no name
    name = text_of(first_value(places, "SeriesDescription", "ProtocolName"))
    texts = (
        name,
        text_of(first_value(places, "SequenceName")),
        text_of(first_value(places, "PulseSequenceName")),
    )
    options = first_value(places, "ScanOptions")
    return SeriesFacts(
        repetition_time_ms=positive_of(first_value(places, "RepetitionTime")),
        echo_time_ms=positive_of(first_value(places, "EffectiveEchoTime", "EchoTime")),
        inversion_time_ms=positive_of(first_value(places, "InversionTime", "InversionTimes")),
        field_strength_t=positive_of(first_value(places, "MagneticFieldStrength")),
        agent=text_of(first_value(places, "ContrastBolusAgent")).strip().lower(),
        words=" ".join(texts).lower(),
        description=text_of(first_value(places, "SeriesDescription")).lower(),
        scanning_sequence=frozenset(texts_of(first_value(places, "ScanningSequence")))
        | ({"IR"} if text_of(first_value(places, "InversionRecovery")) == "YES" else frozenset()),
        scan_options=None if options is None else frozenset(texts_of(options)),
        image_type=tuple(texts_of(first_value(places, "FrameType", "ImageType"))),
        fat_suppression=text_of(first_value(places, "SpectrallySelectedSuppression")).upper(),
        maker=f"{text_of(first_value(places, 'Manufacturer'))}|{text_of(first_value(places, 'ManufacturerModelName'))}",
        date=text_of(
            first_value(places, "AcquisitionDate", "SeriesDate", "StudyDate", "AcquisitionDateTime")
        )[:8],
        time_s=_clock(places),
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
