"""`change.toml` with repeatability that does not move when the packaged one is measured anew."""

from __future__ import annotations

from lfja_mri.change.types import MEASURES
from lfja_mri.config import load_change_settings
from lfja_mri.settings.change import (
    ChangeSettings,
    MeasureRepeatability,
    ProtocolRepeatability,
    RepeatabilitySettings,
)

FLOORS = dict(zip(MEASURES, (0.15, 10.0, 0.03, 0.03, 30.0, 30.0, 0.6, 0.03), strict=True))


def fixed_settings() -> ChangeSettings:
    measures = {
        name: MeasureRepeatability(sem_floor=floor, sem_share=0.05, pairs=50)
        for name, floor in FLOORS.items()
    }
    known = RepeatabilitySettings(
        provenance="made for tests", provisional=False, protocol=(ProtocolRepeatability(measures=measures),)
    )
    return load_change_settings().model_copy(update={"repeatability": known})
