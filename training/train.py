"""Train the spine network on the SPIDER slices: ``python training/train.py``; see MODEL_CARD.md."""

from __future__ import annotations

import argparse
import copy
import json
import math
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import augment
import numpy as np
import torch
import torch.nn.functional as nnf
from data import BODY, CLASSES, DISC, IGNORE, S1, Sample, load_samples, split
from midsagittal import VALIDATION_PEOPLE, load_midsagittal
from network import SpineUNet
from phantoms import load_phantoms

GRID_MM = 1.2
CROP = (240, 176)
LATEST = "latest.state"
DATA = Path(__file__).resolve().parents[2] / "shared/data/spider-slices"
CLASS_WEIGHTS = (0.6, 1.5, 1.0, 1.0, 1.0, 2.5, 1.2)
# Of the slices drawn: the 24 mid-sagittal T1 and T2 images are few, but of other scanners, contrasts and thickness.
MIDSAGITTAL_SHARE = 0.25
# Phantoms look alike, but their sacra, contrasts and slices differ in ways that 28 people on one scanner do not.
PHANTOM_SHARE = 0.25
SACRUM_DRAWS = 4


class Pool:
    """All slices as two tensors on the source grid, padded to one size."""

    def __init__(self, samples: list[Sample]) -> None:
        height = max(s.image.shape[0] for s in samples)
        width = max(s.image.shape[1] for s in samples)
        self.images = torch.zeros(len(samples), height, width, dtype=torch.float16)
        self.classes = torch.zeros(len(samples), height, width, dtype=torch.uint8)
        self.boxes = torch.zeros(len(samples), 4)
        self.spacing_mm = samples[0].spacing_mm
        for index, sample in enumerate(samples):
            rows, columns = sample.image.shape
            self.images[index, :rows, :columns] = torch.from_numpy(sample.image).half()
            self.classes[index, :rows, :columns] = torch.from_numpy(sample.classes)
            spine = np.argwhere((sample.classes > 0) & (sample.classes < IGNORE))
            low, high = spine.min(axis=0), spine.max(axis=0)
            self.boxes[index] = torch.tensor([low[1], low[0], high[1], high[0]], dtype=torch.float32)

    def draw(self, generator: torch.Generator, chosen: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Augmented images (N, 1, H, W) and class maps (N, H, W)."""
        centre = augment.random_centres(generator, self.boxes[chosen])
        source = (self.images.shape[1], self.images.shape[2])
        grid = augment.sampling_grid(generator, len(chosen), CROP, GRID_MM, source, self.spacing_mm, centre)
        grey = nnf.avg_pool2d(self.images[chosen].float()[:, None], 3, 1, 1)
        image = nnf.grid_sample(grey, grid, align_corners=True)[:, 0]
        known = self.classes[chosen].float()[:, None]
        classes = (
            nnf.grid_sample(known, grid, mode="nearest", align_corners=True)[:, 0].round().to(torch.uint8)
        )
        early = bool(torch.rand(1, generator=generator) < 0.5)
        if early:
            augment.view_window(generator, image, classes)
        image = augment.recolour(generator, image, classes)
        if not early:
            augment.view_window(generator, image, classes)
        return augment.standardise(image)[:, None], classes


def loss_of(logits: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
    """Weighted cross entropy plus soft Dice over the classes present, both blind to ignored pixels."""
    target = classes.long()
    weights = torch.tensor(CLASS_WEIGHTS)
    entropy = nnf.cross_entropy(logits, target, weight=weights, ignore_index=IGNORE)
    known = (target != IGNORE).float()[:, None]
    share = logits.softmax(dim=1) * known
    truth = nnf.one_hot(target.clamp(max=len(CLASSES) - 1), len(CLASSES)).permute(0, 3, 1, 2) * known
    both = (share * truth).sum(dim=(0, 2, 3))
    total = share.sum(dim=(0, 2, 3)) + truth.sum(dim=(0, 2, 3))
    present = (truth.sum(dim=(0, 2, 3)) > 0).float()
    present[0] = 0
    dice = 1 - (2 * both + 1) / (total + 1)
    return entropy + (dice * present).sum() / present.sum().clamp(min=1)


@dataclass(frozen=True)
class Pools:
    """What is learnt from, each slice with its chance to be drawn, and the two sets of people held out."""

    kept: Pool
    chances: torch.Tensor
    held: Pool
    other_contrasts: Pool

    @classmethod
    def read(cls, root: Path, phantoms: Sequence[Sample] = ()) -> Pools:
        """Read the slices with masks and the mid-sagittal T1 and T2 images, divide both by person, and add the phantoms'."""
        kept, held = split(load_samples(root))
        images = load_midsagittal(root / "midsagittal")
        added = [s for s in images if s.patient not in VALIDATION_PEOPLE]
        shares = {
            "masks": (kept, 1 - MIDSAGITTAL_SHARE - PHANTOM_SHARE),
            "midsagittal": (added, MIDSAGITTAL_SHARE),
            "phantoms": (phantoms, PHANTOM_SHARE),
        }
        chances = torch.cat(
            [torch.full((len(group),), share / len(group)) for group, share in shares.values() if group]
        )
        others = Pool([s for s in images if s.patient in VALIDATION_PEOPLE])
        return cls(Pool([*kept, *added, *phantoms]), chances, Pool(held), others)


def validate(network: SpineUNet, pool: Pool) -> dict[str, float]:
    """Dice per class of a network on fixed augmented draws of the validation patients."""
    network.eval()
    return dice(network, pool)


@torch.no_grad()
def dice(logits_of: Callable[[torch.Tensor], torch.Tensor], pool: Pool) -> dict[str, float]:
    """Dice per class of whatever gives logits, on the same draws every time."""
    generator = torch.Generator().manual_seed(7)
    both, total = torch.zeros(len(CLASSES)), torch.zeros(len(CLASSES))
    for start in range(0, len(pool.boxes), 8):
        chosen = torch.arange(start, min(start + 8, len(pool.boxes)))
        image, classes = pool.draw(generator, chosen)
        found = logits_of(image).argmax(dim=1)
        known = classes != IGNORE
        for kind in range(len(CLASSES)):
            mine, truth = (found == kind) & known, (classes == kind) & known
            both[kind] += (mine & truth).sum()
            total[kind] += mine.sum() + truth.sum()
    shares = 2 * both / total.clamp(min=1)
    return {name: round(float(value), 4) for name, value in zip(CLASSES, shares, strict=True)}


@torch.no_grad()
def sacrum(logits_of: Callable[[torch.Tensor], torch.Tensor], pool: Pool) -> dict[str, float]:
    """How a network tells lumbar bodies from S1 on images of other contrasts: shares of known pixels on fixed draws.

    Dice on slices of one sequence did not see that the lower half of L5 was taken for S1 elsewhere; this does.
    """
    generator = torch.Generator().manual_seed(8)
    taken = torch.zeros(3)
    pixels = torch.zeros(3)
    pairs = ((BODY, S1), (S1, BODY), (DISC, BODY))
    for _ in range(SACRUM_DRAWS):
        image, classes = pool.draw(generator, torch.arange(len(pool.boxes)))
        found = logits_of(image).argmax(dim=1)
        for index, (truth, wrong) in enumerate(pairs):
            taken[index] += ((classes == truth) & (found == wrong)).sum()
            pixels[index] += (classes == truth).sum()
    shares = taken / pixels.clamp(min=1)
    names = [f"{CLASSES[truth]}_as_{CLASSES[wrong]}" for truth, wrong in pairs]
    return {name: round(float(value), 4) for name, value in zip(names, shares, strict=True)}


def learning_rate(step: int, total: int, peak: float) -> float:
    """Short linear warm-up, then cosine to one hundredth of the peak."""
    warm = min(1.0, (step + 1) / 60)
    return peak * warm * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, step / total))))


def update_average(average: SpineUNet, network: SpineUNet, step: int) -> None:
    """Exponential moving average of the weights, faster at the start."""
    keep = min(0.995, 1 - 1 / (step + 2))
    with torch.no_grad():
        for mean, new in zip(average.parameters(), network.parameters(), strict=True):
            mean.lerp_(new, 1 - keep)


@dataclass
class Run:
    """Everything that the next step depends on: saved whole, so that a run that was stopped goes on to the same bytes."""

    network: SpineUNet
    average: SpineUNet
    optimiser: torch.optim.AdamW
    generator: torch.Generator
    step: int = 0

    def save(self, path: Path) -> None:
        """Write the state beside its place, then move it there."""
        state = {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "generator": self.generator.get_state(),
            "step": self.step,
        }
        half = path.with_suffix(".half")
        torch.save(state, half)
        half.replace(path)

    def load(self, path: Path) -> None:
        """Take up a saved state."""
        state = torch.load(path, weights_only=True)
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.generator.set_state(state["generator"])
        self.step = int(state["step"])


def begin(options: argparse.Namespace) -> Run:
    """Start from the seed, or from given weights, or from where a run with the same output folder was stopped."""
    torch.manual_seed(options.seed)
    network = SpineUNet(len(CLASSES))
    if options.start is not None:
        network.load_state_dict(torch.load(options.start, weights_only=True))
    optimiser = torch.optim.AdamW(network.parameters(), lr=options.rate, weight_decay=1e-3)
    generator = torch.Generator().manual_seed(options.seed)
    run = Run(network, copy.deepcopy(network), optimiser, generator, options.first)
    if (options.out / LATEST).exists():
        run.load(options.out / LATEST)
        log({"step": run.step, "resumed": str(options.out / LATEST)})
    return run


def train(options: argparse.Namespace) -> None:
    """Run the whole schedule; every ``--every`` steps write the state, and the averaged weights as a checkpoint."""
    torch.use_deterministic_algorithms(mode=True)
    torch.set_num_threads(options.threads)
    options.out.mkdir(parents=True, exist_ok=True)
    pools = Pools.read(options.data, load_phantoms(options.phantoms, options.out / "phantoms"))
    run = begin(options)
    began = time.monotonic()
    while run.step < options.steps:
        loss = one_step(run, pools, options)
        if run.step % 25 == 0:
            log({"step": run.step, "loss": round(loss, 4), "s": round(time.monotonic() - began)})
        if run.step % options.every == 0 or run.step == options.steps:
            run.save(options.out / LATEST)
            torch.save(run.average.state_dict(), options.out / f"step_{run.step:05d}.pt")
            log({"step": run.step, "dice": validate(run.average, pools.held)})
            log({"step": run.step, "sacrum": sacrum(run.average, pools.other_contrasts)})


def one_step(run: Run, pools: Pools, options: argparse.Namespace) -> float:
    """Draw slices, move the weights once, and return the loss."""
    for group in run.optimiser.param_groups:
        group["lr"] = learning_rate(run.step, options.steps, options.rate)
    chosen = torch.multinomial(pools.chances, options.batch, replacement=True, generator=run.generator)
    image, classes = pools.kept.draw(run.generator, chosen)
    with torch.autocast("cpu", torch.bfloat16):
        logits = run.network(image)
    loss = loss_of(logits.float(), classes)
    run.optimiser.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(run.network.parameters(), 2.0)
    run.optimiser.step()
    update_average(run.average, run.network, run.step)
    run.step += 1
    return float(loss.item())


def log(entry: dict[str, object]) -> None:
    """Write one JSON line to standard error."""
    sys.stderr.write(json.dumps(entry) + "\n")
    sys.stderr.flush()


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--out", type=Path, default=Path("build/training"))
    parser.add_argument("--start", type=Path, default=None, help="weights to start from")
    parser.add_argument("--steps", type=int, default=3200)
    parser.add_argument("--phantoms", type=int, default=48, help="people made by code to learn from, too")
    parser.add_argument("--first", type=int, default=0, help="step to go on from, with --start")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--every", type=int, default=200)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    train(parse())
