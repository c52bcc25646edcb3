"""Codes in people's words: what a flag cautions of, and what a reason code says, for pages and docs alike."""

from __future__ import annotations

from collections.abc import Mapping

FLAG_WORDS: Mapping[str, str] = {
    "numbering_uncertain": "another count of the levels is nearly as likely: check the names on the overview",
    "transitional_anatomy_suspected": "a well-formed disc lies below the one called lowest: any name is a convention",
    "sacrum_not_in_view": "the sacrum was not seen, so the names of the levels are assumed",
    "ribs_disagree": "the ribs speak for another count than the sacrum: six or four lumbar vertebrae, or T12 without ribs",
    "series_disagree": "sagittal series, read alone, give the levels different names",
    "numbering_assumed": "the names of the levels are assumed at one visit or both",
    "numbering_doubted": "the names of the levels are in doubt at one visit or both: see the flags in grades.csv",
    "joint_from_external_mask": "the joint was placed by another tool's mask",
    "joint_from_prior_only": "no image decided the place: the joint lies where anatomy expects it",
    "joint_at_prior_bound": "the image pulled the joint to the edge of what anatomy allows: look at the outline",
    "joint_weakly_seen": "the joint line is faint: look at the outline",
    "joint_from_sagittal_slices": "placed on sagittal slices; no axial slice shows the joint",
    "joint_from_other_side": "placed as the mirror image of the other side",
    "series_shift_unknown": "how far the patient moved between series could not be measured here",
    "fat_suppression_unverified": "there was no fat nearby to check the suppression on",
    "sagittal_only": "abnormal signal was measured on sagittal slices only: two or three slices a joint",
    "extension_without_majority_perimeter": "abnormal signal reaches a target, but surrounds less than half of the joint",
    "exactly_half_perimeter": "the abnormal share of the perimeter sits on the border between two grades",
    "graded_by_reader": "a reader gave this grade",
    "reader_agrees": "a reader agreed with this grade",
    "reader_disagrees": "a reader disagreed with this grade",
    "sdc_provisional": "the smallest detectable changes were not measured on your scanner",
    "different_sources": "the visits were measured on different kinds of series",
    "different_fat_suppression": "fat was suppressed differently well at the two visits",
    "different_numbering_basis": "the names of the levels rest on different things at the two visits",
    "different_tool_version": "the visits were graded by different versions of this program",
    "different_subject": "the two tables name different subjects",
    "different_scanner": "another scanner model at the second visit",
    "different_field_strength": "another field strength at the second visit",
    "different_echo_time": "another echo time at the second visit",
    "different_inversion_time": "another inversion time at the second visit",
    "different_pitch": "another distance of slices at the second visit",
    "different_pixel_size": "another pixel size at the second visit",
    "different_contrast_agent": "contrast agent at one visit only",
    "protocol_unknown": "the headers do not tell how the images were taken",
    "same_study": "both sides are the same study",
    "not_registered": "compared by tables alone: the visits were not laid over one another",
    "registration_failed": "the visits could not be laid over one another",
    "grade_differs_from_single_visit": "in the common frame of both visits the grade came out differently than alone",
    "measured_on_shared_series": "measured only on the kinds of series that both visits have",
    "grade_moved_within_noise": "the grade moved, but no measure moved beyond its smallest detectable change",
    "not_seen_on_second_series": "the grade and a measure moved, but not on the second series, which suppresses fat in another way",
    "grade_moved_within_interval": "the grade moved within the interval that either visit allows",
    "grades_of_shared_reading": "both visits lie at a limit; graded with the limit moved alike at both within its error",
    "joint_places_disagree": "the visits had placed this joint far apart; it was measured half-way",
    "series_shifts_disagree": "the visits judged differently how far the patient moved between series",
    "measures_disagree": "measures moved beyond their smallest detectable changes in opposite directions",
    "sdc_unknown": "no repeats tell how far this measure moves by chance",
    "measure_moved_within_grade": "a measure moved beyond its smallest detectable change, but the grade did not",
    "reference_drift": "the reference tissue differs between the visits, so ratios may move without the joint",
}
REASON_WORDS: Mapping[str, str] = {
    "not_dicom": "not a DICOM file",
    "unreadable_file": "the file cannot be read",
    "empty_file": "the file is empty",
    "outside_folder": "a link that leads out of the input folder",
    "not_a_plain_file": "a pipe, device or socket, not a file",
    "truncated_file": "the file ends too early",
    "not_mr_image": "a DICOM object, but no MR image",
    "no_pixels": "no pixels in it",
    "colour_image": "a colour image: a screenshot or a fusion",
    "derived_image": "computed from others: a projection, map or reformat",
    "missing_position": "no position in the header, and nothing to derive it from",
    "missing_orientation": "no orientation in the header",
    "missing_spacing": "no pixel spacing in the header",
    "invalid_geometry": "position, orientation or spacing contradict one another",
    "localiser": "a scout: few planes far apart",
    "too_few_slices": "fewer planes than a volume needs",
    "missing_slice": "a plane is missing in the stack",
    "uneven_spacing": "planes are not evenly spaced",
    "sheared_stack": "planes are shifted against one another",
    "duplicate_file": "the same image stands in the input twice",
    "duplicate_position": "several different images lie at one position",
    "unsupported_transfer_syntax": "a compression that cannot be read",
    "pixels_unreadable": "the pixels are damaged",
    "too_large": "larger than the limits of pipeline.toml",
    "unsafe_archive_member": "an archive member that points outside, or a link",
    "unreadable_archive": "the archive is damaged or encrypted",
    "unsupported_plane": "neither sagittal, axial nor coronal",
    "unknown_contrast": "neither header nor pixels tell the contrast",
    "stir_after_contrast": "STIR after contrast agent nulls what enhances",
    "better_candidate": "another series of this kind is better",
    "not_needed": "a kind of series that grading does not use",
    "no_sagittal_series": "no sagittal series to find the levels on",
    "levels_not_found": "the lumbar levels were not found",
    "level_not_visible": "the level lies outside the images",
    "numbering_assumed": "the names of the levels are assumed",
    "mask_scheme_uncertain": "whose labels the mask carries is not certain: name it with --mask-scheme",
    "mask_implausible": "the mask is not that of a lumbar spine",
    "joint_not_found": "the joint was not found",
    "insufficient_coverage": "too little of the joint was imaged",
    "no_fat_suppressed_series": "no series with fat suppression: oedema cannot be told from fat",
    "fat_suppression_failed": "fat near the joint stayed bright",
    "reference_tissue_not_found": "no CSF or muscle to compare signals with",
    "no_fluid_sensitive_series": "no series that shows fluid",
    "measure_missing": "a measure that the rules need could not be taken",
    "excluded_by_reader": "a reader excluded the joint",
    "not_graded": "not graded at one of the visits",
    "different_contrast": "measured on different contrasts at the two visits",
    "different_rules": "graded by different rules at the two visits",
    "different_numbering": "the names of the levels rest on different anchors",
    "different_contrast_agent": "contrast agent at one visit only",
    "different_protocol": "imaged too differently to compare",
    "missing_joint": "the joint is in one table only",
    "missing_visit": "a visit has no table",
    "duplicate_visit": "a visit stands twice in the table",
    "registration_failed": "the visits could not be laid over one another",
    "study_failed": "the study could not be graded as a whole",
    "timed_out": "took longer than --timeout",
    "worker_lost": "the process that graded it was lost",
    "cannot_write": "its results could not be written",
}


def flag_words(flag: str) -> str:
    """Return what a flag cautions of; empty where the glossary does not know it."""
    return FLAG_WORDS.get(flag, "")


def reason_words(reason: str) -> str:
    """Return what a reason code says; the code itself in words where the glossary does not know it."""
    return REASON_WORDS.get(reason, reason.replace("_", " "))


def codes_page() -> str:
    """Return `docs/codes.md`."""
    head = (
        "# Codes\n\nFlags are cautions: the result stands, but look. Reasons say why there is no result. Both never change their spelling.\n"
        "Written by `make golden` from `lfja_mri/report/glossary.py`.\n"
    )
    tables = (
        ("Flags", "flag", "cautions that", FLAG_WORDS),
        ("Reasons", "reason", "means", REASON_WORDS),
    )
    return head + "".join(_table(*table) for table in tables)


def _table(title: str, code: str, meaning: str, words: Mapping[str, str]) -> str:
    lines = [f"| `{name}` | {text} |" for name, text in words.items()]
    return "\n".join([f"\n## {title}\n", f"| {code} | {meaning} |", "|---|---|", *lines]) + "\n"
