"""Templates: JSON or YAML with the short forms, cut into typed sections, the unsupported refused by name.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-anatomy.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from cdk_ami.sandbox.cloudformation.errors import CloudFormationError

SECTIONS: Final = frozenset(
    {
        "AWSTemplateFormatVersion",
        "Conditions",
        "Description",
        "Hooks",
        "Mappings",
        "Metadata",
        "Outputs",
        "Parameters",
        "Resources",
        "Rules",
        "Transform",
    }
)
"""Every section that AWS knows.  https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-anatomy.html"""

REFUSED_SECTIONS: Final = ("Hooks",)
"""Sections that need services which the sandbox does not have."""

TRANSFORMS: Final = frozenset({"AWS::LanguageExtensions"})
"""Transforms that ask for nothing but functions which the sandbox knows anyway: ``Fn::Length``, ``Fn::ToJsonString``
and the default value of ``Fn::FindInMap``.
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/transform-aws-languageextensions.html"""

LOOP: Final = "Fn::ForEach::"
"""Begins the keys of loops, the one extension that the sandbox does not know."""

ATTRIBUTES: Final = frozenset(
    {
        "Condition",
        "CreationPolicy",
        "DeletionPolicy",
        "DependsOn",
        "Metadata",
        "Properties",
        "Type",
        "UpdatePolicy",
        "UpdateReplacePolicy",
    }
)
"""Attributes of a resource.  https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-product-attribute-reference.html"""

DELETION_POLICIES: Final = ("Delete", "Retain", "RetainExceptOnCreate")
"""Policies that the engine honours; ``Snapshot`` is refused."""

MAX_BODY_BYTES: Final = 51_200
"""Largest template in a request's body.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html, read 2026-11-22"""

_PLAIN_TAGS: Final = {"!Ref": "Ref", "!Condition": "Condition"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One resource of a template, its intrinsics unresolved."""

    logical_id: str
    type: str
    properties: Mapping[str, Any] = field(default_factory=dict)
    condition: str | None = None
    depends_on: tuple[str, ...] = ()
    deletion_policy: str | None = None
    update_replace_policy: str | None = None
    update_policy: Mapping[str, Any] = field(default_factory=dict)
    creation_policy: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A parsed template.

    Attributes:
        text: The template as it was handed in.
        body: The same as plain data, short forms written out.
        resources: Resources by logical id, in the template's order.
    """

    text: str
    body: Mapping[str, Any]
    resources: Mapping[str, Resource]

    def section(self, name: str) -> Mapping[str, Any]:
        """Return the section ``name``, empty when the template has none."""
        found = self.body.get(name)
        return found if isinstance(found, dict) else {}

    @property
    def description(self) -> str | None:
        """The description, None when there is none."""
        return self.body.get("Description")


# The parser in C, ten times as quick, where PyYAML was built with it.
_SAFE_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_SAFE_LOADER):  # type: ignore[misc]
    """YAML as CloudFormation reads it: short forms allowed, dates left as text."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in _SAFE_LOADER.yaml_implicit_resolvers.items()
}


def _short_form(loader: Any, _: str, node: Any) -> Any:
    name = _PLAIN_TAGS.get(node.tag, f"Fn::{node.tag[1:]}")
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        return {name: value.split(".", 1)} if name == "Fn::GetAtt" else {name: value}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    return {name: loader.construct_mapping(node, deep=True)}


_Loader.add_multi_constructor("!", _short_form)


def parse(text: str) -> Template:
    """Return the template in ``text``.

    Raises:
        CloudFormationError: When it is no template, or asks for what the sandbox does not do.
    """
    body = _load(text)
    if unknown := sorted(set(body) - SECTIONS):
        raise CloudFormationError(f"Invalid template property or properties [{', '.join(unknown)}]")
    for section in REFUSED_SECTIONS:
        if section in body:
            raise CloudFormationError(f"Template error: the sandbox does not support the section {section}")
    _check_transforms(body)
    raw = body.get("Resources")
    if not isinstance(raw, dict) or not raw:
        raise CloudFormationError("Template format error: At least one Resources member must be defined.")
    return Template(text=text, body=body, resources={name: _resource(name, value) for name, value in raw.items()})


def _check_transforms(body: Mapping[str, Any]) -> None:
    asked = body.get("Transform", [])
    for one in asked if isinstance(asked, list) else [asked]:
        if one not in TRANSFORMS:
            name = one.get("Name") if isinstance(one, dict) else one
            raise CloudFormationError(f"Template error: the sandbox does not support the transform {name}")
    for section in ("Conditions", "Outputs", "Resources"):
        found = body.get(section)
        for key in found if isinstance(found, dict) else ():
            if str(key).startswith(LOOP):
                raise CloudFormationError(f"Template error: the sandbox does not support the loop {key} in {section}")


def _load(text: str) -> dict[str, Any]:
    try:
        is_json = text.lstrip().startswith("{")
        body = json.loads(text) if is_json else yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader
    except (json.JSONDecodeError, yaml.YAMLError) as error:
        first = str(error).partition("\n")[0]
        raise CloudFormationError(f"Template format error: JSON or YAML not well-formed. ({first})") from error
    if not isinstance(body, dict):
        raise CloudFormationError("Template format error: unsupported structure.")
    return body


def _resource(name: str, value: Any) -> Resource:
    where = f"Template format error: [/Resources/{name}]"
    if not name.isalnum():
        raise CloudFormationError(f"Template format error: Resource name {name} is non alphanumeric.")
    if not isinstance(value, dict) or not isinstance(value.get("Type"), str):
        raise CloudFormationError(f"{where} Every Resources object must contain a Type member.")
    if unknown := sorted(set(value) - ATTRIBUTES):
        raise CloudFormationError(f"{where} Encountered unsupported property {unknown[0]}")
    for policy in ("DeletionPolicy", "UpdateReplacePolicy"):
        chosen = value.get(policy, "Delete")
        if chosen not in DELETION_POLICIES:
            raise CloudFormationError(f"{where} the sandbox does not support {policy} {chosen!r}")
    depends = value.get("DependsOn", ())
    return Resource(
        logical_id=name,
        type=value["Type"],
        properties=value.get("Properties") or {},
        condition=value.get("Condition"),
        depends_on=(depends,) if isinstance(depends, str) else tuple(depends),
        deletion_policy=value.get("DeletionPolicy"),
        update_replace_policy=value.get("UpdateReplacePolicy"),
        update_policy=value.get("UpdatePolicy") or {},
        creation_policy=value.get("CreationPolicy") or {},
        metadata=value.get("Metadata") or {},
    )
