"""What a rule is: a pure function from plain values to the problems it finds in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import wraps
from typing import Final, NamedTuple, ParamSpec

P = ParamSpec("P")

_STRING_TOKEN: Final = "${Token["  # noqa: S105 - the CDK's marker, not a secret
_LIST_TOKEN: Final = "#{Token["  # noqa: S105 - the CDK's marker, not a secret
# The CDK encodes tokens in numbers as doubles below this bound, which no AWS property reaches.
# https://docs.aws.amazon.com/cdk/v2/guide/tokens.html, read 2026-11-22
_NUMBER_TOKENS_BELOW: Final = -1.8e289


class Problem(NamedTuple):
    """What is wrong with a value, before anyone knows where the value stands.

    Attributes:
        problem: What is wrong, lower case, to be read after the name of the property.
        got: The offending value.
        fix: What to do about it, an action.
        at: Path inside the checked value, such as ``[1].region``; empty for the value itself.
        rule: Id of the rule, filled in by ``rule``.
    """

    problem: str
    got: object
    fix: str
    at: str = ""
    rule: str = ""


class Rule(NamedTuple):
    """A registered rule.

    Attributes:
        rule_id: Stable id, such as ``cdk-ami::AmiName``.
        source: URL of the page that states the fact.
        about: First line of the rule's docstring.
        module: Name of the module that holds it, the rules of one subject.
    """

    rule_id: str
    source: str
    about: str
    module: str


RULES: Final[dict[str, Rule]] = {}
"""Every rule by its id, in the order of definition."""


def rule(name: str, *, source: str) -> Callable[[Callable[P, Iterator[Problem]]], Callable[P, tuple[Problem, ...]]]:
    """Register a check as the rule ``cdk-ami::<name>`` that cites ``source``.

    The rule finds nothing when any of its arguments is a CDK token: what is not known yet is never refused.
    """

    def register(check: Callable[P, Iterator[Problem]]) -> Callable[P, tuple[Problem, ...]]:
        rule_id = f"cdk-ami::{name}"
        if rule_id in RULES:
            raise ValueError(f"two rules are called {rule_id}")
        about = (check.__doc__ or "").partition("\n")[0]
        RULES[rule_id] = Rule(rule_id=rule_id, source=source, about=about, module=check.__module__)

        @wraps(check)
        def find(*args: P.args, **kwargs: P.kwargs) -> tuple[Problem, ...]:
            if any(is_token(value) for value in (*args, *kwargs.values())):
                return ()
            return tuple(found._replace(rule=rule_id) for found in check(*args, **kwargs))

        return find

    return register


def is_list_token(value: object) -> bool:
    """Tell whether ``value`` stands for a list of which not even the length is known."""
    return isinstance(value, str) and _LIST_TOKEN in value


def is_token(value: object) -> bool:
    """Tell whether ``value`` is, or holds, a CDK token: a value that only the deployment knows.

    Pure and cheap: it looks at the CDK's encodings instead of asking the CDK.
    """
    if isinstance(value, str):
        return _STRING_TOKEN in value or _LIST_TOKEN in value
    if isinstance(value, int | float):
        return value < _NUMBER_TOKENS_BELOW
    if isinstance(value, list | tuple):
        return any(is_token(item) for item in value)
    if isinstance(value, dict):
        return any(is_token(item) for pair in value.items() for item in pair)
    return hasattr(value, "creation_stack") and hasattr(value, "resolve")
