from __future__ import annotations

import io
import itertools
from dataclasses import replace
from functools import partial

import fake_results as fake
import numpy as np
import pytest
from PIL import Image as Picture

from lfja_mri.errors import Reason
from lfja_mri.model import Contrast, Image, Level, NotGraded, Plane, Role, Side, Zone
from lfja_mri.report import cuts, figures, palette
from lfja_mri.threads import of_each

JOINT = (Level.L4_L5, Side.LEFT)
PIXEL_MM = 0.8


def orientations() -> list[tuple[tuple[int, int, int], tuple[int, int, int]]]:
    """All 48 ways to lay three array axes along the patient's axes."""
    return [
        (order, signs)
        for order in itertools.permutations(range(3))
        for signs in itertools.product((1, -1), repeat=3)
    ]


def volume_of(order: tuple[int, int, int], signs: tuple[int, int, int]) -> Image:
    axes = [np.eye(3)[axis] * sign for axis, sign in zip(order, signs, strict=True)]
    shift = fake.AXIAL_SHIFT_MM
    centre = fake.joint_centre(*JOINT) + shift
    volume = fake.make_volume(axes, (PIXEL_MM,) * 3, (47, 47, 9), centre, shift_lps_mm=shift)
    return Image("s2k1", volume, Role(Plane.AXIAL, Contrast.T2_FS))


@pytest.mark.parametrize(("order", "signs"), orientations())
def test_every_array_order_gives_the_same_picture(order, signs):
    """Letters, outlines and the left-hand ball stay on the right anatomy whatever the array order."""
    joint = fake.make_joint(*JOINT)
    image = volume_of(order, signs)
    shift = joint.shift_of(image.key)
    cut = cuts.cut_through(image.volume, joint.frame.centre_lps_mm + shift, 32.0)
    expected = {
        Plane.AXIAL: ("R", "L", "A", "P"),
        Plane.CORONAL: ("R", "L", "H", "F"),
        Plane.SAGITTAL: ("A", "P", "H", "F"),
    }
    assert cut.letters == expected[cuts.plane_of(image)]
    assert cut.pixels_yx.shape == (40, 40)
    middle = cut.to_picture(joint.frame.centre_lps_mm + shift)
    assert np.abs(middle - 16.0).max() < 1.0
    lines = cuts.outlines(cut, joint.zones, [Zone.JOINT_SPACE], shift)
    centroid = np.concatenate(lines).mean(axis=0)
    assert np.linalg.norm(centroid - middle) < 0.5
    if cuts.plane_of(image) is Plane.AXIAL:
        ball = cut.to_picture(joint.frame.centre_lps_mm + fake.LEFT_BALL_OFFSET_MM + shift)
        row, column = int(ball[1] / PIXEL_MM), int(ball[0] / PIXEL_MM)
        assert cut.pixels_yx[row, column] == 300.0
        assert column > cut.pixels_yx.shape[1] / 2


def test_points_survive_the_way_to_the_picture_and_back():
    image = fake.images()[0]
    cut = cuts.cut_through(image.volume, fake.disc_centre(Level.L3_L4), 60.0)
    picture_mm = np.array([[0.0, 0.0], [12.5, 40.0]])
    assert np.allclose(cut.to_picture(cut.to_lps(picture_mm)), picture_mm)


def test_outlines_follow_the_patient_between_series():
    """A structure seen at p in the reference frame is drawn at p + shift."""
    joint = fake.make_joint(*JOINT)
    image = fake.images()[1]
    cut = cuts.cut_through(image.volume, joint.frame.centre_lps_mm, 60.0)
    still = np.concatenate(cuts.outlines(cut, joint.zones, [Zone.CAPSULE], np.zeros(3)))
    moved = np.concatenate(cuts.outlines(cut, joint.zones, [Zone.CAPSULE], np.array([3.0, -2.0, 0.0])))
    assert np.allclose(moved.mean(axis=0) - still.mean(axis=0), [3.0, -2.0], atol=0.15)


def test_a_tilted_stack_is_cut_in_its_own_plane():
    """On a plane tilted by 25 degrees the outline still encloses the points of the zone."""
    tilt = np.deg2rad(25.0)
    axes = np.array([[1, 0, 0], [0, np.cos(tilt), np.sin(tilt)], [0, -np.sin(tilt), np.cos(tilt)]])
    joint = fake.make_joint(*JOINT, axial_shift_mm=np.zeros(3))
    volume = fake.make_volume(axes, (0.6, 0.6, 3.0), (160, 160, 9), joint.frame.centre_lps_mm)
    cut = cuts.cut_through(volume, joint.frame.centre_lps_mm, 60.0)
    line = np.concatenate(cuts.outlines(cut, joint.zones, [Zone.JOINT_SPACE], np.zeros(3)))
    offsets = fake.joint_offsets(cut.to_lps(line), *JOINT)
    assert np.abs(offsets[:, 0]).max() < 2.2
    assert np.abs(offsets[:, 1]).max() < 9.0
    assert np.abs(offsets[:, 1]).max() > 6.5


def test_measured_series_are_shown_first():
    joint = fake.make_joint(*JOINT)
    plain, water = fake.images()[1], fake.images()[1]
    water = Image("s9k1", water.volume, Role(Plane.AXIAL, Contrast.T2_FS))
    shown = cuts.best_view((plain, water), Plane.AXIAL, joint)
    measured = cuts.best_view((plain, water), Plane.AXIAL, joint, ("axial_t2",))
    assert shown is not None
    assert measured is not None
    assert (shown.key, measured.key) == ("s9k1", "s2k1")
    assert cuts.best_view((plain,), Plane.SAGITTAL, joint) is None


@pytest.mark.parametrize(("above_mm", "shown"), [(3.0, True), (7.0, True), (12.0, False)])
def test_a_stack_that_ends_above_the_joint_shows_it_while_it_cuts_it(above_mm, shown):
    """The joint is 16 mm high: a lowest slice up to 8 mm above its centre still cuts it."""
    joint = fake.make_joint(*JOINT)
    planes, pitch_mm = 5, 4.0
    centre = joint.frame.centre_lps_mm + np.array([0.0, 0.0, above_mm + pitch_mm * (planes - 1) / 2])
    volume = fake.make_volume(np.eye(3), (2.0, 2.0, pitch_mm), (30, 30, planes), centre)
    image = Image("s7k1", volume, Role(Plane.AXIAL, Contrast.T2))
    assert (cuts.best_view((image,), Plane.AXIAL, joint) is image) == shown


def test_the_same_study_gives_the_same_bytes():
    first, second = fake.study_result(), fake.study_result()
    assert figures.overview_picture(first) == figures.overview_picture(second)
    assert figures.joint_picture(first.joints[6], first.images) == figures.joint_picture(
        second.joints[6], second.images
    )


def test_pictures_are_png_of_a_fixed_size():
    result = fake.study_result()
    for content, size in (
        (figures.overview_picture(result), (1200, 700)),
        (figures.joint_picture(result.joints[9], result.images), (960, 600)),
    ):
        with Picture.open(io.BytesIO(content)) as picture:
            assert (picture.format, picture.size) == ("PNG", size)
            assert "Software" not in picture.info


def test_a_study_without_levels_still_has_an_overview():
    assert figures.overview_picture(fake.without_levels(fake.study_result())).startswith(b"\x89PNG")


def test_grade_colours_stand_at_the_joint_of_their_side():
    """In the overview the worst joint (L4-L5 left) is on the viewer's right of its level's other joint."""
    with Picture.open(io.BytesIO(figures.overview_picture(fake.study_result()))) as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    front = pixels[:, 500:850]
    worst = np.array([int(palette.GRADE_COLOURS[4][i : i + 2], 16) for i in (1, 3, 5)])
    rows, columns = np.nonzero(np.abs(front - worst).max(axis=2) < 3)
    assert columns.size > 200
    assert columns.mean() > front.shape[1] / 2
    assert 400 < rows.mean() < 500


@pytest.mark.parametrize("grade", range(5))
def test_text_on_a_grade_colour_is_readable(grade):
    """Contrast of at least 4.5 to 1 (WCAG 2, level AA)."""
    outcome = fake.make_outcome(Level.L2_L3, Side.LEFT, grade)
    assert contrast(palette.colour_of(outcome), palette.text_colour_of(outcome)) >= 4.5


def contrast(first: str, second: str) -> float:
    bright, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    parts = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(parts <= 0.03928, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def test_a_joint_whose_region_alone_was_asked_for_says_so():
    """`segment` refuses no grade: none was asked for."""
    assert palette.grade_words(NotGraded(Reason.NOT_NEEDED)) == "region only, not graded"
    assert palette.grade_words(NotGraded(Reason.LEVEL_NOT_VISIBLE)) == "not graded: level not visible"


def test_every_outline_is_drawn_in_its_colour_around_the_joint():
    """On the axial half of the picture each colour of the key is there once more, close to the middle where the joint is."""
    result = fake.study_result()
    joint = next(one for one in result.joints if one.joint is not None)
    with Picture.open(io.BytesIO(figures.joint_picture(joint, result.images))) as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    axial = pixels[60:480, 40:450]
    for name, colour in (
        *((outline.name, outline.colour) for outline in palette.OUTLINES),
        ("joint line", palette.JOINT_LINE_COLOUR),
    ):
        wanted = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])
        rows, columns = np.nonzero(np.abs(axial - wanted).max(axis=2) < 40)
        assert columns.size > 20, name
        assert np.hypot(rows.mean() - 210, columns.mean() - 205) < 60, name


def test_pictures_are_the_same_on_one_thread_and_on_two(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    result = fake.study_result()
    placed = [joint for joint in result.joints if joint.joint is not None]
    draw = partial(figures.joint_picture, images=result.images)
    assert of_each(draw, placed, 2) == of_each(draw, placed, 1)


def test_a_doubted_count_is_said_in_the_colour_of_caution_and_no_other_is():
    study = fake.study_result()
    doubted = replace(study, level_map=replace(study.level_map, flags=("ribs_disagree",)))
    caution = np.array([int(palette.CAUTION_COLOUR[i : i + 2], 16) for i in (1, 3, 5)])
    seen = []
    for result in (study, doubted):
        with Picture.open(io.BytesIO(figures.overview_picture(result))) as picture:
            top = np.asarray(picture.convert("RGB")).astype(int)[:60]
        seen.append(int((np.abs(top - caution).max(axis=2) < 40).sum()))
    assert seen[0] == 0
    assert seen[1] > 200
