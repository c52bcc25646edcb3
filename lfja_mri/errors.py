"""The family of errors: each says what was found, what was needed, where, and what to try.

`app.py` is the one place that turns them into a line of text and an exit code. No message ever carries a
patient's name, id, dates, or free text of a header; inputs are named by their position.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum
from pathlib import Path
from typing import ClassVar


class ExitCode(IntEnum):
    """The exit codes that scripts rely on."""

    DONE = 0
    BUG = 1
    USAGE = 2
    CONFIGURATION = 3
    NOTHING_USABLE = 4
    SOME_FAILED = 5
    ALL_FAILED = 6
    CANNOT_WRITE = 7
    CHECK_NOT_MET = 8


class Reason(StrEnum):
    """Stable codes that say why something was refused or could not be judged."""

    # files and series
    NOT_DICOM = "not_dicom"
    TRUNCATED_FILE = "truncated_file"
    UNREADABLE_FILE = "unreadable_file"
    EMPTY_FILE = "empty_file"
    NOT_MR_IMAGE = "not_mr_image"
    NO_PIXELS = "no_pixels"
    COLOUR_IMAGE = "colour_image"
    DERIVED_IMAGE = "derived_image"
    MISSING_POSITION = "missing_position"
    MISSING_ORIENTATION = "missing_orientation"
    MISSING_SPACING = "missing_spacing"
    INVALID_GEOMETRY = "invalid_geometry"
    LOCALISER = "localiser"
    TOO_FEW_SLICES = "too_few_slices"
    MISSING_SLICE = "missing_slice"
    UNEVEN_SPACING = "uneven_spacing"
    SHEARED_STACK = "sheared_stack"
    DUPLICATE_FILE = "duplicate_file"
    DUPLICATE_POSITION = "duplicate_position"
    UNSUPPORTED_TRANSFER_SYNTAX = "unsupported_transfer_syntax"
    PIXELS_UNREADABLE = "pixels_unreadable"
    TOO_LARGE = "too_large"
    UNSAFE_ARCHIVE_MEMBER = "unsafe_archive_member"
    UNREADABLE_ARCHIVE = "unreadable_archive"
    OUTSIDE_FOLDER = "outside_folder"
    NOT_A_PLAIN_FILE = "not_a_plain_file"
    UNSUPPORTED_PLANE = "unsupported_plane"
    UNKNOWN_CONTRAST = "unknown_contrast"
    STIR_AFTER_CONTRAST = "stir_after_contrast"
    BETTER_CANDIDATE = "better_candidate"
    NOT_NEEDED = "not_needed"
    # levels
    NO_SAGITTAL_SERIES = "no_sagittal_series"
    LEVELS_NOT_FOUND = "levels_not_found"
    LEVEL_NOT_VISIBLE = "level_not_visible"
    NUMBERING_ASSUMED = "numbering_assumed"
    MASK_SCHEME_UNCERTAIN = "mask_scheme_uncertain"
    MASK_IMPLAUSIBLE = "mask_implausible"
    # joints and measures
    JOINT_NOT_FOUND = "joint_not_found"
    INSUFFICIENT_COVERAGE = "insufficient_coverage"
    NO_FAT_SUPPRESSED_SERIES = "no_fat_suppressed_series"
    FAT_SUPPRESSION_FAILED = "fat_suppression_failed"
    REFERENCE_TISSUE_NOT_FOUND = "reference_tissue_not_found"
    NO_FLUID_SENSITIVE_SERIES = "no_fluid_sensitive_series"
    MEASURE_MISSING = "measure_missing"
    EXCLUDED_BY_READER = "excluded_by_reader"
    # change
    NOT_GRADED = "not_graded"
    DIFFERENT_CONTRAST = "different_contrast"
    DIFFERENT_RULES = "different_rules"
    DIFFERENT_NUMBERING = "different_numbering"
    DIFFERENT_CONTRAST_AGENT = "different_contrast_agent"
    DIFFERENT_PROTOCOL = "different_protocol"
    MISSING_JOINT = "missing_joint"
    MISSING_VISIT = "missing_visit"
    DUPLICATE_VISIT = "duplicate_visit"
    REGISTRATION_FAILED = "registration_failed"
    # batch
    STUDY_FAILED = "study_failed"
    TIMED_OUT = "timed_out"
    WORKER_LOST = "worker_lost"
    CANNOT_WRITE = "cannot_write"


class LfjaError(Exception):
    """Root of everything that lfja-mri raises on purpose.

    Parameters
    ----------
    message
        What was found, what was needed, where, what to try; one line, no identifiers.
    reason
        The stable code, where one exists.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.BUG

    def __init__(self, message: str, *, reason: Reason | None = None) -> None:
        super().__init__(message)
        self.reason = reason

    def __reduce__(self) -> tuple[object, ...]:
        """Survive the trip between worker processes with the reason."""
        return (_rebuild, (type(self), str(self), self.reason))


def _rebuild(kind: type[LfjaError], message: str, reason: Reason | None) -> LfjaError:
    return kind(message, reason=reason)


class UsageError(LfjaError):
    """The words of the command do not fit together."""

    exit_code = ExitCode.USAGE


class ConfigurationError(LfjaError):
    """A configuration or rules file says something it may not."""

    exit_code = ExitCode.CONFIGURATION


class InputError(LfjaError):
    """Nothing in the input can be used."""

    exit_code = ExitCode.NOTHING_USABLE


class GeometryError(InputError):
    """Positions, orientations or affines contradict each other."""


class LevelsError(InputError):
    """The lumbar levels could not be found or named."""


class OutputError(LfjaError):
    """Results cannot be written."""

    exit_code = ExitCode.CANNOT_WRITE


class CheckError(LfjaError):
    """`--check` or `--strict` is not met."""

    exit_code = ExitCode.CHECK_NOT_MET


def place_of(error: BaseException) -> str:
    """Return file and line, within this package, where an unexpected error arose: no value of the input in it."""
    place = "outside the package"
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        if "lfja_mri" in Path(code.co_filename).parts:
            place = f"{Path(code.co_filename).name}, line {trace.tb_lineno}"
        trace = trace.tb_next
    return place
