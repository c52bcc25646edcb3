"""The frame of one disc from its voxels: centre, axes and size in LPS mm. Serves network and external masks alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from lfja_mri.geometry import perpendicular, unit
from lfja_mri.levels.candidates import ANTERIOR_LPS
from lfja_mri.model import Axes, BoolArray, FloatArray
from lfja_mri.settings.levels import LevelsSettings

LEFT_LPS = np.array([1.0, 0.0, 0.0])
COLUMN_MM = 2.0
NEAREST_SHARE = 0.1
FEWEST_IN_COLUMN = 4
FEWEST_COLUMNS = 6


@dataclass(frozen=True, eq=False)
class DiscFrame:
    """Centre, axes and size of a disc."""

    centre_lps_mm: FloatArray
    axes: Axes
    depth_mm: float
    width_mm: float
    height_mm: float


def disc_frame(
    points_lps_mm: FloatArray,
    shares: FloatArray,
    plane_pitch_mm: float,
    tangent: FloatArray,
    midline_left_mm: float,
    settings: LevelsSettings,
) -> DiscFrame:
    """Fit a frame to a disc's voxels.

    Parameters
    ----------
    points_lps_mm
        Voxel centres, shape (N, 3).
    shares
        Weights of the voxels, shape (N,).
    plane_pitch_mm
        Distance of the sagittal planes.
    tangent
        Unit tangent of the canal towards the head at this disc.
    midline_left_mm
        LPS x of the canal's centre line at this disc.
    """
    lateral = points_lps_mm[:, 0] - midline_left_mm
    middle = _middle(lateral, plane_pitch_mm, settings)
    centre = np.average(points_lps_mm[middle], axis=0, weights=shares[middle])
    anterior = _anterior(points_lps_mm[middle] - centre, shares[middle], tangent, settings)
    cranial = unit(np.cross(anterior, LEFT_LPS))
    cranial = _tilted(points_lps_mm - centre, shares, cranial, plane_pitch_mm, settings)
    anterior = perpendicular(anterior, cranial)
    axes = Axes(cranial, anterior, np.cross(cranial, anterior))
    centre = _mid_depth(points_lps_mm[middle], centre, axes)
    axes = _levelled(points_lps_mm[middle] - centre, axes, settings)
    anterior, cranial = axes.anterior, axes.cranial
    depth = _extent((points_lps_mm[middle] - centre) @ anterior)
    height = _height(
        (points_lps_mm[middle] - centre) @ anterior, (points_lps_mm[middle] - centre) @ cranial, depth
    )
    width = settings.usual_width_per_depth * depth
    place = np.array([midline_left_mm, centre[1], centre[2]])
    return DiscFrame(place, axes, depth, width, height)


def between_end_plates(
    frame: DiscFrame, bone_at: Callable[[FloatArray], FloatArray], settings: LevelsSettings
) -> DiscFrame:
    """Move the centre along the depth to the middle of the two facing end-plates, where both are seen.

    A disc bulges beyond the end-plates, mostly in front; the joint's place was measured from the end-plates.

    Parameters
    ----------
    bone_at
        Probability of vertebral body or sacrum at LPS points (N, 3).
    """
    middles = [_plate_middle(frame, sign, bone_at, settings) for sign in (1.0, -1.0)]
    seen = [middle for middle in middles if middle is not None]
    if len(seen) < 2:
        return frame
    limit = settings.largest_plate_shift_mm
    shift = float(np.clip(np.mean(seen), -limit, limit))
    return replace(frame, centre_lps_mm=frame.centre_lps_mm + shift * frame.axes.anterior)


def _plate_middle(
    frame: DiscFrame, sign: float, bone_at: Callable[[FloatArray], FloatArray], settings: LevelsSettings
) -> float | None:
    """Middle of one end-plate along the depth, relative to the disc's centre; None where it is not seen whole."""
    along = np.arange(-36.0, 36.5, 1.0)
    height = sign * (0.5 * frame.height_mm + np.array([3.0, 5.0, 7.0]))
    left = np.array([-4.0, 0.0, 4.0])
    grid = np.stack(np.meshgrid(along, left, height, indexing="ij"), axis=-1)
    points = frame.centre_lps_mm + frame.axes.to_lps(grid.reshape(-1, 3))
    bone = bone_at(points).reshape(grid.shape[:3]).mean(axis=(1, 2)) > 0.5
    labels, _ = ndimage.label(bone)
    here = labels[len(along) // 2]
    if not here:
        return None
    inside = along[labels == here]
    low, high = settings.disc_depth_mm
    whole = inside[0] > along[0] and inside[-1] < along[-1]
    return float(0.5 * (inside[0] + inside[-1])) if whole and low <= np.ptp(inside) <= high else None


def with_lateral_extent(
    frame: DiscFrame,
    share_at: Callable[[FloatArray], FloatArray],
    inside_at: Callable[[FloatArray], BoolArray],
    settings: LevelsSettings,
) -> DiscFrame:
    """Measure width and lateral centre from where the disc ends on either side, if that gives a plausible width.

    Where the side of the view cuts a disc off, its usual width from the end that is seen stands in for the other end,
    which lies no nearer than the edge of the view.

    Parameters
    ----------
    share_at
        Probability of disc at LPS points (N, 3).
    inside_at
        Whether LPS points (N, 3) lie in view.
    """
    steps = np.arange(0.0, 36.0, 1.0)
    reach = [_reach(frame, sign * steps, share_at, settings.width_share) for sign in (1.0, -1.0)]
    ends = frame.centre_lps_mm + np.array([[reach[0]], [-reach[1]]]) * frame.axes.left
    seen = inside_at(ends)
    if not seen.any():
        return frame
    if not seen.all():
        visible = int(np.argmax(seen))
        usual = settings.usual_width_per_depth * frame.depth_mm - reach[visible]
        reach[1 - visible] = max(usual, reach[1 - visible])
    width = reach[0] + reach[1]
    low, high = settings.width_per_depth
    if not low * frame.depth_mm <= width <= high * frame.depth_mm:
        return frame
    own = settings.lateral_trust * (reach[0] - reach[1]) / 2
    shift = float(np.clip(own, -settings.largest_shift_mm, settings.largest_shift_mm))
    return replace(frame, width_mm=width, centre_lps_mm=frame.centre_lps_mm + shift * frame.axes.left)


def _reach(
    frame: DiscFrame, steps_mm: FloatArray, share_at: Callable[[FloatArray], FloatArray], least: float
) -> float:
    """How far the disc goes on from its centre to one side, in mm."""
    along, height = np.linspace(-0.3, 0.3, 7) * frame.depth_mm, np.array([-2.0, 0.0, 2.0])
    grid = np.stack(np.meshgrid(along, steps_mm, height, indexing="ij"), axis=-1)
    points = frame.centre_lps_mm + frame.axes.to_lps(grid.reshape(-1, 3))
    share = share_at(points).reshape(grid.shape[:3]).max(axis=2).mean(axis=0)
    ends = np.flatnonzero(share < least)
    return float(abs(steps_mm[ends[0]])) if ends.size else float(abs(steps_mm[-1]))


def _middle(lateral: FloatArray, pitch_mm: float, settings: LevelsSettings) -> BoolArray:
    """Voxels near the midline; the nearest tenth and what lies beside it where fewer are within reach."""
    reach = max(settings.middle_half_width_mm, 0.6 * pitch_mm)
    nearest = float(np.quantile(np.abs(lateral), NEAREST_SHARE))
    return np.asarray(np.abs(lateral) <= max(reach, nearest + 0.6 * pitch_mm))


def _anterior(
    away: FloatArray, shares: FloatArray, tangent: FloatArray, settings: LevelsSettings
) -> FloatArray:
    """Long axis of the middle part in the sagittal plane, drawn towards the canal's normal where the disc is short."""
    usual = perpendicular(ANTERIOR_LPS, unit(np.array([0.0, tangent[1], tangent[2]])))
    if np.count_nonzero(shares) < 2:  # a single voxel has no long axis
        return usual
    flat = away[:, 1:]
    spread = np.cov(flat.T, aweights=shares)
    values, vectors = np.linalg.eigh(spread)
    long = vectors[:, 1] * -np.sign(vectors[0, 1] or 1.0)
    ratio = float(np.sqrt(values[1] / max(values[0], 1e-6)))
    trust = float(np.clip((ratio - 1.2) / settings.trusted_elongation, 0.0, 1.0))
    return unit(trust * np.array([0.0, long[0], long[1]]) + (1 - trust) * usual)


def _tilted(
    away: FloatArray, shares: FloatArray, cranial: FloatArray, pitch_mm: float, settings: LevelsSettings
) -> FloatArray:
    """Cranial axis with the disc's tilt to the side: slope of its height over the planes, limited."""
    lateral, height = away[:, 0], away @ cranial
    near = np.abs(lateral) < settings.tilt_half_width_mm
    if not np.any(near) or np.ptp(lateral[near]) < 2 * pitch_mm:
        return cranial
    spread = np.cov(np.stack([lateral[near], height[near]]), aweights=shares[near])
    slope = float(spread[0, 1] / spread[0, 0])
    limit = float(np.tan(np.radians(settings.largest_tilt_deg)))
    return unit(cranial - float(np.clip(slope, -limit, limit)) * LEFT_LPS)


def _levelled(away: FloatArray, axes: Axes, settings: LevelsSettings) -> Axes:
    """Turn the axes about the left-right axis until the mid-plane runs through the middles of the disc's columns.

    The long axis of the area follows the tall front of a lordotic disc and the bulge ahead of its rim; what lies behind
    the disc, canal and joints, is met by a plane in which every column counts the same and that bulge does not count.
    """
    along, height = away @ axes.anterior, away @ axes.cranial
    bins = np.round(along / COLUMN_MM).astype(int)
    kept = bins[along <= settings.levelled_to_depth * _extent(along)]
    columns = [value for value in np.unique(kept) if np.count_nonzero(bins == value) >= FEWEST_IN_COLUMN]
    if len(columns) < FEWEST_COLUMNS:
        return axes
    middles = [float(np.median(height[bins == value])) for value in columns]
    slope = float(np.polyfit(COLUMN_MM * np.array(columns), middles, 1)[0])
    limit = float(np.tan(np.radians(settings.largest_levelling_deg)))
    anterior = unit(axes.anterior + float(np.clip(slope, -limit, limit)) * axes.cranial)
    cranial = perpendicular(axes.cranial, anterior)
    return Axes(cranial, anterior, np.cross(cranial, anterior))


def _mid_depth(points: FloatArray, centre: FloatArray, axes: Axes) -> FloatArray:
    """Halfway between front and back; a lordotic disc is taller in front, so its centroid lies ahead of that."""
    away = points - centre
    along, height = away @ axes.anterior, away @ axes.cranial
    low, high = np.percentile(along, [2.0, 98.0])
    middle = float(0.5 * (low + high))
    near = np.abs(along - middle) < 0.2 * (high - low)
    if not near.any():  # a disc seen in two pieces, front and back, has no middle column
        near = np.ones_like(near)
    return np.asarray(centre + middle * axes.anterior + float(np.median(height[near])) * axes.cranial)


def _extent(along: FloatArray) -> float:
    """Extent between the outer percentiles, with the ends they cut off given back."""
    low, high = np.percentile(along, [2.0, 98.0])
    return float((high - low) / 0.96)


def _height(along: FloatArray, height: FloatArray, depth_mm: float) -> float:
    """Median thickness over 2 mm columns of the middle three fifths of the depth."""
    bins = np.round(along / 2.0).astype(int)
    columns = [height[bins == value] for value in np.unique(bins[np.abs(along) < 0.3 * depth_mm])]
    thick = [float(np.ptp(np.percentile(column, [3.0, 97.0]))) / 0.94 for column in columns]
    return float(np.median(thick)) if thick else 0.0
