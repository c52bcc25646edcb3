"""Read the SPIDER slices and masks, add the hand-placed sacrum, split by patient.

Source: SPIDER, J. W. van der Graaf et al., Sci Data 11, 264 (2024), CC BY 4.0; converted to PNG
slices, every second slice kept. The masks leave the sacrum as background; ``s1_corners.csv`` (ours)
holds, for each patient, six points on one slice that bound S1 and S2, and is used on all its slices.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage import io
from skimage.draw import polygon2mask

CLASSES = ("background", "disc", "body", "posterior", "canal", "s1", "s2")
BACKGROUND, DISC, BODY, POSTERIOR, CANAL, S1, S2 = range(len(CLASSES))
IGNORE = 255
SOURCE_DISC, SOURCE_VERTEBRA, SOURCE_CANAL = 29, 76, 150
PIXEL_MM = 0.46875
# Chosen by hand before any training: one image brightened by its source, one scoliosis, one slip among them.
VALIDATION_PATIENTS = frozenset({41, 78, 152, 162, 220})
S1_TABLE = Path(__file__).with_name("s1_corners.csv")


@dataclass(frozen=True)
class Sample:
    """One slice: grey image scaled to about 0..1, and class map with 255 where nothing is learnt."""

    patient: int
    image: npt.NDArray[np.float32]
    classes: npt.NDArray[np.uint8]
    spacing_mm: float


def read_s1_table(path: Path = S1_TABLE) -> dict[str, npt.NDArray[np.float64]]:
    """Return, by patient key, six (row, column) points: S1 top, S1 bottom, S2 bottom; front then back."""
    if not path.exists():
        return {}
    with path.open(newline="") as handle:
        return {
            row["key"]: np.array([[float(row[f"{n}_row"]), float(row[f"{n}_col"])] for n in POINTS])
            for row in csv.DictReader(handle)
        }


POINTS = ("s1_top_front", "s1_top_back", "s1_low_front", "s1_low_back", "s2_low_front", "s2_low_back")


def split_body(
    vertebra: npt.NDArray[np.bool_], canal_column: npt.NDArray[np.float64]
) -> npt.NDArray[np.bool_]:
    """Return the part of the vertebra mask that lies in front of the canal's middle column, row by row."""
    columns = np.arange(vertebra.shape[1])[None, :]
    return np.asarray(vertebra & (columns < canal_column[:, None]))


def canal_columns(canal: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Middle column of the canal in every row, held constant beyond its ends."""
    rows = np.flatnonzero(canal.any(axis=1))
    if rows.size == 0:
        return np.full(canal.shape[0], np.inf)
    columns = [float(np.flatnonzero(canal[row]).mean()) for row in rows]
    smooth = ndimage.gaussian_filter1d(np.array(columns), 6, mode="nearest")
    return np.asarray(np.interp(np.arange(canal.shape[0]), rows, smooth))


def sacral_field(discs: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return the neighbourhood of the sacrum below the lowest disc, where nothing unlabelled is trusted."""
    labels, count = ndimage.label(discs)
    if count == 0:
        return np.zeros_like(discs)
    sizes = ndimage.sum_labels(discs, labels, range(1, count + 1))
    kept = [i + 1 for i in range(count) if sizes[i] > 100]
    centres = np.array(ndimage.center_of_mass(discs, labels, kept or [1]))
    lowest = centres[np.argmax(centres[:, 0])]
    rows, columns = np.indices(discs.shape)
    near = np.hypot(rows - lowest[0], columns - lowest[1]) < 120 / PIXEL_MM
    below = rows - lowest[0] > -0.6 * (columns - lowest[1]) - 4
    return np.asarray(near & below & (columns > lowest[1] - 30 / PIXEL_MM))


def class_map(
    mask: npt.NDArray[np.uint8],
    canal_column: npt.NDArray[np.float64],
    sacrum: npt.NDArray[np.float64] | None,
) -> npt.NDArray[np.uint8]:
    """Turn a source mask into our classes; see the module's head for the sacrum."""
    classes = np.zeros(mask.shape, np.uint8)
    classes[sacral_field(mask == SOURCE_DISC)] = IGNORE
    if sacrum is not None:
        classes = draw_sacrum(classes, sacrum)
    vertebra = mask == SOURCE_VERTEBRA
    classes[vertebra] = POSTERIOR
    classes[split_body(vertebra, canal_column)] = BODY
    classes[mask == SOURCE_CANAL] = CANAL
    classes[mask == SOURCE_DISC] = DISC
    return classes


def draw_sacrum(classes: npt.NDArray[np.uint8], points: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    """Paint S1 and S2; leave a strip of two pixels round them unlearnt; trust what lies clearly in front."""
    front_top, back_top, front_low, back_low, front_end, back_end = points
    out = classes.copy()
    s1 = polygon2mask(classes.shape, [front_top, back_top, back_low, front_low])
    s2 = polygon2mask(classes.shape, [front_low, back_low, back_end, front_end])
    both = s1 | s2
    pelvis = polygon2mask(classes.shape, pelvic_side(points))
    out[pelvis & ~both] = BACKGROUND
    out[ndimage.binary_dilation(both, iterations=4) & ~both] = IGNORE
    out[s2] = S2
    out[s1] = S1
    return out


def pelvic_side(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the polygon in front of S1 and S2, at least 3 mm off their front, which is surely not spine."""
    front = points[[0, 2, 4]]
    gap = np.array([0.0, -6.0])
    return np.vstack([front + gap, front[::-1] + np.array([0.0, -140.0])])


def load_samples(root: Path) -> list[Sample]:
    """Read every slice under ``root`` (the folder with ``slices.csv``), sorted by patient and slice."""
    with (root / "slices.csv").open(newline="") as handle:
        rows = sorted(csv.DictReader(handle), key=lambda r: (int(r["patient"]), int(r["slice"])))
    table = read_s1_table()
    samples: list[Sample] = []
    for patient in sorted({int(r["patient"]) for r in rows}):
        files = [r["file"] for r in rows if int(r["patient"]) == patient]
        masks = [io.imread(root / "masks" / f) for f in files]
        columns = canal_columns(np.any([m == SOURCE_CANAL for m in masks], axis=0))
        for file, mask in zip(files, masks, strict=True):
            image = scale_grey(io.imread(root / "images" / file))
            classes = class_map(mask, columns, table.get(str(patient)))
            samples.append(Sample(patient, image, classes, PIXEL_MM))
    return samples


def scale_grey(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Scale so that the 1st percentile is 0 and the 99th is 1; clip at 1.5."""
    low, high = np.percentile(image, [1, 99])
    scaled = (image.astype(np.float32) - low) / max(float(high - low), 1e-6)
    return np.clip(scaled, 0, 1.5).astype(np.float32)


def split(samples: list[Sample]) -> tuple[list[Sample], list[Sample]]:
    """Return (training, validation) samples, divided by patient."""
    train = [s for s in samples if s.patient not in VALIDATION_PATIENTS]
    return train, [s for s in samples if s.patient in VALIDATION_PATIENTS]
