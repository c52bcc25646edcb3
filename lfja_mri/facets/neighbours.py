"""A joint's neighbours, laid out in its disc's coordinates: behind, outwards from the midline, cranial.

Canal, disc, vessels and fat are labelled so that they are never taken for the joint; foramen, flavum, pedicle, transverse
process, body and muscle are what grades and references speak of.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lfja_mri.facets.frames import Site
from lfja_mri.facets.grid import Grid
from lfja_mri.model import BoolArray, FloatArray, JointFrame, LabelArray, Zone
from lfja_mri.settings.facets import ZoneSettings


@dataclass(frozen=True, eq=False)
class _DiscPlace:
    """Voxels in the disc's coordinates: mm behind its centre, outwards from the midline, cranial of its middle."""

    behind_mm: FloatArray
    outwards_mm: FloatArray
    cranial_mm: FloatArray


def label_neighbours(grid: Grid, frame: JointFrame, site: Site, settings: ZoneSettings) -> LabelArray:
    """Label the joint's neighbours on a grid, shape zyx, codes of `Zone`; later masks overwrite earlier ones."""
    disc = _disc_place(grid, frame, site)
    back_of_bodies = _back_of_bodies_mm(disc, site)
    labels = np.zeros(disc.behind_mm.shape, dtype=np.uint8)
    for mask, zone in (
        (_muscle(disc, frame, site, settings), Zone.MUSCLE),
        (_transverse_process(disc, frame, site, settings), Zone.TRANSVERSE_PROCESS),
        (_vessel(disc, site, settings), Zone.EXCLUDED_VESSEL),
        (_foramen(disc, site, settings), Zone.FORAMEN),
        (_pedicle(disc, frame, site, settings), Zone.PEDICLE),
        (_body_column(disc, back_of_bodies, site), Zone.VERTEBRAL_BODY),
        (_disc_column(disc, back_of_bodies, site), Zone.EXCLUDED_DISC),
        (_midline_fat(disc, site, settings), Zone.EXCLUDED_FAT),
        (_flavum(disc, frame, site, settings), Zone.LIGAMENTUM_FLAVUM),
        (_canal(disc, site, settings), Zone.EXCLUDED_CANAL),
    ):
        labels[mask] = zone.code
    return labels


def _disc_place(grid: Grid, frame: JointFrame, site: Site) -> _DiscPlace:
    anterior, left, cranial = site.from_lps(frame.centre_lps_mm)
    outwards = site.side.lateral_sign
    return _DiscPlace(
        behind_mm=-anterior - grid.along_mm(site.axes.anterior),
        outwards_mm=outwards * (left - site.canal_offset_mm[1] + grid.along_mm(site.axes.left)),
        cranial_mm=cranial + grid.along_mm(site.axes.cranial),
    )


def _canal_middle_mm(site: Site) -> float:
    return -float(site.canal_offset_mm[0])


def _between(values_mm: FloatArray, limits_mm: tuple[float, float]) -> BoolArray:
    return np.asarray((values_mm >= limits_mm[0]) & (values_mm < limits_mm[1]))


def _back_of_bodies_mm(disc: _DiscPlace, site: Site) -> FloatArray:
    """Return how far behind the disc's centre the bodies end: half an ellipse of the disc's size, flat behind."""
    outwards = np.minimum(np.abs(disc.outwards_mm) / (0.5 * site.disc.width_mm), 1.0)
    return (
        0.5 * site.disc.depth_mm * np.sqrt(1.0 - outwards * outwards * outwards)
    )  # a power takes ten times as long


def _body_column(disc: _DiscPlace, back_mm: FloatArray, site: Site) -> BoolArray:
    inside = np.abs(disc.outwards_mm) < 0.5 * site.disc.width_mm
    return np.asarray(inside & (disc.behind_mm < back_mm))


def _disc_column(disc: _DiscPlace, back_mm: FloatArray, site: Site) -> BoolArray:
    inside = np.abs(disc.outwards_mm) < 0.5 * site.disc.width_mm + 2.0
    flat = np.abs(disc.cranial_mm) < 0.5 * site.disc.height_mm + 1.0
    return np.asarray(inside & flat & (disc.behind_mm < back_mm + 2.0))


def _canal(disc: _DiscPlace, site: Site, settings: ZoneSettings) -> BoolArray:
    """Return the dural sac about the canal's middle: half an ellipse in front, narrowing to a rounded wedge behind."""
    behind = (disc.behind_mm - _canal_middle_mm(site)) / settings.canal_half_depth_mm
    narrowed = 1.0 - settings.canal_wedge * np.clip(behind, 0.0, 1.0)
    outwards = disc.outwards_mm / (settings.canal_half_width_mm * narrowed)
    return np.asarray(behind**2 + outwards**2 < 1.0)


def _foramen(disc: _DiscPlace, site: Site, settings: ZoneSettings) -> BoolArray:
    edge = settings.canal_half_width_mm - 2.0
    lateral = _between(disc.outwards_mm, (edge, edge + settings.foramen_lateral_mm))
    height = _between(disc.cranial_mm, (-settings.foramen_below_mm, settings.foramen_above_mm))
    depth = disc.behind_mm < _canal_middle_mm(site) + settings.canal_half_depth_mm
    return np.asarray(lateral & height & depth & (disc.behind_mm > 0.3 * site.disc.depth_mm))


def _vessel(disc: _DiscPlace, site: Site, settings: ZoneSettings) -> BoolArray:
    start = settings.canal_half_width_mm - 2.0 + settings.foramen_lateral_mm
    lateral = _between(disc.outwards_mm, (start, start + settings.vessel_width_mm))
    return np.asarray(lateral & (disc.behind_mm < _canal_middle_mm(site)))


def _pedicle(disc: _DiscPlace, frame: JointFrame, site: Site, settings: ZoneSettings) -> BoolArray:
    """Return the pedicles of the lower and the upper vertebra, from the bodies' back to the joint's depth."""
    first, last = settings.pedicle_lateral_mm
    edge = settings.canal_half_width_mm
    lateral = _between(disc.outwards_mm, (edge + first, edge + last))
    low, high = settings.pedicle_below_mm
    height = _between(-disc.cranial_mm, (low, high)) | _between(disc.cranial_mm, settings.pedicle_above_mm)
    joint_behind = -float(site.from_lps(frame.centre_lps_mm)[0])
    return np.asarray(lateral & height & (disc.behind_mm < joint_behind))


def _transverse_process(disc: _DiscPlace, frame: JointFrame, site: Site, settings: ZoneSettings) -> BoolArray:
    """Return the root of the lower vertebra's transverse process, outside the joint and level with the pedicle."""
    behind, outwards = _joint_offsets_mm(frame, site)
    low, high = settings.transverse_below_mm
    height = _between(-disc.cranial_mm, (low, high))
    depth = np.abs(disc.behind_mm - behind) < 0.5 * settings.transverse_depth_mm
    return np.asarray(height & depth & (disc.outwards_mm > outwards + settings.transverse_from_mm))


def _flavum(disc: _DiscPlace, frame: JointFrame, site: Site, settings: ZoneSettings) -> BoolArray:
    """Return the flavum: a band from the joint's anteromedial tip to the midline behind the canal."""
    tip = site.from_lps(frame.joint_line_lps_mm[0])
    tip_behind, tip_out = -tip[0], site.side.lateral_sign * (tip[1] - site.canal_offset_mm[1])
    middle_behind = (
        max(_canal_middle_mm(site) + settings.canal_half_depth_mm, tip_behind) + settings.flavum_mm
    )
    share = np.clip(disc.outwards_mm / max(tip_out, 1.0), 0.0, 1.0)
    course = middle_behind + share * (tip_behind - middle_behind)
    height = _between(disc.cranial_mm, (-settings.flavum_below_mm, settings.flavum_above_mm))
    band = np.abs(disc.behind_mm - course) < 0.6 * settings.flavum_mm
    return np.asarray(height & band & _between(disc.outwards_mm, (0.5, tip_out + 1.0)))


def _midline_fat(disc: _DiscPlace, site: Site, settings: ZoneSettings) -> BoolArray:
    """Return the epidural fat behind the sac, between both ligamenta flava."""
    start = _canal_middle_mm(site) + 0.6 * settings.canal_half_depth_mm
    depth = _between(disc.behind_mm, (start, start + settings.canal_half_depth_mm))
    return np.asarray(depth & (np.abs(disc.outwards_mm) < settings.spinous_half_width_mm))


def _muscle(disc: _DiscPlace, frame: JointFrame, site: Site, settings: ZoneSettings) -> BoolArray:
    """Return multifidus and its neighbours behind the joint, off the midline, and psoas in front, outside."""
    behind, outwards = _joint_offsets_mm(frame, site)
    back = (disc.behind_mm > behind + 4.0) & (disc.outwards_mm > settings.spinous_half_width_mm)
    beside = disc.outwards_mm > outwards + 9.0
    return np.asarray(back | beside)


def _joint_offsets_mm(frame: JointFrame, site: Site) -> tuple[float, float]:
    """Return (behind the disc, outwards from the midline) of a joint's centre."""
    anterior, left, _ = site.from_lps(frame.centre_lps_mm)
    return -float(anterior), site.side.lateral_sign * float(left - site.canal_offset_mm[1])
