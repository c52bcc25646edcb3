"""What fools a grader: veins, cysts, Schmorl nodes, Modic oedema, bursae, oedema under the skin."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from lfja_mri.model import FloatArray, ImageArray
from lfja_mri.phantom.chance import stream
from lfja_mri.phantom.discs import endplate_height
from lfja_mri.phantom.facet import joint_point
from lfja_mri.phantom.joints import EDGE_MM
from lfja_mri.phantom.numbers import ConfounderNumbers
from lfja_mri.phantom.person import Person
from lfja_mri.phantom.processes import spinolaminar_point
from lfja_mri.phantom.shapes import capsule, ellipsoid
from lfja_mri.phantom.skeleton import DiscShape, JointShape, VertebraShape
from lfja_mri.phantom.tissue import MARROWS, Frame, Lattice, Part, Tissue, Window, is_one_of, mask_of

WORLD = Frame(np.zeros(3), np.eye(3))
VEIN_PIECES = 5
MODIC_STRENGTH = 0.65


def paint_before_joints(
    lattice: Lattice, person: Person, numbers: ConfounderNumbers, weight: float, noise: ImageArray
) -> None:
    """Paint what the joints lie over: veins, nodes, Modic oedema, bursae, oedema under the skin."""
    for joint in person.spine.joints:
        _paint_veins(lattice, person, joint, numbers, weight)
    for index, disc in enumerate(person.spine.discs):
        rng = stream(person.seed, f"endplates{disc.name}")
        for sign in (-1, 1):
            node, oedema, place, depth = rng.random(), rng.random(), rng.uniform(-0.4, 0.4, 2), rng.random()
            if disc.level is None:
                continue
            if node < numbers.schmorl_node * weight:
                _paint_node(lattice, disc, sign, place)
            if oedema < numbers.modic_oedema * weight * 2 * person.spine.discs[index].degeneration:
                low, high = numbers.modic_depth_mm
                _paint_modic(lattice, disc, sign, place, low + depth * (high - low), noise)
    for vertebra in person.spine.vertebrae:
        rng = stream(person.seed, f"bursa{vertebra.name}")
        chance, size = rng.random(), rng.uniform(1.5, 4.0)
        if chance < numbers.interspinous_bursa * weight and not vertebra.sacral:
            _paint_bursa(lattice, vertebra, float(size))
    if stream(person.seed, "subcutaneous").random() < numbers.subcutaneous_oedema * weight:
        _paint_under_skin(lattice, person, noise)


def paint_after_joints(lattice: Lattice, person: Person, numbers: ConfounderNumbers, weight: float) -> None:
    """Paint synovial cysts, which lie against the finished joints."""
    for joint in person.spine.joints:
        rng = stream(person.seed, f"cyst{joint.level}{joint.side}")
        behind, ahead, size = rng.random(), rng.random(), float(rng.uniform(*numbers.cyst_mm))
        if behind < numbers.cyst_behind * weight * 2 * joint.arthropathy:
            _paint_cyst(lattice, joint, size, medial=False)
        if ahead < numbers.cyst_in_front * weight * 2 * joint.arthropathy:
            _paint_cyst(lattice, joint, 0.7 * size, medial=True)


def _paint_veins(
    lattice: Lattice, person: Person, joint: JointShape, numbers: ConfounderNumbers, weight: float
) -> None:
    """Winding bright veins along the outer side of the superior and the back of the inferior process."""
    rng = stream(person.seed, f"veins{joint.level}{joint.side}")
    thick = joint.process_thickness_mm
    lateral = (0.15 * joint.length_mm, thick + 2.6, numbers.lateral_vein)
    posterior = (0.1 * joint.length_mm, -thick - 3.0, numbers.posterior_vein)
    for along, across, chance in (lateral, posterior):
        present, radius = rng.random(), float(rng.uniform(*numbers.vein_radius_mm))
        bends = rng.normal(0, 1.0, (VEIN_PIECES, 2))
        if present >= chance * weight:
            continue
        heights = np.linspace(-0.8, 0.8, VEIN_PIECES) * joint.height_mm
        points = [
            joint_point(joint, along + bend[0], across + 0.7 * bend[1] * np.sign(across), float(height))
            for bend, height in zip(bends, heights, strict=True)
        ]
        for first, second in pairwise(points):
            _paint_tube(lattice, first, second, radius)


def _paint_tube(lattice: Lattice, first: FloatArray, second: FloatArray, radius: float) -> None:
    window = lattice.window_around(np.array([first, second]), radius + 1)
    if window is None:
        return
    tube = capsule(window.local(WORLD), first, second, (radius, radius)) < 0
    window.put(tube & mask_of(window, Tissue.FAT, Tissue.MUSCLE, Tissue.FATTY_MUSCLE), Tissue.VEIN)


def _endplate_window(lattice: Lattice, disc: DiscShape, sign: int) -> Window | None:
    edge = disc.frame.to_lps(np.array([0.0, 0.0, sign * 0.5 * disc.height_mm]))
    return lattice.window_around(edge, disc.half_width_mm + 4)


def _paint_node(lattice: Lattice, disc: DiscShape, sign: int, place: FloatArray) -> None:
    """Disc that has sunk into the endplate, with a dark rim."""
    window = _endplate_window(lattice, disc, sign)
    if window is None:
        return
    a, b, u = window.local(disc.frame)
    moved = (
        a - np.float32(place[0] * disc.half_depth_mm),
        b - np.float32(place[1] * disc.half_width_mm),
        u - np.float32(sign * 0.55 * disc.height_mm),
    )
    bone = mask_of(window, Tissue.CORTEX, Tissue.MARROW, Tissue.SACRAL_MARROW)
    node = ellipsoid(moved, (5.0, 5.5, 4.5))
    window.put((node < 1.0) & bone, Tissue.CORTEX)
    window.put((node < 0) & bone, Tissue.WORN_NUCLEUS, Part.DISC)


def _paint_modic(
    lattice: Lattice, disc: DiscShape, sign: int, place: FloatArray, depth_mm: float, noise: ImageArray
) -> None:
    """Marrow oedema along part of an endplate."""
    window = _endplate_window(lattice, disc, sign)
    if window is None:
        return
    a, b, u = window.local(disc.frame)
    away = sign * u - endplate_height(a, b, disc)
    aside = np.hypot(a / disc.half_depth_mm - place[0], b / disc.half_width_mm - place[1])
    depth = depth_mm * (1.1 - aside) + 1.2 * noise[window.slices] - away
    fade = np.clip(depth / EDGE_MM + 0.5, 0, 1) * (away > 0)
    body = is_one_of(window.part, (Part.BODY, Part.SACRUM)) & mask_of(window, *MARROWS)
    held = np.where(body, np.rint(255 * MODIC_STRENGTH * fade), 0)
    np.maximum(window.oedema, held.astype(np.uint8), out=window.oedema)


def _paint_bursa(lattice: Lattice, vertebra: VertebraShape, size: float) -> None:
    """Fluid between two spinous processes."""
    meet = spinolaminar_point(vertebra)
    frame = vertebra.frame.moved(meet + np.array([-0.5 * vertebra.spinous_length_mm, 0.0, -19.0]))
    window = lattice.window_around(frame.origin, 14.0)
    if window is None:
        return
    soft = mask_of(window, Tissue.FLAVUM, Tissue.FAT, Tissue.MUSCLE, Tissue.FATTY_MUSCLE)
    window.put((ellipsoid(window.local(frame), (7.0, 1.2 + 0.3 * size, size)) < 0) & soft, Tissue.JOINT_FLUID)


def _paint_under_skin(lattice: Lattice, person: Person, noise: ImageArray) -> None:
    """Faint strands of oedema in the fat behind the lower levels, as lying people have."""
    lowest = min(disc.frame.origin[2] for disc in person.spine.discs if disc.level is not None)
    tips = [v.frame.to_lps(spinolaminar_point(v))[1] + v.spinous_length_mm for v in person.spine.vertebrae]
    window = lattice.window(
        np.array([-80.0, float(np.median(tips)), lowest - 55]), np.array([80.0, 1e3, lowest + 55])
    )
    if window is None:
        return
    x, y, z = window.axes_mm()
    fade = np.exp(-((x / 35) ** 2) - ((z - lowest) / 25) ** 2) * np.clip(
        (y - float(np.median(tips))) / 6, 0, 1
    )
    share = np.clip(0.5 - np.abs(noise[window.slices]), 0, 0.5) * fade
    held = np.where(mask_of(window, Tissue.FAT), np.rint(255 * share), 0).astype(np.uint8)
    np.maximum(window.oedema, held, out=window.oedema)


def _paint_cyst(lattice: Lattice, joint: JointShape, size_mm: float, *, medial: bool) -> None:
    """A walled ball of fluid at a tip of the joint."""
    radius = 0.5 * size_mm
    sign = -1.0 if medial else 1.0
    middle = joint_point(joint, sign * (0.5 * joint.length_mm + radius + 0.4), -1.5, -0.15 * joint.height_mm)
    window = lattice.window_around(middle, radius + 2)
    if window is None:
        return
    ball = ellipsoid(window.local(Frame(middle, joint.frame.axes)), (radius, radius, 1.2 * radius))
    soft = ~mask_of(window, Tissue.CORTEX, Tissue.MARROW, Tissue.SACRAL_MARROW, Tissue.CARTILAGE)
    window.put((ball < 0.8) & soft, Tissue.LIGAMENT)
    window.put((ball < 0) & soft, Tissue.CYST)
    window.oedema[(ball < 0.8) & soft] = 0
