"""Everything that is measured at one joint, and how far each number could be off."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lfja_mri.errors import Reason
from lfja_mri.grading.bright import BrightTissue, find_bright_tissue
from lfja_mri.grading.effusion import effusion_volume_mm3, effusion_width_mm, joint_signal_ratio
from lfja_mri.grading.facts import EXTENSION_PREFIX, FURTHER_MEASURES, MEASURES
from lfja_mri.grading.fat_suppression import FatSuppression
from lfja_mri.grading.oedema import (
    Oedema,
    bone_mask,
    bright_share,
    extension_volumes_mm3,
    extent_mm,
    farthest_extension_mm3,
    find_oedema,
    signal_ratio,
    soft_tissue_mask,
    volume_mm3,
)
from lfja_mri.grading.perimeter import perimeter_fraction
from lfja_mri.grading.places import TissuePlaces, tissue_places
from lfja_mri.grading.sampling import Scene, ZoneSignal, read_zones
from lfja_mri.grading.sources import Source, best_coverage, fluid_source, oedema_source, why_no_source
from lfja_mri.model import (
    EXTENSION_TARGETS,
    FloatArray,
    Joint,
    LevelMap,
    Measure,
    Measurements,
    Missing,
    Plane,
    StudyImages,
    Zone,
)
from lfja_mri.settings.grading import MeasureSettings

OEDEMA_MEASURES = (
    "joint_signal_ratio",
    "perimeter_fraction",
    "perimeter_fraction_max_slice",
    "soft_tissue_oedema_volume_mm3",
    "bone_oedema_volume_mm3",
    "oedema_extent_mm",
    "oedema_signal_ratio",
    "cyst_volume_mm3",
)


def measure_joint(
    joint: Joint,
    study: StudyImages,
    level_map: LevelMap,
    settings: MeasureSettings,
    places: TissuePlaces | None = None,
) -> Measurements:
    """Measure one joint on the best images that show it.

    Parameters
    ----------
    joint
        Frame and zones in the reference frame, and the shifts of the series.
    study, level_map
        Images, and the places of reference tissue.
    settings
        The `[measure]` section.
    places
        `tissue_places` of the other joint of this level, placed with it, where they are known already.

    Returns
    -------
    Measurements; what could not be taken is `Missing` with its reason.
    """
    scene = Scene(joint, study, places or tissue_places(joint, study, level_map, settings), settings)
    chosen, suppression = oedema_source(scene)
    fluid = fluid_source(scene, chosen)
    signal = _signal_numbers(chosen, scene) if chosen else _no_signal(why_no_source(suppression, scene))
    numbers = signal.joined(_effusion(fluid, chosen, scene))
    used = [source for source in (chosen, fluid) if source is not None]
    return Measurements(
        level=joint.frame.level,
        side=joint.frame.side,
        **{name: numbers.values[name] for name in MEASURES if name != "coverage_fraction"},
        extension_mm3={
            target.value: numbers.values[EXTENSION_PREFIX + target.value] for target in EXTENSION_TARGETS
        },
        further={name: numbers.values[name] for name in FURTHER_MEASURES},
        coverage_fraction=used[0].coverage if used else best_coverage(scene),
        fat_suppression=suppression.value,
        sources=tuple(dict.fromkeys(str(source.image.role) for source in used)),
        flags=_flags(chosen, suppression),
        reference=used[0].reference.plain() if used else {},
        low=numbers.low,
        high=numbers.high,
    )


def _flags(chosen: Source | None, suppression: FatSuppression) -> tuple[str, ...]:
    flags = []
    if suppression is FatSuppression.UNVERIFIED:
        flags.append("fat_suppression_unverified")
    if chosen is not None and chosen.image.role.plane is Plane.SAGITTAL:
        flags.append("sagittal_only")
    return tuple(flags)


@dataclass(frozen=True)
class Numbers:
    """Measures by name, and what they become towards health and disease."""

    values: Mapping[str, Measure]
    low: Mapping[str, float] = field(default_factory=dict)
    high: Mapping[str, float] = field(default_factory=dict)

    def joined(self, other: Numbers) -> Numbers:
        """Return both sets of numbers as one."""
        return Numbers(
            {**self.values, **other.values}, {**self.low, **other.low}, {**self.high, **other.high}
        )


def _no_signal(reason: Reason) -> Numbers:
    extension = (EXTENSION_PREFIX + target.value for target in EXTENSION_TARGETS)
    return Numbers(dict.fromkeys((*OEDEMA_MEASURES, *FURTHER_MEASURES, *extension), Missing(reason)))


def _signal_numbers(source: Source, scene: Scene) -> Numbers:
    """Measure with threshold and place as they are, and as far up and down as they are uncertain."""
    tissue = _bright_tissue(source, source.ratio, scene, 1.0)
    oedema = find_oedema(tissue, scene)
    middle = _oedema_values(tissue, oedema, scene, 1.0)
    spread = scene.settings.threshold_relative_uncertainty
    readings = [(source.ratio, 1.0 + sign * spread) for sign in (-1, 1)]
    readings += [(moved, 1.0) for moved in _moved_ratios(source, scene)]
    others = [_read_again(source, ratio, scene, factor) for ratio, factor in readings]
    low = {name: min(middle[name], *(other[name] for other in others)) for name in middle}
    high = {name: max(middle[name], *(other[name] for other in others)) for name in middle}
    farthest = farthest_extension_mm3(oedema, scene)
    return Numbers(middle, *_with_own_error(low, high, farthest, scene.settings))


def _read_again(source: Source, ratio: ZoneSignal, scene: Scene, factor: float) -> dict[str, float]:
    tissue = _bright_tissue(source, ratio, scene, factor)
    return _oedema_values(tissue, find_oedema(tissue, scene), scene, factor)


def _with_own_error(
    low: dict[str, float],
    high: dict[str, float],
    farthest_mm3: Mapping[str, float],
    settings: MeasureSettings,
) -> tuple[dict[str, float], dict[str, float]]:
    """Add what noise, slice thickness and the place of the zones do to a perimeter and to a volume."""
    for name in ("perimeter_fraction", "perimeter_fraction_max_slice"):
        low[name] = max(0.0, low[name] - settings.perimeter_uncertainty)
        high[name] = min(1.0, high[name] + settings.perimeter_uncertainty)
    for target in EXTENSION_TARGETS:
        name = EXTENSION_PREFIX + target.value
        low[name] = max(0.0, low[name] / settings.extension_uncertainty_factor)
        high[name] = max(high[name] * settings.extension_uncertainty_factor, farthest_mm3[target.value])
    return low, high


def _moved_ratios(source: Source, scene: Scene) -> list[ZoneSignal]:
    """Return the image read a little to either side of the joint plane, further where the joint was less well seen."""
    frame = scene.joint.frame
    step: FloatArray = frame.normal_lps * frame.uncertainty_mm * scene.settings.position_uncertainty_share
    return [
        read_zones(scene, source.image, sign * step).divided_by(source.reference.signal) for sign in (-1, 1)
    ]


def _bright_tissue(source: Source, ratio: ZoneSignal, scene: Scene, factor: float) -> BrightTissue:
    return find_bright_tissue(ratio, _threshold(source, scene.settings) * factor, scene)


def _oedema_values(tissue: BrightTissue, oedema: Oedema, scene: Scene, factor: float) -> dict[str, float]:
    """Measure everything that rests on one threshold, moved by a factor."""
    ratio = tissue.ratio
    perimeter = perimeter_fraction(tissue, scene.shell, scene.settings.sector_bright_share)
    bone, soft = bone_mask(ratio), soft_tissue_mask(ratio)
    processes = ratio.of(Zone.SUPERIOR_PROCESS, Zone.INFERIOR_PROCESS)
    return {
        "joint_signal_ratio": joint_signal_ratio(ratio) / factor,
        "perimeter_fraction": perimeter.weighted,
        "perimeter_fraction_max_slice": perimeter.max_slice,
        "soft_tissue_oedema_volume_mm3": volume_mm3(oedema, soft),
        "bone_oedema_volume_mm3": volume_mm3(oedema, bone),
        "oedema_extent_mm": extent_mm(oedema, scene.from_capsule_mm),
        "oedema_signal_ratio": signal_ratio(oedema),
        "cyst_volume_mm3": tissue.cyst_volume_mm3,
        "bone_oedema_signal_ratio": signal_ratio(oedema, bone),
        "bone_oedema_fraction": bright_share(oedema, processes),
        "soft_tissue_oedema_signal_ratio": signal_ratio(oedema, soft),
        "worst_slice_above_mm": perimeter.max_slice_z_mm - float(scene.joint.frame.centre_lps_mm[2]),
        "soft_tissue_oedema_fraction": bright_share(oedema, ratio.perimeter & soft),
        **{EXTENSION_PREFIX + name: volume for name, volume in extension_volumes_mm3(oedema, scene).items()},
    }


def _threshold(source: Source, settings: MeasureSettings) -> float:
    """Return the ratio from which tissue is abnormal: a share of CSF, but never less than a multiple of muscle."""
    reference = source.reference
    muscle = 0.0 if reference.muscle is None else reference.muscle / reference.signal
    fluid_sensitive = source.image.role.contrast.is_fluid_sensitive
    times = settings.oedema_muscle_ratio if fluid_sensitive else settings.enhanced_muscle_ratio
    return max(settings.oedema_csf_ratio, times * muscle)


def _effusion(source: Source | None, chosen: Source | None, scene: Scene) -> Numbers:
    if source is None:
        gone = Missing(Reason.NO_FLUID_SENSITIVE_SERIES)
        return Numbers({"effusion_width_mm": gone, "effusion_volume_mm3": gone})
    confirmed = _confirmed(source, chosen, scene)
    volume = effusion_volume_mm3(confirmed.ratio, scene.settings)
    width = _width_mm(confirmed, scene)
    if width is None:
        gone = Missing(Reason.INSUFFICIENT_COVERAGE)
        return Numbers({"effusion_width_mm": gone, "effusion_volume_mm3": volume})
    margin = scene.settings.effusion_width_uncertainty_mm
    return Numbers(
        {"effusion_width_mm": width, "effusion_volume_mm3": volume},
        {"effusion_width_mm": max(0.0, width - margin)},
        {"effusion_width_mm": width + margin},
    )


def _width_mm(source: Source, scene: Scene) -> float | None:
    return effusion_width_mm(scene.joint, source.image, source.reference.signal, scene.settings)


def _confirmed(source: Source, chosen: Source | None, scene: Scene) -> Source:
    """Return the image to measure fluid on: where a bright line of T2 is dark once fat is suppressed, it was fat."""
    fluid_sensitive = chosen is not None and chosen.image.role.contrast.is_fluid_sensitive
    if chosen is None or not fluid_sensitive or source.image.role.contrast.is_fat_suppressed:
        return source
    width, suppressed = _width_mm(source, scene), _width_mm(chosen, scene)
    if width is None or suppressed is None:
        return source
    return chosen if suppressed < scene.settings.fluid_confirmed_share * width else source
