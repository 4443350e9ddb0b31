"""Values that a workflow computes while it runs: paths into what is known, alone or within a text; pure.

https://docs.aws.amazon.com/imagebuilder/latest/userguide/wfdoc-dynamic-vars.html, read 2026-11-28
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

_PATH: Final = re.compile(r"\$(?:\.[A-Za-z0-9_-]+(?:\[[0-9]+\])*)+")
_WITHIN: Final = re.compile(r"\{\{\s*(\$[^{}]*?)\s*\}\}")
_NODE: Final = re.compile(r"[A-Za-z0-9_-]+")
_MARK: Final = ".$"


class VariableError(ValueError):
    """A path that leads nowhere."""


def is_path(value: Any) -> bool:
    """Tell whether a value is a path, such as ``$.stepOutputs.Launch.instanceId``."""
    return isinstance(value, str) and _PATH.fullmatch(value) is not None


def nodes(path: str) -> list[str | int]:
    """Return the parts of a path, without the root: names, and numbers for places in a list."""
    return [int(node) if node.isdigit() else node for node in _NODE.findall(path.removeprefix("$"))]


def paths(value: Any, *, bare: bool, key: str = "") -> Iterator[tuple[str, str]]:
    """Yield each path that a value holds, with the key it stands under.

    A marked key's text counts, path or not; a path alone counts where ``bare`` ones do.
    """
    if isinstance(value, Mapping):
        for name, found in value.items():
            if str(name).endswith(_MARK):
                yield str(name), str(found)
            else:
                yield from paths(found, bare=bare, key=str(name))
    elif isinstance(value, list):
        for found in value:
            yield from paths(found, bare=bare, key=key)
    elif is_path(value) and bare:
        yield key, str(value)
    elif isinstance(value, str):
        yield from ((key, match[1]) for match in _WITHIN.finditer(value))


def find(path: str, known: Mapping[str, Any]) -> Any:
    """Return what a path leads to.

    Raises:
        VariableError: When it leads nowhere.
    """
    found: Any = known
    for node in nodes(path):
        try:
            found = found[int(node)] if isinstance(found, list) else found[str(node)]
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise VariableError(f"{path} has no value") from error
    return found


def filled(value: Any, known: Mapping[str, Any]) -> Any:
    """Return a value with all paths replaced by what they lead to.

    Raises:
        VariableError: When one leads nowhere.
    """
    if isinstance(value, Mapping):
        return {
            str(name).removesuffix(_MARK): find(str(found), known)
            if str(name).endswith(_MARK)
            else filled(found, known)
            for name, found in value.items()
        }
    if isinstance(value, list):
        return [filled(found, known) for found in value]
    return _WITHIN.sub(lambda match: _text(find(match[1], known)), value) if isinstance(value, str) else value


def read(value: Any, known: Mapping[str, Any]) -> Any:
    """Return what a value means where a bare path stands for what it leads to, such as in a condition or an output."""
    return find(value, known) if is_path(value) else filled(value, known)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
