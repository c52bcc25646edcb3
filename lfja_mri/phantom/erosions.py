"""What severe wear does to the articular surfaces: erosions of the subchondral plate, and cysts below it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lfja_mri.model import FloatArray
from lfja_mri.phantom.chance import stream
from lfja_mri.phantom.facet import half_gap_mm, joint_coordinates
from lfja_mri.phantom.findings import Finding, JointKey
from lfja_mri.phantom.joints import BONES, joint_window
from lfja_mri.phantom.numbers import Range, WearNumbers
from lfja_mri.phantom.person import Person
from lfja_mri.phantom.shapes import ellipsoid
from lfja_mri.phantom.skeleton import JointShape
from lfja_mri.phantom.tissue import Lattice, Local, Tissue, Window, mask_of

MOST_PLACES = 4
WITHIN_SHARE = 0.34  # of length and height: how far from the joint's middle they lie at most
RIM_MM = 0.8
EROSION_DEPTH_SHARE = 0.25  # so much of its radius an erosion's middle lies below the surface


def paint_wear(
    lattice: Lattice, person: Person, findings: Mapping[JointKey, Finding], numbers: WearNumbers
) -> None:
    """Paint erosions and subchondral cysts into the joints that are worn enough to have them.

    Their places follow from the person alone, whatever else the joint shows at a visit.
    """
    fluid = {key: finding.fluid_width_mm for key, finding in findings.items()}
    for joint in person.spine.joints:
        window = joint_window(lattice, joint)
        if window is None or joint.arthropathy < numbers.least_wear:
            continue
        local, half_gap = joint_coordinates(window, joint), half_gap_mm(joint, fluid)
        rng = stream(person.seed, f"wear{joint.level}{joint.side}")
        share = (joint.arthropathy - numbers.least_wear) / (1 - numbers.least_wear)
        for chance in rng.random(MOST_PLACES):
            place, radius = _place(rng, joint, half_gap, numbers.erosion_mm, EROSION_DEPTH_SHARE)
            if chance < numbers.erosion_chance * (0.5 + 0.5 * share):
                _paint_hole(window, local, place, radius, Tissue.EROSION)
        for chance in rng.random(MOST_PLACES):
            place, radius = _place(rng, joint, half_gap, numbers.cyst_mm, 1.0)
            if chance < numbers.cyst_chance * share:
                _paint_hole(window, local, place, radius, Tissue.BONE_CYST)


def _place(
    rng: np.random.Generator, joint: JointShape, half_gap: float, size_mm: Range, depth_share: float
) -> tuple[FloatArray, float]:
    """Draw a middle (mm, in the joint's curved coordinates) below one of the surfaces, and a radius."""
    along, height = rng.uniform(-WITHIN_SHARE, WITHIN_SHARE, 2) * [joint.length_mm, joint.height_mm]
    radius = 0.5 * float(rng.uniform(*size_mm))
    across = float(rng.choice([-1, 1])) * (half_gap + depth_share * radius)
    return np.array([along, across, height]), radius


def _paint_hole(window: Window, local: Local, place: FloatArray, radius: float, content: Tissue) -> None:
    """A hole in the bone with a dense rim."""
    along, across, height = (
        np.asarray(c - np.float32(p), dtype=np.float32) for c, p in zip(local, place, strict=True)
    )
    hole = ellipsoid((along, across, height), (1.2 * radius, radius, 1.4 * radius))
    bone = mask_of(window, *BONES)
    window.put((hole < RIM_MM) & bone, Tissue.CORTEX)
    window.put((hole < 0) & bone, content)
    window.oedema[(hole < RIM_MM) & bone] = 0
