"""Where a construct belongs: its stack, and what the stack knows of itself, each asked for once.

Each question to the CDK is a call from Python to Node and back, and the answers never change.
"""

from __future__ import annotations

from typing import Any, Final
from weakref import WeakKeyDictionary

from aws_cdk import Stack
from constructs import IConstruct

_STACKS: Final[WeakKeyDictionary[IConstruct, Stack]] = WeakKeyDictionary()
_FACTS: Final[WeakKeyDictionary[Stack, dict[str, Any]]] = WeakKeyDictionary()


def stack_of(scope: IConstruct) -> Stack:
    """Return the stack of a construct."""
    if isinstance(scope, Stack):
        return scope
    if scope not in _STACKS:
        _STACKS[scope] = Stack.of(scope)
    return _STACKS[scope]


def belongs_to(construct: IConstruct, stack: Stack) -> None:
    """Note that ``construct`` was made in ``stack``."""
    _STACKS[construct] = stack


def partition_of(stack: Stack) -> str:
    """Return the partition of a stack, ``aws`` or a token."""
    return str(_fact(stack, "partition"))


def region_of(stack: Stack) -> str:
    """Return the Region of a stack, its code or a token."""
    return str(_fact(stack, "region"))


def account_of(stack: Stack) -> str:
    """Return the account of a stack, twelve digits or a token."""
    return str(_fact(stack, "account"))


def name_of(stack: Stack) -> str:
    """Return the name of a stack; a token for a nested one."""
    return str(_fact(stack, "stack_name"))


def app_of(stack: Stack) -> IConstruct:
    """Return the root of the tree that a stack stands in."""
    facts = _FACTS.setdefault(stack, {})
    if "app" not in facts:
        facts["app"] = stack.node.root
    app: IConstruct = facts["app"]
    return app


def _fact(stack: Stack, name: str) -> Any:
    facts = _FACTS.setdefault(stack, {})
    if name not in facts:
        facts[name] = getattr(stack, name)
    return facts[name]
