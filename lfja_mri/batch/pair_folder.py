"""What two visits of a person gave in common joint frames, kept in a folder with a ledger, as a study's result is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lfja_mri.batch.folder import StudyFiles, finished, to_json, write_study_folder
from lfja_mri.change import Evidence, PairedRows, Registration, RoleProtocol, Seen, Witness
from lfja_mri.errors import Reason
from lfja_mri.model import Level, Side
from lfja_mri.results import GRADES_COLUMNS
from lfja_mri.tables import read_csv, to_csv

PAIRS = "pairs"
BASELINE, FOLLOW_UP, EVIDENCE = "baseline.csv", "follow_up.csv", "evidence.json"


def write_pair(folder: Path, pair: PairedRows, wanted: str) -> None:
    """Write a pair's folder whole: both tables as `grades.csv` has them, and what the images add.

    Raises
    ------
    OutputError
        The folder cannot be written.
    """
    files = {
        BASELINE: to_csv(GRADES_COLUMNS, pair.baseline).encode(),
        FOLLOW_UP: to_csv(GRADES_COLUMNS, pair.follow_up).encode(),
        EVIDENCE: to_json(_plain(pair.evidence)),
    }
    write_study_folder(folder, StudyFiles(files, {}), wanted)


def read_pair(folder: Path, subject: str, wanted: str) -> PairedRows | None:
    """Return a pair that was measured for exactly this request; None where it has to be measured."""
    if not finished(folder, wanted):
        return None
    told = json.loads((folder / EVIDENCE).read_text(encoding="utf-8"))
    evidence = _evidence(told, subject)
    return PairedRows(read_csv(folder / BASELINE), read_csv(folder / FOLLOW_UP), evidence)


def _plain(evidence: Evidence) -> dict[str, Any]:
    """Return evidence of one person as JSON holds it; the person is known by who asks."""
    (baseline,), (follow_up,) = evidence.baseline_protocol.values(), evidence.follow_up_protocol.values()
    return {
        "baseline_protocol": {role: asdict(facts) for role, facts in baseline.items()},
        "follow_up_protocol": {role: asdict(facts) for role, facts in follow_up.items()},
        "registrations": [
            {"level": level.value, "side": side.value, **asdict(found)}
            for (_, level, side), found in evidence.registrations.items()
        ],
    }


def _evidence(told: Mapping[str, Any], subject: str) -> Evidence:
    baseline, follow_up = (
        {role: RoleProtocol(**facts) for role, facts in told[name].items()}
        for name in ("baseline_protocol", "follow_up_protocol")
    )
    registrations = {
        (subject, Level(one["level"]), Side(one["side"])): Registration(
            one["error_mm"],
            Reason(one["reason"]) if one["reason"] else None,
            tuple(one["flags"]),
            _witness(one["witness"]),
            one["reference_drift"],
        )
        for one in told["registrations"]
    }
    return Evidence({subject: baseline}, {subject: follow_up}, registrations)


def _witness(told: Mapping[str, Any] | None) -> Witness | None:
    if told is None:
        return None
    return Witness(_seen(told["baseline"]), _seen(told["follow_up"]), told["extension_direction"])


def _seen(told: Mapping[str, Any]) -> Seen:
    return Seen(told["measures"], tuple(told["sources"]), tuple(told["readings"]))
