"""Where a value stands in a template, and the walk from one to the next that no strange data can trip.

A rule asks for what it needs in the type it needs; whatever is missing, unknown or of another type is simply not there.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property, lru_cache
from typing import Any, Final, TypeVar

from cdk_ami.checks.rule import Problem, is_token
from cdk_ami.checks.shape import short
from cdk_ami.checks.template.values import (
    NOWHERE,
    PERHAPS,
    TOKEN,
    WITHIN,
    Environment,
    Reference,
    Values,
    reference_in,
    references_in,
)

T = TypeVar("T")

_ABSENT: Final = object()
_ATTRIBUTES: Final = ("CreationPolicy", "UpdatePolicy")
_CDK_PATH: Final = "aws:cdk:path"


@lru_cache(maxsize=1_024)
def _steps(path: str) -> tuple[tuple[str, bool], ...]:
    return tuple((key.removesuffix("[]"), key.endswith("[]")) for key in path.split("."))


class Place:
    """A value of a template, or the lack of one, and the path to it."""

    __slots__ = ("path", "raw")

    def __init__(self, raw: Any, path: str) -> None:
        self.raw = raw
        self.path = path

    @property
    def absent(self) -> bool:
        """Tell whether nothing stands here, for certain."""
        return self.raw is _ABSENT or self.raw is None

    @property
    def given(self) -> bool:
        """Tell whether something stands here for certain, known or not."""
        return not self.absent and self.raw not in (PERHAPS, WITHIN, [], {})

    @property
    def unknown(self) -> bool:
        """Tell whether only the deployment knows what stands here, or in a part of it."""
        return not self.absent and is_token(self.raw)

    @property
    def text(self) -> str | None:
        """The text that stands here when all of it is known."""
        return self.raw if isinstance(self.raw, str) and not is_token(self.raw) else None

    @property
    def partial(self) -> str:
        """The text that stands here, tokens in place of what is not known; empty when it is none."""
        return self.raw if isinstance(self.raw, str) else ""

    @property
    def number(self) -> int | None:
        """The whole number that stands here, as a number or, as CloudFormation allows, as a text."""
        if isinstance(self.raw, int) and not isinstance(self.raw, bool):
            return self.raw
        return int(self.raw) if isinstance(self.raw, str) and re.fullmatch(r"-?[0-9]{1,18}", self.raw) else None

    @property
    def flag(self) -> bool | None:
        """The truth that stands here, as such or, as CloudFormation allows, as a text."""
        if isinstance(self.raw, bool):
            return self.raw
        return {"true": True, "false": False}.get(self.raw.lower()) if isinstance(self.raw, str) else None

    @property
    def texts(self) -> list[str] | None:
        """The texts of the list that stands here, None unless all are known."""
        if not isinstance(self.raw, list) or is_token(self.raw):
            return None
        return [item for item in self.raw if isinstance(item, str)]

    @property
    def tags(self) -> dict[str, Any] | None:
        """Tags that stand here as a mapping or as a list of Key and Value, None unless all are known."""
        if is_token(self.raw):
            return None
        if isinstance(self.raw, dict):
            return self.raw
        if not isinstance(self.raw, list):
            return None
        pairs = [item for item in self.raw if isinstance(item, dict) and isinstance(item.get("Key"), str)]
        return {item["Key"]: item.get("Value") for item in pairs}

    @property
    def reference(self) -> Reference | None:
        """What stands here when it is nothing but a reference."""
        return reference_in(self.raw)

    def mentions(self, logical_id: str) -> bool:
        """Tell whether a reference to ``logical_id`` stands here, perhaps in a longer text."""
        text = self.partial
        return logical_id in text and any(found.logical_id == logical_id for found in references_in(text))

    def get(self, key: str) -> Place:
        """Return the place of ``key`` in the mapping that stands here."""
        raw = self.raw
        path = f"{self.path}.{key}" if self.path else key
        if isinstance(raw, dict):
            return Place(raw.get(key, _ABSENT), path)
        return Place(WITHIN if isinstance(raw, str) and is_token(raw) else _ABSENT, path)

    def at(self, path: str) -> Place:
        """Return the place that a path of keys, such as ``Schedule.Timezone``, leads to."""
        found = self
        for key in path.split("."):
            found = found.get(key)
        return found

    def items(self) -> list[Place]:
        """Return the places of the list that stands here."""
        found = self.raw if isinstance(self.raw, list) else ()
        return [Place(item, f"{self.path}[{index}]") for index, item in enumerate(found)]

    def all(self, path: str) -> list[Place]:
        """Return each place with something in it at the end of a path; ``Distributions[].Region`` enters lists."""
        found = [self]
        for key, listed in _steps(path):
            found = [place for place in [each.get(key) for each in found] if not place.absent]
            if listed:
                found = [item for place in found for item in place.items() if not item.absent]
        return found

    def names(self) -> list[str]:
        """Return the keys of the mapping that stands here."""
        return list(self.raw) if isinstance(self.raw, dict) else []

    def list(self) -> list[Place]:
        """Return the places of the list that stands here, or this place alone where AWS allows both."""
        return self.items() if isinstance(self.raw, list) else [] if self.absent else [self]

    def strings(self) -> Iterator[Place]:
        """Yield the place of every text below, keys left out."""
        if isinstance(self.raw, str):
            yield self
        elif isinstance(self.raw, dict):
            for key in self.raw:
                yield from self.get(str(key)).strings()
        elif isinstance(self.raw, list):
            for item in self.items():
                yield from item.strings()

    def problem(self, problem: str, *, fix: str, got: object = _ABSENT) -> Problem:
        """Return what is wrong with what stands here."""
        shown = (None if self.absent else self.raw) if got is _ABSENT else got
        return Problem(problem=problem, got=short(shown), fix=fix, at=self.path)


class Resource(Place):
    """A resource of a template; as a place, its properties.

    Attributes:
        logical_id: Its name in the template.
        type: Its type, such as ``AWS::ImageBuilder::Component``.
        template: The template that holds it.
        construct: Path of the construct that made it, empty when no CDK did.
        metadata: Its metadata as they stand.
        retained: Whether it stays when it is removed from the stack, and whether it stays when it is replaced.
    """

    __slots__ = ("attributes", "construct", "logical_id", "metadata", "retained", "template", "type")

    def __init__(self, logical_id: str, raw: Mapping[str, Any], template: Template) -> None:
        super().__init__(template.values.of(raw.get("Properties", {})), "Properties")
        self.logical_id = logical_id
        self.type = str(raw["Type"])
        self.template = template
        metadata = raw.get("Metadata")
        self.metadata: dict[str, Any] = metadata if isinstance(metadata, dict) else {}
        self.construct = str(self.metadata.get(_CDK_PATH, ""))
        self.attributes = {
            name: Place(template.values.of(raw[name]) if name in raw else _ABSENT, name) for name in _ATTRIBUTES
        }
        self.retained = tuple(
            str(raw.get(name, "Delete")) != "Delete" for name in ("DeletionPolicy", "UpdateReplacePolicy")
        )

    def target(self, place: Place, *types: str) -> Resource | None:
        """Return the resource of one of ``types`` that ``place`` refers to, None when it is none of this template's."""
        found = place.reference
        resource = self.template.resources.get(found.logical_id) if found else None
        return resource if resource is not None and resource.type in types else None

    def users(self, key: str, *types: str) -> list[Resource]:
        """Return the resources of ``types`` whose property ``key`` refers to this one."""
        return self.template.once(("users", key, types), lambda: self.template.users(key, *types)).get(
            self.logical_id, []
        )

    def twin(self, key: Callable[[Resource], object]) -> Resource | None:
        """Return the first resource of the same type with the same key, None when that is this one.

        Args:
            key: Returns what must differ, None where it is not known.
        """
        own = key(self)
        first = None if own is None else self.template.firsts(self.type, key).get(own)
        return None if first is self else first


class Template:
    """A template whose functions are evaluated as far as they can be.

    Args:
        body: The template as plain data.
        environment: Where it is deployed, as far as that is known.
    """

    def __init__(self, body: Mapping[str, Any], environment: Environment = NOWHERE) -> None:
        self.body = body
        self.environment = environment
        self.values = Values(body, environment)
        self._known: dict[object, Any] = {}
        found = body.get("Resources")
        self.resources: dict[str, Resource] = {
            str(name): Resource(str(name), raw, self)
            for name, raw in (found.items() if isinstance(found, dict) else ())
            if isinstance(raw, dict)
            and isinstance(raw.get("Type"), str)
            and self.values.condition(raw.get("Condition")) is not False
        }

    @cached_property
    def _by_type(self) -> dict[str, list[Resource]]:
        found: dict[str, list[Resource]] = {}
        for resource in self.resources.values():
            found.setdefault(resource.type, []).append(resource)
        return found

    def of_type(self, *types: str) -> list[Resource]:
        """Return the resources of ``types``, in the template's order."""
        return [resource for kind in types for resource in self._by_type.get(kind, ())]

    def once(self, key: object, compute: Callable[[], T]) -> T:
        """Return what ``compute`` returns, and ask it once for each ``key``."""
        if key not in self._known:
            self._known[key] = compute()
        known: T = self._known[key]
        return known

    def users(self, key: str, *types: str) -> dict[str, list[Resource]]:
        """Return the resources of ``types`` by what their property ``key`` refers to."""
        found: dict[str, list[Resource]] = {}
        for resource in self.of_type(*types):
            for reference in references_in(resource.get(key).partial):
                found.setdefault(reference.logical_id, []).append(resource)
        return found

    def firsts(self, kind: str, key: Callable[[Resource], object]) -> dict[object, Resource]:
        """Return the first resource of a type for each key."""
        return self.once((kind, key), lambda: {key(found): found for found in reversed(self.of_type(kind))})

    @property
    def region(self) -> str | None:
        """The Region of the stack, when it is known."""
        return self.environment.region

    def parameter_type(self, name: str) -> str:
        """Return the type of the template's parameter ``name``, empty when there is none."""
        declared = Place(self.body, "").get("Parameters").get(name).get("Type")
        return declared.partial


def plain_text(place: Place) -> str:
    """Return user data as a person reads it, tokens in place of what is not known; empty when there is none.

    ``Fn::Base64`` is what a template says for it; a text that is itself base64 is read as what it holds.
    """
    if isinstance(place.raw, dict):
        return place.get("Fn::Base64").partial
    try:
        return base64.b64decode(place.partial, validate=True).decode()
    except (binascii.Error, ValueError):
        return ""


def parsed_json(text: str) -> Any:
    """Return the data that a text of JSON holds, None when it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def known_part(text: str) -> str:
    """Return a text without what only the deployment knows."""
    return TOKEN.sub("", text)
