"""Vertebrae, sacrum and discs painted on a lattice.

Each vertebra is the union of simple bodies; what lies within the cortical thickness of its surface is cortex, the rest
marrow. The facet joints are cut out of it, so that their subchondral plates come of themselves.
"""

from __future__ import annotations

import numpy as np

from lfja_mri.model import ImageArray, Side
from lfja_mri.phantom.discs import endplate, paint_disc, superellipse
from lfja_mri.phantom.facet import FluidWidths, half_gap_mm
from lfja_mri.phantom.person import Person
from lfja_mri.phantom.processes import (
    add_arch,
    add_inferior_process,
    add_pedicle,
    add_superior_process,
    add_transverse,
)
from lfja_mri.phantom.shapes import smooth_union
from lfja_mri.phantom.skeleton import Spine, VertebraShape
from lfja_mri.phantom.tissue import Lattice, Part, Tissue
from lfja_mri.phantom.union import BoneUnion

WAIST_SHARE = 0.10


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
        add_pedicle(bone, vertebra, side)
        add_transverse(bone, vertebra, side, person.variant)
        for joint in (j for j in above if j.side is side):
            add_superior_process(bone, vertebra, joint)
        for joint in (j for j in below if j.side is side):
            add_inferior_process(bone, vertebra, joint)
    add_arch(bone, vertebra, below)
    for joint in above:
        bone.cut(joint, half_gap_mm(joint, fluid_mm), keep_positive=True)
    for joint in below:
        bone.cut(joint, half_gap_mm(joint, fluid_mm), keep_positive=False)
    caudal = vertebra.below / (spine.lumbosacral + 2)
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
    top = endplate(near, upper, -1)
    bottom = endplate(near, lower, +1)
    distance = np.maximum(np.maximum(side_distance, top), bottom).astype(np.float32)
    closer = distance < bone.distance[inner]
    bone.part[inner][closer] = Part.SACRUM if vertebra.sacral else Part.BODY
    bone.distance[inner] = smooth_union(bone.distance[inner], distance, 1.0)
