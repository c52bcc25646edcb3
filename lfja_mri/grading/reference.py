"""Reference tissue of one image at one level: CSF, muscle and marrow, so that signals become ratios.

The places come from the localiser's labels (canal, vertebra), which may lie on another image of the study; their
voxels are carried over in LPS with the shift between the series.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.spatial import cKDTree

from lfja_mri.config import MeasureSettings
from lfja_mri.geometry import apply, sample
from lfja_mri.grading.sampling import Scene, ZoneSignal
from lfja_mri.model import (
    BoolArray,
    Contrast,
    FloatArray,
    Image,
    SpineTissue,
    StudyImages,
    TissueLabels,
    Volume,
    Zone,
)


@dataclass(frozen=True)
class Reference:
    """Signals of reference tissue in the unit of the image; None where too little of it was imaged.

    `signal` is the one that ratios are made with.
    """

    signal: float
    csf: float | None
    muscle: float | None
    marrow: float | None

    def plain(self) -> dict[str, float]:
        """Return what is known, by name."""
        named = {"csf": self.csf, "muscle": self.muscle, "marrow": self.marrow, "reference": self.signal}
        return {name: float(value) for name, value in named.items() if value is not None}


def reference_of(image: Image, zones: ZoneSignal, scene: Scene) -> Reference | None:
    """Return the reference signals of an image at the level of a joint; None where the main one is not there.

    CSF is the main reference; after contrast, where CSF is dark, muscle times a stated number takes its place.

    Parameters
    ----------
    image
        The image to be judged.
    zones
        The same image on the joint's zones.
    scene
        Joint, study and places of tissue.
    """
    settings = scene.settings
    csf = _csf(image, scene)
    marrow = _percentile(_signal(image, SpineTissue.VERTEBRA, scene), 50.0, settings)
    muscle_signal = zones.signal_zyx[zones.of(Zone.MUSCLE)]
    muscle = _percentile(muscle_signal, settings.muscle_percentile, settings)
    main = csf
    if image.role.contrast in {Contrast.T1_FS_GD, Contrast.T1_FS}:
        main = None if muscle is None else muscle * settings.enhanced_muscle_to_reference
    elif csf is not None and muscle is not None and csf < settings.csf_least_muscle_ratio * muscle:
        main = None  # what was taken for CSF is something else, or a flow void
    if main is None or main <= 0:
        return None
    return Reference(signal=main, csf=csf, muscle=muscle, marrow=marrow)


def _csf(image: Image, scene: Scene) -> float | None:
    """Return the signal of CSF at the joint's level, but no less than a stated share of the brightest level's.

    Where roots or the conus fill the sac, or its fluid pulses after an inversion, the sac is darker than resting fluid
    would be there; fluid and oedema of the joint are not.
    """
    settings = scene.settings
    here = _percentile(_signal(image, SpineTissue.CANAL, scene), settings.csf_percentile, settings)
    line = scene.level_map.canal_line_lps_mm
    if here is None or len(line) < 2:
        return here
    tube = _tube_points_lps_mm(_filled(line), settings.canal_radius_mm)
    signal = _read(image, tube, scene)
    levels = (
        signal[_near(tube, disc.centre_lps_mm, disc.axes.cranial, settings)] for disc in scene.level_map.discs
    )
    found = (_percentile(values, settings.csf_percentile, settings) for values in levels)
    brightest = max((value for value in found if value is not None), default=0.0)
    return max(here, settings.csf_least_study_share * brightest)


def _signal(image: Image, tissue: SpineTissue, scene: Scene) -> FloatArray:
    values = _read(image, tissue_points_lps_mm(tissue, scene), scene)
    return values[np.isfinite(values)]


def _read(image: Image, points_lps_mm: FloatArray, scene: Scene) -> FloatArray:
    return sample(image.volume, points_lps_mm + scene.joint.shift_of(image.key))


def _near(
    points_lps_mm: FloatArray, centre_lps_mm: FloatArray, cranial: FloatArray, settings: MeasureSettings
) -> BoolArray:
    height_mm = (points_lps_mm - centre_lps_mm) @ cranial
    return np.asarray(np.abs(height_mm) <= settings.reference_half_height_mm)


def tissue_points_lps_mm(tissue: SpineTissue, scene: Scene) -> FloatArray:
    """Return places of a tissue near the joint's level in the joint's reference frame, LPS mm, shape (N, 3)."""
    frame, settings = scene.joint.frame, scene.settings
    disc = scene.level_map.disc(frame.level)
    centre = disc.centre_lps_mm if disc is not None else frame.centre_lps_mm
    cranial = disc.axes.cranial if disc is not None else frame.cranial_lps
    half_height_mm = settings.reference_half_height_mm
    points = []
    for labels in scene.level_map.tissues:
        labelled = _labelled_points_lps_mm(labels, tissue, scene.study)
        shift = scene.joint.shift_of(labels.image_key)
        near = np.abs(labelled @ cranial - (centre + shift) @ cranial) <= half_height_mm
        points.append(labelled[near] - shift)
    found = np.concatenate(points) if points else np.empty((0, 3))
    if tissue is not SpineTissue.CANAL:
        return found
    sac = _within_sac(found, scene.level_map.canal_line_lps_mm, settings)
    return sac[_near(sac, centre, cranial, settings)]


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


def _percentile(values: FloatArray, percent: float, settings: MeasureSettings) -> float | None:
    known = values[np.isfinite(values)]
    if len(known) < settings.reference_least_points:
        return None
    return float(np.percentile(known, percent))
