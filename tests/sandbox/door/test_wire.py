"""What botocore writes on the wire is read back as it was asked, operation by operation."""

from __future__ import annotations

from io import BytesIO
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

import botocore.session
import pytest
from botocore.handlers import remove_bucket_from_url_paths_from_model
from botocore.serialize import create_serializer

from cdk_ami.sandbox.door import wire
from cdk_ami.sandbox.door.asked import Asked

SERVICES = [
    "autoscaling",
    "cloudformation",
    "ec2",
    "events",
    "iam",
    "imagebuilder",
    "kms",
    "lambda",
    "logs",
    "s3",
    "sns",
    "sqs",
    "ssm",
    "stepfunctions",
    "sts",
]
SIGNERS = {"stepfunctions": "states"}
SAME_ON_THE_WIRE = {"CopyObject", "ListDirectoryBuckets", "UploadPartCopy"}
"""Told from another one by its host or a header."""

DOCUMENTS = {"SelectObjectContent"}
"""Operations whose members all stand in one document of XML."""


def sample(shape: Any, depth: int = 0) -> Any:  # noqa: PLR0911 - one for each kind of shape
    """Return a value of a shape with every member that is text, a number or a flag, or holds such; None for others."""
    match shape.type_name:
        case "structure":
            members = {
                name: sample(member, depth + 1)
                for name, member in shape.members.items()
                if depth < 4 and member.serialization.get("location") not in {"header", "headers"}
            }
            return {name: value for name, value in members.items() if value is not None} or None
        case "list":
            one = sample(shape.member, depth + 1)
            return None if one is None else [one, one]
        case "map":
            one = sample(shape.value, depth + 1)
            return None if one is None or depth > 1 else {"one": one}
        case "integer" | "long":
            return 7
        case "boolean":
            return True
        case "string":
            return (shape.enum or ["a b/c"])[0]
        case _:
            return None


def asked(service: str, model: Any, parameters: dict[str, Any]) -> Asked:
    protocol = model.service_model.resolved_protocol
    written = create_serializer(protocol, include_validation=False).serialize_to_request(parameters, model)
    body = written["body"]
    if isinstance(body, dict):
        body = urlencode(body)
    body = body.encode() if isinstance(body, str) else body
    path, _, fixed = written["url_path"].partition("?")
    query = "&".join(filter(None, (fixed, urlencode(written["query_string"], doseq=True))))
    scope = f"Credential=AKIA/20260101/eu-west-1/{SIGNERS.get(service, service)}/aws4_request"
    return Asked(
        {
            "REQUEST_METHOD": written["method"],
            "PATH_INFO": path,
            "RAW_URI": path,
            "QUERY_STRING": query,
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": BytesIO(body),
            "HTTP_AUTHORIZATION": f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0",
            "HTTP_X_AMZ_TARGET": written["headers"].get("X-Amz-Target", ""),
        }
    )


@pytest.mark.parametrize("service", SERVICES)
def test_each_operation_of_a_service_is_read_back_from_the_wire(service: str) -> None:
    model = botocore.session.Session().get_service_model(service)
    wrong = []
    for name in model.operation_names:
        operation = model.operation_model(name)
        if operation.deprecated or name in DOCUMENTS:
            continue
        given = (sample(operation.input_shape) if operation.input_shape else None) or {}
        if service == "s3":  # documents in XML are not read by shape
            given = {key: value for key, value in given.items() if isinstance(value, str | int)}
        try:
            found = asked(service, operation, given)
        except KeyError:
            continue  # a blob or a time in the path, which the sample has not
        if (found.service, found.region) != (service, "eu-west-1"):
            wrong.append((name, found.service, found.region))
        elif name not in SAME_ON_THE_WIRE and (name, given) != (found.operation, found.parameters):
            wrong.append((name, found.operation, f"{given} {found.parameters}"))

    assert wrong[:3] == []


def test_paths_of_s3_hold_their_bucket_after_a_client_has_called_with_the_shared_model(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    operations = [("GET", "/bucket/a%20key", "GetObject"), ("PUT", "/bucket", "CreateBucket")]
    model = wire.model_of("s3")
    for _, _, name in operations:
        http = model.operation_model(name).http
        for member in ("requestUri", "authPath"):
            monkeypatch.setitem(http, member, http.get(member, ""))
        # What botocore does to the model when the operation is called for the first time.
        if http["requestUri"].startswith("/{Bucket}"):
            remove_bucket_from_url_paths_from_model({}, SimpleNamespace(http=http), {})
    wire._routes.cache_clear()

    found = [wire.operation_by_path("s3", method, path, "") for method, path, _ in operations]

    wire._routes.cache_clear()
    assert [(name, labels["Bucket"]) for name, labels in found] == [("GetObject", "bucket"), ("CreateBucket", "bucket")]
    assert found[0][1]["Key"] == "a key"
