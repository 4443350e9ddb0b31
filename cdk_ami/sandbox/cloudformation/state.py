"""What the engine remembers of stacks, change sets and their history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Event as Flag
from threading import Lock
from typing import Any
from uuid import uuid4

from cdk_ami.sandbox.clock import CLOCK
from cdk_ami.sandbox.cloudformation.parameters import Parameter
from cdk_ami.sandbox.cloudformation.template import Template


class Clock:
    """Tells the sandbox's time in whole milliseconds, never the same one twice: tools sort events by it."""

    def __init__(self) -> None:
        self._last = datetime.min.replace(tzinfo=UTC)
        self._lock = Lock()

    def now(self) -> datetime:
        """Return the time, later than any time returned before."""
        with self._lock:
            now = CLOCK.now()
            now = now.replace(microsecond=now.microsecond // 1000 * 1000)
            self._last = max(now, self._last + timedelta(milliseconds=1))
            return self._last


@dataclass(slots=True, kw_only=True)
class Record:
    """One resource that a stack has.

    Attributes:
        compared: Properties with intrinsics resolved and dynamic references left, which updates compare.
        properties: What the handler was given.
        attributes: What ``Fn::GetAtt`` returns beside properties.
        attempted: What the handler was given when that failed: any half of each may be in force.
        waits_for: Logical ids it was made after.
    """

    logical_id: str
    type: str
    physical_id: str = ""
    compared: dict[str, Any] = field(default_factory=dict)
    properties: dict[str, Any] = field(default_factory=dict)
    attributes: dict[str, Any] = field(default_factory=dict)
    attempted: list[dict[str, Any]] = field(default_factory=list)
    status: str = ""
    reason: str | None = None
    changed: datetime
    metadata: Mapping[str, Any] = field(default_factory=dict)
    update_policy: Mapping[str, Any] = field(default_factory=dict)
    deletion_policy: str = "Delete"
    update_replace_policy: str = "Delete"
    waits_for: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line of a stack's history."""

    event_id: str
    operation_id: str
    logical_id: str
    physical_id: str
    type: str
    status: str
    reason: str | None
    time: datetime
    token: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """What a stack should be: everything that an operation may change."""

    template: Template
    parameters: Mapping[str, Parameter]
    tags: Mapping[str, str] = field(default_factory=dict)
    capabilities: tuple[str, ...] = ()
    notification_arns: tuple[str, ...] = ()
    role_arn: str | None = None


@dataclass(slots=True, kw_only=True)
class ChangeSet:
    """A change set; ``changes`` are in the API's form."""

    name: str
    arn: str
    kind: str
    definition: Definition
    created: datetime
    changes: list[dict[str, Any]]
    description: str | None = None
    status: str = "CREATE_COMPLETE"
    execution_status: str = "AVAILABLE"
    reason: str | None = None
    on_failure: str | None = None
    include_nested: bool = False
    token: str | None = None
    deployment_config: Mapping[str, Any] | None = None


@dataclass(slots=True, kw_only=True)
class Stack:
    """One stack.

    Attributes:
        definition: What it is, or is becoming.
        good: What it was when last whole; a failed update returns there.
        displaced: Resources that an unfinished update has replaced, newest last.
        leftovers: Replacements that failed half made, to be removed by the roll back.
        idle: Set while no operation runs.
        token: What the caller of the running operation knows it by.
        tokens: Those of all operations.
    """

    name: str
    arn: str
    account: str
    region: str
    definition: Definition | None
    created: datetime
    status: str = "REVIEW_IN_PROGRESS"
    reason: str | None = None
    updated: datetime | None = None
    deleted: datetime | None = None
    protected: bool = False
    disable_rollback: bool = False
    good: Definition | None = None
    previous_tags: Mapping[str, str] = field(default_factory=dict)
    displaced: list[Record] = field(default_factory=list)
    leftovers: list[Record] = field(default_factory=list)
    records: dict[str, Record] = field(default_factory=dict)
    outputs: list[dict[str, Any]] = field(default_factory=list)
    exports: dict[str, str] = field(default_factory=dict)
    imports: tuple[str, ...] = ()
    events: list[Event] = field(default_factory=list)
    change_sets: dict[str, ChangeSet] = field(default_factory=dict)
    idle: Flag = field(default_factory=Flag)
    operation_id: str = field(default_factory=lambda: str(uuid4()))
    token: str | None = None
    tokens: set[str] = field(default_factory=set)
    last_change_set: str | None = None
    deployment_config: Mapping[str, Any] | None = None

    @property
    def is_deleted(self) -> bool:
        """Whether it is gone and only its id finds it."""
        return self.status == "DELETE_COMPLETE"
