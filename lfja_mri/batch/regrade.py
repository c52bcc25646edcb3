"""Rules applied again to stored measurements, without a pixel: for another rules file, or to check an archive."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lfja_mri.batch.folder import STUDIES
from lfja_mri.errors import InputError
from lfja_mri.grading import RuleTable, explain, judge, measurements_from_json
from lfja_mri.model import JointResult, Measurements
from lfja_mri.results import GRADES_COLUMNS, Scale, outcome_cells, row_order
from lfja_mri.tables import read_csv, to_csv

OUTCOME_COLUMNS = ("status", "grade", "grade_low", "grade_high", "rule", "reason", "extension")


@dataclass(frozen=True)
class Difference:
    """One cell of one joint that the rules now judge otherwise."""

    study_key: str
    level: str
    side: str
    column: str
    archived: str
    regraded: str


@dataclass(frozen=True, eq=False)
class Regraded:
    """A regraded archive: its table, where it differs from the archived one, and why.

    Parameters
    ----------
    reasons
        One entry per joint that is judged otherwise: what it was, what it is now, and the explanation in words.
    archived_rules
        Digests of the rules that the archive was judged by.
    """

    csv: str
    studies: int
    joints: int
    differences: tuple[Difference, ...]
    reasons: tuple[Mapping[str, Any], ...] = ()
    archived_rules: tuple[str, ...] = ()

    def report(self, rules: RuleTable) -> dict[str, Any]:
        """Return what changed and why, as plain values."""
        return {
            "studies": self.studies,
            "joints": self.joints,
            "archived_rules": list(self.archived_rules),
            "rules": rules.digest,
            "changed": [asdict(difference) for difference in self.differences],
            "why": [dict(reason) for reason in self.reasons],
        }


def regrade(archive: Path, rules: RuleTable) -> Regraded:
    """Judge every study of a `grade` output folder again.

    Raises
    ------
    InputError
        The folder holds no graded studies, or stored measurements are damaged.
    CheckError
        Measurements were made by another measurement version.
    """
    folders = study_folders(archive)
    judged = [one for folder in folders for one in _regraded_rows(folder, rules)]
    rows = sorted((new for _, new, _ in judged), key=row_order)
    differences = tuple(difference for old, new, _ in judged for difference in _differences(old, new))
    reasons = tuple(
        _reason(old, new, joint, rules) for old, new, joint in judged if [*_differences(old, new)]
    )
    archived = tuple(sorted({old["rules_digest"] for old, _, _ in judged}))
    return Regraded(to_csv(GRADES_COLUMNS, rows), len(folders), len(rows), differences, reasons, archived)


def study_folders(archive: Path) -> list[Path]:
    """Return the folders of graded studies in an archive, sorted.

    Raises
    ------
    InputError
        There is none.
    """
    found = (path for path in (archive / STUDIES).glob("*") if not path.name.startswith("."))
    folders = sorted(path for path in found if (path / "measurements.json").is_file())
    if not folders:
        raise InputError(
            f"{archive} {'holds no graded studies' if archive.is_dir() else 'is no folder'}; needed a folder that `lfja-mri grade` wrote"
        )
    return folders


def _regraded_rows(
    folder: Path, rules: RuleTable
) -> Iterator[tuple[dict[str, str], dict[str, str], JointResult | None]]:
    measured = {(m.level.value, m.side.value): m for m in measurements_from_json(_stored(folder))}
    scale = Scale(rules.scale, rules.digest)
    for row in read_csv(folder / "grades.csv", GRADES_COLUMNS):
        measurements = measured.get((row["level"], row["side"]))
        joint = None if measurements is None else _judged(measurements, rules)
        yield row, _judged_again(row, joint, scale), joint


def _judged(measurements: Measurements, rules: RuleTable) -> JointResult:
    return JointResult(measurements.level, measurements.side, judge(measurements, rules), measurements)


def _reason(
    old: Mapping[str, str], new: Mapping[str, str], joint: JointResult | None, rules: RuleTable
) -> dict[str, Any]:
    same = old["rules_digest"] == rules.digest
    return {
        **{name: new[name] for name in ("study_key", "level", "side")},
        "archived": {name: old[name] for name in OUTCOME_COLUMNS if old[name]},
        "regraded": {name: new[name] for name in OUTCOME_COLUMNS if new[name]},
        "cause": "the archived table is not what the same rules give" if same else "other rules",
        "because": "" if joint is None else explain(joint, rules),
    }


def _stored(folder: Path) -> Mapping[str, Any]:
    try:
        stored = json.loads((folder / "measurements.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            f"study {folder.name}: the stored measurements cannot be read; grade it again"
        ) from error
    if not isinstance(stored, dict):
        raise InputError(f"study {folder.name}: the stored measurements are damaged; grade it again")
    return stored


def _judged_again(row: dict[str, str], joint: JointResult | None, scale: Scale) -> dict[str, str]:
    named = {"scale": scale.name, "rules_digest": scale.rules_digest}
    if joint is None:
        return row | named
    cells = dict.fromkeys(OUTCOME_COLUMNS, "") | {k: str(v) for k, v in outcome_cells(joint).items()}
    return row | cells | named


def _differences(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[Difference]:
    for column in OUTCOME_COLUMNS:
        if old[column] != new[column]:
            yield Difference(new["study_key"], new["level"], new["side"], column, old[column], new[column])
