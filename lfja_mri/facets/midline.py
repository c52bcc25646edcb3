"""Where the midline is in axial slices: the column about which both sides look most alike."""

from __future__ import annotations

import numpy as np

from lfja_mri.facets.cuts import Cut
from lfja_mri.facets.evidence import PIXEL_MM
from lfja_mri.model import FloatArray

BOUND_MM = 6.0
GAIN = 12.0
SD_MM = 3.0


def midline_shift_mm(left: tuple[Cut, ...], right: tuple[Cut, ...]) -> float:
    """Return how far towards the patient's left the midline lies from where the cuts put it.

    Parameters
    ----------
    left, right
        Cuts of both sides of the same slices, columns outwards from the assumed midline.

    Returns
    -------
    mm, within `BOUND_MM`: the best mirror correlation, held towards none by a prior of `SD_MM`.
    """
    reach = round(2.0 * BOUND_MM / PIXEL_MM)
    steps = np.arange(-reach, reach + 1)
    pairs = [(one.patch, other.patch) for one, other in zip(left, right, strict=True)]
    likeness = np.array(
        [np.mean([_likeness(one, other, int(step)) for one, other in pairs]) for step in steps]
    )
    shifts_mm = 0.5 * steps * PIXEL_MM
    return float(shifts_mm[int(np.argmax(GAIN * likeness - 0.5 * (shifts_mm / SD_MM) ** 2))])


def _likeness(left: FloatArray, right: FloatArray, step: int) -> float:
    """Return the correlation of the left side with the right one, the left one read `step` columns further out."""
    width = left.shape[1] - abs(step)
    one = left[::2, max(step, 0) : max(step, 0) + width]
    other = right[::2, max(-step, 0) : max(-step, 0) + width]
    one, other = one - one.mean(), other - other.mean()
    norm = float(np.sqrt(np.sum(one**2) * np.sum(other**2)))
    return float(np.sum(one * other)) / norm if norm > 0 else 0.0
