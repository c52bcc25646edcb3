"""Rules as data: read a scale from TOML, refuse what a clinician could misread, print it for a signature.

Vocabulary: a *rule* has an id, a grade, conditions that must all hold, and a *because*. Rules are ordered worst
first and the first match wins. A condition is `at_least` (the number included) or `below` (the number excluded), so
a boundary is never in doubt.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Literal

from pydantic import Field

from lfja_mri.config import config_folder, digest, parse, read_toml
from lfja_mri.errors import ConfigurationError
from lfja_mri.grading.facts import VOCABULARY, Facts
from lfja_mri.model import Missing
from lfja_mri.settings.section import Settings


class About(Settings):
    """What is graded, after whom, and how far that has been checked."""

    name: str
    version: str
    title: str
    grades: tuple[int, ...]
    source: str
    statement: str


class Choices(Settings):
    """How the open questions of the published wording are settled."""

    exactly_half_perimeter_grade: Literal[2, 3]
    extension_without_majority_perimeter_grade: Literal[2, 3, 4]
    slice_aggregation: Literal["length_weighted", "maximum_slice"]
    extension_counts_from_mm3: float


class Refusal(Settings):
    """When a joint is not graded although it was measured."""

    least_coverage_fraction: float


class MeasureMeaning(Settings):
    """What a measure used by the rules means."""

    unit: str
    worse: Literal["higher", "lower"]
    source: str


class Condition(Settings):
    """One comparison of one measure with one number."""

    measure: str
    at_least: float | None = None
    below: float | None = None

    def holds(self, value: float) -> bool:
        """Return whether a measured value meets the condition."""
        if self.at_least is not None:
            return value >= self.at_least
        return self.below is not None and value < self.below

    @property
    def unit(self) -> str:
        """Unit of the measure, empty for a share, a ratio or a count."""
        return next((unit for unit in ("mm3", "mm") if self.measure.endswith(f"_{unit}")), "")

    def words(self) -> str:
        """Return the condition as a reader says it."""
        name = self.measure.removesuffix(f"_{self.unit}").replace("_", " ")
        limit = f"at least {self.at_least:g}" if self.at_least is not None else f"below {self.below:g}"
        return f"{name} {limit} {self.unit}".rstrip()


class Rule(Settings):
    """If every condition holds, this grade, for this reason."""

    id: str
    grade: int
    when: tuple[Condition, ...]
    because: str


class RuleTable(Settings):
    """A whole scale."""

    about: About = Field(alias="scale")
    choices: Choices
    refusal: Refusal
    measures: dict[str, MeasureMeaning]
    rule: tuple[Rule, ...]

    @property
    def scale(self) -> str:
        """Name of the scale, as tables print it."""
        return self.about.name

    @property
    def digest(self) -> str:
        """Short stable hash of everything that can change a grade."""
        return digest(self)


def load_rules(path: Path | None = None) -> RuleTable:
    """Read a scale; the packaged Czervionke-Fenton table if no path is given.

    Raises
    ------
    ConfigurationError
        The file cannot be read, or says something a rule table may not; the message names the key or rule.
    """
    source = path or config_folder() / "grading" / "czervionke_fenton.toml"
    table = parse(RuleTable, read_toml(source), where=source.name)
    check_rules(table.rule, table.measures, grades=table.about.grades, where=source.name)
    return table


def check_rules(
    rules: Sequence[Rule], measures: Mapping[str, MeasureMeaning], *, grades: Sequence[int], where: str
) -> None:
    """Refuse a list of rules that a reader could misread.

    Raises
    ------
    ConfigurationError
        Unknown or undeclared measure, empty *because*, duplicate id, a grade out of the scale, rules that ascend,
        or a last rule that carries conditions (then some joints would get no answer).
    """
    problem = next(_problems(rules, measures, grades), None)
    if problem is not None:
        raise ConfigurationError(f"{where}: {problem}")


def _problems(
    rules: Sequence[Rule], measures: Mapping[str, MeasureMeaning], grades: Sequence[int]
) -> Iterator[str]:
    if not rules:
        yield "no [[rule]] at all; at least one is needed"
        return
    yield from (f"unknown measure '{name}'{_nearest(name)}" for name in measures if name not in VOCABULARY)
    for rule in rules:
        yield from _problems_of_rule(rule, measures, grades)
    ids = [rule.id for rule in rules]
    yield from (f"rule id '{name}' is used twice" for name in ids if ids.count(name) > 1)
    for above, below in pairwise(rules):
        if below.grade > above.grade:
            yield f"rule '{below.id}' (grade {below.grade}) stands below '{above.id}' ({above.grade}); order worst first"
    yield from (
        f"rule '{rule.id}' has no conditions but is not the last" for rule in rules[:-1] if not rule.when
    )
    if rules[-1].when:
        yield f"the last rule '{rules[-1].id}' has conditions; it must answer for every joint that is left"


def _problems_of_rule(
    rule: Rule, measures: Mapping[str, MeasureMeaning], grades: Sequence[int]
) -> Iterator[str]:
    if not rule.because.strip():
        yield f"rule '{rule.id}' lacks a 'because'"
    if rule.grade not in grades:
        yield f"rule '{rule.id}' gives grade {rule.grade}, which the scale does not have"
    for condition in rule.when:
        name = condition.measure
        if name not in VOCABULARY:
            yield f"rule '{rule.id}' speaks of an unknown measure '{name}'{_nearest(name)}"
        elif name not in measures:
            yield f"rule '{rule.id}' uses '{name}', which [measures] does not declare"
        if (condition.at_least is None) == (condition.below is None):
            yield f"rule '{rule.id}': '{name}' needs either at_least or below"


def _nearest(name: str) -> str:
    near = difflib.get_close_matches(name, VOCABULARY, n=1)
    return f"; did you mean '{near[0]}'?" if near else f"; known: {', '.join(VOCABULARY)}"


def first_match(rules: Sequence[Rule], facts: Facts) -> Rule | tuple[str, Missing]:
    """Return the first rule that holds, or the missing measure without which nobody can tell.

    A rule that already fails on a measured condition is passed by, whatever else it needs. A rule that could hold
    but for a missing measure stops the search: a lower grade is never given for want of evidence.
    """
    for rule in rules:
        if not _could_hold(rule, facts):
            continue
        for condition in rule.when:
            value = facts.get(condition.measure)
            if isinstance(value, Missing):
                return condition.measure, value
        return rule
    raise ConfigurationError("the last rule has conditions, and none held")


def _could_hold(rule: Rule, facts: Facts) -> bool:
    """Tell whether no condition fails among those whose measure is there; one that is not known fails nothing."""
    for condition in rule.when:
        value = facts.get(condition.measure)
        if value is not None and not isinstance(value, Missing) and not condition.holds(value):
            return False
    return True


def rule_rows(table: RuleTable) -> list[tuple[str, str, str, str]]:
    """Return the table in words, one row a rule: grade, when, because, id; what `lfja-mri rules` prints."""
    return [
        (
            str(rule.grade),
            " and ".join(condition.words() for condition in rule.when) or "none of the above",
            rule.because,
            rule.id,
        )
        for rule in table.rule
    ]


def rule_notes(table: RuleTable) -> list[str]:
    """Return what a clinician must know before signing: the source, its standing, each choice, each measure."""
    choices = table.choices
    return [
        f"Source: {table.about.source}",
        table.about.statement,
        f"Exactly half of the perimeter is grade {choices.exactly_half_perimeter_grade}.",
        f"Extension with less than half of the perimeter: grade {choices.extension_without_majority_perimeter_grade}.",
        f"The slices of a joint are aggregated as {choices.slice_aggregation.replace('_', ' ')}.",
        f"Extension counts from {choices.extension_counts_from_mm3:g} mm3 of abnormal tissue in the five targets together.",
        f"A joint imaged for less than {table.refusal.least_coverage_fraction:.0%} is not graded.",
        *(
            f"{name.replace('_', ' ')}: {meaning.unit}; {meaning.worse} is worse; {meaning.source}."
            for name, meaning in table.measures.items()
        ),
    ]


def rules_in_words(table: RuleTable) -> str:
    """Return the whole table as text that a clinician can read and sign."""
    lines = [f"{table.about.title} (version {table.about.version}, digest {table.digest})", ""]
    for grade, when, because, name in rule_rows(table):
        lines += [f"Grade {grade}  if {when}", f"         because {because}  [{name}]"]
    notes = [f"- {note}" for note in rule_notes(table)]
    return "\n".join([*lines, "", *notes, "", "Checked by: ____________________    Date: ____________"])
