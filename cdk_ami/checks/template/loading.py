"""Templates as text: JSON, or YAML with CloudFormation's short forms.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-formats.html
"""

from __future__ import annotations

import json
from typing import Any, Final

import yaml

_BASE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_PLAIN_TAGS: Final = {"!Ref": "Ref", "!Condition": "Condition"}
_DEEPEST: Final = 200
"""Levels of a text of YAML, far beyond any template and within what its parser can walk."""
_TIMESTAMP: Final = "tag:yaml.org,2002:timestamp"


class TemplateError(ValueError):
    """A text that is no CloudFormation template."""


class _Loader(_BASE):  # type: ignore[misc]
    """YAML as CloudFormation reads it: short forms written out, dates left as text."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != _TIMESTAMP]
    for first, resolvers in _BASE.yaml_implicit_resolvers.items()
}


def _short_form(loader: Any, _: str, node: Any) -> Any:
    name = _PLAIN_TAGS.get(node.tag, f"Fn::{node.tag[1:]}")
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        return {name: value.split(".", 1) if name == "Fn::GetAtt" else value}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    return {name: loader.construct_mapping(node, deep=True)}


_Loader.add_multi_constructor("!", _short_form)


def parse_template(text: str) -> dict[str, Any]:
    """Return the template in ``text`` as plain data, its short forms written out.

    Raises:
        TemplateError: When the text is neither JSON nor YAML, or no mapping of sections.
    """
    try:
        body = _json(text) if text.lstrip()[:1] == "{" else _yaml(text)
    except TemplateError:
        raise
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        raise TemplateError(f"is neither JSON nor YAML: {' '.join(str(error).split())}") from error
    if not isinstance(body, dict):
        raise TemplateError("is no mapping of sections such as Resources")
    return body


def is_template(body: object) -> bool:
    """Tell whether plain data looks like a template: it has resources, each with a type."""
    resources = body.get("Resources") if isinstance(body, dict) else None
    return isinstance(resources, dict) and any(
        isinstance(found, dict) and isinstance(found.get("Type"), str) for found in resources.values()
    )


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return _yaml(text)  # a mapping of YAML may begin with a brace too


def _yaml(text: str) -> Any:
    depth = 0
    for event in yaml.parse(text, _BASE):
        # CloudFormation knows no aliases, and a few of them can stand for more data than any memory holds.
        if isinstance(event, yaml.AliasEvent):
            raise TemplateError("holds a YAML alias, which CloudFormation does not know")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise TemplateError(f"is nested deeper than {_DEEPEST} levels")
    return _with_text_keys(yaml.load(text, Loader=_Loader))  # noqa: S506 - a SafeLoader


def _with_text_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _with_text_keys(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_text_keys(item) for item in value]
    return value
