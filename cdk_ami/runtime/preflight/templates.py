"""Stacks as they were synthesized: a cloud assembly or templates, read as plain JSON.

https://docs.aws.amazon.com/cdk/v2/guide/deploy.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cdk_ami.checks.regions import PARTITION_OF

_ENVIRONMENT: Final = re.compile(r"aws://(?P<account>[^/]+)/(?P<region>.+)")
_SUBSTITUTED: Final = re.compile(r"\$\{([^}!]+)\}")
_UNKNOWN: Final = "unknown-"
PAIR: Final = 2


class UnreadableError(ValueError):
    """A path that holds no app, with what to do about it."""


@dataclass(frozen=True, slots=True)
class Stack:
    """One stack to be deployed.

    Attributes:
        name: Its name.
        account: The account, None while only the credentials of the deployment tell.
        region: The Region, None likewise.
        template: The template.
    """

    name: str
    account: str | None
    region: str | None
    template: Mapping[str, Any]

    def resources(self, *kinds: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Yield logical id and properties of each resource of these types."""
        for logical_id, found in self.template.get("Resources", {}).items():
            if found.get("Type") in kinds:
                yield logical_id, found.get("Properties", {})

    def made(self, value: Any) -> str | None:
        """Return the logical id of the resource of this stack that ``value`` refers to, None for anything else."""
        name: object = None
        if isinstance(value, Mapping) and len(value) == 1:
            name = value.get("Ref")
            attribute = value.get("Fn::GetAtt")
            if attribute is not None:
                name = attribute[0] if isinstance(attribute, Sequence) and not isinstance(attribute, str) else None
                name = name or str(attribute).partition(".")[0]
        return name if isinstance(name, str) and name in self.template.get("Resources", {}) else None

    def text(self, value: Any) -> str | None:
        """Return what ``value`` is as text, None where only the deployment knows."""
        if isinstance(value, str | int | float):
            return str(value).lower() if isinstance(value, bool) else str(value)
        if not isinstance(value, Mapping) or len(value) != 1:
            return None
        ((function, argument),) = value.items()
        reader = {"Ref": self._ref, "Fn::Join": self._join, "Fn::Sub": self._sub}.get(function)
        return None if reader is None else reader(argument)

    def texts(self, values: Any) -> list[str | None]:
        """Return each of ``values`` as text; none where not even their number is known."""
        return [self.text(value) for value in values] if isinstance(values, list) else []

    def _ref(self, name: str) -> str | None:
        known = {
            "AWS::Region": self.region,
            "AWS::AccountId": self.account,
            "AWS::Partition": PARTITION_OF.get(self.region or ""),
            "AWS::StackName": self.name,
        }
        if name in known:
            return known[name]
        declared = self.template.get("Parameters", {}).get(name, {})
        if str(declared.get("Type", "")).startswith("AWS::SSM::"):
            return None
        default = declared.get("Default")
        return None if default is None else str(default)

    def _join(self, argument: Any) -> str | None:
        parts = [self.text(part) for part in argument[1]] if isinstance(argument[1], list) else [None]
        return None if None in parts else str(argument[0]).join(str(part) for part in parts)

    def _sub(self, argument: Any) -> str | None:
        text, own = argument if isinstance(argument, list) and len(argument) == PAIR else (argument, {})
        values = {name: self.text(own[name]) if name in own else self._ref(name) for name in _SUBSTITUTED.findall(text)}
        if None in values.values():
            return None
        return _SUBSTITUTED.sub(lambda found: str(values[found[1]]), text)


def read(paths: Sequence[Path]) -> list[Stack]:
    """Return the stacks of cloud assemblies and templates, in the order given.

    Raises:
        UnreadableError: When a path is neither.
    """
    return [stack for path in paths for stack in _read(path)]


def _read(path: Path) -> Iterator[Stack]:
    if path.is_dir():
        if not (path / "manifest.json").exists():
            raise UnreadableError(f"{path} holds no manifest.json; run cdk synth, and give its folder, cdk.out")
        yield from _assembly(path)
    elif path.exists():
        yield Stack(path.name.partition(".")[0], None, None, _load(path))
    else:
        raise UnreadableError(f"{path} does not exist; run cdk synth, and give its folder, cdk.out")


def _assembly(folder: Path) -> Iterator[Stack]:
    for name, artifact in _load(folder / "manifest.json").get("artifacts", {}).items():
        properties = artifact.get("properties", {})
        if artifact.get("type") == "cdk:cloud-assembly":
            yield from _assembly(folder / properties["directoryName"])
        elif artifact.get("type") == "aws:cloudformation:stack":
            place = _ENVIRONMENT.fullmatch(artifact.get("environment", ""))
            account, region = (place["account"], place["region"]) if place else (_UNKNOWN, _UNKNOWN)
            yield Stack(
                properties.get("stackName", name),
                None if account.startswith(_UNKNOWN) else account,
                None if region.startswith(_UNKNOWN) else region,
                _load(folder / properties["templateFile"]),
            )


def _load(path: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UnreadableError(f"{path} is no JSON: {error}; give a template or the folder of cdk synth") from error
    if not isinstance(found, dict):
        raise UnreadableError(f"{path} holds no template; give a template or the folder of cdk synth")
    return found
