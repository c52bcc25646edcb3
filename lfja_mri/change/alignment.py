"""Gauss-Newton on two images read half-way: small motions until the normalised signals of both visits agree.

Parameters are (rotation vector in rad, shift in mm), shape (6,), of the whole motion about the level's centre in the
middle frame; each visit is moved by half of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lfja_mri.change.layers import Layers, read, read_slopes
from lfja_mri.change.rigid import Rigid, small_motion
from lfja_mri.model import BoolArray, FloatArray
from lfja_mri.settings.change import RegistrationSettings

IntArray = npt.NDArray[np.intp]

PARAMETERS = 6
OCTANTS = 8
DAMPING_FACTOR = 6.0
MOST_DAMPING = 1e4
SMALL_STEP = np.array([2e-4, 2e-4, 2e-4, 0.01, 0.01, 0.01])
"""Steps below which the motion is found: rad and mm, each about 0.01 mm at the joints."""


@dataclass(frozen=True, eq=False)
class Channel:
    """One role at both visits."""

    role: str
    baseline: Layers
    follow_up: Layers


@dataclass(frozen=True, eq=False)
class Stage:
    """One pass: points of the middle frame with their octant, the half of the starting motion, and the channels."""

    points_lps_mm: FloatArray
    octants: IntArray
    centre_lps_mm: FloatArray
    half: Rigid
    channels: tuple[Channel, ...]


@dataclass(frozen=True, eq=False)
class Fit:
    """Where a pass ended; `correlation` is the mean over `roles`."""

    parameters: FloatArray
    covariance: FloatArray
    correlation: float
    roles: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _Residuals:
    """Differences of normalised signals; `blocks` tells series and octant of each."""

    values: FloatArray
    blocks: IntArray
    correlation: float


def align(stage: Stage, start: FloatArray, settings: RegistrationSettings) -> Fit | None:
    """Find the motion of a pass; None where no role shows enough of the region at both visits."""
    valid = _valid(stage, start, settings)
    if not valid:
        return None
    parameters, current, damping = start, _residuals(stage, start, valid), settings.damping
    jacobian = _jacobian(stage, start, valid)
    for _ in range(settings.iterations):
        limit = settings.huber * _spread(current.values)
        step = _step(jacobian, current.values, _huber_weights(current.values, limit), damping)
        trial = _residuals(stage, parameters + step, valid)
        if _huber_cost(trial.values, limit) < _huber_cost(current.values, limit):
            parameters, current, damping = parameters + step, trial, damping / DAMPING_FACTOR
            jacobian = _jacobian(stage, parameters, valid)
        else:
            damping *= DAMPING_FACTOR
        if np.all(np.abs(step) < SMALL_STEP) or damping > MOST_DAMPING:
            break
    weights = _huber_weights(current.values, settings.huber * _spread(current.values))
    return Fit(parameters, _jackknife(jacobian, current, weights), current.correlation, tuple(sorted(valid)))


def _valid(stage: Stage, parameters: FloatArray, settings: RegistrationSettings) -> dict[str, IntArray]:
    """Return, per role that both visits show well enough, which points to use.

    Points are chosen once per pass: a set that changes while the motion is sought would let it flee from the overlap.
    """
    found = {}
    places = _places(stage, parameters, stage.points_lps_mm)
    for channel in stage.channels:
        first, second = read(channel.baseline, places[0]), read(channel.follow_up, places[1])
        inside = np.isfinite(first) & np.isfinite(second)
        if inside.mean() >= settings.least_overlap:
            found[channel.role] = np.flatnonzero(inside)
    return found


def _places(stage: Stage, parameters: FloatArray, points: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return where points of the middle frame lie at the baseline and at the follow-up."""
    step = small_motion(parameters / 2, stage.centre_lps_mm)
    return stage.half.inverse.apply(step.inverse.apply(points)), stage.half.apply(step.apply(points))


def _residuals(stage: Stage, parameters: FloatArray, valid: Mapping[str, IntArray]) -> _Residuals:
    values, blocks, correlations = [], [], []
    for number, channel in enumerate(stage.channels):
        if channel.role not in valid:
            continue
        chosen = valid[channel.role]
        places = _places(stage, parameters, stage.points_lps_mm[chosen])
        first, second = read(channel.baseline, places[0]), read(channel.follow_up, places[1])
        inside = np.isfinite(first) & np.isfinite(second)
        one, other = _normalised(first, inside), _normalised(second, inside)
        # Each role counts by its mean, whatever its number of points.
        values.append((one - other) / np.sqrt(len(chosen)))
        blocks.append(stage.octants[chosen] + OCTANTS * number)
        correlations.append(float(np.mean((one * other)[inside])) if inside.any() else 0.0)
    return _Residuals(np.concatenate(values), np.concatenate(blocks), float(np.mean(correlations)))


def _normalised(values: FloatArray, inside: BoolArray) -> FloatArray:
    spread = _deviation(values, inside)
    if spread == 0.0:
        return np.zeros_like(values)
    return np.where(inside, (values - values[inside].mean()) / spread, 0.0)


def _deviation(values: FloatArray, inside: BoolArray) -> float:
    return float(values[inside].std()) if inside.any() else 0.0


def _jacobian(stage: Stage, parameters: FloatArray, valid: Mapping[str, IntArray]) -> FloatArray:
    """Return the derivative of the residuals, shape (N, 6), mean and spread of the signals held."""
    rows = []
    for channel in stage.channels:
        if channel.role not in valid:
            continue
        chosen = valid[channel.role]
        points = stage.points_lps_mm[chosen]
        places = _places(stage, parameters, points)
        # A small motion of the middle frame moves the baseline's place back by half, the follow-up's ahead by half.
        slope = np.zeros_like(points)
        for layers, where, motion in (
            (channel.baseline, places[0], stage.half.inverse),
            (channel.follow_up, places[1], stage.half),
        ):
            values = read(layers, where)
            spread = _deviation(values, np.isfinite(values))
            if spread > 0:
                slope -= 0.5 * read_slopes(layers, where) @ motion.rotation / spread
        lever = np.cross(points - stage.centre_lps_mm, slope)
        rows.append(np.hstack([lever, slope]) / np.sqrt(len(chosen)))
    return np.vstack(rows)


def _spread(values: FloatArray) -> float:
    """Return a robust standard deviation: 1.4826 times the median absolute value."""
    return max(1.4826 * float(np.median(np.abs(values))), float(np.finfo(np.float64).tiny))


def _huber_weights(values: FloatArray, limit: float) -> FloatArray:
    """Return weights of one up to `limit`, falling beyond it."""
    weights: FloatArray = 1 / np.maximum(np.abs(values) / limit, 1.0)
    return weights


def _huber_cost(values: FloatArray, limit: float) -> float:
    size = np.abs(values)
    return float(np.sum(np.where(size <= limit, size**2, 2 * limit * size - limit**2)))


def _step(jacobian: FloatArray, values: FloatArray, weights: FloatArray, damping: float) -> FloatArray:
    weighted = jacobian * weights[:, None]
    normal = weighted.T @ jacobian
    # Without any slope a direction cannot be told: it stays where it is.
    damped = normal + damping * np.diag(np.diag(normal)) + np.eye(PARAMETERS) * np.finfo(np.float64).tiny
    return np.asarray(-np.linalg.lstsq(damped, weighted.T @ values, rcond=None)[0], dtype=np.float64)


def _jackknife(jacobian: FloatArray, residuals: _Residuals, weights: FloatArray) -> FloatArray:
    """Return the covariance of the parameters from leaving out one block at a time, by one linear step each."""
    weighted = jacobian * weights[:, None]
    normal, slope = weighted.T @ jacobian, weighted.T @ residuals.values
    blocks = np.unique(residuals.blocks)
    estimates = []
    for block in blocks:
        here = residuals.blocks == block
        less = normal - weighted[here].T @ jacobian[here]
        rest = slope - weighted[here].T @ residuals.values[here]
        estimates.append(-np.linalg.lstsq(less, rest, rcond=None)[0])
    spread = np.array(estimates) - np.mean(estimates, axis=0)
    count = len(blocks)
    return (count - 1) / count * spread.T @ spread
