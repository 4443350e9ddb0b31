"""Deploys what the CDK has synthesized, without Node: files are uploaded and stacks made by boto3, in order."""

from __future__ import annotations

import io
import json
import time
import zipfile
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from botocore.exceptions import ClientError

MakeClient = Callable[[str, str, str], Any]
"""Makes a client, given a service, a Region and an account."""

BOOTSTRAP_VERSION: Final = "30"
"""What the parameter holds that templates of the default synthesizer read."""

_GOOD: Final = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE"})
_NO_UPDATES: Final = "No updates are to be performed"
_POLL_SECONDS: Final = 0.05
_CAPABILITIES: Final = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]


class DeployError(RuntimeError):
    """A stack that did not deploy; the message names it and what CloudFormation says of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where what names no account or Region goes."""

    account: str
    region: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """One stack to deploy.

    Attributes:
        name: Its name.
        place: Where.
        template: The template as text.
        url: Where the template is after its upload, None when it is sent along.
        files: Assets of the stack: what each is, and its bucket and key.
        parameters: Values of its parameters.
        tags: Its tags.
        bootstrap: SSM parameter that its template reads, None when it reads none.
    """

    name: str
    place: Place
    template: str
    url: str | None = None
    files: tuple[tuple[Path, bool, str, str], ...] = ()
    parameters: Mapping[str, str]
    tags: Mapping[str, str]
    bootstrap: str | None = None


def stacks_of(folder: Path, default: Place, parameters: Mapping[str, Mapping[str, str]]) -> Iterator[Stack]:
    """Yield the stacks of a cloud assembly, each after those that it depends on.

    Raises:
        DeployError: When an asset is a container image.
    """
    artifacts: Mapping[str, Any] = json.loads((folder / "manifest.json").read_text())["artifacts"]
    for name in _in_order(artifacts):
        artifact = artifacts[name]
        properties = artifact.get("properties", {})
        if artifact["type"] == "cdk:cloud-assembly":
            yield from stacks_of(folder / properties["directoryName"], default, parameters)
        elif artifact["type"] == "aws:cloudformation:stack":
            place = _place(artifact["environment"], default)
            stack_name = properties.get("stackName", name)
            manifests = [artifacts[one] for one in artifact.get("dependencies", ()) if one in artifacts]
            yield Stack(
                name=stack_name,
                place=place,
                template=(folder / properties["templateFile"]).read_text(),
                url=_filled(properties.get("stackTemplateAssetObjectUrl", ""), place) or None,
                files=tuple(file for one in manifests for file in _files(folder, one, place)),
                parameters={**properties.get("parameters", {}), **parameters.get(stack_name, {})},
                tags=properties.get("tags", {}),
                bootstrap=properties.get("bootstrapStackVersionSsmParameter"),
            )


def _in_order(artifacts: Mapping[str, Any]) -> Iterator[str]:
    done: dict[str, None] = {}

    def visit(name: str) -> Iterator[str]:
        if name in done or name not in artifacts:
            return
        done[name] = None
        for needed in artifacts[name].get("dependencies", ()):
            yield from visit(needed)
        yield name

    for name in artifacts:
        yield from visit(name)


def _place(environment: str, default: Place) -> Place:
    account, region = environment.removeprefix("aws://").split("/")
    return Place(
        account=default.account if account == "unknown-account" else account,
        region=default.region if region == "unknown-region" else region,
    )


def _filled(text: str, place: Place) -> str:
    values = {"${AWS::AccountId}": place.account, "${AWS::Region}": place.region, "${AWS::Partition}": "aws"}
    for name, value in values.items():
        text = text.replace(name, value)
    return text


def _files(folder: Path, manifest: Mapping[str, Any], place: Place) -> Iterator[tuple[Path, bool, str, str]]:
    if manifest["type"] != "cdk:asset-manifest":
        return
    assets = json.loads((folder / manifest["properties"]["file"]).read_text())
    if assets.get("dockerImages"):
        raise DeployError(f"{manifest['properties']['file']} holds container images, which need Docker and the CDK")
    for asset in assets.get("files", {}).values():
        source = asset["source"]
        if "path" not in source:
            raise DeployError(f"{manifest['properties']['file']} holds an asset that a command makes; use the CDK")
        for destination in asset["destinations"].values():
            bucket, key = (_filled(destination[name], place) for name in ("bucketName", "objectKey"))
            yield folder / source["path"], source.get("packaging") == "zip", bucket, key


def deploy(stack: Stack, client: MakeClient, endpoint: str) -> dict[str, str]:
    """Upload a stack's files, make or update the stack, and return its outputs when that is done.

    Raises:
        DeployError: When it fails.
    """
    place = stack.place
    _upload(stack, client("s3", place.region, place.account))
    if stack.bootstrap:
        client("ssm", place.region, place.account).put_parameter(
            Name=stack.bootstrap, Value=BOOTSTRAP_VERSION, Type="String", Overwrite=True
        )
    cloudformation = client("cloudformation", place.region, place.account)
    request: dict[str, Any] = {
        "StackName": stack.name,
        "Capabilities": _CAPABILITIES,
        "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in stack.parameters.items()],
        "Tags": [{"Key": key, "Value": value} for key, value in stack.tags.items()],
    }
    if stack.url:
        request["TemplateURL"] = f"{endpoint}/{stack.url.removeprefix('s3://')}"
    else:
        request["TemplateBody"] = stack.template
    try:
        if _status(cloudformation, stack.name) in {None, "REVIEW_IN_PROGRESS"}:
            cloudformation.create_stack(**request)
        else:
            cloudformation.update_stack(**request)
    except ClientError as error:
        message = error.response["Error"]["Message"]
        if _NO_UPDATES not in message:
            raise DeployError(f"{stack.name} in {place.region}: {message}") from error
        # A stack that was rolled back before is what it should be now.
        return _settled(cloudformation, stack.name, place.region, {*_GOOD, "UPDATE_ROLLBACK_COMPLETE"})
    return _settled(cloudformation, stack.name, place.region, _GOOD)


def destroy(stack: Stack, client: MakeClient) -> None:
    """Delete a stack, and return when it is gone.

    Raises:
        DeployError: When it cannot be deleted.
    """
    cloudformation = client("cloudformation", stack.place.region, stack.place.account)
    try:
        stack_id = cloudformation.describe_stacks(StackName=stack.name)["Stacks"][0]["StackId"]
    except ClientError:
        return
    cloudformation.delete_stack(StackName=stack_id)
    _settled(cloudformation, stack_id, stack.place.region, {"DELETE_COMPLETE"})


def _upload(stack: Stack, s3: Any) -> None:
    for path, packed, bucket, key in stack.files:
        located = {} if stack.place.region == "us-east-1" else {"LocationConstraint": stack.place.region}
        try:
            s3.head_bucket(Bucket=bucket)
        except ClientError:
            s3.create_bucket(Bucket=bucket, **({"CreateBucketConfiguration": located} if located else {}))
        s3.put_object(Bucket=bucket, Key=key, Body=_zipped(path) if packed else path.read_bytes())


def _zipped(folder: Path) -> bytes:
    if folder.is_file():
        return folder.read_bytes()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                # Without its time, so that the same files make the same archive.
                archive.writestr(zipfile.ZipInfo(path.relative_to(folder).as_posix()), path.read_bytes())
    return packed.getvalue()


def _status(cloudformation: Any, name: str) -> str | None:
    try:
        return str(cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"])
    except ClientError:
        return None


def _settled(cloudformation: Any, name: str, region: str, good: Collection[str]) -> dict[str, str]:
    while True:
        stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        if not stack["StackStatus"].endswith("_IN_PROGRESS"):
            break
        time.sleep(_POLL_SECONDS)
    if stack["StackStatus"] not in good:
        events = cloudformation.describe_stack_events(StackName=stack["StackId"])["StackEvents"]
        failed = [one for one in reversed(events) if one["ResourceStatus"].endswith("_FAILED")]
        reasons = "; ".join(f"{one['LogicalResourceId']}: {one.get('ResourceStatusReason', '')}" for one in failed)
        raise DeployError(f"{stack['StackName']} in {region} is {stack['StackStatus']}: {reasons}")
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", ())}
