"""What `--help` says beyond the options: what a command writes, when it ends with which code, and examples that run.

Each example is one paragraph, so that the terminal keeps it on a line of its own; the tests check that its options exist.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import typer


@dataclass(frozen=True)
class Manual:
    """The end of a command's help: notes first, then (command line, what it does)."""

    notes: tuple[str, ...]
    examples: tuple[tuple[str, str], ...]

    @property
    def epilog(self) -> str:
        """Return the text as paragraphs."""
        shown = [f"  {_plain(line)}   [dim]# {_plain(words)}[/]" for line, words in self.examples]
        return "\n\n".join([*(_plain(note) for note in self.notes), "[bold]Examples[/]", *shown])


def _plain(text: str) -> str:
    return text.replace("[", r"\[")


EXIT_SHORT = "Exit codes: 0 done, 2 usage, 3 configuration, 4 nothing usable in the input, 7 cannot write."
MANUALS: Mapping[str, Manual] = {
    "grade": Manual(
        (
            (
                "Writes OUT/grades.csv (ten rows a study), OUT/run.json, OUT/index.html and OUT/studies/KEY/ with levels.csv, joints.csv, "
                "measurements, explanations, label map, pictures and a page. A finished study is not done again."
            ),
            (
                "Exit codes: 0 done, 4 nothing usable, 5 some studies failed, 6 all failed, 7 cannot write, 8 --strict not met. A joint that "
                "cannot be graded is a normal result."
            ),
        ),
        (
            ("lfja-mri grade study_folder --out graded", "a folder, .zip, .tar.gz or DICOMDIR"),
            ("lfja-mri grade archive --out graded --jobs 8 --timeout 600", "many studies"),
            ("lfja-mri grade study_folder --out graded --explain L4-L5 right", "why this grade"),
            ("lfja-mri grade study_folder --out graded --overrides marks.csv", "with a reader's marks"),
            (
                "lfja-mri grade study_folder --out graded --masks seg.nii.gz --mask-scheme spineps",
                "others' masks",
            ),
        ),
    ),
    "inspect": Manual(
        ("Reads headers first, pixels only where the header cannot tell. Writes nothing. " + EXIT_SHORT,),
        (
            ("lfja-mri inspect study_folder", "a tree"),
            ("lfja-mri inspect archive.zip --json | jq .studies", "for scripts"),
        ),
    ),
    "ingest": Manual(
        ("Writes NAME.nii.gz and NAME.json per stack, and OUT/index.json. " + EXIT_SHORT,),
        (("lfja-mri ingest archive.zip --out nifti", "every usable stack, and what was left out"),),
    ),
    "locate": Manual(
        ("Writes one row per disc: place, axes, size, confidence, what the names rest on. " + EXIT_SHORT,),
        (
            ("lfja-mri locate study_folder --out levels.csv", "names counted from the sacrum"),
            ("lfja-mri locate study_folder --out - --lowest-level L6", "a reader knows better"),
        ),
    ),
    "segment": Manual(
        ("Writes zones.nii.gz with names and colours, joints.csv, levels.csv and pictures. " + EXIT_SHORT,),
        (("lfja-mri segment study_folder --out joints", "joint regions without grades"),),
    ),
    "compare": Manual(
        (
            (
                "Two DICOM studies are measured in common joint frames; graded folders and tables are compared as they stand. Beside "
                "CHANGE.csv lies CHANGE.html with both visits side by side."
            ),
            "Exit codes: 0 done, 4 nothing usable, 7 cannot write, 8 --fail-on met.",
        ),
        (
            ("lfja-mri compare baseline one_year --out change.csv", "two studies"),
            (
                "lfja-mri compare graded/baseline graded/one_year --out - --quiet",
                "two graded folders, for a pipe",
            ),
            ("lfja-mri compare baseline one_year --out change.csv --fail-on worsened", "for a script"),
        ),
    ),
    "cohort": Manual(
        (
            (
                "The manifest has a row per visit: subject,visit,path; paths are relative to it. Writes grades.csv, change.csv, summary.csv, "
                "plots and cohort.html. Grading never learns which visit is which."
            ),
            "Exit codes: 0 done, 5 some studies failed or were left out, 6 all failed, 7 cannot write, 8 --strict not met.",
        ),
        (
            ("lfja-mri cohort trial.csv --out trial --jobs 8", "a whole trial"),
            (
                "lfja-mri cohort trial.csv --out trial --repeatability repeatability.toml --parquet",
                "your own noise",
            ),
        ),
    ),
    "repeatability": Manual(
        ("The pairs have a row per subject: subject,first,second. " + EXIT_SHORT,),
        (
            (
                "lfja-mri repeatability pairs.csv --out repeatability.toml",
                "smallest detectable changes, as TOML",
            ),
        ),
    ),
    "regrade": Manual(
        (
            "Needs no images. Exit codes: 0 done, 3 configuration, 4 no archive, 8 --check and a grade differs.",
        ),
        (
            ("lfja-mri regrade graded --check", "do today's rules still give these grades?"),
            ("lfja-mri regrade graded --config my_rules.toml --out regraded.csv", "other thresholds"),
        ),
    ),
    "verify": Manual(
        ("Exit codes: 0 all as written, 4 no archive, 8 a file differs.",),
        (("lfja-mri verify graded", "years later"),),
    ),
    "agree": Manual(
        (
            "The reference has the columns study_key, level, side and grade; marks of a study's page and the output of unblind have them. "
            + EXIT_SHORT,
        ),
        (
            ("lfja-mri agree graded/grades.csv reader.csv", "a table for people"),
            ("lfja-mri agree graded/grades.csv marks.csv --json", "for scripts"),
        ),
    ),
    "report": Manual(
        ("Needs no images: pages are made from the archive's tables and stored pictures. " + EXIT_SHORT,),
        (("lfja-mri report graded", "the pages of a run that was made with --no-report"),),
    ),
    "export": Manual(
        (
            "DICOM: zones_seg.dcm (segmentation) and grades_sr.dcm (TID 1500) per study; as confidential as the images. BIDS: a "
            "derivative data set with dataset_description.json, _dseg.nii.gz, .json and .tsv. " + EXIT_SHORT,
        ),
        (
            ("lfja-mri export study_folder --out objects --dicom", "for a PACS, OHIF, 3D Slicer"),
            (
                "lfja-mri export archive --out derivatives/lfja --bids --salt-file secret.key",
                "for BIDS tools",
            ),
        ),
    ),
    "worksheet": Manual(
        ("Writes worksheet.html, worksheet.csv and key.csv; keep the key from the readers. " + EXIT_SHORT,),
        (("lfja-mri worksheet trial_folder --out reading --seed 7 --repeats 20", "a blinded reading set"),),
    ),
    "unblind": Manual(
        (EXIT_SHORT,),
        (
            ("lfja-mri unblind filled.csv reading/key.csv --out reader.csv", "first readings"),
            ("lfja-mri unblind filled.csv reading/key.csv --out again.csv --reading 2", "the repeats"),
        ),
    ),
    "phantom": Manual(
        ("Writes DICOM studies and truth.csv at the top. The same seed gives the same bytes. " + EXIT_SHORT,),
        (
            ("lfja-mri phantom --out phantoms --seed 1 --count 3", "three people"),
            ("lfja-mri phantom --out pairs --recipe trial --seed 1 --count 10 --pairs", "with follow-ups"),
        ),
    ),
    "rules": Manual(
        ("Exit codes: 0 done, 3 the rules file cannot be read.",),
        (
            ("lfja-mri rules", "the packaged table"),
            ("lfja-mri rules my_rules.toml", "yours, checked and in words"),
        ),
    ),
    "info": Manual(
        ("Paste this into a bug report: it holds nothing of a patient.",),
        (("lfja-mri info --json", "versions, digests, optional parts"),),
    ),
}


def attach(app: typer.Typer) -> None:
    """Give every registered command the end of its help."""
    for command in app.registered_commands:
        name = command.name or (command.callback.__name__ if command.callback else "")
        if name in MANUALS:
            command.epilog = MANUALS[name].epilog
