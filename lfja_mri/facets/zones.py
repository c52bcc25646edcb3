"""The zones of a joint: which voxel of a fine grid around it belongs to which place that the grades speak of.

Two kinds of coordinates: the joint's own (along, across, cranial of its curved surface) for the joint and its
perimeter, and the disc's (behind, outwards from the midline, cranial) for its neighbours.

`labels_zyx` names the tissue; `sectors_zyx` says where on the joint's perimeter a voxel lies, whatever its tissue: the
shell holds everything within `perimeter_mm` of the joint space outside its capsule, subchondral bone of both processes
and the ligamentum flavum at the medial tip included, and soft tissue close to the processes' surface. Canal, disc,
vessels and fat are never part of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from lfja_mri.facets.frames import Site
from lfja_mri.facets.profile import LineProfile, line_profile
from lfja_mri.model import BoolArray, FloatArray, JointFrame, LabelArray, Zone, Zones
from lfja_mri.settings.facets import ZoneSettings

IndexArray = npt.NDArray[np.intp]
Kind = TypeVar("Kind", bound=np.generic)

EXCLUDED = (Zone.EXCLUDED_CANAL, Zone.EXCLUDED_DISC, Zone.EXCLUDED_VESSEL, Zone.EXCLUDED_FAT)
ROUNDED = 2.5
"""Exponent of the superellipse that outlines an articular surface: between an ellipse (2) and a box."""


@dataclass(frozen=True, eq=False)
class _JointPlace:
    """Voxels in the joint's own coordinates: their place in the tables of its cut, and their height.

    What depends on the place in the cut alone is worked out once in the tables and looked up for all voxels above one
    another; `index` and `cranial_mm` have the shape (planes, rows, columns).
    """

    profile: LineProfile
    index: IndexArray
    cranial_mm: FloatArray

    def at(self, table: npt.NDArray[Kind]) -> npt.NDArray[Kind]:
        """Look up every voxel in a table over the cut."""
        return table[self.index]


@dataclass(frozen=True, eq=False)
class _DiscPlace:
    """Voxels in the disc's coordinates: mm behind its centre, outwards from the midline, cranial of its middle."""

    behind_mm: FloatArray
    outwards_mm: FloatArray
    cranial_mm: FloatArray


def build_zones(frame: JointFrame, site: Site, settings: ZoneSettings) -> Zones:
    """Lay out the zones of a joint on a grid along LPS whose middle is the joint's centre."""
    shape_xyz, affine = _grid(frame.centre_lps_mm, settings)
    joint = _joint_place(frame, shape_xyz, settings)
    disc = _disc_place(frame, site, shape_xyz, settings)
    labels = _surroundings(disc, frame, site, settings)
    superior, inferior = _processes(joint, frame, settings)
    space, capsule = _joint_and_capsule(joint, frame, settings)
    shell = _shell(joint, superior | inferior, frame, settings) & ~space & ~capsule
    excluded = np.isin(labels, [zone.code for zone in EXCLUDED])
    soft = shell & ~excluded & (labels != Zone.LIGAMENTUM_FLAVUM.code)
    for mask, zone in (
        (soft, Zone.PERIMETER),
        (superior & ~excluded, Zone.SUPERIOR_PROCESS),
        (inferior & ~excluded, Zone.INFERIOR_PROCESS),
        (capsule, Zone.CAPSULE),
        (space, Zone.JOINT_SPACE),
    ):
        labels[mask] = zone.code
    sectors = (1 + np.floor(joint.profile.perimeter_share * settings.sectors)).astype(np.uint8)
    return Zones(
        labels, np.where(shell & ~excluded, joint.at(sectors), np.uint8(0)), affine, settings.sectors
    )


def _grid(centre_lps_mm: FloatArray, settings: ZoneSettings) -> tuple[tuple[int, int, int], FloatArray]:
    counts = [2 * round(0.5 * side / settings.spacing_mm) + 1 for side in settings.box_mm]
    affine = np.diag([settings.spacing_mm, settings.spacing_mm, settings.spacing_mm, 1.0])
    affine[:3, 3] = centre_lps_mm - settings.spacing_mm * (np.array(counts) // 2)
    return (counts[0], counts[1], counts[2]), affine


def _component(shape_xyz: tuple[int, int, int], axis_lps: FloatArray, settings: ZoneSettings) -> FloatArray:
    """Return each voxel's mm from the grid's middle along a direction, shape zyx."""
    x, y, z = (
        (np.arange(count) - count // 2) * settings.spacing_mm * part
        for count, part in zip(shape_xyz, axis_lps, strict=True)
    )
    return np.asarray(z[:, None, None] + y[None, :, None] + x[None, None, :])


def _joint_place(frame: JointFrame, shape_xyz: tuple[int, int, int], settings: ZoneSettings) -> _JointPlace:
    radius_mm = 0.5 * (frame.gap_mm + settings.capsule_mm + settings.perimeter_mm)
    along = _component(shape_xyz, frame.along_lps, settings)
    return _JointPlace(
        profile=line_profile(frame, radius_mm),
        index=LineProfile.index(along, _component(shape_xyz, frame.normal_lps, settings)),
        cranial_mm=_component(shape_xyz, frame.cranial_lps, settings),
    )


def _disc_place(
    frame: JointFrame, site: Site, shape_xyz: tuple[int, int, int], settings: ZoneSettings
) -> _DiscPlace:
    anterior, left, cranial = site.from_lps(frame.centre_lps_mm)
    outwards = site.side.lateral_sign
    return _DiscPlace(
        behind_mm=-anterior - _component(shape_xyz, site.axes.anterior, settings),
        outwards_mm=outwards
        * (left - site.canal_offset_mm[1] + _component(shape_xyz, site.axes.left, settings)),
        cranial_mm=cranial + _component(shape_xyz, site.axes.cranial, settings),
    )


def _surface_height_mm(profile: LineProfile, frame: JointFrame) -> FloatArray:
    """Half the height of the articular surface at each place along the joint line: a superellipse; a table."""
    from_middle = np.abs(2.0 * profile.along_share - 1.0)
    share: FloatArray = (1.0 - np.minimum(from_middle, 1.0) ** (2.0 * ROUNDED)) ** (1.0 / ROUNDED)
    return 0.5 * frame.height_mm * np.maximum(share, 0.55)


def _thinning(profile: LineProfile) -> FloatArray:
    """How thick a process is at each place along the joint line, as a share of its thickness in the middle; a table."""
    from_middle = np.abs(2.0 * profile.along_share - 1.0)
    return np.asarray(np.sqrt(np.maximum(1.0 - 0.75 * from_middle**2, 0.0)))


def _joint_and_capsule(
    joint: _JointPlace, frame: JointFrame, settings: ZoneSettings
) -> tuple[BoolArray, BoolArray]:
    """Return the joint space, and the capsule with its recesses around its edge."""
    profile, half_gap = joint.profile, 0.5 * frame.gap_mm
    across, between_tips = np.abs(profile.across_mm), profile.beyond_mm <= 0
    above = np.abs(joint.cranial_mm) - joint.at(_surface_height_mm(profile, frame))
    space = joint.at((across <= half_gap) & between_tips) & (above <= 0)
    capsule = joint.at(across <= half_gap + 0.5 * settings.capsule_mm) & ~space
    capsule &= ~joint.at(between_tips) | (above > 0)
    past_tip = profile.beyond_mm[joint.index[capsule]]
    past_edge = np.hypot(past_tip, settings.capsule_mm / settings.recess_mm * np.maximum(above[capsule], 0.0))
    capsule[capsule] = past_edge <= settings.capsule_mm
    return space, capsule


def _processes(joint: _JointPlace, frame: JointFrame, settings: ZoneSettings) -> tuple[BoolArray, BoolArray]:
    """Return the superior process (in front and outside) and the inferior one (behind and inside) as bone plates.

    Each thins towards the tips of the joint line; the superior one runs on downwards into its pedicle, the inferior one
    upwards into its lamina.
    """
    profile, overhang = joint.profile, settings.process_overhang_mm
    half_gap, half_height = 0.5 * frame.gap_mm, 0.5 * frame.height_mm + overhang
    thinning, edge = _thinning(profile), profile.beyond_mm <= overhang
    above, below = joint.cranial_mm - half_height, -joint.cranial_mm - half_height
    superior_depth, inferior_depth = profile.across_mm - half_gap, -profile.across_mm - half_gap
    superior = (superior_depth > 0) & (superior_depth <= settings.superior_process_mm * thinning)
    inferior = (inferior_depth > 0) & (inferior_depth <= settings.inferior_process_mm * thinning)
    run_on = 0.3 * frame.height_mm
    return (
        joint.at(superior & edge) & (above <= 0) & (below <= run_on),
        joint.at(inferior & edge) & (below <= 0) & (above <= run_on),
    )


def _shell(joint: _JointPlace, bone: BoolArray, frame: JointFrame, settings: ZoneSettings) -> BoolArray:
    """Return everything close outside the joint space, and soft tissue close to the processes' surface."""
    profile, half_gap = joint.profile, 0.5 * frame.gap_mm
    above = np.maximum(np.abs(joint.cranial_mm) - 0.5 * frame.height_mm, 0.0)
    beside = np.maximum(profile.nearest_mm - half_gap, 0.0)
    near_space = joint.at(beside <= settings.perimeter_mm)
    near_space[near_space] = (
        np.hypot(beside[joint.index[near_space]], above[near_space]) <= settings.perimeter_mm
    )
    plate = np.where(profile.across_mm > 0, settings.superior_process_mm, settings.inferior_process_mm)
    over_bone = np.abs(profile.across_mm) - (half_gap + plate * _thinning(profile))
    close = (over_bone > 0) & (over_bone <= settings.soft_perimeter_mm)
    near_bone = joint.at(close & (profile.beyond_mm <= settings.soft_perimeter_mm)) & (above <= 0) & ~bone
    return np.asarray(near_space | near_bone)


def _surroundings(disc: _DiscPlace, frame: JointFrame, site: Site, settings: ZoneSettings) -> LabelArray:
    """Label the joint's neighbours from the disc's frame; later masks overwrite earlier ones."""
    labels = np.zeros(disc.behind_mm.shape, dtype=np.uint8)
    for mask, zone in (
        (_muscle(disc, frame, site, settings), Zone.MUSCLE),
        (_transverse_process(disc, frame, site, settings), Zone.TRANSVERSE_PROCESS),
        (_vessel(disc, site, settings), Zone.EXCLUDED_VESSEL),
        (_foramen(disc, site, settings), Zone.FORAMEN),
        (_pedicle(disc, frame, site, settings), Zone.PEDICLE),
        (_body_column(disc, site), Zone.VERTEBRAL_BODY),
        (_disc_column(disc, site), Zone.EXCLUDED_DISC),
        (_midline_fat(disc, site, settings), Zone.EXCLUDED_FAT),
        (_flavum(disc, frame, site, settings), Zone.LIGAMENTUM_FLAVUM),
        (_canal(disc, site, settings), Zone.EXCLUDED_CANAL),
    ):
        labels[mask] = zone.code
    return labels


def _canal_middle_mm(site: Site) -> float:
    return -float(site.canal_offset_mm[0])


def _between(values_mm: FloatArray, limits_mm: tuple[float, float]) -> BoolArray:
    return np.asarray((values_mm >= limits_mm[0]) & (values_mm < limits_mm[1]))


def _back_of_bodies_mm(disc: _DiscPlace, site: Site) -> FloatArray:
    """Return how far behind the disc's centre the bodies end: half an ellipse of the disc's size, flat behind."""
    outwards = np.clip(disc.outwards_mm / (0.5 * site.disc.width_mm), -1.0, 1.0)
    return 0.5 * site.disc.depth_mm * np.sqrt(1.0 - np.abs(outwards) ** 3.0)


def _body_column(disc: _DiscPlace, site: Site) -> BoolArray:
    inside = np.abs(disc.outwards_mm) < 0.5 * site.disc.width_mm
    return np.asarray(inside & (disc.behind_mm < _back_of_bodies_mm(disc, site)))


def _disc_column(disc: _DiscPlace, site: Site) -> BoolArray:
    inside = np.abs(disc.outwards_mm) < 0.5 * site.disc.width_mm + 2.0
    flat = np.abs(disc.cranial_mm) < 0.5 * site.disc.height_mm + 1.0
    return np.asarray(inside & flat & (disc.behind_mm < _back_of_bodies_mm(disc, site) + 2.0))


def _canal(disc: _DiscPlace, site: Site, settings: ZoneSettings) -> BoolArray:
    """Return the dural sac about the canal's middle: half an ellipse in front, narrowing to a rounded wedge behind."""
    behind = (disc.behind_mm - _canal_middle_mm(site)) / settings.canal_half_depth_mm
    narrowed = 1.0 - settings.canal_wedge * np.clip(behind, 0.0, 1.0)
    outwards = disc.outwards_mm / (settings.canal_half_width_mm * narrowed)
    return np.asarray(behind**2 + outwards**2 < 1.0)


def _foramen(disc: _DiscPlace, site: Site, settings: ZoneSettings) -> BoolArray:
    edge = settings.canal_half_width_mm - 2.0
    lateral = _between(disc.outwards_mm, (edge, edge + settings.foramen_lateral_mm))
    height = _between(disc.cranial_mm, (-settings.foramen_below_mm, settings.foramen_above_mm))
    depth = disc.behind_mm < _canal_middle_mm(site) + settings.canal_half_depth_mm
    return np.asarray(lateral & height & depth & (disc.behind_mm > 0.3 * site.disc.depth_mm))


def _vessel(disc: _DiscPlace, site: Site, settings: ZoneSettings) -> BoolArray:
    start = settings.canal_half_width_mm - 2.0 + settings.foramen_lateral_mm
    lateral = _between(disc.outwards_mm, (start, start + settings.vessel_width_mm))
    return np.asarray(lateral & (disc.behind_mm < _canal_middle_mm(site)))


def _pedicle(disc: _DiscPlace, frame: JointFrame, site: Site, settings: ZoneSettings) -> BoolArray:
    """Return the pedicles of the lower and the upper vertebra, from the bodies' back to the joint's depth."""
    first, last = settings.pedicle_lateral_mm
    edge = settings.canal_half_width_mm
    lateral = _between(disc.outwards_mm, (edge + first, edge + last))
    low, high = settings.pedicle_below_mm
    height = _between(-disc.cranial_mm, (low, high)) | _between(disc.cranial_mm, settings.pedicle_above_mm)
    joint_behind = -float(site.from_lps(frame.centre_lps_mm)[0])
    return np.asarray(lateral & height & (disc.behind_mm < joint_behind))


def _transverse_process(disc: _DiscPlace, frame: JointFrame, site: Site, settings: ZoneSettings) -> BoolArray:
    """Return the root of the lower vertebra's transverse process, outside the joint and level with the pedicle."""
    behind, outwards = _joint_offsets_mm(frame, site)
    low, high = settings.transverse_below_mm
    height = _between(-disc.cranial_mm, (low, high))
    depth = np.abs(disc.behind_mm - behind) < 0.5 * settings.transverse_depth_mm
    return np.asarray(height & depth & (disc.outwards_mm > outwards + settings.transverse_from_mm))


def _flavum(disc: _DiscPlace, frame: JointFrame, site: Site, settings: ZoneSettings) -> BoolArray:
    """Return the flavum: a band from the joint's anteromedial tip to the midline behind the canal."""
    tip = site.from_lps(frame.joint_line_lps_mm[0])
    tip_behind, tip_out = -tip[0], site.side.lateral_sign * (tip[1] - site.canal_offset_mm[1])
    middle_behind = (
        max(_canal_middle_mm(site) + settings.canal_half_depth_mm, tip_behind) + settings.flavum_mm
    )
    share = np.clip(disc.outwards_mm / max(tip_out, 1.0), 0.0, 1.0)
    course = middle_behind + share * (tip_behind - middle_behind)
    height = _between(disc.cranial_mm, (-settings.flavum_below_mm, settings.flavum_above_mm))
    band = np.abs(disc.behind_mm - course) < 0.6 * settings.flavum_mm
    return np.asarray(height & band & _between(disc.outwards_mm, (0.5, tip_out + 1.0)))


def _midline_fat(disc: _DiscPlace, site: Site, settings: ZoneSettings) -> BoolArray:
    """Return the epidural fat behind the sac, between both ligamenta flava."""
    start = _canal_middle_mm(site) + 0.6 * settings.canal_half_depth_mm
    depth = _between(disc.behind_mm, (start, start + settings.canal_half_depth_mm))
    return np.asarray(depth & (np.abs(disc.outwards_mm) < settings.spinous_half_width_mm))


def _muscle(disc: _DiscPlace, frame: JointFrame, site: Site, settings: ZoneSettings) -> BoolArray:
    """Return multifidus and its neighbours behind the joint, off the midline, and psoas in front, outside."""
    behind, outwards = _joint_offsets_mm(frame, site)
    back = (disc.behind_mm > behind + 4.0) & (disc.outwards_mm > settings.spinous_half_width_mm)
    beside = disc.outwards_mm > outwards + 9.0
    return np.asarray(back | beside)


def _joint_offsets_mm(frame: JointFrame, site: Site) -> tuple[float, float]:
    """Return (behind the disc, outwards from the midline) of a joint's centre."""
    anterior, left, _ = site.from_lps(frame.centre_lps_mm)
    return -float(anterior), site.side.lateral_sign * float(left - site.canal_offset_mm[1])
