"""Discs with their frames, the canal, and the tissues that were seen."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from lfja_mri.model.arrays import FloatArray, LabelArray
from lfja_mri.model.images import LEVELS_WITH_L6, LEVELS_WITHOUT_L5, STANDARD_LEVELS, Level


class NumberingBasis(StrEnum):
    """What the names of the levels rest on."""

    SACRUM = "sacrum"
    OVERRIDE = "override"
    EXTERNAL_MASK = "external_mask"
    ASSUMED = "assumed"


class SpineTissue(StrEnum):
    """What the localiser labels; `code` is the value in its label arrays."""

    BACKGROUND = "background"
    DISC = "disc"
    VERTEBRA = "vertebra"
    CANAL = "canal"
    SACRUM = "sacrum"
    POSTERIOR = "posterior"

    @property
    def code(self) -> int:
        """Value in label arrays: the order of definition."""
        return list(SpineTissue).index(self)


@dataclass(frozen=True, eq=False)
class Axes:
    """Unit axes of a disc, mutually perpendicular, in LPS.

    Parameters
    ----------
    cranial, anterior, left
        Unit vectors, shape (3,).
    """

    cranial: FloatArray
    anterior: FloatArray
    left: FloatArray

    def to_lps(self, offsets_mm: FloatArray) -> FloatArray:
        """Turn (anterior, left, cranial) offsets in mm, shape (..., 3), into LPS offsets."""
        return np.asarray(offsets_mm) @ np.stack([self.anterior, self.left, self.cranial])

    def from_lps(self, offsets_lps_mm: FloatArray) -> FloatArray:
        """Turn LPS offsets in mm, shape (..., 3), into (anterior, left, cranial) components."""
        return np.asarray(offsets_lps_mm) @ np.stack([self.anterior, self.left, self.cranial]).T


@dataclass(frozen=True, eq=False)
class Disc:
    """One intervertebral disc in LPS mm."""

    level: Level
    centre_lps_mm: FloatArray
    axes: Axes
    depth_mm: float
    width_mm: float
    height_mm: float
    confidence: float
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class TissueLabels:
    """Labels of the localiser on one image's own grid: `SpineTissue.code`, shape of the image's values."""

    image_key: str
    labels_zyx: LabelArray


@dataclass(frozen=True, eq=False)
class LevelMap:
    """Every lumbar disc that was found, cranial first, and the canal's centre line.

    `canal_line_lps_mm` has shape (N, 3), cranial first. `flags` speak of the whole spine (transitional anatomy,
    series that disagree). `tissues` begins with the image that the discs and the canal are places of: in another
    series of the study the patient may lie elsewhere.
    """

    discs: tuple[Disc, ...]
    canal_line_lps_mm: FloatArray
    numbering_basis: NumberingBasis
    flags: tuple[str, ...] = ()
    tissues: tuple[TissueLabels, ...] = ()

    @property
    def expected_levels(self) -> tuple[Level, ...]:
        """Levels that a table must have a row for."""
        present = {disc.level for disc in self.discs}
        if present & {Level.L5_L6, Level.L6_S1}:
            return LEVELS_WITH_L6
        return LEVELS_WITHOUT_L5 if Level.L4_S1 in present else STANDARD_LEVELS

    def disc(self, level: Level) -> Disc | None:
        """Return the disc of a level, or None where it was not found."""
        return next((disc for disc in self.discs if disc.level == level), None)
