"""Set a new network beside the one that ships: ``python training/compare.py NEW.onnx``.

Both are read by onnxruntime and judged on the same augmented draws of people held out: Dice on slices with masks, and
how bodies and S1 are told apart on mid-sagittal T1 and T2 images. Nothing of `levels/` or the RSNA study takes part: those
are looked at by ``python -m benchmarks.evaluate_levels``.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from data import CLASSES
from export import TARGET
from train import DATA, Pools, dice, sacrum


class Exported:
    """An ONNX file that is called as a network is."""

    def __init__(self, path: Path) -> None:
        self.session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])

    def __call__(self, image: torch.Tensor) -> torch.Tensor:
        """Logits (N, classes, H, W) of images (N, 1, H, W)."""
        return torch.from_numpy(self.session.run(None, {"image": image.numpy()})[0])


def dice_by_class(network: Exported, pools: Pools) -> dict[str, float]:
    """Dice of every class but the background, and their mean."""
    found = dice(network, pools.held)
    kinds = {kind: found[kind] for kind in CLASSES[1:]}
    return kinds | {"mean": float(np.mean(list(kinds.values())))}


def table(title: str, new: dict[str, float], shipped: dict[str, float]) -> str:
    """One line a figure: the new network's, the shipped one's, and their difference."""
    lines = [
        f"{name:12} {new[name]:7.4f} {shipped[name]:8.4f} {new[name] - shipped[name]:+9.4f}" for name in new
    ]
    return "\n".join([f"{title:12} {'new':>7} {'shipped':>8} {'new-old':>9}", *lines, ""])


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("new", type=Path)
    parser.add_argument("--shipped", type=Path, default=TARGET)
    parser.add_argument("--data", type=Path, default=DATA)
    options = parser.parse_args()
    pools = Pools.read(options.data)
    new, shipped = Exported(options.new), Exported(options.shipped)
    sys.stdout.write(table("Dice", dice_by_class(new, pools), dice_by_class(shipped, pools)) + "\n")
    others = pools.other_contrasts
    sys.stdout.write(table("wrong share", sacrum(new, others), sacrum(shipped, others)))


if __name__ == "__main__":
    main()
