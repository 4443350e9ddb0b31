"""In which line of a template something stands."""

from __future__ import annotations

import re
from typing import Any, Final

import yaml

_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_STEP: Final = re.compile(r"[^.\[\]]+|\[[0-9]+\]")


class Lines:
    """The lines of one template, which is YAML: JSON is YAML too.

    Args:
        text: The template as it was written.
    """

    def __init__(self, text: str) -> None:
        try:
            self._root: Any = yaml.compose(text, _LOADER)
        except yaml.YAMLError:
            self._root = None  # JSON with tabs, which YAML does not take

    def of(self, section: str, name: str, path: str) -> int:
        """Return the line, from 1, of a resource's or parameter's value, or of what comes nearest to it."""
        line = 1
        node = self._root
        for step in (section, name, *_STEP.findall(path)):
            found = _below(node, step)
            if found is None:
                return line
            line, node = found
        return line


def _below(node: Any, step: str) -> tuple[int, Any] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == step:
                return key.start_mark.line + 1, value
    elif isinstance(node, yaml.SequenceNode) and step.startswith("["):
        index = int(step[1:-1])
        if index < len(node.value):
            return node.value[index].start_mark.line + 1, node.value[index]
    return None
