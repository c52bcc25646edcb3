"""How far a measure has to move before it counts: beyond the noise of measuring it.

The smallest detectable change is SDC = z * sqrt(2) * SEM, where the SEM comes from repeats (`repeatability`). Every measure
is worse when it is higher.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from lfja_mri.change.noise import noise_scale
from lfja_mri.change.types import MeasureChange, Seen
from lfja_mri.settings.change import ChangeSettings, ProtocolRepeatability

RATIOS_TO_CSF = frozenset(
    {"effusion_width_mm", "effusion_volume_mm3", "joint_signal_ratio", "oedema_signal_ratio"}
)
"""Measures that are shares of CSF's signal through and through; thresholds of oedema hold on to muscle, too."""


def measure_change(
    name: str,
    baseline: Seen,
    follow_up: Seen,
    settings: ChangeSettings,
    *,
    registered: bool = False,
    drift: float = 0.0,
) -> MeasureChange:
    """Return one measure at both visits, with its difference and SDC where both visits have it.

    A ratio to CSF moves by as much as CSF moved against other tissue: its SDC grows by that share of the visits' mean.
    """
    first, second = baseline.measures.get(name), follow_up.measures.get(name)
    if first is None or second is None:
        return MeasureChange(name, first, second)
    sdc = smallest_detectable_change(name, (baseline, follow_up), settings, registered=registered)
    if sdc is not None and name in RATIOS_TO_CSF:
        sdc += drift * (first + second) / 2
    return MeasureChange(name, first, second, second - first, sdc)


def smallest_detectable_change(
    name: str, visits: Sequence[Seen], settings: ChangeSettings, *, registered: bool
) -> float | None:
    """Return the SDC of a measure, in its own unit; None where no repeats tell it.

    SDC = z * sqrt(2) * SEM, where SEM = hypot(floor, share * scale of the visits' mean) under the protocol of each visit;
    of visits with different sources, the larger SEM counts.

    Parameters
    ----------
    registered
        Whether both visits were measured in one joint frame: where each has its own, the noise is larger.
    """
    values = [visit.measures[name] for visit in visits]
    centre = sum(values) / len(values)
    sems: list[float] = []
    for visit in visits:
        protocol = _protocol_for(visit.sources, settings.repeatability.protocol, registered=registered)
        if protocol is None or name not in protocol.measures:
            return None
        known = protocol.measures[name]
        sems.append(math.hypot(known.sem_floor, known.sem_share * float(noise_scale(name, centre))))
    return settings.detection_z * math.sqrt(2) * max(sems)


def _protocol_for(
    sources: tuple[str, ...], protocols: Sequence[ProtocolRepeatability], *, registered: bool
) -> ProtocolRepeatability | None:
    """Return the entry for exactly these sources, else the one for any.

    Repeats in one frame say nothing of visits in their own; the other way round they only overstate the noise.
    """
    alike = [entry for entry in protocols if entry.registered == registered]
    noisier = [entry for entry in protocols if registered and not entry.registered]
    for group in (alike, noisier):
        exact = (entry for entry in group if entry.sources and tuple(sorted(entry.sources)) == sources)
        anything = (entry for entry in group if not entry.sources)
        found = next(exact, next(anything, None))
        if found is not None:
            return found
    return None
