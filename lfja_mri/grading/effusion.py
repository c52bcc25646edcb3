"""Fluid within the joint: its width across the joint plane, and its volume."""

from __future__ import annotations

import numpy as np

from lfja_mri.geometry import sample
from lfja_mri.grading.sampling import ZoneSignal
from lfja_mri.model import FloatArray, Image, Joint, Zone
from lfja_mri.settings.grading import MeasureSettings

STEP_MM = 0.1
HEIGHTS = 7


def effusion_width_mm(
    joint: Joint, image: Image, reference: float, settings: MeasureSettings, offset_mm: float = 0.0
) -> float | None:
    """Return the width of fluid across the joint plane in mm, sub-voxel; higher is worse.

    Each profile along the joint normal gives the integral of (signal - background) / (fluid - background), which
    blur and thick slices leave unchanged: a 1 mm line of fluid in 2 mm pixels still has the area of 1 mm. The width
    is a high percentile over the joint line and the middle of its height ("the slice with the widest joint space",
    Zhao et al. 2026). None where the image does not reach.

    Parameters
    ----------
    reference
        Signal of fluid in the unit of the image.
    offset_mm
        Displacement along the normal, to learn what an error of position does.
    """
    widths = profile_widths_mm(_profiles(joint, image, settings, offset_mm) / reference, settings)
    known = widths[np.isfinite(widths)]
    return float(np.percentile(known, settings.effusion_percentile)) if len(known) >= HEIGHTS else None


def profile_widths_mm(profiles: FloatArray, settings: MeasureSettings) -> FloatArray:
    """Return the equivalent width of fluid in mm of profiles (..., samples), ratios to fluid; NaN where cut off.

    The background is the darkest the profile gets beside the joint line (cortex), or cartilage where that is darker
    still; only what lies between the two darkest places counts, so that oedema behind the cortex does not.
    """
    middle = profiles.shape[-1] // 2
    near, far = profiles[..., : middle + 1], profiles[..., middle:]
    index = np.arange(profiles.shape[-1])
    first = np.argmin(near, axis=-1)[..., None]
    last = (middle + np.argmin(far, axis=-1))[..., None]
    background = np.minimum(
        0.5 * (near.min(axis=-1) + far.min(axis=-1)), settings.fluid_background_csf_ratio
    )[..., None]
    between = (index >= first) & (index <= last)
    share = np.where(between, (profiles - background) / (1.0 - background), 0.0)
    return np.asarray(np.clip(share.sum(axis=-1) * STEP_MM, 0.0, None))


def _profiles(joint: Joint, image: Image, settings: MeasureSettings, offset_mm: float) -> FloatArray:
    """Read profiles along the normal, shape (heights, points of the joint line, samples)."""
    frame = joint.frame
    half_mm = settings.effusion_half_window_mm
    across = np.arange(-half_mm, half_mm + STEP_MM / 2, STEP_MM) + offset_mm
    heights = np.linspace(-0.5, 0.5, HEIGHTS) * settings.effusion_height_share * frame.height_mm
    line = inner_line(frame.joint_line_lps_mm)
    points = (
        line[None, :, None]
        + heights[:, None, None, None] * frame.cranial_lps
        + across[None, None, :, None] * frame.normal_lps
        + joint.shift_of(image.key)
    )
    return sample(image.volume, points)


def inner_line(line_lps_mm: FloatArray, share: float = 0.8, count: int = 9) -> FloatArray:
    """Return evenly spaced points of a polyline without its ends, shape (count, 3)."""
    steps = np.linalg.norm(np.diff(line_lps_mm, axis=0), axis=1)
    reached = np.concatenate([[0.0], np.cumsum(steps)]) / max(steps.sum(), 1e-9)
    wanted = np.linspace(0.5 - share / 2, 0.5 + share / 2, count)
    return np.stack([np.interp(wanted, reached, line_lps_mm[:, axis]) for axis in range(3)], axis=1)


def effusion_volume_mm3(ratio: ZoneSignal, settings: MeasureSettings) -> float:
    """Return the volume of fluid in joint space and capsule in mm3, partly filled voxels by share; higher is worse."""
    inside = ratio.signal_zyx[ratio.of(Zone.JOINT_SPACE, Zone.CAPSULE)]
    background = settings.fluid_background_csf_ratio
    share = np.clip((inside - background) / (1.0 - background), 0.0, 1.0)
    return float(share[share > 0.5].sum(dtype=np.float64) * ratio.voxel_mm3)


def joint_signal_ratio(ratio: ZoneSignal) -> float:
    """Return the mean signal of the joint space as a ratio to CSF; higher is worse; 0 where it was not imaged."""
    inside = ratio.signal_zyx[ratio.of(Zone.JOINT_SPACE)]
    return float(inside.mean(dtype=np.float64)) if len(inside) else 0.0
