"""Where things lie that both drawn pictures and plain pages show; nothing here draws.

Pages need no drawing library, so that a run without pictures never loads one.
"""

from __future__ import annotations

from collections.abc import Sequence

from lfja_mri import geometry
from lfja_mri.model import FloatArray, Image, JointResult, LevelMap, Plane
from lfja_mri.report import cuts

UNPLACED_OFFSET_MM = 17.0
# Top and bottom of the views within a joint's picture, captions included, as shares of its height.
VIEWS_BAND = (0.095, 0.835)


def spine_image(images: Sequence[Image], centre_lps_mm: FloatArray) -> Image | None:
    """Choose the sagittal image for the overview: one that shows inflammation first, else the first that there is."""
    sagittal = [image for image in images if cuts.plane_of(image) is Plane.SAGITTAL]
    reaching = [image for image in sagittal if _reaches(image, centre_lps_mm)] or sagittal
    return min(reaching, key=lambda image: not image.role.contrast.shows_inflammation, default=None)


def _reaches(image: Image, point_lps_mm: FloatArray) -> bool:
    return bool(geometry.contains(image.volume, point_lps_mm))


def place(result: JointResult, level_map: LevelMap) -> FloatArray | None:
    """Return a joint's centre in LPS mm, or where its disc says it should be, or None without a disc."""
    if result.joint is not None:
        return result.joint.frame.centre_lps_mm
    disc = level_map.disc(result.level)
    if disc is None:
        return None
    return disc.centre_lps_mm + disc.axes.left * result.side.lateral_sign * UNPLACED_OFFSET_MM
