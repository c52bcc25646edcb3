"""What the noise of a measure grows with.

Most measures spread more the larger they are. A share of a whole cannot: all of it and none of it are told surely, and
what lies between is the sum of many places that are each bright or not, so its spread goes with sqrt(p (1 - p)). Over 100
joints of phantom people scanned twice (training seeds 600-609) the standard error of the perimeter was 0.008 below 0.03,
0.04 to 0.05 between 0.1 and 0.75, and 0.015 above 0.9.
"""

from __future__ import annotations

import numpy as np

from lfja_mri.model import FloatArray

SHARES = frozenset({"perimeter_fraction"})


def noise_scale(name: str, value: FloatArray | float) -> FloatArray:
    """Return what `sem_share` is multiplied with, in the measure's own unit; shape of `value`."""
    values = np.asarray(value, dtype=np.float64)
    return np.sqrt(np.clip(values * (1 - values), 0.0, None)) if name in SHARES else values
