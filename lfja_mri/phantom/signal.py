"""Signal of each tissue in a sequence, from T1, T2 and proton density (spin-echo and inversion-recovery formulas)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lfja_mri.model import ImageArray
from lfja_mri.phantom.numbers import TissueNumbers
from lfja_mri.phantom.tissue import Tissue

HIGH_FIELD_T = 2.0
OEDEMA_KEY = "oedema"
SACRAL_FAT_SHARE = 0.04  # so much more fat than lumbar marrow
SYNOVIAL_CYST = "joint_fluid"


@dataclass(frozen=True)
class Sequence:
    """How a series weighs the tissues; times in ms."""

    name: str
    tr_ms: float
    te_ms: float
    ti_ms: float | None
    field_strength_t: float
    fat_suppressed: bool = False
    contrast_agent: bool = False
    dixon: bool = False


def spin_echo(density: float, t1_ms: float, t2_ms: float, sequence: Sequence) -> float:
    """S = PD (1 - e^(-TR/T1)) e^(-TE/T2); with an inversion pulse PD |1 - 2 e^(-TI/T1) + e^(-TR/T1)| e^(-TE/T2)."""
    recovered = 1 - np.exp(-sequence.tr_ms / t1_ms)
    if sequence.ti_ms is not None:
        recovered = abs(1 - 2 * np.exp(-sequence.ti_ms / t1_ms) + np.exp(-sequence.tr_ms / t1_ms))
    return float(density * recovered * np.exp(-sequence.te_ms / t2_ms))


@dataclass(frozen=True, eq=False)
class SignalTables:
    """Per `Tissue` code: signal of the part that is not fat, of the fat in it, and the spread of its texture.

    `oedema` is the signal of a voxel that is all oedema.
    """

    water: ImageArray
    fat: ImageArray
    texture: ImageArray
    oedema: float


def signal_tables(sequence: Sequence, numbers: TissueNumbers, marrow_fat_share: float) -> SignalTables:
    """Work out every tissue's signal in a sequence."""
    water, fat, texture = (np.zeros(256, dtype=np.float32) for _ in range(3))
    pure_fat = _signal("fat", sequence, numbers)
    for tissue in Tissue:
        if tissue is Tissue.AIR:
            continue
        key = _key(tissue)
        share = _fat_share(tissue, marrow_fat_share)
        water[tissue] = (1 - share) * _signal(key, sequence, numbers)
        fat[tissue] = share * pure_fat
        texture[tissue] = numbers.texture.get(key, 0.03)
    return SignalTables(water, fat, texture, _signal(OEDEMA_KEY, sequence, numbers))


def _key(tissue: Tissue) -> str:
    return SYNOVIAL_CYST if tissue is Tissue.CYST else tissue.name.lower()


def _fat_share(tissue: Tissue, marrow_fat_share: float) -> float:
    if tissue is Tissue.FAT:
        return 1.0
    if tissue is Tissue.MARROW:
        return marrow_fat_share
    if tissue is Tissue.SACRAL_MARROW:
        return min(marrow_fat_share + SACRAL_FAT_SHARE, 0.9)
    return {Tissue.MUSCLE: 0.03, Tissue.FATTY_MUSCLE: 0.45, Tissue.SKIN: 0.1}.get(tissue, 0.0)


def _signal(key: str, sequence: Sequence, numbers: TissueNumbers) -> float:
    density, t1_low, t1_high, t2 = numbers.water[key]
    t1 = t1_high if sequence.field_strength_t > HIGH_FIELD_T else t1_low
    if sequence.contrast_agent:
        t1 = numbers.enhanced.get(key, t1)
    return spin_echo(density, t1, t2, sequence)
