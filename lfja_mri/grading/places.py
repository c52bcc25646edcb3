"""Where reference tissue of one level lies: the same for both of its joints and for every image of the study.

The places come from the localiser's labels (canal, vertebra), which may lie on another image of the study; their
voxels are carried over in LPS with the shift between the series.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.spatial import cKDTree

from lfja_mri.geometry import apply
from lfja_mri.model import (
    BoolArray,
    Disc,
    FloatArray,
    Joint,
    LevelMap,
    SpineTissue,
    StudyImages,
    TissueLabels,
    Volume,
)
from lfja_mri.settings.grading import MeasureSettings


@dataclass(frozen=True, eq=False)
class TissuePlaces:
    """Points of reference tissue in the joints' reference frame, LPS mm, shape (N, 3).

    Parameters
    ----------
    csf_lps_mm, vertebra_lps_mm
        Within reach of the level.
    tube_lps_mm
        The dural sac along the whole canal; none where no canal was found.
    tube_at_discs
        Which of the tube's points are level with each disc of the study, each shape (N,).
    """

    csf_lps_mm: FloatArray
    vertebra_lps_mm: FloatArray
    tube_lps_mm: FloatArray
    tube_at_discs: tuple[BoolArray, ...]


@dataclass(frozen=True, eq=False)
class _Slab:
    """The part of the spine that is level with a joint."""

    joint: Joint
    study: StudyImages
    level_map: LevelMap
    settings: MeasureSettings

    @property
    def disc(self) -> Disc | None:
        return self.level_map.disc(self.joint.frame.level)

    @property
    def centre_lps_mm(self) -> FloatArray:
        return self.joint.frame.centre_lps_mm if self.disc is None else self.disc.centre_lps_mm

    @property
    def cranial_lps(self) -> FloatArray:
        return self.joint.frame.cranial_lps if self.disc is None else self.disc.axes.cranial


def tissue_places(
    joint: Joint, study: StudyImages, level_map: LevelMap, settings: MeasureSettings
) -> TissuePlaces:
    """Find the places of reference tissue level with a joint; they serve the other joint of its level too."""
    slab = _Slab(joint, study, level_map, settings)
    line = level_map.canal_line_lps_mm
    tube = np.empty((0, 3)) if len(line) < 2 else _tube_points_lps_mm(_filled(line), settings.canal_radius_mm)
    at_discs = (_near(tube, disc.centre_lps_mm, disc.axes.cranial, settings) for disc in level_map.discs)
    return TissuePlaces(
        csf_lps_mm=_csf_points_lps_mm(slab),
        vertebra_lps_mm=_tissue_points_lps_mm(SpineTissue.VERTEBRA, slab),
        tube_lps_mm=tube,
        tube_at_discs=tuple(at_discs),
    )


def _csf_points_lps_mm(slab: _Slab) -> FloatArray:
    found = _tissue_points_lps_mm(SpineTissue.CANAL, slab)
    sac = _within_sac(found, slab.level_map.canal_line_lps_mm, slab.settings)
    return sac[_near(sac, slab.centre_lps_mm, slab.cranial_lps, slab.settings)]


def _tissue_points_lps_mm(tissue: SpineTissue, slab: _Slab) -> FloatArray:
    centre, cranial = slab.centre_lps_mm, slab.cranial_lps
    points = []
    for labels in slab.level_map.tissues:
        labelled = _labelled_points_lps_mm(labels, tissue, slab.study)
        shift = slab.joint.shift_of(labels.image_key)
        height_mm = labelled @ cranial - (centre + shift) @ cranial
        points.append(labelled[np.abs(height_mm) <= slab.settings.reference_half_height_mm] - shift)
    return np.concatenate(points) if points else np.empty((0, 3))


def _near(
    points_lps_mm: FloatArray, centre_lps_mm: FloatArray, cranial: FloatArray, settings: MeasureSettings
) -> BoolArray:
    height_mm = (points_lps_mm - centre_lps_mm) @ cranial
    return np.asarray(np.abs(height_mm) <= settings.reference_half_height_mm)


def _within_sac(points_lps_mm: FloatArray, line_lps_mm: FloatArray, settings: MeasureSettings) -> FloatArray:
    """Keep canal points near its centre line: beside it the label holds epidural fat and roots, not CSF."""
    if len(line_lps_mm) < 2:
        return points_lps_mm
    line = _filled(line_lps_mm)
    if not len(points_lps_mm):
        return _tube_points_lps_mm(line, settings.canal_radius_mm)
    distance_mm, _ = cKDTree(line).query(points_lps_mm)
    return points_lps_mm[distance_mm <= settings.canal_radius_mm]


def _filled(line_lps_mm: FloatArray) -> FloatArray:
    """Return the line with a point about every millimetre."""
    reached = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line_lps_mm, axis=0), axis=1))])
    steps = np.arange(0.0, reached[-1], 1.0)
    return np.stack([np.interp(steps, reached, line_lps_mm[:, axis]) for axis in range(3)], axis=1)


def _labelled_points_lps_mm(labels: TissueLabels, tissue: SpineTissue, study: StudyImages) -> FloatArray:
    image = next((image for image in study.images if image.key == labels.image_key), None)
    return np.empty((0, 3)) if image is None else _points_of(labels, tissue, image.volume)


@lru_cache(maxsize=8)
def _points_of(labels: TissueLabels, tissue: SpineTissue, volume: Volume) -> FloatArray:
    """Return the labelled voxels in LPS mm; kept, since all ten joints of a study ask for the same ones."""
    index_xyz = np.argwhere(labels.labels_zyx == tissue.code)[:, ::-1]
    return apply(volume.voxel_to_lps, index_xyz)


def _tube_points_lps_mm(middle: FloatArray, radius_mm: float) -> FloatArray:
    """Return the points of a line, and of two rings around each."""
    angles = np.arange(8) * np.pi / 4
    ring = np.stack([np.cos(angles), np.sin(angles), 0 * angles], axis=1) * radius_mm
    return np.concatenate(
        [middle, *(middle + 0.5 * side for side in ring), *(middle + side for side in ring)]
    )
