"""What stands out of a vertebra: pedicles, transverse and articular processes, laminae, spinous process."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from lfja_mri.model import FloatArray, ImageArray, Side
from lfja_mri.phantom.facet import joint_point
from lfja_mri.phantom.shapes import capsule, rounded_box
from lfja_mri.phantom.skeleton import JointShape, VertebraShape
from lfja_mri.phantom.tissue import Frame, Local, Part
from lfja_mri.phantom.union import BoneUnion

THORACIC_PROCESS_SHARE = 0.4  # of a lumbar one's length: the process of T11 and T12 is a knob behind the rib
# Behind the body, to the side, above its middle.
RIB_COURSE_MM = ((1.0, 17.0, 9.0), (9.0, 29.0, 1.0), (22.0, 54.0, -20.0))
FIRST_PROCESS_BEHIND_MM = 20.0  # behind the back of the body
FIRST_PROCESS_RADIUS_MM, FIRST_PROCESS_HALF_HEIGHT_MM = 2.3, 2.2
RIB_RADIUS_MM, RIB_HALF_HEIGHT_MM = 4.2, 2.4  # oval of 8 by 13 mm across


def pedicle_ends(vertebra: VertebraShape, side: Side) -> tuple[FloatArray, FloatArray]:
    """Front and back end of a pedicle in the vertebra's frame."""
    lateral = side.lateral_sign * 0.5 * (vertebra.interpedicular_mm + vertebra.pedicle_width_mm)
    up = 0.18 * vertebra.height_mm
    back = -vertebra.half_depth_mm - 0.62 * vertebra.canal_depth_mm
    return (
        np.array([-vertebra.half_depth_mm + 5, lateral, up]),
        np.array([back, lateral * 1.03, up - 1.0]),
    )


def add_pedicle(bone: BoneUnion, vertebra: VertebraShape, side: Side) -> None:
    """Add the pedicle of one side."""
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


def add_transverse(bone: BoneUnion, vertebra: VertebraShape, side: Side, variant: str) -> None:
    """Add a transverse process, with a rib in front of it above the lumbar spine, or the wing of the sacrum."""
    sign = side.lateral_sign
    _, root = pedicle_ends(vertebra, side)
    if vertebra.sacral:
        _add_wing(bone, vertebra, sign)
        return
    start = root + np.array([1.0, sign * 2.0, -1.0])
    tip = np.array([root[0] - 3.0, sign * vertebra.transverse_reach_mm, root[2] + 2.0])
    radii = (4.6, 3.6)
    if variant == "sacralised" and vertebra.name == "L5":
        tip, radii = tip + np.array([0.0, sign * 4.0, -12.0]), (8.0, 10.5)
    if vertebra.name.startswith("T") and (vertebra.name != "T12" or variant != "t12_without_ribs"):
        tip = start + THORACIC_PROCESS_SHARE * (tip - start)
        _add_rib(bone, vertebra, sign)
    elif vertebra.name in {"T12", "L1"}:
        _add_first_process(bone, vertebra, start, sign)
        return
    _add_rod(bone, vertebra.frame, start, tip, radii, Part.TRANSVERSE_PROCESS)


def _add_first_process(bone: BoneUnion, vertebra: VertebraShape, start: FloatArray, sign: int) -> None:
    """Add the process of L1 (or of T12 without ribs): flat, and further back than those below it.

    In one CT (VerSe 004) it lies 35 to 41 mm behind the body's middle where it stands free, 4 to 5 mm thick and 9 mm high.
    """
    behind = -vertebra.half_depth_mm - FIRST_PROCESS_BEHIND_MM
    knee = np.array([behind, sign * 24.0, start[2] - 3.0])
    tip = np.array([behind - 2.5, sign * vertebra.transverse_reach_mm, start[2] - 3.0])
    _add_flat(
        bone, vertebra, np.array([start, knee, tip]), FIRST_PROCESS_RADIUS_MM, FIRST_PROCESS_HALF_HEIGHT_MM
    )


def _add_rib(bone: BoneUnion, vertebra: VertebraShape, sign: int) -> None:
    """Add a rib: head beside the back of the body, neck outwards, backwards and down, taller than thick.

    The course is what the mean of twelve real sagittal volumes shows beside T11 and T12 (middle of the neck 20 mm behind
    the body's and 8 mm above it, 20 mm from the midline; 26 mm behind and level with it at 30 mm).
    """
    back = -vertebra.half_depth_mm
    course = np.array(
        [[back - offset, sign * lateral, rise] for offset, lateral, rise in RIB_COURSE_MM], dtype=np.float64
    )
    _add_flat(bone, vertebra, course, RIB_RADIUS_MM, RIB_HALF_HEIGHT_MM)


def _add_flat(
    bone: BoneUnion, vertebra: VertebraShape, course: FloatArray, radius_mm: float, half_height_mm: float
) -> None:
    """Add a bone along a course (points, 3) in the vertebra's frame, taller than thick."""
    for near, far in itertools.pairwise(course):
        for lift in (np.array([0.0, 0.0, half]) for half in (-half_height_mm, half_height_mm)):
            _add_rod(
                bone, vertebra.frame, near + lift, far + lift, (radius_mm, radius_mm), Part.TRANSVERSE_PROCESS
            )


def _add_wing(bone: BoneUnion, vertebra: VertebraShape, sign: int) -> None:
    """Add the mass beside a sacral body, outside the canal."""
    inner = 0.5 * vertebra.interpedicular_mm - 1.0
    half = np.array(
        [
            0.5 * vertebra.half_depth_mm + 4.5,
            0.5 * (vertebra.transverse_reach_mm - inner),
            0.5 * vertebra.height_mm,
        ]
    )
    middle = np.array([-half[0], sign * (inner + half[1]), 0.0])

    def body(local: Local) -> ImageArray:
        moved = (
            local[0] - np.float32(middle[0]),
            local[1] - np.float32(middle[1]),
            local[2] - np.float32(middle[2]),
        )
        return rounded_box(moved, (float(half[0]), float(half[1]), float(half[2])), 10.0)

    bone.add(vertebra.frame, middle[None], float(half.max()) + 8.0, Part.SACRUM, body)


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


def add_superior_process(bone: BoneUnion, vertebra: VertebraShape, joint: JointShape) -> None:
    """Add the superior articular process with its foot on the pedicle."""
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


def add_inferior_process(bone: BoneUnion, vertebra: VertebraShape, joint: JointShape) -> None:
    """Add the inferior articular process, hung from the pedicle by the pars."""
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
    wall, drop = (3.5, 0.1) if vertebra.sacral else (5.0, 0.32)
    return np.array(
        [-vertebra.half_depth_mm - vertebra.canal_depth_mm - wall, 0.0, -drop * vertebra.height_mm]
    )


def add_arch(bone: BoneUnion, vertebra: VertebraShape, below: Sequence[JointShape]) -> None:
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
        _add_dorsal_wall(bone, vertebra, meet)
        return
    length = vertebra.spinous_length_mm
    middle = meet + np.array([-0.5 * length, 0.0, -4.0])

    def body(local: Local) -> ImageArray:
        moved = (
            local[0] - np.float32(middle[0]),
            local[1] - np.float32(middle[1]),
            local[2] - np.float32(middle[2]) - np.float32(0.22) * (local[0] - np.float32(middle[0])),
        )
        return rounded_box(moved, (0.5 * length + 2, 3.4, 0.33 * vertebra.height_mm), 3.0)

    bone.add(vertebra.frame, middle[None], 0.5 * length + 14, Part.SPINOUS_PROCESS, body)


def _add_dorsal_wall(bone: BoneUnion, vertebra: VertebraShape, meet: FloatArray) -> None:
    """Add the fused laminae that close the sacral canal, and the crest on them."""
    for side in Side:
        _, root = pedicle_ends(vertebra, side)
        for rise in np.linspace(-0.42, 0.36, 4) * vertebra.height_mm:
            foot = np.array([root[0], root[1], rise])
            _add_rod(bone, vertebra.frame, foot, np.array([meet[0], 0.0, rise]), (3.6, 2.6), Part.LAMINA)
    crest = np.array([vertebra.spinous_length_mm, 0.0, 0.5 * vertebra.spinous_length_mm])
    _add_rod(bone, vertebra.frame, meet, meet - crest, (3.4, 2.2), Part.SPINOUS_PROCESS)
