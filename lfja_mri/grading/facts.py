"""What rules may speak of: the plain values of one joint, by name.

Vocabulary: a *fact* is a measure, or a count made from measures; it is a float or a `Missing`.
"""

from __future__ import annotations

from collections.abc import Mapping

from lfja_mri.model import EXTENSION_TARGETS, Measure, Measurements, Missing

MEASURES: tuple[str, ...] = (
    "effusion_width_mm",
    "effusion_volume_mm3",
    "joint_signal_ratio",
    "perimeter_fraction",
    "perimeter_fraction_max_slice",
    "soft_tissue_oedema_volume_mm3",
    "bone_oedema_volume_mm3",
    "oedema_extent_mm",
    "oedema_signal_ratio",
    "cyst_volume_mm3",
    "coverage_fraction",
)
FURTHER_MEASURES: tuple[str, ...] = (
    "bone_oedema_signal_ratio",
    "bone_oedema_fraction",
    "soft_tissue_oedema_signal_ratio",
    "soft_tissue_oedema_fraction",
    "worst_slice_above_mm",
)
EXTENSION_TARGET_COUNT = "extension_targets"
EXTENSION_PREFIX = "extension_mm3."
EXTENSION_FACTS: Mapping[str, str] = {
    target.value: EXTENSION_PREFIX + target.value for target in EXTENSION_TARGETS
}
"""The fact of each extension target, in the scale's order; laid down once, since archives ask thousands of times."""

NAMED_FROM_SHARE = 1 / len(EXTENSION_TARGETS)
VOCABULARY: tuple[str, ...] = (*MEASURES, *FURTHER_MEASURES, EXTENSION_TARGET_COUNT)

Facts = Mapping[str, Measure]


def measured_values(measurements: Measurements) -> dict[str, Measure]:
    """Return every measure by name, extension targets as `extension_mm3.<target>`, in a fixed order."""
    values: dict[str, Measure] = {name: getattr(measurements, name) for name in MEASURES}
    values |= {name: measurements.further[name] for name in FURTHER_MEASURES if name in measurements.further}
    values |= {EXTENSION_PREFIX + name: volume for name, volume in sorted(measurements.extension_mm3.items())}
    return values


def plain_values(measurements: Measurements) -> dict[str, float | None]:
    """Return every measure as a number, or None where it is missing: the cells of a table."""
    return {
        name: None if isinstance(value, Missing) else float(value)
        for name, value in measured_values(measurements).items()
    }


def shifted(values: Facts, moved: Mapping[str, float]) -> dict[str, Measure]:
    """Return the values with those in `moved` in place; what is missing stays missing."""
    return {
        name: value if isinstance(value, Missing) else moved.get(name, value)
        for name, value in values.items()
    }


def extension_reached(values: Facts, counts_from_mm3: float) -> tuple[str, ...]:
    """Name the extension targets that abnormal tissue has reached, in the scale's order; none where all hold too little.

    All five are added up, since a joint's place is known to a few millimetres and tissue in one target is then found
    partly in the next; named are those that hold at least a fifth of it.
    """
    volumes = {
        name: volume
        for name, fact in EXTENSION_FACTS.items()
        if not isinstance(volume := values.get(fact, 0.0), Missing)
    }
    total_mm3 = sum(volumes.values())
    if total_mm3 < counts_from_mm3:
        return ()
    return tuple(name for name, volume in volumes.items() if volume >= NAMED_FROM_SHARE * total_mm3)


def with_extension_count(values: Facts, counts_from_mm3: float) -> dict[str, Measure]:
    """Add the number of extension targets reached; missing only if no target could be measured."""
    volumes = [values[fact] for fact in EXTENSION_FACTS.values() if fact in values]
    missing = [value for value in volumes if isinstance(value, Missing)]
    if volumes and len(missing) == len(volumes):
        return {**values, EXTENSION_TARGET_COUNT: missing[0]}
    return {**values, EXTENSION_TARGET_COUNT: float(len(extension_reached(values, counts_from_mm3)))}
