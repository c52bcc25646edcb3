"""Numbers in messages agree with their nouns, and the last line of a run claims no grade that is not there."""

from __future__ import annotations

import pytest

from lfja_mri.app.display import plain_table, run_summary
from lfja_mri.batch.regrade import study_folders
from lfja_mri.errors import ConfigurationError, InputError
from lfja_mri.ingest import find_studies
from lfja_mri.names import NAMES_TO_CHECK, NUMBERING_DOUBTS
from lfja_mri.phantom import load_recipe
from lfja_mri.pipeline import prepare
from lfja_mri.report.glossary import FLAG_WORDS
from lfja_mri.tables import read_csv
from lfja_mri.words import counted

GRADED = {"status": "graded", "reason": ""}
REFUSED = {"status": "not_graded", "reason": "no_fat_suppressed_series"}
SHORT = {"status": "not_graded", "reason": "insufficient_coverage"}


@pytest.mark.parametrize(
    ("number", "words"), [(0, "0 studies"), (1, "1 study"), (2, "2 studies"), (1000, "1000 studies")]
)
def test_one_is_singular(number, words):
    assert counted(number, "study", "studies") == words


def test_the_plain_plural_has_an_s():
    assert (counted(1, "page"), counted(3, "page")) == ("1 page", "3 pages")


def test_a_study_without_fat_suppression_is_finished_and_not_graded():
    assert run_summary([REFUSED] * 10, 1, 0) == (
        "1 study finished, 0 failed; 0 of 10 joints graded (not graded: 10 no_fat_suppressed_series)"
    )


def test_every_reason_is_counted():
    told = run_summary([GRADED] * 7 + [SHORT] + [REFUSED] * 2, 2, 1)
    assert told == (
        "2 studies finished, 1 failed; 7 of 10 joints graded "
        "(not graded: 1 insufficient_coverage, 2 no_fat_suppressed_series)"
    )


def test_a_whole_success_says_no_more_than_that():
    assert run_summary([GRADED] * 10, 1, 0) == "1 study finished, 0 failed; 10 of 10 joints graded"


def test_doubted_counts_are_told_by_study_and_flag():
    rows = [
        GRADED | {"study_key": key, "flags": flags}
        for key, flags in (
            ("a", "ribs_disagree;sagittal_only"),
            ("a", "ribs_disagree"),
            ("b", "sagittal_only"),
        )
    ]
    assert run_summary(rows, 2, 0).endswith(
        "3 of 3 joints graded; check the level names of 1 study (ribs_disagree)"
    )
    both = [*rows, GRADED | {"study_key": "c", "flags": "numbering_uncertain"}]
    assert run_summary(both, 3, 0).endswith(
        "check the level names of 2 studies (numbering_uncertain, ribs_disagree)"
    )


def test_the_doubts_are_flags_that_the_glossary_knows():
    assert set(FLAG_WORDS) >= set(NAMES_TO_CHECK) > set(NUMBERING_DOUBTS)


def test_one_useless_file_is_one_file(tmp_path):
    from lfja_mri.batch.options import RunOptions
    from lfja_mri.batch.run import grade_inputs

    (tmp_path / "notes.txt").write_text("no image", encoding="utf-8")
    with pytest.raises(InputError, match="found 1 file or series that cannot be used"):
        grade_inputs([tmp_path], tmp_path / "out", prepare(), RunOptions())
    assert not find_studies([tmp_path], prepare().settings.ingest).studies


def test_a_table_that_is_not_there_is_told_in_words_alone(tmp_path):
    with pytest.raises(InputError, match=r"cannot read the table .*trial\.csv: No such file or directory$"):
        read_csv(tmp_path / "trial.csv")


def test_a_misspelt_recipe_lists_what_there_is():
    with pytest.raises(ConfigurationError, match=r"no packaged recipe 'rutine'; known: .*routine_clinical"):
        load_recipe("rutine")


def test_a_folder_that_is_not_there_is_not_called_an_empty_one(tmp_path):
    with pytest.raises(InputError, match="nowhere is no folder"):
        study_folders(tmp_path / "nowhere")
    with pytest.raises(InputError, match="holds no graded studies"):
        study_folders(tmp_path)


def test_marks_that_are_not_there_are_missed_before_the_work(tmp_path):
    from lfja_mri.batch.options import RunOptions
    from lfja_mri.batch.run import run_studies

    options = RunOptions(overrides=tmp_path / "marks.csv")
    with pytest.raises(InputError, match=r"marks\.csv"):
        run_studies([], {}, tmp_path / "out", prepare(), options)
    assert not (tmp_path / "out").exists()


def test_a_narrow_terminal_breaks_a_name_between_its_words(capsys):
    from rich.console import Console

    Console(width=30).print(
        plain_table("The trial", ["mean_grade_change", "joints_graded"], [["-0.2", "10"]])
    )
    words = {word for line in capsys.readouterr().out.splitlines() for word in line.replace("┃", " ").split()}
    assert {"mean", "grade", "change", "joints", "graded"} <= words
