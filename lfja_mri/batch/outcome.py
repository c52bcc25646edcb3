"""What a run over many studies ended in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lfja_mri.batch.folder import STUDIES
from lfja_mri.errors import ExitCode, Reason
from lfja_mri.model import Level, Rejection, Side
from lfja_mri.names import numbering_doubts
from lfja_mri.words import counted


@dataclass(frozen=True)
class StudyFailure:
    """A study that gave no result."""

    study_key: str
    reason: Reason
    detail: str


@dataclass(frozen=True, eq=False)
class RunReport:
    """What a run ended in."""

    out: Path
    finished: tuple[str, ...]
    skipped: tuple[str, ...]
    failures: tuple[StudyFailure, ...]
    rejections: tuple[Rejection, ...] = ()
    rows: tuple[Mapping[str, str], ...] = field(default=())

    def rows_by_study(self) -> dict[str, list[Mapping[str, str]]]:
        """Return the rows of `grades.csv` by study."""
        grouped: dict[str, list[Mapping[str, str]]] = {}
        for row in self.rows:
            grouped.setdefault(row["study_key"], []).append(row)
        return grouped

    def exit_code(self, *, strict: bool) -> ExitCode:
        """Return the code that scripts read."""
        if self.failures:
            return ExitCode.SOME_FAILED if self.finished else ExitCode.ALL_FAILED
        return ExitCode.CHECK_NOT_MET if strict and self.doubts() else ExitCode.DONE

    def doubts(self) -> str:
        """Say what a strict run refuses: joints without a grade, level names assumed or in doubt; empty where none."""
        bare = sum(row["status"] != "graded" for row in self.rows)
        assumed = sum(row["numbering_basis"] == "assumed" for row in self.rows)
        doubted = sum(bool(numbering_doubts([row["flags"]])) for row in self.rows)
        found = (
            (bare, "without a grade"),
            (assumed, "with an assumed level name"),
            (doubted, "with a level name in doubt"),
        )
        return ", ".join(f"{counted(number, 'joint')} {what}" for number, what in found if number)

    def explanation(self, level: Level, side: Side) -> str:
        """Return the explanation of one joint in every study, with the study's key where there are several."""
        place = f"{level.value} {side.value}"
        texts = []
        for key in self.finished:
            stored = (self.out / STUDIES / key / "explanations.txt").read_text(encoding="utf-8")
            own = [text for text in stored.strip().split("\n\n") if text.startswith(f"{place}:")]
            heading = [f"study {key}"] if len(self.finished) > 1 else []
            texts.append("\n".join([*heading, *(own or [f"{place}: this study has no such joint."])]))
        return "\n\n".join(texts)
