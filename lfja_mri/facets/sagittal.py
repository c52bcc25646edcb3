"""Where sagittal slices alone put the joints: a matched filter for each, and one deviation that all joints of a person share.

A sagittal slice is thicker than a joint is wide and cuts it obliquely, so it shows the joint smeared over several mm: a
bright band where fat is suppressed and the joint holds fluid, a dark one between the marrow of both processes elsewhere.
The filter draws that smear as each slice would show it, for every turn, place and height within the prior's reach, and
asks how well slices agree. One joint alone is uncertain; but people differ more from each other than the joints of one
person do from level to level and side to side, so all joints are placed together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from lfja_mri import geometry
from lfja_mri.facets.frames import JointShape, Site, arc_points
from lfja_mri.facets.parasagittal import ShiftedImages, least_angle_deg
from lfja_mri.model import BoolArray, FloatArray, Image
from lfja_mri.settings.facets import SagittalSettings

STEP_MM = 0.8
DEPTH_MM, HEIGHT_MM = 22.4, 20.0
LATERAL_REACH_MM = 13.0
TURNS_DEG = np.arange(-24.0, 24.1, 6.0)
OUTWARDS_MM = np.arange(-4.5, 4.6, 1.5)
HEIGHT_SHARES = np.array([0.9, 1.0, 1.1])
ARC_POINTS = 25
SMEAR_MM, EDGE_MM, BACKGROUND_MM = 1.1, 0.5, 10.0
BANK_STEP_MM = 0.2
LEAST_SHOWN = 0.7
BRIGHTEST, BRIGHTEST_FLUID = 1.6, 2.5
"""Signal counts up to so many robust ranges; where fat is suppressed fluid must stay brighter than the oedema beside it."""
LEAST_NOISE = 0.02
ROUNDS = 4


@dataclass(frozen=True, eq=False)
class JointSearch:
    """One joint's expected shape and the log-likelihood of its (turn, outwards, behind, cranial, height share)."""

    shape: JointShape
    log_likelihood: FloatArray


@dataclass(frozen=True, eq=False)
class Slices:
    """Sagittal slices around a joint: (slices, rows upwards, columns backwards), background taken away.

    `signal` is as stored, `values` scaled to the slices' own range, bounded, and turned round where a joint is dark.
    """

    outwards_mm: FloatArray
    signal: FloatArray
    values: FloatArray
    darkest: float
    thickness_mm: float
    noise: float


def longer(shape: JointShape, settings: SagittalSettings) -> JointShape:
    """Return the shape as long as the mean shape's joints are: sagittal slices do not tell where a line ends."""
    return replace(shape, length_mm=shape.length_mm * settings.length_share)


def search_joint(
    images: ShiftedImages, site: Site, shape: JointShape, settings: SagittalSettings
) -> JointSearch:
    """Score every place of a joint in sagittal images, each with the shift (LPS mm) at which it shows the site."""
    behind, cranial = _steps(settings.behind_mm), _steps(settings.cranial_mm)
    total = np.zeros((len(TURNS_DEG), len(OUTWARDS_MM), len(behind), len(cranial), len(HEIGHT_SHARES)))
    for image, shift in images:
        slices = slices_of(image, shift, site, shape, settings)
        if slices is not None:
            total += _image_likelihood(slices, shape, behind, cranial)
    return JointSearch(shape, settings.gain * total)


def place_together(
    searches: Sequence[JointSearch], settings: SagittalSettings
) -> tuple[tuple[JointShape, float], ...]:
    """Place all joints of a person: each where its slices show it, near the deviation from anatomy that all share.

    Returns
    -------
    For each joint its shape there, and the evidence for it in units of log-likelihood.
    """
    if not searches:
        return ()
    person, joint = np.array(settings.person_sd), np.array(settings.joint_sd)
    shared, spread = np.zeros(4), np.hypot(person, joint)
    moves = [np.zeros(5)] * len(searches)
    worth = [0.0] * len(searches)
    for _ in range(ROUNDS):
        for at, search in enumerate(searches):
            total = search.log_likelihood + _log_prior(shared, spread, settings)
            best = np.unravel_index(int(np.argmax(total)), total.shape)
            moves[at] = np.array([axis[i] for axis, i in zip(_axes(settings), best, strict=True)])
            worth[at] = float(search.log_likelihood[best])
        trust = person**2 / (person**2 + 2.0 * joint**2 / len(searches))
        shared, spread = trust * np.median(np.array(moves)[:, :4], axis=0), joint
    return tuple(
        (_moved(search.shape, move), value)
        for search, move, value in zip(searches, moves, worth, strict=True)
    )


def _moved(shape: JointShape, move: FloatArray) -> JointShape:
    turn, outwards, behind, cranial, share = (float(part) for part in move)
    return replace(
        shape,
        angle_deg=shape.angle_deg + turn,
        lateral_mm=shape.lateral_mm + outwards,
        behind_mm=shape.behind_mm + behind,
        cranial_mm=shape.cranial_mm + cranial,
        height_mm=shape.height_mm * share,
    )


def _axes(settings: SagittalSettings) -> tuple[FloatArray, ...]:
    return TURNS_DEG, OUTWARDS_MM, _steps(settings.behind_mm), _steps(settings.cranial_mm), HEIGHT_SHARES


def _log_prior(shared: FloatArray, spread: FloatArray, settings: SagittalSettings) -> FloatArray:
    """Return the prior about the shared deviation, shape as `JointSearch.log_likelihood`."""
    *places, shares = _axes(settings)
    parts = [((axis - at) / sd) ** 2 for axis, at, sd in zip(places, shared, spread, strict=True)]
    parts.append(((shares - 1.0) / settings.height_sd_share) ** 2)
    total = parts[0]
    for part in parts[1:]:
        total = np.add.outer(total, part)
    return np.asarray(-0.5 * total)


def _steps(reach_mm: float) -> FloatArray:
    count = round(reach_mm / STEP_MM)
    return np.asarray(np.arange(-count, count + 1) * STEP_MM)


def slices_of(
    image: Image, shift: FloatArray, site: Site, shape: JointShape, settings: SagittalSettings
) -> Slices | None:
    """Cut the slices around a joint, scaled to the patch's own range and less the signal around and the dural sac."""
    volume = image.volume
    middle = site.to_lps(np.array([-shape.behind_mm, site.canal_offset_mm[1], shape.cranial_mm])) + shift
    count = volume.values_zyx.shape[0]
    corners = volume.voxel_to_lps[:3, 3] + np.arange(count)[:, None] * volume.voxel_to_lps[:3, 2]
    towards = volume.normal_lps * np.sign(volume.normal_lps @ site.axes.left) * site.side.lateral_sign
    outwards = np.sort((corners - middle) @ towards)
    outwards = outwards[np.abs(outwards - shape.lateral_mm) < LATERAL_REACH_MM]
    cut = [_patch(image, shift, site, shape, float(place), settings) for place in outwards]
    shown = [at for at, patch in enumerate(cut) if patch is not None]
    if not shown:
        return None
    values = np.stack([patch for patch in cut if patch is not None])
    low, high = np.percentile(values, [5.0, 90.0])
    signal = _without_background(values)
    suppressed = image.role.contrast.is_fat_suppressed
    scaled = (values - low) / max(float(high - low), 1e-6)
    values = _without_background(np.clip(scaled, 0.0, BRIGHTEST_FLUID if suppressed else BRIGHTEST))
    if not suppressed:
        values = -values
    noise = 1.4826 * float(np.median(np.abs(values - np.median(values)))) + LEAST_NOISE
    return Slices(outwards[shown], signal, values, float(low), float(volume.spacing_mm[2]), noise)


def _without_background(values: FloatArray) -> FloatArray:
    return np.asarray(values - ndimage.gaussian_filter1d(values, BACKGROUND_MM / STEP_MM, axis=2))


def _patch(
    image: Image,
    shift: FloatArray,
    site: Site,
    shape: JointShape,
    outwards: float,
    settings: SagittalSettings,
) -> FloatArray | None:
    """Return a slice around a joint, sheared so that the joint stands upright; None where it is hardly imaged."""
    cranial, behind = np.meshgrid(_steps(HEIGHT_MM), _steps(DEPTH_MM), indexing="ij")
    slope = shape.normal_cranial / np.sin(np.deg2rad(least_angle_deg(shape)))
    left = site.canal_offset_mm[1] + site.side.lateral_sign * outwards
    depth = shape.behind_mm + behind + slope * cranial
    offsets = [-depth, np.full(behind.shape, left), shape.cranial_mm + cranial]
    values = geometry.sample(image.volume, site.to_lps(np.stack(offsets, axis=-1)) + shift)
    shown = np.isfinite(values)
    if float(shown.mean()) < LEAST_SHOWN:
        return None
    inwards = outwards - 0.5 * float(image.volume.spacing_mm[2])
    outside = shown & ~_in_sac(depth + site.canal_offset_mm[0], inwards, settings)
    return np.where(outside, values, float(np.median(values[outside])))


def _in_sac(behind_canal_mm: FloatArray, outwards_mm: float, settings: SagittalSettings) -> BoolArray:
    """Return which places lie in the dural sac: its bright fluid runs on where a joint's line ends, and would draw it inwards."""
    depth, width = settings.sac_half_mm
    behind = behind_canal_mm / depth
    narrowed = width * (1.0 - settings.sac_wedge * np.clip(behind, 0.0, 1.0))
    return np.asarray(behind**2 + (outwards_mm / narrowed) ** 2 < 1.0)


def _image_likelihood(
    slices: Slices, shape: JointShape, behind: FloatArray, cranial: FloatArray
) -> FloatArray:
    """Return the log-likelihood of every place, of unknown but positive contrast: shape as `JointSearch`."""
    inside = _heights(shape, cranial)
    by_height = np.tensordot(slices.values, inside, axes=(1, 2))
    tall = np.sum(inside**2, axis=-1)
    bank = _bank()
    result = np.zeros((len(TURNS_DEG), len(OUTWARDS_MM), len(behind), *tall.shape))
    for turn_at, turn in enumerate(TURNS_DEG):
        arc, _ = arc_points(shape.angle_deg + turn, shape.bend_deg, shape.length_mm, ARC_POINTS)
        rows = np.rint((behind[:, None] + arc[None, :, 1] + DEPTH_MM) / BANK_STEP_MM).astype(np.intp)
        lines = bank[np.clip(rows, 0, len(bank) - 1)]
        for out_at, out in enumerate(OUTWARDS_MM):
            share = _slice_shares(slices, shape.lateral_mm + out + arc[:, 0]) * shape.length_mm / ARC_POINTS
            smear = np.einsum("kp,bpy->bky", share, lines, optimize=True)
            agreement = np.tensordot(smear, by_height, axes=((1, 2), (0, 1)))
            energy = np.sum(smear**2, axis=(1, 2))[:, None, None] * tall
            result[turn_at, out_at] = np.maximum(agreement, 0.0) ** 2 / (energy + 1e-6)
    return result / (2.0 * slices.noise**2)


def template(slices: Slices, shape: JointShape) -> FloatArray:
    """Return how slices would show a joint at its place, shape as `Slices.values`; 1 for a line across the slice."""
    arc, _ = arc_points(shape.angle_deg, shape.bend_deg, shape.length_mm, ARC_POINTS)
    bank = _bank()
    rows = np.rint((arc[:, 1] + DEPTH_MM) / BANK_STEP_MM).astype(np.intp)
    share = _slice_shares(slices, shape.lateral_mm + arc[:, 0]) * shape.length_mm / ARC_POINTS
    smear = share @ bank[np.clip(rows, 0, len(bank) - 1)]
    inside = _heights(shape, np.zeros(1))[0, list(HEIGHT_SHARES).index(1.0)]
    return np.asarray(smear[:, None, :] * inside[None, :, None], dtype=np.float64)


def _heights(shape: JointShape, cranial: FloatArray) -> FloatArray:
    """Return how far each row lies inside the joint's height, shape (places, shares, rows)."""
    half = 0.5 * shape.height_mm * HEIGHT_SHARES[None, :, None]
    past = np.abs(_steps(HEIGHT_MM) - cranial[:, None, None]) - half
    return np.asarray(1.0 / (1.0 + np.exp(np.clip(past / EDGE_MM, -30.0, 30.0))))


def _bank() -> FloatArray:
    """Return a line's profile at every place `BANK_STEP_MM` apart, its background taken away as the slices' is."""
    columns = _steps(DEPTH_MM)
    places = np.arange(-DEPTH_MM, DEPTH_MM + 1e-6, BANK_STEP_MM)
    lines = np.exp(-0.5 * ((columns - places[:, None]) / SMEAR_MM) ** 2)
    return np.asarray(lines - ndimage.gaussian_filter1d(lines, BACKGROUND_MM / STEP_MM, axis=1))


def _slice_shares(slices: Slices, outwards_mm: FloatArray) -> FloatArray:
    """Return how much of each point of a line lies in each slice, per mm of thickness, shape (slices, points)."""
    away = np.abs(outwards_mm[None, :] - slices.outwards_mm[:, None]) - 0.5 * slices.thickness_mm
    return np.asarray(np.clip(0.5 - away, 0.0, 1.0) / slices.thickness_mm)
