"""The truth of each joint, counted on the fine tissue map by the definition in `definition.toml`.

What the recipe wished plays no part here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from lfja_mri.model import EXTENSION_TARGETS, BoolArray, FloatArray, Level, Side, Zone
from lfja_mri.phantom.facet import half_gap_mm, joint_coordinates, joint_point
from lfja_mri.phantom.findings import Finding, JointKey
from lfja_mri.phantom.joints import joint_window, perimeter_distance, perimeter_position, rim
from lfja_mri.phantom.numbers import Definition
from lfja_mri.phantom.skeleton import JointShape
from lfja_mri.phantom.tissue import MARROWS, OEDEMA_HOSTS, Lattice, Local, Part, Tissue, Window, is_one_of

ABNORMAL_OEDEMA = 76
WIDTH_STEP_MM = 0.1
CYST_REACH_MM = 11.0
TARGET_PARTS = {
    Zone.FORAMEN: Part.FORAMEN,
    Zone.LIGAMENTUM_FLAVUM: Part.FLAVUM,
    Zone.PEDICLE: Part.PEDICLE,
    Zone.TRANSVERSE_PROCESS: Part.TRANSVERSE_PROCESS,
    Zone.VERTEBRAL_BODY: Part.BODY,
}


@dataclass(frozen=True, eq=False)
class JointTruth:
    """What is true of one joint, in the patient's space at rest (before any motion between series)."""

    level: Level
    side: Side
    grade: int
    effusion_width_mm: float
    effusion_volume_mm3: float
    synovium_volume_mm3: float
    perimeter_fraction: float
    extension: tuple[str, ...]
    extension_mm3: Mapping[str, float]
    soft_tissue_oedema_volume_mm3: float
    bone_oedema_volume_mm3: float
    oedema_extent_mm: float
    cyst_volume_mm3: float
    gap_mm: float
    length_mm: float
    height_mm: float
    angle_deg: float
    arthropathy: float
    centre_lps_mm: FloatArray
    normal_lps: FloatArray
    along_lps: FloatArray
    cranial_lps: FloatArray
    joint_line_lps_mm: FloatArray
    erosion_volume_mm3: float = 0.0
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class _Surroundings:
    """Arrays of one joint's window that several measures share."""

    window: Window
    local: Local
    distance: FloatArray
    abnormal: BoolArray
    voxel_mm3: float


def judge_joint(
    lattice: Lattice,
    joint: JointShape,
    findings: Mapping[JointKey, Finding],
    definition: Definition,
    middle_lps_mm: FloatArray,
) -> JointTruth | None:
    """Count what a fine lattice holds around a joint; None where the lattice does not reach it.

    Parameters
    ----------
    lattice, joint, findings
        Tissue, the joint, and what was put into each joint.
    definition
        What counts as how much.
    middle_lps_mm
        Point midway between the two joints of the level: oedema beyond it belongs to the other one.
    """
    window = joint_window(lattice, joint, margin_mm=18.0)
    if window is None:
        return None
    finding = findings.get((joint.level, joint.side), Finding(0.0))
    half_gap = half_gap_mm(joint, {(joint.level, joint.side): finding.fluid_width_mm})
    around = _surroundings(window, joint, half_gap, definition, middle_lps_mm)
    fluid = _intra_articular(around, joint, Tissue.JOINT_FLUID)
    synovium = _intra_articular(around, joint, Tissue.SYNOVIUM)
    width = _fluid_width_mm(lattice, joint)
    fraction = _perimeter_fraction(around, joint, definition)
    targets = _extension_mm3(around, definition)
    reached = _reached(targets, fraction, definition)
    marrow = is_one_of(window.tissue, MARROWS)
    line = np.linspace(-0.5, 0.5, 13) * joint.length_mm
    return JointTruth(
        level=Level(joint.level),
        side=joint.side,
        grade=_grade(width, float(synovium.sum()), fraction, reached, definition),
        effusion_width_mm=width,
        effusion_volume_mm3=float(fluid.sum()) * around.voxel_mm3,
        synovium_volume_mm3=float(synovium.sum()) * around.voxel_mm3,
        perimeter_fraction=fraction,
        extension=reached,
        extension_mm3=targets,
        soft_tissue_oedema_volume_mm3=float((around.abnormal & ~marrow).sum()) * around.voxel_mm3,
        bone_oedema_volume_mm3=float((around.abnormal & marrow).sum()) * around.voxel_mm3,
        oedema_extent_mm=float(around.distance[around.abnormal].max(initial=0.0)),
        cyst_volume_mm3=float(_cyst(around, joint).sum()) * around.voxel_mm3,
        gap_mm=2 * half_gap,
        length_mm=joint.length_mm,
        height_mm=joint.height_mm,
        angle_deg=joint.angle_deg,
        arthropathy=joint.arthropathy,
        centre_lps_mm=joint.frame.origin,
        along_lps=joint.frame.axes[0],
        normal_lps=joint.frame.axes[1],
        cranial_lps=joint.frame.axes[2],
        joint_line_lps_mm=np.array([joint_point(joint, float(s), 0.0, 0.0) for s in line]),
        erosion_volume_mm3=_erosion_mm3(around, joint),
    )


def _reached(sizes_mm3: Mapping[str, float], fraction: float, rules: Definition) -> tuple[str, ...]:
    """Targets that hold enough of what spreads; none where it has not left the joint."""
    if fraction < rules.periarticular_least_share:
        return ()
    names = (zone.value for zone in EXTENSION_TARGETS)
    return tuple(name for name in names if sizes_mm3[name] >= rules.extension_least_mm3)


def _grade(
    width_mm: float, synovium_voxels: float, fraction: float, reached: tuple[str, ...], rules: Definition
) -> int:
    """The five grades; extension without a majority of the perimeter stays grade 2 (clinical.md 1.2)."""
    if fraction >= rules.majority_share:
        return 4 if reached else 3
    if fraction >= rules.periarticular_least_share:
        return 2
    return int(width_mm >= rules.abnormal_fluid_width_mm or synovium_voxels > 0)


def _surroundings(
    window: Window, joint: JointShape, half_gap: float, rules: Definition, middle_lps_mm: FloatArray
) -> _Surroundings:
    local = joint_coordinates(window, joint)
    oedema = (window.oedema >= ABNORMAL_OEDEMA) & is_one_of(window.tissue, OEDEMA_HOSTS)
    oedema &= _own_side(window, joint, middle_lps_mm)
    flat = perimeter_distance(local, joint, half_gap)
    above = np.maximum(np.abs(local[2]) - np.float32(0.5 * joint.height_mm), 0)
    distance = np.hypot(flat, above)
    step = window.lattice.step_mm
    spread = max(round(rules.bridge_mm / step), 1)
    joined, _ = ndimage.label(ndimage.binary_dilation(oedema, iterations=spread))
    beside = np.abs(local[2]) < 0.5 * joint.height_mm  # a neighbour's oedema comes from above or below
    seeds = np.unique(joined[oedema & beside & (flat < rules.shell_outer_mm)])
    connected = np.isin(joined, seeds[seeds > 0])
    return _Surroundings(window, local, distance, oedema & connected, step**3)


def _own_side(window: Window, joint: JointShape, middle_lps_mm: FloatArray) -> BoolArray:
    """Voxels on the joint's side of the plane midway between the two joints of its level."""
    outward = joint.frame.origin - middle_lps_mm
    beyond = sum(
        (axis - np.float32(start)) * np.float32(part)
        for axis, start, part in zip(window.axes_mm(), middle_lps_mm, outward, strict=True)
    )
    return np.asarray(beyond > 0)


def _intra_articular(around: _Surroundings, joint: JointShape, tissue: Tissue) -> BoolArray:
    """Voxels of a tissue inside the capsule of this joint."""
    edge = rim(around.local, joint)
    recess = (around.local[0] > 0) & (around.distance < 5) & (edge < 1.8)
    near = ((edge < 1.3) & (around.distance < 2.5)) | recess
    return np.asarray((around.window.tissue == tissue) & near)


def _cyst(around: _Surroundings, joint: JointShape) -> BoolArray:
    """Voxels of a cyst at this joint's own height; a neighbour's cyst lies above or below."""
    beside = np.abs(around.local[2]) < 0.5 * joint.height_mm
    return np.asarray((around.window.tissue == Tissue.CYST) & beside & (around.distance < CYST_REACH_MM))


def _erosion_mm3(around: _Surroundings, joint: JointShape) -> float:
    """Erosions and subchondral cysts at this joint's own height."""
    beside = np.abs(around.local[2]) < 0.5 * joint.height_mm
    holes = is_one_of(around.window.tissue, (Tissue.EROSION, Tissue.BONE_CYST))
    return float((holes & beside & (around.distance < CYST_REACH_MM)).sum()) * around.voxel_mm3


def _fluid_width_mm(lattice: Lattice, joint: JointShape) -> float:
    """Fluid between the articular surfaces, across the joint plane, in the middle where it is as wide as it gets."""
    across = np.arange(-4, 4, WIDTH_STEP_MM)
    widths = []
    for along in np.arange(-0.25, 0.26, 0.05) * joint.length_mm:
        for height in np.arange(-0.25, 0.26, 0.05) * joint.height_mm:
            bend = min(along**2 / (2 * joint.curvature_radius_mm), 0.45 * joint.length_mm)
            local = np.stack(
                [np.full_like(across, along), across - bend, np.full_like(across, height)], axis=-1
            )
            codes = _nearest(lattice, joint.frame.to_lps(local))
            widths.append(float((codes == Tissue.JOINT_FLUID).sum()) * WIDTH_STEP_MM)
    return float(np.mean(widths))


def _nearest(lattice: Lattice, points: FloatArray) -> FloatArray:
    index = np.rint((points - lattice.low_mm) / lattice.step_mm).astype(int)
    index = np.clip(index, 0, np.array(lattice.shape[::-1]) - 1)
    return np.asarray(lattice.tissue_zyx[index[..., 2], index[..., 1], index[..., 0]])


def _perimeter_fraction(around: _Surroundings, joint: JointShape, rules: Definition) -> float:
    """Share of the perimeter, by its length and the joint's height, whose shell is abnormal."""
    flat_distance = perimeter_distance(around.local, joint, 0.0)
    half_height = 0.5 * joint.height_mm
    height = around.local[2]
    shell = (around.distance >= rules.shell_inner_mm) & (around.distance < rules.shell_outer_mm)
    shell &= (np.abs(height) < half_height) & (flat_distance < 4 * rules.shell_outer_mm)
    place = perimeter_position(around.local, joint)[shell]
    slab = ((np.broadcast_to(height, shell.shape)[shell] + half_height) // rules.slab_mm).astype(int)
    sector = np.minimum((place * rules.perimeter_sectors).astype(int), rules.perimeter_sectors - 1)
    count = int(np.ceil(joint.height_mm / rules.slab_mm))
    cell = np.clip(slab, 0, count - 1) * rules.perimeter_sectors + sector
    cells = count * rules.perimeter_sectors
    everything = np.bincount(cell, minlength=cells)
    hosts = is_one_of(around.window.tissue, OEDEMA_HOSTS)[shell]
    able = np.bincount(cell, weights=hosts, minlength=cells)
    ill = np.bincount(cell, weights=around.abnormal[shell], minlength=cells)
    used = able > rules.sector_tissue_share * np.maximum(everything, 1)
    positive = used & (ill >= rules.sector_abnormal_share * np.maximum(able, 1))
    return float(positive.sum() / max(used.sum(), 1))


def _extension_mm3(around: _Surroundings, rules: Definition) -> dict[str, float]:
    """Abnormal volume in each target beyond the perimeter shell."""
    beyond = around.abnormal & (around.distance >= rules.shell_outer_mm)
    sizes = {}
    for zone, part in TARGET_PARTS.items():
        parts = (part, Part.SACRUM) if zone is Zone.VERTEBRAL_BODY else (part,)
        sizes[zone.value] = float((beyond & is_one_of(around.window.part, parts)).sum()) * around.voxel_mm3
    return sizes
