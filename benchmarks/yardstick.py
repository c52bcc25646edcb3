"""What a machine is worth: the time of one slice of noise through the network on one core, median, in ms.

python -m benchmarks.yardstick
"""

from __future__ import annotations

import statistics
import time

import numpy as np

from lfja_mri.levels.network import load_weights

SIDE = 384
RUNS = 15


def slice_ms() -> float:
    """Return the median time of one slice, in ms."""
    image = {"image": np.random.default_rng(0).normal(size=(1, 1, SIDE, SIDE)).astype(np.float32)}
    session, seconds = load_weights().session, []
    for _ in range(RUNS):
        start = time.perf_counter()
        session.run(None, image)
        seconds.append(time.perf_counter() - start)
    return 1000 * statistics.median(seconds)


if __name__ == "__main__":
    print(f"{slice_ms():.0f}")
