"""A change that only one series shows is not told: a second series that suppresses fat in another way is asked."""

from __future__ import annotations

from dataclasses import replace

import pytest
from change_settings import FLOORS, fixed_settings
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from lfja_mri.batch.pair_folder import read_pair, write_pair
from lfja_mri.change import (
    MEASURES,
    Direction,
    Evidence,
    PairedRows,
    Registration,
    RoleProtocol,
    Seen,
    VisitJoint,
    Witness,
    compare_joint,
)
from lfja_mri.change.same_series import JointAtVisit, witness_of
from lfja_mri.errors import Reason
from lfja_mri.model import (
    Contrast,
    Graded,
    JointResult,
    Level,
    Measurements,
    Missing,
    NotGraded,
    Plane,
    Role,
    Side,
    StudyImages,
)

SETTINGS = fixed_settings()
FAT_SATURATED, STIR = "axial_t2_fs", "sagittal_stir"
QUIET = dict.fromkeys(MEASURES, 0.0)
BRIGHT = QUIET | {"perimeter_fraction": 0.7, "bone_oedema_volume_mm3": 900.0}
MIRROR = {
    Direction.IMPROVED: Direction.WORSENED,
    Direction.WORSENED: Direction.IMPROVED,
    Direction.UNCHANGED: Direction.UNCHANGED,
}


def visit(grade, measures, interval=None):
    return VisitJoint(
        subject="s",
        visit="v",
        study_key="k",
        level=Level.L4_L5,
        side=Side.LEFT,
        grade=grade,
        measures=measures,
        sources=(FAT_SATURATED,),
        numbering_basis="sacrum",
        rules=("scale", "digest"),
        grade_interval=interval,
    )


def asked(first, second, readings=((), ()), extension=0):
    """A good registration with a witness that saw these measures, and judged them so."""
    seen = (Seen(values, (STIR,), grades) for values, grades in zip((first, second), readings, strict=True))
    return Registration(0.2, witness=Witness(*seen, extension))


@pytest.mark.parametrize(
    ("there", "change"),
    [(BRIGHT, Direction.IMPROVED), (QUIET, Direction.UNCHANGED), ({}, Direction.IMPROVED)],
    ids=["sees it too", "sees nothing", "cannot tell"],
)
def test_a_patch_of_bright_fat_is_no_oedema_that_went(there, change):
    found = compare_joint(visit(3, BRIGHT), visit(0, QUIET), SETTINGS, asked(there, QUIET))
    assert found.change is change
    assert ("not_seen_on_second_series" in found.flags) == (change is Direction.UNCHANGED)
    assert "grade_moved_within_noise" not in found.flags


def test_a_witness_that_saw_the_opposite_does_not_confirm():
    found = compare_joint(visit(3, BRIGHT), visit(0, QUIET), SETTINGS, asked(QUIET, BRIGHT))
    assert found.change is Direction.UNCHANGED


@pytest.mark.parametrize(
    ("readings", "change"),
    [
        (((2, 3, 4), (0, 0, 1)), Direction.IMPROVED),
        (((2, 3, 4), (2, 3, 3)), Direction.IMPROVED),
        (((0, 0, 0), (0, 0, 0)), Direction.UNCHANGED),
        (((0, 0, 0), (0, 0, 2)), Direction.UNCHANGED),
    ],
)
def test_a_witness_that_would_have_graded_both_visits_alike_does_not_confirm(readings, change):
    """Its measures moved the same way, but by no reading of its own did the grade."""
    found = compare_joint(visit(3, BRIGHT), visit(0, QUIET), SETTINGS, asked(BRIGHT, QUIET, readings))
    assert found.change is change
    assert ("not_seen_on_second_series" in found.flags) == (change is Direction.UNCHANGED)


def test_a_witness_alone_makes_no_change():
    found = compare_joint(visit(3, QUIET), visit(0, QUIET), SETTINGS, asked(BRIGHT, QUIET))
    assert found.change is Direction.UNCHANGED
    assert "grade_moved_within_noise" in found.flags


def test_a_witness_is_heard_for_another_reading_too():
    first, second = visit(3, BRIGHT, (3, 4)), visit(3, QUIET, (3, 3))
    heard = compare_joint(first, second, SETTINGS, asked(BRIGHT, QUIET))
    assert (heard.change, heard.grade_change) == (Direction.IMPROVED, -1)
    silent = compare_joint(first, second, SETTINGS, asked(QUIET, QUIET))
    assert (silent.change, silent.grade_change) == (Direction.UNCHANGED, 0)


def test_fat_suppressed_differently_well_shares_no_reading():
    """What moves between two readings of one grade may be fat that was darkened less."""
    first, second = visit(3, BRIGHT, (3, 4)), visit(3, QUIET, (3, 3))
    registration = asked(BRIGHT, QUIET)
    assert compare_joint(first, second, SETTINGS, registration).change is Direction.IMPROVED
    poorer = replace(second, fat_suppression="poor")
    found = compare_joint(first, poorer, SETTINGS, registration)
    assert found.change is Direction.UNCHANGED
    assert "different_fat_suppression" in found.flags


UNSURE = ("different_fat", "joint_places_disagree", "series_shifts_disagree")
TOGETHER = {"effusion_width_mm": 2.0, "joint_signal_ratio": 0.6}
ALONE = {"perimeter_fraction": 0.5}


def visits_apart(times_sdc, middles):
    """Measures of two visits that lie so many SDC apart about a middle: `SDC = z sqrt(2) hypot(floor, 0.05 scale)`."""
    more, less = dict(QUIET), dict(QUIET)
    for name, middle in middles.items():
        scale = (middle * (1 - middle)) ** 0.5 if name == "perimeter_fraction" else middle
        sdc = SETTINGS.detection_z * 2**0.5 * (FLOORS[name] ** 2 + (0.05 * scale) ** 2) ** 0.5
        more[name], less[name] = middle + 0.5 * times_sdc * sdc, middle - 0.5 * times_sdc * sdc
    return more, less


@pytest.mark.parametrize(
    ("times_sdc", "why", "change"),
    [
        (0.9, "", Direction.UNCHANGED),
        (1.1, "", Direction.IMPROVED),
        *((1.7, why, Direction.UNCHANGED) for why in UNSURE),
        *((1.8, why, Direction.IMPROVED) for why in UNSURE),
    ],
)
def test_two_measures_together_need_their_sdc_and_more_where_the_visits_share_less(times_sdc, why, change):
    """Fluid and joint signal within the interval, both seen on the second series, too."""
    more, less = visits_apart(times_sdc, TOGETHER)
    first, second = visit(3, more, (2, 4)), visit(2, less, (2, 3))
    second = replace(second, fat_suppression="poor") if why == "different_fat" else second
    registration = replace(asked(more, less), flags=(why,) if why in UNSURE[1:] else ())
    assert compare_joint(first, second, SETTINGS, registration).change is change


@pytest.mark.parametrize(
    ("times_sdc", "change"),
    [(1.1, Direction.UNCHANGED), (1.7, Direction.UNCHANGED), (1.8, Direction.IMPROVED)],
)
def test_a_measure_alone_needs_more_within_the_interval_whoever_bears_witness(times_sdc, change):
    more, less = visits_apart(times_sdc, ALONE)
    found = compare_joint(visit(3, more, (2, 4)), visit(2, less, (2, 3)), SETTINGS, asked(more, less))
    assert found.change is change


def test_a_measure_alone_needs_its_sdc_where_the_grade_left_its_interval():
    more, less = visits_apart(1.1, ALONE)
    found = compare_joint(visit(3, more, (3, 4)), visit(2, less, (1, 2)), SETTINGS, asked(more, less))
    assert found.change is Direction.IMPROVED


@pytest.mark.parametrize("flag", UNSURE[1:])
def test_where_the_visits_share_less_no_other_reading_is_taken(flag):
    first, second = visit(3, BRIGHT, (3, 4)), visit(3, QUIET, (3, 3))
    registration = asked(BRIGHT, QUIET)
    assert compare_joint(first, second, SETTINGS, registration).change is Direction.IMPROVED
    doubted = replace(registration, flags=(flag,))
    assert compare_joint(first, second, SETTINGS, doubted).change is Direction.UNCHANGED


def test_fat_suppressed_differently_well_does_not_hide_a_grade_that_left_its_interval():
    poorer = replace(visit(0, QUIET), fat_suppression="poor")
    found = compare_joint(visit(3, BRIGHT), poorer, SETTINGS, asked(BRIGHT, QUIET))
    assert found.change is Direction.IMPROVED


WET = QUIET | {"effusion_width_mm": 3.0, "joint_signal_ratio": 0.9, "perimeter_fraction": 0.8}
DRIER = WET | {"effusion_width_mm": 1.5, "joint_signal_ratio": 0.5}
ONE_DRIER = WET | {"effusion_width_mm": 1.5}
OPEN = (3, 4)


@pytest.mark.parametrize("grade", [3, 4])
def test_less_extension_and_less_fluid_on_both_series_is_a_step_down_where_the_interval_leaves_it_open(grade):
    first, second = visit(grade, WET, OPEN), visit(grade, DRIER, OPEN)
    found = compare_joint(first, second, SETTINGS, asked(WET, DRIER, extension=-1))
    assert (found.change, found.baseline.grade, found.follow_up.grade) == (Direction.IMPROVED, 4, 3)
    assert "grades_of_shared_reading" in found.flags
    back = compare_joint(second, first, SETTINGS, asked(WET, DRIER, extension=-1).swapped)
    assert (back.change, back.baseline.grade, back.follow_up.grade) == (Direction.WORSENED, 3, 4)


@pytest.mark.parametrize(
    ("intervals", "there", "extension", "flags"),
    [
        ((OPEN, OPEN), (WET, DRIER), 0, ()),
        ((OPEN, OPEN), (WET, DRIER), 1, ()),
        ((OPEN, OPEN), (WET, ONE_DRIER), -1, ()),
        ((OPEN, OPEN), (WET, WET), -1, ()),
        ((OPEN, (3, 3)), (WET, WET), -1, ()),
        (((2, 3), (2, 3)), (WET, DRIER), -1, ()),
        ((OPEN, OPEN), (WET, DRIER), -1, ("reference_drift",)),
    ],
    ids=["as much", "more", "signal unlike", "fluid unlike", "not open", "other grades", "reference drifted"],
)
def test_fluid_alone_is_no_step_between_the_grades_of_extension(intervals, there, extension, flags):
    first, second = (visit(3, seen, span) for seen, span in zip((WET, DRIER), intervals, strict=True))
    found = compare_joint(first, second, SETTINGS, replace(asked(*there, extension=extension), flags=flags))
    assert (found.change, found.grade_change) == (Direction.UNCHANGED, 0)


@pytest.mark.parametrize(("same_times", "change"), [(True, "improved"), (False, "unchanged")])
def test_other_times_share_no_threshold(same_times, change):
    """Where the echo time differs, a limit means something else: a grade has to leave its interval."""
    first, second = visit(2, BRIGHT, (1, 2)), visit(1, QUIET, (1, 2))
    found = compare_joint(first, second, SETTINGS, Registration(0.2), same_times=same_times)
    assert found.change == change
    clear = compare_joint(
        visit(3, BRIGHT, (2, 4)), visit(1, QUIET, (1, 1)), SETTINGS, Registration(0.2), same_times=same_times
    )
    assert clear.change == "improved"


@pytest.mark.parametrize(
    ("drift", "flags", "change"),
    [
        (1.0, ("reference_drift",), Direction.UNCHANGED),
        (0.25, ("reference_drift",), Direction.WORSENED),
        (0.15, (), Direction.WORSENED),
    ],
    ids=["as much as the drift", "more than the drift", "no drift to speak of"],
)
def test_a_ratio_that_moved_with_its_reference_is_no_change(drift, flags, change):
    """CSF at half its signal doubles every ratio to it."""
    dry, wet = (QUIET | {"effusion_width_mm": width, "joint_signal_ratio": width / 3} for width in (0.7, 1.4))
    registration = Registration(0.2, flags=flags, reference_drift=drift)
    found = compare_joint(visit(0, dry, (0, 0)), visit(1, wet, (1, 1)), SETTINGS, registration)
    assert found.change is change


def test_drift_leaves_measures_that_are_no_ratio_alone():
    steady, drifted = (
        compare_joint(
            visit(3, BRIGHT),
            visit(3, BRIGHT | WET),
            SETTINGS,
            Registration(0.2, flags=flags, reference_drift=1.0),
        )
        for flags in ((), ("reference_drift",))
    )
    wider = {
        one.name for one, other in zip(steady.measures, drifted.measures, strict=True) if other.sdc > one.sdc
    }
    assert wider == {"effusion_width_mm", "joint_signal_ratio"}


measures = st.fixed_dictionaries({name: st.floats(0, 30 * floor) for name, floor in FLOORS.items()})
intervals = st.lists(st.integers(0, 4), min_size=3, max_size=3).map(sorted)


@given(
    st.tuples(intervals, intervals),
    st.tuples(intervals, intervals),
    st.tuples(measures, measures),
    st.tuples(measures, measures),
    st.integers(-1, 1),
    st.booleans(),
)
@effort(max_examples=200, deadline=None)
def test_the_other_order_tells_the_mirror_image(readings, judged, values, seen, extension, same_times):
    first, second = (
        visit(middle, found, (low, high)) for (low, middle, high), found in zip(readings, values, strict=True)
    )
    registration = asked(*seen, judged, extension)
    ahead = compare_joint(first, second, SETTINGS, registration, same_times=same_times)
    back = compare_joint(second, first, SETTINGS, registration.swapped, same_times=same_times)
    assert back.change is MIRROR[ahead.change]
    assert back.grade_change == -ahead.grade_change
    assert back.flags == ahead.flags


# ------------------------------------------------------------------------------------------------- who is asked


def grader_of(grades):
    """Grade by the study and the role that leads: axial where it is there, else STIR."""

    def grade(_joint, images, _levels):
        roles = [role for role in (FAT_SATURATED, STIR) if role in {str(one.role) for one in images.images}]
        found = grades.get((images.study_key, roles[0])) if roles else None
        if found is None:
            return JointResult(Level.L4_L5, Side.LEFT, NotGraded(Reason.NO_FAT_SUPPRESSED_SERIES))
        return JointResult(
            Level.L4_L5,
            Side.LEFT,
            Graded(*found[:3], "r", "because"),
            measured(roles[0], found[0], *found[3:]),
        )

    return grade


def measured(role, grade, *extension_mm3):
    gone = Missing(Reason.MEASURE_MISSING)
    return Measurements(
        level=Level.L4_L5,
        side=Side.LEFT,
        **{name: gone for name in MEASURES if name != "perimeter_fraction"},
        perimeter_fraction=grade / 4,
        perimeter_fraction_max_slice=gone,
        cyst_volume_mm3=gone,
        extension_mm3=dict(zip(("foramen", "pedicle"), extension_mm3, strict=False)),
        coverage_fraction=1.0,
        fat_suppression="good",
        sources=(role,),
    )


class _Image:
    def __init__(self, role):
        self.role = role


def visits_of(roles):
    images = tuple(_Image(role) for role in roles)
    return tuple(JointAtVisit(None, StudyImages(key, images), None) for key in ("a", "b"))


AXIAL_ROLE, STIR_ROLE = Role(Plane.AXIAL, Contrast.T2_FS), Role(Plane.SAGITTAL, Contrast.STIR)
MOVED = {
    ("a", FAT_SATURATED): (3, 2, 4),
    ("b", FAT_SATURATED): (1, 1, 1),
    ("a", STIR): (2, 2, 2),
    ("b", STIR): (1, 1, 1),
}


def heard(grades, roles=(AXIAL_ROLE, STIR_ROLE)):
    both, grade = visits_of(roles), grader_of(grades)
    results = tuple(one.graded(grade) for one in both)
    return witness_of(both, results, grade, SETTINGS.witness.roles, SETTINGS.extension.grades)


def test_the_second_series_is_measured_at_both_visits():
    found = heard(MOVED)
    assert found == Witness(
        Seen({"perimeter_fraction": 0.5}, (STIR,), (2, 2, 2)),
        Seen({"perimeter_fraction": 0.25}, (STIR,), (1, 1, 1)),
    )
    assert found.swapped.swapped == found


MORE, LESS = (3, 3, 4, 70.0, 0.0), (3, 3, 4, 0.0, 9.0)
UNKNOWN = (3, 3, 4)


@pytest.mark.parametrize(
    ("axial", "stir", "direction"),
    [
        ((MORE, LESS), (MORE, LESS), -1),
        ((LESS, MORE), (LESS, MORE), 1),
        ((MORE, LESS), (LESS, MORE), 0),
        ((MORE, MORE), (MORE, LESS), 0),
        ((MORE, LESS), (MORE, UNKNOWN), 0),
    ],
    ids=["less", "more", "they disagree", "as much on one", "not measured on one"],
)
def test_both_series_are_asked_whether_more_spreads_where_the_interval_leaves_it_open(axial, stir, direction):
    grades = {("a", FAT_SATURATED): axial[0], ("b", FAT_SATURATED): axial[1]}
    grades |= {("a", STIR): stir[0], ("b", STIR): stir[1]}
    assert heard(grades).extension_direction == direction
    assert heard(grades).swapped.extension_direction == -direction


@pytest.mark.parametrize(
    ("grades", "roles"),
    [
        (MOVED, (AXIAL_ROLE,)),
        (MOVED, (STIR_ROLE,)),
        (
            MOVED | dict.fromkeys([("a", FAT_SATURATED), ("b", FAT_SATURATED)], (2, 1, 2)),
            (AXIAL_ROLE, STIR_ROLE),
        ),
        (MOVED | {("b", STIR): None}, (AXIAL_ROLE, STIR_ROLE)),
        (MOVED | {("b", FAT_SATURATED): None}, (AXIAL_ROLE, STIR_ROLE)),
    ],
    ids=["no second series", "the witness leads", "nothing to tell", "not graded there", "not graded here"],
)
def test_where_nobody_can_be_asked_there_is_no_witness(grades, roles):
    assert heard(grades, roles) is None


def test_a_witness_is_kept_with_its_pair(tmp_path):
    key = ("s", Level.L4_L5, Side.LEFT)
    registration = replace(asked(BRIGHT, QUIET, ((2, 3, 4), (1, 1, 1)), -1), flags=("reference_drift",))
    registration = replace(registration, reference_drift=0.25)
    facts = {"s": {STIR: RoleProtocol(echo_time_ms=60.0)}}
    pair = PairedRows([], [], Evidence(facts, facts, {key: registration}))
    write_pair(tmp_path / "pair", pair, "wanted")
    assert read_pair(tmp_path / "pair", "s", "wanted").evidence.registrations == {key: registration}
