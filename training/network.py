"""The network: a plain 2-D U-Net with instance normalisation, about one million weights."""

from __future__ import annotations

import torch
from torch import nn

WIDTHS = (16, 32, 64, 96, 128)


class DoubleConvolution(nn.Module):
    """Two 3x3 convolutions, each with instance normalisation and a leaky rectifier."""

    def __init__(self, width_in: int, width_out: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for width in (width_in, width_out):
            layers += [
                nn.Conv2d(width, width_out, 3, padding=1, bias=False),
                nn.InstanceNorm2d(width_out, affine=True),
                nn.LeakyReLU(0.01, inplace=True),
            ]
        self.layers = nn.Sequential(*layers)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return features of the same size with ``width_out`` channels."""
        return self.layers(features)


class SpineUNet(nn.Module):
    """U-Net from one grey channel to class logits; height and width must be multiples of 16."""

    def __init__(self, class_count: int, widths: tuple[int, ...] = WIDTHS) -> None:
        super().__init__()
        pairs = list(zip((1, *widths[:-1]), widths, strict=True))
        self.down = nn.ModuleList(DoubleConvolution(a, b) for a, b in pairs)
        self.pool = nn.MaxPool2d(2)
        upward = list(zip(widths[:0:-1], widths[-2::-1], strict=True))
        self.rise = nn.ModuleList(nn.ConvTranspose2d(a, b, 2, stride=2) for a, b in upward)
        self.up = nn.ModuleList(DoubleConvolution(2 * b, b) for _, b in upward)
        self.head = nn.Conv2d(widths[0], class_count, 1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Map an image (N, 1, H, W) to logits (N, classes, H, W)."""
        skips: list[torch.Tensor] = []
        features = image
        for index, block in enumerate(self.down):
            features = block(features if index == 0 else self.pool(features))
            skips.append(features)
        for rise, block, skip in zip(self.rise, self.up, skips[-2::-1], strict=True):
            features = block(torch.cat([rise(features), skip], dim=1))
        return self.head(features)
