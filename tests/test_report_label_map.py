from __future__ import annotations

import json

import fake_results as fake
import nibabel as nib
import numpy as np

from lfja_mri.model import Level, Side, Zone
from lfja_mri.report import label_map


def test_a_label_means_the_same_in_every_study():
    assert label_map.label_of(Level.L4_L5, Side.LEFT, Zone.JOINT_SPACE) == 401
    assert label_map.label_of(Level.L4_L5, Side.RIGHT, Zone.JOINT_SPACE) == 451
    labels = {label_map.label_of(level, side, zone) for level in Level for side in Side for zone in Zone}
    assert len(labels) == len(Level) * len(Side) * len(Zone)


def test_centroids_of_the_joint_spaces_survive_in_the_nifti(tmp_path):
    """Each joint space lies at its joint's centre in RAS mm, within half a voxel of 0.8 mm (0.41: rounding)."""
    result = fake.study_result()
    nifti, names, _ = label_map.write_label_map(result, tmp_path)
    image = nib.load(nifti)
    values = np.asanyarray(image.dataobj)
    assert nib.aff2axcodes(image.affine) == ("L", "P", "S")
    for joint in result.joints:
        if joint.joint is None:
            continue
        label = label_map.label_of(joint.level, joint.side, Zone.JOINT_SPACE)
        index = np.argwhere(values == label).mean(axis=0)
        ras = nib.affines.apply_affine(image.affine, index)
        assert np.abs(ras * [-1, -1, 1] - joint.joint.frame.centre_lps_mm).max() < 0.41
        assert (
            json.loads(names.read_text())["labels"][str(label)] == f"{joint.level} {joint.side} joint_space"
        )


def test_volumes_of_zones_are_kept():
    result = fake.study_result()
    made = label_map.make_label_map(result.joints)
    assert made is not None
    zones = fake.make_zones(Level.L4_L5, Side.LEFT)
    for zone in (Zone.JOINT_SPACE, Zone.CAPSULE):
        label = label_map.label_of(Level.L4_L5, Side.LEFT, zone)
        found = np.count_nonzero(made.labels_zyx == label)
        assert abs(found / np.count_nonzero(zones.labels_zyx == zone.code) - 1) < 0.1


def test_the_more_specific_zone_wins_where_joints_meet():
    result = fake.study_result()
    made = label_map.make_label_map([*result.joints, *result.joints[::-1]])
    once = label_map.make_label_map(result.joints)
    assert made is not None
    assert once is not None
    space = [label for label, name in once.names.items() if name.endswith("joint_space")]
    assert np.array_equal(np.isin(made.labels_zyx, space), np.isin(once.labels_zyx, space))


def test_same_study_same_bytes_and_a_colour_for_every_name(tmp_path):
    result = fake.study_result()
    first = label_map.write_label_map(result, tmp_path / "a")
    second = label_map.write_label_map(result, tmp_path / "b")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    made = label_map.make_label_map(result.joints)
    assert made is not None
    rows = [line.split() for line in first[2].read_text().splitlines() if not line.startswith("#")]
    assert [int(row[0]) for row in rows] == [0, *made.names]
    assert all(len(row) == 6 for row in rows)


def test_nothing_is_written_where_no_joint_was_placed(tmp_path):
    assert label_map.write_label_map(fake.without_levels(fake.study_result()), tmp_path) == ()
    assert list(tmp_path.iterdir()) == []
