"""Rules over the properties of Image Builder's resources, whatever they mean.

``image_builder.json`` beside the package's modules says what CloudFormation takes: names, types, choices, ranges.  What it
says of the provider's schemas is as of 2026-11-22.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any, Final

from jsonschema_rs import ValidationError, ValidationErrorKind, Validator, validator_for

from cdk_ami.checks.rule import Problem, is_token
from cdk_ami.checks.shape import short, written
from cdk_ami.checks.template.places import Resource
from cdk_ami.checks.template.registry import Family, Severity, template_rule
from cdk_ami.checks.template.types import IMAGE_BUILDER, INFRASTRUCTURE

_PAGE: Final = "https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_ImageBuilder.html"
_PARAMETERS: Final = "https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html"
# Examples without a type are of the first.
_TYPES: Final = tuple(sorted(IMAGE_BUILDER, key=lambda kind: kind != INFRASTRUCTURE))
_GOOD: Final = """
Name: web
InstanceProfileName: build
InstanceTypes: [m7i.large]
TerminateInstanceOnFailure: "true"
InstanceMetadataOptions: {HttpTokens: required, HttpPutResponseHopLimit: "2"}
"""


@template_rule(
    "PropertyName",
    family=Family.FAILS,
    severity=Severity.WARNING,
    on=_TYPES,
    why="CloudFormation refuses a key that it does not know, and everything under it.",
    source=_PAGE,
    bad=(
        "{Name: web, InstanceProfileName: build, InstanceType: [m7i.large]}",
        "{Name: web, InstanceProfileName: build, InstanceMetadataOptions: {httpTokens: required}}",
        """
Web:
  Type: AWS::ImageBuilder::DistributionConfiguration
  Properties:
    Name: web
    Distributions: [{Region: us-east-1, AmiDistributionConfiguration: {name: "web {{ imagebuilder:buildDate }}"}}]
""",
        "Web: {Type: AWS::ImageBuilder::Image, Properties: {ImageRecipeArn: !Ref R, Colour: red}}",
    ),
    good=(_GOOD, "{Name: web, InstanceProfileName: build, InstanceMetadataOptions: !Ref Options}"),
)
def property_name(it: Resource) -> Iterator[Problem]:
    """A property has a name that CloudFormation knows, in its spelling and case."""
    for error, path in _errors(it):
        if isinstance(error.kind, ValidationErrorKind.AdditionalProperties):
            known = _known(it.type, error)
            for name in sorted(error.kind.unexpected):
                near = [one for one in known if one.lower() == name.lower()] or get_close_matches(name, known, n=1)
                hint = f"did you mean {near[0]!r}?" if near else "remove it, or mend its spelling"
                instance: Any = error.instance
                yield Problem(
                    problem="is no property that is known", got=short(instance[name]), fix=hint, at=f"{path}.{name}"
                )


@template_rule(
    "PropertyMissing",
    family=Family.FAILS,
    on=_TYPES,
    why="CloudFormation refuses the resource without it.",
    source=_PAGE,
    bad=(
        "{InstanceProfileName: build}",
        "{Name: web}",
        "Web: {Type: AWS::ImageBuilder::ImagePipeline, Properties: {InfrastructureConfigurationArn: !Ref I, ImageRecipeArn: !Ref R}}",
    ),
    good=(_GOOD, "Web: {Type: AWS::ImageBuilder::Component, Properties: !Ref Elsewhere}"),
)
def property_missing(it: Resource) -> Iterator[Problem]:
    """A resource has the properties without which it is none."""
    for error, path in _errors(it):
        if isinstance(error.kind, ValidationErrorKind.Required):
            missing = error.kind.property
            yield Problem(problem="is missing", got=None, fix=f"add {missing}", at=f"{path}.{missing}")


@template_rule(
    "PropertyType",
    family=Family.FAILS,
    on=_TYPES,
    why="CloudFormation refuses a list where a text is due, and so on.",
    source=_PARAMETERS,
    bad=(
        "{Name: [web], InstanceProfileName: build}",
        "{Name: web, InstanceProfileName: build, InstanceTypes: m7i.large}",
        "{Name: web, InstanceProfileName: build, TerminateInstanceOnFailure: perhaps}",
        "{Name: web, InstanceProfileName: build, InstanceMetadataOptions: {HttpPutResponseHopLimit: two}}",
    ),
    good=(
        _GOOD,
        "{Name: 1, InstanceProfileName: true, InstanceTypes: !Ref Types, TerminateInstanceOnFailure: !Ref Terminate}",
    ),
)
def property_type(it: Resource) -> Iterator[Problem]:
    """A property has the type that CloudFormation takes."""
    for error, path in _errors(it):
        if isinstance(error.kind, ValidationErrorKind.Type) and not _converts(error.instance, error.kind.types):
            wanted = " or ".join(sorted(error.kind.types))
            yield Problem(
                problem=f"is no {wanted}", got=short(error.instance), fix=f"give a value of type {wanted}", at=path
            )


@template_rule(
    "PropertyValue",
    family=Family.FAILS,
    on=_TYPES,
    why="The service refuses the value.",
    source=_PAGE,
    bad=(
        "{Name: web, InstanceProfileName: build, Placement: {Tenancy: shared}}",
        "{Name: web, InstanceProfileName: build, InstanceMetadataOptions: {HttpTokens: Required}}",
        "{Name: web, InstanceProfileName: ''}",
        """
Web:
  Type: AWS::ImageBuilder::ImagePipeline
  Properties:
    Name: web
    ImageRecipeArn: web
    InfrastructureConfigurationArn: !Ref Builders
""",
    ),
    good=(_GOOD, "{Name: web, InstanceProfileName: build, Placement: {Tenancy: !Ref Tenancy}}"),
)
def property_value(it: Resource) -> Iterator[Problem]:
    """A property has a value that the service takes: one of its choices, within its range, of its form."""
    for error, path in _errors(it):
        match error.kind:
            case ValidationErrorKind.Enum():
                fix = f"use one of {', '.join(str(option) for option in json.loads(json.dumps(error.kind.options)))}"
            case ValidationErrorKind.Pattern():
                fix = f"write it as {error.kind.pattern}"
            case ValidationErrorKind.MinLength() | ValidationErrorKind.MaxLength():
                fix = "give as many characters as the service takes"
            case ValidationErrorKind.Minimum() | ValidationErrorKind.Maximum():
                fix = "stay in the range that the service takes"
            case ValidationErrorKind.MinItems() | ValidationErrorKind.MaxItems():
                fix = "list as many as the service takes"
            case _:
                continue
        yield Problem(problem="is no value that the service takes", got=short(error.instance), fix=fix, at=path)


def _errors(it: Resource) -> list[tuple[ValidationError, str]]:
    return it.template.once(("errors", it.logical_id), lambda: list(_found(it)))


def _found(it: Resource) -> Iterator[tuple[ValidationError, str]]:
    for error in _validators()[it.type].iter_errors(it.raw) if isinstance(it.raw, dict) else ():
        value = error.instance
        encoded = isinstance(value, dict) and "Fn::Base64" in value
        if not encoded and not (isinstance(value, str) and is_token(value)):
            yield error, f"{it.path}.{written(tuple(error.instance_path))}".rstrip(".")


def _converts(value: Any, wanted: list[str]) -> bool:
    text = isinstance(value, str)
    return (
        ("string" in wanted and isinstance(value, bool | int | float))
        or ("boolean" in wanted and text and value.lower() in {"true", "false"})
        or (bool({"integer", "number"} & set(wanted)) and text and value.lstrip("-").isdecimal())
    )


def _known(kind: str, error: ValidationError) -> list[str]:
    node: Any = _shapes()[kind]
    for step in error.schema_path[:-1]:
        node = node[step]
        while isinstance(node, dict) and "$ref" in node:
            node = _shapes()[kind]["definitions"][node["$ref"].rpartition("/")[2]]
    return list(node.get("properties", ()))


@cache
def _shapes() -> dict[str, Any]:
    shapes: dict[str, Any] = json.loads((Path(__file__).parents[1] / "image_builder.json").read_text(encoding="utf-8"))
    return shapes


@cache
def _validators() -> dict[str, Validator]:
    return {kind: validator_for(shape) for kind, shape in _shapes().items()}
