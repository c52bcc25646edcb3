"""The curved coordinates of a facet joint."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lfja_mri.model import FloatArray, Side
from lfja_mri.phantom.skeleton import JointShape
from lfja_mri.phantom.tissue import Local, Window

FluidWidths = Mapping[tuple[str, Side], float]


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
