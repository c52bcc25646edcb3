"""Vertebrae, sacrum and discs painted on a lattice.

Each vertebra is the union of simple bodies; what lies within the cortical thickness of its surface is cortex, the rest
marrow. The facet joints are cut out of it, so that their subchondral plates come of themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from lfja_mri.model import BoolArray, FloatArray, ImageArray, Side
from lfja_mri.phantom.person import DiscShape, JointShape, Person, Spine, VertebraShape
from lfja_mri.phantom.shapes import capsule, rounded_box, smooth_union
from lfja_mri.phantom.tissue import Frame, Lattice, Local, Part, Tissue, Window, is_one_of

FluidWidths = Mapping[tuple[str, Side], float]

FAR_MM = np.float32(50.0)
BLEND_MM = 3.0
BODY_POWER = 2.6
WAIST_SHARE = 0.10
WORN = 0.55


class BoneUnion:
    """A union of bodies that remembers which body each voxel belongs to."""

    def __init__(self, window: Window) -> None:
        self.window = window
        shape = window.tissue.shape
        self.distance: ImageArray = np.full(shape, FAR_MM, dtype=np.float32)
        self.part = np.zeros(shape, dtype=np.uint8)

    def within(self, points: FloatArray, margin_mm: float) -> tuple[Window, tuple[slice, ...]] | None:
        """Return the window near some LPS points, and the same box in this union's own arrays."""
        lattice = self.window.lattice
        near = lattice.window_around(points, margin_mm)
        if near is None:
            return None
        own = [
            slice(max(n.start, w.start), min(n.stop, w.stop))
            for n, w in zip(near.slices, self.window.slices, strict=True)
        ]
        if any(s.stop <= s.start for s in own):
            return None
        inner = tuple(
            slice(s.start - w.start, s.stop - w.start) for s, w in zip(own, self.window.slices, strict=True)
        )
        return Window(lattice, (own[0], own[1], own[2])), inner

    def add(
        self,
        frame: Frame,
        points: FloatArray,
        margin_mm: float,
        part: Part,
        body: Callable[[Local], ImageArray],
        blend_mm: float = BLEND_MM,
    ) -> None:
        """Join a body that lies within a margin of some points of a frame."""
        found = self.within(frame.to_lps(points), margin_mm + blend_mm)
        if found is None:
            return
        near, inner = found
        distance = body(near.local(frame))
        mine = self.distance[inner]
        closer = distance < mine
        self.part[inner][closer] = part
        self.distance[inner] = smooth_union(mine, distance, blend_mm)

    def cut(self, joint: JointShape, half_gap_mm: float, *, keep_positive: bool) -> None:
        """Take away what lies on the other side of a joint, and the joint's gap itself."""
        reach = 0.5 * joint.length_mm + 9
        corners = np.array([[-reach, 0, -14], [reach, 0, 14], [0, 12, 0], [0, -12, 0]])
        found = self.within(joint.frame.to_lps(corners), 3.0)
        if found is None:
            return
        near, inner = found
        along, across, height = joint_coordinates(near, joint)
        half_gap = np.float32(half_gap_mm)
        beyond = half_gap - across if keep_positive else across + half_gap
        beyond = beyond * np.float32(1 / (1.35 + 0.9 * joint.arthropathy))  # sclerosis: a thicker plate
        local = (np.abs(along) < reach) & (np.abs(height) < 0.5 * joint.height_mm + 7)
        local &= np.abs(across) < 12
        view = self.distance[inner]
        view[local] = np.maximum(view, beyond)[local]

    def paint(self, marrow: Tissue, cortex_mm: float, film_mm: float, noise: ImageArray) -> None:
        """Write cortex and marrow into the lattice, and a film of fat where muscle meets bone."""
        film = np.float32(film_mm) * (1 + np.float32(0.7) * noise[self.window.slices])
        touching = (self.distance < film) & is_one_of(
            self.window.tissue, (Tissue.MUSCLE, Tissue.FATTY_MUSCLE)
        )
        self.window.tissue[touching] = Tissue.FAT
        inside = self.distance < 0
        deep = self.distance < -np.float32(cortex_mm)
        self.window.tissue[inside] = np.where(deep, int(marrow), int(Tissue.CORTEX))[inside]
        self.window.part[inside] = self.part[inside]


def half_gap_mm(joint: JointShape, fluid_mm: FluidWidths) -> float:
    """Half the way from bone to bone: cartilage and, between the layers, fluid."""
    return joint.cartilage_mm + 0.5 * fluid_mm.get((joint.level, joint.side), 0.0)


def joint_coordinates(window: Window, joint: JointShape) -> Local:
    """(along, across, height) of every voxel; across is measured from the curved middle surface of the joint.

    The surface bends away from the normal at both tips, since the superior process is hollow towards the back.
    """
    along, normal, height = window.local(joint.frame)
    bend = along * along / np.float32(2 * joint.curvature_radius_mm)
    limit = np.float32(0.45 * joint.length_mm)
    return along, normal + np.minimum(bend, limit), height


def joint_point(joint: JointShape, along_mm: float, across_mm: float, height_mm: float) -> FloatArray:
    """LPS of a point given in the joint's curved coordinates."""
    bend = min(along_mm**2 / (2 * joint.curvature_radius_mm), 0.45 * joint.length_mm)
    return joint.frame.to_lps(np.array([along_mm, across_mm - bend, height_mm]))


def paint_bones(lattice: Lattice, person: Person, fluid_mm: FluidWidths, noise: ImageArray) -> None:
    """Paint discs, then every vertebra; the lower one lies over the upper one's edges."""
    spine = person.spine
    for disc in spine.discs:
        paint_disc(lattice, disc)
    for vertebra in spine.vertebrae:
        paint_vertebra(lattice, person, vertebra, fluid_mm, noise)


def paint_vertebra(
    lattice: Lattice,
    person: Person,
    vertebra: VertebraShape,
    fluid_mm: FluidWidths,
    noise: ImageArray,
) -> None:
    """Paint one vertebra with its body, processes and lamina."""
    spine = person.spine
    extent = 62.0 if vertebra.sacral or vertebra.name.startswith("T") else 16.0 + vertebra.transverse_reach_mm
    corners = np.array([[22, extent, 30], [-70, -extent, -44]])
    corners = np.array([[a, b, c] for a in corners[:, 0] for b in corners[:, 1] for c in corners[:, 2]])
    window = lattice.window_around(vertebra.frame.to_lps(corners), 0.0)
    if window is None:
        return
    bone = BoneUnion(window)
    _add_body(bone, spine, vertebra)
    above = [j for j in spine.joints if j.disc == vertebra.above]
    below = [j for j in spine.joints if j.disc == vertebra.below]
    for side in Side:
        _add_pedicle(bone, vertebra, side)
        _add_transverse(bone, vertebra, side, person.variant)
        for joint in (j for j in above if j.side is side):
            _add_superior_process(bone, vertebra, joint)
        for joint in (j for j in below if j.side is side):
            _add_inferior_process(bone, vertebra, joint)
    _add_arch(bone, vertebra, below)
    for joint in above:
        bone.cut(joint, half_gap_mm(joint, fluid_mm), keep_positive=True)
    for joint in below:
        bone.cut(joint, half_gap_mm(joint, fluid_mm), keep_positive=False)
    caudal = vertebra.below / max(len(spine.discs) - 1, 1)
    film = 0.4 + 5.0 * person.muscle_fat_share * max(caudal - 0.3, 0.0)
    bone.paint(Tissue.SACRAL_MARROW if vertebra.sacral else Tissue.MARROW, person.cortex_mm, film, noise)


def _add_body(bone: BoneUnion, spine: Spine, vertebra: VertebraShape) -> None:
    upper, lower = spine.discs[vertebra.above], spine.discs[vertebra.below]
    reach = np.array([[-vertebra.half_depth_mm, -vertebra.half_width_mm, -22], [20, 30, 22]])
    corners = np.array([[a, b, c] for a in reach[:, 0] for b in (-30, 30) for c in reach[:, 2]])
    found = bone.within(vertebra.frame.to_lps(corners), 4.0)
    if found is None:
        return
    near, inner = found
    a, b, u = near.local(vertebra.frame)
    half = np.float32(0.5 * vertebra.height_mm)
    share = np.clip(u / half, -1, 1)
    waist = 1 - np.float32(WAIST_SHARE) * (1 - share * share)
    taper = 0.5 * (upper.half_width_mm + lower.half_width_mm)
    width = np.float32(taper) + np.float32(0.5 * (upper.half_width_mm - lower.half_width_mm)) * share
    depth = (
        np.float32(vertebra.half_depth_mm)
        + np.float32(0.5 * (upper.half_depth_mm - lower.half_depth_mm)) * share
    )
    radius = superellipse(a / (depth * waist), b / (width * waist))
    side_distance = (radius - 1) * np.float32(vertebra.half_depth_mm)
    top = _endplate(near, upper, -1)
    bottom = _endplate(near, lower, +1)
    distance = np.maximum(np.maximum(side_distance, top), bottom).astype(np.float32)
    closer = distance < bone.distance[inner]
    bone.part[inner][closer] = Part.SACRUM if vertebra.sacral else Part.BODY
    bone.distance[inner] = smooth_union(bone.distance[inner], distance, 1.0)


def superellipse(first: ImageArray, second: ImageArray) -> ImageArray:
    """Return the radius of a rounded, slightly square outline."""
    power = np.float32(BODY_POWER)
    return np.asarray(
        (np.abs(first) ** power + np.abs(second) ** power) ** np.float32(1 / BODY_POWER), dtype=np.float32
    )


def _endplate(window: Window, disc: DiscShape, sign: int) -> ImageArray:
    """Signed distance to the half space beyond an endplate: sign -1 keeps what lies below the disc."""
    a, b, u = window.local(disc.frame)
    return (endplate_height(a, b, disc) - sign * u).astype(np.float32)


def endplate_height(a: ImageArray, b: ImageArray, disc: DiscShape) -> ImageArray:
    """Half height of a disc: wedged open to the front and hollowed in the middle."""
    wedge = np.float32(np.tan(np.radians(disc.wedge_deg / 2)))
    hollow = np.float32(0.14 * disc.height_mm) * np.clip(
        1 - (a / np.float32(disc.half_depth_mm)) ** 2 - (b / np.float32(disc.half_width_mm)) ** 2, 0, 1
    )
    return np.asarray(np.float32(0.43 * disc.height_mm) + wedge * a + hollow, dtype=np.float32)


def paint_disc(lattice: Lattice, disc: DiscShape) -> None:
    """Paint a disc: dark annulus around a nucleus that is smaller and darker where it is worn."""
    corners = [
        [a, b, c]
        for a in (-disc.half_depth_mm, disc.half_depth_mm)
        for b in (-disc.half_width_mm, disc.half_width_mm)
        for c in (-disc.height_mm, disc.height_mm)
    ]
    window = lattice.window_around(disc.frame.to_lps(np.array(corners)), 3.0)
    if window is None:
        return
    a, b, u = window.local(disc.frame)
    bulge = np.float32(1.0 + 0.03 + 0.04 * disc.degeneration)
    radius = superellipse(
        a / (np.float32(disc.half_depth_mm) * bulge), b / (np.float32(disc.half_width_mm) * bulge)
    )
    half = endplate_height(a, b, disc)
    inside = (radius < 1) & (np.abs(u) < half + np.float32(0.5))
    window.put(inside, Tissue.ANNULUS, Part.DISC)
    worn = disc.degeneration > WORN
    window.put(inside & (radius < 0.86), Tissue.WORN_NUCLEUS)
    core = superellipse((a + 1.5) / (0.68 * disc.half_depth_mm), b / (0.72 * disc.half_width_mm))
    thick = np.abs(u) < half * np.float32(0.92 - 0.35 * disc.degeneration)
    if worn:
        window.put(inside & ((core > 1) | ~thick), Tissue.ANNULUS)
    else:
        window.put(inside & (core < 1) & thick, Tissue.NUCLEUS)


def pedicle_ends(vertebra: VertebraShape, side: Side) -> tuple[FloatArray, FloatArray]:
    """Front and back end of a pedicle in the vertebra's frame."""
    lateral = side.lateral_sign * 0.5 * (vertebra.interpedicular_mm + vertebra.pedicle_width_mm)
    up = 0.18 * vertebra.height_mm
    back = -vertebra.half_depth_mm - 0.62 * vertebra.canal_depth_mm
    return (
        np.array([-vertebra.half_depth_mm + 5, lateral, up]),
        np.array([back, lateral * 1.03, up - 1.0]),
    )


def _add_pedicle(bone: BoneUnion, vertebra: VertebraShape, side: Side) -> None:
    start, end = pedicle_ends(vertebra, side)
    tall, wide = 0.5 * vertebra.pedicle_height_mm, 0.5 * vertebra.pedicle_width_mm
    middle, half_length = 0.5 * (start + end), 0.5 * abs(end[0] - start[0]) + 2

    def body(local: Local) -> ImageArray:
        moved = (
            local[0] - np.float32(middle[0]),
            local[1] - np.float32(middle[1]),
            local[2] - np.float32(middle[2]),
        )
        return rounded_box(moved, (half_length, wide, tall), min(wide, tall))

    bone.add(vertebra.frame, np.array([start, end]), max(tall, wide) + 3, Part.PEDICLE, body)


def _add_transverse(bone: BoneUnion, vertebra: VertebraShape, side: Side, variant: str) -> None:
    sign = side.lateral_sign
    _, root = pedicle_ends(vertebra, side)
    if vertebra.sacral:
        _add_ala(bone, vertebra, sign)
        return
    start = root + np.array([1.0, sign * 2.0, -1.0])
    tip = np.array([root[0] - 3.0, sign * vertebra.transverse_reach_mm, root[2] + 2.0])
    radii = (4.6, 3.6)
    if variant == "sacralised" and vertebra.name == "L5":
        tip, radii = tip + np.array([0.0, sign * 4.0, -12.0]), (8.0, 10.5)
    if vertebra.name.startswith("T") and (vertebra.name != "T12" or variant != "t12_without_ribs"):
        tip = np.array([root[0] - 14.0, sign * 52.0, root[2] - 22.0])
    _add_rod(bone, vertebra.frame, start, tip, radii, Part.TRANSVERSE_PROCESS)


def _add_ala(bone: BoneUnion, vertebra: VertebraShape, sign: int) -> None:
    lateral = 33.0 if vertebra.name == "S1" else 27.0
    middle = np.array([-13.0, sign * lateral, -5.0])

    def body(local: Local) -> ImageArray:
        moved = (
            local[0] - np.float32(middle[0]),
            local[1] - np.float32(middle[1]),
            local[2] - np.float32(middle[2]),
        )
        return rounded_box(moved, (12.0, 21.0, 13.0), 11.0)

    bone.add(vertebra.frame, middle[None], 30.0, Part.SACRUM, body)


def _add_rod(
    bone: BoneUnion,
    frame: Frame,
    start: FloatArray,
    end: FloatArray,
    radii_mm: tuple[float, float],
    part: Part,
) -> None:
    bone.add(
        frame,
        np.array([start, end]),
        max(radii_mm) + 1,
        part,
        lambda local: capsule(local, start, end, radii_mm),
    )


def _add_process_plate(
    bone: BoneUnion, joint: JointShape, middle: FloatArray, half: FloatArray, part: Part
) -> None:
    """Add the plate of an articular process, bent with the joint's surface."""
    radius = joint.curvature_radius_mm
    limit = np.float32(0.45 * joint.length_mm)

    def body(local: Local) -> ImageArray:
        along, normal, height = local
        bend = np.minimum(along * along / np.float32(2 * radius), limit)
        moved = (
            along - np.float32(middle[0]),
            normal + bend - np.float32(middle[1]),
            height - np.float32(middle[2]),
        )
        return rounded_box(moved, (float(half[0]), float(half[1]), float(half[2])), 3.2)

    bone.add(joint.frame, middle[None], float(np.linalg.norm(half)) + 3, part, body, blend_mm=2.0)


def _add_superior_process(bone: BoneUnion, vertebra: VertebraShape, joint: JointShape) -> None:
    thick = joint.process_thickness_mm
    half = np.array([0.5 * joint.length_mm + 1.0, 0.5 * thick, 0.5 * joint.height_mm + 1.5])
    middle = np.array([0.4, 0.5 * thick + joint.cartilage_mm, -1.0])
    _add_process_plate(bone, joint, middle, half, Part.SUPERIOR_PROCESS)
    _, root = pedicle_ends(vertebra, joint.side)
    foot = vertebra.frame.from_lps(joint_point(joint, 0.0, 0.55 * thick, -0.35 * joint.height_mm))
    _add_rod(bone, vertebra.frame, foot, root, (0.55 * thick + 0.8, 5.6), Part.SUPERIOR_PROCESS)
    if joint.arthropathy > 0.45:
        _add_osteophyte(bone, joint, Part.SUPERIOR_PROCESS, thick)


def _add_osteophyte(bone: BoneUnion, joint: JointShape, part: Part, thick: float) -> None:
    size = 1.6 + 2.2 * joint.arthropathy
    sign = 1 if part is Part.SUPERIOR_PROCESS else -1
    tip = np.array([0.5 * joint.length_mm + 0.6 * size, sign * (0.35 * thick + joint.cartilage_mm), 0.0])
    local = joint.frame.from_lps(joint_point(joint, float(tip[0]), float(tip[1]), 0.0))
    low, high = local - np.array([0, 0, 4.0]), local + np.array([0, 0, 4.0])
    _add_rod(bone, joint.frame, low, high, (size, size), part)


def _add_inferior_process(bone: BoneUnion, vertebra: VertebraShape, joint: JointShape) -> None:
    thick = joint.process_thickness_mm
    half = np.array([0.5 * joint.length_mm - 0.2, 0.5 * thick, 0.5 * joint.height_mm + 1.5])
    middle = np.array([-0.6, -0.5 * thick - joint.cartilage_mm, 0.5])
    _add_process_plate(bone, joint, middle, half, Part.INFERIOR_PROCESS)
    _, root = pedicle_ends(vertebra, joint.side)
    top = vertebra.frame.from_lps(joint_point(joint, 0.0, -0.6 * thick, 0.3 * joint.height_mm))
    _add_rod(
        bone,
        vertebra.frame,
        top,
        root - np.array([1.0, 0, 2.0]),
        (0.5 * thick + 1.2, 4.8),
        Part.INFERIOR_PROCESS,
    )
    if joint.arthropathy > 0.6:
        _add_osteophyte(bone, joint, Part.INFERIOR_PROCESS, thick)


def spinolaminar_point(vertebra: VertebraShape) -> FloatArray:
    """Where the laminae meet, in the vertebra's frame."""
    return np.array(
        [-vertebra.half_depth_mm - vertebra.canal_depth_mm - 5.0, 0.0, -0.32 * vertebra.height_mm]
    )


def _add_arch(bone: BoneUnion, vertebra: VertebraShape, below: Sequence[JointShape]) -> None:
    """Laminae from the inferior processes to the midline, and the spinous process behind."""
    meet = spinolaminar_point(vertebra)
    for joint in below:
        foot = vertebra.frame.from_lps(
            joint_point(
                joint, -0.1 * joint.length_mm, -0.7 * joint.process_thickness_mm, 0.35 * joint.height_mm
            )
        )
        for rise in (-4.0, 1.5, 6.5):
            lift = np.array([0.25 * rise, 0.0, rise])
            _add_rod(bone, vertebra.frame, foot + 0.7 * lift, meet + lift, (3.3, 3.0), Part.LAMINA)
    if vertebra.sacral:
        _add_rod(
            bone, vertebra.frame, meet, meet - np.array([8.0, 0, 10.0]), (4.0, 3.0), Part.SPINOUS_PROCESS
        )
        return
    length = vertebra.spinous_length_mm
    middle = meet + np.array([-0.5 * length, 0.0, -4.0])

    def body(local: Local) -> ImageArray:
        moved = (
            local[0] - np.float32(middle[0]),
            local[1] - np.float32(middle[1]),
            local[2] - np.float32(middle[2]) - np.float32(0.22) * (local[0] - np.float32(middle[0])),
        )
        return rounded_box(moved, (0.5 * length + 2, 3.4, 0.4 * vertebra.height_mm), 3.0)

    bone.add(vertebra.frame, middle[None], 0.5 * length + 14, Part.SPINOUS_PROCESS, body)


def mask_of(window: Window, *tissues: Tissue) -> BoolArray:
    """Return where a window holds one of some tissues."""
    table = np.zeros(256, dtype=bool)
    table[list(tissues)] = True
    return np.asarray(table[window.tissue])
