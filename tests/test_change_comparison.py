"""A change is a grade that moved and a measure that moved further than noise; all else is unchanged or refused."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import pytest
from change_settings import FLOORS, fixed_settings
from hypothesis import given, settings
from hypothesis import strategies as st

from lfja_mri.change import (
    CHANGE_COLUMNS,
    MEASURES,
    REQUIRED_COLUMNS,
    Change,
    Direction,
    Evidence,
    Registration,
    RoleProtocol,
    Status,
    change_rows,
    compare_joint,
    compare_tables,
    read_visit_joint,
)
from lfja_mri.config import load_change_settings
from lfja_mri.errors import ConfigurationError, InputError, Reason
from lfja_mri.model import LEVELS_WITH_L6, STANDARD_LEVELS, Level, Side
from lfja_mri.settings.change import ChangeSettings, MeasureRepeatability, ProtocolRepeatability
from lfja_mri.tables import to_csv

SETTINGS = fixed_settings()
QUIET = {
    "effusion_width_mm": "0.200",
    "effusion_volume_mm3": "10.000",
    "joint_signal_ratio": "0.300",
    "perimeter_fraction": "0.000",
    "soft_tissue_oedema_volume_mm3": "0.000",
    "bone_oedema_volume_mm3": "0.000",
    "oedema_extent_mm": "0.000",
    "oedema_signal_ratio": "0.200",
}
INFLAMED = QUIET | {
    "perimeter_fraction": "0.700",
    "soft_tissue_oedema_volume_mm3": "900.000",
    "oedema_extent_mm": "8.000",
}


def row(grade="0", measures=QUIET, level="L4-L5", side="right", **cells):
    """One row of grades.csv, as text."""
    return {
        "subject": "s1",
        "visit": "baseline",
        "study_key": "k1",
        "level": level,
        "side": side,
        "status": "graded" if grade else "not_graded",
        "grade": grade,
        "reason": "" if grade else "fat_suppression_failed",
        **(measures if grade else {}),
        "fat_suppression": "good",
        "numbering_basis": "sacrum",
        "sources": "sagittal_stir;axial_t2_fs",
        "flags": "",
        "scale": "czervionke_fenton_2008",
        "rules_digest": "abc",
        "tool_version": "0.1.0",
        **cells,
    }


def later(cells):
    return cells | {"visit": "one_year", "study_key": "k2"}


def study(levels=STANDARD_LEVELS, **cells):
    return [row(level=level.value, side=side.value, **cells) for level in levels for side in Side]


def compare_one(first, second, **evidence) -> Change:
    (change,) = compare_tables([first], [later(second)], SETTINGS, Evidence(**evidence))
    return change


def test_the_published_case_ends_as_published():
    """L4-L5 right improved; the other nine joints unchanged."""
    baseline = study()
    index = next(i for i, one in enumerate(baseline) if (one["level"], one["side"]) == ("L4-L5", "right"))
    baseline[index] = row("3", INFLAMED)
    changes = compare_tables(baseline, [later(one) for one in study()], SETTINGS)
    improved = [(one.level, one.side) for one in changes if one.change is Direction.IMPROVED]
    assert improved == [(Level.L4_L5, Side.RIGHT)]
    assert [one.change for one in changes].count(Direction.UNCHANGED) == 9


def test_grade_moved_but_measures_within_noise_is_unchanged():
    change = compare_one(row("2"), row("1"))
    assert change.change is Direction.UNCHANGED
    assert change.grade_change == -1
    assert "grade_moved_within_noise" in change.flags


def test_measure_moved_but_grade_did_not_is_unchanged():
    change = compare_one(row("2", INFLAMED), row("2"))
    assert change.change is Direction.UNCHANGED
    assert "measure_moved_within_grade" in change.flags


@pytest.mark.parametrize(
    ("first", "second", "change"),
    [
        (("2", "2", "3"), ("1", "1", "1"), Direction.IMPROVED),
        (("2", "1", "2"), ("1", "1", "1"), Direction.UNCHANGED),
        (("2", "2", "2"), ("1", "1", "2"), Direction.UNCHANGED),
        (("3", "2", "3"), ("1", "1", "2"), Direction.IMPROVED),
    ],
)
def test_a_grade_moves_only_beyond_the_interval_of_either_visit(first, second, change):
    names = ("grade", "grade_low", "grade_high")
    cells = [dict(zip(names, values, strict=True)) for values in (first, second)]
    found = compare_one(row(measures=INFLAMED) | cells[0], row() | cells[1])
    assert found.change is change
    assert ("grade_moved_within_interval" in found.flags) == (change is Direction.UNCHANGED)


@pytest.mark.parametrize(("asked", "change"), [("unregistered", "improved"), ("always", "unchanged")])
def test_in_one_frame_the_interval_is_shared_and_need_not_be_left(asked, change):
    """Thresholds, zones and place are the same at both visits there; the flag still tells."""
    first, second = row("2", INFLAMED, grade_low="1", grade_high="3"), row("1", grade_low="1", grade_high="2")
    one, other = read_visit_joint(first), read_visit_joint(later(second))
    chosen = SETTINGS.model_copy(update={"grade_must_leave_interval": asked})
    found = compare_joint(one, other, chosen, Registration(0.2))
    assert found.change == change
    assert "grade_moved_within_interval" in found.flags
    assert compare_joint(one, other, chosen).change is Direction.UNCHANGED


@pytest.mark.parametrize(
    ("first", "second", "grades"),
    [
        (("1", "1", "1"), ("1", "0", "1"), (1, 0)),
        (("3", "3", "4"), ("3", "3", "3"), (4, 3)),
        (("1", "1", "2"), ("1", "0", "1"), (1, 0)),
        (("1", "1", "1"), ("1", "1", "1"), None),
        (("2", "1", "2"), ("2", "2", "2"), None),
        (("2", "2", "2"), ("2", "1", "3"), None),
    ],
)
def test_in_one_frame_both_visits_may_be_read_another_way(first, second, grades):
    """The grades are the same, but one end of both intervals moved, and a measure went the same way by many SDCs."""
    names = ("grade", "grade_low", "grade_high")
    cells = [dict(zip(names, values, strict=True)) for values in (first, second)]
    one = read_visit_joint(row(measures=INFLAMED) | cells[0])
    other = read_visit_joint(later(row() | cells[1]))
    found = compare_joint(one, other, SETTINGS, Registration(0.2))
    assert ("grades_of_shared_reading" in found.flags) == (grades is not None)
    assert found.change is (Direction.IMPROVED if grades else Direction.UNCHANGED)
    assert (found.baseline.grade, found.follow_up.grade) == (grades or (one.grade, other.grade))
    assert compare_joint(one, other, SETTINGS).change is Direction.UNCHANGED, "not in one frame"
    mirrored = compare_joint(other, one, SETTINGS, Registration(0.2))
    assert mirrored.grade_change == -found.grade_change


def test_another_reading_needs_a_measure_far_beyond_its_sdc():
    one, other = row("1"), row("1", grade_low="0", grade_high="1")
    one |= {"grade_low": "1", "grade_high": "1"}
    found = compare_joint(read_visit_joint(one), read_visit_joint(later(other)), SETTINGS, Registration(0.2))
    assert found.change is Direction.UNCHANGED
    assert "grades_of_shared_reading" not in found.flags


@pytest.mark.parametrize(("times", "change"), [(1.7, "unchanged"), (1.8, "improved")])
def test_within_its_interval_a_grade_needs_a_measure_further_beyond_its_sdc(times, change):
    flat = {"perimeter_fraction": MeasureRepeatability(sem_floor=0.03, sem_share=0.0, pairs=50)}
    known = SETTINGS.repeatability.model_copy(update={"protocol": (ProtocolRepeatability(measures=flat),)})
    plain = SETTINGS.model_copy(update={"repeatability": known})
    fraction = f"{times * 1.96 * 2**0.5 * 0.03:.6f}"
    cells = {"grade_low": "1", "grade_high": "2"}
    first = read_visit_joint(row("2", QUIET | {"perimeter_fraction": fraction}, **cells))
    second = read_visit_joint(later(row("1", **cells)))
    assert compare_joint(first, second, plain, Registration(0.2)).change == change
    assert (
        compare_joint(
            replace(first, grade_interval=(2, 2)), replace(second, grade_interval=(1, 1)), plain
        ).change
        == "improved"
    )


@pytest.mark.parametrize(
    ("grades", "moved", "change"),
    [
        (("3", "2"), ("perimeter_fraction",), "improved"),
        (("3", "2"), ("effusion_width_mm",), "unchanged"),
        (("3", "2"), ("joint_signal_ratio",), "unchanged"),
        (("3", "2"), ("effusion_width_mm", "joint_signal_ratio"), "improved"),
        (("1", "0"), ("perimeter_fraction",), "unchanged"),
        (("1", "0"), ("effusion_width_mm",), "improved"),
        (("1", "0"), ("joint_signal_ratio",), "improved"),
        (("3", "0"), ("joint_signal_ratio",), "improved"),
        (("3", "0"), ("perimeter_fraction",), "improved"),
        (("3", "2"), ("effusion_volume_mm3",), "unchanged"),
        (("3", "2"), ("oedema_signal_ratio",), "unchanged"),
        (("4", "3"), ("soft_tissue_oedema_volume_mm3",), "unchanged"),
        (("4", "3"), ("soft_tissue_oedema_volume_mm3", "bone_oedema_volume_mm3"), "improved"),
        (("4", "3"), ("soft_tissue_oedema_volume_mm3", "effusion_volume_mm3"), "unchanged"),
    ],
)
def test_a_grade_is_confirmed_by_what_its_step_rests_on(grades, moved, change):
    measures = QUIET | {name: str(float(QUIET[name]) + 20 * FLOORS[name]) for name in moved}
    found = compare_one(row(grades[0], measures), row(grades[1]))
    assert found.change == change
    assert ("grade_moved_within_noise" in found.flags) == (change == "unchanged")


def test_grade_and_measure_in_opposite_directions_is_unchanged():
    change = compare_one(row("2"), row("1", INFLAMED))
    assert change.change is Direction.UNCHANGED


@pytest.mark.parametrize(("moved", "detected"), [(0.9, 0), (1.0, 0), (1.1, 1)])
def test_a_change_of_exactly_the_sdc_is_not_detected(moved, detected):
    known = SETTINGS.repeatability.protocol[-1].measures["oedema_extent_mm"]
    flat = {"oedema_extent_mm": known.model_copy(update={"sem_floor": 1.0, "sem_share": 0.0})}
    entry = SETTINGS.repeatability.protocol[-1].model_copy(update={"measures": flat})
    plain = SETTINGS.model_copy(
        update={"repeatability": SETTINGS.repeatability.model_copy(update={"protocol": (entry,)})}
    )
    sdc = 1.96 * 2**0.5
    second = replace(read_visit_joint(row()), measures={"oedema_extent_mm": moved * sdc})
    first = replace(second, measures={"oedema_extent_mm": 0.0})
    measure = next(m for m in compare_joint(first, second, plain).measures if m.name == "oedema_extent_mm")
    assert measure.sdc == pytest.approx(sdc)
    assert measure.detected == detected


@pytest.mark.parametrize("which", ["baseline", "follow_up"])
def test_a_missing_visit_is_never_stable(which):
    pair = (row(""), row("0")) if which == "baseline" else (row("0"), row(""))
    change = compare_one(*pair)
    assert change.status is Status.NOT_COMPARABLE
    assert change.change is None
    assert change.grade_change is None
    assert change.reason is Reason.NOT_GRADED


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"rules_digest": "def"}, Reason.DIFFERENT_RULES),
        ({"scale": "other"}, Reason.DIFFERENT_RULES),
        ({"rules_digest": ""}, Reason.DIFFERENT_RULES),
        ({"numbering_basis": "assumed"}, Reason.DIFFERENT_NUMBERING),
        ({"sources": "axial_t2_fs"}, Reason.DIFFERENT_CONTRAST),
        ({"sources": "axial_dixon_water;sagittal_stir"}, Reason.DIFFERENT_CONTRAST),
        ({"sources": "axial_t1_fs_gd"}, Reason.DIFFERENT_CONTRAST_AGENT),
    ],
)
def test_other_rules_numbering_or_contrast_is_refused_with_its_reason(cells, reason):
    change = compare_one(row("3", INFLAMED), row("0", **cells))
    assert (change.status, change.change, change.reason) == (Status.NOT_COMPARABLE, None, reason)
    assert all(measure.change is None and measure.sdc is None for measure in change.measures)
    assert change.measures[3].baseline == 0.7, "both visits' numbers stay there to read"


@pytest.mark.parametrize(
    ("cells", "flag"),
    [
        ({"sources": "axial_stir;axial_t2_fs"}, "different_sources"),
        ({"fat_suppression": "fair"}, "different_fat_suppression"),
        ({"tool_version": "0.2.0"}, "different_tool_version"),
        ({"subject": "s2"}, "different_subject"),
    ],
)
def test_lesser_differences_are_flagged(cells, flag):
    change = compare_one(row("3", INFLAMED), row("0", **cells))
    assert change.change is Direction.IMPROVED
    assert flag in change.flags
    assert flag not in compare_one(row(), row()).flags


@pytest.mark.parametrize("visit", ["baseline", "follow_up"])
def test_names_doubted_at_either_visit_are_flagged_and_other_flags_are_not(visit):
    def flags_with(flags):
        first, second = ({"flags": flags if name == visit else ""} for name in ("baseline", "follow_up"))
        return compare_one(row("3", INFLAMED, **first), row("0", **second)).flags

    assert "numbering_doubted" in flags_with("ribs_disagree;sagittal_only")
    assert "numbering_doubted" not in flags_with("sagittal_only")


def test_a_joint_of_one_visit_only_is_missing():
    changes = compare_tables([row(), row(side="left")], [row()], SETTINGS)
    assert {one.side: one.reason for one in changes} == {Side.LEFT: Reason.MISSING_JOINT, Side.RIGHT: None}


def test_another_set_of_levels_is_a_numbering_slip_of_the_whole_study():
    changes = compare_tables(study(), [later(one) for one in study(LEVELS_WITH_L6)], SETTINGS)
    assert {one.reason for one in changes} == {Reason.DIFFERENT_NUMBERING}


GOOD = RoleProtocol(1.5, 60.0, 160.0, 4.0, 0.6, None, "maker")


@pytest.mark.parametrize(
    ("other", "status", "flag"),
    [
        (replace(GOOD, manufacturer_key="other"), Status.COMPARABLE, "different_scanner"),
        (replace(GOOD, echo_time_ms=80.0), Status.COMPARABLE, "different_echo_time"),
        (replace(GOOD, pitch_mm=6.0), Status.COMPARABLE, "different_pitch"),
        (replace(GOOD, pixel_mm=0.9), Status.COMPARABLE, "different_pixel_size"),
        (replace(GOOD, inversion_time_ms=220.0), Status.COMPARABLE, "different_inversion_time"),
        (replace(GOOD, field_strength_t=3.0), Status.NOT_COMPARABLE, "different_field_strength"),
        (replace(GOOD, contrast_agent=True), Status.NOT_COMPARABLE, "different_contrast_agent"),
        (replace(GOOD, echo_time_ms=None), Status.COMPARABLE, "protocol_unknown"),
        (replace(GOOD, echo_time_ms=66.0), Status.COMPARABLE, "different_echo_time"),
        (replace(GOOD, echo_time_ms=62.0), Status.COMPARABLE, None),
    ],
)
def test_another_protocol_is_flagged_or_refused(other, status, flag):
    protocols = [{"s1": {"sagittal_stir": one, "axial_t2_fs": GOOD}} for one in (GOOD, other)]
    change = compare_one(row(), row(), baseline_protocol=protocols[0], follow_up_protocol=protocols[1])
    assert change.status is status
    protocol_flags = {one for one in change.flags if one.startswith(("different", "protocol"))}
    assert protocol_flags == ({flag} if flag else set())


def test_a_failed_registration_leaves_the_grades_and_says_so():
    failed = Registration(None, Reason.REGISTRATION_FAILED)
    change = compare_one(
        row("3", INFLAMED), row("0"), registrations={("s1", Level.L4_L5, Side.RIGHT): failed}
    )
    assert change.change is Direction.IMPROVED
    assert "registration_failed" in change.flags


def test_a_numbering_slip_seen_by_registration_is_refused():
    slip = Registration(0.4, Reason.DIFFERENT_NUMBERING)
    change = compare_one(row("3", INFLAMED), row("0"), registrations={("s1", Level.L4_L5, Side.RIGHT): slip})
    assert change.reason is Reason.DIFFERENT_NUMBERING
    assert change.registration_error_mm == 0.4


def test_a_subject_twice_in_one_table_is_refused():
    with pytest.raises(InputError, match="L4-L5 right of one subject twice"):
        compare_tables([row(), row()], [row()], SETTINGS)


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ({"level": "L9"}, "column level holds 'L9'"),
        ({"side": "L"}, "column side holds 'L'"),
        ({"grade": "two"}, "column grade holds 'two'"),
        ({"effusion_width_mm": "wide"}, "column effusion_width_mm holds 'wide'"),
        ({"effusion_width_mm": "nan"}, "a missing value is an empty cell"),
    ],
)
def test_a_malformed_cell_is_named(cells, words):
    with pytest.raises(InputError, match=words):
        compare_tables([row() | cells], [row()], SETTINGS)


def test_an_empty_table_is_refused():
    with pytest.raises(InputError, match="baseline table has no rows"):
        compare_tables([], [row()], SETTINGS)


def test_an_unknown_sdc_detects_nothing_and_says_so():
    bare = SETTINGS.model_copy(
        update={"repeatability": SETTINGS.repeatability.model_copy(update={"protocol": ()})}
    )
    (change,) = compare_tables([row("3", INFLAMED)], [later(row("0"))], bare)
    assert change.change is Direction.UNCHANGED
    assert "sdc_unknown" in change.flags


def test_the_sdc_of_the_protocol_at_hand_is_preferred():
    general = SETTINGS.repeatability.protocol[-1]
    exact = general.model_copy(
        update={
            "sources": ("axial_t2_fs", "sagittal_stir"),
            "measures": {
                "perimeter_fraction": general.measures["perimeter_fraction"].model_copy(
                    update={"sem_floor": 1.0, "sem_share": 0.0}
                )
            },
        }
    )
    noisy = SETTINGS.model_copy(
        update={"repeatability": SETTINGS.repeatability.model_copy(update={"protocol": (general, exact)})}
    )
    (change,) = compare_tables([row("3", INFLAMED)], [later(row("0"))], noisy)
    sdc = {measure.name: measure.sdc for measure in change.measures}
    assert sdc["perimeter_fraction"] == pytest.approx(1.96 * 2**0.5)
    assert sdc["effusion_width_mm"] is None


def test_repeats_in_one_frame_say_nothing_of_visits_in_their_own():
    registered = [entry.model_copy(update={"registered": True}) for entry in SETTINGS.repeatability.protocol]
    known = SETTINGS.repeatability.model_copy(update={"protocol": tuple(registered)})
    in_one_frame = SETTINGS.model_copy(update={"repeatability": known})
    first, second = read_visit_joint(row("3", INFLAMED)), read_visit_joint(later(row("0")))
    apart = compare_joint(first, second, in_one_frame)
    assert {measure.sdc for measure in apart.measures} == {None}
    together = compare_joint(first, second, in_one_frame, Registration(0.2))
    assert None not in {measure.sdc for measure in together.measures}
    assert together.change is Direction.IMPROVED


def test_change_csv_has_the_agreed_columns_and_reads_in_a_shell():
    text = to_csv(CHANGE_COLUMNS, change_rows([compare_one(row("3", INFLAMED), row("0"))]))
    (cells,) = csv.DictReader(io.StringIO(text))
    assert list(cells)[:11] == [
        "subject",
        "baseline_visit",
        "follow_up_visit",
        "level",
        "side",
        "status",
        "change",
        "baseline_grade",
        "follow_up_grade",
        "grade_change",
        "reason",
    ]
    assert list(cells)[-4:] == ["registration_error_mm", "flags", "rules_digest", "tool_version"]
    assert len(cells) == 11 + 4 * len(MEASURES) + 4
    assert (cells["change"], cells["grade_change"]) == ("improved", "-3")
    assert cells["perimeter_fraction_change"] == "-0.700"
    assert cells["registration_error_mm"] == ""
    assert cells["effusion_width_mm_change"] == "0.000"


def test_a_users_file_overrides_one_key_and_a_misspelt_one_is_named(tmp_path):
    path = tmp_path / "change.toml"
    path.write_text('[comparability]\nscanner = "refuse"\n')
    loaded = load_change_settings(path)
    assert loaded.comparability.scanner == "refuse"
    assert loaded.comparability.pitch == SETTINGS.comparability.pitch
    path.write_text('[comparability]\nscaner = "refuse"\n')
    with pytest.raises(ConfigurationError, match="did you mean 'scanner'"):
        load_change_settings(path)


def test_every_measure_has_a_repeatability():
    assert isinstance(SETTINGS, ChangeSettings)
    packaged = load_change_settings().repeatability
    for protocol in packaged.protocol:
        assert set(protocol.measures) <= set(MEASURES)
    assert set(packaged.protocol[-1].measures) == set(MEASURES)


# ------------------------------------------------------------------------------------------------- laws

numbers = st.floats(0, 2000).map(lambda value: f"{value:.3f}")
joint_rows = st.builds(
    lambda grade, measures, sources, basis, digest: row(
        grade, measures, sources=sources, numbering_basis=basis, rules_digest=digest
    ),
    st.sampled_from(["", "0", "1", "2", "3", "4"]),
    st.fixed_dictionaries({}, optional=dict.fromkeys(MEASURES, numbers)),
    st.sampled_from(["sagittal_stir", "axial_stir", "axial_t2_fs;sagittal_stir"]),
    st.sampled_from(["sacrum", "assumed"]),
    st.sampled_from(["abc", "def"]),
)


@given(joint_rows)
@settings(max_examples=60, deadline=None)
def test_a_visit_against_itself_never_changes(cells):
    (change,) = compare_tables([cells], [cells], SETTINGS)
    assert change.change in {Direction.UNCHANGED, None}
    assert all(not measure.detected for measure in change.measures)


@given(joint_rows, joint_rows)
@settings(max_examples=150, deadline=None)
def test_swapping_the_visits_mirrors_the_change(first, second):
    (forward,) = compare_tables([first], [later(second)], SETTINGS)
    (backward,) = compare_tables([later(second)], [first], SETTINGS)
    mirror = {Direction.IMPROVED: Direction.WORSENED, Direction.WORSENED: Direction.IMPROVED}
    assert backward.change == mirror.get(forward.change, forward.change)
    assert (backward.status, backward.reason, backward.flags) == (
        forward.status,
        forward.reason,
        forward.flags,
    )
    for one, other in zip(forward.measures, backward.measures, strict=True):
        assert (one.baseline, one.follow_up, one.sdc) == (other.follow_up, other.baseline, other.sdc)
        assert one.change == (None if other.change is None else -other.change)


def test_required_columns_are_those_of_the_agreement():
    assert set(row()) >= set(REQUIRED_COLUMNS) - set(MEASURES)
