"""Joints from another tool's articular processes: toy plates with a known gap, and the real sample masks."""

from __future__ import annotations

from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
from facets_toy import ToyJoint, axial_image, joint_truth, settings, toy_disc, toy_levels, toy_study

from lfja_mri.errors import InputError
from lfja_mri.facets import ProcessMasks, place_joints, process_masks_in, read_process_masks
from lfja_mri.facets.masks import INFERIOR, SUPERIOR, VERTEBRAE, joint_from_masks
from lfja_mri.facets.prior import expected_shape, site_of
from lfja_mri.geometry import apply, lps_to_ras
from lfja_mri.model import Axes, Disc, Joint, Level, Side

JOINT = ToyJoint(outwards_mm=16.0, behind_mm=30.0, cranial_mm=-3.0, angle_deg=48.0, bend_deg=30.0)
STEP_MM = 1.0


def _toy_masks(level=Level.L3_L4, gap_mm=2.0):
    disc = toy_disc(level)
    shape = (90, 70, 50)
    affine = np.diag([STEP_MM, STEP_MM, STEP_MM, 1.0])
    affine[:3, 3] = disc.centre_lps_mm + np.array([-45.0, -5.0, -25.0])
    points = apply(affine, np.stack(np.indices(shape), -1).astype(float))
    parts, vertebrae = np.zeros(shape, np.int32), np.zeros(shape, np.int32)
    upper, lower = VERTEBRAE[level]
    for side in Side:
        line = joint_truth(JOINT, side, disc)
        normal = np.array([-(line[-1] - line[0])[1], (line[-1] - line[0])[0]]) * side.lateral_sign
        normal = -normal / np.linalg.norm(normal)  # towards the front and outside
        offsets = points[..., None, :2] - line[:, :2]
        distances = np.linalg.norm(offsets, axis=-1)
        nearest = distances.argmin(-1)
        across = np.take_along_axis(offsets @ normal, nearest[..., None], -1)[..., 0]
        tall = np.abs(points[..., 2] - line[0, 2]) < 8
        near = tall & (distances.min(-1) < 5)
        for mask, label, vertebra in (
            (near & (across > gap_mm / 2), SUPERIOR[side], lower),
            (near & (across < -gap_mm / 2), INFERIOR[side], upper),
        ):
            parts[mask], vertebrae[mask] = label, vertebra
    return ProcessMasks(parts, vertebrae, affine)


def _found(masks, side, level=Level.L3_L4):
    chosen = settings()
    site = site_of(toy_disc(level), side, toy_levels(), chosen)
    return joint_from_masks(masks, site, expected_shape(site, chosen), chosen.masks)


@pytest.mark.parametrize("side", list(Side))
def test_the_joint_lies_between_the_processes(side):
    frame = _found(_toy_masks(), side)
    truth = joint_truth(JOINT, side, toy_disc())
    assert np.linalg.norm(frame.centre_lps_mm - truth.mean(axis=0)) < 1.5
    assert abs(frame.angle_deg - 48.0) < 8.0
    assert frame.height_mm == pytest.approx(16.0, abs=2.0)
    assert side.lateral_sign * frame.normal_lps[0] > 0


def test_axis_order_of_the_masks_does_not_matter():
    masks = _toy_masks()
    turned = replace(
        masks,
        parts=masks.parts.transpose(2, 0, 1)[::-1],
        vertebrae=masks.vertebrae.transpose(2, 0, 1)[::-1],
        voxel_to_lps=masks.voxel_to_lps
        @ np.array([[0, 1, 0, 0], [0, 0, 1, 0], [-1, 0, 0, 49], [0, 0, 0, 1.0]]),
    )
    for side in Side:
        first, second = _found(masks, side), _found(turned, side)
        assert np.allclose(first.centre_lps_mm, second.centre_lps_mm, atol=0.3)


def test_strays_make_no_joint():
    masks = _toy_masks()
    parts = masks.parts.copy()
    keep = np.argwhere(parts == SUPERIOR[Side.LEFT])[:7]
    parts[parts == SUPERIOR[Side.LEFT]] = 0
    parts[tuple(keep.T)] = SUPERIOR[Side.LEFT]
    assert _found(replace(masks, parts=parts), Side.LEFT) is None
    assert _found(replace(masks, parts=parts), Side.RIGHT) is not None


def test_the_sacrum_stands_in_for_its_missing_processes():
    masks = _toy_masks(Level.L5_S1)
    parts, vertebrae = masks.parts.copy(), masks.vertebrae.copy()
    sacral = np.isin(parts, list(SUPERIOR.values()))
    parts[sacral] = 26
    vertebrae[sacral] = 26
    frame = _found(replace(masks, parts=parts, vertebrae=vertebrae), Side.RIGHT, Level.L5_S1)
    truth = joint_truth(JOINT, Side.RIGHT, toy_disc())
    assert np.linalg.norm(frame.centre_lps_mm - truth.mean(axis=0)) < 2.0


def test_masks_decide_where_they_show_a_joint():
    study = toy_study(axial_image(dict.fromkeys(Side, JOINT), toy_disc()))
    joints = place_joints(study, toy_levels(), settings(), masks=_toy_masks())
    placed = [joint for joint in joints if isinstance(joint, Joint)]
    assert all(joint.frame.flags[0] == "joint_from_external_mask" for joint in placed)


def test_a_pair_is_found_by_its_names(tmp_path):
    assert process_masks_in(tmp_path) is None
    for part in ("spine", "vert"):
        image = nib.Nifti1Image(np.full((4, 4, 4), 20, np.uint8), np.eye(4))
        nib.save(image, tmp_path / f"sub-x_seg-{part}_msk.nii.gz")
    found = process_masks_in(tmp_path)
    assert found is not None
    assert found.parts.shape == (4, 4, 4)


def test_masks_on_different_grids_are_refused(tmp_path):
    for name, size in (("spine", 5), ("vert", 6)):
        image = nib.Nifti1Image(np.zeros((size, 5, 5), np.uint8), np.eye(4))
        nib.save(image, tmp_path / f"{name}.nii.gz")
    with pytest.raises(InputError, match="different grids"):
        read_process_masks(tmp_path / "spine.nii.gz", tmp_path / "vert.nii.gz")


def test_an_unreadable_mask_is_refused(tmp_path):
    broken = tmp_path / "spine.nii.gz"
    broken.write_bytes(b"not an image")
    with pytest.raises(InputError, match=r"spine\.nii\.gz"):
        read_process_masks(broken, broken)


def test_real_sample_masks_give_joints_on_their_own_sides(shared_data):
    """CT sample of TPTBox: L2-L3 and L3-L4, left and right."""
    folder = shared_data / "facets" / "tptbox"
    masks = read_process_masks(folder / "ct_structures.nii.gz", folder / "ct_vertebrae.nii.gz")
    assert np.allclose(lps_to_ras(masks.voxel_to_lps), nib.load(folder / "ct_structures.nii.gz").affine)
    for level in (Level.L2_L3, Level.L3_L4):
        disc = _sample_disc(masks, level)
        for side in Side:
            chosen = settings()
            site = site_of(disc, side, toy_levels(disc), chosen)
            frame = joint_from_masks(masks, site, expected_shape(site, chosen), chosen.masks)
            assert frame is not None
            behind, left, up = site.from_lps(frame.centre_lps_mm) * np.array([-1, 1, 1])
            assert 8 < side.lateral_sign * left < 24
            assert 20 < behind < 45
            assert -14 < up < 6
            assert 10 < frame.angle_deg < 75
            assert 8 < frame.length_mm < 24


def _sample_disc(masks, level):
    """The middle between the facing ends of two vertebral bodies (labels 49 and 50); both are cut by the view."""
    upper, lower = (
        np.concatenate([masks.points(part, vertebra) for part in (49, 50)]) for vertebra in VERTEBRAE[level]
    )
    cranial = upper.mean(axis=0) - lower.mean(axis=0)
    cranial /= np.linalg.norm(cranial)
    left = np.array([1.0, 0, 0]) - cranial[0] * cranial
    left /= np.linalg.norm(left)
    middle = 0.5 * (np.percentile(upper @ cranial, 5) + np.percentile(lower @ cranial, 95))
    centre = 0.5 * (upper.mean(axis=0) + lower.mean(axis=0))
    centre = centre + (middle - centre @ cranial) * cranial
    return Disc(level, centre, Axes(cranial, np.cross(left, cranial), left), 34.0, 48.0, 9.0, 1.0)
