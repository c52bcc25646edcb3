"""How far apart are two measurements of a joint that did not change.

From pairs of repeats: the standard error of measurement (SEM), the smallest detectable change, the intraclass
correlation and the limits of agreement, per measure and per set of sources. Written as the TOML file that
`change.toml` names.

Measures spread more the larger they are, so SEM(m) = hypot(floor, share * m) is fitted to the pairs; of the perimeter,
itself a share p, with sqrt(p (1 - p)) in place of m (`noise`). Pairs in which a measure is zero both times tell nothing
about its spread and are left out of the fit: a tool that says "nothing" twice has not shown how finely it measures.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.optimize import nnls

from lfja_mri.change.noise import noise_scale
from lfja_mri.change.rows import Row, read_visit_joint
from lfja_mri.change.types import MEASURES, VisitJoint
from lfja_mri.errors import InputError
from lfja_mri.model import FloatArray
from lfja_mri.settings.change import MeasureRepeatability, ProtocolRepeatability, RepeatabilitySettings
from lfja_mri.tables import read_csv

JointPair = tuple[VisitJoint, VisitJoint]

PAIRS_COLUMNS = ("subject", "first", "second")
LIMITS_Z = 1.96


@dataclass(frozen=True)
class RepeatPaths:
    """Where two scans of one unchanged subject lie: each a study, a `grade` output folder or a `grades.csv`."""

    subject: str
    first: Path
    second: Path


def read_pairs(path: Path) -> tuple[RepeatPaths, ...]:
    """Read PAIRS.csv (`subject,first,second`); paths are relative to the file's own folder.

    Raises
    ------
    InputError
        The file has no rows or lacks a column, or a path is empty.
    """
    rows = read_csv(path, PAIRS_COLUMNS)
    if not rows:
        raise InputError(f"{path.name} has no rows; one row per repeated subject is needed")
    for number, row in enumerate(rows, start=1):
        if not row["first"] or not row["second"]:
            raise InputError(f"row {number} of {path.name} lacks a path; both scans of a pair are needed")
    return tuple(
        RepeatPaths(row["subject"], path.parent / row["first"], path.parent / row["second"]) for row in rows
    )


def joint_pairs(first_rows: Sequence[Row], second_rows: Sequence[Row]) -> list[JointPair]:
    """Pair the joints of two `grades.csv` of one subject by level and side; those graded once only are left out."""
    first = {(joint.level, joint.side): joint for joint in map(read_visit_joint, first_rows)}
    second = {(joint.level, joint.side): joint for joint in map(read_visit_joint, second_rows)}
    return [
        (first[key], second[key])
        for key in first
        if key in second and first[key].grade is not None and second[key].grade is not None
    ]


def repeatability(
    pairs: Sequence[JointPair], *, provenance: str, fewest_pairs: int, registered: bool = False
) -> RepeatabilitySettings:
    """Fit the repeatability of every measure, per set of sources and for any.

    Parameters
    ----------
    pairs
        Joints measured twice without change.
    provenance
        What was repeated, how often, under which protocol; ends in the file.
    registered
        Whether both scans of a pair were measured in one joint frame.
    fewest_pairs
        Sets of sources, and measures, with fewer pairs get no entry.

    Raises
    ------
    InputError
        No measure has enough pairs.
    """
    entries = [
        _protocol(sources, same, fewest_pairs, registered=registered)
        for sources, same in _by_sources(pairs).items()
    ]
    entries.append(_protocol((), pairs, fewest_pairs, registered=registered))
    filled = tuple(entry for entry in entries if entry.measures)
    if not filled:
        raise InputError(
            f"{len(pairs)} joints were graded in both scans; at least {fewest_pairs} with a measure are needed"
        )
    return RepeatabilitySettings(provenance=provenance, provisional=False, protocol=filled)


def repeatability_both_ways(
    in_one_frame: Sequence[JointPair], apart: Sequence[JointPair], *, provenance: str, fewest_pairs: int
) -> RepeatabilitySettings:
    """Fit the repeatability of joints measured in common frames, and of the same joints each in its own scan's frame.

    Without enough pairs in common frames, of those apart alone: they only overstate the noise of the others.

    Raises
    ------
    InputError
        No measure has enough pairs.
    """
    found = repeatability(apart, provenance=provenance, fewest_pairs=fewest_pairs)
    if len(in_one_frame) < max(fewest_pairs, 2):
        return found
    finer = repeatability(in_one_frame, provenance=provenance, fewest_pairs=fewest_pairs, registered=True)
    return finer.model_copy(update={"protocol": finer.protocol + found.protocol})


def measure_repeatability(name: str, first: FloatArray, second: FloatArray) -> MeasureRepeatability:
    """Return the repeatability of one measure.

    Parameters
    ----------
    name
        The measure: what its noise grows with depends on it.
    first, second
        Shape (N,), N >= 2; the same joints in the same order.

    Returns
    -------
    SEM as floor and share; ICC(1,1), one-way random, single measurement (Shrout and Fleiss 1979); bias and limits of
    agreement, mean -+ 1.96 SD of the differences (Bland and Altman 1986). ICC is None where nothing varies.
    """
    difference, centre = second - first, (first + second) / 2
    floor, share = fit_sem(difference, noise_scale(name, centre))
    bias, spread = float(difference.mean()), float(difference.std(ddof=1))
    return MeasureRepeatability(
        sem_floor=floor,
        sem_share=share,
        pairs=len(difference),
        icc=_icc_one_way(difference, centre),
        bias=bias,
        limit_low=bias - LIMITS_Z * spread,
        limit_high=bias + LIMITS_Z * spread,
    )


def fit_sem(difference: FloatArray, scale: FloatArray) -> tuple[float, float]:
    """Return (floor, share) of SEM(m)^2 = floor^2 + share^2 scale(m)^2, from E[d^2] = 2 SEM^2.

    Non-negative least squares, each pair weighted by the inverse of its size, so that a few large joints do not
    decide the floor. Where all pairs are alike in size the floor takes all.
    """
    telling = (difference != 0) | (scale != 0)
    variance, square = difference[telling] ** 2 / 2, scale[telling] ** 2
    if not variance.size:
        return 0.0, 0.0
    weight = 1 / (np.median(square) + square + np.finfo(np.float64).tiny)
    solution, _ = nnls(np.stack([weight, weight * square], axis=1), weight * variance)
    return math.sqrt(solution[0]), math.sqrt(solution[1])


def _icc_one_way(difference: FloatArray, centre: FloatArray) -> float | None:
    between = 2 * float(centre.var(ddof=1))
    within = float((difference**2).mean()) / 2
    return (between - within) / (between + within) if between + within > 0 else None


def _by_sources(pairs: Sequence[JointPair]) -> dict[tuple[str, ...], list[JointPair]]:
    groups: dict[tuple[str, ...], list[JointPair]] = {}
    for first, second in pairs:
        if first.sources == second.sources and first.sources:
            groups.setdefault(first.sources, []).append((first, second))
    return dict(sorted(groups.items()))


def _protocol(
    sources: tuple[str, ...], pairs: Sequence[JointPair], fewest_pairs: int, *, registered: bool
) -> ProtocolRepeatability:
    measures: dict[str, MeasureRepeatability] = {}
    for name in MEASURES:
        both = [
            (a.measures[name], b.measures[name])
            for a, b in pairs
            if name in a.measures and name in b.measures
        ]
        if len(both) >= max(fewest_pairs, 2):
            values = np.array(both, dtype=np.float64)
            measures[name] = measure_repeatability(name, values[:, 0], values[:, 1])
    return ProtocolRepeatability(sources=sources, registered=registered, measures=measures)


def repeatability_toml(found: RepeatabilitySettings, *, detection_z: float, digits: int = 4) -> str:
    """Write what `change.toml` reads; the same repeats give the same bytes."""
    lines = [
        "# Made by `lfja-mri repeatability`; do not edit. Units are those of the measures' names.",
        "# One standard deviation of a single measurement (SEM) is hypot(sem_floor, sem_share * value), where a share p of the",
        "# perimeter counts as sqrt(p * (1 - p)); the smallest detectable change is",
        f"# {detection_z} * sqrt(2) * SEM. icc is ICC(1,1); limits are bias -+ {LIMITS_Z} SD.",
        f"provenance = {_quoted(found.provenance)}",
        f"provisional = {str(found.provisional).lower()}",
    ]
    for protocol in found.protocol:
        sources = ", ".join(_quoted(source) for source in protocol.sources)
        lines += ["", "[[protocol]]", f"sources = [{sources}]" + ("" if protocol.sources else "   # any")]
        lines += [f"registered = {str(protocol.registered).lower()}"]
        for name, measure in protocol.measures.items():
            lines += ["", f"[protocol.measures.{name}]", *_measure_lines(measure, digits)]
    return "\n".join(lines) + "\n"


def _measure_lines(measure: MeasureRepeatability, digits: int) -> list[str]:
    values = measure.model_dump(exclude_none=True)
    return [
        f"{key} = {value}" if isinstance(value, int) else f"{key} = {value + 0.0:.{digits}f}"
        for key, value in values.items()
    ]


def _quoted(text: str) -> str:
    """Write a TOML basic string; only what TOML must have escaped is escaped."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(character if character.isprintable() else " " for character in escaped) + '"'
