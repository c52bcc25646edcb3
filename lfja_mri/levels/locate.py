"""The stage: sagittal images in, `LevelMap` out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lfja_mri.config import LevelsSettings
from lfja_mri.errors import GeometryError, LevelsError, Reason
from lfja_mri.geometry import apply
from lfja_mri.levels.candidates import Candidate
from lfja_mri.levels.frames import (
    DiscFrame,
    between_end_plates,
    disc_frame,
    smooth_laterally,
    with_lateral_extent,
)
from lfja_mri.levels.network import Segmentation, read_bone, read_share, segment
from lfja_mri.levels.numbering import Naming, name_discs
from lfja_mri.levels.sequence import Chain, find_chain
from lfja_mri.model import (
    Disc,
    FloatArray,
    Image,
    Level,
    LevelMap,
    Plane,
    SpineTissue,
    StudyImages,
    TissueLabels,
)

TISSUE_OF_CLASS = {
    "background": SpineTissue.BACKGROUND,
    "disc": SpineTissue.DISC,
    "body": SpineTissue.VERTEBRA,
    "posterior": SpineTissue.POSTERIOR,
    "canal": SpineTissue.CANAL,
    "s1": SpineTissue.SACRUM,
    "s2": SpineTissue.SACRUM,
}


@dataclass(frozen=True, eq=False)
class Reading:
    """What one image says."""

    image: Image
    chain: Chain
    naming: Naming


def locate(images: StudyImages, settings: LevelsSettings, *, lowest_level: Level | None = None) -> LevelMap:
    """Find and name the lumbar discs of a study.

    Parameters
    ----------
    images
        The study; every sagittal image is read.
    settings
        Section `levels` of `pipeline.toml`.
    lowest_level
        Override of what the disc on the sacrum is called: `L5-S1`, `L6-S1` or `L4-S1`.

    Returns
    -------
    Discs in LPS mm, cranial first, with tissue labels on each sagittal image's own grid.

    Raises
    ------
    LevelsError
        No sagittal series, or no spine found in them.
    """
    sagittal = images.of(Plane.SAGITTAL)
    if not sagittal:
        raise LevelsError(
            "no sagittal series: the levels are found on sagittal images; give one or a mask with --masks",
            reason=Reason.NO_SAGITTAL_SERIES,
        )
    readings, tissues = [], []
    for image in sagittal:
        field = _segmented(image, settings)
        if field is None:
            continue
        tissues.append(tissue_labels(image, field))
        chain = find_chain(field, settings)
        if chain is not None:
            readings.append(Reading(image, chain, name_discs(chain, settings, lowest_level)))
    if not readings:
        raise LevelsError(
            f"no row of lumbar discs found in {len(sagittal)} sagittal series", reason=Reason.LEVELS_NOT_FOUND
        )
    return level_map(readings, tuple(tissues), settings)


def _segmented(image: Image, settings: LevelsSettings) -> Segmentation | None:
    try:
        return segment(image.volume, threads=settings.threads, closest_planes_mm=settings.closest_planes_mm)
    except GeometryError:
        return None


def level_map(
    readings: list[Reading], tissues: tuple[TissueLabels, ...], settings: LevelsSettings
) -> LevelMap:
    """Build the map from the surest reading; the others confirm it or cast doubt."""
    lead, *others = sorted(readings, key=precedence)
    frames = frames_of(lead.chain, settings)
    agreement = [agrees(lead, frames, other, settings) for other in others]
    certainty = combined(lead.naming.certainty, agreement)
    discs = tuple(
        make_disc(lead.chain.discs[k], frames[k], level, certainty)
        for k, level in enumerate(lead.naming.levels)
        if level is not None
    )
    flags = (*lead.naming.flags, *(("series_disagree",) if False in agreement else ()))
    return LevelMap(discs, lead.chain.canal.points_lps_mm, lead.naming.basis, flags, tissues)


def precedence(reading: Reading) -> tuple[float, bool, float]:
    """Sort key: sure names first, to the nearest tenth; then bright fluid, which shows the canal best; then clear discs."""
    sure = round(reading.naming.certainty, 1)
    fluid = reading.image.role.contrast.is_fluid_sensitive
    return -sure, not fluid, -sum(disc.score for disc in reading.chain.discs)


def agrees(
    lead: Reading, frames: tuple[DiscFrame, ...], other: Reading, settings: LevelsSettings
) -> bool | None:
    """Tell whether another series names the same discs; None where it is not sure enough to count."""
    if other.naming.certainty < settings.uncertain_below or not other.naming.seen_sacrum:
        return None
    here = {level: frames[k] for k, level in enumerate(lead.naming.levels) if level is not None}
    there = {level: other.chain.discs[k] for k, level in enumerate(other.naming.levels) if level is not None}
    away = [
        float(np.linalg.norm((here[level].centre_lps_mm - there[level].centre_lps_mm)[1:]))
        for level in here
        if level in there
    ]
    return bool(away and np.median(away) < settings.series_agree_mm)


def combined(certainty: float, agreement: list[bool | None]) -> float:
    """Certainty of the names after the other series have spoken: halved doubt for one that agrees, half for a contradiction."""
    if False in agreement:
        return 0.5 * certainty
    return 1.0 - (1.0 - certainty) * 0.5 ** min(agreement.count(True), 2)


def make_disc(candidate: Candidate, frame: DiscFrame, level: Level, certainty: float) -> Disc:
    """Put frame, name and confidence together."""
    seen = 0.3 if candidate.interpolated else min(1.0, 0.4 + 0.7 * candidate.score)
    return Disc(
        level,
        frame.centre_lps_mm,
        frame.axes,
        frame.depth_mm,
        frame.width_mm,
        frame.height_mm,
        round(seen * certainty, 4),
        ("interpolated",) if candidate.interpolated else (),
    )


def frames_of(chain: Chain, settings: LevelsSettings) -> tuple[DiscFrame, ...]:
    """Frames of all of a chain's discs."""
    return smooth_laterally([frame_of(chain, k, settings) for k in range(len(chain.discs))])


def frame_of(chain: Chain, k: int, settings: LevelsSettings) -> DiscFrame:
    """Frame of a chain's disc."""
    candidate = chain.discs[k]
    near = chain.canal.nearest(candidate.centre_lps_mm)
    pitch = float(np.linalg.norm(chain.field.voxel_to_lps[:3, 2]))
    frame = disc_frame(
        candidate.points_lps_mm,
        candidate.shares,
        pitch,
        chain.canal.tangents[near],
        float(chain.canal.points_lps_mm[near, 0]),
        settings,
    )
    frame = between_end_plates(frame, lambda points: read_bone(chain.field, points), settings)
    return with_lateral_extent(frame, lambda points: read_share(chain.field, "disc", points), settings)


def tissue_labels(image: Image, field: Segmentation) -> TissueLabels:
    """Carry the most probable tissue back onto the image's own grid, nearest neighbour."""
    codes = np.array([TISSUE_OF_CLASS[name].code for name in field.classes], dtype=np.uint8)
    labels = codes[np.argmax(field.shares, axis=0)]
    shape = image.volume.values_zyx.shape
    to_field = field.lps_to_voxel @ image.volume.voxel_to_lps
    out = np.zeros(shape, np.uint8)
    columns, rows = np.meshgrid(np.arange(shape[2]), np.arange(shape[1]))
    for plane in range(shape[0]):
        points = np.stack([columns, rows, np.full_like(columns, plane)], axis=-1).astype(np.float64)
        out[plane] = _nearest(labels, apply(to_field, points))
    return TissueLabels(image.key, out)


def _nearest(
    labels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], index_xyz: FloatArray
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Read labels at fractional (column, row, plane) indices; 0 outside."""
    whole = np.rint(index_xyz).astype(np.int64)
    size = np.array(labels.shape[::-1])
    inside = np.all((whole >= 0) & (whole < size), axis=-1)
    kept = np.clip(whole, 0, size - 1)
    return np.where(inside, labels[kept[..., 2], kept[..., 1], kept[..., 0]], 0).astype(np.uint8)
