"""How much of a joint an image shows: the share of its joint space, capsule and perimeter that lies in the slices."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lfja_mri import geometry
from lfja_mri.model import FloatArray, SeriesShift, StudyImages, Volume, Zone, Zones

COVERED_ZONES = (Zone.JOINT_SPACE, Zone.CAPSULE, Zone.PERIMETER)
THINNED_TO = 3


def coverage_of(study: StudyImages, zones: Zones, shifts: tuple[SeriesShift, ...]) -> Mapping[str, float]:
    """Return the imaged share of a joint per image key.

    A point counts as imaged when it lies inside the stack's box and, where slices have gaps between them, when a slice's
    own thickness reaches it or half of the gap does: only what no slice comes near is missing.
    """
    points = _points(zones)
    shift_of = {shift.image_key: shift.shift_lps_mm for shift in shifts}
    return {
        image.key: _share(image.volume, points + shift_of.get(image.key, np.zeros(3)))
        for image in study.images
    }


def _points(zones: Zones) -> FloatArray:
    return zones.points_lps_mm(zones.mask(*COVERED_ZONES))[::THINNED_TO]


def _share(volume: Volume, points_lps_mm: FloatArray) -> float:
    if len(points_lps_mm) == 0:
        return 0.0
    return float(np.mean(geometry.contains(volume, points_lps_mm)))
