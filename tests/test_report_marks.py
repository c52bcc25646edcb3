from __future__ import annotations

import json

import fake_results as fake
import pytest

from lfja_mri.errors import InputError
from lfja_mri.report import bids
from lfja_mri.report.marks import MarkKind, ReaderMark, read_marks, with_marks

HEAD = "subject,visit,study_key,level,side,mark,grade,reason,reader\n"


def rows() -> list[dict[str, str]]:
    return fake.grade_table(fake.study_result("k1"), "S01", "baseline")


def write(tmp_path, *lines: str):
    path = tmp_path / "marks.csv"
    path.write_text(HEAD + "".join(f"S01,baseline,{line}\n" for line in lines), encoding="utf-8")
    return path


def test_marks_change_the_table_and_say_so(tmp_path):
    path = write(
        tmp_path,
        "k1,L4-L5,left,other_grade,3,less than it seems,R1",
        "k1,L5-S1,left,exclude,,screw,R1",
        "k1,L3-L4,left,disagree,,,R1",
        "k1,L2-L3,left,agree,1,,R1",
        "k2,L2-L3,left,exclude,,another study,R1",
    )
    changed = {(r["level"], r["side"]): r for r in with_marks(rows(), read_marks(path))}
    worse = changed["L4-L5", "left"]
    assert (worse["grade"], worse["grade_low"], worse["grade_high"], worse["rule"]) == (3, 3, 3, "reader")
    assert "graded_by_reader" in worse["flags"].split(";")
    excluded = changed["L5-S1", "left"]
    assert (excluded["status"], excluded["grade"], excluded["reason"]) == (
        "not_graded",
        None,
        "excluded_by_reader",
    )
    assert excluded["perimeter_fraction"] != ""
    assert changed["L3-L4", "left"]["grade"] == "2"
    assert "reader_disagrees" in changed["L3-L4", "left"]["flags"]
    before = {(r["level"], r["side"]): r for r in rows()}
    assert changed["L2-L3", "right"] == before["L2-L3", "right"]


def test_a_reader_may_grade_what_the_tool_refused():
    key = ("k1", "L1-L2", "right")
    marked = with_marks(rows(), {key: ReaderMark(MarkKind.OTHER_GRADE, 0)})
    row = next(r for r in marked if (r["level"], r["side"]) == key[1:])
    assert (row["status"], row["grade"], row["reason"]) == ("graded", 0, None)


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (["k1,L4-L5,left,maybe,,,R1"], "maybe"),
        (["k1,L4-L5,left,other_grade,5,,R1"], "0 to 4"),
        (["k1,L4-L5,left,other_grade,,,R1"], "0 to 4"),
        (["k1,L4-L5,left,agree,4,,R1", "k1,L4-L5,left,exclude,,,R2"], "twice"),
    ],
)
def test_a_mark_that_cannot_be_read_is_refused_by_line(tmp_path, lines, told):
    with pytest.raises(InputError, match=told) as error:
        read_marks(write(tmp_path, *lines))
    assert "line" in str(error.value)


def test_bids_names_hold_only_letters_and_digits():
    files = bids.bids_files(fake.study_result(), subject="S_01", visit="12 months")
    stem = "sub-S01/ses-12months/anat/sub-S01_ses-12months_desc-facetzones_dseg"
    assert set(files) == {f"{stem}.nii.gz", f"{stem}.json", f"{stem}.tsv"}
    table = files[f"{stem}.tsv"].decode().splitlines()
    assert table[0] == "index\tname\tcolor"
    assert any(line.startswith("401\tL4-L5 left joint_space\t#") for line in table)
    assert json.loads(bids.dataset_description("0.1.0"))["DatasetType"] == "derivative"
    assert bids.bids_files(fake.without_levels(fake.study_result()), subject="S01") == {}
