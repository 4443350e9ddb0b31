"""Intrinsic functions: plain data in, plain data out, what is not known yet carried as ``UNKNOWN``.

One resolver serves both the plan, in which resources that do not exist yet are unknown, and the deployment, in which
nothing is.  https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html
"""

from __future__ import annotations

import base64
import ipaddress
import json
import re
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from typing import Any, Final, Protocol

from cdk_ami.sandbox.cloudformation.errors import CloudFormationError

PAIR: Final = 2
"""Length of a ``[name, value]`` argument."""

SUBSTITUTION: Final = re.compile(r"\$\{(!?)([^}]*)\}")


class Special(Enum):
    """Values that are no values."""

    UNKNOWN = "unknown until the deployment"
    NO_VALUE = "AWS::NoValue"

    def __deepcopy__(self, memo: dict[int, Any]) -> Special:
        return self


UNKNOWN: Final = Special.UNKNOWN
NO_VALUE: Final = Special.NO_VALUE


class Scope(Protocol):
    """What names mean in one stack."""

    @property
    def mappings(self) -> Mapping[str, Any]:
        """The section ``Mappings``."""

    def ref(self, name: str) -> Any:
        """Return what ``Ref`` of a parameter, resource or pseudo parameter is."""

    def get_att(self, logical_id: str, attribute: str) -> Any:
        """Return an attribute of a resource."""

    def condition(self, name: str) -> bool:
        """Return whether a condition holds."""

    def import_value(self, name: str) -> Any:
        """Return an export of another stack."""

    def stack_output(self, stack: str, output: str, *, region: str | None, role: str | None) -> Any:
        """Return an output of another stack."""

    def zones(self, region: str) -> list[str]:
        """Return the names of a Region's zones."""


def resolve(value: Any, scope: Scope) -> Any:
    """Return ``value`` with its intrinsics replaced by what they mean in ``scope``.

    Raises:
        CloudFormationError: When a function is unknown or its arguments make no sense.
    """
    if isinstance(value, dict):
        if len(value) == 1:
            (name, argument), *_ = value.items()
            if name == "Ref" or (name == "Condition" and isinstance(argument, str)):
                return scope.ref(_text(name, argument)) if name == "Ref" else scope.condition(argument)
            if name.startswith("Fn::"):
                return _function(name)(argument, scope)
        pairs = ((key, resolve(item, scope)) for key, item in value.items())
        return {key: item for key, item in pairs if item is not NO_VALUE}
    if isinstance(value, list):
        return [item for item in (resolve(item, scope) for item in value) if item is not NO_VALUE]
    return value


def references(value: Any) -> Iterator[tuple[str, str | None]]:
    """Yield each name that ``value`` refers to with the attribute, or None for ``Ref``."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key == "Ref" and isinstance(item, str):
                yield item, None
            elif key == "Fn::GetAtt":
                parts = item.split(".", 1) if isinstance(item, str) else list(item)
                yield str(parts[0]), str(parts[1])
                yield from references(parts[1])
            elif key == "Fn::Sub":
                text, own = (item[0], item[1]) if isinstance(item, list) else (item, {})
                for literal, name in SUBSTITUTION.findall(text):
                    if not literal and name.strip() not in own:
                        logical_id, _, attribute = name.strip().partition(".")
                        yield logical_id, attribute or None
                yield from references(own)
            else:
                yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


def is_known(value: Any) -> bool:
    """Return whether nothing in ``value`` waits for the deployment."""
    if isinstance(value, dict):
        return all(is_known(item) for item in value.values())
    if isinstance(value, list):
        return all(is_known(item) for item in value)
    return value is not UNKNOWN


def as_text(value: Any) -> str:
    """Return a scalar as CloudFormation writes it into text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _text(name: str, argument: Any) -> str:
    if not isinstance(argument, str):
        raise CloudFormationError(f"Template error: every {name} object must have a single String value.")
    return argument


def _get_att(argument: Any, scope: Scope) -> Any:
    parts = argument.split(".", 1) if isinstance(argument, str) else argument
    if not isinstance(parts, list) or len(parts) != PAIR:
        raise CloudFormationError("Template error: every Fn::GetAtt object requires two non-empty parameters")
    return scope.get_att(parts[0], resolve(parts[1], scope))


def _sub(argument: Any, scope: Scope) -> Any:
    text, own = argument if isinstance(argument, list) and len(argument) == PAIR else (argument, {})
    if not isinstance(text, str):
        raise CloudFormationError("Template error: one or more Fn::Sub intrinsic functions don't specify a string")
    values = {name: resolve(item, scope) for name, item in own.items()}
    known = True

    def put(match: re.Match[str]) -> str:
        nonlocal known
        literal, name = match[1], match[2].strip()
        if literal:
            return f"${{{match[2]}}}"
        if name in values:
            value = values[name]
        else:
            logical_id, _, attribute = name.partition(".")
            value = scope.get_att(logical_id, attribute) if attribute else scope.ref(logical_id)
        known = known and is_known(value)
        return as_text(value)

    made = SUBSTITUTION.sub(put, text)
    return made if known else UNKNOWN


def _join(argument: Any, scope: Scope) -> Any:
    if not isinstance(argument, list) or len(argument) != PAIR:
        raise CloudFormationError("Template error: every Fn::Join object requires two parameters")
    items = resolve(argument[1], scope)
    if not is_known(items):
        return UNKNOWN
    if not isinstance(items, list):
        raise CloudFormationError("Template error: every Fn::Join object requires a list of strings to be joined.")
    return argument[0].join(as_text(item) for item in items)


def _select(argument: Any, scope: Scope) -> Any:
    index, items = resolve(argument, scope)
    if items is UNKNOWN or index is UNKNOWN:
        return UNKNOWN
    if not 0 <= int(index) < len(items):
        raise CloudFormationError(f"Template error: Fn::Select cannot select nonexistent value at index {index}")
    return items[int(index)]


def _split(argument: Any, scope: Scope) -> Any:
    separator, text = resolve(argument, scope)
    return UNKNOWN if text is UNKNOWN else text.split(separator)


def _find_in_map(argument: Any, scope: Scope) -> Any:
    keys = resolve(argument[:3], scope)
    if not is_known(keys):
        return UNKNOWN
    found: Any = scope.mappings
    for key in keys:
        if not isinstance(found, dict) or as_text(key) not in found:
            if len(argument) > len(keys) and "DefaultValue" in argument[3]:
                return resolve(argument[3]["DefaultValue"], scope)
            raise CloudFormationError(
                f"Template error: Unable to get mapping for {'::'.join(as_text(k) for k in keys)}"
            )
        found = found[as_text(key)]
    return resolve(found, scope)


def _if(argument: Any, scope: Scope) -> Any:
    name, then, otherwise = argument
    return resolve(then if scope.condition(name) else otherwise, scope)


def _equals(argument: Any, scope: Scope) -> bool:
    left, right = resolve(argument, scope)
    if not is_known([left, right]):
        raise CloudFormationError("Template error: a condition cannot refer to a resource")
    return (as_text(left) == as_text(right)) if not isinstance(left, list | dict) else bool(left == right)


def _cidr(argument: Any, scope: Scope) -> Any:
    resolved = resolve(argument, scope)
    if not is_known(resolved):
        return UNKNOWN
    block, count, bits = (*resolved, 8)[:3]
    network = ipaddress.ip_network(block)
    subnets = network.subnets(new_prefix=network.max_prefixlen - int(bits))
    return [str(subnet) for subnet, _ in zip(subnets, range(int(count)), strict=False)]


def _base64(argument: Any, scope: Scope) -> Any:
    text = resolve(argument, scope)
    return UNKNOWN if text is UNKNOWN else base64.b64encode(as_text(text).encode()).decode()


def _zones(argument: Any, scope: Scope) -> Any:
    region = resolve(argument, scope)
    return UNKNOWN if region is UNKNOWN else scope.zones(region or scope.ref("AWS::Region"))


def _import(argument: Any, scope: Scope) -> Any:
    name = resolve(argument, scope)
    return UNKNOWN if name is UNKNOWN else scope.import_value(name)


def _stack_output(argument: Any, scope: Scope) -> Any:
    given = resolve(argument, scope)
    if not is_known(given):
        return UNKNOWN
    if not isinstance(given, dict) or not {"StackName", "OutputName"} <= set(given):
        raise CloudFormationError("Template error: every Fn::GetStackOutput object requires StackName and OutputName")
    return scope.stack_output(
        given["StackName"], given["OutputName"], region=given.get("Region"), role=given.get("RoleArn")
    )


def _to_json(argument: Any, scope: Scope) -> Any:
    value = resolve(argument, scope)
    return json.dumps(value, separators=(",", ":")) if is_known(value) else UNKNOWN


def _length(argument: Any, scope: Scope) -> Any:
    value = resolve(argument, scope)
    return UNKNOWN if value is UNKNOWN else len(value)


def _contains(argument: Any, scope: Scope) -> bool:
    items, wanted = resolve(argument, scope)
    return as_text(wanted) in [as_text(item) for item in items]


def _each_member_in(argument: Any, scope: Scope) -> bool:
    inner, outer = resolve(argument, scope)
    return all(item in outer for item in inner)


def _each_member_equals(argument: Any, scope: Scope) -> bool:
    items, wanted = resolve(argument, scope)
    return all(item == wanted for item in items)


_FUNCTIONS: Final[dict[str, Callable[[Any, Scope], Any]]] = {
    "Fn::And": lambda argument, scope: all(resolve(item, scope) for item in argument),
    "Fn::Base64": _base64,
    "Fn::Cidr": _cidr,
    "Fn::Contains": _contains,
    "Fn::EachMemberEquals": _each_member_equals,
    "Fn::EachMemberIn": _each_member_in,
    "Fn::Equals": _equals,
    "Fn::FindInMap": _find_in_map,
    "Fn::GetAZs": _zones,
    "Fn::GetAtt": _get_att,
    "Fn::GetStackOutput": _stack_output,
    "Fn::If": _if,
    "Fn::ImportValue": _import,
    "Fn::Join": _join,
    "Fn::Length": _length,
    "Fn::Not": lambda argument, scope: not resolve(argument[0], scope),
    "Fn::Or": lambda argument, scope: any(resolve(item, scope) for item in argument),
    "Fn::Select": _select,
    "Fn::Split": _split,
    "Fn::Sub": _sub,
    "Fn::ToJsonString": _to_json,
}


def _function(name: str) -> Callable[[Any, Scope], Any]:
    if name not in _FUNCTIONS:
        raise CloudFormationError(f"Template error: the sandbox does not support the function {name}")
    return _FUNCTIONS[name]
