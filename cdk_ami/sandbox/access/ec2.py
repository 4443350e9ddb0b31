"""What requests to EC2 need: one need for each resource they touch, and others for the tags and roles they bring along.

https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from botocore.exceptions import ClientError

from cdk_ami.sandbox import clients
from cdk_ami.sandbox.access.documents import Need
from cdk_ami.sandbox.door.asked import Asked

KINDS: Final = {
    "AllocationId": "elastic-ip",
    "GroupId": "security-group",
    "ImageId": "image",
    "InstanceId": "instance",
    "InternetGatewayId": "internet-gateway",
    "KeyName": "key-pair",
    "LaunchTemplateId": "launch-template",
    "NatGatewayId": "natgateway",
    "NetworkInterfaceId": "network-interface",
    "RouteTableId": "route-table",
    "SecurityGroupId": "security-group",
    "SnapshotId": "snapshot",
    "SourceSnapshotIds": "snapshot",
    "SubnetId": "subnet",
    "VolumeId": "volume",
    "VpcId": "vpc",
}
"""What a parameter names, in the words of ARNs; its plural names several."""

BY_PREFIX: Final = {
    "ami": "image",
    "eni": "network-interface",
    "eipalloc": "elastic-ip",
    "i": "instance",
    "igw": "internet-gateway",
    "lt": "launch-template",
    "nat": "natgateway",
    "rtb": "route-table",
    "sg": "security-group",
    "snap": "snapshot",
    "subnet": "subnet",
    "vol": "volume",
    "vpc": "vpc",
}
"""What an id names by its first letters."""

OWNERLESS: Final = frozenset({"image", "snapshot"})
"""Kinds whose ARNs name no account."""

MADE: Final = {
    "CopyImage": ("image",),
    "CopySnapshot": ("snapshot",),
    "CreateImage": ("image", "snapshot"),
    "CreateLaunchTemplate": ("launch-template",),
    "CreateSecurityGroup": ("security-group",),
    "CreateSnapshot": ("snapshot",),
    "CreateSnapshots": ("snapshot",),
    "CreateSubnet": ("subnet",),
    "CreateVolume": ("volume",),
    "CreateVpc": ("vpc",),
    "RegisterImage": ("image",),
    "RunInstances": ("instance", "network-interface", "volume"),
}
"""What operations make, besides touching what their parameters name."""


def needs(asked: Asked) -> Iterator[Need]:
    """Yield what a request needs."""
    action, given = f"ec2:{asked.operation}", asked.parameters
    if asked.operation.startswith(("Describe", "Get", "List", "Search")):
        return
    if asked.operation in {"CreateTags", "DeleteTags"}:
        for one in given.get("Resources", ()):
            yield Need(action=action, resource=_arn(asked, BY_PREFIX.get(str(one).split("-")[0], "*"), str(one)))
        return
    template = _template(asked) if asked.operation == "RunInstances" else {}
    merged = {**template, **given}
    touched = [*_touched(asked, merged), *(_arn(asked, kind, "*") for kind in MADE.get(asked.operation, ()))]
    if asked.operation == "CopyImage":
        touched = [
            _arn(asked, "image", "*"),
            f"arn:aws:ec2:{given.get('SourceRegion')}::image/{given.get('SourceImageId')}",
        ]
    for resource in dict.fromkeys(touched):
        yield Need(action=action, resource=resource)
    yield from _tagging(asked, [*template.get("TagSpecifications", ()), *given.get("TagSpecifications", ())])
    profile = merged.get("IamInstanceProfile") or {}
    name = profile.get("Name") or str(profile.get("Arn", "")).rpartition("/")[2]
    for role in roles_of_profile(asked, name) if name else ():
        keys = {"iam:passedtoservice": ("ec2.amazonaws.com",)}
        yield Need(action="iam:PassRole", resource=role, keys=keys)


def _touched(asked: Asked, given: Mapping[str, Any]) -> Iterator[str]:
    for name, value in given.items():
        kind = KINDS.get(name) or KINDS.get(name.removesuffix("s"))
        if kind is not None:
            for one in value if isinstance(value, list) else [value]:
                yield _arn(asked, kind, str(one))
    for device in given.get("BlockDeviceMappings", ()):
        if snapshot := (device.get("Ebs") or {}).get("SnapshotId"):
            yield _arn(asked, "snapshot", snapshot)
    for interface in given.get("NetworkInterfaces", ()):
        if subnet := interface.get("SubnetId"):
            yield _arn(asked, "subnet", subnet)
        for group in interface.get("Groups", interface.get("SecurityGroupIds", ())):
            yield _arn(asked, "security-group", group)
    template: Mapping[str, Any] = given.get("LaunchTemplate") or {}
    title = template.get("LaunchTemplateName") or given.get("LaunchTemplateName")
    found = template.get("LaunchTemplateId") or (_template_id(asked, title) if title else None)
    if found and asked.operation != "CreateLaunchTemplate":
        yield _arn(asked, "launch-template", found)


def _tagging(asked: Asked, specifications: list[Mapping[str, Any]]) -> Iterator[Need]:
    """Yield the need to tag what a request makes, which is a permission of its own."""
    for specification in specifications:
        kind = re.sub(r"[^a-z-]", "", str(specification.get("ResourceType", "")))
        if not specification.get("Tags"):
            continue
        pairs = {str(tag["Key"]): str(tag.get("Value", "")) for tag in specification["Tags"]}
        keys: dict[str, tuple[str, ...]] = {f"aws:requesttag/{key.lower()}": (value,) for key, value in pairs.items()}
        keys |= {"ec2:createaction": (asked.operation,), "aws:tagkeys": tuple(pairs)}
        yield Need(action="ec2:CreateTags", resource=_arn(asked, kind, "*"), keys=keys)


def _arn(asked: Asked, kind: str, name: str) -> str:
    owner = "" if kind in OWNERLESS else asked.account
    return f"arn:aws:ec2:{asked.region}:{owner}:{kind}/{name}"


def _template_id(asked: Asked, name: str) -> str | None:
    try:
        client = clients.client("ec2", asked.region, asked.account)
        found = client.describe_launch_templates(LaunchTemplateNames=[name])["LaunchTemplates"]
    except ClientError:
        return None
    return str(found[0]["LaunchTemplateId"])


def _template(asked: Asked) -> dict[str, Any]:
    """Return what the launch template of a request says; EC2 judges that as if the request said it."""
    named = asked.parameters.get("LaunchTemplate") or {}
    reference = {key: named[key] for key in ("LaunchTemplateId", "LaunchTemplateName") if named.get(key)}
    if not reference:
        return {}
    try:
        found = clients.client("ec2", asked.region, asked.account).describe_launch_template_versions(
            **reference, Versions=[named.get("Version") or "$Default"]
        )["LaunchTemplateVersions"]
    except ClientError:
        return {}
    data = dict(found[0]["LaunchTemplateData"]) if found else {}
    if str(data.get("ImageId", "")).startswith("resolve:ssm:"):
        data["ImageId"] = "*"
    return data


def roles_of_profile(asked: Asked, name: str) -> list[str]:
    """Return the ARNs of the roles of an instance profile; none when there is no such profile."""
    try:
        found = clients.client("iam", "us-east-1", asked.account).get_instance_profile(InstanceProfileName=name)
    except ClientError:
        return []
    return [str(role["Arn"]) for role in found["InstanceProfile"]["Roles"]]
