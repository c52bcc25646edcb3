"""Is ingestion right or does it say why: messy cases against the positions written into their pixels; roles by pixels alone.

The messy cases and the dcm2niix oracle are those of the tests. For roles the headers are ignored: what counts is
whether fat suppression and weighting are recognised in real images whose contrast is known.
"""

from __future__ import annotations

import csv
import importlib
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt
from PIL import Image as Picture

from benchmarks.rows import Row
from lfja_mri.config import load_pipeline_settings
from lfja_mri.geometry import lps_to_ras
from lfja_mri.ingest import Stack, Study, assign_roles, find_studies, read_stack
from lfja_mri.ingest.cues import Cues, cues_of, fat_is_dark, fluid_is_bright, middle_cues
from lfja_mri.model import Plane, Rejection, Volume
from lfja_mri.settings.ingest import IngestSettings

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared" / "data"
REAL_STUDY = SHARED / "dicom" / "rsna-100206310"
WRONG_FROM_MM = 0.1
TURNED_FROM_MM = 2e-3  # per pixel: 0.1 mm over 50
FLIPS = 500
FAT_DARK = {"STIR-TIRM", "T1-FFE"}  # the gradient-echo set looks like Dixon water: fat dark, fluid bright
REAL_CUTS = ((1, 7), (8, 23), (24, 32), (33, 41), (42, 50), (51, 60))
FloatGrid = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Outcome:
    """What became of one messy case; errors are None where nothing came out."""

    name: str
    stacks: int
    wanted: int
    error_mm: float | None
    reasons: tuple[str, ...]
    oracle_error_mm: float | None
    disagreement_mm: float | None

    @property
    def words(self) -> str:
        """The outcome in words."""
        if self.error_mm is not None and self.error_mm >= WRONG_FROM_MM:
            return "SILENTLY WRONG"
        return "right" if self.stacks else "refused"


def rows() -> list[Row]:
    """Return the figures, and print the table of cases and outcomes."""
    settings = load_pipeline_settings().ingest
    outcomes = [_outcome(name, settings) for name in sorted(_test_module("messy_dicom").CASES)]
    for line in case_table(outcomes):
        print(line)
    return [
        *_geometry_rows(outcomes),
        _damage_row(settings),
        *_role_rows(settings),
        *_real_study_rows(settings),
    ]


def case_table(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Yield one line a case: outcome, stacks, error in mm, reason codes, and what dcm2niix made of it."""
    yield f"{'case':30}{'outcome':16}{'stacks':8}{'error mm':10}{'dcm2niix error mm':19}reasons"
    for one in outcomes:
        error = "-" if one.error_mm is None else f"{one.error_mm:.3f}"
        oracle = "nothing" if one.oracle_error_mm is None else f"{one.oracle_error_mm:.2f}"
        yield f"{one.name:30}{one.words:16}{one.stacks:<8}{error:10}{oracle:19}{', '.join(one.reasons)}"


def _made() -> Any:
    return _test_module("made_dicom")


def _test_module(name: str) -> Any:
    folder = str(ROOT / "tests")
    if folder not in sys.path:
        sys.path.append(folder)
    return importlib.import_module(name)


def _outcome(name: str, settings: IngestSettings) -> Outcome:
    made, oracle = _made(), _test_module("nifti_oracle")
    case = _test_module("messy_dicom").CASES[name]
    with tempfile.TemporaryDirectory() as folder:
        case.build(Path(folder))
        catalogue = find_studies([Path(folder)], settings)
        stacks = [stack for study in catalogue.studies for stack in study.stacks]
        volumes = [volume for stack in stacks if isinstance(volume := read_stack(stack), Volume)]
        refused = [*catalogue.rejections, *(one for study in catalogue.studies for one in study.rejections)]
        theirs = oracle.converted(Path(folder))
    errors = [made.geometry_error_mm(one.values_zyx, one.voxel_to_lps) for one in volumes]
    oracle_errors = [
        made.geometry_error_mm(values.transpose(2, 1, 0), lps_to_ras(affine)) for values, affine in theirs
    ]
    return Outcome(
        name=name,
        stacks=len(volumes),
        wanted=case.stacks,
        error_mm=max(errors, default=None),
        reasons=tuple(sorted({one.reason.value for one in refused})),
        oracle_error_mm=max(oracle_errors, default=None),
        disagreement_mm=_disagreement(volumes, theirs, oracle.placement_error_mm),
    )


def _disagreement(
    volumes: Sequence[Volume],
    theirs: Sequence[tuple[FloatGrid, FloatGrid]],
    compare: Callable[..., float | None],
) -> float | None:
    """Largest distance to the matching dcm2niix volume, values equal; None where one has no match."""
    worst = 0.0
    for volume in volumes:
        ours = (volume.values_zyx.T.astype(np.float64), lps_to_ras(volume.voxel_to_lps))
        found = [error for one in theirs if (error := compare(ours, one)) is not None]
        if not found:
            return None
        worst = max(worst, min(found))
    return worst if volumes else None


def _geometry_rows(outcomes: Sequence[Outcome]) -> list[Row]:
    data = f"{len(outcomes)} messy DICOM cases made by code"
    wrong = [one.name for one in outcomes if one.words == "SILENTLY WRONG"]
    odd = [one.name for one in outcomes if one.stacks != one.wanted]
    theirs = [one for one in outcomes if (one.oracle_error_mm or 0) >= WRONG_FROM_MM]
    agreed = [one.disagreement_mm for one in outcomes if one.disagreement_mm is not None]
    right = sum(one.words == "right" for one in outcomes)
    refused = sum(one.words == "refused" for one in outcomes)
    return [
        Row(
            "silently wrong geometries",
            f"{len(wrong)} (right {right}, refused {refused})",
            "0",
            not wrong,
            data,
        ),
        Row("cases that gave other stacks than they should", str(len(odd)), "0", not odd, data),
        Row(
            "the same with dcm2niix: places or values wrong (whatever it exits with)",
            str(len(theirs)),
            "-",
            None,
            data,
        ),
        Row(
            "distance to dcm2niix where it is right, values equal",
            f"{max(agreed):.5f} mm in {len(agreed)} cases",
            "<= 0.1 mm",
            max(agreed) <= 0.1,
            data,
        ),
    ]


def _damage_row(settings: IngestSettings) -> Row:
    """Flip one byte in the header of one of ten files, again and again; the planes that still come out must be in place."""
    made = _made()
    contents = [made.as_bytes(data) for data in made.series(made.SLAB)]
    pixels = made.SLAB.shape[0] * made.SLAB.shape[1] * 2
    chance, moved = np.random.default_rng(0), 0
    with tempfile.TemporaryDirectory() as folder:
        for number, content in enumerate(contents):
            Path(folder, f"{number:02d}").write_bytes(content)
        for _ in range(FLIPS):
            victim = int(chance.integers(len(contents)))
            damaged = bytearray(contents[victim])
            damaged[int(chance.integers(128, len(damaged) - pixels))] = int(chance.integers(256))
            Path(folder, f"{victim:02d}").write_bytes(damaged)
            moved += any(_is_moved(stack) for stack in _stacks(Path(folder), settings))
            Path(folder, f"{victim:02d}").write_bytes(contents[victim])
    return Row(
        "one-byte header flips that moved a plane",
        f"{moved} of {FLIPS}",
        "0",
        not moved,
        "ten slices made by code",
    )


def _stacks(folder: Path, settings: IngestSettings) -> list[Stack]:
    return [stack for study in find_studies([folder], settings).studies for stack in study.stacks]


def _is_moved(stack: Stack) -> bool:
    """Compare each plane with where its file, known by its place among the ten, was written to lie."""
    slab, affine = _made().SLAB, stack.voxel_to_lps
    written = np.array([slab.position(plane.source.number - 1) for plane in stack.planes])
    places = affine[:3, 3] + np.arange(len(stack.planes))[:, None] * affine[:3, 2]
    turned = max(
        float(np.max(np.abs(affine[:3, 0] - slab.row * slab.spacing[1]))),
        float(np.max(np.abs(affine[:3, 1] - slab.column * slab.spacing[0]))),
    )
    return float(np.max(np.linalg.norm(written - places, axis=1))) > WRONG_FROM_MM or turned > TURNED_FROM_MM


# ------------------------------------------------------------------------------------------------ roles


@dataclass(frozen=True, eq=False)
class Known:
    """An image whose contrast is known."""

    weighting: str
    fat_dark: bool
    cues: Cues | None


def _role_rows(settings: IngestSettings) -> list[Row]:
    if not SHARED.is_dir():
        return [Row("roles by pixels alone", "real data absent", ">= 90 %", None, "-")]
    volumes, slices, axial = list(_level_volumes()), list(_midsagittal()), list(_axial())
    return [
        _fat_row("sagittal volumes (limits set by hand on them)", volumes, settings),
        _fat_row("mid-sagittal SPIDER slices", slices, settings),
        _fat_row("axial T1 slices and Dixon images (limits set by hand on them)", axial, settings),
        _fluid_row("sagittal volumes without fat suppression (unseen)", volumes, settings),
        _fluid_row("mid-sagittal SPIDER slices (the weights were fitted to them)", slices, settings),
        _fluid_row("axial T1 slices (limit set by hand on them)", axial, settings),
    ]


def _fat_row(data: str, known: Sequence[Known], settings: IngestSettings) -> Row:
    right = sum(one.cues is not None and fat_is_dark(one.cues, settings)[0] == one.fat_dark for one in known)
    return _share("fat suppression recognised in the pixels alone", right, len(known), f"real {data}")


def _fluid_row(data: str, known: Sequence[Known], settings: IngestSettings) -> Row:
    plain = [one for one in known if not one.fat_dark and one.weighting in {"T1", "T2"}]
    right = sum(
        one.cues is not None and fluid_is_bright(one.cues, settings)[0] == (one.weighting == "T2")
        for one in plain
    )
    return _share("T1 and T2 told apart in the pixels alone", right, len(plain), f"real {data}")


def _share(figure: str, right: int, total: int, data: str) -> Row:
    share = right / max(total, 1)
    return Row(figure, f"{right} of {total} ({share:.0%})", ">= 90 %", share >= 0.9, data)


def _level_volumes() -> Iterator[Known]:
    contrasts = {row["id"]: row["contrast"] for row in _table(SHARED / "manifest.csv")}
    for path in sorted((SHARED / "levels").glob("*_img.nii.gz")):
        image = nib.nifti1.load(path)
        steps = image.header.get_zooms()
        values = np.asarray(image.dataobj, dtype=np.float32)
        picked = [
            values[round(share * (len(values) - 1))].T[::-1, ::-1] for share in np.linspace(0.35, 0.65, 5)
        ]
        contrast = contrasts[path.name.removesuffix("_img.nii.gz")]
        yield Known(contrast, contrast in FAT_DARK, _cues(picked, steps[2], steps[1], Plane.SAGITTAL))


def _midsagittal() -> Iterator[Known]:
    folder = SHARED / "spider-slices" / "midsagittal"
    for row in _table(folder / "overview.csv"):
        step = float(row["pixel_spacing_mm"])
        yield Known(
            row["contrast"],
            fat_dark=False,
            cues=_cues([_picture(folder / row["file"])], step, step, Plane.SAGITTAL),
        )


def _axial() -> Iterator[Known]:
    for path in sorted((SHARED / "facets" / "axial-t1").glob("*.png")):
        yield Known("T1", fat_dark=False, cues=_cues([_picture(path)], 0.6875, 0.6875, Plane.AXIAL))
    for path in sorted((SHARED / "facets" / "dixon").glob("*.nii.gz")):
        image = nib.as_closest_canonical(nib.nifti1.load(path))
        steps = image.header.get_zooms()
        values = np.asarray(image.dataobj, dtype=np.float32)[::-1, ::-1]
        picked = [values[:, :, round(share * (values.shape[2] - 1))].T for share in np.linspace(0.2, 0.8, 5)]
        yield Known("Dixon", "water" in path.name, _cues(picked, steps[1], steps[0], Plane.AXIAL))


def _cues(
    planes: Sequence[npt.NDArray[np.float32]], down_mm: float, across_mm: float, plane: Plane
) -> Cues | None:
    """Cues of planes shown as usual: head up and front left, or front up and the patient's right on the left."""
    affine = np.zeros((4, 4))
    affine[3, 3] = 1.0
    if plane is Plane.SAGITTAL:
        affine[1, 0], affine[2, 1], affine[0, 2] = across_mm, -down_mm, 1.0
    else:
        affine[0, 0], affine[1, 1], affine[2, 2] = across_mm, down_mm, 1.0
    found = [cues for one in planes if (cues := cues_of(one, affine, plane)) is not None]
    return middle_cues(found) if found else None


def _picture(path: Path) -> npt.NDArray[np.float32]:
    return np.asarray(Picture.open(path).convert("L"), dtype=np.float32)


def _table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


# ------------------------------------------------------------------------------------------- real study


def _real_study_rows(settings: IngestSettings) -> list[Row]:
    if not REAL_STUDY.is_dir():
        return [Row("the real study", "absent", "-", None, "-")]
    data = "real RSNA LumbarDISC 100206310, headers stripped"
    study = find_studies([REAL_STUDY], settings).studies[0]
    stacks = [stack for stack in study.stacks if stack.plane is Plane.AXIAL]
    spans = [sorted(plane.instance_number or 0 for plane in stack.planes) for stack in stacks]
    inside = all(any(first <= span[0] and span[-1] <= last for first, last in REAL_CUTS) for span in spans)
    complete = sum(map(len, spans)) == 60
    roles = _roles(study.stacks, settings)
    silent = _roles([_without_names(stack) for stack in study.stacks], settings)
    wanted = "axial_t2, sagittal_stir, sagittal_t1"
    return [
        Row(
            "axial stacks that respect the six cuts",
            f"{len(stacks)} stacks, {sum(map(len, spans))} planes",
            "6 cuts, 60 planes",
            inside and complete,
            data,
        ),
        Row("roles", roles, wanted, roles == wanted, data),
        Row("roles with the series names blanked as well", silent, wanted, silent == wanted, data),
        Row("stacks refused", str(_refused(study)), "0", _refused(study) == 0, data),
    ]


def _roles(stacks: Sequence[Stack], settings: IngestSettings) -> str:
    return ", ".join(sorted({str(cast.role) for cast in assign_roles(stacks, settings).casts}))


def _without_names(stack: Stack) -> Stack:
    planes = tuple(replace(plane, facts=replace(plane.facts, words="")) for plane in stack.planes)
    return replace(stack, planes=planes)


def _refused(study: Study) -> int:
    return sum(isinstance(one, Rejection) for one in study.rejections)


if __name__ == "__main__":
    for row in rows():
        print(row)
