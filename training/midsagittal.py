"""Read the mid-sagittal SPIDER slices (T1 and T2 of other people) and paint our corner points as labels.

Source: SPIDER, J. W. van der Graaf et al., Sci Data 11, 264 (2024), CC BY 4.0. The images come without masks;
``midsagittal_corners.csv`` (ours) holds four corners of every body and of S1, in mm from the image's upper left
edge, the same for the T1 and the T2 image of a person. Only what lies well inside a corner outline, and what lies
clearly in front of the spine, is learnt.
"""

from __future__ import annotations

import csv
import itertools
from pathlib import Path

import numpy as np
import numpy.typing as npt
from data import BACKGROUND, BODY, DISC, IGNORE, PIXEL_MM, S1, Sample, scale_grey
from scipy import ndimage
from skimage import io, transform
from skimage.draw import polygon2mask

CORNER_TABLE = Path(__file__).with_name("midsagittal_corners.csv")
CORNERS = ("top_front", "top_back", "low_front", "low_back")
# Every third person in the order of their numbers, fixed before any training on these images.
VALIDATION_PEOPLE = frozenset({16, 56, 68, 96, 117, 155})
BODY_MARGIN_MM = 1.5
DISC_MARGIN_MM = 1.2
FRONT_MARGIN_MM = 6.0

Corners = npt.NDArray[np.float64]


def load_midsagittal(root: Path) -> list[Sample]:
    """Read every labelled image under ``root`` on the grid of the other slices, sorted by person and contrast."""
    samples: list[Sample] = []
    with (root / "overview.csv").open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    for person, parts in sorted(read_corners().items()):
        for row in sorted((r for r in rows if int(r["patient"]) == person), key=lambda r: r["contrast"]):
            image = on_grid(io.imread(root / row["file"]), float(row["pixel_spacing_mm"]))
            samples.append(Sample(person, scale_grey(image), paint(image.shape, parts), PIXEL_MM))
    return samples


def read_corners(path: Path = CORNER_TABLE) -> dict[int, list[Corners]]:
    """By person: corners (4 x 2, row and column in pixels of the common grid) of S1, then of each body upwards."""
    people: dict[int, list[Corners]] = {}
    with path.open(newline="") as handle:
        for row in csv.DictReader(handle):
            points = [[float(row[f"{n}_{axis}_mm"]) for axis in ("row", "col")] for n in CORNERS]
            people.setdefault(int(row["patient"]), []).append(np.array(points) / PIXEL_MM - 0.5)
    return people


def on_grid(image: npt.NDArray[np.uint8], spacing_mm: float) -> npt.NDArray[np.float32]:
    """Resample an image to the pixels of the other training slices."""
    shape = tuple(round(n * spacing_mm / PIXEL_MM) for n in image.shape[:2])
    return transform.resize(image, shape, order=1, preserve_range=True, anti_aliasing=False).astype(
        np.float32
    )


def paint(shape: tuple[int, ...], parts: list[Corners]) -> npt.NDArray[np.uint8]:
    """Class map: cores of S1, bodies and the discs between them, the side of the belly; the rest unlearnt."""
    classes = np.full(shape, IGNORE, np.uint8)
    classes[belly(shape, parts)] = BACKGROUND
    for lower, upper in itertools.pairwise(parts):
        disc = np.array([upper[2], upper[3], lower[1], lower[0]])
        classes[core(shape, disc, DISC_MARGIN_MM)] = DISC
    for index, corners in enumerate(parts):
        outline = corners[[0, 1, 3, 2]]
        classes[core(shape, outline, BODY_MARGIN_MM)] = BODY if index else S1
    return classes


def core(shape: tuple[int, ...], outline: Corners, margin_mm: float) -> npt.NDArray[np.bool_]:
    """Pixels at least ``margin_mm`` inside an outline."""
    inside = polygon2mask(shape, outline)
    return np.asarray(ndimage.distance_transform_edt(inside) > margin_mm / PIXEL_MM)


def belly(shape: tuple[int, ...], parts: list[Corners]) -> npt.NDArray[np.bool_]:
    """Pixels clearly in front of the line through all front corners, and nowhere behind a front corner further down."""
    front = np.vstack([corners[[0, 2]] for corners in parts])
    front = front[np.argsort(front[:, 0])]
    edge = np.interp(np.arange(shape[0]), front[:, 0], front[:, 1]) - FRONT_MARGIN_MM / PIXEL_MM
    lowest = np.interp(np.arange(shape[0]), front[:, 0], np.minimum.accumulate(front[::-1, 1])[::-1])
    edge = np.minimum(edge, lowest)
    return np.asarray(np.arange(shape[1])[None, :] < edge[:, None])
