"""Actions that fetch from Amazon S3 and store there."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from posixpath import basename, dirname, join
from typing import Any, Final, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from cdk_ami.runtime.component.call import ActionError, Call, Outputs, flag_of, text_of
from cdk_ami.runtime.component.files import Files

OBJECTS_MAX: Final = 1000
"""Objects that one wildcard may download.
https://docs.aws.amazon.com/imagebuilder/latest/userguide/toe-action-modules.html#action-modules-s3download"""


def download(call: Call) -> Outputs:
    """Download objects into files; the folders they go into must be there."""
    files, s3 = Files(call), call.aws.client("s3")
    for entry in call.entries():
        bucket, key = split(text_of(entry, "source"))
        destination = text_of(entry, "destination")
        source = _Bucket(call, files, s3, bucket, entry)
        if not key.endswith("*"):
            name = join(destination, basename(key)) if destination.endswith("/") else destination
            if files.kind(name) == "folder":
                name = join(name, basename(key))
            source.fetch(key, name)
            continue
        prefix = key.removesuffix("*")
        _need_folder(files, destination.rstrip("/") or "/")
        for found in source.keys(prefix):
            name = join(destination, found[len(dirname(prefix)) :].lstrip("/"))
            files.make_parent(name)
            source.fetch(found, name)
    return []


def upload(call: Call) -> Outputs:
    """Upload files, those that match a wildcard, or folders with ``recurse``."""
    files, s3 = Files(call), call.aws.client("s3")
    for entry in call.entries():
        bucket, key = split(text_of(entry, "destination"))
        found = list(_sources(files, text_of(entry, "source"), deep=flag_of(entry, "recurse", default=False)))
        for path, name in found:
            target = join(key, name) if key.endswith("/") or not key or len(found) > 1 else key
            with files.copy_of(path) as file, _refused(f"s3://{bucket}/{target}"):
                s3.upload_fileobj(file, bucket, target, ExtraArgs=_owner(entry))
            call.note(f"uploaded {path} to s3://{bucket}/{target}")
    return []


def split(uri: str) -> tuple[str, str]:
    """Return bucket and key of an S3 URI.

    Raises:
        ActionError: When it is none.
    """
    bucket, slash, key = uri.removeprefix("s3://").partition("/")
    if not uri.startswith("s3://") or not bucket or not slash:
        raise ActionError(f"{uri!r} is no S3 location; write s3://BUCKET/KEY")
    return bucket, key


def read(call: Call, uri: str, owner: str) -> bytes:
    """Return what an object holds.

    Raises:
        ActionError: When it cannot be read.
    """
    bucket, key = split(uri)
    more = {"ExpectedBucketOwner": owner} if owner else {}
    with _refused(uri):
        content: bytes = call.aws.client("s3").get_object(Bucket=bucket, Key=key, **more)["Body"].read()
        return content


def _owner(entry: Mapping[str, Any]) -> dict[str, str]:
    owner = text_of(entry, "expectedBucketOwner")
    return {"ExpectedBucketOwner": owner} if owner else {}


class _Bucket(NamedTuple):
    """A bucket that one entry of a step's inputs downloads from."""

    call: Call
    files: Files
    s3: Any
    name: str
    entry: Mapping[str, Any]

    def fetch(self, key: str, path: str) -> None:
        """Download an object into a file."""
        if not flag_of(self.entry, "overwrite", default=True) and self.files.kind(path):
            raise ActionError(f"{path} exists, and overwrite is false")
        _need_folder(self.files, dirname(path) or ".")
        with tempfile.TemporaryFile() as file, _refused(f"s3://{self.name}/{key}"):
            answer = self.s3.get_object(Bucket=self.name, Key=key, **_owner(self.entry))
            for block in answer["Body"].iter_chunks(1 << 20):
                self.call.limits.check()
                file.write(block)
            file.seek(0)
            self.files.write(path, file)
        self.call.note(f"downloaded s3://{self.name}/{key} to {path}")

    def keys(self, prefix: str) -> list[str]:
        """Return the keys below a prefix; one that ends with a slash is only the console's mark of a folder."""
        found: list[str] = []
        with _refused(f"s3://{self.name}/{prefix}*"):
            pages = self.s3.get_paginator("list_objects_v2").paginate(
                Bucket=self.name, Prefix=prefix, **_owner(self.entry)
            )
            for page in pages:
                found += [item["Key"] for item in page.get("Contents", ()) if not item["Key"].endswith("/")]
        if not found:
            raise ActionError(f"nothing matches s3://{self.name}/{prefix}*")
        if len(found) > OBJECTS_MAX:
            raise ActionError(
                f"s3://{self.name}/{prefix}* matches {len(found):,} objects; at most {OBJECTS_MAX:,} are downloaded"
            )
        return found


def _need_folder(files: Files, folder: str) -> None:
    if files.kind(folder) != "folder":
        raise ActionError(f"the folder {folder} does not exist; S3Download makes none")


def _sources(files: Files, source: str, *, deep: bool) -> Iterator[tuple[str, str]]:
    """Yield each file with its name below the destination."""
    if "*" not in basename(source.rstrip("/")):
        kind = files.kind(source.rstrip("/") or "/")
        if kind != "folder":
            yield files.matching(source, "file")[0], basename(source)
            return
        if not deep:
            raise ActionError(f"{source} is a folder; set recurse to true")
        yield from _below(files, source.rstrip("/"))
        return
    matched = files.matching(source, "file")
    yield from ((path, basename(path)) for path in matched)
    folders = files.matching(source, "folder") if deep else []
    for folder in folders:
        yield from ((path, join(basename(folder), name)) for path, name in _below(files, folder))
    if not matched and not folders:
        raise ActionError(f"nothing matches {source}")


def _below(files: Files, folder: str) -> Iterator[tuple[str, str]]:
    for item in files.entries(folder, deep=True):
        if item.kind == "file":
            yield item.path, item.path[len(folder) :].lstrip("/")


@contextmanager
def _refused(what: str) -> Iterator[None]:
    """Turn what S3 answers into a failed action that names the object."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise ActionError(f"{what}: {error}") from error
