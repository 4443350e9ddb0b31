"""Intrinsic functions; pure but for the random ones.

https://docs.aws.amazon.com/step-functions/latest/dg/intrinsic-functions.html, read 2026-11-28
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from random import Random
from typing import Any, Final

MAX_RANGE: Final = 1000
MAX_TEXT: Final = 10_000
"""What arrays and texts may be at most."""

_NAME: Final = re.compile(r"\s*(States\.[A-Za-z0-9]+)\s*\(")
_NUMBER: Final = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_WORDS: Final[Mapping[str, Any]] = {"true": True, "false": False, "null": None}


class IntrinsicError(ValueError):
    """A call that is none, or that cannot be answered."""


class Path(str):
    """An argument that is read from the input or the context object."""

    __slots__ = ()


class Call:
    """A call with its arguments: values, paths and further calls."""

    def __init__(self, name: str, arguments: list[Any]) -> None:
        self.name, self.arguments = name, arguments

    def paths(self) -> Iterator[str]:
        """Yield the paths in it."""
        for argument in self.arguments:
            if isinstance(argument, Call):
                yield from argument.paths()
            elif isinstance(argument, Path):
                yield str(argument)

    def answer(self, read: Callable[[str], Any]) -> Any:
        """Return its value, where ``read`` reads a path.

        Raises:
            IntrinsicError: When the arguments do not fit.
        """
        values = [
            argument.answer(read)
            if isinstance(argument, Call)
            else read(argument)
            if isinstance(argument, Path)
            else argument
            for argument in self.arguments
        ]
        try:
            return _FUNCTIONS[self.name](*values)
        except IntrinsicError:
            raise
        except (TypeError, ValueError, LookupError, AttributeError) as error:
            raise IntrinsicError(f"{self.name}: {error}") from error


def parse(text: str) -> Call:
    """Return the call that a text is.

    Raises:
        IntrinsicError: When it is none, or names no function.
    """
    call, end = _call(text, 0)
    if text[end:].strip():
        raise IntrinsicError(f"{text!r} goes on after the call: {text[end:]!r}")
    return call


def _call(text: str, at: int) -> tuple[Call, int]:
    match = _NAME.match(text, at)
    if match is None or match[1] not in _FUNCTIONS:
        raise IntrinsicError(f"{text[at:]!r} is no intrinsic function")
    at = match.end()
    arguments: list[Any] = []
    while True:
        at = _skip(text, at)
        if text[at : at + 1] == ")" and not arguments:
            return Call(match[1], arguments), at + 1
        argument, at = _argument(text, at)
        arguments.append(argument)
        at = _skip(text, at)
        if text[at : at + 1] == ")":
            return Call(match[1], arguments), at + 1
        if text[at : at + 1] != ",":
            raise IntrinsicError(f"{text!r} lacks a comma or parenthesis at {text[at:]!r}")
        at += 1


def _skip(text: str, at: int) -> int:
    while text[at : at + 1].isspace():
        at += 1
    return at


def _argument(text: str, at: int) -> tuple[Any, int]:
    letter = text[at : at + 1]
    if letter == "'":
        return _string(text, at + 1)
    if letter == "$":
        return _path(text, at)
    if text.startswith("States.", at):
        return _call(text, at)
    for word, value in _WORDS.items():
        if text.startswith(word, at):
            return value, at + len(word)
    match = _NUMBER.match(text, at)
    if match is None:
        raise IntrinsicError(f"{text[at:]!r} is no argument")
    return json.loads(match[0]), match.end()


def _string(text: str, at: int) -> tuple[str, int]:
    """Read a string to its end; what a backslash protects of ``{}`` stays protected, for States.Format."""
    made = ""
    while at < len(text):
        letter = text[at]
        if letter == "'":
            return made, at + 1
        if letter == "\\" and at + 1 < len(text):
            made += text[at : at + 2] if text[at + 1] in "{}\\" else text[at + 1]
            at += 2
        else:
            made += letter
            at += 1
    raise IntrinsicError(f"a string in {text!r} has no end")


def _path(text: str, at: int) -> tuple[Path, int]:
    start, depth, quote = at, 0, ""
    while at < len(text):
        letter = text[at]
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"" and depth:
            quote = letter
        elif letter in "[(":
            depth += 1
        elif letter in "])" and depth:
            depth -= 1
        elif letter in ",)":
            break
        at += 1
    return Path(text[start:at].strip()), at


def _unprotected(text: str) -> str:
    return re.sub(r"\\([{}\\])", r"\1", text)


def _format(template: str, *values: Any) -> str:
    parts = re.split(r"(\\[{}\\]|\{\})", template)
    if parts.count("{}") != len(values):
        raise IntrinsicError(f"States.Format: {parts.count('{}')} gaps and {len(values)} values")
    rest = iter(values)
    return "".join(_shown(next(rest)) if part == "{}" else _unprotected(part) for part in parts)


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def _plain(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let a function see strings without the backslashes that only States.Format needs."""
    return lambda *values: function(*(_unprotected(value) if isinstance(value, str) else value for value in values))


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise IntrinsicError(f"an array is expected, got {value!r}")
    return value


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise IntrinsicError(f"a number is expected, got {value!r}")
    return round(value)


def _partition(array: Any, size: Any) -> list[list[Any]]:
    step = _whole(size)
    if step < 1:
        raise IntrinsicError("the size of a part is 1 or more")
    return [_list(array)[start : start + step] for start in range(0, len(array), step)]


def _range(first: Any, last: Any, step: Any) -> list[int]:
    start, end, by = _whole(first), _whole(last), _whole(step)
    made = list(range(start, end + (1 if by > 0 else -1), by))
    if len(made) > MAX_RANGE:
        raise IntrinsicError(f"a range has {MAX_RANGE} numbers at most")
    return made


def _unique(array: Any) -> list[Any]:
    seen: dict[str, Any] = {}
    for item in _list(array):
        seen.setdefault(json.dumps(item, sort_keys=True), item)
    return list(seen.values())


def _contains(array: Any, value: Any) -> bool:
    wanted = json.dumps(value, sort_keys=True)
    return any(json.dumps(item, sort_keys=True) == wanted for item in _list(array))


def _encode(text: Any) -> str:
    return base64.b64encode(_short(text).encode()).decode()


def _decode(text: Any) -> str:
    return base64.b64decode(_short(text), validate=True).decode()


def _short(text: Any) -> str:
    if not isinstance(text, str) or len(text) > MAX_TEXT:
        raise IntrinsicError(f"a string of {MAX_TEXT} characters at most is expected")
    return text


_HASHES: Final = {"MD5": "md5", "SHA-1": "sha1", "SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512"}


def _hash(value: Any, algorithm: str) -> str:
    if algorithm not in _HASHES:
        raise IntrinsicError(f"the algorithm is one of {', '.join(_HASHES)}, got {algorithm!r}")
    return hashlib.new(_HASHES[algorithm], _shown(value).encode(), usedforsecurity=False).hexdigest()


def _merge(one: Any, other: Any, deep: Any) -> dict[str, Any]:
    if deep is not False:
        raise IntrinsicError("the service merges shallowly only: the third argument is false")
    if not isinstance(one, dict) or not isinstance(other, dict):
        raise IntrinsicError("objects are merged only")
    return {**one, **other}


def _random(first: Any, last: Any, seed: Any = None) -> int:
    source = Random(seed)  # noqa: S311 - the service's own is no secret either
    return source.randrange(_whole(first), _whole(last))


def _split(text: str, separators: str) -> list[str]:
    return [part for part in re.split(f"[{re.escape(separators)}]", text) if part]


_FUNCTIONS: Final[Mapping[str, Callable[..., Any]]] = {
    "States.Format": _format,
    "States.StringToJson": _plain(json.loads),
    "States.JsonToString": lambda value: json.dumps(value, separators=(",", ":")),
    "States.Array": _plain(lambda *values: list(values)),
    "States.ArrayPartition": _partition,
    "States.ArrayContains": _plain(_contains),
    "States.ArrayRange": _range,
    "States.ArrayGetItem": lambda array, index: _list(array)[_whole(index)],
    "States.ArrayLength": lambda array: len(_list(array)),
    "States.ArrayUnique": _unique,
    "States.Base64Encode": _plain(_encode),
    "States.Base64Decode": _plain(_decode),
    "States.Hash": _plain(_hash),
    "States.JsonMerge": _merge,
    "States.MathRandom": _random,
    "States.MathAdd": lambda one, other: _whole(one) + _whole(other),
    "States.StringSplit": _plain(_split),
    "States.UUID": lambda: str(uuid.uuid4()),
}
