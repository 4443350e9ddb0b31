"""What a rule over templates is: a pure rule, or a check of whole resources, bound to where it looks.

A rule that a construct calls as well is bound, never written anew: one implementation for each fact.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, Final, NamedTuple

from cdk_ami.checks.rule import RULES, Problem
from cdk_ami.checks.template.places import Place, Resource


class Family(StrEnum):
    """What becomes of it when nobody minds."""

    FAILS = "fails"
    LEAKS = "leaks"
    COSTS = "costs"
    DRIFTS = "drifts"


class Severity(StrEnum):
    """How sure the harm is: an error is certain, a warning is likely."""

    ERROR = "error"
    WARNING = "warning"


Check = Callable[[Resource], Iterator[Problem]]


class TemplateRule(NamedTuple):
    """A rule over templates.

    Attributes:
        rule_id: Stable id, such as ``cdk-ami::AmiName``.
        family: What becomes of it when nobody minds.
        severity: How sure the harm is.
        about: What holds, in a sentence.
        why: What happens otherwise, in a sentence.
        source: URL of the page that states the fact.
        types: Types of the resources that it looks at.
        check: Yields the problems of one resource.
        bad: Properties, or whole sections of resources, as YAML, in which it finds something; each is a test.
        good: The same, in which it finds nothing.
        module: Name of the module that holds it, the rules of one subject.
    """

    rule_id: str
    family: Family
    severity: Severity
    about: str
    why: str
    source: str
    types: tuple[str, ...]
    check: Check
    bad: tuple[str, ...]
    good: tuple[str, ...]
    module: str


TEMPLATE_RULES: Final[dict[str, TemplateRule]] = {}
"""Every rule over templates by its id, once ``all_rules`` has been called."""

_BY_DEFAULT: Final = {
    Family.FAILS: Severity.ERROR,
    Family.LEAKS: Severity.ERROR,
    Family.COSTS: Severity.WARNING,
    Family.DRIFTS: Severity.WARNING,
}


def template_rule(
    name: str,
    *,
    family: Family,
    on: Iterable[str],
    why: str,
    bad: Iterable[str],
    good: Iterable[str],
    source: str = "",
    severity: Severity | None = None,
) -> Callable[[Check], Check]:
    """Register a check of whole resources as the rule ``cdk-ami::<name>``.

    Args:
        name: Its name: of a pure rule, which the check calls, or one of its own.
        family: What becomes of it when nobody minds.
        on: Types of the resources that it looks at.
        why: What happens otherwise.
        bad: Examples in which it finds something.
        good: Examples in which it finds nothing.
        source: URL of the page that states the fact; that of the pure rule where there is one.
        severity: How sure the harm is; an error for what fails or leaks, else a warning.
    """

    def register(check: Check) -> Check:
        known = RULES.get(f"cdk-ami::{name}")
        about = known.about if known else (check.__doc__ or "").partition("\n")[0]
        page = known.source if known else source
        if not page:
            raise ValueError(f"cdk-ami::{name} cites no page, and no pure rule of the name is loaded")
        _add(
            TemplateRule(
                rule_id=f"cdk-ami::{name}",
                family=family,
                severity=severity or _BY_DEFAULT[family],
                about=about,
                why=why,
                source=page,
                types=tuple(on),
                check=check,
                bad=tuple(bad),
                good=tuple(good),
                module=check.__module__,
            )
        )
        return check

    return register


def bind(
    pure: Callable[..., Iterable[Problem]],
    *,
    rule: str,
    family: Family,
    where: dict[str, tuple[str, ...]],
    reads: Callable[[Place], Any],
    why: str,
    bad: Iterable[str],
    good: Iterable[str],
    module: str,
    severity: Severity | None = None,
) -> None:
    """Bind the pure rule ``cdk-ami::<rule>`` to places of templates.

    Args:
        pure: The rule, of one argument.
        rule: Its name.
        family: What becomes of it when nobody minds.
        where: Paths to what it judges, by type of resource.
        reads: Reads the argument at a place; None means that nothing can be judged there.
        why: What happens otherwise.
        bad: Examples in which it finds something.
        good: Examples in which it finds nothing.
        module: Name of the module that binds it.
        severity: How sure the harm is.
    """

    def check(it: Resource) -> Iterator[Problem]:
        for path in where[it.type]:
            for place in it.all(path):
                value = reads(place)
                if value is not None:
                    yield from below(place, pure(value))

    known = RULES[f"cdk-ami::{rule}"]
    _add(
        TemplateRule(
            rule_id=known.rule_id,
            family=family,
            severity=severity or _BY_DEFAULT[family],
            about=known.about,
            why=why,
            source=known.source,
            types=tuple(where),
            check=check,
            bad=tuple(bad),
            good=tuple(good),
            module=module,
        )
    )


def below(place: Place, found: Iterable[Problem]) -> Iterator[Problem]:
    """Yield the problems of a value at the place where the value stands."""
    for problem in found:
        gap = "." if problem.at and not problem.at.startswith("[") else ""
        yield problem._replace(at=f"{place.path}{gap}{problem.at}")


@cache
def all_rules() -> dict[str, TemplateRule]:
    """Return every rule by its id, in the order of the modules' names."""
    from cdk_ami.checks.template import subjects  # noqa: PLC0415 - the subjects import this module

    for module in sorted(found.name for found in iter_modules(subjects.__path__)):
        import_module(f"{subjects.__name__}.{module}")
    return TEMPLATE_RULES


@cache
def rules_by_type() -> dict[str, tuple[TemplateRule, ...]]:
    """Return the rules that look at resources of each type."""
    found: dict[str, list[TemplateRule]] = {}
    for rule in all_rules().values():
        for kind in rule.types:
            found.setdefault(kind, []).append(rule)
    return {kind: tuple(rules) for kind, rules in found.items()}


def _add(rule: TemplateRule) -> None:
    if rule.rule_id in TEMPLATE_RULES:
        raise ValueError(f"two rules over templates are called {rule.rule_id}")
    TEMPLATE_RULES[rule.rule_id] = rule
