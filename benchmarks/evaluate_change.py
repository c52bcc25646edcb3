"""Change from baseline on phantom people of evaluation seeds: noise called change, change found, and slips caught."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.change_pairs import FIRST_EVALUATION_SEED, PEOPLE, Person, Scan, common, people
from benchmarks.rows import Row
from lfja_mri import geometry
from lfja_mri.change import Change, Direction, Evidence, Status, compare_tables
from lfja_mri.change.common_frame import CommonFrame
from lfja_mri.config import ChangeSettings, load_change_settings
from lfja_mri.errors import Reason
from lfja_mri.model import (
    Acquisition,
    Contrast,
    Disc,
    FloatArray,
    Image,
    Joint,
    JointResult,
    Level,
    LevelMap,
    NotGraded,
    Side,
    StudyResult,
)
from lfja_mri.outputs import scale_of
from lfja_mri.phantom import PhantomTruth
from lfja_mri.pipeline import Road, prepare
from lfja_mri.results import Visit, grade_rows

JointKey = tuple[Level, Side]


@dataclass(frozen=True, eq=False)
class Compared:
    """One pair of scans: the common frames, the changes, and what is true."""

    first: Scan
    second: Scan
    frame: CommonFrame
    changes: tuple[Change, ...]


def rows() -> list[Row]:
    """Return the figures of the change stage."""
    road, settings = prepare(), load_change_settings()
    crowd = list(people(FIRST_EVALUATION_SEED, PEOPLE, road))
    repeats = [_compare(person, person.repeat, road, settings) for person in crowd]
    years = [_compare(person, person.follow_up, road, settings) for person in crowd]
    data = (
        f"phantoms, {PEOPLE} people (seeds from {FIRST_EVALUATION_SEED}), good and fair quality, 1.5 and 3 T, STIR and "
        "axial T2 with and without FS; discs true to 1.5 mm and 2 degrees"
    )
    return [
        _noise(repeats, data),
        _found(years, Direction.IMPROVED, data),
        _found(years, Direction.WORSENED, data),
        *_registration(repeats + years, data),
        _protocols(crowd, road, settings, data),
        _slips(crowd, road, settings, data),
        _identity(crowd, road, settings, data),
        _mirror(years, settings, road, data),
    ]


def _compare(person: Person, later: Scan, road: Road, settings: ChangeSettings) -> Compared:
    frame = common(person, later, road, settings)
    return Compared(person.baseline, later, frame, _changes(frame, road, settings))


def _changes(frame: CommonFrame, road: Road, settings: ChangeSettings) -> tuple[Change, ...]:
    tables = (_table(frame.baseline, road), _table(frame.follow_up, road))
    return compare_tables(*tables, settings, frame.evidence("phantom", "phantom"))


def _table(result: StudyResult, road: Road) -> list[dict[str, str | int | float | None]]:
    return grade_rows(result, Visit("phantom", result.study_key), scale_of(road))


# ------------------------------------------------------------------------------------------ noise and change


def _noise(pairs: Sequence[Compared], data: str) -> Row:
    changes = [change for pair in pairs for change in pair.changes if change.status is Status.COMPARABLE]
    wrong = sum(change.change is not Direction.UNCHANGED for change in changes)
    share = wrong / max(len(changes), 1)
    return Row(
        "unchanged joints called changed",
        f"{wrong} of {len(changes)} ({share:.1%})",
        "<= 1 %",
        share <= 0.01,
        data,
    )


def _found(pairs: Sequence[Compared], direction: Direction, data: str) -> Row:
    """Count the joints whose true grade moved by one or more and that are told so."""
    sign = -1 if direction is Direction.IMPROVED else 1
    told = [
        change.change is direction
        for pair in pairs
        for change in pair.changes
        if sign * _true_change(pair, (change.level, change.side)) >= 1
    ]
    share = sum(told) / max(len(told), 1)
    name = "true improvements found" if direction is Direction.IMPROVED else "true worsening found"
    value = f"{sum(told)} of {len(told)} ({share:.0%})"
    return Row(name, value, ">= 90 %", share >= 0.9 if told else None, data)


def _true_change(pair: Compared, key: JointKey) -> int:
    return pair.second.truth.joint(*key).grade - pair.first.truth.joint(*key).grade


# --------------------------------------------------------------------------------------------- registration


def _registration(pairs: Sequence[Compared], data: str) -> list[Row]:
    errors = [error for pair in pairs for error in _errors_mm(pair)]
    stated = [
        found.error_mm
        for pair in pairs
        for found in pair.frame.registrations.values()
        if found.error_mm is not None
    ]
    tried = sum(len(pair.frame.registrations) for pair in pairs)
    middle, high = (float(np.percentile(errors, share)) for share in (50, 95))
    return [
        Row("registration error at the joint, median", f"{middle:.2f} mm", "<= 0.5 mm", middle <= 0.5, data),
        Row(
            "registration error at the joint, 95th percentile",
            f"{high:.2f} mm",
            "<= 1.5 mm",
            high <= 1.5,
            data,
        ),
        Row("registration error as stated, median", f"{np.median(stated):.2f} mm", "", None, data),
        Row("joints registered", f"{len(stated)} of {tried}", "", None, data),
    ]


def _errors_mm(pair: Compared) -> list[float]:
    """Return how far apart in the body the same common joint is read at both visits, per joint and role."""
    errors = []
    for one, other in zip(pair.frame.baseline.joints, pair.frame.follow_up.joints, strict=True):
        found = pair.frame.registrations.get((one.level, one.side))
        if one.joint is None or other.joint is None or found is None or found.error_mm is None:
            continue
        for role in sorted({str(image.role) for image in pair.frame.baseline.images}):
            first = _read_at(one.joint, pair.frame.baseline.images, role, pair.first.truth)
            second = _read_at(other.joint, pair.frame.follow_up.images, role, pair.second.truth)
            if first is not None and second is not None:
                errors.append(float(np.linalg.norm(first - second)))
    return errors


def _read_at(joint: Joint, images: Sequence[Image], role: str, truth: PhantomTruth) -> FloatArray | None:
    """Return where in the true joint's own axes the middle of a joint is read on a role; None where it is not shown."""
    true = truth.joint(joint.frame.level, joint.frame.side)
    axes = np.stack([true.along_lps, true.normal_lps, true.cranial_lps])
    for image in _nearest_first(images, role, joint):
        place = joint.frame.centre_lps_mm + joint.shift_of(image.key)
        if geometry.contains(image.volume, place):
            corners = true.centre_lps_mm + np.vstack([np.zeros(3), 10 * np.eye(3)])
            moved = truth.moved(image.key, corners)
            at_rest = (place - moved[0]) @ np.linalg.inv((moved[1:] - moved[0]) / 10)
            return np.asarray(axes @ at_rest)
    return None


def _nearest_first(images: Sequence[Image], role: str, joint: Joint) -> list[Image]:
    def distance(image: Image) -> float:
        middle = (np.array(image.volume.values_zyx.shape[::-1]) - 1) / 2
        return float(
            np.linalg.norm(geometry.apply(image.volume.voxel_to_lps, middle) - joint.frame.centre_lps_mm)
        )

    return sorted((image for image in images if str(image.role) == role), key=distance)


# ------------------------------------------------------------------------------------- what must be caught

Alteration = Callable[[Image], Image]


def _alterations() -> dict[str, Alteration]:
    """Return ways in which a follow-up could have been imaged otherwise; pixels play no part in noticing them."""

    def header(change: Callable[[Acquisition], Acquisition]) -> Alteration:
        return lambda image: replace(image, acquisition=change(image.acquisition))

    def longer_echo(facts: Acquisition) -> Acquisition:
        return replace(facts, echo_time_ms=(facts.echo_time_ms or 60.0) * 1.5)

    def contrast(image: Image) -> Image:
        other = Contrast.DIXON_WATER if image.role.contrast.is_fat_suppressed else image.role.contrast
        return replace(image, role=replace(image.role, contrast=other))

    def thinned(image: Image) -> Image:
        affine = image.volume.voxel_to_lps.copy()
        affine[:3, 2] *= 2
        halved = replace(image.volume, values_zyx=image.volume.values_zyx[::2], voxel_to_lps=affine)
        return replace(image, volume=halved)

    return {
        "manufacturer": header(lambda facts: replace(facts, manufacturer_key="another")),
        "field strength": header(lambda facts: replace(facts, field_strength_t=7.0)),
        "contrast agent": header(lambda facts: replace(facts, contrast_agent=True)),
        "silent header": header(lambda _facts: Acquisition()),
        "echo time": header(longer_echo),
        "contrast": contrast,
        "pitch": thinned,
    }


def _protocols(crowd: Sequence[Person], road: Road, settings: ChangeSettings, data: str) -> Row:
    """Count the pairs, one scan altered, of which every joint is refused or bears a flag that names the alteration.

    A scan is set against its own altered copy: a repeat draws an echo time of its own, which an altered one may meet.
    """
    caught = tried = 0
    for person in crowd:
        baseline = _altered(person.baseline.result, lambda image: _named(image, "maker"))
        plain = _altered(person.repeat.result, lambda image: _named(image, "maker"))
        for name, alter in _alterations().items():
            other = _altered(baseline, alter)
            changes = _protocol_changes(baseline, other, road, settings)
            passed = [change for change in changes if not _is_noticed(change)]
            tried += 1
            caught += not passed
            for change in passed:
                sources = [one.sources if one else None for one in (change.baseline, change.follow_up)]
                print(f"not noticed: {name}, seed {person.seed}, {change.level} {change.side}, {sources}")
        usual = _protocol_changes(baseline, plain, road, settings)
        if any("protocol_unknown" in change.flags for change in usual):
            return Row(
                "another scanner or protocol noticed", "flags everything", "100 %", met=False, data=data
            )
    value = f"{caught} of {tried}"
    return Row("another scanner or protocol noticed", value, "100 %", caught == tried, data)


def _named(image: Image, maker: str) -> Image:
    return replace(image, acquisition=replace(image.acquisition, manufacturer_key=maker))


def _altered(result: StudyResult, alter: Alteration) -> StudyResult:
    images = tuple(alter(image) for image in result.images)
    names = {str(image.role): str(other.role) for image, other in zip(result.images, images, strict=True)}
    return replace(result, images=images, joints=tuple(_with_sources(one, names) for one in result.joints))


def _with_sources(joint: JointResult, names: dict[str, str]) -> JointResult:
    if joint.measurements is None:
        return joint
    sources = tuple(names[source] for source in joint.measurements.sources)
    return replace(joint, measurements=replace(joint.measurements, sources=sources))


def _protocol_changes(
    first: StudyResult, second: StudyResult, road: Road, settings: ChangeSettings
) -> tuple[Change, ...]:
    frame = CommonFrame(first, second, {})
    return _changes(frame, road, settings)


def _is_noticed(change: Change) -> bool:
    known = {"different_tool_version", "different_subject", "different_numbering_basis"}
    named = {flag for flag in change.flags if flag.startswith(("different_", "protocol_"))} - known
    return change.status is Status.NOT_COMPARABLE or bool(named)


def _slips(crowd: Sequence[Person], road: Road, settings: ChangeSettings, data: str) -> Row:
    """Count the renumbered follow-ups (each level named as its neighbour) of which no joint is told to have changed."""
    caught = tried = 0
    for person in crowd:
        for step in (-1, 1):
            slipped = replace(person.follow_up, result=_renamed(person.follow_up.result, step))
            changes = _changes(common(person, slipped, road, settings), road, settings)
            tried += 1
            caught += all(change.status is Status.NOT_COMPARABLE for change in changes)
    return Row("numbering slips caught", f"{caught} of {tried}", "100 %", caught == tried, data)


def _renamed(result: StudyResult, step: int) -> StudyResult:
    """Call every level by its neighbour's name, and drop the one that has no neighbour on that side."""
    if result.level_map is None:
        return result
    order = [disc.level for disc in result.level_map.discs]
    names = {level: order[i + step] for i, level in enumerate(order) if 0 <= i + step < len(order)}
    discs: list[Disc] = [
        replace(disc, level=names[disc.level]) for disc in result.level_map.discs if disc.level in names
    ]
    levels: LevelMap = replace(result.level_map, discs=tuple(discs))
    joints = [_joint_named(one, names[one.level]) for one in result.joints if one.level in names]
    left_out = [level for level in order if level not in names.values()]
    gone = NotGraded(Reason.LEVEL_NOT_VISIBLE)
    absent = [JointResult(left_out[0], side, gone) for side in Side]
    return replace(result, level_map=levels, joints=tuple(joints + absent))


def _joint_named(one: JointResult, level: Level) -> JointResult:
    joint = None if one.joint is None else replace(one.joint, frame=replace(one.joint.frame, level=level))
    return replace(one, level=level, joint=joint)


def _identity(crowd: Sequence[Person], road: Road, settings: ChangeSettings, data: str) -> Row:
    changes = [
        change
        for person in crowd
        for change in compare_tables(
            _table(person.baseline.result, road), _table(person.baseline.result, road), settings, Evidence()
        )
    ]
    moved = sum(change.change not in {Direction.UNCHANGED, None} for change in changes)
    return Row("a scan against itself, joints changed", f"{moved} of {len(changes)}", "0", moved == 0, data)


def _mirror(pairs: Sequence[Compared], settings: ChangeSettings, road: Road, data: str) -> Row:
    mirror = {Direction.IMPROVED: Direction.WORSENED, Direction.WORSENED: Direction.IMPROVED}
    unlike = total = 0
    for pair in pairs:
        backward = _changes(pair.frame.swapped, road, settings)
        for one, other in zip(pair.changes, backward, strict=True):
            total += 1
            unlike += (
                other.change != mirror.get(one.change, one.change) if one.change else other.change is not None
            )
    return Row("B against A that does not mirror A against B", f"{unlike} of {total}", "0", unlike == 0, data)
