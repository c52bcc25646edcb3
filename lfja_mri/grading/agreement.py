"""How well two readings of the same joints agree: weighted kappa with its interval, and the confusion table.

Cohen's weighted kappa (Psychol Bull 1968;70:213): 1 - sum(w o) / sum(w e), with observed shares o, chance shares e
from the two margins, and disagreement weights w of the distance between grades (linear) or its square (quadratic).
Joints of one patient are not independent, so intervals come from drawing patients, not joints.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from lfja_mri.errors import InputError
from lfja_mri.model import FloatArray

Counts = npt.NDArray[np.int64]
Weights = Literal["linear", "quadratic"]
BOOTSTRAP_SEED = 20080400
BOOTSTRAP_DRAWS = 1000
INTERVAL_PERCENT = (2.5, 97.5)


@dataclass(frozen=True, eq=False)
class Agreement:
    """Agreement of two readings; kappas are None where one grade fills both readings, so chance explains all.

    `confusion` has shape (grades, grades): rows are the reference, columns the tested reading. Intervals are 95 %,
    bootstrapped by patient; None with fewer than two patients.
    """

    joints: int
    patients: int
    confusion: Counts
    kappa_linear: float | None
    kappa_quadratic: float | None
    kappa_linear_interval: tuple[float, float] | None
    kappa_quadratic_interval: tuple[float, float] | None
    exact: float
    within_one: float


def confusion_table(tested: Sequence[int], reference: Sequence[int], *, grades: int = 5) -> Counts:
    """Count pairs; shape (grades, grades), rows the reference."""
    table = np.zeros((grades, grades), dtype=np.int64)
    np.add.at(table, (np.asarray(reference, dtype=np.intp), np.asarray(tested, dtype=np.intp)), 1)
    return table


def weighted_kappa(confusion: Counts, weights: Weights = "quadratic") -> float | None:
    """Return Cohen's weighted kappa of a confusion table (unit 1, higher is better); None if undefined."""
    distance = np.abs(np.subtract.outer(np.arange(len(confusion)), np.arange(len(confusion)))).astype(float)
    penalty = distance**2 if weights == "quadratic" else distance
    total = confusion.sum()
    if total == 0:
        return None
    expected = np.outer(confusion.sum(axis=1), confusion.sum(axis=0)) / total
    by_chance = float((penalty * expected).sum())
    return None if by_chance == 0 else 1.0 - float((penalty * confusion).sum()) / by_chance


def agreement(
    tested: Sequence[int],
    reference: Sequence[int],
    patients: Sequence[Hashable],
    *,
    grades: int = 5,
    draws: int = BOOTSTRAP_DRAWS,
    seed: int = BOOTSTRAP_SEED,
) -> Agreement:
    """Compare two readings of the same joints, given in the same order.

    Raises
    ------
    InputError
        Nothing to compare, or sequences of different length.
    """
    if not tested or not len(tested) == len(reference) == len(patients):
        raise InputError("agreement needs at least one joint, and one patient and two grades for each")
    by_patient = _tables_by_patient(tested, reference, patients, grades)
    confusion = np.asarray(by_patient.sum(axis=0))
    distance = np.abs(np.asarray(tested) - np.asarray(reference))
    linear, quadratic = _bootstrap(by_patient, draws, seed)
    return Agreement(
        joints=len(tested),
        patients=len(by_patient),
        confusion=confusion,
        kappa_linear=weighted_kappa(confusion, "linear"),
        kappa_quadratic=weighted_kappa(confusion, "quadratic"),
        kappa_linear_interval=linear,
        kappa_quadratic_interval=quadratic,
        exact=float(np.mean(distance == 0)),
        within_one=float(np.mean(distance <= 1)),
    )


def _tables_by_patient(
    tested: Sequence[int], reference: Sequence[int], patients: Sequence[Hashable], grades: int
) -> Counts:
    order = {patient: index for index, patient in enumerate(dict.fromkeys(patients))}
    tables = np.zeros((len(order), grades, grades), dtype=np.int64)
    rows = np.array([order[patient] for patient in patients], dtype=np.intp)
    np.add.at(tables, (rows, np.asarray(reference, dtype=np.intp), np.asarray(tested, dtype=np.intp)), 1)
    return tables


def _bootstrap(
    by_patient: Counts, draws: int, seed: int
) -> tuple[tuple[float, float] | None, tuple[float, float] | None]:
    if len(by_patient) < 2:
        return None, None
    generator = np.random.default_rng(seed)
    drawn = generator.multinomial(len(by_patient), np.full(len(by_patient), 1 / len(by_patient)), size=draws)
    tables = np.einsum("dp,pij->dij", drawn, by_patient)
    return _interval(tables, "linear"), _interval(tables, "quadratic")


def _interval(tables: Counts, weights: Weights) -> tuple[float, float] | None:
    kappas = [kappa for table in tables if (kappa := weighted_kappa(table, weights)) is not None]
    if not kappas:
        return None
    low, high = np.percentile(np.asarray(kappas), INTERVAL_PERCENT)
    return float(low), float(high)


def confusion_lines(confusion: Counts) -> list[str]:
    """Return the table as text lines: rows are the reference, columns the tested reading."""
    size = len(confusion)
    head = "reference \\ tested " + "".join(f"{grade:>6}" for grade in range(size))
    return [
        head,
        *(f"{grade:>18} " + "".join(f"{count:>6}" for count in confusion[grade]) for grade in range(size)),
    ]


def share_within(table: FloatArray | Counts, grade: int, at_least: int) -> float | None:
    """Return the share of joints of one reference grade that the tested reading puts at `at_least` or more."""
    row = np.asarray(table)[grade]
    return float(row[at_least:].sum() / row.sum()) if row.sum() else None
