"""Draw the joints found in the axial Dixon water volumes, beside the bare image, to be looked at and scored.

    python -m benchmarks.sheet_dixon dixon.png

Discs and canal are marked by hand in `reference/facets_dixon.csv` (pixels of the stored array): the volumes come without a
sagittal series, so the program cannot name their levels. The scores in that table are from looking at this sheet.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import nibabel as nib
import numpy as np

from benchmarks.evaluate_facets import SLICES
from benchmarks.evaluate_real_study import REFERENCE, read_points
from lfja_mri.config import load_pipeline_settings
from lfja_mri.facets import place_joints
from lfja_mri.geometry import apply, lps_to_ras
from lfja_mri.model import (
    Axes,
    Contrast,
    Disc,
    Image,
    Joint,
    Level,
    LevelMap,
    NumberingBasis,
    Plane,
    Role,
    StudyImages,
    Volume,
)

DIXON = SLICES.parent / "dixon"
DISC_HEIGHT_MM = 9.0
VIEW_PX = (28, 14, 28)
"""Half width, above and below the canal."""


def dixon_study(mark: dict[str, str]) -> tuple[StudyImages, LevelMap]:
    """Return one water volume as a study, with the one level that a row of marks describes."""
    stored = nib.Nifti1Image.from_filename(DIXON / f"{mark['subject']}_water.nii.gz")
    values = np.ascontiguousarray(np.asarray(stored.dataobj, dtype=np.float32).transpose(2, 1, 0))
    to_lps = lps_to_ras(np.asarray(stored.affine, dtype=np.float64))
    volume = Volume(values, to_lps, float(abs(to_lps[2, 2])))
    left, right, front, back = (float(mark[f"disc_{edge}_px"]) for edge in ("left", "right", "front", "back"))
    plane, pixel_mm = float(mark["disc_slice"]), float(abs(to_lps[0, 0]))
    centre = apply(to_lps, [0.5 * (left + right), 0.5 * (front + back), plane])
    canal = apply(to_lps, [float(mark["canal_column_px"]), float(mark["canal_row_px"]), plane])
    leftwards, behind, up = np.eye(3)
    size = (pixel_mm * (back - front), pixel_mm * (right - left), DISC_HEIGHT_MM)
    disc = Disc(Level(mark["level"]), centre, Axes(up, -behind, leftwards), *size, 1.0)
    line = canal + np.outer([60.0, 0.0, -60.0], up)
    images = StudyImages(mark["subject"], (Image("water", volume, Role(Plane.AXIAL, Contrast.DIXON_WATER)),))
    return images, LevelMap((disc,), line, NumberingBasis.ASSUMED)


def draw(path: Path) -> None:
    """Draw each marked level twice, with the lines that were found and without."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    settings = load_pipeline_settings().facets
    marks = read_points(REFERENCE / "facets_dixon.csv")
    figure, panels = plt.subplots(4, len(marks) // 2, figsize=(24, 20))
    for at, mark in enumerate(marks):
        images, levels = dixon_study(mark)
        volume = images.images[0].volume
        placed = place_joints(images, levels, settings)
        lines = [
            apply(volume.lps_to_voxel, joint.frame.joint_line_lps_mm)
            for joint in placed
            if isinstance(joint, Joint)
        ]
        pixels = volume.values_zyx[round(float(np.mean([line[:, 2] for line in lines])))]
        column, row = float(mark["canal_column_px"]), float(mark["canal_row_px"])
        beside, above, below = VIEW_PX
        for panel, drawn in ((panels[2 * (at // 4), at % 4], lines), (panels[2 * (at // 4) + 1, at % 4], [])):
            panel.imshow(pixels, cmap="gray", vmax=float(np.percentile(pixels, 98)), interpolation="bicubic")
            for line in drawn:
                panel.plot(line[:, 0], line[:, 1], "r-", lw=1.2)
            panel.set(
                title=f"{mark['subject']} {mark['level']}",
                xlim=(column - beside, column + beside),
                ylim=(row + below, row - above),
            )
            panel.axis("off")
    figure.savefig(path, dpi=50)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("path", type=Path, help="picture to write")
    draw(parser.parse_args().path)
