"""The zones of all joints of a study as one label map that 3D Slicer and ITK-SNAP open with names and colours.

A label is `100 x level + 50 if right + zone`: 401 is the joint space of L4-L5 left, 451 that of L4-L5 right. Level
and zone numbers are those of the enums' order, so a label means the same in every study. Where zones of two joints
meet, the more specific zone wins: the joint space before its capsule, the capsule before what lies around it.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import nibabel as nib
import numpy as np
import numpy.typing as npt

from lfja_mri import geometry, tables
from lfja_mri.model import FloatArray, Joint, JointResult, Level, Side, StudyResult, Zone

WideLabelArray = npt.NDArray[np.uint16]

SPACING_MM = 0.8
LEVEL_STEP = 100
RIGHT_OFFSET = 50
_ZONE_COLOURS: Mapping[Zone, tuple[int, int, int]] = {
    Zone.JOINT_SPACE: (77, 227, 255),
    Zone.CAPSULE: (255, 212, 59),
    Zone.PERIMETER: (255, 122, 217),
    Zone.SUPERIOR_PROCESS: (235, 222, 190),
    Zone.INFERIOR_PROCESS: (205, 185, 145),
    Zone.FORAMEN: (120, 200, 120),
    Zone.LIGAMENTUM_FLAVUM: (190, 160, 60),
    Zone.PEDICLE: (170, 140, 200),
    Zone.TRANSVERSE_PROCESS: (140, 110, 170),
    Zone.VERTEBRAL_BODY: (150, 170, 210),
    Zone.MUSCLE: (190, 90, 80),
    Zone.EXCLUDED_CANAL: (90, 90, 90),
    Zone.EXCLUDED_DISC: (110, 110, 110),
    Zone.EXCLUDED_VESSEL: (130, 60, 60),
    Zone.EXCLUDED_FAT: (130, 130, 80),
}
_RIGHT_DIMMING = 0.82


@dataclass(frozen=True, eq=False)
class LabelMap:
    """Labels on one grid along LPS, and the name of every label that occurs."""

    labels_zyx: WideLabelArray
    voxel_to_lps: FloatArray
    names: Mapping[int, str]


def label_of(level: Level, side: Side, zone: Zone) -> int:
    """Return the label of a zone of a joint; the same in every study."""
    number = list(Level).index(level) + 1
    return number * LEVEL_STEP + (RIGHT_OFFSET if side is Side.RIGHT else 0) + zone.code


def make_label_map(joints: Sequence[JointResult], spacing_mm: float = SPACING_MM) -> LabelMap | None:
    """Lay the zones of all placed joints onto one cubic grid in the reference frame.

    Parameters
    ----------
    joints
        Joints of one study.
    spacing_mm
        Edge of a voxel.

    Returns
    -------
    None where no joint was placed.
    """
    placed = [result.joint for result in joints if result.joint is not None]
    if not placed:
        return None
    affine, shape_zyx = _common_grid(placed, spacing_mm)
    labels = np.zeros(shape_zyx, np.uint16)
    rank = np.full(shape_zyx, len(Zone), np.uint8)
    for joint in placed:
        _lay(joint, affine, labels, rank)
    names = {
        label_of(joint.frame.level, joint.frame.side, zone): _name(joint, zone)
        for joint in placed
        for zone in Zone
        if zone is not Zone.OUTSIDE
    }
    present = {int(label) for label in np.unique(labels)}
    return LabelMap(labels, affine, {label: names[label] for label in sorted(names) if label in present})


def _name(joint: Joint, zone: Zone) -> str:
    return f"{joint.frame.level.value} {joint.frame.side.value} {zone.value}"


def _common_grid(joints: Sequence[Joint], spacing_mm: float) -> tuple[FloatArray, tuple[int, int, int]]:
    corners = np.concatenate([_corners(joint) for joint in joints])
    low = np.floor(corners.min(axis=0) / spacing_mm) * spacing_mm
    count = np.ceil((corners.max(axis=0) - low) / spacing_mm).astype(int) + 1
    affine = geometry.grid_affine(low, np.eye(3), np.full(3, spacing_mm))
    return affine, (int(count[2]), int(count[1]), int(count[0]))


def _corners(joint: Joint) -> FloatArray:
    last = np.array(joint.zones.labels_zyx.shape[::-1]) - 1
    index = np.stack(np.meshgrid(*[(0, end) for end in last], indexing="ij"), axis=-1).reshape(-1, 3)
    return geometry.apply(joint.zones.voxel_to_lps, index)


def _lay(joint: Joint, affine: FloatArray, labels: WideLabelArray, rank: npt.NDArray[np.uint8]) -> None:
    """Write one joint's zones into the voxels of the common grid that they cover better than what is there."""
    corners = geometry.apply(_inverse(affine), _corners(joint))
    low = np.maximum(np.floor(corners.min(axis=0)).astype(int), 0)
    high = np.minimum(np.ceil(corners.max(axis=0)).astype(int) + 1, labels.shape[::-1])
    box = tuple(slice(start, end) for start, end in zip(low[::-1], high[::-1], strict=True))
    local = affine.copy()
    local[:3, 3] = geometry.apply(affine, low)
    codes = _codes_on(joint, local, labels[box].shape)
    better = (codes > 0) & (codes < rank[box])
    base = label_of(joint.frame.level, joint.frame.side, Zone.OUTSIDE)
    labels[box][better] = base + codes[better].astype(np.uint16)
    rank[box][better] = codes[better]


def _codes_on(joint: Joint, affine: FloatArray, shape_zyx: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    """Read a joint's zones on another grid; both lie along LPS, so that each axis is looked up on its own."""
    zones = joint.zones
    to_zones = _inverse(zones.voxel_to_lps)
    found = []
    for axis, count in zip((2, 1, 0), shape_zyx, strict=True):
        place_mm = np.arange(count) * affine[axis, axis] + affine[axis, 3]
        found.append(np.rint(place_mm * to_zones[axis, axis] + to_zones[axis, 3]).astype(int))
    inside = [
        (index >= 0) & (index < count) for index, count in zip(found, zones.labels_zyx.shape, strict=True)
    ]
    codes = np.zeros(shape_zyx, np.uint8)
    there = (index[held] for index, held in zip(found, inside, strict=True))
    codes[np.ix_(*inside)] = zones.labels_zyx[np.ix_(*there)]
    return codes


def _inverse(affine: FloatArray) -> FloatArray:
    return np.asarray(np.linalg.inv(affine), dtype=np.float64)


def label_map_files(result: StudyResult, stem: str = "zones") -> dict[str, bytes]:
    """Return `<stem>.nii.gz`, `<stem>.json` (names) and `<stem>.ctbl` (3D Slicer colours) by file name.

    The same bytes every time; empty where no joint was placed.
    """
    label_map = make_label_map(result.joints)
    if label_map is None:
        return {}
    return {
        f"{stem}.nii.gz": nifti_bytes(label_map),
        f"{stem}.json": names_json(label_map).encode(),
        f"{stem}.ctbl": colour_table(label_map).encode(),
    }


def write_label_map(result: StudyResult, folder: Path, stem: str = "zones") -> tuple[Path, ...]:
    """Write the `label_map_files` into a folder.

    Parameters
    ----------
    result
        A graded study; nothing is written where no joint was placed.
    folder
        Where to write.
    stem
        File name without its ending.

    Returns
    -------
    The files written.

    Raises
    ------
    OutputError
        The folder cannot be written.
    """
    contents = label_map_files(result, stem)
    for name, content in contents.items():
        tables.write_bytes(folder / name, content)
    return tuple(folder / name for name in contents)


def nifti_bytes(label_map: LabelMap) -> bytes:
    """Return a gzipped NIfTI-1 in scanner RAS mm, without a date."""
    values_xyz = label_map.labels_zyx.transpose(2, 1, 0)
    image: Any = cast("Any", nib).Nifti1Image(values_xyz, geometry.lps_to_ras(label_map.voxel_to_lps))
    image.set_qform(image.affine, code=1)
    image.set_sform(image.affine, code=1)
    image.header.set_xyzt_units("mm")
    return gzip.compress(image.to_bytes(), compresslevel=6, mtime=0)


def names_json(label_map: LabelMap) -> str:
    """Return the names of the labels as JSON."""
    content = {
        "frame": "RAS mm in the NIfTI header; left and right are the patient's",
        "labels": label_map.names,
    }
    return json.dumps(content, indent=2) + "\n"


def colour_table(label_map: LabelMap) -> str:
    """Return a 3D Slicer colour table: number, name without blanks, red, green, blue, alpha."""
    lines = ["# lfja-mri joint zones", "0 background 0 0 0 0"]
    for label, name in label_map.names.items():
        red, green, blue = colour_of(label)
        lines.append(f"{label} {name.replace(' ', '_')} {red} {green} {blue} 255")
    return "\n".join(lines) + "\n"


def colour_of(label: int) -> tuple[int, int, int]:
    """Return the zone's colour, somewhat darker on the patient's right."""
    within = label % LEVEL_STEP
    red, green, blue = _ZONE_COLOURS[list(Zone)[within % RIGHT_OFFSET]]
    share = _RIGHT_DIMMING if within >= RIGHT_OFFSET else 1.0
    return round(red * share), round(green * share), round(blue * share)
