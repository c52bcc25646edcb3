"""Set a new network beside the one that ships: ``python training/compare.py NEW.onnx``.

Both are read by onnxruntime and judged on the same augmented draws of the validation patients, which neither was trained
on. Nothing of `levels/` or the RSNA study takes part: those are looked at by ``python -m benchmarks.evaluate_levels``.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from data import CLASSES, load_samples, split
from export import TARGET
from train import DATA, Pool, dice


class Exported:
    """An ONNX file that is called as a network is."""

    def __init__(self, path: Path) -> None:
        self.session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])

    def __call__(self, image: torch.Tensor) -> torch.Tensor:
        """Logits (N, classes, H, W) of images (N, 1, H, W)."""
        return torch.from_numpy(self.session.run(None, {"image": image.numpy()})[0])


def table(new: dict[str, float], shipped: dict[str, float]) -> str:
    """One line a class, and the mean over all but the background."""
    kinds = CLASSES[1:]
    rows = [(kind, new[kind], shipped[kind]) for kind in kinds]
    rows.append(("mean", float(np.mean([row[1] for row in rows])), float(np.mean([row[2] for row in rows]))))
    lines = [f"{name:10} {ours:7.3f} {theirs:8.3f} {ours - theirs:+9.3f}" for name, ours, theirs in rows]
    return "\n".join([f"{'Dice':10} {'new':>7} {'shipped':>8} {'new-old':>9}", *lines])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("new", type=Path)
    parser.add_argument("--shipped", type=Path, default=TARGET)
    parser.add_argument("--data", type=Path, default=DATA)
    options = parser.parse_args()
    held = Pool(split(load_samples(options.data))[1])
    found = {path: dice(Exported(path), held) for path in (options.new, options.shipped)}
    sys.stdout.write(table(found[options.new], found[options.shipped]) + "\n")


if __name__ == "__main__":
    main()
