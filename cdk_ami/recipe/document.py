"""Component documents: read once, checked once, then plain frozen data."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

from cdk_ami.checks import documents as rules
from cdk_ami.checks.rule import Problem
from cdk_ami.errors import Faults
from cdk_ami.recipe.yaml_text import Kind, YamlFaultError, parse_yaml
from cdk_ami.source.platform import Platform

TEST_PHASES: Final = ("test", "container-host-test")
"""Phases that run on an instance of the new AMI.
https://docs.aws.amazon.com/imagebuilder/latest/userguide/toe-use-documents.html"""


_LINE_ENDS: Final = frozenset("\r\x85\u2028\u2029")

_UNREADABLE: Final = {
    Kind.SYNTAX: rules.document_syntax,
    Kind.TABS: rules.document_tabs,
    Kind.KEYS: rules.document_keys,
}


class DocumentWarning(NamedTuple):
    """Something in a document that the service may accept and that is probably a mistake.

    Attributes:
        warning_id: Stable id, such as ``cdk-ami::UnknownAction``.
        message: What was found, where, and what to do.
    """

    warning_id: str
    message: str


class Document(NamedTuple):
    """A component document that the service would accept.

    Attributes:
        text: The document as it was written.
        name: Its own name, empty when it has none.
        description: Its own description, empty when it has none.
        parameters: Declared parameters; the value is the default, or None where a recipe must give one.
        phases: Names of the phases, in order.
        platforms: Systems that can run every step.
        warnings: What is probably a mistake.
        data: The document as plain data; treat it as read-only.
    """

    text: str
    name: str
    description: str
    parameters: Mapping[str, str | None]
    phases: tuple[str, ...]
    platforms: tuple[Platform, ...]
    warnings: tuple[DocumentWarning, ...]
    data: Mapping[str, Any]

    @property
    def has_tests(self) -> bool:
        """Tell whether some phase runs on an instance of the new AMI."""
        return any(phase in TEST_PHASES for phase in self.phases)


def read_document(path: Path, *, where: str | None = None) -> Document:
    """Return the document in the file ``path``, YAML or JSON.

    Args:
        path: The file.
        where: What an error names; None means the path as it was given.

    Raises:
        ConfigError: When the file cannot be read, or the service would refuse what it holds; all faults at once.
    """
    label = where or str(path)
    faults = Faults(label)
    faults.check("path", (*rules.document_file(path), *rules.document_folder(path)))
    faults.raise_if_any()
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        faults.add("path", "is no UTF-8 text", got=str(path), fix=f"save the file as UTF-8: {error.reason}")
        faults.raise_if_any()
        raise
    return parse_document(text, where=label)


def parse_document(text: str, *, where: str) -> Document:
    """Return the document that ``text`` holds, YAML or JSON.

    Args:
        text: The document.
        where: What an error names: a file, or the call that made the text.

    Raises:
        ConfigError: When the service would refuse the document; all faults at once.
    """
    faults = Faults(where)
    faults.check("document", (*rules.document_text(text), *rules.document_size(text)))
    faults.raise_if_any()
    try:
        data = parse_yaml(text)
    except YamlFaultError as error:
        faults.check("document", _UNREADABLE[error.kind](error.found))
        faults.raise_if_any()
        raise
    faults.check("document", rules.document_mapping(rules.Sealed(data)))
    faults.raise_if_any()
    sealed = rules.Sealed(data)
    for check in rules.DOCUMENT_RULES:
        faults.check("", check(sealed))
    faults.raise_if_any()
    return _document(text, sealed)


def write_document(data: Mapping[str, Any]) -> str:
    """Return ``data`` as YAML that reads well: keys in their order, commands as they were written."""
    return yaml.dump(_plain(data), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10_000)


def to_json(document: Document) -> str:
    """Return the document as JSON with sorted keys: equal documents have equal texts."""
    return json.dumps(document.data, sort_keys=True)


def _document(text: str, sealed: rules.Sealed) -> Document:
    data = sealed.mapping
    return Document(
        text=text,
        name=_line(data.get("name")),
        description=_line(data.get("description")),
        parameters=rules.defaults(data),
        phases=tuple(phase["name"] for phase in data["phases"]),
        platforms=tuple(platform for platform in Platform if not rules.action_platforms(sealed, platform)),
        warnings=tuple(_warnings(sealed)),
        data=data,
    )


def _warnings(sealed: rules.Sealed) -> Iterator[DocumentWarning]:
    for check in rules.DOCUMENT_WARNINGS:
        for found in check(sealed):
            yield _warning(found)


def _warning(found: Problem) -> DocumentWarning:
    return DocumentWarning(warning_id=found.rule, message=f"{found.at} {found.problem}, got {found.got!r}; {found.fix}")


def _line(value: object) -> str:
    return " ".join(rules.as_text(value).split()) if value is not None else ""


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks."""


def _text(dumper: _Dumper, value: str) -> yaml.Node:
    # YAML takes more characters for ends of lines than one, and reads all but escaped ones as the same.
    style = '"' if _LINE_ENDS & set(value) else "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


def _plain(value: Any) -> Any:
    # The names of an enumeration are texts, and whatever reads like a list or a mapping is one.
    if isinstance(value, str):
        return str(value)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {_plain(key): _plain(item) for key, item in value.items()}
    return value
