"""Roles from headers, one row a protocol; from pixels, on images made for it; and the choice among candidates."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_dicom import SLAB, Header, Slab, series, tilted, write

from lfja_mri.config import load_pipeline_settings
from lfja_mri.ingest import find_studies, read_study
from lfja_mri.ingest.cues import cues_of, fat_is_dark, fluid_is_bright
from lfja_mri.ingest.facts import SeriesFacts
from lfja_mri.ingest.roles import Fat, Weighting, header_opinion
from lfja_mri.model import Contrast, Plane

SETTINGS = load_pipeline_settings().ingest
NO_OPTIONS = frozenset({"PFP"})


@pytest.mark.parametrize(
    ("facts", "weighting", "fat", "certain"),
    [
        (SeriesFacts(500, 10, words="sag t1 tse", scan_options=NO_OPTIONS), Weighting.T1, Fat.BRIGHT, True),
        (SeriesFacts(3500, 105, words="sag t2 tse", scan_options=NO_OPTIONS), Weighting.T2, Fat.BRIGHT, True),
        (SeriesFacts(4000, 60, 165, words="sag stir"), Weighting.T2, Fat.INVERSION, True),
        (
            SeriesFacts(4000, 60, 220, words="t2_tirm_sag", scanning_sequence=frozenset({"IR", "SE"})),
            Weighting.T2,
            Fat.INVERSION,
            True,
        ),
        (
            SeriesFacts(3500, 90, words="ax t2 fs", scan_options=frozenset({"FS"})),
            Weighting.T2,
            Fat.SATURATED,
            True,
        ),
        (
            SeriesFacts(600, 12, words="t1_tse_fs_tra+c", agent="gadovist", scan_options=frozenset({"FS"})),
            Weighting.T1,
            Fat.SATURATED,
            True,
        ),
        (SeriesFacts(3500, 90, words="t2 mdixon_w"), Weighting.T2, Fat.WATER_IMAGE, True),
        (SeriesFacts(2000, 30, words="sag pd"), Weighting.PD, None, False),
        (SeriesFacts(words="t2"), Weighting.T2, None, False),
        (SeriesFacts(), None, None, False),
        (SeriesFacts(500, 10, words="sag t2"), None, None, False),
        (SeriesFacts(500, 5, scanning_sequence=frozenset({"GR"})), None, None, False),
        # a long TI is a FLAIR-like preparation, not the nulling of fat
        (SeriesFacts(2500, 12, 900, words="sag t1 flair"), Weighting.T1, None, False),
    ],
)
def test_header_tells_contrast(facts, weighting, fat, certain):
    opinion = header_opinion(facts, SETTINGS)
    assert (opinion.weighting, opinion.fat, opinion.certain) == (weighting, fat, certain)


@pytest.mark.parametrize(
    ("words", "agent"),
    [
        ("t1 fs +c", True),
        ("t1 post gd", True),
        ("t1 without contrast", False),
        ("t1 pre contrast", False),
        ("t1 sag", None),
        ("lspine w wo contrast", None),
        ("sag t2 post op", None),
        ("sag stir post", True),
        ("t1 -c", False),
    ],
)
def test_header_tells_the_agent(words, agent):
    assert header_opinion(SeriesFacts(words=words, description=words), SETTINGS).agent is agent


@pytest.mark.parametrize("words", ["ep2d_diff", "survey", "mra tof", "t2 dixon_f", "t2 mdixon_opp phase"])
def test_other_images_play_no_role(words):
    assert header_opinion(SeriesFacts(words=words), SETTINGS).refusal is not None


@pytest.mark.parametrize("kind", ["P", "FAT", "OPP_PHASE"])
def test_phase_and_fat_images_play_no_role(kind):
    facts = SeriesFacts(words="t2", image_type=("ORIGINAL", "PRIMARY", kind))
    assert header_opinion(facts, SETTINGS).refusal is not None


def test_a_protocol_that_names_the_examination_is_not_taken_for_the_series(tmp_path):
    head = Header(extra={"ProtocolName": "MR LSPINE W WO CONTRAST, MYELO, STIR", "ScanOptions": "PFP"})
    plain = replace(head, description="SAG T2", echo=100, inversion=None)
    write(tmp_path, series(SLAB, plain))
    _, _, images = roles_of(tmp_path)
    assert [str(image.role) for image in images.images] == ["sagittal_t2"]
    assert images.images[0].acquisition.contrast_agent is None


def back(fat: float, fluid: float, muscle: float) -> np.ndarray:
    """A sagittal back seen from the left: air behind, skin fat, muscle, then a straight canal in the bones."""
    image = np.full((160, 160), 0.35)
    image[:, 140:] = 0.0
    image[:, 128:140] = fat
    image[:, 100:128] = muscle
    image[:, 84:94] = fluid
    return (image * 1000 + np.random.default_rng(0).normal(0, 8, image.shape)).clip(0).astype(np.float32)


@pytest.mark.parametrize(
    ("fat", "fluid", "muscle", "dark", "bright"),
    [(1.0, 0.9, 0.15, False, True), (0.12, 1.0, 0.2, True, True), (1.0, 0.1, 0.35, False, False)],
    ids=["t2", "stir", "t1"],
)
def test_pixels_tell_fat_and_fluid(fat, fluid, muscle, dark, bright):
    affine = np.array([[0, 0, 4.0, 0], [1.4, 0, 0, 0], [0, -1.4, 0, 0], [0, 0, 0, 1]])
    cues = cues_of(back(fat, fluid, muscle), affine, Plane.SAGITTAL)
    assert cues is not None
    assert fat_is_dark(cues, SETTINGS)[0] is dark
    assert fluid_is_bright(cues, SETTINGS)[0] is bright


@pytest.mark.parametrize("turn", ["rows up", "columns back", "transposed"])
def test_cues_do_not_depend_on_how_the_image_is_stored(turn):
    image = back(1.0, 0.9, 0.15)
    affine = np.array([[0, 0, 4.0, 0], [1.4, 0, 0, 0], [0, -1.4, 0, 0], [0, 0, 0, 1]])
    known = cues_of(image, affine, Plane.SAGITTAL)
    if turn == "rows up":
        image, affine = image[::-1], affine @ np.diag([1, -1, 1, 1])
    elif turn == "columns back":
        image, affine = image[:, ::-1], affine @ np.diag([-1, 1, 1, 1])
    else:
        image, affine = image.T, affine[:, [1, 0, 2, 3]]
    assert cues_of(image, affine, Plane.SAGITTAL) == known


def roles_of(folder):
    study = find_studies([folder], SETTINGS).studies[0]
    images = read_study(study, SETTINGS)
    return (
        [str(image.role) for image in images.images],
        {one.reason.value for one in images.rejections},
        images,
    )


STIR = Header(time="100000")


def test_stir_after_contrast_is_refused(tmp_path):
    agent = {"ContrastBolusAgent": "Gadovist", "ScanOptions": "FS"}
    gd = Header(
        series="1.2.9",
        description="AX T1 FS",
        repetition=600,
        echo=12,
        inversion=None,
        time="101000",
        extra=agent,
    )
    write(tmp_path / "gd", series(Slab(orientation=(1.0, 0, 0, 0, 1.0, 0)), gd))
    write(tmp_path / "early", series(SLAB, STIR))
    assert roles_of(tmp_path)[:2] == (["sagittal_stir", "axial_t1_fs_gd"], set())
    write(tmp_path / "early", series(SLAB, replace(STIR, time="102000")))
    assert roles_of(tmp_path)[:2] == (["axial_t1_fs_gd"], {"stir_after_contrast"})


def test_the_later_of_two_t1_is_after_contrast_if_the_first_is_named_so(tmp_path):
    extra = {"ScanOptions": "PFP"}
    pre = Header(
        description="SAG T1 PRE", repetition=500, echo=10, inversion=None, time="100000", extra=extra
    )
    write(tmp_path / "pre", series(SLAB, pre))
    write(tmp_path / "post", series(SLAB, replace(pre, series="1.2.8", description="SAG T1", time="110000")))
    assert sorted(roles_of(tmp_path)[0]) == ["sagittal_t1", "sagittal_t1_gd"]


def test_a_repeat_replaces_the_first_run(tmp_path):
    write(tmp_path / "first", series(SLAB, STIR))
    write(tmp_path / "second", series(SLAB, Header(series="1.2.3.1.0", time="101000")))
    roles, reasons, images = roles_of(tmp_path)
    assert (roles, reasons) == (["sagittal_stir"], {"better_candidate"})
    assert images.images[0].key == "s1k1"
    assert any("later of two runs" in text for text in images.images[0].evidence)


def test_a_broken_off_repeat_does_not_replace_the_whole_run(tmp_path):
    write(tmp_path / "first", series(SLAB, STIR))
    write(tmp_path / "second", series(SLAB, Header(series="1.2.3.1.0", time="101000"), places=range(6)))
    _, reasons, images = roles_of(tmp_path)
    assert [image.key for image in images.images] == ["s2k1"]
    assert reasons == {"better_candidate"}


def test_finer_voxels_are_preferred_and_complements_kept(tmp_path):
    coarse = replace(SLAB, spacing=(1.6, 1.4), shape=(10, 12))
    write(tmp_path / "coarse", series(coarse, replace(STIR, series="1.2.3.1.5", time="120000")))
    write(tmp_path / "fine", series(SLAB, STIR))
    far = replace(SLAB, origin=(60.0, -80.2, 60.7))
    write(tmp_path / "far", series(far, replace(STIR, series="1.2.3.1.7")))
    _, _, images = roles_of(tmp_path)
    assert sorted(image.volume.values_zyx.shape for image in images.images) == [(10, 20, 24), (10, 20, 24)]
    assert {one.detail for one in images.rejections} == {"s1k1 has finer voxels"}


def silent_series(image: np.ndarray, number: int):
    """A back whose canal is 20 mm wide, in planes that reach the muscles of both sides; the headers say nothing."""
    slab = Slab(shape=image.shape, spacing=(1.4, 1.4), origin=(30.8, -140.0, 100.0), count=15)
    silent = Header(
        series=f"1.2.3.{number}", description="", repetition=None, echo=None, inversion=None, image_type=()
    )
    sets = series(slab, silent)
    for data in sets:
        plane = image.astype(np.uint16)
        if abs(data.ImagePositionPatient[0]) > 10:
            plane[:, 84:94] = plane[:, 60:70]
        data.PixelData = plane.tobytes()
    return sets


def test_one_silent_series_guides_another(tmp_path):
    write(tmp_path / "t1", silent_series(back(1.0, 0.1, 0.35), 1))
    write(tmp_path / "t2", silent_series(back(1.0, 0.9, 0.15), 2))
    roles, _, images = roles_of(tmp_path)
    assert roles == ["sagittal_t1", "sagittal_t2"]
    assert any("the canal of s2k1 is" in text for text in images.images[0].evidence)


def test_the_real_study_gets_its_roles(shared_data):
    folder = shared_data / "dicom" / "rsna-100206310"
    roles, _, images = roles_of(folder)
    assert sorted(roles) == ["axial_t2"] * 7 + ["sagittal_stir", "sagittal_t1"]
    assert len(images.of(Plane.SAGITTAL, Contrast.STIR)) == 1


T1_AFTER_CONTRAST = (0.15, 0.2, 0.6)


def test_a_silent_t1_after_contrast_is_no_stir(tmp_path):
    write(tmp_path / "gd", silent_series(back(*T1_AFTER_CONTRAST), 1))
    write(tmp_path / "t2", silent_series(back(1.0, 0.9, 0.15), 2))
    assert roles_of(tmp_path)[0] == ["sagittal_t1_fs", "sagittal_t2"]


def test_suppressed_fat_alone_is_no_weighting(tmp_path):
    write(tmp_path / "gd", silent_series(back(*T1_AFTER_CONTRAST), 1))
    roles, reasons, images = roles_of(tmp_path)
    assert (roles, reasons) == ([], {"unknown_contrast"})
    assert "T1 or T2" in images.rejections[0].detail


def test_a_silent_stir_with_a_clear_canal_needs_no_other(tmp_path):
    write(tmp_path / "stir", silent_series(back(0.12, 1.0, 0.2), 1))
    assert roles_of(tmp_path)[0] == ["sagittal_stir"]


def test_a_silent_stir_beside_a_silent_t1_after_contrast_is_refused(tmp_path):
    write(tmp_path / "gd", silent_series(back(*T1_AFTER_CONTRAST), 1))
    write(tmp_path / "stir", silent_series(back(0.12, 1.0, 0.2), 2))
    roles, reasons, images = roles_of(tmp_path)
    assert (roles, reasons) == (["sagittal_t1_fs"], {"stir_after_contrast"})
    assert "neither times nor numbers tell" in images.rejections[0].detail


AGENT = {"ContrastBolusAgent": "Gadovist", "ScanOptions": "FS"}
ENHANCED = Header(
    series="1.2.9",
    number=5,
    description="T1 FS",
    repetition=600,
    echo=12,
    inversion=None,
    time="235900",
    extra=AGENT,
)
NEXT_DAY = {"AcquisitionDate": "20200103"}


@pytest.mark.parametrize(
    ("stir", "kept"),
    [
        (Header(number=6, time="235959"), False),
        (Header(number=4, time="235800"), True),
        (Header(number=4, time="001000", extra=NEXT_DAY), False),
        (Header(number=6, time="", extra={}), False),
        (Header(number=4, time=""), True),
        (Header(number=5, time=""), False),
    ],
    ids=["later", "earlier", "after midnight", "higher number", "lower number", "neither tells"],
)
def test_what_came_first_decides_on_stir(stir, kept, tmp_path):
    write(tmp_path / "gd", series(Slab(orientation=(1.0, 0, 0, 0, 1.0, 0)), ENHANCED))
    write(tmp_path / "stir", series(SLAB, stir))
    roles, reasons, _ = roles_of(tmp_path)
    assert ("sagittal_stir" in roles) is kept
    assert ("stir_after_contrast" in reasons) is not kept


def test_an_enhanced_series_counts_even_if_no_stack_comes_of_it(tmp_path):
    write(tmp_path / "gd", series(SLAB, ENHANCED, places=[0, 1]))
    write(tmp_path / "stir", series(SLAB, Header(number=6, time="235959")))
    assert roles_of(tmp_path)[0] == []
    assert "stir_after_contrast" in roles_of(tmp_path)[1]


@pytest.mark.parametrize(("degrees", "plane"), [(44.0, "axial"), (56.0, "axial"), (62.0, "coronal")])
def test_a_stack_along_a_steep_disc_is_axial(degrees, plane, tmp_path):
    write(
        tmp_path,
        series(Slab(orientation=tilted(degrees)), Header(description="T2", inversion=None, echo=100)),
    )
    stack = find_studies([tmp_path], SETTINGS).studies[0].stacks[0]
    assert stack.plane.value == plane
    assert stack.obliquity_deg == pytest.approx(degrees if plane == "axial" else 90 - degrees, abs=0.01)


def test_planes_that_disagree_on_fat_are_no_certain_sign(tmp_path):
    sets = silent_series(back(0.12, 1.0, 0.2), 1)
    other = silent_series(back(1.0, 0.9, 0.15), 1)
    sets[6:8] = other[6:8]
    write(tmp_path, sets)
    _, _, images = roles_of(tmp_path)
    assert images.images[0].confidence <= 0.6
    assert any("say the opposite" in text for text in images.images[0].evidence)
