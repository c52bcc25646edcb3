"""How far the phantom's intensities lie from those of real volumes, and real volumes of different people from each other.

The same box round the lumbar column is read in all of them: from L1-L2 to L5-S1, 20 mm to either side, from 25 mm before
the discs' middles to 55 mm behind. Intensities are scaled so that air is 0 and CSF is 1; on T1, where CSF is dark, the
brightest twentieth of the box (fat) begins at 1. The distance is the earth mover's between two histograms: 0.05 is a
twentieth of CSF moved on average. Nothing of the real volumes is kept.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.stats import wasserstein_distance

from benchmarks.evaluate_levels import DATA, read_volume, true_centres
from benchmarks.rows import Row
from lfja_mri.geometry import sample
from lfja_mri.model import Contrast, FloatArray, Volume

REAL_CONTRASTS = {"T1": Contrast.T1, "T2": Contrast.T2, "STIR-TIRM": Contrast.STIR}
LIMIT_FACTOR = 1.5  # of the median distance between real volumes of different people
ASIDE_MM = np.arange(-20.0, 20.5, 4.0)
BEHIND_MM = np.arange(-25.0, 55.5, 1.5)
STEP_UP_MM = 1.5
CANAL_ASIDE_MM = np.arange(-5.0, 5.5, 1.0)
CANAL_BEHIND_MM = np.arange(13.0, 31.0, 1.0)
FLUID_LEVELS = (1, 2, 4)  # L2-L3, L3-L4, L5-S1, as the ratios of the table
FLUID_PERCENTILE = 90
FAT_PERCENTILE = 95
AIR_PERCENTILE = 0.5
BRIGHTEST = 1.5


@dataclass(frozen=True, eq=False)
class Scan:
    """One sagittal volume of a person: its disc centres (LPS mm), L1-L2 first."""

    subject: str
    contrast: Contrast
    volume: Volume
    discs_mm: FloatArray


def real_scans() -> Iterator[Scan]:
    """Yield the real volumes whose five discs have known places, one a person and contrast."""
    folder = DATA / "levels"
    if not folder.is_dir():
        return
    seen = set()
    with (DATA / "manifest.csv").open(encoding="utf-8", newline="") as handle:
        listed = [row for row in csv.DictReader(handle) if row["folder"] == "levels"]
    for row in listed:
        contrast = REAL_CONTRASTS.get(row["contrast"])
        if contrast is None or (row["subject"], contrast) in seen:
            continue
        seen.add((row["subject"], contrast))
        places = true_centres(folder / f"{row['id']}_lab.nii.gz").values()
        discs = np.array([np.atleast_2d(place).mean(axis=0) for place in places])
        volume = read_volume(folder / f"{row['id']}_img.nii.gz")
        yield Scan(row["subject"], contrast, volume, discs[np.argsort(-discs[:, 2])])


def scaled_intensities(scan: Scan) -> FloatArray:
    """Return the intensities of the box, scaled from air to fluid (T1: to fat)."""
    values = _box(scan)
    air = float(np.percentile(scan.volume.values_zyx, AIR_PERCENTILE))
    top = float(np.percentile(values, FAT_PERCENTILE)) if scan.contrast is Contrast.T1 else fluid_signal(scan)
    return np.asarray(np.clip((values - air) / (top - air), 0, BRIGHTEST))


def _box(scan: Scan) -> FloatArray:
    rising = scan.discs_mm[::-1]
    heights = np.arange(rising[0, 2], rising[-1, 2], STEP_UP_MM)
    line = np.stack([np.interp(heights, rising[:, 2], rising[:, axis]) for axis in range(3)], axis=-1)
    aside, behind = np.meshgrid(ASIDE_MM, BEHIND_MM, indexing="ij")
    offsets = np.stack([aside, behind, np.zeros_like(aside)], axis=-1)
    return _seen(scan.volume, line[:, None, None] + offsets)


def fluid_signal(scan: Scan) -> float:
    """Return the bright end of the sac, at the level where it is least crowded."""
    middles = [_canal(scan.volume, scan.discs_mm[level]) for level in FLUID_LEVELS]
    grid = _grid(np.arange(-2.0, 2.5), np.arange(-6.0, 6.5), np.arange(-6.0, 6.5))
    patches = [_seen(scan.volume, middle + grid) for middle in middles]
    return float(max(np.percentile(patch, FLUID_PERCENTILE) for patch in patches))


def _canal(volume: Volume, disc_mm: FloatArray) -> FloatArray:
    """The brightest place behind a disc where the canal may be."""
    patch = _grid(np.zeros(1), np.arange(-2.5, 3.0), np.arange(-5.0, 5.5))
    places = disc_mm + _grid(CANAL_ASIDE_MM, CANAL_BEHIND_MM, np.zeros(1))
    means = np.nanmean(sample(volume, places[:, None] + patch), axis=1)
    return np.asarray(places[int(np.nanargmax(means))])


def _grid(x: FloatArray, y: FloatArray, z: FloatArray) -> FloatArray:
    return np.stack(np.meshgrid(x, y, z, indexing="ij"), axis=-1).reshape(-1, 3)


def _seen(volume: Volume, points: FloatArray) -> FloatArray:
    values = np.asarray(sample(volume, points), dtype=np.float64)
    return values[np.isfinite(values)]


def histogram_rows(phantoms: Sequence[Scan], studies: Sequence[Scan], data: str) -> list[Row]:
    """Compare phantoms with real volumes by contrast; `studies` are real ones besides those of the levels folder."""
    real = [*real_scans(), *studies]
    return [row for contrast in REAL_CONTRASTS.values() for row in _rows(contrast, phantoms, real, data)]


def _rows(contrast: Contrast, phantoms: Sequence[Scan], real: Sequence[Scan], data: str) -> list[Row]:
    made, people = (_by_subject(scans, contrast) for scans in (phantoms, real))
    name = f"phantom realism: histogram distance to real {contrast.value.upper()} volumes, share of "
    name += "fat" if contrast is Contrast.T1 else "CSF"
    if len(people) < 2 or not made:
        return [Row(name, "real data absent", "-", None, data)]
    apart = [wasserstein_distance(people[a], people[b]) for a, b in combinations(sorted(people), 2)]
    mine = {
        subject: [wasserstein_distance(values, other) for other in people.values()]
        for subject, values in made.items()
    }
    value = float(np.median([distance for row in mine.values() for distance in row]))
    each = [float(np.median(row)) for row in mine.values()]
    limit = LIMIT_FACTOR * float(np.median(apart))
    text = f"{value:.3f} ({min(each):.3f} to {max(each):.3f})"
    target = f"<= {limit:.3f} ({LIMIT_FACTOR} x real to real, {len(people)} people)"
    return [Row(name, text, target, value <= limit, data)]


def _by_subject(scans: Sequence[Scan], contrast: Contrast) -> Mapping[str, FloatArray]:
    return {scan.subject: scaled_intensities(scan) for scan in scans if scan.contrast is contrast}
