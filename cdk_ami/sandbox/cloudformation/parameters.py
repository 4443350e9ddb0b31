"""Template parameters: defaults, previous values, constraints, and values that live in the parameter store.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cdk_ami.sandbox.cloudformation.errors import CloudFormationError
from cdk_ami.sandbox.cloudformation.intrinsics import as_text

SSM_TYPE: Final = re.compile(r"AWS::SSM::Parameter::Value<(.+)>")
"""Types whose value is the name of an SSM parameter, read anew in each operation."""

LIST_TYPE: Final = re.compile(r"CommaDelimitedList|List<.+>")

KNOWN_TYPE: Final = re.compile(
    r"String|Number|CommaDelimitedList|List<(Number|String|AWS::[A-Za-z0-9:]+)>|AWS::(EC2|Route53|SSM)::[A-Za-z0-9:]+"
)
"""Types of a parameter.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-supplied-parameter-types.html"""

AMI_ID: Final = re.compile(r"ami-[0-9a-f]{8,17}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter of one stack.

    Attributes:
        key: Name of the parameter.
        type: Its declared type.
        value: What was given: for an SSM type, the name in the parameter store.
        resolved: What ``Ref`` means: text, or a list of texts.
        hidden: Whether the value is never shown.
    """

    key: str
    type: str
    value: str
    resolved: str | list[str]
    hidden: bool

    def answer(self) -> dict[str, Any]:
        """Return the parameter as the API shows it."""
        shown = "****" if self.hidden else self.value
        answer = {"ParameterKey": self.key, "ParameterValue": shown}
        if SSM_TYPE.fullmatch(self.type):
            answer["ResolvedValue"] = self.resolved if isinstance(self.resolved, str) else ",".join(self.resolved)
        return answer


def bind(
    declared: Mapping[str, Mapping[str, Any]],
    given: Sequence[Mapping[str, Any]],
    previous: Mapping[str, Parameter],
    read: Callable[[Sequence[str]], Mapping[str, str]],
) -> dict[str, Parameter]:
    """Return the parameters of an operation.

    Args:
        declared: Section ``Parameters`` of the template.
        given: The caller's parameters.
        previous: The stack's parameters; ``UsePreviousValue`` takes the value from there, for an SSM type the name, so
            that a moved parameter is seen.
        read: Returns the values of those of the named SSM parameters that exist.

    Raises:
        CloudFormationError: When one is missing, unknown, or breaks its constraints.
    """
    values = _values(declared, given, previous)
    stored = [name for name in declared if SSM_TYPE.fullmatch(_type(name, declared[name]))]
    found = read([values[name] for name in stored]) if stored else {}
    if missing := [values[name] for name in stored if values[name] not in found]:
        names = ", ".join(missing)
        raise CloudFormationError(
            f"Parameters: [{names}] cannot be found. "
            f"Unable to fetch parameters [{names}] from parameter store for this account."
        )
    bound = {}
    for name, declaration in declared.items():
        kind = _type(name, declaration)
        match = SSM_TYPE.fullmatch(kind)
        value = found[values[name]] if match else values[name]
        inner = match[1] if match else kind
        if not match:
            _constrain(name, declaration, value)
        _constrain_type(name, inner, value)
        resolved: str | list[str] = value
        if LIST_TYPE.fullmatch(inner):
            resolved = [item.strip() for item in value.split(",")] if value else []
        bound[name] = Parameter(
            key=name,
            type=kind,
            value=values[name],
            resolved=resolved,
            hidden=as_text(declaration.get("NoEcho", False)).lower() == "true",
        )
    return bound


def _type(name: str, declaration: Mapping[str, Any]) -> str:
    kind = declaration.get("Type")
    match = SSM_TYPE.fullmatch(kind) if isinstance(kind, str) else None
    if not isinstance(kind, str) or not KNOWN_TYPE.fullmatch(match[1] if match else kind):
        raise CloudFormationError(f"Template format error: Unrecognized parameter type: {kind} for {name}")
    return kind


def _values(
    declared: Mapping[str, Mapping[str, Any]], given: Sequence[Mapping[str, Any]], previous: Mapping[str, Parameter]
) -> dict[str, str]:
    by_key = {one["ParameterKey"]: one for one in given}
    if unknown := [key for key in by_key if key not in declared]:
        raise CloudFormationError(f"Parameters: [{', '.join(unknown)}] do not exist in the template")
    values: dict[str, str] = {}
    missing = []
    for name, declaration in declared.items():
        one = by_key.get(name, {})
        if one.get("UsePreviousValue"):
            if name not in previous:
                raise CloudFormationError(
                    f"Invalid input for parameter key {name}. Cannot specify usePreviousValue as true "
                    "for a parameter key not in the previous template"
                )
            values[name] = previous[name].value
        elif one.get("ParameterValue") is not None:
            values[name] = as_text(one["ParameterValue"])
        elif "Default" in declaration:
            values[name] = _default(declaration["Default"])
        else:
            missing.append(name)
    if missing:
        raise CloudFormationError(f"Parameters: [{', '.join(missing)}] must have values")
    return values


def _default(value: Any) -> str:
    return ",".join(as_text(item) for item in value) if isinstance(value, list) else as_text(value)


def _constrain(name: str, declaration: Mapping[str, Any], value: str) -> None:
    for problem in _broken(declaration, value):
        described = declaration.get("ConstraintDescription") or problem
        raise CloudFormationError(
            f"Parameter '{name}' must {described}"
            if described == problem
            else f"Parameter {name} failed to satisfy constraint: {described}"
        )


def _broken(declaration: Mapping[str, Any], value: str) -> Iterable[str]:
    items = value.split(",") if declaration.get("Type") == "CommaDelimitedList" and value else [value]
    allowed = declaration.get("AllowedValues")
    if allowed is not None and any(item.strip() not in [as_text(one) for one in allowed] for item in items):
        yield f"be one of AllowedValues {[as_text(one) for one in allowed]}"
    pattern = declaration.get("AllowedPattern")
    if pattern and any(not re.fullmatch(pattern, item.strip()) for item in items):
        yield f"match pattern {pattern}"
    if len(value) < int(declaration.get("MinLength", 0)):
        yield f"contain at least {declaration['MinLength']} characters"
    if len(value) > int(declaration.get("MaxLength", len(value))):
        yield f"contain at most {declaration['MaxLength']} characters"
    if declaration.get("Type") == "Number" and _is_number(value):
        if float(value) < float(declaration.get("MinValue", value)):
            yield f"be a number not less than {declaration['MinValue']}"
        if float(value) > float(declaration.get("MaxValue", value)):
            yield f"be a number not greater than {declaration['MaxValue']}"


def _constrain_type(name: str, kind: str, value: str) -> None:
    if kind == "Number" and not _is_number(value):
        raise CloudFormationError(f"Parameter '{name}' must be a number.")
    if kind == "AWS::EC2::Image::Id" and not AMI_ID.fullmatch(value):
        raise CloudFormationError(
            f"Parameter validation failed: parameter value {value} for parameter name {name} "
            "does not exist. An AMI id is expected"
        )


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True
