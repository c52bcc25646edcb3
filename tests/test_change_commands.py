"""`compare` in a shell: two tables in, a table out that awk reads, and an exit code that a script can use."""

from __future__ import annotations

import shlex
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from lfja_mri.app import app
from lfja_mri.change import CHANGE_COLUMNS, REQUIRED_COLUMNS
from lfja_mri.errors import ExitCode
from lfja_mri.model import STANDARD_LEVELS, Level, Side
from lfja_mri.results import GRADES_COLUMNS
from lfja_mri.tables import to_csv

QUIET = {"effusion_width_mm": 0.2, "joint_signal_ratio": 0.2, "perimeter_fraction": 0.0}
INFLAMED = {"effusion_width_mm": 2.5, "joint_signal_ratio": 0.8, "perimeter_fraction": 0.8}
runner = CliRunner()


def table(path, visit, inflamed=()):
    """A `grades.csv` of ten joints, quiet but for some levels' right joints."""
    rows = []
    for level in STANDARD_LEVELS:
        for side in Side:
            ill = side is Side.RIGHT and level in inflamed
            row = dict.fromkeys((*GRADES_COLUMNS, *REQUIRED_COLUMNS), "")
            row |= {
                "subject": "s1",
                "visit": visit,
                "study_key": visit,
                "level": level.value,
                "side": side.value,
            }
            row |= {"status": "graded", "grade": 3 * ill, "grade_low": 3 * ill, "grade_high": 3 * ill}
            row |= {"fat_suppression": "ok", "numbering_basis": "sacrum", "sources": "axial_t2_fs"}
            row |= {"scale": "czervionke_fenton", "rules_digest": "abc", "tool_version": "0"}
            rows.append(row | (INFLAMED if ill else QUIET))
    path.write_text(to_csv(GRADES_COLUMNS, rows), encoding="utf-8")
    return path


@pytest.fixture
def visits(tmp_path):
    baseline = table(tmp_path / "baseline.csv", "baseline", (Level.L4_L5,))
    return baseline, table(tmp_path / "one_year.csv", "one_year", (Level.L2_L3,))


def test_a_shell_reads_the_table_from_a_pipe(visits):
    command = [sys.executable, "-m", "lfja_mri", "compare", *map(str, visits), "--out", "-"]
    column = {name: CHANGE_COLUMNS.index(name) + 1 for name in ("level", "side", "change")}
    script = f"NR > 1 {{ print ${column['level']}, ${column['side']}, ${column['change']} }}"
    line = f"{shlex.join(command)} | awk -F, {shlex.quote(script)}"
    lines = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(lines) == 10
    assert "L4-L5 right improved" in lines
    assert "L2-L3 right worsened" in lines
    assert sum(one.endswith(" unchanged") for one in lines) == 8


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ((), ExitCode.DONE),
        (("--fail-on", "worsened"), ExitCode.CHECK_NOT_MET),
        (("--fail-on", "improved"), ExitCode.CHECK_NOT_MET),
        (("--fail-on", "not_comparable"), ExitCode.DONE),
        (("--fail-on", "bettered"), ExitCode.USAGE),
    ],
)
def test_the_exit_code_tells_a_script_what_it_asked(visits, asked, code):
    result = runner.invoke(app, ["compare", *map(str, visits), "--out", "-", *asked])
    assert result.exit_code == code
    # a word that cannot be asked for is refused before any work
    assert result.stdout.partition("\n")[0] == ("" if code is ExitCode.USAGE else ",".join(CHANGE_COLUMNS))


def test_a_side_without_a_study_is_code_four_and_leaves_the_pipe_empty(visits, tmp_path):
    (tmp_path / "empty").mkdir()
    result = runner.invoke(app, ["compare", str(visits[0]), str(tmp_path / "empty"), "--out", "-"])
    assert result.exit_code == ExitCode.NOTHING_USABLE
    assert result.stdout == ""


def test_a_visit_against_itself_is_unchanged_and_backwards_is_the_mirror(visits):
    first, second = visits

    def changes(one, other):
        rows = runner.invoke(app, ["compare", str(one), str(other), "--out", "-"]).stdout.splitlines()[1:]
        return [row.split(",")[CHANGE_COLUMNS.index("change")] for row in rows]

    mirror = {"improved": "worsened", "worsened": "improved", "unchanged": "unchanged"}
    assert set(changes(first, first)) == {"unchanged"}
    assert changes(second, first) == [mirror[one] for one in changes(first, second)]
