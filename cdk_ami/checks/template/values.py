"""What the functions of a template mean, as far as that can be known before the deployment.

What cannot be known becomes a token of the same form as the CDK's, so that every pure rule leaves it alone, also where
it is a part of a longer text.  A token says what it stands for, so that a rule can follow a reference.
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from cdk_ami.checks.regions import PARTITION_OF

SUBSTITUTION: Final = re.compile(r"\$\{(!?)([^}]*)\}")
DYNAMIC: Final = re.compile(r"\{\{resolve:(\w[\w-]*):([^}]*)\}\}")
TOKEN: Final = re.compile(r"\$\{Token\[([^\]]*)\]\}")
_REFERENCE: Final = re.compile(r"\$\{Token\[(Ref|GetAtt)\.([A-Za-z0-9]+)(?:\.([^\]]*))?\]\}")
_DEEPEST: Final = 64
"""Levels that are looked into: no property of AWS nests half as deep."""
_PAIR: Final = 2
_NO_VALUE: Final = object()
_SUFFIXES: Final = {"aws": "amazonaws.com", "aws-us-gov": "amazonaws.com", "aws-cn": "amazonaws.com.cn"}
_SSM_TYPE: Final = "AWS::SSM::Parameter::"


class Environment(NamedTuple):
    """What is known of where a template is deployed.

    Attributes:
        region: Region code, or None.
        account: Account id, or None.
        parameters: Values of the template's parameters; others have their defaults.
        unowned: AMI ids that the CDK looked up without an owner, each with the look-up.
    """

    region: str | None = None
    account: str | None = None
    parameters: Mapping[str, str] = {}
    unowned: Mapping[str, str] = {}


NOWHERE: Final = Environment()


PERHAPS: Final = "${Token[If]}"
"""Stands for what a condition chooses that is not known, and that may be nothing at all."""

WITHIN: Final = "${Token[Within]}"
"""Stands for what lies below a value that is not known, and that may be nothing at all."""


class Reference(NamedTuple):
    """What a token stands for.

    Attributes:
        logical_id: Name of a resource, parameter or pseudo parameter.
        attribute: Attribute of the resource, None for ``Ref``.
    """

    logical_id: str
    attribute: str | None


def token(*parts: object) -> str:
    """Return a text that stands for what only the deployment knows."""
    return f"${{Token[{'.'.join(re.sub(r'[^A-Za-z0-9._/:-]', '_', str(part)) for part in parts)}]}}"


def as_written(value: Any) -> Any:
    """Return ``value`` with its tokens as people write them: ``${Name}``, ``${Name.Attribute}``, or ``${?}``."""
    if isinstance(value, str):
        return TOKEN.sub(_written, value)
    if isinstance(value, list | tuple):
        return [as_written(item) for item in value]
    if isinstance(value, Mapping):
        return {as_written(name): as_written(item) for name, item in value.items()}
    return value


def _written(found: re.Match[str]) -> str:
    kind, _, name = found[1].partition(".")
    return f"${{{name}}}" if kind in {"Ref", "GetAtt"} and name else "${?}"


def reference_in(value: object) -> Reference | None:
    """Return what ``value`` refers to when it is nothing but one reference."""
    found = _REFERENCE.fullmatch(value) if isinstance(value, str) else None
    return Reference(found[2], found[3]) if found else None


def references_in(text: str) -> list[Reference]:
    """Return every reference inside a text."""
    return [Reference(found[2], found[3]) for found in _REFERENCE.finditer(text)]


class Values:
    """The functions of one template.

    Args:
        body: The template as plain data.
        environment: Where it is deployed.
    """

    def __init__(self, body: Mapping[str, Any], environment: Environment = NOWHERE) -> None:
        self._environment = environment
        self._parameters = _section(body, "Parameters")
        self._mappings = _section(body, "Mappings")
        self._conditions = _section(body, "Conditions")
        self._decided: dict[str, bool | None] = {}
        self._pseudo = _pseudo(environment)

    def of(self, raw: Any) -> Any:
        """Return what ``raw`` means: plain data in which tokens stand for what is not known."""
        found = self._value(raw, 0)
        return None if found is _NO_VALUE else found

    def condition(self, name: object) -> bool | None:
        """Return whether the condition ``name`` holds, None when that is not known."""
        if not isinstance(name, str):
            return None
        if name not in self._decided:
            self._decided[name] = None  # what asks for itself is not known
            self._decided[name] = self._test(self._conditions.get(name), 0)
        return self._decided[name]

    def _value(self, raw: Any, depth: int) -> Any:
        if isinstance(raw, str):
            return DYNAMIC.sub(lambda found: token("resolve", found[1], found[2]), raw) if "{{resolve:" in raw else raw
        if depth > _DEEPEST:
            return WITHIN
        if isinstance(raw, dict):
            if len(raw) == 1:
                (name, argument), *_ = raw.items()
                if name == "Ref" or name.startswith("Fn::"):
                    return self._function(name, argument, depth + 1)
            pairs = ((key, self._value(item, depth + 1)) for key, item in raw.items())
            return {key: item for key, item in pairs if item is not _NO_VALUE}
        if isinstance(raw, list):
            return [item for item in (self._value(item, depth + 1) for item in raw) if item is not _NO_VALUE]
        return raw

    def _function(self, name: str, argument: Any, depth: int) -> Any:
        if name == "Ref":
            return self._ref(argument)
        if name == "Fn::GetAtt":
            parts = argument.split(".", 1) if isinstance(argument, str) else argument
            if isinstance(parts, list) and len(parts) == _PAIR and all(isinstance(part, str) for part in parts):
                return token("GetAtt", *parts)
        if name == "Fn::If" and isinstance(argument, list) and len(argument) == _PAIR + 1:
            return self._if(argument, depth)
        known = _FUNCTIONS.get(name)
        found = known(self, argument, depth) if known else None
        return token(name.removeprefix("Fn::")) if found is None else found

    def _ref(self, name: Any) -> Any:
        if name == "AWS::NoValue":
            return _NO_VALUE
        if not isinstance(name, str):
            return token("Ref")
        if name in self._pseudo:
            return self._pseudo[name]
        declared = self._parameters.get(name)
        value = self._parameter(name, declared) if isinstance(declared, dict) else None
        return token("Ref", name) if value is None else value

    def _parameter(self, name: str, declared: Mapping[str, Any]) -> Any:
        kind = str(declared.get("Type", ""))
        if kind.startswith(_SSM_TYPE) or str(declared.get("NoEcho")).lower() == "true":
            return None
        allowed = declared.get("AllowedValues")
        only = allowed[0] if isinstance(allowed, list) and len(allowed) == 1 else None
        value = self._environment.parameters.get(name, declared.get("Default", only))
        # An empty default stands for "not given": the deployment decides.
        if not isinstance(value, str | int | float) or value == "":
            return None
        if kind.startswith("List<") or kind == "CommaDelimitedList":
            return [part.strip() for part in str(value).split(",")]
        return value

    def _if(self, argument: list[Any], depth: int) -> Any:
        decided = self.condition(argument[0])
        if decided is not None:
            return self._value(argument[1 if decided else 2], depth)
        either, other = (self._value(branch, depth) for branch in argument[1:])
        return either if either == other else PERHAPS

    def _test(self, raw: Any, depth: int) -> bool | None:
        if depth > _DEEPEST or not isinstance(raw, dict) or len(raw) != 1:
            return None
        (name, argument), *_ = raw.items()
        if name == "Condition":
            return self.condition(argument)
        if not isinstance(argument, list):
            return None
        if name == "Fn::Equals" and len(argument) == _PAIR:
            one, other = (_scalar(self._value(side, depth + 1)) for side in argument)
            return None if one is None or other is None else one == other
        combine = _COMBINED.get(name)
        return combine([self._test(item, depth + 1) for item in argument]) if combine else None

    def sub(self, argument: Any, depth: int) -> Any:
        """Return the text of ``Fn::Sub``, None when it is no such argument."""
        text, own = argument, {}
        if isinstance(argument, list) and len(argument) == _PAIR and isinstance(argument[1], dict):
            text, own = argument
        if not isinstance(text, str):
            return None

        def replaced(found: re.Match[str]) -> str:
            literal, name = found[1], found[2].strip()
            if literal:
                return f"${{{found[2]}}}"
            if name in own:
                value = self._value(own[name], depth)
            elif "." in name:
                value = token("GetAtt", *name.split(".", 1))
            else:
                value = self._ref(name)
            plain = as_text(value)
            return token("Sub", name) if plain is None else plain

        return self._value(SUBSTITUTION.sub(replaced, text), depth)

    def join(self, argument: Any, depth: int) -> Any:
        """Return the text of ``Fn::Join``."""
        if not isinstance(argument, list) or len(argument) != _PAIR or not isinstance(argument[0], str):
            return None
        parts = self._value(argument[1], depth)
        if not isinstance(parts, list):
            return token("Join")
        texts = [as_text(part) for part in parts]
        return argument[0].join(token("Join", "part") if text is None else text for text in texts)

    def split(self, argument: Any, depth: int) -> Any:
        """Return the list of ``Fn::Split``."""
        if not isinstance(argument, list) or len(argument) != _PAIR or not isinstance(argument[0], str):
            return None
        text = self._value(argument[1], depth)
        known = isinstance(text, str) and not TOKEN.search(text) and argument[0]
        return text.split(argument[0]) if known else None

    def select(self, argument: Any, depth: int) -> Any:
        """Return the item that ``Fn::Select`` chooses."""
        if not isinstance(argument, list) or len(argument) != _PAIR:
            return None
        index, items = self._value(argument[0], depth), self._value(argument[1], depth)
        if not isinstance(items, list) or not str(index).isdecimal() or int(index) >= len(items):
            return None
        return items[int(index)]

    def find(self, argument: Any, depth: int) -> Any:
        """Return what ``Fn::FindInMap`` finds."""
        if not isinstance(argument, list) or len(argument) not in (_PAIR + 1, _PAIR + _PAIR):
            return None
        found: Any = self._mappings
        for key in argument[: _PAIR + 1]:
            name = _scalar(self._value(key, depth))
            if name is None:
                return None
            if not isinstance(found, dict) or name not in found:
                rest = argument[_PAIR + 1 :]
                default = rest[0].get("DefaultValue") if rest and isinstance(rest[0], dict) else None
                return None if default is None else self._value(default, depth)
            found = found[name]
        return self._value(found, depth)

    def base64(self, argument: Any, depth: int) -> Any:
        """Return the text of ``Fn::Base64``; where a part of it is not known, the function with what is."""
        text = self._value(argument, depth)
        known = isinstance(text, str) and not TOKEN.search(text)
        return base64.b64encode(text.encode()).decode() if known else {"Fn::Base64": text}

    def length(self, argument: Any, depth: int) -> Any:
        """Return the number of ``Fn::Length``."""
        items = self._value(argument, depth)
        return len(items) if isinstance(items, list) else None

    def to_json(self, argument: Any, depth: int) -> Any:
        """Return the text of ``Fn::ToJsonString``."""
        return json.dumps(self._value(argument, depth), default=str)


def _not(tests: list[bool | None]) -> bool | None:
    return None if len(tests) != 1 or tests[0] is None else not tests[0]


def _and(tests: list[bool | None]) -> bool | None:
    return False if False in tests else None if None in tests else True


def _or(tests: list[bool | None]) -> bool | None:
    return True if True in tests else None if None in tests else False


_COMBINED: Final[Mapping[str, Callable[[list[bool | None]], bool | None]]] = {
    "Fn::And": _and,
    "Fn::Not": _not,
    "Fn::Or": _or,
}
_FUNCTIONS: Final[Mapping[str, Callable[[Values, Any, int], Any]]] = {
    "Fn::FindInMap": Values.find,
    "Fn::Join": Values.join,
    "Fn::Length": Values.length,
    "Fn::Select": Values.select,
    "Fn::Split": Values.split,
    "Fn::Sub": Values.sub,
    "Fn::ToJsonString": Values.to_json,
    "Fn::Base64": Values.base64,
}


def as_text(value: object) -> str | None:
    """Return a scalar as CloudFormation writes it into text, None for anything else."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else None


def _scalar(value: object) -> str | None:
    text = as_text(value)
    return None if text is None or TOKEN.search(text) else text


def _section(body: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = body.get(name)
    return found if isinstance(found, dict) else {}


def _pseudo(environment: Environment) -> dict[str, str]:
    known: dict[str, str] = {}
    if environment.account:
        known["AWS::AccountId"] = environment.account
    if environment.region:
        partition = PARTITION_OF.get(environment.region, "")
        known["AWS::Region"] = environment.region
        if partition:
            known["AWS::Partition"] = partition
        if partition in _SUFFIXES:
            known["AWS::URLSuffix"] = _SUFFIXES[partition]
    return known
