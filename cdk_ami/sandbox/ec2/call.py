"""A request to an operation of EC2 that is ours, and how such operations join the emulator's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final, TypeVar

from moto.core.responses import ActionResult, EmptyResult
from moto.core.utils import camelcase_to_underscores
from moto.ec2.responses import EC2Response

from cdk_ami.sandbox import emulator
from cdk_ami.sandbox.ec2.image import Image
from cdk_ami.sandbox.ec2.refusal import refusal
from cdk_ami.sandbox.ec2.visibility import find_image, own_image
from cdk_ami.sandbox.iam.principals import principal_of

PAGE: Final = 1000
"""Largest page of most lists.  https://docs.aws.amazon.com/AWSEC2/latest/APIReference/Query-Requests.html."""

Thing = TypeVar("Thing")
Answer = dict[str, Any]
Filters = Mapping[str, Callable[[Thing], Any]]
"""What each filter of a list compares with: text, a truth value, several of them, or None for nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request to one operation.

    Attributes:
        backend: The caller's EC2 in the Region, the emulator's.
        request: Parameters by the names of the service's model.
        caller: ARN of who asks.
    """

    backend: Any
    request: dict[str, Any]
    caller: str

    @property
    def account(self) -> str:
        """The caller's account."""
        return str(self.backend.account_id)

    @property
    def region(self) -> str:
        """The Region that is asked."""
        return str(self.backend.region_name)

    def get(self, name: str, default: Any = None) -> Any:
        """Return a parameter, or ``default`` when the request has it not."""
        value = self.request.get(name)
        return default if value is None else value

    def need(self, name: str) -> Any:
        """Return a parameter that must be there.

        Raises:
            EC2ClientError: MissingParameter.
        """
        value = self.get(name)
        if value in (None, "", []):
            raise refusal("MissingParameter", f"The request must contain the parameter {name}")
        return value

    def choice(self, name: str, *allowed: str) -> str:
        """Return a parameter that must be one of ``allowed``.

        Raises:
            EC2ClientError: InvalidParameterValue.
        """
        value = str(self.need(name))
        if value not in allowed:
            raise refusal(
                "InvalidParameterValue", f"Invalid value '{value}' for {name}. Allowed values: {', '.join(allowed)}"
            )
        return value

    def own_image(self) -> Image:
        """Return the AMI that the request names, which must be the caller's own."""
        return own_image(self.region, self.account, self.need("ImageId"))

    def any_image(self) -> Image:
        """Return the AMI that the request names, which the caller must see."""
        return find_image(self.region, self.account, self.need("ImageId"))

    def select(self, things: Iterable[Thing], known: Filters[Thing]) -> list[Thing]:
        """Return the things that pass every filter of the request.

        Raises:
            EC2ClientError: InvalidParameterValue, when a filter is none of ``known``.
        """
        filters = {each.get("Name", ""): each.get("Values", []) for each in self.get("Filters", [])}
        return select(things, filters, known)

    def page(self, member: str, found: Sequence[Any], *, largest: int = PAGE) -> Answer:
        """Return the part of ``found`` that the request asks for, as ``member`` of the answer."""
        limit, token = self.get("MaxResults"), self.get("NextToken", "0")
        if not str(token).isdigit():
            raise refusal("InvalidParameterValue", f"Unable to parse pagination token {token}")
        if limit is not None and int(limit) < 1:
            raise refusal("InvalidParameterValue", f"Value ( {limit} ) for parameter maxResults is invalid")
        start, size = int(token), min(int(limit or largest), largest)
        more = start + size < len(found)
        return {member: list(found[start : start + size]), "NextToken": str(start + size) if more else None}


Operation = Callable[[Call], Answer]


def select(things: Iterable[Thing], filters: Mapping[str, Sequence[str]], known: Filters[Thing]) -> list[Thing]:
    """Return the things that pass every filter: any of its values, with ``*`` and ``?`` for what may be anything.

    A filter ``tag:KEY`` asks the getter of ``tag:`` for all tags.

    Raises:
        EC2ClientError: InvalidParameterValue, when a filter is none of ``known``.
    """
    selected = list(things)
    for name, wanted in filters.items():
        getter = _tag_getter(name, known) if name.startswith("tag:") else known.get(name)
        if getter is None:
            raise refusal("InvalidParameterValue", f"The filter '{name}' is invalid")
        selected = [thing for thing in selected if _passes(getter(thing), wanted)]
    return selected


def _tag_getter(name: str, known: Filters[Thing]) -> Callable[[Thing], Any] | None:
    tags, key = known.get("tag:"), name.removeprefix("tag:")
    return None if tags is None else lambda thing: tags(thing).get(key)


def _passes(value: Any, wanted: Sequence[str]) -> bool:
    values = value if isinstance(value, (list, tuple, set, frozenset)) else [value]
    texts = [str(each).lower() if isinstance(each, bool) else str(each) for each in values if each is not None]
    return any(fnmatchcase(text, pattern.replace("[", "[[]")) for text in texts for pattern in wanted)


def join(operations: Mapping[str, Operation], *, instead: frozenset[str] = frozenset()) -> None:
    """Make the emulator answer with ``operations``, by their names in the service's model.

    Args:
        operations: The functions.
        instead: The names of those that the emulator has too; all others it must not have yet.

    Raises:
        EmulatorMismatchError: When the emulator has what we mean to add, or lacks what we mean to replace.
    """
    methods = {camelcase_to_underscores(name): _handler(name, operation) for name, operation in operations.items()}
    ours = frozenset(camelcase_to_underscores(name) for name in operations.keys() - instead)
    emulator.graft(EC2Response, type("Operations", (), methods), new=ours)


def _handler(name: str, operation: Operation) -> Callable[[Any], ActionResult]:
    def handle(self: Any) -> ActionResult:
        self.error_on_dryrun()
        answer = operation(Call(backend=self.ec2_backend, request=dict(self.params), caller=principal_of(self)))
        return ActionResult(answer) if answer else EmptyResult()

    handle.__doc__ = f"Answer {name}."
    return handle
