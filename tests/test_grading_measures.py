"""What is measured on a toy joint is what was put there, whatever scanner looked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from grading_toy import CANAL_X_MM, JOINT, SETTINGS, Toy, axial, measured, sagittal, study_of, toy_levels

from lfja_mri.errors import Reason
from lfja_mri.geometry import grid_points
from lfja_mri.grading import judge, load_rules
from lfja_mri.grading.measure import measure_joint
from lfja_mri.model import Contrast, Graded, Image, Level, LevelMap, Missing, NotGraded, SeriesShift, Zone

RULES = load_rules()


@pytest.mark.parametrize("width_mm", [0.0, 0.5, 1.0, 1.5])
@pytest.mark.parametrize("pixel_mm", [0.4, 0.8])
def test_fluid_width_is_sub_voxel(width_mm, pixel_mm):
    found = measured(axial(Toy(fluid_mm=width_mm), pixel_mm=pixel_mm)).effusion_width_mm
    assert found == pytest.approx(width_mm, abs=0.2)


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 0.75, 1.0])
def test_perimeter_fraction_is_the_arc(share):
    found = measured(axial(Toy(fluid_mm=1.5, arc_share=share))).perimeter_fraction
    assert found == pytest.approx(share, abs=0.08)


@pytest.mark.parametrize("height_mm", [-5.0, 5.0])
def test_the_worst_slice_is_where_the_oedema_is(height_mm):
    whole, none = (axial(Toy(fluid_mm=1.5, arc_share=share), pitch_mm=3.0) for share in (0.8, 0.0))
    volume = whole.volume
    z = volume.voxel_to_lps[2, 3] + volume.voxel_to_lps[2, 2] * np.arange(len(volume.values_zyx))
    here = (np.abs(z - height_mm) < 3)[:, None, None]
    mixed = np.where(here, volume.values_zyx, none.volume.values_zyx)
    found = measured(replace(whole, volume=replace(volume, values_zyx=mixed)))
    assert found.further["worst_slice_above_mm"] == pytest.approx(height_mm, abs=2.5)


@pytest.mark.parametrize(
    ("toy", "grade"),
    [
        (Toy(), 0),
        (Toy(fluid_mm=0.4), 0),
        (Toy(fluid_mm=1.8), 1),
        (Toy(fluid_mm=1.8, arc_share=0.25), 2),
        (Toy(fluid_mm=1.8, arc_share=0.8), 3),
        (Toy(fluid_mm=1.8, arc_share=0.8, foramen_oedema=True), 4),
    ],
)
def test_grades_of_the_toy(toy, grade):
    outcome = judge(measured(axial(replace(toy, noise=0.03))), RULES)
    assert isinstance(outcome, Graded)
    assert outcome.grade == grade
    assert outcome.grade_low <= grade <= outcome.grade_high


@pytest.mark.parametrize("gain", [0.2, 5.0])
def test_gain_changes_no_grade(gain):
    toy = Toy(fluid_mm=1.8, arc_share=0.25, noise=0.03)
    quiet, loud = (judge(measured(axial(replace(toy, gain=g))), RULES) for g in (1.0, gain))
    assert (quiet.grade, quiet.grade_low, quiet.grade_high) == (loud.grade, loud.grade_low, loud.grade_high)


@pytest.mark.parametrize("shading_per_mm", [(0.0, 0.0, 0.008), (0.0, -0.008, 0.0)])
@pytest.mark.parametrize(("share", "grade"), [(0.25, 2), (0.8, 3)])
def test_coil_shading_eats_no_lesion(share, grade, shading_per_mm):
    """A fifth of the signal per 25 mm: reference tissue of the same image and level goes up and down with the lesion."""
    toy = Toy(fluid_mm=1.8, arc_share=share, noise=0.02)
    even, shaded = (measured(axial(one)) for one in (toy, replace(toy, shading_per_mm=shading_per_mm)))
    assert judge(shaded, RULES).grade == grade
    assert shaded.perimeter_fraction == pytest.approx(even.perimeter_fraction, abs=0.06)
    assert shaded.oedema_signal_ratio == pytest.approx(even.oedema_signal_ratio, rel=0.2)


def test_extension_is_in_the_target_it_reaches():
    joint = measured(axial(Toy(fluid_mm=1.8, arc_share=1.0, foramen_oedema=True)))
    assert joint.extension_mm3["foramen"] > 100
    assert joint.extension_mm3["pedicle"] == 0
    assert joint.oedema_extent_mm > 6


def test_veins_between_body_and_sac_are_no_spread_into_the_body():
    body = np.where(
        JOINT.zones.labels_zyx == Zone.FORAMEN.code, Zone.VERTEBRAL_BODY.code, JOINT.zones.labels_zyx
    )
    before_sac = body.copy()
    before_sac[:, 50:, (body == Zone.VERTEBRAL_BODY.code).any(axis=(0, 1))] = Zone.EXCLUDED_CANAL.code
    oedema = axial(Toy(fluid_mm=1.8, arc_share=1.0, foramen_oedema=True))
    beside, behind = (
        measured(oedema, joint=replace(JOINT, zones=replace(JOINT.zones, labels_zyx=labels)))
        for labels in (body, before_sac)
    )
    assert beside.extension_mm3["vertebral_body"] > 100
    assert behind.extension_mm3["vertebral_body"] == 0
    assert beside.high["extension_mm3.vertebral_body"] > 100
    assert behind.high["extension_mm3.vertebral_body"] == 0


def test_a_cyst_is_reported_apart_and_is_not_perimeter():
    joint = measured(axial(Toy(fluid_mm=1.5, cyst_mm=8.0), pitch_mm=3.0))
    assert joint.cyst_volume_mm3 > 80
    assert joint.perimeter_fraction < 0.1


def test_failed_fat_suppression_is_refused_and_effusion_stays():
    toy = Toy(fluid_mm=1.8, fat=0.8)
    joint = measured(axial(toy), sagittal(toy, Contrast.T1, pitch_mm=3.0))
    assert joint.fat_suppression == "failed"
    assert joint.effusion_width_mm == pytest.approx(1.8, abs=0.25)
    outcome = judge(joint, RULES)
    assert isinstance(outcome, NotGraded)
    assert outcome.reason is Reason.FAT_SUPPRESSION_FAILED


def test_without_t1_fat_is_what_t2_shows_bright_and_another_suppressed_series_dark():
    toy = Toy(fluid_mm=1.8, arc_share=0.25)
    failed, plain, inverted = axial(replace(toy, fat=0.7)), axial(toy, Contrast.T2), sagittal(toy)
    assert measured(failed, plain, inverted).sources[0] == "sagittal_stir"
    assert measured(axial(toy), plain, inverted).fat_suppression == "ok"
    assert measured(failed, plain).fat_suppression == "unverified"  # bright on both may be fluid


@pytest.mark.parametrize(("fat", "state"), [(0.06, "ok"), (0.12, "ok"), (0.17, "failed")])
def test_fat_left_after_contrast_is_noticed_though_it_is_hardly_brighter_than_muscle(fat, state):
    enhanced = axial(Toy(fat=fat), Contrast.T1_FS_GD)
    assert measured(enhanced, sagittal(Toy(), Contrast.T1, pitch_mm=3.0)).fat_suppression == state


def with_dark_upper_sac(image: Image, share: float) -> Image:
    """Return the image with the sac's fluid darkened above z = -14 mm, as pulsing does after an inversion."""
    volume = image.volume
    x, y, z = np.moveaxis(grid_points(volume.voxel_to_lps, volume.values_zyx.shape), -1, 0)
    sac = (np.hypot(x - CANAL_X_MM, y + 6) < 8) & (z > -14)
    return replace(image, volume=replace(volume, values_zyx=np.where(sac, share, 1.0) * volume.values_zyx))


def two_levels() -> LevelMap:
    upper = toy_levels()
    lower = replace(
        upper.discs[0], level=Level.L5_S1, centre_lps_mm=upper.discs[0].centre_lps_mm - [0, 0, 34]
    )
    line = np.stack([np.full(99, CANAL_X_MM), np.full(99, -6.0), np.linspace(30, -37, 99)], axis=1)
    return replace(upper, discs=(upper.discs[0], lower), canal_line_lps_mm=line)


def test_pulsing_fluid_of_the_upper_sac_is_no_reference():
    image = sagittal(Toy(fluid_mm=1.8, arc_share=0.25))
    dark = with_dark_upper_sac(image, 0.6)
    even, pulsing = (measure_joint(JOINT, study_of(one), two_levels(), SETTINGS) for one in (image, dark))
    assert even.reference["csf"] == pytest.approx(1000, rel=0.03)
    assert pulsing.reference["csf"] == pytest.approx(850, rel=0.03)


ODDITIES = {
    "nerve roots fill a third of the sac": lambda x, y, sac: np.where(
        sac & ((x // 1.5 + y // 1.5) % 3 == 0), 0.5, 1.0
    ),
    "flow void in the sac": lambda x, y, sac: np.where(sac & (np.hypot(x - CANAL_X_MM, y + 6) < 3), 0.1, 1.0),
    "fat in a quarter of the muscle": lambda x, y, _: np.where((y > 13) & (x // 2 % 4 == 0), 5.0, 1.0),
}


@pytest.mark.parametrize("oddity", ODDITIES)
def test_reference_and_grade_stand_odd_tissue(oddity):
    plain = axial(Toy(fluid_mm=1.8, arc_share=0.3))
    values = plain.volume.values_zyx
    x, y, _ = np.moveaxis(grid_points(plain.volume.voxel_to_lps, values.shape), -1, 0)
    factor = ODDITIES[oddity](x, y, np.hypot(x - CANAL_X_MM, y + 6) < 7)
    odd = replace(plain, volume=replace(plain.volume, values_zyx=(values * factor).astype(np.float32)))
    before, after = (measured(image) for image in (plain, odd))
    assert after.reference["csf"] == pytest.approx(before.reference["csf"], rel=0.03)
    assert after.reference["muscle"] == pytest.approx(before.reference["muscle"], rel=0.1)
    assert after.perimeter_fraction == pytest.approx(before.perimeter_fraction, abs=0.04)
    assert judge(after, RULES).grade == judge(before, RULES).grade == 2


def test_a_vessel_beside_the_joint_is_no_spread_of_it():
    vein = np.where(
        JOINT.zones.labels_zyx == Zone.FORAMEN.code, Zone.EXCLUDED_VESSEL.code, JOINT.zones.labels_zyx
    )
    joint = replace(JOINT, zones=replace(JOINT.zones, labels_zyx=vein))
    found = measured(axial(Toy(fluid_mm=1.8, arc_share=1.0, foramen_oedema=True)), joint=joint)
    assert not any(found.extension_mm3.values())
    assert judge(found, RULES).grade == 3


def test_a_joint_that_is_hardly_seen_gets_a_wider_range():
    image = axial(Toy(fluid_mm=1.8, arc_share=0.6))
    hardly = replace(JOINT, frame=replace(JOINT.frame, uncertainty_mm=3.4))
    sure, unsure = (measured(image, joint=joint) for joint in (JOINT, hardly))
    assert unsure.perimeter_fraction == sure.perimeter_fraction
    assert unsure.low["perimeter_fraction"] < sure.low["perimeter_fraction"]
    assert unsure.high["perimeter_fraction"] >= sure.high["perimeter_fraction"]


def test_another_series_takes_over_where_fat_suppression_failed():
    toy = Toy(fluid_mm=1.8, arc_share=0.8)
    failed = axial(replace(toy, fat=0.8))
    joint = measured(failed, sagittal(toy), sagittal(toy, Contrast.T1, pitch_mm=3.0))
    assert "sagittal_stir" in joint.sources
    assert joint.fat_suppression == "ok"


def test_without_a_fat_suppressed_series_only_effusion_is_reported():
    joint = measured(axial(Toy(fluid_mm=1.5), Contrast.T2))
    assert joint.effusion_width_mm == pytest.approx(1.5, abs=0.2)
    assert joint.perimeter_fraction == Missing(Reason.NO_FAT_SUPPRESSED_SERIES)
    outcome = judge(joint, RULES)
    assert isinstance(outcome, NotGraded)
    assert outcome.reason is Reason.NO_FAT_SUPPRESSED_SERIES


def test_a_moved_patient_is_followed_by_the_shift_of_the_series():
    moved = axial(Toy(fluid_mm=1.5, arc_share=0.25, moved_mm=(3.0, -2.0, 1.0)))
    shift = SeriesShift(moved.key, JOINT.frame.level, np.array([3.0, -2.0, 1.0]), 0.3, estimated=True)
    followed = measured(moved, joint=replace(JOINT, shifts=(shift,)))
    assert followed.effusion_width_mm == pytest.approx(1.5, abs=0.2)
    assert followed.perimeter_fraction == pytest.approx(0.25, abs=0.08)


def test_image_that_misses_the_joint_is_insufficient_coverage():
    far = axial(Toy(moved_mm=(0.0, 0.0, 0.0)))
    affine = far.volume.voxel_to_lps.copy()
    affine[2, 3] += 40.0
    outcome = judge(measured(replace(far, volume=replace(far.volume, voxel_to_lps=affine))), RULES)
    assert isinstance(outcome, NotGraded)
    assert outcome.reason is Reason.INSUFFICIENT_COVERAGE


def test_interval_opens_near_a_threshold_and_closes_far_from_it():
    near = judge(measured(axial(Toy(fluid_mm=1.05))), RULES)
    far = judge(measured(axial(Toy(fluid_mm=1.8, arc_share=1.0))), RULES)
    assert (near.grade_low, near.grade_high) == (0, 1)
    assert (far.grade_low, far.grade_high) == (3, 3)


def test_measuring_twice_gives_the_same_numbers():
    image = axial(Toy(fluid_mm=1.2, arc_share=0.4, noise=0.05))
    assert measured(image) == measured(image)


def test_thresholds_live_in_the_settings():
    blind = SETTINGS.model_copy(update={"oedema_csf_ratio": 2.0})
    assert measured(axial(Toy(arc_share=1.0)), settings=blind).perimeter_fraction == 0.0
