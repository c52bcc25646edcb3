"""Draw the failure gallery of `docs/limits.md`: tuning phantoms where the tool's grade is not the truth, as it saw them."""

from __future__ import annotations

import argparse
import base64
from dataclasses import dataclass
from pathlib import Path

from benchmarks.phantoms import GRADE_WEIGHTS
from lfja_mri.model import Level, Side
from lfja_mri.phantom import Quality, load_recipe, simulate
from lfja_mri.pipeline import grade_images, prepare
from lfja_mri.report.figures import joint_picture
from lfja_mri.report.stored import small_picture

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Case:
    """One joint of one tuning phantom (seeds below 1000) and the name of its picture."""

    recipe: str
    quality: Quality
    seed: int
    level: Level
    side: Side
    name: str


CASES = (Case("routine_clinical", Quality.POOR, 60, Level.L5_S1, Side.LEFT, "failure_thick_slices"),)


def main() -> None:
    """Write the pictures and print each truth beside the tool's word."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "pictures")
    out = parser.parse_args().out
    for case in CASES:
        draw(case, out)


def draw(case: Case, out: Path) -> None:
    """Grade one phantom and draw one of its joints."""
    wishes = {"quality": (case.quality,), "grade_weights": GRADE_WEIGHTS}
    images, truth = simulate(load_recipe(case.recipe).model_copy(update=wishes), case.seed)
    result = grade_images(images, prepare(None, None))
    joint = next(one for one in result.joints if (one.level, one.side) == (case.level, case.side))
    picture = small_picture(joint_picture(joint, result.images), width=960)
    (out / f"{case.name}.png").write_bytes(base64.b64decode(picture.partition(",")[2]))
    print(f"{case.name}: truth {truth.joint(case.level, case.side).grade}, tool {joint.outcome}")


if __name__ == "__main__":
    main()
