"""The spinal canal and foramina: epidural fat, flaval ligaments, dural sac, cord, roots, veins."""

from __future__ import annotations

import numpy as np

from lfja_mri.model import FloatArray, ImageArray, Side
from lfja_mri.phantom.body import Curves
from lfja_mri.phantom.chance import stream
from lfja_mri.phantom.facet import joint_point
from lfja_mri.phantom.person import Person
from lfja_mri.phantom.processes import pedicle_ends
from lfja_mri.phantom.shapes import capsule, ellipsoid, rounded_box
from lfja_mri.phantom.skeleton import JointShape, Spine, VertebraShape
from lfja_mri.phantom.tissue import Frame, Lattice, Local, Part, Tissue, Window, is_one_of, mask_of

BONES = (Tissue.CORTEX, Tissue.MARROW, Tissue.SACRAL_MARROW)
DISCS = (Tissue.NUCLEUS, Tissue.ANNULUS)
ROOT_COUNT = 40
ROOT_RADIUS_MM = 0.6
CONUS_ABOVE_MM = (
    8.0,
    8.0,
)  # its tip above the L1-L2 disc, mean and spread: mostly behind the lower L1, T12 to L2
CONUS_LIMITS_MM = (-10.0, 26.0)
CANAL_HALF_WIDTH_MM = 11.5
FORAMEN_HALF_WIDTH_MM = 25.0
SAC_TAPER_MM = 13.0
STENOSIS_SHARE = 0.75  # of the sac's depth behind a wholly worn disc, less what wear up to 0.4 spares


def _canal_window(lattice: Lattice, person: Person, half_width_mm: float) -> Window | None:
    points = person.spine.canal_points_mm
    reach = np.array([half_width_mm, 28, 28])
    low, high = points.min(axis=0) - reach, points.max(axis=0) + reach
    return lattice.window(low, high)


def _relative(window: Window, curves: Curves) -> Local:
    """(side, back, z): mm from the middle of the canal; side is signed."""
    x, y, z = window.axes_mm()
    held = np.clip(z, *curves.z_range)
    return (
        np.asarray(x - curves.canal_x(held), dtype=np.float32),
        np.asarray(y - curves.canal_y(held), dtype=np.float32),
        z,
    )


def paint_sleeve(lattice: Lattice, person: Person, curves: Curves) -> None:
    """Fat of canal and foramina, before the bones are painted over it."""
    window = _canal_window(lattice, person, FORAMEN_HALF_WIDTH_MM)
    if window is None:
        return
    side, back, _ = _relative(window, curves)
    half = _half_depth(person.spine, window.axes_mm()[2])
    foramen = (np.abs(side) < FORAMEN_HALF_WIDTH_MM - 1) & (back > -half - 2) & (back < 2.5)
    window.put(foramen, Tissue.FAT, Part.FORAMEN)
    middle = np.hypot(side / CANAL_HALF_WIDTH_MM, (back - 1.5) / (half + 3.5)) < 1
    window.put(middle & (np.abs(side) < CANAL_HALF_WIDTH_MM), Tissue.FAT, Part.CANAL)
    for joint in person.spine.joints:
        _paint_flavum(lattice, person.spine, joint)


def _half_depth(spine: Spine, z: ImageArray) -> ImageArray:
    """Half depth (mm) of the bony canal at some heights."""
    heights = spine.canal_points_mm[::-1, 2]
    return np.asarray(np.interp(z, heights, 0.5 * spine.canal_depth_mm[::-1]), dtype=np.float32)


def _paint_flavum(lattice: Lattice, spine: Spine, joint: JointShape) -> None:
    """A plate from the joint's anteromedial tip to where the laminae meet."""
    disc = spine.discs[joint.disc]
    tip = joint_point(joint, -0.5 * joint.length_mm, -0.5, 0.0)
    apex_back = -(disc.half_depth_mm + spine.canal_depth_mm[joint.disc] + 4.0)
    apex = disc.frame.to_lps(np.array([apex_back, 0.0, float(disc.frame.from_lps(tip)[2]) - 1.0]))
    along = (apex - tip) / np.linalg.norm(apex - tip)
    up = disc.frame.axes[2] - (disc.frame.axes[2] @ along) * along
    up /= np.linalg.norm(up)
    frame = Frame(0.5 * (tip + apex), np.stack([along, np.cross(up, along), up]))
    half = 0.5 * float(np.linalg.norm(apex - tip)) + 1.5
    window = lattice.window_around(np.array([tip, apex]), 18.0)
    if window is None:
        return
    plate = rounded_box(window.local(frame), (half, 1.9, 13.0), 1.5) < 0
    window.put(plate, Tissue.FLAVUM, Part.FLAVUM)


def paint_canal(lattice: Lattice, person: Person, curves: Curves) -> None:
    """Dural sac with cord and roots, then nerves and veins of the foramina; after the bones."""
    _paint_sac(lattice, person, curves)
    rng = stream(person.seed, "foramina")
    for vertebra in person.spine.vertebrae:
        size = float(rng.uniform(0.5, 1.3))
        if not vertebra.sacral:
            _paint_basivertebral(lattice, vertebra, size)
        for side in Side:
            _paint_foramen(lattice, vertebra, side, rng)
            _paint_body_veins(lattice, vertebra, side, rng)


def _paint_sac(lattice: Lattice, person: Person, curves: Curves) -> None:
    window = _canal_window(lattice, person, 14.0)
    if window is None:
        return
    side, back, z = _relative(window, curves)
    heights, depths = _sac_depths(person)
    deep = np.interp(z, heights, depths)
    low = curves.lumbar_z[0]
    deep = (deep * np.clip((z - _sac_end(person)) / SAC_TAPER_MM, 0.0, 1) + 0.02).astype(np.float32)
    level = np.abs(np.sin(np.pi * (z - low) / 36.0)).astype(np.float32)
    wide = deep * np.float32(1.3) * (0.86 + 0.14 * level)
    back = back + np.float32(1.2)
    narrow = 1 - 0.42 * (1 - level) * np.clip(back / deep, 0, 1)
    reach = np.hypot(side / (wide * narrow), back / deep)
    free = ~is_one_of(window.tissue, (*BONES, *DISCS))
    window.put(np.asarray((reach < 1.12) & free), Tissue.LIGAMENT, Part.CANAL)
    sac = np.asarray((reach < 1) & free)
    window.put(sac, Tissue.CSF, Part.CANAL)
    places = (np.float32(1) * side / wide, np.asarray(back / deep, dtype=np.float32), z)
    _paint_roots(window, person, curves, sac, places)


def _sac_end(person: Person) -> float:
    """Height (mm) of the sac's tip: behind the body of S2, some 12 mm up or down."""
    spine, below = person.spine, person.spine.lumbosacral + 1
    place = below + float(np.clip(stream(person.seed, "sac").normal(0.6, 0.35), 0.0, 1.3))
    heights = spine.canal_points_mm[:, 2]
    return float(np.interp(place, np.arange(len(heights)), heights))


def _sac_depths(person: Person) -> tuple[FloatArray, FloatArray]:
    """Heights (rising) and half depth of the sac there: narrower behind worn discs, full behind the bodies."""
    spine = person.spine
    full = spine.canal_depth_mm * 0.5 * person.sac_share
    worn = np.array([disc.degeneration if disc.level is not None else 0.0 for disc in spine.discs])
    z = spine.canal_points_mm[:, 2]
    middle = 0.5 * (z[1:] + z[:-1])
    narrowed = full * (1 - STENOSIS_SHARE * np.clip(worn - 0.4, 0, None))
    heights = np.concatenate([z, middle])
    order = np.argsort(heights)
    return heights[order], np.concatenate([narrowed, 0.5 * (full[1:] + full[:-1])])[order]


def _paint_roots(window: Window, person: Person, curves: Curves, sac: np.ndarray, local: Local) -> None:
    rng = stream(person.seed, "roots")
    planes, rows, columns = np.nonzero(sac)
    u, v, height = (np.broadcast_to(c, sac.shape)[planes, rows, columns] for c in local)
    low, top = curves.lumbar_z
    tip = top + float(np.clip(stream(person.seed, "conus").normal(*CONUS_ABOVE_MM), *CONUS_LIMITS_MM))
    deep = 0.5 * float(np.median(person.spine.canal_depth_mm)) * person.sac_share
    gathered = np.clip(
        (height - low) / (top - low), 0, 1
    )  # roots lie together behind, where they leave the conus
    taken = np.zeros(len(planes), dtype=bool)
    for _ in range(ROOT_COUNT):
        angle, radius = rng.uniform(0, 2 * np.pi), np.sqrt(rng.uniform(0.05, 0.85))
        phase, wave = rng.uniform(0, 2 * np.pi, 2), rng.uniform(40, 110, 2)
        ends = rng.uniform(low - 45, top - 20)
        at_u = 0.85 * radius * np.cos(angle) + 0.1 * np.sin(height / wave[0] + phase[0])
        spread = (0.6 - 0.2 * gathered) * radius * np.sin(angle)
        at_v = 0.28 + 0.2 * gathered + spread + 0.1 * np.sin(height / wave[1] + phase[1])
        gap = np.hypot((u - at_u) * 1.3, v - at_v) * deep
        taken |= (gap < ROOT_RADIUS_MM) & (height > ends) & (height < tip + 16)
    cone = np.clip((height - tip) / 22, 0, 1)
    cord = (np.hypot(u * 1.3 / 1.05, v - 0.1) * deep < 4.2 * cone) & (cone > 0)
    window.tissue[planes[taken], rows[taken], columns[taken]] = Tissue.ROOT
    window.tissue[planes[cord], rows[cord], columns[cord]] = Tissue.CORD


def _paint_basivertebral(lattice: Lattice, vertebra: VertebraShape, size: float) -> None:
    middle = np.array([-vertebra.half_depth_mm + 4.0, 0.0, 0.0])
    frame = vertebra.frame.moved(middle)
    window = lattice.window_around(frame.origin, 14.0)
    if window is None:
        return
    inside = ellipsoid(window.local(frame), (7.0 * size, 5.0, 1.5)) < 0
    window.put(inside & mask_of(window, *BONES), Tissue.VEIN)


def _paint_body_veins(
    lattice: Lattice, vertebra: VertebraShape, side: Side, rng: np.random.Generator
) -> None:
    """Veins behind the body in the canal, and along the waist of the body."""
    sign = side.lateral_sign
    depth, width = vertebra.half_depth_mm, vertebra.half_width_mm
    behind, waist = rng.uniform(0.8, 1.6), rng.uniform(0.6, 1.4)
    tilt = rng.normal(0, 2.0)
    rods = (
        (np.array([-depth - 1.2, sign * 6.5, -7.0]), np.array([-depth - 1.2, sign * 6.0, 7.0]), behind),
        (
            np.array([0.1 * depth, sign * (0.96 * width + 2.0), -tilt]),
            np.array([-0.85 * depth, sign * (0.8 * width + 2.0), tilt]),
            waist,
        ),
    )
    for start, end, radius in rods:
        window = lattice.window_around(vertebra.frame.to_lps(np.array([start, end])), radius + 1)
        if window is None or vertebra.sacral:
            continue
        tube = capsule(window.local(vertebra.frame), start, end, (radius, radius)) < 0
        window.put(tube & mask_of(window, Tissue.FAT, Tissue.MUSCLE), Tissue.VEIN)


def _paint_foramen(lattice: Lattice, vertebra: VertebraShape, side: Side, rng: np.random.Generator) -> None:
    """The exiting nerve under the pedicle and the veins beside it."""
    sign = side.lateral_sign
    _, root = pedicle_ends(vertebra, side)
    under = float(root[2]) - 0.5 * vertebra.pedicle_height_mm - 4.0
    nerve = np.array([-vertebra.half_depth_mm - 5.0, sign * (0.5 * vertebra.interpedicular_mm + 5.0), under])
    start, end = nerve + np.array([0, -sign * 6.0, 5.0]), nerve + np.array([6.0, sign * 14.0, -8.0])
    window = lattice.window_around(vertebra.frame.to_lps(np.array([start, end])), 6.0)
    jitter = rng.normal(0, 1.0, (3, 3))
    sizes = rng.uniform(0.7, 1.7, 3)
    if window is None:
        return
    local = window.local(vertebra.frame)
    free = mask_of(window, Tissue.FAT)
    window.put((ellipsoid(_shift(local, nerve), (3.0, 5.5, 3.2)) < 0) & free, Tissue.ROOT)
    window.put((capsule(local, start, end, (1.6, 2.0)) < 0) & free, Tissue.ROOT)
    free = mask_of(window, Tissue.FAT)
    for offset, size in zip(jitter, sizes, strict=True):
        first = nerve + offset + np.array([3.0, -sign * 4.0, -5.0])
        last = nerve + 1.5 * offset + np.array([4.0, sign * 9.0, -3.0])
        window.put((capsule(local, first, last, (size, 0.8 * size)) < 0) & free, Tissue.VEIN)


def _shift(local: Local, point: FloatArray) -> Local:
    first, second, third = (
        np.asarray(c - np.float32(p), dtype=np.float32) for c, p in zip(local, point, strict=True)
    )
    return first, second, third
