"""Parquet beside the CSV: the same rows, the types of the schema, nulls for empty cells, the same bytes."""

from __future__ import annotations

import importlib.util
import io

import fake_results as fake
import pytest
from conftest import ROOT
from typer.testing import CliRunner

from lfja_mri import parquet
from lfja_mri.app import app
from lfja_mri.tables import write_text

pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed (pip install 'lfja-mri[parquet]')")
pq = pytest.importorskip("pyarrow.parquet")


def csv_text(rows: list[dict[str, str]]) -> str:
    return "\n".join([",".join(rows[0]), *(",".join(row.values()) for row in rows)]) + "\n"


def test_types_are_those_of_the_schema_and_empty_cells_are_nulls():
    rows = fake.grade_table(fake.study_result(), "S01", "baseline")
    table = pq.read_table(io.BytesIO(parquet.to_parquet(rows, "grades")))
    assert table.column_names == list(rows[0])
    assert table.schema.field("grade").type == pa.int64()
    assert table.schema.field("x_lps_mm").type == pa.float64()
    assert table.schema.field("study_key").type == pa.string()
    for row, typed in zip(rows, table.to_pylist(), strict=True):
        assert typed["grade"] == (int(row["grade"]) if row["grade"] else None)
        assert typed["reason"] == (row["reason"] or None)


def test_the_same_rows_give_the_same_bytes():
    rows = fake.change_table()
    assert parquet.to_parquet(rows, "change") == parquet.to_parquet(rows, "change")


def test_only_tables_that_exist_get_a_copy(tmp_path):
    write_text(tmp_path / "grades.csv", csv_text(fake.grade_table(fake.study_result(), "S01", "baseline")))
    written = parquet.write_beside([tmp_path / "grades.csv", tmp_path / "change.csv"])
    assert [path.name for path in written] == ["grades.parquet"]
    assert pq.read_table(written[0]).num_rows == 10


def test_the_packaged_schemas_are_those_of_the_docs():
    assert parquet.schema_folder().is_dir()
    for path in (ROOT / "docs" / "schema").glob("*.json"):
        assert (parquet.schema_folder() / path.name).read_bytes() == path.read_bytes()


def test_without_pyarrow_the_command_refuses_before_any_work(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    asked = ["grade", str(tmp_path), "--out", str(tmp_path / "out"), "--parquet"]
    done = CliRunner().invoke(app, asked)
    assert done.exit_code == 2
    assert not (tmp_path / "out").exists()
