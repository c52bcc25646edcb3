"""Draw the failure gallery of `docs/limits.md`: tuning phantoms where the tool was wrong or could not tell, as it drew them itself.

    python -m benchmarks.make_gallery [--out docs/pictures]

What each picture must still show is checked while it is drawn: where the tool became right about a case, the case has to
leave the gallery.
"""

from __future__ import annotations

import argparse
import base64
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.level_phantoms import all_near
from benchmarks.phantoms import GRADE_WEIGHTS
from lfja_mri.model import Graded, JointResult, Level, Side, StudyImages, StudyResult
from lfja_mri.phantom import PhantomTruth, Quality, load_recipe, simulate
from lfja_mri.phantom.recipe import VariantWeights
from lfja_mri.pipeline import grade_images, prepare
from lfja_mri.report.figures import joint_picture, overview_picture
from lfja_mri.report.stored import small_picture

ROOT = Path(__file__).resolve().parent.parent
WIDTH_PIXELS = 960


@dataclass(frozen=True)
class Case:
    """One phantom of the tuning seeds (below 1000), what of it is drawn, and the name of its picture.

    Without a level and side the whole spine is drawn. A joint that is `refused` must have no grade, the others one.
    """

    name: str
    recipe: str
    seed: int
    wishes: Mapping[str, Any] = field(default_factory=dict)
    level: Level | None = None
    side: Side | None = None
    refused: bool = False

    @property
    def phantom(self) -> tuple[str, int, Mapping[str, Any]]:
        """What the images follow from; cases that follow one another share them."""
        return self.recipe, self.seed, self.wishes


@dataclass(frozen=True, eq=False)
class Seen:
    """A case with its images, its truth and what the tool said."""

    case: Case
    images: StudyImages
    truth: PhantomTruth
    result: StudyResult

    def joint(self) -> JointResult:
        """Return what was said of the joint that is drawn."""
        wanted = (self.case.level, self.case.side)
        return next(one for one in self.result.joints if (one.level, one.side) == wanted)


POOR = {"quality": (Quality.POOR,)}
WITHOUT_STIR = {
    "quality": (Quality.GOOD, Quality.FAIR),
    "series": ("sagittal_t2", "sagittal_t1", "axial_t2", "axial_t2_fs"),
}


def only(variant: str) -> dict[str, VariantWeights]:
    """Wish for one kind of spine."""
    return {
        "variants": VariantWeights(**{name: float(name == variant) for name in VariantWeights.model_fields})
    }


CASES = (
    Case("failure_six_lumbar", "routine_clinical", 100, only("l6")),
    Case("failure_other_joint", "routine_clinical", 100, only("l6"), Level.L3_L4, Side.RIGHT),
    Case("failure_four_as_three", "routine_clinical", 67, POOR, Level.L5_S1, Side.RIGHT),
    Case("failure_two_as_three", "routine_clinical", 60, POOR, Level.L3_L4, Side.LEFT),
    Case("failure_thick_slices", "routine_clinical", 60, POOR, Level.L5_S1, Side.LEFT),
    Case("failure_fat_suppression", "trial", 366, WITHOUT_STIR, Level.L3_L4, Side.LEFT, refused=True),
)


def main() -> None:
    """Write the pictures and print each truth beside the tool's word."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "pictures")
    parser.add_argument("names", nargs="*", help="names of cases; all where none is given")
    asked = parser.parse_args()
    if unknown := set(asked.names) - {case.name for case in CASES}:
        parser.error(f"no case {', '.join(sorted(unknown))}; cases: {', '.join(case.name for case in CASES)}")
    out, seen = asked.out, None
    for case in CASES:
        if asked.names and case.name not in asked.names:
            continue
        seen = look(case) if seen is None or seen.case.phantom != case.phantom else replace(seen, case=case)
        print(f"{case.name}: {told(seen)}", flush=True)
        (out / f"{case.name}.png").write_bytes(picture(seen))


def look(case: Case) -> Seen:
    """Simulate and grade a case."""
    wishes = {"grade_weights": GRADE_WEIGHTS, **case.wishes}
    images, truth = simulate(load_recipe(case.recipe).model_copy(update=wishes), case.seed)
    return Seen(case, images, truth, grade_images(images, prepare()))


def told(seen: Seen) -> str:
    """Tell what is true and what the tool said; where both agree there is nothing to show.

    Raises
    ------
    SystemExit
        The tool is right about the case, or its word is of another kind than the page says.
    """
    words = about_joint(seen) if seen.case.level else about_levels(seen)
    if not words:
        raise SystemExit(f"{seen.case.name}: this is not what the tool says any more; choose another case")
    return words


def about_levels(seen: Seen) -> str:
    """Tell how the levels were named, if not rightly."""
    found = seen.result.level_map
    if found is not None and any(all_near(found, seen.truth, image.key) for image in seen.images.images):
        return ""
    true = ", ".join(str(disc.level.value) for disc in seen.truth.discs if disc.level is not None)
    named = (
        "none"
        if found is None
        else ", ".join(f"{one.level.value} ({one.confidence:.2f})" for one in found.discs)
    )
    return f"truth {true}; tool {named}; flags {() if found is None else found.flags}"


def about_joint(seen: Seen) -> str:
    """Tell grade and place of the joint, if the grade is not the true one, or is refused where that is to be shown."""
    result = seen.joint()
    true = seen.truth.joint(result.level, result.side)
    outcome = result.outcome
    if isinstance(outcome, Graded) == seen.case.refused:
        return ""
    if isinstance(outcome, Graded) and outcome.grade == true.grade:
        return ""
    place = "not placed"
    if result.joint is not None:
        centre = result.joint.frame.centre_lps_mm
        there = [seen.truth.moved(image.key, true.centre_lps_mm) for image in seen.images.images]
        place = f"{min(float(np.linalg.norm(centre - one)) for one in there):.1f} mm off"
    return f"truth {true.grade} {true.flags}; tool {outcome}; {place}"


def picture(seen: Seen) -> bytes:
    """Return the tool's own picture, small enough for a page."""
    whole = seen.case.level is None
    drawn = overview_picture(seen.result) if whole else joint_picture(seen.joint(), seen.result.images)
    return base64.b64decode(small_picture(drawn, width=WIDTH_PIXELS).partition(",")[2])


if __name__ == "__main__":
    main()
