"""Where does a place of one visit lie at the other? One rigid motion per level, from the images of both.

Posture differs between visits, so each level has its own motion. Both images are read half-way: points of a common
middle frame are carried backwards into the baseline and forwards into the follow-up, so neither image is favoured
and swapping the visits inverts the motion. All roles that both visits have speak together, each by the correlation
of its signals; places that changed between the visits are outvoted (Huber). Disc frames start it; Gauss-Newton steps
on smoothed, then on finer images end it.

The uncertainty comes from the data: leaving out one block of one series at a time (jackknife) tells how far the
motion would move if another part of the anatomy had decided it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from lfja_mri.change.alignment import PARAMETERS, Channel, Fit, IntArray, Stage, align
from lfja_mri.change.layers import LevelImages, layers_of
from lfja_mri.change.rigid import Rigid, between_frames, disc_frame, small_motion
from lfja_mri.model import Disc, FloatArray
from lfja_mri.settings.change import RegistrationSettings


@dataclass(frozen=True, eq=False)
class Motion:
    """One half of a motion from the baseline to the middle frame, the other on to the follow-up.

    Parameters
    ----------
    centre_lps_mm
        Of the level in the middle frame.
    covariance
        6x6 of (rotation vector in rad, shift in mm) about that centre.
    correlation
        Of the signals at both visits, -1 to 1.
    """

    to_middle: Rigid
    from_middle: Rigid
    centre_lps_mm: FloatArray
    covariance: FloatArray
    correlation: float

    @property
    def whole(self) -> Rigid:
        """From the baseline to the follow-up."""
        return self.from_middle.after(self.to_middle)

    def error_mm(self, middle_lps_mm: FloatArray) -> float:
        """Return one standard deviation (over all three directions) of where a point of the middle frame lies."""
        x, y, z = middle_lps_mm - self.centre_lps_mm
        lever = np.array([[0, z, -y], [-z, 0, x], [y, -x, 0]], dtype=np.float64)
        spread = np.hstack([lever, np.eye(3)])
        return float(np.sqrt(max(np.trace(spread @ self.covariance @ spread.T), 0.0)))


@dataclass(frozen=True, eq=False)
class LevelMotion:
    """How a level moved between two visits: by all series together, and by each role alone.

    The roles differ where a series' shift within its own study was misjudged, so what is measured on a role is
    carried by that role's own motion.
    """

    together: Motion
    by_role: Mapping[str, Motion]

    def error_mm(self, middle_lps_mm: FloatArray) -> float:
        """Return the error at a point of the middle frame: root mean square over the roles, each by its own."""
        motions = list(self.by_role.values()) or [self.together]
        return float(np.sqrt(np.mean([motion.error_mm(middle_lps_mm) ** 2 for motion in motions])))


def register_level(
    baseline_disc: Disc,
    follow_up_disc: Disc,
    baseline: LevelImages,
    follow_up: LevelImages,
    settings: RegistrationSettings,
    *,
    coarse_only: bool = False,
) -> LevelMotion | None:
    """Find the motion of one level.

    Parameters
    ----------
    baseline_disc, follow_up_disc
        The same disc at both visits, or two discs that are suspected to be the same.
    baseline, follow_up
        Images by role; only shared roles are used.
    coarse_only
        Stop after the smoothed images: enough to tell whether two discs are the same.

    Returns
    -------
    None where no shared series shows the level at both visits.
    """
    first, second = disc_frame(baseline_disc.axes), disc_frame(follow_up_disc.axes)
    start = between_frames(first, baseline_disc.centre_lps_mm, second, follow_up_disc.centre_lps_mm)
    half = start.half
    axes = half.turn(first)
    centre = half.apply(baseline_disc.centre_lps_mm)
    parameters = np.zeros(PARAMETERS)
    fit: Fit | None = None
    stage: Stage | None = None
    for smoothing_mm, spacing_mm in settings.passes[: 1 if coarse_only else None]:
        points, octants = _region(centre, axes, spacing_mm, settings)
        places = half.inverse.apply(points), half.apply(points)
        channels = _channels((baseline, follow_up), places, smoothing_mm)
        stage = Stage(points, octants, centre, half, channels)
        fit = align(stage, parameters, settings)
        if fit is None:
            return None
        parameters = fit.parameters
    if fit is None or stage is None:
        return None
    together = _motion(stage, fit)
    return LevelMotion(together, {} if coarse_only else _by_role(stage, fit, settings))


def _motion(stage: Stage, fit: Fit) -> Motion:
    step = small_motion(fit.parameters / 2, stage.centre_lps_mm)
    return Motion(
        to_middle=step.after(stage.half),
        from_middle=stage.half.after(step),
        centre_lps_mm=stage.centre_lps_mm,
        covariance=fit.covariance,
        correlation=fit.correlation,
    )


def _by_role(stage: Stage, start: Fit, settings: RegistrationSettings) -> dict[str, Motion]:
    """Let each role go on alone from where all together ended; roles that do not fit alone are left out."""
    found = {}
    for channel in stage.channels:
        fit = align(replace(stage, channels=(channel,)), start.parameters, settings)
        if fit is not None and fit.correlation >= settings.least_correlation:
            found[channel.role] = _motion(stage, fit)
    return found


def _region(
    centre: FloatArray, axes: FloatArray, spacing_mm: float, settings: RegistrationSettings
) -> tuple[FloatArray, IntArray]:
    """Return points of the middle frame around a disc and its posterior elements, and the octant of each."""
    ranges = (settings.region_anterior_mm, settings.region_left_mm, settings.region_cranial_mm)
    grid = np.meshgrid(
        *(np.arange(low, high + spacing_mm / 2, spacing_mm) for low, high in ranges), indexing="ij"
    )
    offsets = np.stack([part.ravel() for part in grid], axis=-1)
    middles = np.array([(low + high) / 2 for low, high in ranges])
    octant = (offsets > middles) @ np.array([1, 2, 4])
    return centre + offsets @ axes, octant.astype(np.intp)


def _channels(
    visits: tuple[LevelImages, LevelImages], places: tuple[FloatArray, FloatArray], smoothing_mm: float
) -> tuple[Channel, ...]:
    """Return every role that both visits have, cut to where the level lies and smoothed."""
    return tuple(
        Channel(
            role,
            layers_of(visits[0], role, places[0], smoothing_mm),
            layers_of(visits[1], role, places[1], smoothing_mm),
        )
        for role in sorted(set(visits[0].by_role) & set(visits[1].by_role))
    )
