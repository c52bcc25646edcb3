"""The tissue map of a person at a visit: one coarse lattice of the whole block, one fine lattice per graded level."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

import numpy as np

from lfja_mri.model import FloatArray, ImageArray
from lfja_mri.phantom.body import body_noise, build_curves, paint_body
from lfja_mri.phantom.bones import paint_bones
from lfja_mri.phantom.canal import paint_canal, paint_sleeve
from lfja_mri.phantom.confounders import paint_after_joints, paint_before_joints
from lfja_mri.phantom.erosions import paint_wear
from lfja_mri.phantom.findings import Finding, JointKey
from lfja_mri.phantom.joints import paint_joints
from lfja_mri.phantom.numbers import BaseNumbers
from lfja_mri.phantom.person import Person
from lfja_mri.phantom.tissue import Lattice
from lfja_mri.phantom.truth import JointTruth, judge_joint

BLOCK_LOW_MM = np.array([-100.0, -105.0, -72.0])
BLOCK_HIGH_MM = np.array([100.0, 112.0, 55.0])
IMAGED_MARGIN_MM = 9.0  # motion, bend and half a slice
LARGEST_GRAIN = 2.5
FINE_LOW_MM = np.array([-37.0, -36.0, -22.0])
FINE_HIGH_MM = np.array([37.0, 22.0, 22.0])


class Detail(Enum):
    """Voxel edges (mm) of the coarse and the fine lattice."""

    FULL = (0.9, 0.45)
    QUICK = (1.3, 0.6)


@dataclass(frozen=True, eq=False)
class TissueMap:
    """The lattices of one visit, the coarse one first, the grain of their tissue, and the truth counted on them."""

    lattices: tuple[Lattice, ...]
    grain: tuple[ImageArray, ...]
    joints: tuple[JointTruth, ...]


def build_tissue_map(
    person: Person,
    findings: Mapping[JointKey, Finding],
    base: BaseNumbers,
    detail: Detail,
    *,
    confounders: float,
    imaged_lps_mm: FloatArray,
) -> TissueMap:
    """Paint a person and judge every graded joint.

    `imaged_lps_mm`, shape (N, 3), are the corners of everything that will be imaged: the coarse lattice is cut to
    them.
    """
    coarse_mm, fine_mm = detail.value
    curves = build_curves(person)
    fluid = {key: finding.fluid_width_mm for key, finding in findings.items()}

    def painted(lattice: Lattice) -> ImageArray:
        noise = body_noise(person, lattice)
        paint_body(lattice, person, curves, noise)
        paint_sleeve(lattice, person, curves)
        paint_bones(lattice, person, fluid, noise)
        paint_canal(lattice, person, curves)
        paint_before_joints(lattice, person, base.confounders, confounders, noise)
        paint_joints(lattice, person, findings, noise)
        paint_wear(lattice, person, findings, base.anatomy.wear)
        paint_after_joints(lattice, person, base.confounders, confounders)
        return np.clip(noise, -LARGEST_GRAIN, LARGEST_GRAIN)

    fine, grains, truths = [], [], []
    levels = dict.fromkeys(joint.level for joint in person.spine.graded_joints())
    for level in levels:
        joints = [joint for joint in person.spine.graded_joints() if joint.level == level]
        middle = np.mean([joint.frame.origin for joint in joints], axis=0)
        lattice = Lattice.between(middle + FINE_LOW_MM, middle + FINE_HIGH_MM, fine_mm)
        grains.append(painted(lattice))
        fine.append(lattice)
        for joint in joints:
            truth = judge_joint(lattice, joint, findings, base.definition, middle)
            if truth is not None:
                truths.append(truth)
    centres = np.array([disc.frame.origin for disc in person.spine.discs if disc.level is not None])
    low, high = centres.min(axis=0), centres.max(axis=0)
    middle = 0.5 * (low + high)
    block_low = np.array([middle[0], middle[1], low[2]]) + BLOCK_LOW_MM
    block_high = np.array([middle[0], middle[1], high[2]]) + BLOCK_HIGH_MM
    block_low = np.maximum(block_low, imaged_lps_mm.min(axis=0) - IMAGED_MARGIN_MM)
    block_high = np.minimum(block_high, imaged_lps_mm.max(axis=0) + IMAGED_MARGIN_MM)
    coarse = Lattice.between(block_low, block_high, coarse_mm)
    grain = painted(coarse)
    return TissueMap((coarse, *fine), (grain, *grains), tuple(truths))
