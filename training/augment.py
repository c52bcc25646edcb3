"""Random geometry and contrast, so that slices of one T2 sequence stand for any sagittal series.

Everything is drawn from one ``torch.Generator``: the same seed gives the same batch.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as nnf

IGNORE = 255


def uniform(generator: torch.Generator, low: float, high: float, *shape: int) -> torch.Tensor:
    """Uniform numbers in [low, high)."""
    return low + (high - low) * torch.rand(*shape, generator=generator)


def sampling_grid(
    generator: torch.Generator,
    count: int,
    size: tuple[int, int],
    grid_mm: float,
    source: tuple[int, int],
    source_mm: float,
    centre: torch.Tensor,
) -> torch.Tensor:
    """Random similarity plus a little shear and bend, as a ``grid_sample`` grid (N, H, W, 2)."""
    angle = uniform(generator, -25, 25, count) * math.pi / 180
    scale = torch.exp(uniform(generator, math.log(0.72), math.log(1.4), count))
    aspect = torch.exp(uniform(generator, -0.12, 0.12, count))
    rows = (torch.arange(size[0]) - (size[0] - 1) / 2) * grid_mm
    columns = (torch.arange(size[1]) - (size[1] - 1) / 2) * grid_mm
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    y = y[None] / (scale * aspect)[:, None, None]
    x = x[None] / (scale / aspect)[:, None, None]
    bend = uniform(generator, -6, 6, count, 2)
    x = x + bend[:, :1, None] * torch.sin(y / 55 + bend[:, 1:, None])
    cos, sin = torch.cos(angle)[:, None, None], torch.sin(angle)[:, None, None]
    turned = torch.stack([cos * x - sin * y, sin * x + cos * y], dim=-1) / source_mm
    place = turned + centre[:, None, None, :]
    extent = torch.tensor([source[1] - 1, source[0] - 1], dtype=torch.float32)
    return place / extent * 2 - 1


def random_centres(generator: torch.Generator, spine: torch.Tensor) -> torch.Tensor:
    """Crop centres (x, y) in pixels within each sample's spine box (N, 4: x0, y0, x1, y1), lower half preferred."""
    low, high = spine[:, :2], spine[:, 2:]
    count = spine.shape[0]
    part = torch.cat([uniform(generator, 0.1, 0.9, count, 1), uniform(generator, 0.3, 0.95, count, 1)], dim=1)
    return low + (high - low) * part


def random_curve(generator: torch.Generator, image: torch.Tensor) -> torch.Tensor:
    """Map grey through a random curve of eight knots per image: monotone, inverted or free."""
    count, knots = image.shape[0], 8
    start = torch.linspace(0, 1, knots)[None].expand(count, knots)
    gamma = torch.exp(uniform(generator, -0.9, 0.9, count, 1))
    curve = start**gamma
    kind = torch.rand(count, 1, generator=generator)
    free = torch.rand(count, knots, generator=generator)
    curve = torch.where(kind < 0.25, 0.35 * curve + 0.65 * free, curve)
    curve = torch.where(
        (kind > 0.25) & (kind < 0.42), 1 - curve * uniform(generator, 0.5, 1, count, 1), curve
    )
    place = image.clamp(0, 1.0) * (knots - 1)
    below = place.floor().long().clamp(0, knots - 2)
    part = place - below
    flat = below.flatten(1)
    value = curve.gather(1, flat) * (1 - part.flatten(1)) + curve.gather(1, flat + 1) * part.flatten(1)
    return value.view_as(image)


def class_contrast(generator: torch.Generator, image: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
    """Move each class's grey by a random gain and offset (bright or dark discs, CSF, marrow)."""
    count, kinds = image.shape[0], 7
    gain = torch.exp(0.45 * torch.randn(count, kinds, generator=generator))
    shift = 0.22 * torch.randn(count, kinds, generator=generator)
    gain[:, 2] = torch.where(torch.rand(count, generator=generator) < 0.8, gain[:, 5], gain[:, 2])
    shift[:, 2] = torch.where(torch.rand(count, generator=generator) < 0.8, shift[:, 5], shift[:, 2])
    for target in (3, 6):  # posterior elements and S2 are marrow too
        gain[:, target] = gain[:, 2] * torch.exp(0.1 * torch.randn(count, generator=generator))
        shift[:, target] = shift[:, 2]
    used = (torch.rand(count, generator=generator) < 0.6).float()[:, None]
    gain, shift = gain * used + 1 - used, shift * used
    known = classes.clone()
    known[known == IGNORE] = 2
    one_hot = nnf.one_hot(known.long(), kinds).permute(0, 3, 1, 2).float()
    soft = nnf.avg_pool2d(nnf.pad(one_hot, (1, 1, 1, 1), mode="replicate"), 3, 1)
    return image * torch.einsum("nkhw,nk->nhw", soft, gain) + torch.einsum("nkhw,nk->nhw", soft, shift)


def suppress_bright(generator: torch.Generator, image: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
    """Darken bright tissue outside disc and canal, as fat suppression does, in a part of the images."""
    count = image.shape[0]
    used = (torch.rand(count, generator=generator) < 0.35)[:, None, None]
    keep = ((classes == 1) | (classes == 4)).float()
    keep = nnf.max_pool2d(keep[:, None], 3, 1, 1)[:, 0]
    knee = uniform(generator, 0.1, 0.35, count)[:, None, None]
    rest = uniform(generator, 0.0, 0.5, count)[:, None, None]
    dark = torch.where(image > knee, knee * rest + (1 - rest) * knee * torch.exp(-(image - knee) * 3), image)
    return torch.where(used & (keep < 0.5), dark, image)


def shading(generator: torch.Generator, shape: torch.Size) -> torch.Tensor:
    """Smooth multiplicative field (N, H, W), as of a surface coil."""
    coarse = 0.35 * torch.randn(shape[0], 1, 4, 3, generator=generator)
    return torch.exp(nnf.interpolate(coarse, shape[1:], mode="bicubic", align_corners=True)[:, 0])


def blur(generator: torch.Generator, image: torch.Tensor) -> torch.Tensor:
    """Per-image Gaussian blur, stronger along one axis at random (coarse pixels, thick slices)."""
    out = []
    for single in image:
        done = single[None, None]
        for axis in (0, 1):
            sigma = float(uniform(generator, -0.8, 1.4, 1))
            if sigma > 0.3:
                reach = torch.arange(-4, 5).float()
                kernel = torch.exp(-(reach**2) / (2 * sigma**2))
                kernel = (kernel / kernel.sum()).view((1, 1, 9, 1) if axis == 0 else (1, 1, 1, 9))
                pad = (0, 0, 4, 4) if axis == 0 else (4, 4, 0, 0)
                done = nnf.conv2d(nnf.pad(done, pad, mode="replicate"), kernel)
        out.append(done[0, 0])
    return torch.stack(out)


def view_window(generator: torch.Generator, image: torch.Tensor, classes: torch.Tensor) -> None:
    """Blank a band at the top, bottom, front or back in place, as a smaller field of view does."""
    height, width = image.shape[1:]
    for index in range(image.shape[0]):
        draw = torch.rand(6, generator=generator)
        if draw[0] < 0.3:
            row = int(draw[1] * height * 0.3)
            image[index, :row], classes[index, :row] = 0, 0
        if draw[2] < 0.3:
            row = height - int(draw[3] * height * 0.3)
            image[index, row:], classes[index, row:] = 0, 0
        if draw[4] < 0.3:
            column = int(draw[5] * width * 0.3)
            image[index, :, :column], classes[index, :, :column] = 0, 0


def recolour(generator: torch.Generator, image: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
    """All changes of contrast, shading, sharpness and noise; ends standardised per image."""
    count = image.shape[0]
    image = random_curve(generator, image)
    image = class_contrast(generator, image, classes)
    image = suppress_bright(generator, image, classes).clamp(min=0)
    image = blur(generator, image * shading(generator, image.shape))
    level = uniform(generator, 0, 0.07, count)[:, None, None]
    noise = torch.randn(image.shape, generator=generator)
    return (image + level * noise * image.amax(dim=(1, 2), keepdim=True).clamp(max=1.5)).clamp(min=0)


def standardise(image: torch.Tensor) -> torch.Tensor:
    """Zero mean and unit deviation per image after clipping at its 99.5th percentile."""
    top = torch.quantile(image.flatten(1)[:, ::7], 0.995, dim=1)[:, None, None]
    clipped = torch.minimum(image, top)
    mean = clipped.mean(dim=(1, 2), keepdim=True)
    return (clipped - mean) / clipped.std(dim=(1, 2), keepdim=True).clamp(min=1e-4)
