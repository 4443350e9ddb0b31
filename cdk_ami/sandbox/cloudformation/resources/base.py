"""What a resource handler is, and what each one is given."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from random import SystemRandom
from string import ascii_uppercase, digits
from typing import Any, ClassVar, Final

from cdk_ami.sandbox import clients
from cdk_ami.sandbox.cloudformation.errors import ResourceError

SUFFIX_CHARACTERS: Final = 12
"""Length of the random end of a generated name, as AWS makes it."""

POLL_SECONDS: Final = (0.02, 0.5)
"""First and longest pause between two looks at a resource that is being made."""

WAIT_SECONDS: Final = 1800.0
"""How long a resource may take here.  AWS allows hours; a sandbox that takes half an hour hangs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A resource after it was made or changed: its physical id and its attributes."""

    physical_id: str
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Where and for whom a handler acts.

    Attributes:
        stack_id: ARN of the stack.
        type: Type of the resource.
        stack_tags: Tags of the stack, which resources inherit.
        previous_stack_tags: The same before this operation.
        update_policy: The resource's ``UpdatePolicy``, scalars typed.
        rolls_back: Whether the stack is on its way back to what it was.
        began: Tells the engine a physical id before the handler is done, so that a failure is cleaned up.
    """

    account: str
    region: str
    stack_name: str
    logical_id: str
    stack_id: str = ""
    type: str = ""
    stack_tags: Mapping[str, str] = field(default_factory=dict)
    previous_stack_tags: Mapping[str, str] = field(default_factory=dict)
    update_policy: Mapping[str, Any] = field(default_factory=dict)
    rolls_back: bool = False
    began: Callable[[str], None] = lambda _: None

    def client(self, service: str) -> Any:
        """Return a client of the sandbox's own ``service``."""
        return clients.client(service, self.region, self.account)

    def name(self, *, longest: int = 255, lower: bool = False) -> str:
        """Return a new physical name as AWS makes them: stack, logical id, random end."""
        suffix = "".join(SystemRandom().choices(ascii_uppercase + digits, k=SUFFIX_CHARACTERS))
        room = longest - SUFFIX_CHARACTERS - 2
        stack, logical = self.stack_name, self.logical_id
        if len(stack) + len(logical) > room:
            half = room // 2
            stack = stack[: max(half, room - len(logical))]
            logical = logical[: room - len(stack)]
        name = f"{stack}-{logical}-{suffix}"
        return name.lower() if lower else name

    def arn(self, service: str, resource: str) -> str:
        """Return the ARN of a resource of this account and Region."""
        return f"arn:aws:{service}:{self.region}:{self.account}:{resource}"

    def tag_map(self, tags: Iterable[Mapping[str, Any]] | Mapping[str, str] | None) -> dict[str, str]:
        """Return the stack's tags with the resource's own over them."""
        return {**self.stack_tags, **_tag_map(tags)}

    def tags(self, tags: Iterable[Mapping[str, Any]] | Mapping[str, str] | None) -> list[dict[str, str]]:
        """Return the same as a list of keys and values."""
        return [{"Key": key, "Value": value} for key, value in self.tag_map(tags).items()]

    def retag(self, old: Any, new: Any) -> tuple[dict[str, str], list[str]]:
        """Return the tags to set and the keys to remove when a resource's own tags go from ``old`` to ``new``."""
        before = {**self.previous_stack_tags, **_tag_map(old)}
        after = {**self.stack_tags, **_tag_map(new)}
        return {key: value for key, value in after.items() if before.get(key) != value}, [
            key for key in before if key not in after
        ]


def _tag_map(tags: Any) -> dict[str, str]:
    return dict(tags) if isinstance(tags, Mapping) else {tag["Key"]: tag["Value"] for tag in tags or ()}


class Handler:
    """Makes, changes and removes the resources of one type, through the sandbox's own API.

    Attributes:
        type: The resource type.
        handles: Properties that it knows; any other is refused by name.
        updates: Properties that it changes in place; None means every one that does not replace the resource.
    """

    type: ClassVar[str]
    handles: ClassVar[frozenset[str]] = frozenset()
    updates: ClassVar[frozenset[str] | None] = None

    def problems(self, properties: Mapping[str, Any]) -> Iterable[str]:  # noqa: ARG002 - for subclasses
        """Return what this handler cannot do of ``properties``, each beginning with the property's name."""
        return ()

    def policy_problems(self, policy: Mapping[str, Any]) -> Iterable[str]:
        """Return what this handler cannot do of an update policy: any of it, unless a subclass says otherwise."""
        return [f"{name}: the sandbox does not support this update policy" for name in policy]

    def replaces(self, changed: frozenset[str], old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:  # noqa: ARG002
        """Return whether a change of conditionally create-only properties replaces the resource."""
        return True

    def create(self, context: Context, new: Mapping[str, Any]) -> Made:
        """Make the resource."""
        raise NotImplementedError

    def update(self, context: Context, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Made:
        """Change the resource in place."""
        raise NotImplementedError

    def delete(self, context: Context, physical_id: str, properties: Mapping[str, Any]) -> None:
        """Remove the resource; an absent one is an error that the engine reads as success."""
        raise NotImplementedError


HANDLERS: Final[dict[str, Handler]] = {}
"""Every handler by its type."""

CUSTOM_TYPE: Final = "AWS::CloudFormation::CustomResource"
"""The type of custom resources that have none of their own."""


def is_custom(type_name: str) -> bool:
    """Return whether a type is one of custom resources, whose properties only their provider knows."""
    return type_name == CUSTOM_TYPE or type_name.startswith("Custom::")


def handler_of(type_name: str) -> Handler | None:
    """Return what handles a type, None when nothing does."""
    return HANDLERS.get(CUSTOM_TYPE if is_custom(type_name) else type_name)


ABSENT: Final = re.compile(
    r"NotFound|NoSuch|DoesNotExist|NonExistent|ResourceNotFoundException|InvalidAssociationID|"
    r"InvalidInstanceID|^404$|NotAttached|ParameterNotFound|NotFoundException"
)
"""Error codes by which services say that a resource is gone."""


def handles(type_name: str, properties: str, *, updates: str | None = None) -> Callable[[type[Handler]], type[Handler]]:
    """Register a handler class for ``type_name``; ``properties`` and ``updates`` are names between blanks."""

    def register(handler: type[Handler]) -> type[Handler]:
        class Registered(handler):  # type: ignore[valid-type, misc]
            type = type_name

        Registered.__name__ = Registered.__qualname__ = handler.__name__
        Registered.handles = frozenset(properties.split())
        Registered.updates = None if updates is None else frozenset(updates.split())
        HANDLERS[type_name] = Registered()
        return handler

    return register


def changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> frozenset[str]:
    """Return the names of the properties that differ."""
    return frozenset(name for name in {*old, *new} if old.get(name) != new.get(name))


def wait(ready: Callable[[], bool], *, what: str) -> None:
    """Return when ``ready`` says so.

    Raises:
        ResourceError: When it takes longer than half an hour.
    """
    pause, longest = POLL_SECONDS
    until = time.monotonic() + WAIT_SECONDS
    while not ready():
        if time.monotonic() > until:
            raise ResourceError(f"{what} did not become ready in {WAIT_SECONDS:.0f} seconds")
        time.sleep(pause)
        pause = min(pause * 1.5, longest)
