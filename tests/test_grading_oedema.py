"""Oedema is what belongs to the joint: bright tissue counts if it runs on from an abnormal rim, and not if it only touches it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from grading_toy import JOINT, SETTINGS, study_of, toy_levels
from hypothesis import given, settings
from hypothesis import strategies as st

from lfja_mri.geometry import grid_points
from lfja_mri.grading.bright import find_bright_tissue
from lfja_mri.grading.oedema import Oedema, extent_mm, find_oedema, seen_sac, soft_tissue_mask, volume_mm3
from lfja_mri.grading.places import tissue_places
from lfja_mri.grading.sampling import Scene, ZoneSignal
from lfja_mri.model import Zone

THRESHOLD, QUIET, BRIGHT = 0.3, 0.15, 0.5
BLOB_X_MM, BLOB_HALF_MM = 14.0, 5.0
x_mm, y_mm, z_mm = np.moveaxis(
    grid_points(JOINT.zones.voxel_to_lps, tuple(int(n) for n in JOINT.zones.labels_zyx.shape)), -1, 0
)


def scene(joint=JOINT) -> Scene:
    """Return the joint with every plane of its zones read, and widths that its grid of 0.75 mm can tell apart."""
    measure = SETTINGS.model_copy(update={"zone_pitch_mm": 0.5, "spread_least_width_mm": 3.0})
    study = study_of()
    return Scene(joint, study, tissue_places(joint, study, toy_levels(), measure), measure)


def rim(half_height_mm: float = 6.0) -> np.ndarray:
    """A quarter of the shell on the side of positive x, in front and behind alike."""
    return (x_mm > 2.5) & (x_mm < 6.8) & (np.abs(y_mm) < 5) & (np.abs(z_mm) < half_height_mm)


def blob() -> np.ndarray:
    """A cube of 10 mm, 2.2 mm beyond the rim."""
    return (
        (np.abs(x_mm - BLOB_X_MM) < BLOB_HALF_MM)
        & (np.abs(y_mm) < BLOB_HALF_MM)
        & (np.abs(z_mm) < BLOB_HALF_MM)
    )


def bridge(width_mm: float) -> np.ndarray:
    return (x_mm > 5) & (x_mm < BLOB_X_MM) & (np.abs(y_mm) < width_mm / 2) & (np.abs(z_mm) < 4)


def found(bright: np.ndarray, at: Scene | None = None) -> tuple[Oedema, Scene]:
    here = at or scene()
    ratio = ZoneSignal(here.zones, np.where(bright, BRIGHT, QUIET))
    return find_oedema(find_bright_tissue(ratio, THRESHOLD, here), here), here


def test_tissue_beyond_a_gap_is_not_the_joints():
    oedema, _ = found(rim() | blob())
    assert not (oedema.mask & blob()).any()
    assert (oedema.mask & rim()).any()


@pytest.mark.parametrize(
    ("width_mm", "reaches", "by_a_tongue"), [(1.5, False, False), (3.0, False, True), (6.0, True, True)]
)
def test_tissue_behind_a_narrow_neck_is_not_the_joints(width_mm, reaches, by_a_tongue):
    oedema, here = found(rim() | blob() | bridge(width_mm))
    far = x_mm > BLOB_X_MM
    assert (oedema.mask & far).any() == reaches
    assert (oedema.tongues & far).any() == by_a_tongue
    assert (oedema.touching & far).any(), "the interval still knows of it"
    assert (extent_mm(oedema, here.from_capsule_mm) > 10) == reaches


def test_a_rim_above_the_joints_middle_starts_nothing():
    high = np.where(z_mm > 0.45 * JOINT.frame.height_mm, rim(half_height_mm=9.0), False)
    oedema, _ = found(high)
    assert not oedema.mask.any()


def test_a_rim_too_thin_to_make_its_sectors_abnormal_starts_nothing():
    speck = (np.abs(x_mm - 4) < 0.5) & (np.abs(y_mm) < 0.5) & (np.abs(z_mm) < 4)
    oedema, _ = found(speck)
    assert not oedema.mask.any()
    assert oedema.touching.any()


def test_volume_is_that_of_the_voxels():
    oedema, here = found(rim())
    voxels = int((oedema.mask & soft_tissue_mask(oedema.ratio)).sum())
    assert voxels > 100
    assert volume_mm3(oedema, soft_tissue_mask(oedema.ratio)) == pytest.approx(voxels * 0.75**3)
    assert here.zones.labels_zyx.shape == JOINT.zones.labels_zyx.shape


def with_canal() -> Scene:
    labels = JOINT.zones.labels_zyx.copy()
    labels[(x_mm < -14) & (np.abs(y_mm) < 6)] = Zone.EXCLUDED_CANAL.code
    return scene(replace(JOINT, zones=replace(JOINT.zones, labels_zyx=labels)))


@pytest.mark.parametrize(("signal", "is_sac"), [(0.59, False), (0.60, True), (1.0, True)])
def test_fluid_that_runs_on_from_the_canal_is_sac(signal, is_sac):
    here = with_canal()
    beside = (x_mm >= -14) & (x_mm < -11) & (np.abs(y_mm) < 4)
    values = np.where(here.zones.labels_zyx == Zone.EXCLUDED_CANAL.code, 1.0, QUIET)
    sac = seen_sac(here, ZoneSignal(here.zones, np.where(beside, signal, values)))
    assert sac[beside].all() == is_sac


def test_fluid_far_from_the_canal_is_no_sac():
    here = with_canal()
    band = (x_mm < -4) & (np.abs(y_mm) < 4)
    values = np.where(band | (here.zones.labels_zyx == Zone.EXCLUDED_CANAL.code), 1.0, QUIET)
    sac = seen_sac(here, ZoneSignal(here.zones, values))
    reach = here.settings.sac_reach_mm
    assert sac[band & (x_mm < -14 + reach - 1.0)].all()
    assert not sac[x_mm > -14 + reach + 1.0].any()


@settings(max_examples=8, deadline=None)
@given(st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_a_higher_threshold_never_finds_more_within_reach(low, more):
    rng = np.random.default_rng(5)
    here = scene()
    ratio = ZoneSignal(here.zones, rng.uniform(0.0, 1.0, x_mm.shape))
    masks = [
        find_oedema(find_bright_tissue(ratio, threshold, here), here)
        for threshold in (low, min(1.0, low + more))
    ]
    assert not (masks[1].touching & ~masks[0].touching).any()
    assert not (masks[0].mask & ~masks[0].touching).any()
