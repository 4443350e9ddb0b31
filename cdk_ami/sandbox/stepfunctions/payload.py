"""What a state reads: paths, and templates whose keys end in ``.$``; pure.

https://docs.aws.amazon.com/step-functions/latest/dg/concepts-input-output-filtering.html, read 2026-11-28
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cdk_ami.sandbox import jsonpath
from cdk_ami.sandbox.stepfunctions import intrinsics
from cdk_ami.sandbox.stepfunctions.errors import StateError


@dataclass(frozen=True, slots=True)
class Scope:
    """What paths are read from.

    Attributes:
        value: What ``$`` is.
        context: What ``$$`` is.
    """

    value: Any
    context: Mapping[str, Any]

    def read(self, path: str) -> Any:
        """Return what a path names.

        Raises:
            jsonpath.PathError: When it names nothing.
        """
        if path.startswith("$$"):
            return jsonpath.read(path[1:], self.context)
        return jsonpath.read(path, self.value)

    def take(self, path: str | None) -> Any:
        """Return what an InputPath or OutputPath lets through.

        Raises:
            StateError: When it names nothing.
        """
        if path is None:
            return {}
        try:
            return self.read(path)
        except jsonpath.PathError as error:
            raise StateError("States.Runtime", f"Invalid path '{path}': {error}") from error

    def evaluate(self, text: str) -> Any:
        """Return the value of a path or an intrinsic function.

        Raises:
            StateError: When there is none.
        """
        try:
            if text.startswith("$"):
                return self.read(text)
            return intrinsics.parse(text).answer(self.read)
        except jsonpath.PathError as error:
            raise StateError(
                "States.ParameterPathFailure",
                f"The JSONPath '{text}' specified for the field could not be found in the input: {error}",
            ) from error
        except intrinsics.IntrinsicError as error:
            raise StateError("States.IntrinsicFailure", str(error)) from error

    def fill(self, template: Any) -> Any:
        """Return a template with its gaps filled."""
        if isinstance(template, Mapping):
            return {
                name.removesuffix(".$"): self.evaluate(value) if name.endswith(".$") else self.fill(value)
                for name, value in template.items()
            }
        if isinstance(template, list):
            return [self.fill(item) for item in template]
        return template


def put(path: str | None, before: Any, result: Any) -> Any:
    """Return ``before`` with ``result`` at a ResultPath; None drops the result.

    Raises:
        StateError: When it cannot be put there.
    """
    if path is None:
        return before
    try:
        return jsonpath.write(path, before, result)
    except jsonpath.PathError as error:
        raise StateError("States.ResultPathMatchFailure", str(error)) from error
