"""Joints measured by hand and by a toy scanner, for the tests of the grading stage."""

from __future__ import annotations

from dataclasses import replace

from lfja_mri.model import EXTENSION_TARGETS, Level, Measure, Measurements, Side

NORMAL = Measurements(
    level=Level.L4_L5,
    side=Side.RIGHT,
    effusion_width_mm=0.2,
    effusion_volume_mm3=10.0,
    joint_signal_ratio=0.15,
    perimeter_fraction=0.0,
    perimeter_fraction_max_slice=0.0,
    soft_tissue_oedema_volume_mm3=0.0,
    bone_oedema_volume_mm3=0.0,
    oedema_extent_mm=0.0,
    oedema_signal_ratio=0.0,
    cyst_volume_mm3=0.0,
    extension_mm3={target.value: 0.0 for target in EXTENSION_TARGETS},
    coverage_fraction=1.0,
    fat_suppression="ok",
    sources=("axial_t2_fs",),
)


def joint_with(*, foramen_mm3: Measure = 0.0, **measures: object) -> Measurements:
    """A normal joint but for the named measures."""
    extension = {**NORMAL.extension_mm3, "foramen": foramen_mm3}
    return replace(NORMAL, extension_mm3=extension, **measures)
