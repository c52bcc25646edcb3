"""A trial: visits in order of time, lost visits kept as rows, intervals by subject."""

from __future__ import annotations

import numpy as np
import pytest
from change_settings import fixed_settings

from lfja_mri.change.cohort import SUMMARY_COLUMNS, PairedRows, cohort_changes, summary_rows
from lfja_mri.change.comparison import Evidence
from lfja_mri.change.manifest import months_of, read_manifest, visit_order
from lfja_mri.change.plots import MEASURE_TITLES, changes_plot, grades_plot
from lfja_mri.change.types import MEASURES, Direction, Registration, Status
from lfja_mri.errors import InputError, Reason
from lfja_mri.model import STANDARD_LEVELS, Level, Side
from lfja_mri.tables import to_csv

SETTINGS = fixed_settings()
ORDER = ("baseline", "6", "12")


def rows(subject, visit, *, right_l4=0, worse=()):
    """Ten joints of one visit; L4-L5 right has its own grade, `worse` are at grade 1."""
    result = []
    for level in STANDARD_LEVELS:
        for side in Side:
            own = (level, side) == (Level.L4_L5, Side.RIGHT)
            grade = right_l4 if own else int((level, side) in worse)
            result.append(
                {
                    "subject": subject,
                    "visit": visit,
                    "study_key": f"{subject}{visit}",
                    "level": level.value,
                    "side": side.value,
                    "status": "graded",
                    "grade": str(grade),
                    "effusion_width_mm": f"{2 * grade:.3f}",
                    "perimeter_fraction": f"{grade / 4:.3f}",
                    "oedema_extent_mm": f"{grade * 5:.3f}",
                    "numbering_basis": "sacrum",
                    "sources": "sagittal_stir",
                    "scale": "s",
                    "rules_digest": "d",
                }
            )
    return result


TRIAL = [
    *rows("a", "baseline", right_l4=3),
    *rows("a", "6", right_l4=2),
    *rows("a", "12", right_l4=1),
    *rows("b", "baseline", right_l4=2),
    *rows("b", "12", right_l4=2, worse={(Level.L5_S1, Side.LEFT)}),
]


@pytest.mark.parametrize(
    ("name", "months"),
    [
        ("baseline", 0),
        ("Screening", 0),
        ("0", 0),
        ("3", 3),
        ("6 months", 6),
        ("m12", 12),
        ("month_18", 18),
        ("24mo", 24),
        ("one_year", 12),
        ("2 years", 24),
        ("unscheduled", None),
        ("6 months extra", None),
    ],
)
def test_a_visits_name_tells_its_time(name, months):
    assert months_of(name) == months


def test_weeks_and_days_are_parts_of_months():
    assert months_of("week 2") == pytest.approx(0.46, abs=0.01)
    assert months_of("day 30") == pytest.approx(0.99, abs=0.01)


def test_visits_are_ordered_by_time_not_by_spelling():
    names = ["12 months", "unscheduled", "3 months", "baseline", "24 months"]
    assert visit_order(names) == ("baseline", "3 months", "12 months", "24 months", "unscheduled")


def test_a_manifest_is_sorted_and_its_paths_are_relative_to_it(tmp_path):
    path = tmp_path / "trial.csv"
    path.write_text("subject,visit,path\nb,12,b12\na,12,a12\na,baseline,a0\n")
    manifest = read_manifest(path)
    assert [(one.subject, one.visit) for one in manifest.visits] == [
        ("a", "baseline"),
        ("a", "12"),
        ("b", "12"),
    ]
    assert manifest.visits[0].path == tmp_path / "a0"
    assert manifest.order == ("baseline", "12")
    assert manifest.subjects == ("a", "b")


def test_a_subject_with_two_studies_for_a_visit_is_left_out_with_the_reason(tmp_path):
    path = tmp_path / "trial.csv"
    path.write_text("subject,visit,path\na,baseline,x\na,baseline,y\nb,baseline,z\nc,,w\n")
    manifest = read_manifest(path)
    assert [one.subject for one in manifest.visits] == ["b"]
    assert [(one.where, one.reason) for one in manifest.rejections] == [
        ("row 1", Reason.DUPLICATE_VISIT),
        ("row 2", Reason.DUPLICATE_VISIT),
        ("row 4", Reason.MISSING_VISIT),
    ]


def test_a_row_that_stands_there_twice_counts_once(tmp_path):
    path = tmp_path / "trial.csv"
    path.write_text("subject,visit,path\na,baseline,x\na,baseline, x\na,12,y\n")
    manifest = read_manifest(path)
    assert [one.visit for one in manifest.visits] == ["baseline", "12"]
    assert [(one.where, one.reason) for one in manifest.rejections] == [("row 2", Reason.DUPLICATE_FILE)]


def test_a_manifest_without_a_usable_row_is_refused(tmp_path):
    path = tmp_path / "trial.csv"
    path.write_text("subject,visit,path\na,baseline,x\na,baseline,y\n")
    with pytest.raises(InputError, match=r"no row of trial\.csv"):
        read_manifest(path)


def test_every_later_visit_is_compared_with_the_first():
    changes = cohort_changes(TRIAL, ORDER, SETTINGS)
    improved = [(c.subject, c.follow_up_visit) for c in changes if c.change is Direction.IMPROVED]
    assert improved == [("a", "6"), ("a", "12")]
    assert {c.baseline_visit for c in changes} == {"baseline"}
    assert len(changes) == 40


def test_a_lost_visit_keeps_its_rows():
    changes = cohort_changes(TRIAL, ORDER, SETTINGS)
    lost = [c for c in changes if (c.subject, c.follow_up_visit) == ("b", "6")]
    assert len(lost) == 10
    assert {(c.status, c.reason) for c in lost} == {(Status.NOT_COMPARABLE, Reason.MISSING_VISIT)}


def test_a_subject_without_baseline_is_never_stable():
    changes = cohort_changes([*TRIAL, *rows("c", "12")], ORDER, SETTINGS)
    alone = [c for c in changes if c.subject == "c" and c.follow_up_visit == "12"]
    assert len(alone) == 10
    assert {c.change for c in alone} == {None}


def test_visits_measured_in_one_frame_take_the_place_of_the_table():
    registration = {("a", Level.L4_L5, Side.RIGHT): Registration(0.3)}
    pair = PairedRows(
        rows("a", "baseline", right_l4=3), rows("a", "12"), Evidence(registrations=registration)
    )
    changes = cohort_changes(TRIAL, ORDER, SETTINGS, {("a", "12"): pair})
    (change,) = [c for c in changes if c.registration_error_mm is not None]
    assert (change.grade_change, change.follow_up_visit) == (-3, "12")


def test_the_summary_counts_what_the_rows_say():
    changes = cohort_changes(TRIAL, ORDER, SETTINGS)
    baseline, _, last = summary_rows(TRIAL, changes, ORDER, SETTINGS)
    assert (baseline["joints_graded"], baseline["mean_grade"]) == (20, 0.25)
    assert "joints_comparable" not in baseline
    assert last["mean_grade_change"] == pytest.approx((-2 + 1) / 20)
    assert last["mean_grade_change_low"] <= last["mean_grade_change"] <= last["mean_grade_change_high"]
    assert (last["affected_joints"], last["affected_mean_grade_change"]) == (2, -1)
    assert (last["improved"], last["unchanged"], last["worsened"]) == (1, 18, 1)
    assert (last["responders"], last["responder_fraction"]) == (1, 0.5)
    assert last["worst_joints"] == "b L4-L5 right"
    assert to_csv(SUMMARY_COLUMNS, [baseline, last]).count("\n") == 3


def test_one_subject_has_a_mean_but_no_interval():
    single = [row for row in TRIAL if row["subject"] == "a"]
    *_, last = summary_rows(single, cohort_changes(single, ORDER, SETTINGS), ORDER, SETTINGS)
    assert last["mean_grade_change"] == pytest.approx(-0.2)
    assert "mean_grade_change_low" not in last


def test_the_interval_is_that_of_drawing_subjects():
    """Twenty subjects, half of them two grades better at every joint: the mean's standard error is 2 * 0.5/sqrt(20)."""
    trial = []
    for number in range(20):
        subject = f"s{number:02d}"
        every = {(level, side) for level in STANDARD_LEVELS for side in Side}
        trial += rows(subject, "baseline", right_l4=1, worse=every)
        trial += rows(subject, "12", right_l4=1, worse=every) if number % 2 else rows(subject, "12")
    changes = cohort_changes(trial, ("baseline", "12"), SETTINGS)
    *_, last = summary_rows(trial, changes, ("baseline", "12"), SETTINGS)
    half_width = (last["mean_grade_change_high"] - last["mean_grade_change_low"]) / 2
    assert half_width == pytest.approx(1.96 * 0.5 / np.sqrt(20), rel=0.15)


def test_plots_are_the_same_bytes_each_time():
    changes = cohort_changes(TRIAL, ORDER, SETTINGS)
    for draw in (lambda: grades_plot(TRIAL, ORDER), lambda: changes_plot(changes, ORDER)):
        first, second = draw(), draw()
        assert first.startswith(b"\x89PNG")
        assert first == second


def test_every_measure_is_titled_in_words_with_its_unit():
    assert set(MEASURE_TITLES) == set(MEASURES)
    assert not any("_" in title for title in MEASURE_TITLES.values())
    for name, title in MEASURE_TITLES.items():
        unit = title.partition("(")[2].rstrip(")")
        assert unit.replace("³", "3") == name.rpartition("_")[2] or name.endswith(("ratio", "fraction"))
        assert unit, "a number without a unit tells nothing"
