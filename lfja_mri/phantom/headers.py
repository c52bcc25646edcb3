"""How vendors name and describe a series, and what a stripped header still says."""

from __future__ import annotations

from dataclasses import dataclass

from lfja_mri.phantom.recipe import Headers
from lfja_mri.phantom.signal import Sequence

FAST_SPIN_ECHO, INVERSION = ("SE",), ("SE", "IR")


@dataclass(frozen=True)
class SeriesHeader:
    """The telling part of a series' header; None where it is left out."""

    manufacturer: str | None
    model: str | None
    description: str | None
    sequence_name: str | None
    scanning_sequence: tuple[str, ...]
    sequence_variant: tuple[str, ...]
    scan_options: tuple[str, ...]
    image_type: tuple[str, ...]
    echo_train: int
    says_times: bool


DESCRIPTIONS = {
    Headers.SIEMENS: {
        "t1": "t1_tse_{plane}",
        "t2": "t2_tse_{plane}",
        "stir": "t2_tirm_{plane}",
        "t2_fs": "t2_tse_fs_{plane}",
        "dixon_water": "t2_tse_dixon_{plane}_W",
        "t1_fs_gd": "t1_tse_fs_{plane}_KM",
    },
    Headers.GE: {
        "t1": "{plane} T1 FSE",
        "t2": "{plane} T2 FRFSE",
        "stir": "{plane} STIR",
        "t2_fs": "{plane} T2 FS FRFSE",
        "dixon_water": "WATER: {plane} T2 IDEAL",
        "t1_fs_gd": "{plane} T1 FS +C",
    },
    Headers.PHILIPS: {
        "t1": "T1W_TSE {plane}",
        "t2": "T2W_TSE {plane}",
        "stir": "STIR_TSE {plane}",
        "t2_fs": "T2W_SPAIR {plane}",
        "dixon_water": "T2W_mDIXON {plane} W",
        "t1_fs_gd": "T1W_SPIR {plane} GD",
    },
}
PLANE_WORDS = {
    Headers.SIEMENS: {"sagittal": "sag", "axial": "tra"},
    Headers.GE: {"sagittal": "Sag", "axial": "Ax"},
    Headers.PHILIPS: {"sagittal": "SAG", "axial": "TRA"},
}
MAKERS = {
    Headers.SIEMENS: ("SIEMENS", "Phantom 1"),
    Headers.GE: ("GE MEDICAL SYSTEMS", "Phantom 2"),
    Headers.PHILIPS: ("Philips Medical Systems", "Phantom 3"),
}
FAT_OPTION = {Headers.SIEMENS: "FS", Headers.GE: "FS", Headers.PHILIPS: "FS"}


def series_header(style: Headers, sequence: Sequence) -> SeriesHeader:
    """Describe a series in a vendor's manner; `style` is never `mixed`."""
    plane, _, contrast = sequence.name.partition("_")
    inversion = sequence.ti_ms is not None
    train = 3 if contrast.startswith("t1") else 17
    scanning = INVERSION if inversion else FAST_SPIN_ECHO
    image_type: tuple[str, ...] = ("ORIGINAL", "PRIMARY", "M")
    if style is Headers.STRIPPED:
        return SeriesHeader(
            None, None, None, None, ("RM",), ("NONE",), (), image_type, train, says_times=False
        )
    words = DESCRIPTIONS[style][contrast].format(plane=PLANE_WORDS[style][plane])
    options = (FAT_OPTION[style],) if sequence.fat_suppressed and not sequence.dixon else ()
    name = None
    if style is Headers.SIEMENS:
        name = f"*tir2d1_{train}" if inversion else f"*tse2d1_{train}"
    if sequence.dixon:
        image_type = (*image_type, "DIXON", "WATER")
    maker, model = MAKERS[style]
    return SeriesHeader(
        maker, model, words, name, scanning, ("SK", "SP"), options, image_type, train, says_times=True
    )
