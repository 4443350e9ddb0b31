"""``BucketDeployment``: archives unpacked into a bucket.

https://docs.aws.amazon.com/cdk/api/v2/docs/aws-cdk-lib.aws_s3_deployment-readme.html
"""

from __future__ import annotations

import io
import mimetypes
import zipfile
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any, Final
from uuid import uuid4

from cdk_ami.sandbox import clients
from cdk_ami.sandbox.lambda_.function import Function

REFUSED: Final = ("DistributionId", "SystemMetadata", "OutputObjectVersionIds")
"""Properties that the sandbox does not follow, and does not leave out in silence either."""

DELETED_AT_ONCE: Final = 1000


def deploy(function: Function, event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Put the files of all archives under the destination, and remove others there when asked to prune."""
    properties, kind = event["ResourceProperties"], event["RequestType"]
    for name in REFUSED:
        if properties.get(name) not in {None, "false"}:
            raise ValueError(f"the sandbox does not support {name} of a bucket deployment")
    client = clients.client("s3", function.region, function.account)
    bucket, prefix = _destination(properties)
    retained = properties.get("RetainOnDelete", "true") == "true"
    if kind == "Delete":
        if not retained:
            _remove(client, bucket, _keys(client, bucket, prefix))
    else:
        old = event.get("OldResourceProperties")
        if old and not retained and _destination(old) != (bucket, prefix):
            _remove(client, _destination(old)[0], _keys(client, *_destination(old)))
        _sync(client, bucket, prefix, properties)
    keys = properties["SourceObjectKeys"] if properties.get("OutputObjectKeys", "true") == "true" else []
    data = {"DestinationBucketArn": properties.get("DestinationBucketArn"), "SourceObjectKeys": keys}
    made = event.get("PhysicalResourceId") or f"aws.cdk.s3deployment.{uuid4()}"
    return {"PhysicalResourceId": made, "Data": data}


def _destination(properties: Mapping[str, Any]) -> tuple[str, str]:
    prefix = properties.get("DestinationBucketKeyPrefix", "").strip("/")
    return properties["DestinationBucketName"], f"{prefix}/" if prefix else ""


def _sync(client: Any, bucket: str, prefix: str, properties: Mapping[str, Any]) -> None:
    files = dict(_files(client, properties))
    chosen = {name: body for name, body in files.items() if _is_chosen(name, properties)}
    metadata = {key.lower(): value for key, value in properties.get("UserMetadata", {}).items()}
    for name, body in chosen.items():
        kind = mimetypes.guess_type(name)[0] or "binary/octet-stream"
        client.put_object(Bucket=bucket, Key=f"{prefix}{name}", Body=body, ContentType=kind, Metadata=metadata)
    if properties.get("Prune", "true").lower() == "true":
        there = [key for key in _keys(client, bucket, prefix) if _is_chosen(key.removeprefix(prefix), properties)]
        _remove(client, bucket, [key for key in there if key.removeprefix(prefix) not in chosen])


def _files(client: Any, properties: Mapping[str, Any]) -> Iterator[tuple[str, bytes]]:
    buckets, keys = properties["SourceBucketNames"], properties["SourceObjectKeys"]
    markers = properties.get("SourceMarkers") or [{} for _ in buckets]
    for bucket, key, replaced in zip(buckets, keys, markers, strict=True):
        body = client.get_object(Bucket=bucket, Key=key)["Body"].read()
        if properties.get("Extract", "true") != "true":
            yield key.rpartition("/")[2], body
            continue
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            for member in archive.infolist():
                if not member.is_dir():
                    yield member.filename, _marked(archive.read(member), replaced)


def _marked(body: bytes, markers: Mapping[str, str]) -> bytes:
    for marker, value in markers.items():
        body = body.replace(marker.encode(), str(value).encode())
    return body


def _is_chosen(name: str, properties: Mapping[str, Any]) -> bool:
    included = any(fnmatchcase(name, pattern) for pattern in properties.get("Include", ()))
    return included or not any(fnmatchcase(name, pattern) for pattern in properties.get("Exclude", ()))


def _keys(client: Any, bucket: str, prefix: str) -> list[str]:
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return [one["Key"] for page in pages for one in page.get("Contents", [])]


def _remove(client: Any, bucket: str, keys: list[str]) -> None:
    for start in range(0, len(keys), DELETED_AT_ONCE):
        objects = [{"Key": key} for key in keys[start : start + DELETED_AT_ONCE]]
        client.delete_objects(Bucket=bucket, Delete={"Objects": objects})
