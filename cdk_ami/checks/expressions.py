"""Expressions in component documents: ``{{ name }}`` and ``{{ phase.step.outputs.stdout }}``.

https://docs.aws.amazon.com/imagebuilder/latest/userguide/toe-use-documents.html#document-chaining
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from difflib import get_close_matches
from typing import Any, Final

from cdk_ami.checks.rule import Problem

_NAME: Final = re.compile(r"\{\{\s*([A-Za-z0-9_-]{3,128})\s*\}\}")
_CHAIN: Final = re.compile(r"\{\{\s*([\w-]+)\.([^.{}\[\]]+?)\.(inputs|outputs)\b[^{}]*\}\}")

_OTHERS: Final = frozenset({"break", "continue", "else", "end"})
"""Words of Go's text templates, which commands hand to the likes of ``docker inspect --format``."""

_STAGE: Final = {"build": "build", "validate": "build", "test": "test", "container-host-test": "test"}

Step = tuple[str, str, dict[str, Any]]
"""Phase name, path and step."""


def name_problems(steps: Sequence[Step], names: AbstractSet[str]) -> Iterator[Problem]:
    """Yield the expressions of ``steps`` that name no parameter and no constant.

    Args:
        steps: The steps of a document, in order.
        names: Declared parameters and constants.
    """
    for _, _, path, text in _expressions(steps):
        yield from _names(text, names, path)


def chain_problems(steps: Sequence[Step]) -> Iterator[Problem]:
    """Yield the expressions of ``steps`` that chain to a step which has not run on the same instance before."""
    order: dict[tuple[str, str], int] = {}
    for index, (phase, _, step) in enumerate(steps):
        order.setdefault((phase, str(step.get("name"))), index)
    phases = {phase for phase, _, _ in steps}
    for index, phase, path, text in _expressions(steps):
        for chain in _CHAIN.finditer(text):
            if chain[1] in phases:
                yield from _chain(chain, order, index, phase, path)


def _expressions(steps: Sequence[Step]) -> Iterator[tuple[int, str, str, str]]:
    for index, (phase, at, step) in enumerate(steps):
        for key in ("inputs", "loop", "if"):
            for path, text in texts_of(step.get(key), f"{at}.{key}"):
                if "{{" in text:
                    yield index, phase, path, text


def _names(text: str, names: AbstractSet[str], at: str) -> Iterator[Problem]:
    for found in _NAME.finditer(text):
        if found[1] not in names and found[1] not in _OTHERS:
            near = get_close_matches(found[1], sorted(names), n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"declare {found[1]} under parameters or constants"
            yield Problem(problem="names a parameter that is not declared", got=found[0], fix=hint, at=at)


def _chain(
    chain: re.Match[str], order: dict[tuple[str, str], int], index: int, phase: str, at: str
) -> Iterator[Problem]:
    target = order.get((chain[1], chain[2]))
    if target is None:
        here = sorted(name for other, name in order if other == chain[1])
        near = get_close_matches(chain[2], here, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"name one of {', '.join(here)}"
        yield Problem(problem=f"chains to a step that phase {chain[1]} lacks", got=chain[0], fix=hint, at=at)
    elif chain[3] == "outputs" and _STAGE.get(chain[1]) != _STAGE.get(phase):
        yield Problem(
            problem=f"chains from phase {phase} to phase {chain[1]}, which runs on another instance",
            got=chain[0],
            fix="write the value to a file in the image and read it there",
            at=at,
        )
    elif target >= index:
        yield Problem(
            problem="chains to a step that has not run yet",
            got=chain[0],
            fix=f"move step {chain[2]} before this one",
            at=at,
        )


def texts_of(value: Any, at: str = "") -> Iterator[tuple[str, str]]:
    """Yield path and content of each text in plain data, keys left out.

    Args:
        value: The data.
        at: Where it stands, empty for the whole of a document.
    """
    if isinstance(value, str):
        yield at, value
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from texts_of(item, f"{at}[{index}]")
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from texts_of(item, f"{at}.{key}" if at else key)
