"""One placed joint of a phantom against its truth: place, angle, two regions, and the shifts between series."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from benchmarks.phantoms import normal_count
from lfja_mri.facets.prior import site_of
from lfja_mri.facets.zones import build_zones
from lfja_mri.geometry import apply, unit
from lfja_mri.model import BoolArray, FloatArray, Joint, JointFrame, Level, LevelMap, StudyImages, Zone, Zones
from lfja_mri.phantom import PhantomTruth
from lfja_mri.settings.facets import FacetsSettings

MARGIN_MM, STEP_MM, REACH_MM, WHOLE_REACH_MM = 2.0, 0.8, 18.0, 24.0
WHOLE_JOINT = (Zone.JOINT_SPACE, Zone.CAPSULE, Zone.SUPERIOR_PROCESS, Zone.INFERIOR_PROCESS)


@dataclass(frozen=True)
class Compared:
    """One placed joint against its truth.

    `named_right` holds where its disc is nearest to the true disc of that name, and the joint to the true joint of that
    level and side; `numbering_flagged` where the program doubts the names of this spine's levels; `normal_count` where it
    has five lumbar vertebrae. `whole_overlap` compares labels on the voxels of our joint, so that a joint put exactly right
    overlaps by 1; `whole_overlap_apart` gives each joint voxels of its own, whose steps cost overlap as soon as the
    centres differ.
    """

    centre_error_mm: float
    angle_error_deg: float
    slab_overlap: float
    whole_overlap: float
    whole_overlap_apart: float
    named_right: bool
    numbering_flagged: bool
    normal_count: bool
    shifts: tuple[tuple[float, float], ...]
    shifts_unknown: int


def compare(
    joint: Joint, images: StudyImages, levels: LevelMap, truth: PhantomTruth, settings: FacetsSettings
) -> Compared:
    """Compare a joint in the frame of the image that it was found in."""
    frame = joint.frame
    if all((true.level, true.side) != (frame.level, frame.side) for true in truth.joints):
        return _no_such_joint(levels, truth)
    true = truth.joint(frame.level, frame.side)
    others = {shift.image_key for shift in joint.shifts}
    own = next(image.key for image in images.images if image.key not in others)

    def seen(key: str) -> FloatArray:
        return truth.moved(key, true.centre_lps_mm[None])[0]

    distances = {
        (t.level, t.side): np.linalg.norm(truth.moved(own, t.centre_lps_mm[None])[0] - frame.centre_lps_mm)
        for t in truth.joints
    }
    whole, apart = _whole_overlaps(joint, levels, truth, own, settings)
    imaged = [shift for shift in joint.shifts if joint.coverage.get(shift.image_key, 0.0) > 0.5]
    shifts = tuple(
        (
            float(np.linalg.norm(shift.shift_lps_mm - (seen(shift.image_key) - seen(own)))),
            shift.uncertainty_mm,
        )
        for shift in imaged
        if shift.estimated
    )
    return Compared(
        centre_error_mm=float(np.linalg.norm(frame.centre_lps_mm - seen(own))),
        angle_error_deg=abs(frame.angle_deg - true.angle_deg),
        slab_overlap=_slab_overlap(joint, truth, own),
        whole_overlap=whole,
        whole_overlap_apart=apart,
        named_right=min(distances, key=lambda key: distances[key]) == (frame.level, frame.side)
        and _disc_named_right(frame.level, levels, truth, own),
        numbering_flagged=bool(levels.flags),
        normal_count=normal_count(truth),
        shifts=shifts,
        shifts_unknown=len(imaged) - len(shifts),
    )


def _no_such_joint(levels: LevelMap, truth: PhantomTruth) -> Compared:
    """Return what a joint at a level that this person does not have is worth."""
    return Compared(
        centre_error_mm=99.0,
        angle_error_deg=180.0,
        slab_overlap=0.0,
        whole_overlap=0.0,
        whole_overlap_apart=0.0,
        named_right=False,
        numbering_flagged=bool(levels.flags),
        normal_count=normal_count(truth),
        shifts=(),
        shifts_unknown=0,
    )


def _disc_named_right(level: Level, levels: LevelMap, truth: PhantomTruth, own: str) -> bool:
    """Return whether the disc of a level lies nearer to the true disc of its name than to any other."""
    disc = levels.disc(level)
    if disc is None:
        return False
    away = {
        true.level: np.linalg.norm(truth.moved(own, true.frame.origin[None])[0] - disc.centre_lps_mm)
        for true in truth.discs
    }
    return min(away, key=lambda name: away[name]) == level


def _slab_overlap(joint: Joint, truth: PhantomTruth, own: str) -> float:
    """Return the intersection over union of the joint's slab and the true one."""
    frame = joint.frame
    true = truth.joint(frame.level, frame.side)
    points = _grid(REACH_MM) + true.centre_lps_mm
    theirs = truth.joint_region(frame.level, frame.side, points, margin_mm=MARGIN_MM)
    return _share(_region(joint, truth.moved(own, points)), theirs)


def _whole_overlaps(
    joint: Joint, levels: LevelMap, truth: PhantomTruth, own: str, settings: FacetsSettings
) -> tuple[float, float]:
    """Return the intersection over union of the joint with its processes and the true one: on our voxels, on its own."""
    frame, disc = joint.frame, levels.disc(joint.frame.level)
    if disc is None:
        return 0.0, 0.0
    site = site_of(disc, frame.side, levels, settings)
    true = _true_frame(joint, truth, own)
    shared = build_zones(true, site, settings.zones, around_lps_mm=frame.centre_lps_mm)
    points = _grid(WHOLE_REACH_MM) + true.centre_lps_mm
    apart = _whole(build_zones(true, site, settings.zones), points)
    return (
        _share(joint.zones.mask(*WHOLE_JOINT), shared.mask(*WHOLE_JOINT)),
        _share(_whole(joint.zones, points), apart),
    )


def _true_frame(joint: Joint, truth: PhantomTruth, own: str) -> JointFrame:
    """Return the true joint as an image shows it."""
    true = truth.joint(joint.frame.level, joint.frame.side)
    start = truth.moved(own, true.centre_lps_mm[None])[0]
    along, normal, cranial = (
        unit(truth.moved(own, (true.centre_lps_mm + axis)[None])[0] - start)
        for axis in (true.along_lps, true.normal_lps, true.cranial_lps)
    )
    line = truth.moved(own, true.joint_line_lps_mm)
    return replace(
        joint.frame,
        centre_lps_mm=line.mean(axis=0),
        along_lps=along,
        normal_lps=normal,
        cranial_lps=cranial,
        length_mm=true.length_mm,
        height_mm=true.height_mm,
        gap_mm=true.gap_mm,
        joint_line_lps_mm=line,
    )


def _whole(zones: Zones, points: FloatArray) -> BoolArray:
    """Return which points lie in the space, the capsule or a process."""
    codes = [zone.code for zone in WHOLE_JOINT]
    index = np.rint(apply(np.asarray(np.linalg.inv(zones.voxel_to_lps), dtype=np.float64), points)).astype(
        int
    )
    shape = np.array(zones.labels_zyx.shape[::-1])
    inside = np.all((index >= 0) & (index < shape), axis=1)
    x, y, z = np.clip(index, 0, shape - 1).T
    return np.asarray(inside & np.isin(zones.labels_zyx[z, y, x], codes))


def _grid(reach_mm: float) -> FloatArray:
    axis = np.arange(-reach_mm, reach_mm + 0.01, STEP_MM)
    return np.asarray(np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3))


def _share(ours: BoolArray, theirs: BoolArray) -> float:
    return int(np.count_nonzero(ours & theirs)) / max(int(np.count_nonzero(ours | theirs)), 1)


def _region(joint: Joint, points: FloatArray) -> BoolArray:
    """Return which points lie within the margin of the joint space, by the phantom's own definition."""
    frame = joint.frame
    axes = np.stack([frame.along_lps, frame.normal_lps, frame.cranial_lps])
    local = (points - frame.centre_lps_mm) @ axes.T
    line = (frame.joint_line_lps_mm - frame.centre_lps_mm) @ axes.T
    middle = np.interp(local[:, 0], line[:, 0], line[:, 1])
    along = np.maximum(np.abs(local[:, 0]) - 0.5 * frame.length_mm, 0)
    across = np.maximum(np.abs(local[:, 1] - middle) - 0.5 * frame.gap_mm, 0)
    height = np.maximum(np.abs(local[:, 2]) - 0.5 * frame.height_mm, 0)
    return np.asarray(np.sqrt(along**2 + across**2 + height**2) <= MARGIN_MM)
