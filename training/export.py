"""Turn a checkpoint into the ONNX file that ships: ``python training/export.py CHECKPOINT``."""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from data import CLASSES
from network import SpineUNet
from train import GRID_MM

TARGET = Path(__file__).resolve().parents[1] / "lfja_mri/levels/weights/spine_unet.onnx"
TOLERANCE = 2e-3


def export(checkpoint: Path, target: Path) -> None:
    """Write the network with free height and width, check it against torch, write its sidecar."""
    network = SpineUNet(len(CLASSES))
    network.load_state_dict(torch.load(checkpoint, weights_only=True))
    network.eval()
    example = torch.randn(2, 1, 64, 48, generator=torch.Generator().manual_seed(0))
    axes = {0: "slices", 2: "rows", 3: "columns"}
    torch.onnx.export(
        network,
        (example,),
        str(target),
        input_names=["image"],
        output_names=["logits"],
        dynamic_axes={"image": axes, "logits": axes},
        opset_version=17,
        dynamo=False,
    )
    compare(network, target)
    sidecar = {
        "classes": list(CLASSES),
        "grid_mm": GRID_MM,
        "multiple": 16,
        "checkpoint": checkpoint.stem,
        "sha256": hashlib.sha256(target.read_bytes()).hexdigest(),
    }
    target.with_suffix(".json").write_text(json.dumps(sidecar, indent=2) + "\n", encoding="utf-8")


def compare(network: SpineUNet, target: Path) -> None:
    """Stop if onnxruntime and torch disagree on an image of another size."""
    image = torch.randn(1, 1, 96, 80, generator=torch.Generator().manual_seed(1))
    session = onnxruntime.InferenceSession(str(target), providers=["CPUExecutionProvider"])
    found = session.run(None, {"image": image.numpy()})[0]
    with torch.no_grad():
        expected = network(image).numpy()
    worst = float(np.abs(found - expected).max())
    if worst > TOLERANCE:
        raise SystemExit(f"onnxruntime differs from torch by {worst}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--target", type=Path, default=TARGET)
    arguments = parser.parse_args()
    export(arguments.checkpoint, arguments.target)
