"""JSONPath as EventBridge and Step Functions read it; pure.

A path that can name one value only gives that value; one with ``*``, ``..``, a slice, a list or a filter gives a list.
https://docs.aws.amazon.com/step-functions/latest/dg/amazon-states-language-paths.html, read 2026-11-28
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from typing import Any, Final, NamedTuple


class PathError(ValueError):
    """A path that is no path, or that names nothing in the value at hand."""


class Step(NamedTuple):
    """One step of a path: what it yields of a value, and whether that can be more than one."""

    select: Callable[[Any], Iterable[Any]]
    many: bool
    name: str | int | None = None


_TOKEN: Final = re.compile(
    r"""
    \.\.(?P<deep>[^.\[\]\s*]+)
    | \.(?P<star>\*)
    | \.(?P<name>[^.\[\]\s*]+)
    | \[(?P<all>\s*\*\s*)\]
    | \['(?P<quoted>(?:[^'\\]|\\.)*)'\]
    | \["(?P<double>(?:[^"\\]|\\.)*)"\]
    | \[(?P<index>-?\d+)\]
    | \[(?P<start>-?\d*):(?P<end>-?\d*)\]
    | \[(?P<list>-?\d+(?:\s*,\s*-?\d+)+)\]
    | \[\?\((?P<filter>.*?)\)\](?=$|[.\[])
    """,
    re.VERBOSE,
)
_TEST: Final = re.compile(
    r"\s*@(?P<path>[^\s=<>!&|]*)\s*(?:(?P<sign>==|!=|<=|>=|<|>)\s*(?P<value>'[^']*'|\"[^\"]*\"|[^\s&|]+))?\s*"
)
_SIGNS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_WORDS: Final = {"true": True, "false": False, "null": None}


def read(path: str, value: Any) -> Any:
    """Return what ``path``, such as ``$.detail.name``, names in ``value``.

    Raises:
        PathError: When it names nothing.
    """
    steps = parse(path)
    found = [value]
    for step in steps:
        found = [item for one in found for item in step.select(one)]
    if any(step.many for step in steps):
        return found
    if not found:
        raise PathError(f"the path {path} names nothing")
    return found[0]


def write(path: str, value: Any, put: Any) -> Any:
    """Return a copy of ``value`` with ``put`` at ``path``, a reference path; objects on the way are made.

    Raises:
        PathError: When the path may name several values, or passes through what is no object.
    """
    return _written(path, parse(path), value, put)


def _written(path: str, steps: tuple[Step, ...], value: Any, put: Any) -> Any:
    if not steps:
        return put
    name = steps[0].name
    if isinstance(name, int) and isinstance(value, list) and -len(value) <= name < len(value):
        made: Any = list(value)
        made[name] = _written(path, steps[1:], value[name], put)
        return made
    if not isinstance(name, str) or not (value is None or isinstance(value, Mapping)):
        raise PathError(f"nothing can be put at {path}")
    known = value or {}
    return {**known, name: _written(path, steps[1:], known.get(name), put)}


@cache
def parse(path: str) -> tuple[Step, ...]:
    """Return the steps of a path.

    Raises:
        PathError: When it is none.
    """
    if not path.startswith("$"):
        raise PathError(f"the path {path!r} does not begin with $")
    at, steps = 1, []
    while at < len(path):
        match = _TOKEN.match(path, at)
        if match is None:
            raise PathError(f"the path {path!r} cannot be read from {path[at:]!r} on")
        steps.append(_step(match))
        at = match.end()
    return tuple(steps)


def is_reference(path: str) -> bool:
    """Tell whether a path can name one value only."""
    return not any(step.many for step in parse(path))


def _step(match: re.Match[str]) -> Step:  # noqa: PLR0911 - one case for each form
    groups = match.groupdict()
    if groups["deep"] is not None:
        return Step(lambda value: _deep(value, groups["deep"]), many=True)
    if groups["star"] is not None or groups["all"] is not None:
        return Step(_all, many=True)
    if groups["index"] is not None:
        return _index(int(groups["index"]))
    if groups["start"] is not None:
        bounds = slice(*(int(groups[end]) if groups[end] else None for end in ("start", "end")))
        return Step(lambda value: value[bounds] if isinstance(value, list) else (), many=True)
    if groups["list"] is not None:
        numbers = [_index(int(number)) for number in groups["list"].split(",")]
        return Step(lambda value: [item for one in numbers for item in one.select(value)], many=True)
    if groups["filter"] is not None:
        test = _filter(groups["filter"])
        return Step(lambda value: [item for item in _all(value) if test(item)], many=True)
    quoted = groups["quoted"] if groups["quoted"] is not None else groups["double"]
    name = groups["name"] if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
    return Step(
        lambda value: [value[name]] if isinstance(value, Mapping) and name in value else (), many=False, name=name
    )


def _index(number: int) -> Step:
    def select(value: Any) -> Iterable[Any]:
        return [value[number]] if isinstance(value, list) and -len(value) <= number < len(value) else ()

    return Step(select, many=False, name=number)


def _all(value: Any) -> Iterable[Any]:
    if isinstance(value, Mapping):
        return list(value.values())
    return value if isinstance(value, list) else ()


def _deep(value: Any, name: str) -> Iterator[Any]:
    if isinstance(value, Mapping) and (name in value or name == "*"):
        yield from _all(value) if name == "*" else [value[name]]
    for item in _all(value):
        yield from _deep(item, name)


def _filter(text: str) -> Callable[[Any], bool]:
    alternatives = [[_test(part) for part in one.split("&&")] for one in text.split("||")]
    return lambda item: any(all(test(item) for test in tests) for tests in alternatives)


def _test(text: str) -> Callable[[Any], bool]:
    match = _TEST.fullmatch(text)
    if match is None:
        raise PathError(f"the filter {text!r} cannot be read")
    path = f"${match['path']}"
    parse(path)
    if match["sign"] is None:
        return lambda item: _has(path, item)
    wanted, compare = _literal(match["value"]), _SIGNS[match["sign"]]

    def test(item: Any) -> bool:
        if not _has(path, item):
            return False
        try:
            return compare(read(path, item), wanted)
        except TypeError:
            return False

    return test


def _has(path: str, item: Any) -> bool:
    try:
        read(path, item)
    except PathError:
        return False
    return True


def _literal(text: str) -> Any:
    if text[0] in "'\"":
        return text[1:-1]
    if text in _WORDS:
        return _WORDS[text]
    try:
        return float(text) if "." in text else int(text)
    except ValueError as error:
        raise PathError(f"{text!r} is no value of a filter") from error
