"""Inside and around a facet joint: cartilage, fluid, capsule, oedema and where it spreads."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lfja_mri.model import FloatArray, ImageArray, Zone
from lfja_mri.phantom.chance import stream
from lfja_mri.phantom.facet import half_gap_mm, joint_coordinates, joint_point
from lfja_mri.phantom.findings import Finding, JointKey
from lfja_mri.phantom.person import Person
from lfja_mri.phantom.processes import pedicle_ends
from lfja_mri.phantom.shapes import capsule, ellipsoid
from lfja_mri.phantom.skeleton import JointShape, VertebraShape
from lfja_mri.phantom.tissue import (
    OEDEMA_HOSTS,
    Frame,
    Lattice,
    Local,
    Part,
    Tissue,
    Window,
    is_one_of,
)

BONES = (Tissue.CORTEX, Tissue.MARROW, Tissue.SACRAL_MARROW)
PERIMETER_RADIUS_MM = 4.0
JOINT_MARGIN_MM = 14.0
LEAST_REACH_MM = 0.6
EDGE_MM = 1.6
BRIDGES = {
    Zone.PEDICLE: (Part.SUPERIOR_PROCESS,),
    Zone.TRANSVERSE_PROCESS: (Part.SUPERIOR_PROCESS,),
    Zone.VERTEBRAL_BODY: (Part.SUPERIOR_PROCESS, Part.PEDICLE),
}


def joint_window(lattice: Lattice, joint: JointShape, margin_mm: float = JOINT_MARGIN_MM) -> Window | None:
    """Return the part of a lattice around a joint."""
    half = 0.5 * max(joint.length_mm, joint.height_mm)
    return lattice.window_around(joint.frame.origin, half + margin_mm)


def rim(local: Local, joint: JointShape) -> ImageArray:
    """Radius within the joint plane: 1 at the edge of the joint space."""
    along, _, height = local
    return np.asarray(
        np.hypot(along / np.float32(0.5 * joint.length_mm), height / np.float32(0.5 * joint.height_mm)),
        dtype=np.float32,
    )


def perimeter_distance(local: Local, joint: JointShape, half_gap: float) -> ImageArray:
    """Distance (mm) from the joint space in the cut across the joint's height."""
    along, across, _ = local
    outside = np.maximum(np.abs(along) - np.float32(0.5 * joint.length_mm), 0)
    return np.asarray(
        np.hypot(outside, np.maximum(np.abs(across) - np.float32(half_gap), 0)), dtype=np.float32
    )


def perimeter_position(local: Local, joint: JointShape) -> ImageArray:
    """Place on the perimeter, 0-1 by its length.

    It runs along the superior process to the posterolateral tip, round it, back along the inferior process and round
    the anteromedial tip.
    """
    along, across, _ = local
    half, arc = np.float32(0.5 * joint.length_mm), np.float32(np.pi * PERIMETER_RADIUS_MM)
    angle = np.arctan2(across, np.abs(along) - half) / np.float32(np.pi)  # +1/2 towards the superior process
    tip = 2 * half + arc * np.clip(0.5 - angle, 0, 1)
    medial = 4 * half + arc + arc * np.clip(0.5 + angle, 0, 1)
    straight = np.where(across > 0, half + along, 3 * half + arc - along)
    place = np.where(along > half, tip, np.where(along < -half, medial, straight))
    return np.asarray(place / (4 * half + 2 * arc) % 1.0, dtype=np.float32)


def paint_joints(
    lattice: Lattice, person: Person, findings: Mapping[JointKey, Finding], noise: ImageArray
) -> None:
    """Paint every joint, first what is inside the capsule, then what surrounds it."""
    healthy = Finding(fluid_width_mm=0.0)
    for joint in person.spine.joints:
        finding = findings.get((joint.level, joint.side), healthy)
        window = joint_window(lattice, joint)
        if window is None:
            continue
        local = joint_coordinates(window, joint)
        half_gap = half_gap_mm(joint, {(joint.level, joint.side): finding.fluid_width_mm})
        dice = stream(person.seed, f"film{joint.level}{joint.side}")
        _paint_inside(window, local, joint, finding, half_gap, dice)
        if finding.perimeter_share > 0:
            _paint_oedema(window, local, joint, finding, half_gap, noise[window.slices])
            for target in finding.extension:
                _paint_extension(lattice, person, joint, finding, Zone(target), noise)


def _paint_inside(
    window: Window,
    local: Local,
    joint: JointShape,
    finding: Finding,
    half_gap: float,
    dice: np.random.Generator,
) -> None:
    across = local[1]
    edge = rim(local, joint)
    thick = np.abs(across)
    bone = is_one_of(window.tissue, BONES)
    capsule_band = (edge < 1.32) & (thick < half_gap + joint.capsule_mm)
    window.put(capsule_band & ~bone, Tissue.LIGAMENT)
    if finding.recess_mm > 0:
        _paint_recess(window, local, joint, finding)
    inflamed = (edge >= 1) & (edge < 1.0 + 0.22 * finding.synovitis) & (thick < half_gap + 0.5)
    if finding.synovitis > 0:
        window.put(inflamed & ~is_one_of(window.tissue, (*BONES, Tissue.JOINT_FLUID)), Tissue.SYNOVIUM)
    space = (edge < 1) & (thick < half_gap)
    window.put(space, Tissue.CARTILAGE, Part.OTHER)
    taper = np.clip((1 - edge) / 0.12, 0, 1)
    # a voxel is fluid by the share of it that the layer covers, so that a film thinner than a voxel keeps its volume
    width, step = finding.fluid_width_mm * taper, window.lattice.step_mm
    share = np.minimum(0.5 * (width + step) - thick, width) / step
    film = space & (dice.random(share.shape, dtype=np.float32) < share)
    window.put(film, Tissue.JOINT_FLUID, Part.OTHER)


def _paint_recess(window: Window, local: Local, joint: JointShape, finding: Finding) -> None:
    """Fluid that bulges the capsule at the posterolateral tip, walled by it."""
    along, across, height = local
    at = 0.5 * joint.length_mm + 0.3
    moved = (along - np.float32(at), across + np.float32(0.6), height + np.float32(1.0))
    outline = ellipsoid(moved, (finding.recess_mm, 0.6 * finding.recess_mm + 0.8, 0.32 * joint.height_mm))
    free = ~is_one_of(window.tissue, BONES)
    window.put((outline < 0.9) & free, Tissue.LIGAMENT)
    window.put((outline < 0) & free, Tissue.JOINT_FLUID)


def _paint_oedema(
    window: Window,
    local: Local,
    joint: JointShape,
    finding: Finding,
    half_gap: float,
    noise: ImageArray,
) -> None:
    """Oedema around the wished share of the perimeter, with a ragged, fading edge."""
    distance = perimeter_distance(local, joint, half_gap)
    place = perimeter_position(local, joint)
    apart = np.abs((place - finding.perimeter_middle + 0.5) % 1.0 - 0.5)
    length = 2 * joint.length_mm + 2 * np.pi * PERIMETER_RADIUS_MM
    out = finding.reach_mm + 0.7 * noise - distance
    ends = (0.5 * finding.perimeter_share - apart) * length + 0.8 * noise
    tall = 0.5 * joint.height_mm + 2.5 + 1.2 * noise - np.abs(local[2]) - 0.35 * distance
    fade = np.clip(np.minimum(np.minimum(out, ends), tall) / EDGE_MM + 0.5, 0, 1)
    _soak(window, np.where(distance > LEAST_REACH_MM, fade * finding.strength * _patchy(noise), 0))


def _patchy(noise: ImageArray) -> ImageArray:
    """Oedema is stronger here and weaker there."""
    return np.asarray(np.clip(0.92 + 0.1 * noise, 0.7, 1.0), dtype=np.float32)


def _soak(window: Window, strength: ImageArray) -> None:
    """Add oedema, 0-1, to the tissue that can hold it; surfaces and fluids keep their signal."""
    held = np.where(is_one_of(window.tissue, OEDEMA_HOSTS), np.rint(255 * strength), 0).astype(np.uint8)
    np.maximum(window.oedema, held, out=window.oedema)


def _paint_extension(
    lattice: Lattice, person: Person, joint: JointShape, finding: Finding, target: Zone, noise: ImageArray
) -> None:
    """Lead oedema from the joint into one of the five targets."""
    lower = person.spine.vertebrae[joint.disc]
    start, end, radius, part = _path(person, joint, lower, target)
    window = lattice.window_around(np.array([start, end]), radius + 2)
    if window is None:
        return
    world = window.local(Frame(np.zeros(3), np.eye(3)))
    depth = 0.6 * noise[window.slices] - capsule(world, start, end, (radius * 0.8, radius))
    parts = (part, *BRIDGES.get(target, ()))
    fade = np.clip(depth / EDGE_MM + 0.5, 0, 1) * finding.strength * _patchy(noise[window.slices])
    _soak(window, np.where(is_one_of(window.part, parts), fade, 0))


def _path(
    person: Person, joint: JointShape, lower: VertebraShape, target: Zone
) -> tuple[FloatArray, FloatArray, float, Part]:
    """Start, end, radius and part that oedema runs along to a target."""
    thick = joint.process_thickness_mm
    front, back = pedicle_ends(lower, joint.side)
    foot = joint_point(joint, 0.0, 0.5 * thick, -0.3 * joint.height_mm)
    sign = joint.side.lateral_sign
    disc = person.spine.discs[joint.disc]
    if target is Zone.PEDICLE:
        return foot, lower.frame.to_lps(0.5 * (front + back)), 5.5, Part.PEDICLE
    if target is Zone.VERTEBRAL_BODY:
        deep = front + np.array([7.0, -sign * 1.0, 0.0])
        body = Part.SACRUM if lower.sacral else Part.BODY
        return foot, lower.frame.to_lps(deep), 6.0, body
    if target is Zone.TRANSVERSE_PROCESS:
        out = back + np.array([0.0, sign * 13.0, 0.0])
        part = Part.SACRUM if lower.sacral else Part.TRANSVERSE_PROCESS
        return foot, lower.frame.to_lps(out), 5.0, part
    if target is Zone.FORAMEN:
        ahead = disc.frame.axes[0] * 10 + disc.frame.axes[2] * 4
        start = joint_point(joint, -0.2 * joint.length_mm, thick, 0.0)
        return start, start + ahead, 5.5, Part.FORAMEN
    tip = joint_point(joint, -0.5 * joint.length_mm, 0.0, 0.0)
    inward = -disc.frame.axes[0] * 5 - disc.frame.axes[1] * sign * 9
    return tip, tip + inward, 5.0, Part.FLAVUM
