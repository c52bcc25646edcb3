"""Draw the pictures of the phantom in `docs/pictures`: the five grades, and the sample case at both visits."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lfja_mri.geometry import apply
from lfja_mri.model import FloatArray, Image, Level, Role, Side, StudyImages
from lfja_mri.phantom import BASELINE, FOLLOW_UP, JointTruth, PhantomTruth, Quality, load_recipe, simulate
from lfja_mri.phantom.recipe import VariantWeights

ROOT = Path(__file__).resolve().parent.parent
HALF_MM = 30.0
GRADE_LEVELS = ("L1-L2", "L2-L3", "L3-L4", "L4-L5", "L5-S1")
GRADE_SEED = 7
SAMPLE_SEED = 61
PEOPLE_SEED = 4
HALF_SPINE_MM, HALF_JOINT_MM = 75.0, 20.0


def main() -> None:
    """Write the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "pictures")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    mpl.use("Agg")
    _save(_grades(), out / "phantom_grades.png")
    _save(_case(), out / "phantom_case.png")
    _save(_people(), out / "phantom_people.png")


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path, dpi=70, metadata={"Software": ""})


def _grades() -> Figure:
    """One joint of every grade, on an axial fat-saturated T2 and on the sagittal STIR."""
    recipe = load_recipe("trial").model_copy(
        update={"quality": (Quality.GOOD,), "motion_mm": (0.0, 0.0), "axial_plan": "per_disc", "matrix": 384}
    )
    wished = {
        (level, side): (grade if side is Side.RIGHT else 0)
        for grade, level in enumerate(GRADE_LEVELS)
        for side in Side
    }
    images, truth = simulate(recipe, GRADE_SEED, series=("axial_t2_fs", "sagittal_stir"), grades=wished)
    figure = Figure(figsize=(13, 5.6), layout="constrained")
    axes = figure.subplots(2, 5)
    for column, level in enumerate(GRADE_LEVELS):
        joint = truth.joint(Level(level), Side.RIGHT)
        words = f"grade {joint.grade}: {level}, {100 * joint.perimeter_fraction:.0f} % of the perimeter"
        for row, role in enumerate(("axial_t2_fs", "sagittal_stir")):
            _draw(axes[row, column], _images(images, role), truth, joint, words if row == 0 else role)
    return figure


def _case() -> Figure:
    """The treated joint of the sample case, before and one year later."""
    recipe = load_recipe("published_case")
    figure = Figure(figsize=(9, 5.2), layout="constrained")
    axes = figure.subplots(2, 3)
    for row, visit in enumerate((BASELINE, FOLLOW_UP)):
        images, truth = simulate(recipe, SAMPLE_SEED, visit=visit)
        joint = truth.joint(Level.L4_L5, Side.RIGHT)
        for column, role in enumerate(("sagittal_stir", "sagittal_t2", "axial_t2")):
            when = "baseline" if visit == BASELINE else "one year"
            words = f"{when}, {role.replace('_', ' ')}: true grade {joint.grade}"
            _draw(axes[row, column], _images(images, role), truth, joint, words)
    return figure


def _people() -> Figure:
    """The middle of three people, two of them with a vertebra between lumbar and sacral, and a joint worn to erosions."""
    plain = load_recipe("routine_clinical").model_copy(update={"quality": (Quality.GOOD,)})
    figure = Figure(figsize=(13, 4.6), layout="constrained")
    axes = figure.subplots(1, 4)
    for column, variant in enumerate(("standard", "sacralised", "squared_s1")):
        weights = VariantWeights(**{name: float(name == variant) for name in VariantWeights.model_fields})
        recipe = plain.model_copy(update={"variants": weights})
        images, truth = simulate(recipe, PEOPLE_SEED, series=("sagittal_t2",))
        low = truth.discs[-1].frame.origin + np.array([0.0, 10.0, 20.0])
        _draw_at(axes[column], images.images[:1], truth, low, f"{variant}, sagittal t2", HALF_SPINE_MM)
    images, truth = simulate(load_recipe("published_case"), SAMPLE_SEED, series=("axial_t2",))
    joint = truth.joint(Level.L4_L5, Side.RIGHT)
    words = f"erosions and cysts, {joint.erosion_volume_mm3:.0f} mm3, axial t2"
    _draw_at(axes[3], list(images.images), truth, joint.centre_lps_mm, words, HALF_JOINT_MM)
    return figure


def _images(images: StudyImages, role: str) -> list[Image]:
    return [image for image in images.images if image.role == _role(role)]


def _role(words: str) -> Role:
    from lfja_mri.model import Contrast, Plane

    plane, _, contrast = words.partition("_")
    return Role(Plane(plane), Contrast(contrast))


def _draw(axes: Axes, images: list[Image], truth: PhantomTruth, joint: JointTruth, words: str) -> None:
    """Draw the slice nearest to the joint, cropped around it."""
    _draw_at(axes, images, truth, joint.centre_lps_mm, words, HALF_MM)


def _draw_at(
    axes: Axes,
    images: Sequence[Image],
    truth: PhantomTruth,
    point_lps_mm: FloatArray,
    words: str,
    half_mm: float,
) -> None:
    """Draw the slice nearest to a point at rest, cropped around it."""
    places = [apply(image.volume.lps_to_voxel, truth.moved(image.key, point_lps_mm)) for image in images]
    inside = [
        (abs(place[2] - round(float(place[2]))), number)
        for number, place in enumerate(places)
        if -0.5 <= place[2] <= images[number].volume.values_zyx.shape[0] - 0.5
    ]
    number = min(inside)[1]
    volume, place = images[number].volume, places[number]
    brightest = float(np.percentile(np.concatenate([_flat(image) for image in images]), 99.6))
    half = half_mm / float(volume.spacing_mm[0])
    axes.imshow(volume.values_zyx[round(float(place[2]))], cmap="gray", vmin=0, vmax=brightest)
    axes.set_xlim(place[0] - half, place[0] + half)
    axes.set_ylim(place[1] + half, place[1] - half)
    axes.set_title(words, fontsize=7)
    axes.axis("off")


def _flat(image: Image) -> npt.NDArray[np.float32]:
    return image.volume.values_zyx.ravel()[::7]


if __name__ == "__main__":
    main()
