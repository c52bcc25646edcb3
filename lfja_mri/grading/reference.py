"""Reference tissue of one image at one level: CSF, muscle and marrow, so that signals become ratios."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lfja_mri.geometry import sample
from lfja_mri.grading.sampling import Scene, ZoneSignal
from lfja_mri.model import Contrast, FloatArray, Image, Zone
from lfja_mri.settings.grading import MeasureSettings


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
    marrow = _percentile(_read(image, scene.places.vertebra_lps_mm, scene), 50.0, settings)
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
    here = _percentile(_read(image, scene.places.csf_lps_mm, scene), settings.csf_percentile, settings)
    if here is None or not len(scene.places.tube_lps_mm):
        return here
    signal = _read(image, scene.places.tube_lps_mm, scene)
    levels = (signal[near] for near in scene.places.tube_at_discs)
    found = (_percentile(values, settings.csf_percentile, settings) for values in levels)
    brightest = max((value for value in found if value is not None), default=0.0)
    return max(here, settings.csf_least_study_share * brightest)


def _read(image: Image, points_lps_mm: FloatArray, scene: Scene) -> FloatArray:
    return sample(image.volume, points_lps_mm + scene.joint.shift_of(image.key))


def _percentile(values: FloatArray, percent: float, settings: MeasureSettings) -> float | None:
    known = values[np.isfinite(values)]
    if len(known) < settings.reference_least_points:
        return None
    return float(np.percentile(known, percent))
