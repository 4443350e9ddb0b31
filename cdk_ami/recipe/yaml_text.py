"""Reads YAML as the service does: YAML 1.2's plain texts, no tags, no key twice, no bombs.

The library's own loader reads ``2026-01-01`` as a date, ``22:30`` as a number and ``yes`` as a truth, keeps the last of
two equal keys, and follows recursive aliases; none of that is what a component document means.  This one builds plain
data from the parser's events, without recursion.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum
from math import isfinite
from typing import Final

import yaml

from cdk_ami.checks.rule import Problem

Data = str | int | float | bool | None | list["Data"] | dict[str, "Data"]

DEPTH_MAX: Final = 64
"""Levels of lists and mappings, far beyond any document and within what a checker can walk."""

NODES_MAX: Final = 20_000
"""Values of one document, aliases counted at each use: a bound on what a few lines can grow to."""

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULL: Final = frozenset({"", "~", "null", "Null", "NULL"})
_TRUTH: Final = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER: Final = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})")
_FLOAT: Final = re.compile(r"[-+]?(?:[0-9]{1,17}\.[0-9]{0,25}|\.[0-9]{1,25})(?:[eE][-+]?[0-9]{1,3})?")
_TEXT_TAGS: Final = frozenset({None, "!", "tag:yaml.org,2002:str"})
_PLAIN_TAGS: Final = frozenset(f"tag:yaml.org,2002:{name}" for name in ("int", "float", "bool", "null"))


class Kind(StrEnum):
    """What sort of mistake makes a text unreadable."""

    SYNTAX = "syntax"
    TABS = "tabs"
    KEYS = "keys"


class YamlFaultError(Exception):
    """A text that cannot be read as data.

    Attributes:
        found: What is wrong with it.
        kind: What sort of mistake it is.
    """

    def __init__(self, found: Problem, kind: Kind = Kind.SYNTAX) -> None:
        super().__init__(found.problem)
        self.found, self.kind = found, kind


def parse_yaml(text: str) -> Data:
    """Return the one document that ``text`` holds, which may be JSON: that is YAML too.

    Raises:
        YamlFaultError: When the text is no YAML, or uses what a component document may not.
    """
    try:
        return _Builder().build(yaml.parse(text, Loader=_LOADER))
    except yaml.MarkedYAMLError as error:
        raise _marked(error, text) from error
    except yaml.YAMLError as error:
        raise YamlFaultError(
            Problem(problem="is no YAML", got=str(error), fix="remove the characters that a text file does not hold")
        ) from error


class _Builder:
    """Turns the parser's events into data, one open list or mapping at a time."""

    def __init__(self) -> None:
        self._root: list[Data] = []
        self._open: list[_Open] = []
        self._anchors: dict[str, tuple[Data, int]] = {}
        self._nodes = 0

    def build(self, events: Iterator[yaml.Event]) -> Data:
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent) and self._root:
                raise _fault("holds a second document", event, "keep one document in a file")
            if isinstance(event, yaml.ScalarEvent):
                self._add(_scalar(event), event, anchor=event.anchor)
            elif isinstance(event, yaml.AliasEvent):
                self._alias(event)
            elif isinstance(event, yaml.CollectionStartEvent):
                self._begin(event)
            elif isinstance(event, yaml.CollectionEndEvent):
                self._end()
        return self._root[0] if self._root else None

    def _begin(self, event: yaml.CollectionStartEvent) -> None:
        if event.tag is not None and event.tag not in {"!", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"}:
            raise _fault(f"has the YAML tag {event.tag}", event, "remove the tag: a component knows none")
        if len(self._open) >= DEPTH_MAX:
            raise _fault(f"is nested deeper than {DEPTH_MAX} levels", event, "flatten it")
        data: list[Data] | dict[str, Data] = [] if isinstance(event, yaml.SequenceStartEvent) else {}
        self._open.append(_Open(data, event, self._nodes))

    def _end(self) -> None:
        closed = self._open.pop()
        self._add(closed.data, closed.event, anchor=closed.event.anchor, size=self._nodes - closed.nodes_before)

    def _alias(self, event: yaml.AliasEvent) -> None:
        if event.anchor not in self._anchors:
            raise _fault(f"uses *{event.anchor} inside itself or before it is there", event, "write the value out")
        data, size = self._anchors[event.anchor]
        self._nodes += size
        self._add(data, event)

    def _add(self, data: Data, event: yaml.Event, *, anchor: str | None = None, size: int = 0) -> None:
        self._nodes += 1
        if self._nodes > NODES_MAX:
            raise _fault(f"grows to more than {NODES_MAX:,} values", event, "split it")
        if anchor is not None:
            self._anchors[anchor] = (data, size + 1)
        if not self._open:
            self._root.append(data)
        elif isinstance(self._open[-1].data, list):
            self._open[-1].data.append(data)
        else:
            self._open[-1].put(data, event)


class _Open:
    """A list or mapping whose end has not come yet."""

    def __init__(self, data: list[Data] | dict[str, Data], event: yaml.CollectionStartEvent, nodes_before: int) -> None:
        self.data, self.event, self.nodes_before = data, event, nodes_before
        self._key: str | None = None
        self._merged: set[str] = set()

    def put(self, data: Data, event: yaml.Event) -> None:
        """Take a key, or the value of the key before."""
        if self._key is None:
            if isinstance(data, list | dict):
                raise _fault("has a key that is no text", event, "quote expressions, such as '{{ name }}'")
            self._key = event.value if isinstance(event, yaml.ScalarEvent) else str(data)
            return
        key, self._key = self._key, None
        mapping = self.data
        if not isinstance(mapping, dict):
            raise TypeError("only mappings take keys")
        if key == "<<" and isinstance(data, list | dict):
            self._merge(mapping, data, event)
        elif key in mapping and key not in self._merged:
            raise _fault(
                f"has the key {key!r} twice",
                event,
                "keep one of the two: the service would drop the other",
                kind=Kind.KEYS,
            )
        else:
            self._merged.discard(key)
            mapping[key] = data

    def _merge(self, mapping: dict[str, Data], data: list[Data] | dict[str, Data], event: yaml.Event) -> None:
        for source in data if isinstance(data, list) else [data]:
            if not isinstance(source, dict):
                raise _fault("merges what is no mapping", event, "merge mappings only")
            for key, value in source.items():
                if key not in mapping:
                    mapping[key] = value
                    self._merged.add(key)


def _scalar(event: yaml.ScalarEvent) -> Data:
    value: str = event.value
    if event.tag in _TEXT_TAGS:
        plain = event.tag is None and event.implicit[0]
    elif event.tag in _PLAIN_TAGS:
        plain = True
    else:
        raise _fault(f"has the YAML tag {event.tag}", event, "remove the tag: a component knows none")
    if not plain:
        return value
    if value in _NULL:
        return None
    if value in _TRUTH:
        return _TRUTH[value]
    if _INTEGER.fullmatch(value):
        return int(value)
    if _FLOAT.fullmatch(value) and isfinite(float(value)):
        return float(value)
    return value


def _fault(problem: str, event: yaml.Event, fix: str, *, kind: Kind = Kind.SYNTAX) -> YamlFaultError:
    mark = event.start_mark
    place = f"line {mark.line + 1}, column {mark.column + 1}" if mark else "the text"
    return YamlFaultError(Problem(problem=f"{problem} at {place}", got=getattr(event, "value", None), fix=fix), kind)


def _marked(error: yaml.MarkedYAMLError, text: str) -> YamlFaultError:
    mark = error.problem_mark or error.context_mark
    line = mark.line if mark else 0
    lines = text.splitlines()
    shown = lines[line] if line < len(lines) else ""
    place = f"line {line + 1}" if mark else "the text"
    before = shown[: len(shown) - len(shown.lstrip())]
    if "\t" in before or "\\t" in (error.problem or ""):
        found = Problem(problem=f"is indented with a tab at {place}", got=shown, fix="indent with blanks")
        return YamlFaultError(found, Kind.TABS)
    return YamlFaultError(
        Problem(
            problem=f"is no YAML at {place}: {error.problem or error.context}",
            got=shown,
            fix="mend the syntax: quote texts that hold ': ', '#' or start with a special character",
        )
    )
