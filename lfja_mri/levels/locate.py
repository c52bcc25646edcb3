"""The stage: sagittal images in, `LevelMap` out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lfja_mri.errors import GeometryError, LevelsError, Reason
from lfja_mri.geometry import apply, perpendicular, unit
from lfja_mri.levels.candidates import Candidate
from lfja_mri.levels.consensus import Decision, decide, read_chain
from lfja_mri.levels.frames import (
    DiscFrame,
    between_end_plates,
    disc_frame,
    with_lateral_extent,
)
from lfja_mri.levels.lateral import Course, common_course, smooth_laterally, trust_in
from lfja_mri.levels.network import Segmentation, inside, read_bone, read_share, segment
from lfja_mri.levels.ribs import weigh_ribs
from lfja_mri.levels.sequence import Chain, find_chain
from lfja_mri.model import (
    Axes,
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
from lfja_mri.settings.levels import LevelsSettings
from lfja_mri.threads import of_each

PLACE_DECIMALS = (
    3  # of mm: a thousandth is finer than any image tells, and coarser than the noise of single precision
)
AXIS_DECIMALS = 5

TISSUE_OF_CLASS = {
    "background": SpineTissue.BACKGROUND,
    "disc": SpineTissue.DISC,
    "body": SpineTissue.VERTEBRA,
    "posterior": SpineTissue.POSTERIOR,
    "canal": SpineTissue.CANAL,
    "s1": SpineTissue.SACRUM,
    "s2": SpineTissue.SACRUM,
}


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
        tissues.append(tissue_labels(image, field, settings.threads))
        chain = find_chain(field, settings)
        if chain is not None:
            readings.append(read_chain(image, chain, settings))
    if not readings:
        raise LevelsError(
            f"no row of lumbar discs found in {len(sagittal)} sagittal series", reason=Reason.LEVELS_NOT_FOUND
        )
    decision = decide(readings, settings, lowest_level)
    others = [course_of(reading.chain, settings) for reading in readings if reading is not decision.lead]
    lead = course_of(decision.lead.chain, settings)
    frames = common_course(lead, others, settings.series_agree_mm).frames
    naming = weigh_ribs(decision.naming, frames, sagittal, settings.ribs)
    return level_map(replace(decision, naming=naming), frames, tuple(tissues))


def _segmented(image: Image, settings: LevelsSettings) -> Segmentation | None:
    try:
        return segment(image.volume, threads=settings.threads, closest_planes_mm=settings.closest_planes_mm)
    except GeometryError:
        return None


def level_map(
    decision: Decision, frames: tuple[DiscFrame, ...], tissues: tuple[TissueLabels, ...]
) -> LevelMap:
    """Build the map from the series that leads."""
    chain, naming = decision.lead.chain, decision.naming
    discs = tuple(
        make_disc(chain.discs[k], frames[k], level, naming.certainty)
        for k, level in enumerate(naming.levels)
        if level is not None
    )
    line = np.round(chain.canal.points_lps_mm, PLACE_DECIMALS)
    # people move between series: whoever reads the discs' places must know which image they are places of
    own_first = sorted(tissues, key=lambda labels: labels.image_key != decision.lead.image.key)
    return LevelMap(discs, line, naming.basis, naming.flags, tuple(own_first))


def make_disc(candidate: Candidate, frame: DiscFrame, level: Level, certainty: float) -> Disc:
    """Put frame, name and confidence together."""
    seen = 0.3 if candidate.interpolated else min(1.0, 0.4 + 0.7 * candidate.score)
    return Disc(
        level,
        np.round(frame.centre_lps_mm, PLACE_DECIMALS),
        settled(frame.axes),
        round(frame.depth_mm, PLACE_DECIMALS),
        round(frame.width_mm, PLACE_DECIMALS),
        round(frame.height_mm, PLACE_DECIMALS),
        round(seen * certainty, 4),
        ("interpolated",) if candidate.interpolated else (),
    )


def settled(axes: Axes) -> Axes:
    """Return the same axes without the last digits, in which builds of the numerical libraries differ."""
    cranial = unit(np.round(axes.cranial, AXIS_DECIMALS))
    anterior = perpendicular(np.round(axes.anterior, AXIS_DECIMALS), cranial)
    return Axes(cranial, anterior, np.cross(cranial, anterior))


def course_of(chain: Chain, settings: LevelsSettings) -> Course:
    """Frames of all of a chain's discs, on one smooth course."""
    frames = tuple(frame_of(chain, k, settings) for k in range(len(chain.discs)))
    return smooth_laterally(Course(frames, trust_in(chain)))


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
    return with_lateral_extent(
        frame,
        lambda points: read_share(chain.field, "disc", points),
        lambda points: inside(chain.field, points, margin=0.0),
        settings,
    )


def tissue_labels(image: Image, field: Segmentation, threads: int = 1) -> TissueLabels:
    """Carry the most probable tissue back onto the image's own grid, nearest neighbour."""
    codes = np.array([TISSUE_OF_CLASS[name].code for name in field.classes], dtype=np.uint8)
    field_planes = range(field.shares.shape[1])
    labels = np.stack(
        of_each(lambda plane: codes[np.argmax(field.shares[:, plane], axis=0)], field_planes, threads)
    )
    shape = image.volume.values_zyx.shape
    to_field = field.lps_to_voxel @ image.volume.voxel_to_lps
    columns, rows = np.meshgrid(np.arange(shape[2]), np.arange(shape[1]))
    first = apply(to_field, np.stack([columns, rows, np.zeros_like(columns)], axis=-1).astype(np.float64))
    planes = of_each(
        lambda plane: _nearest(labels, first + plane * to_field[:3, 2]), range(shape[0]), threads
    )
    return TissueLabels(image.key, np.stack(planes))


def _nearest(
    labels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], index_xyz: FloatArray
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Read labels at fractional (column, row, plane) indices; 0 outside."""
    place = [np.rint(index_xyz[..., axis]).astype(np.int32) for axis in (2, 1, 0)]
    inside = np.ones(index_xyz.shape[:-1], dtype=np.bool_)
    for axis, size in enumerate(labels.shape):
        inside &= (place[axis] >= 0) & (place[axis] < size)
        np.clip(place[axis], 0, size - 1, out=place[axis])
    return np.where(inside, labels[tuple(place)], 0).astype(np.uint8)
