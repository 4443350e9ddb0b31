"""Reads requests off the wire by botocore's models: which operation a path means, and what its parameters are.

The emulator has a reader of its own, which has moved between its versions; the models have not.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qs, parse_qsl, unquote
from xml.etree import ElementTree as ET

from botocore.exceptions import UnknownServiceError
from moto.core import responses

SERVICES: Final = {
    "aws-marketplace": "marketplace-catalog",
    "elasticloadbalancing": "elbv2",
    "monitoring": "cloudwatch",
    "servicequotas": "service-quotas",
    "states": "stepfunctions",
    "tagging": "resourcegroupstaggingapi",
}
"""boto3's names of services that sign by another one."""

SELDOM: Final = frozenset({"CopyObject", "ListDirectoryBuckets", "UploadPartCopy"})
"""Operations of S3 whose paths are those of others."""

_LABEL: Final = re.compile(r"\{(\w+)(\+?)\}")

_CBOR: Final = re.compile(r"/service/\w+/operation/(\w+)$")


def service_name(signed: str) -> str:
    """Return boto3's name of a service, given the one in its signatures."""
    return SERVICES.get(signed, signed)


@cache
def model_of(service: str) -> Any:
    """Return botocore's model of a service, shared with the emulator, or None when botocore does not know it."""
    try:
        return responses.get_service_model(service)
    except (UnknownServiceError, ValueError, KeyError):
        return None


def protocol_of(service: str) -> str:
    """Return the protocol of a service, such as ``ec2``, ``query``, ``json``, ``rest-json`` or ``rest-xml``."""
    model = model_of(service)
    protocol = "json" if model is None else str(model.metadata.get("protocol", "json"))
    return "json" if protocol == "smithy-rpc-v2-cbor" else protocol


def operation_by_path(service: str, method: str, path: str, query: str) -> tuple[str, dict[str, str]]:
    """Return the operation that a method and a path mean, and the parameters in the path.

    The operation is ``METHOD /path`` where the service's model knows none.
    """
    if found := _CBOR.search(path):
        return found[1], {}
    asked = dict(parse_qsl(query, keep_blank_values=True))
    for route in _routes(service):
        found = route.pattern.fullmatch(path) if route.method == method else None
        if found is not None and all(_given(asked, key, value) for key, value in route.query.items()):
            return route.operation, {key: unquote(value) for key, value in found.groupdict().items()}
    return f"{method} {path}", {}


def _given(asked: Mapping[str, str], key: str, value: str) -> bool:
    return key in asked and (not value or asked[key] == value)


class Route(NamedTuple):
    """What one operation is reached by; ``query`` holds what must be there, empty where any value will do."""

    operation: str
    method: str
    pattern: re.Pattern[str]
    query: dict[str, str]


@cache
def _routes(service: str) -> Sequence[Route]:
    """Return the operations of a service, those first that ask for most."""
    model = model_of(service)
    if model is None:
        return ()
    ranked = []
    for name in model.operation_names:
        operation = model.operation_model(name)
        path, _, query = operation.http.get("requestUri", "/").partition("?")
        # A client of S3 that has called an operation keeps its bucket in another member, of the model that we share.
        path = operation.http.get("authPath", path).rstrip("/") or "/"
        wanted = dict(parse_qsl(query, keep_blank_values=True)) | _required(operation.input_shape)
        route = Route(name, operation.http.get("method", "POST"), _pattern(path), wanted)
        # S3 tells copies by a header, and its old list by what the new one adds.
        seldom = operation.deprecated or (service == "s3" and name in SELDOM)
        ranked.append(((-len(wanted), seldom, -len(_LABEL.sub("", path)), name), route))
    return [route for _, route in sorted(ranked, key=lambda one: one[0])]


def _required(shape: Any) -> dict[str, str]:
    if shape is None:
        return {}
    members = (shape.members[name].serialization | {"member": name} for name in shape.required_members)
    return {one.get("name", one["member"]): "" for one in members if one.get("location") == "querystring"}


def _pattern(path: str) -> re.Pattern[str]:
    parts, at = [], 0
    for label in _LABEL.finditer(path):
        parts += [re.escape(path[at : label.start()]), f"(?P<{label[1]}>{'.+' if label[2] else '[^/]+'})"]
        at = label.end()
    return re.compile("".join(parts) + re.escape(path[at:]) + ("" if path.endswith("/") else "/?"))


def form_fields(body: bytes, query: str) -> dict[str, str]:
    """Return the fields of a form, from the body or the query string."""
    return dict(parse_qsl(body.decode(errors="replace") or query, keep_blank_values=True))


def parameters(
    service: str, operation: str, *, body: bytes, query: str, labels: Mapping[str, str], encoding: str = ""
) -> dict[str, Any]:
    """Return the parameters of a request by the names of the service's model; what cannot be read is left out."""
    model = model_of(service)
    if model is None or operation not in model.operation_names:
        return {}
    shape = model.operation_model(operation).input_shape
    if shape is None:
        return {}
    if encoding == "gzip":
        body = gzip.decompress(body)
    protocol = protocol_of(service)
    if protocol in {"ec2", "query"}:
        found = _from_tree(shape, _tree(form_fields(body, query)), ec2=protocol == "ec2")
        return found if isinstance(found, dict) else {}
    if protocol == "json":
        return _json_object(body)
    return _rest(shape, labels, parse_qs(query, keep_blank_values=True), body, xml=protocol == "rest-xml")


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body or b"{}")
    except ValueError:  # CBOR, or not what the service takes at all
        return {}
    return found if isinstance(found, dict) else {}


def _rest(
    shape: Any, labels: Mapping[str, str], query: Mapping[str, list[str]], body: bytes, *, xml: bool
) -> dict[str, Any]:
    held = {} if xml else _json_object(body)
    payload = shape.serialization.get("payload")
    found: dict[str, Any] = {}
    for name, member in shape.members.items():
        where, wire = member.serialization.get("location"), member.serialization.get("name", name)
        if where == "uri" and wire in labels:
            found[name] = _scalar(member, labels[wire])
        elif where == "querystring" and wire in query:
            values = query[wire]
            found[name] = values if member.type_name == "list" else _scalar(member, values[0])
        elif name == payload and body:
            found[name] = _payload(member, body, xml=xml)
        elif where is None and wire in held:
            found[name] = held[wire]
    return found


def _payload(member: Any, body: bytes, *, xml: bool) -> Any:
    if member.type_name != "structure":
        return body.decode(errors="replace")
    return _from_xml(body) if xml else _json_object(body)


def _from_xml(body: bytes) -> Any:
    try:
        return _element(ET.fromstring(body))  # noqa: S314 - from the caller on this machine, for this machine
    except ET.ParseError:
        return {}


def _element(element: ET.Element) -> Any:
    if not len(element):
        return element.text or ""
    found: dict[str, Any] = {}
    for child in element:
        name, value = child.tag.rpartition("}")[2], _element(child)
        if name in found:
            found[name] = [*(found[name] if isinstance(found[name], list) else [found[name]]), value]
        else:
            found[name] = value
    return found


def _tree(fields: Mapping[str, str]) -> dict[str, Any]:
    """Return the fields of a form, whose names are paths with dots, as a tree."""
    root: dict[str, Any] = {}
    for name, value in fields.items():
        node = root
        *path, last = name.split(".")
        for part in path:
            below = node.setdefault(part, {})
            node = below if isinstance(below, dict) else {}
        node[last] = value
    return root


def _from_tree(shape: Any, node: Any, *, ec2: bool) -> Any:
    if not isinstance(node, dict):
        return _scalar(shape, node)
    if shape.type_name == "structure":
        found = {}
        for name, member in shape.members.items():
            wire = _wire_name(name, member, ec2=ec2)
            if wire in node:
                found[name] = _from_tree(member, node[wire], ec2=ec2)
        return found
    if shape.type_name == "list":
        items = node if ec2 or shape.serialization.get("flattened") else _below(shape.member, node)
        return [_from_tree(shape.member, items[key], ec2=ec2) for key in sorted(items, key=_number)]
    if shape.type_name == "map":
        entries = node if shape.serialization.get("flattened") else node.get("entry", {})
        key, value = (
            part.serialization.get("name", word) for part, word in ((shape.key, "key"), (shape.value, "value"))
        )
        return {
            entries[number].get(key, ""): _from_tree(shape.value, entries[number].get(value, ""), ec2=ec2)
            for number in sorted(entries, key=_number)
        }
    return node


def _wire_name(name: str, member: Any, *, ec2: bool) -> str:
    serialization = member.serialization
    if ec2:
        own = serialization.get("name", name)
        return str(serialization.get("queryName") or own[0].upper() + own[1:])
    if member.type_name == "list" and serialization.get("flattened"):
        return str(member.member.serialization.get("name") or serialization.get("name", name))
    return str(serialization.get("name", name))


def _below(member: Any, node: Mapping[str, Any]) -> Mapping[str, Any]:
    found = node.get(member.serialization.get("name", "member"), {})
    return found if isinstance(found, dict) else {}


def _number(key: str) -> int:
    return int(key) if key.isdigit() else 0


def _scalar(shape: Any, text: Any) -> Any:
    if shape.type_name == "boolean":
        return str(text).lower() == "true"
    if shape.type_name in {"integer", "long"} and re.fullmatch(r"-?\d+", str(text)):
        return int(text)
    if shape.type_name == "list" and text == "":
        return []
    return text
