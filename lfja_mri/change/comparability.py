"""May two visits of a joint be compared, by what their tables say.

Refused: a visit without a grade, other rules, level numbers that rest on different anchors, a contrast agent at one
visit only, another contrast class. Everything else that differs is a flag beside the change.
"""

from __future__ import annotations

from lfja_mri.change.types import Registration, VisitJoint
from lfja_mri.errors import Reason
from lfja_mri.model import Contrast, NumberingBasis
from lfja_mri.names import numbering_doubts
from lfja_mri.settings.change import ChangeSettings, OnMismatch

_AGENT_CONTRASTS = frozenset({Contrast.T1_GD, Contrast.T1_FS_GD})


def refusal_of(
    baseline: VisitJoint, follow_up: VisitJoint, registration: Registration | None
) -> Reason | None:
    """Return the first reason, worst first, why two visits of a joint cannot be compared."""
    registered = registration.reason if registration else None
    # Where the images show that the levels are the same, it does not matter what each visit's names rest on.
    matched = registration is not None and registration.reason is None
    other_anchor = baseline.numbering_basis != follow_up.numbering_basis
    checks = (
        (baseline.grade is None or follow_up.grade is None, Reason.NOT_GRADED),
        (registered not in {None, Reason.REGISTRATION_FAILED}, registered),
        (baseline.rules != follow_up.rules or not all(baseline.rules), Reason.DIFFERENT_RULES),
        (other_anchor and not matched, Reason.DIFFERENT_NUMBERING),
        (_has_agent(baseline) != _has_agent(follow_up), Reason.DIFFERENT_CONTRAST_AGENT),
        (_contrasts(baseline) != _contrasts(follow_up), Reason.DIFFERENT_CONTRAST),
    )
    return next((reason for applies, reason in checks if applies), None)


def _contrasts(joint: VisitJoint) -> frozenset[str]:
    """Return the contrasts that a grade of inflammation rests on."""
    contrasts = {_contrast_name(source) for source in joint.sources}
    return frozenset(contrasts & {contrast.value for contrast in Contrast if contrast.shows_inflammation})


def _has_agent(joint: VisitJoint) -> bool:
    agents = {contrast.value for contrast in _AGENT_CONTRASTS}
    return any(_contrast_name(source) in agents for source in joint.sources)


def _contrast_name(source: str) -> str:
    """Return `t2_fs` of `axial_t2_fs`."""
    return source.partition("_")[2]


def flags_of(
    baseline: VisitJoint, follow_up: VisitJoint, registration: Registration | None, settings: ChangeSettings
) -> tuple[str, ...]:
    """Return what differs between two visits without forbidding their comparison; the same either way round."""
    pair = (baseline, follow_up)
    comparability = settings.comparability
    versions_differ = baseline.tool_version != follow_up.tool_version
    subjects_differ = baseline.subject != follow_up.subject
    checks = (
        (settings.repeatability.provisional, "sdc_provisional"),
        (baseline.sources != follow_up.sources, "different_sources"),
        (baseline.fat_suppression != follow_up.fat_suppression, "different_fat_suppression"),
        (baseline.numbering_basis != follow_up.numbering_basis, "different_numbering_basis"),
        (any(joint.numbering_basis == NumberingBasis.ASSUMED for joint in pair), "numbering_assumed"),
        (any(numbering_doubts(joint.flags) for joint in pair), "numbering_doubted"),
        (versions_differ and comparability.tool_version is OnMismatch.FLAG, "different_tool_version"),
        (subjects_differ and comparability.subject is OnMismatch.FLAG, "different_subject"),
        (baseline.study_key == follow_up.study_key, "same_study"),
    )
    own = registration.flags if registration else ("not_registered",)
    failed = registration is not None and registration.reason is Reason.REGISTRATION_FAILED
    return (
        own
        + (("registration_failed",) if failed else ())
        + tuple(name for applies, name in checks if applies)
    )
