"""What a painted person holds: every tissue of the lumbar spine in its place, and what fools a grader by default."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from lfja_mri.phantom.body import body_noise, build_curves, paint_body
from lfja_mri.phantom.bones import paint_bones
from lfja_mri.phantom.canal import paint_canal, paint_sleeve
from lfja_mri.phantom.confounders import paint_after_joints, paint_before_joints
from lfja_mri.phantom.erosions import paint_wear
from lfja_mri.phantom.findings import Finding
from lfja_mri.phantom.joints import paint_joints
from lfja_mri.phantom.numbers import base_numbers
from lfja_mri.phantom.person import Person, draw_person
from lfja_mri.phantom.skeleton import Posture
from lfja_mri.phantom.tissue import Lattice, Part, Tissue

SEED = 3
STEP_MM = 1.6
INFLAMED = Finding(fluid_width_mm=2.0, recess_mm=2.0, synovitis=0.8)
NOT_PAINTED = {Tissue.GAS}  # bowel holds none
AROUND_LOW_MM, AROUND_HIGH_MM = np.array([95.0, 100.0, 70.0]), np.array([95.0, 110.0, 55.0])


@dataclass(frozen=True, eq=False)
class Painted:
    """A person with severe wear and fluid in every joint, and the lattice of the whole block."""

    person: Person
    lattice: Lattice

    def places(self, tissue: Tissue, part: Part | None = None) -> np.ndarray:
        """LPS mm of the voxels of a tissue, shape (N, 3), in a part where one is given."""
        mask = self.lattice.tissue_zyx == tissue
        if part is not None:
            mask &= self.lattice.part_zyx == part
        return np.argwhere(mask)[:, ::-1] * self.lattice.step_mm + self.lattice.low_mm

    def disc(self, name: str) -> np.ndarray:
        return next(disc.frame.origin for disc in self.person.spine.discs if disc.name == name)


def paint(confounders: float) -> Painted:
    base = base_numbers()
    plain = draw_person(SEED, base.anatomy, Posture(), arthropathy={})
    worn = {(joint.level, joint.side): 1.0 for joint in plain.spine.graded_joints()}
    person = draw_person(SEED, base.anatomy, Posture(), arthropathy=worn)
    centres = np.array([disc.frame.origin for disc in person.spine.discs if disc.level is not None])
    lattice = Lattice.between(
        centres.min(axis=0) - AROUND_LOW_MM, centres.max(axis=0) + AROUND_HIGH_MM, STEP_MM
    )
    curves, noise = build_curves(person), body_noise(person, lattice)
    findings = dict.fromkeys(worn, INFLAMED)
    paint_body(lattice, person, curves, noise)
    paint_sleeve(lattice, person, curves)
    paint_bones(lattice, person, dict.fromkeys(worn, INFLAMED.fluid_width_mm), noise)
    paint_canal(lattice, person, curves)
    paint_before_joints(lattice, person, base.confounders, confounders, noise)
    paint_joints(lattice, person, findings, noise)
    paint_wear(lattice, person, findings, base.anatomy.wear)
    paint_after_joints(lattice, person, base.confounders, confounders)
    return Painted(person, lattice)


@pytest.fixture(scope="module")
def fooling() -> Painted:
    return paint(3.0)


@pytest.fixture(scope="module")
def plain() -> Painted:
    return paint(0.0)


def test_every_tissue_and_part_is_painted(fooling):
    assert set(np.unique(fooling.lattice.tissue_zyx)) == set(Tissue) - NOT_PAINTED
    assert set(np.unique(fooling.lattice.part_zyx)) == set(Part)


def test_the_conus_ends_high_and_roots_go_on(plain):
    lowest = plain.places(Tissue.CORD)[:, 2].min()
    assert plain.disc("L2-L3")[2] < lowest < plain.disc("T11-T12")[2]
    assert plain.places(Tissue.ROOT)[:, 2].min() < plain.disc("L5-S1")[2]


def test_veins_run_through_bodies_and_foramina_of_both_sides(fooling):
    assert len(fooling.places(Tissue.VEIN, Part.BODY)) > 0
    foraminal = fooling.places(Tissue.VEIN, Part.FORAMEN)
    assert foraminal[:, 0].max() > 5 > -5 > foraminal[:, 0].min()


def test_fat_and_roots_fill_the_foramina(plain):
    fat, roots = (len(plain.places(tissue, Part.FORAMEN)) for tissue in (Tissue.FAT, Tissue.ROOT))
    assert fat > 3 * roots > 0


def test_two_great_vessels_lie_before_the_spine_and_a_kidney_on_either_side(plain):
    middle = plain.disc("L3-L4")
    vessels = plain.places(Tissue.ARTERY)
    near = vessels[np.abs(vessels[:, 2] - middle[2]) < 15.0]
    assert (near[:, 1] < middle[1]).all()
    for tissue in (near, plain.places(Tissue.KIDNEY)):
        assert tissue[:, 0].max() > middle[0] > tissue[:, 0].min()


def test_what_fools_a_grader_can_be_left_out(fooling, plain):
    for tissue in (Tissue.VEIN, Tissue.CYST):
        assert len(plain.places(tissue)) < len(fooling.places(tissue))
    assert len(plain.places(Tissue.CYST)) == 0
    assert not plain.lattice.oedema_zyx.any()
    assert fooling.lattice.oedema_zyx.any()
