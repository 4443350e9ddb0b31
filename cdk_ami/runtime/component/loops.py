"""The rounds of a step's loop; pure.

https://docs.aws.amazon.com/imagebuilder/latest/userguide/toe-looping-constructs.html, read 2026-11-28
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from cdk_ami.checks.documents import as_text
from cdk_ami.runtime.component.expressions import Iteration, Scope

DEFAULT_DELIMITER: Final = ","
"""What separates the values of a text when a loop names nothing else."""

_WRITTEN_OUT: Final = {"\\n": "\n", "\\t": "\t"}
"""Delimiters as they come out of single quotes, where YAML leaves the backslash."""


def rounds(loop: dict[str, Any] | None, scope: Scope) -> tuple[Iteration | None, ...]:
    """Return the rounds of a loop, and one round of nothing for a step without.

    Raises:
        ExpressionError: When the loop's list names what is not there.
    """
    if loop is None:
        return (None,)
    name = as_text(loop.get("name"))
    return tuple(
        Iteration(name=name, index=index, value=value) for index, value in enumerate(tuple(_values(loop, scope)))
    )


def _values(loop: dict[str, Any], scope: Scope) -> Iterator[str]:
    if "for" in loop:
        start, end, step = (int(loop["for"][key]) for key in ("start", "end", "updateBy"))
        # Both bounds belong to the range.
        yield from map(str, range(start, end + (1 if step > 0 else -1), step))
        return
    each = loop["forEach"]
    if isinstance(each, list):
        yield from (as_text(scope.resolve(item)) for item in each)
        return
    delimiter = as_text(each.get("delimiter", DEFAULT_DELIMITER))
    yield from as_text(scope.resolve(each["list"])).split(_WRITTEN_OUT.get(delimiter, delimiter) or DEFAULT_DELIMITER)
