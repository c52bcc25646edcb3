"""The zones of a joint: which voxel of a fine grid around it belongs to which place that the grades speak of.

The joint and its perimeter are laid out in the joint's own coordinates: along, across and cranial of its curved surface.
Its neighbours come from `neighbours`.

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
from lfja_mri.facets.grid import Grid, grid_around
from lfja_mri.facets.neighbours import label_neighbours
from lfja_mri.facets.profile import LineProfile, line_profile
from lfja_mri.model import BoolArray, FloatArray, JointFrame, Zone, Zones
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


def build_zones(
    frame: JointFrame, site: Site, settings: ZoneSettings, *, around_lps_mm: FloatArray | None = None
) -> Zones:
    """Lay out the zones of a joint on a grid along LPS.

    Parameters
    ----------
    around_lps_mm
        Middle of the grid, where it is to share the voxels of another joint's; the joint's own centre otherwise.
    """
    middle = frame.centre_lps_mm if around_lps_mm is None else around_lps_mm
    grid = grid_around(middle, frame.centre_lps_mm, settings)
    joint = _joint_place(frame, grid, settings)
    labels = label_neighbours(grid, frame, site, settings)
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
        labels,
        np.where(shell & ~excluded, joint.at(sectors), np.uint8(0)),
        grid.voxel_to_lps,
        settings.sectors,
    )


def _joint_place(frame: JointFrame, grid: Grid, settings: ZoneSettings) -> _JointPlace:
    radius_mm = 0.5 * (frame.gap_mm + settings.capsule_mm + settings.perimeter_mm)
    return _JointPlace(
        profile=line_profile(frame, radius_mm),
        index=LineProfile.index(grid.along_mm(frame.along_lps), grid.along_mm(frame.normal_lps)),
        cranial_mm=grid.along_mm(frame.cranial_lps),
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
