"""One person: the shape of a lumbar spine, drawn from the ranges of `anatomy.toml`.

All draws come first and posture afterwards, so that a follow-up visit is the same person in another position.
"""

from __future__ import annotations

from dataclasses import dataclass

from lfja_mri.model import FloatArray, Side
from lfja_mri.phantom.chance import stream
from lfja_mri.phantom.column import ColumnBuilder
from lfja_mri.phantom.numbers import AnatomyNumbers
from lfja_mri.phantom.skeleton import Posture, Spine


@dataclass(frozen=True, eq=False)
class Person:
    """A spine and the body around it."""

    seed: int
    spine: Spine
    subcutaneous_mm: float
    muscle_fat_share: float
    marrow_fat_share: float
    cortex_mm: float
    sac_share: float
    variant: str

    @property
    def anchor_lps_mm(self) -> FloatArray:
        """A place that moves with the person: a disc in the middle of the lumbar spine."""
        return self.spine.discs[self.spine.lumbosacral - 2].frame.origin


def draw_person(
    seed: int,
    numbers: AnatomyNumbers,
    posture: Posture,
    *,
    arthropathy: dict[tuple[str, Side], float],
    variant: str = "standard",
    scoliosis_deg: tuple[float, float] = (0.0, 0.0),
) -> Person:
    """Draw a person; the same seed in another posture is the same person."""
    rng = stream(seed, "habitus")
    spine = ColumnBuilder(seed, numbers, posture, variant, scoliosis_deg).build(arthropathy)
    return Person(
        seed=seed,
        spine=spine,
        subcutaneous_mm=float(rng.uniform(*numbers.habitus.subcutaneous_mm)),
        muscle_fat_share=float(rng.uniform(*numbers.habitus.muscle_fat_share)),
        marrow_fat_share=float(rng.uniform(*numbers.habitus.marrow_fat_share)),
        cortex_mm=numbers.vertebra.cortex_mm,
        sac_share=numbers.canal.sac_share,
        variant=variant,
    )
