"""The nouns of the product: what flows from stage to stage.

One frame inside: **LPS patient millimetres** (+x to the patient's left, +y to the back, +z to the head). Image
arrays are `*_zyx` (plane, row, column); their affines `voxel_to_lps` map `(column, row, plane)` voxel centres.
Left and right are the patient's, decided by coordinates only. Missing is a `Missing` with its reason.
"""

from __future__ import annotations

from lfja_mri.model.arrays import (
    BoolArray,
    FloatArray,
    ImageArray,
    LabelArray,
    Scalar,
)
from lfja_mri.model.grading import (
    Graded,
    JointResult,
    Measure,
    Measurements,
    Missing,
    NotGraded,
    Outcome,
    StudyResult,
)
from lfja_mri.model.images import (
    AFFINE_SHAPE,
    IMAGE_AXES,
    LEVELS_WITH_L6,
    LEVELS_WITHOUT_L5,
    SMALLEST_VOXEL_MM3,
    STANDARD_LEVELS,
    Acquisition,
    Contrast,
    Image,
    Level,
    Plane,
    Rejection,
    Role,
    Side,
    StudyImages,
    Volume,
)
from lfja_mri.model.joints import (
    EXTENSION_TARGETS,
    AbsentJoint,
    Joint,
    JointFrame,
    SeriesShift,
    Zone,
    Zones,
)
from lfja_mri.model.levels import (
    Axes,
    Disc,
    LevelMap,
    NumberingBasis,
    SpineTissue,
    TissueLabels,
)

__all__ = [
    "AFFINE_SHAPE",
    "EXTENSION_TARGETS",
    "IMAGE_AXES",
    "LEVELS_WITHOUT_L5",
    "LEVELS_WITH_L6",
    "SMALLEST_VOXEL_MM3",
    "STANDARD_LEVELS",
    "AbsentJoint",
    "Acquisition",
    "Axes",
    "BoolArray",
    "Contrast",
    "Disc",
    "FloatArray",
    "Graded",
    "Image",
    "ImageArray",
    "Joint",
    "JointFrame",
    "JointResult",
    "LabelArray",
    "Level",
    "LevelMap",
    "Measure",
    "Measurements",
    "Missing",
    "NotGraded",
    "NumberingBasis",
    "Outcome",
    "Plane",
    "Rejection",
    "Role",
    "Scalar",
    "SeriesShift",
    "Side",
    "SpineTissue",
    "StudyImages",
    "StudyResult",
    "TissueLabels",
    "Volume",
    "Zone",
    "Zones",
]
