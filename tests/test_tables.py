"""Tables say the same thing in the same bytes, and missing is an empty cell."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfja_mri.errors import InputError, OutputError
from lfja_mri.tables import format_cell, read_csv, to_csv, write_text


def test_missing_is_empty_and_zero_has_no_sign():
    assert to_csv(["a", "b", "c"], [{"a": None, "b": -0.0001, "c": 2}]) == "a,b,c\n,0.000,2\n"


def test_a_key_that_is_no_column_is_a_bug():
    with pytest.raises(KeyError, match="grad"):
        to_csv(["grade"], [{"grad": 1}])


@given(st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_a_number_written_is_the_number_read_to_its_last_digit(value):
    assert float(format_cell(value)) == pytest.approx(value, abs=0.0005001, rel=1e-6)


@given(
    st.lists(
        st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"])),
        min_size=1,
        max_size=4,
    )
)
def test_any_text_survives_a_round_trip(tmp_path_factory, cells):
    columns = [f"c{i}" for i in range(len(cells))]
    path = tmp_path_factory.mktemp("csv") / "t.csv"
    write_text(path, to_csv(columns, [dict(zip(columns, cells, strict=True))]))
    assert list(read_csv(path)[0].values()) == cells


def test_a_missing_column_is_named_with_what_was_found(tmp_path):
    (tmp_path / "t.csv").write_text("study,level\n1,L4-L5\n")
    with pytest.raises(InputError, match="lacks the column grade; found study, level"):
        read_csv(tmp_path / "t.csv", ["grade"])


def test_a_folder_that_cannot_be_made_is_an_output_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="choose a folder you may write to"):
        write_text(tmp_path / "file" / "x.csv", "")
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]
