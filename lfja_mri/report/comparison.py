"""The page of two visits: which joints changed beyond noise, seen side by side or under a slider."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lfja_mri.model import JointResult, StudyResult
from lfja_mri.report import render, views
from lfja_mri.report.places import VIEWS_BAND
from lfja_mri.report.render import About, Row
from lfja_mri.report.stored import small_picture

_MEASURE_PARTS = ("baseline", "follow_up", "change", "sdc")
_CHANGES = ("improved", "unchanged", "worsened", "not_comparable")


@dataclass(frozen=True)
class StoredPair:
    """Pictures of one joint that were stored when each visit was graded, as PNG bytes."""

    earlier: bytes
    later: bytes


@dataclass(frozen=True)
class ChangeCard:
    """One joint's change as the page shows it."""

    row: Row
    pairs: tuple[views.Pair, ...]
    stored: tuple[str, str] | None

    @property
    def anchor(self) -> str:
        """Return the fragment that links to the joint."""
        return f"{self.row['level']}-{self.row['side']}"

    @property
    def name(self) -> str:
        """Return `L4-L5 right`."""
        return f"{self.row['level']} {self.row['side']}"

    @property
    def verdict(self) -> str:
        """Return the change, or that the joint cannot be compared."""
        return verdict_of(self.row)

    @property
    def flags(self) -> list[str]:
        """Return the flags of the comparison."""
        return [flag for flag in self.row.get("flags", "").split(";") if flag]

    @property
    def measures(self) -> list[tuple[str, ...]]:
        """Return (name, baseline, follow-up, change, SDC, verdict) of every measure taken at either visit."""
        names = [column.removesuffix("_sdc") for column in self.row if column.endswith("_sdc")]
        cells = [(name, *(self.row.get(f"{name}_{part}", "") for part in _MEASURE_PARTS)) for name in names]
        return [_measure_line(*cell) for cell in cells if cell[1] or cell[2]]


def verdict_of(row: Row) -> str:
    """Return improved, unchanged, worsened or not_comparable."""
    return row.get("change") or "not_comparable"


def comparison_page(
    rows: Sequence[Row],
    *,
    about: About,
    studies: tuple[StudyResult, StudyResult] | None = None,
    stored: Mapping[str, StoredPair] | None = None,
) -> str:
    """Return the page of a comparison of two visits of one subject.

    Parameters
    ----------
    rows
        Rows of `change.csv`, cells as text.
    about
        Version and rules.
    studies
        Baseline and follow-up with their images, where pixels are at hand: both drawn anew with one window.
    stored
        Where they are not: the stored picture of each joint by `L4-L5 right`.
    """
    cards = tuple(_card(row, studies, stored or {}) for row in rows)
    counts = Counter(card.verdict for card in cards)
    first = rows[0] if rows else {}
    visits = f"{first.get('baseline_visit') or 'baseline'} to {first.get('follow_up_visit') or 'follow-up'}"
    return render.render(
        "comparison.html.j2",
        title=f"Change of the lumbar facet joints, {visits}",
        tool_version=about.tool_version,
        meanings=about.meanings,
        facts=(
            ("subject", first.get("subject", "")),
            *((render.words(change), str(counts[change])) for change in _CHANGES),
            ("scale", about.scale_name),
            ("rules", about.rules_digest or first.get("rules_digest", "")),
        ),
        cards=cards,
        measured_anew=any(row["registration_error_mm"] for row in rows),
        outlines=render.outline_key(),
    )


def _card(
    row: Row, studies: tuple[StudyResult, StudyResult] | None, stored: Mapping[str, StoredPair]
) -> ChangeCard:
    kept = stored.get(f"{row['level']} {row['side']}")
    uris = None if kept is None else _views_of(kept)
    if studies is None:
        return ChangeCard(row, (), uris)
    baseline, follow_up = (_joint_of(study, row) for study in studies)
    if baseline is None or follow_up is None:
        return ChangeCard(row, (), uris)
    pairs = views.pair_views(baseline, studies[0].images, follow_up, studies[1].images)
    return ChangeCard(row, pairs, uris)


def _views_of(kept: StoredPair) -> tuple[str, str]:
    """Return the views of both stored pictures, without the single-visit grades written above and below them."""
    return small_picture(kept.earlier, band=VIEWS_BAND), small_picture(kept.later, band=VIEWS_BAND)


def _joint_of(study: StudyResult, row: Row) -> JointResult | None:
    wanted = (row["level"], row["side"])
    return next((joint for joint in study.joints if (joint.level.value, joint.side.value) == wanted), None)


def _measure_line(name: str, *cells: str) -> tuple[str, ...]:
    """Return a line of the table of measures; numbers are judged as they are and shown with the digits that count."""
    digits = 0 if name.endswith("_mm3") else 2
    shown = (f"{float(cell):z.{digits}f}" if cell else "" for cell in cells)
    return (name, *shown, _beyond(cells[2], cells[3]))


def _beyond(change: str, sdc: str) -> str:
    if not change:
        return ""
    if not sdc:
        return "noise not known"
    return "beyond noise" if abs(float(change)) > float(sdc) else "within noise"
