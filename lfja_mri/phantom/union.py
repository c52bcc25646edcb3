"""A union of simple bodies that becomes one bone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lfja_mri.model import FloatArray, ImageArray
from lfja_mri.phantom.facet import joint_coordinates
from lfja_mri.phantom.shapes import smooth_union
from lfja_mri.phantom.skeleton import JointShape
from lfja_mri.phantom.tissue import Frame, Local, Part, Tissue, Window, is_one_of

FAR_MM = np.float32(50.0)
BLEND_MM = 3.0


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
