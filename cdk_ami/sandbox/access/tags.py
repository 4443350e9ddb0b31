"""Tags that conditions ask for: those in a request, and those of the resource it is about."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from botocore.exceptions import ClientError

from cdk_ami.sandbox import clients
from cdk_ami.sandbox.access.conditions import UndecidedError

Tags = Mapping[str, str]


def requested(parameters: Mapping[str, Any]) -> dict[str, str]:
    """Return the tags that a request would set."""
    found: dict[str, str] = {}
    for name, value in parameters.items():
        if name.lower() == "tags" and isinstance(value, dict):
            found |= {str(key): str(one) for key, one in value.items()}
        elif name.lower() == "tags" and isinstance(value, list):
            found |= dict(_pairs(value))
        elif name == "TagSpecifications" and isinstance(value, list):
            for specification in value:
                found |= dict(_pairs(specification.get("Tags", [])))
    return found


def _pairs(tags: Any) -> Iterator[tuple[str, str]]:
    for tag in tags:
        yield str(tag.get("Key", tag.get("key"))), str(tag.get("Value", tag.get("value", "")))


def of_resource(arn: str, region: str, account: str) -> dict[str, str]:
    """Return the tags of a resource; none when it does not exist yet.

    Raises:
        UndecidedError: When the tags of such resources cannot be read here.
    """
    if arn == "*":
        return {}
    service, name = arn.split(":")[2], arn.split(":", 5)[5]
    if service not in _READERS:
        raise UndecidedError(f"the tags of {arn}")
    called, reader = _READERS[service]
    where = arn.split(":")[3] or region
    try:
        return dict(_pairs_of(reader(clients.client(called, where, arn.split(":")[4] or account), arn, name)))
    except ClientError:
        return {}


def _pairs_of(tags: Any) -> Iterator[tuple[str, str]]:
    if isinstance(tags, dict):
        yield from ((str(key), str(value)) for key, value in tags.items())
    else:
        for tag in tags:
            yield (
                str(tag.get("Key", tag.get("TagKey", tag.get("key")))),
                str(tag.get("Value", tag.get("TagValue", tag.get("value", "")))),
            )


def _ec2(client: Any, _: str, name: str) -> Any:
    resource = name.partition("/")[2]
    if resource == "*":
        return []  # what is to be made has no tags yet, and EC2's filter would take the star for all
    return client.describe_tags(Filters=[{"Name": "resource-id", "Values": [resource]}])["Tags"]


def _group(client: Any, _: str, name: str) -> Any:
    group = name.rpartition("autoScalingGroupName/")[2]
    return client.describe_tags(Filters=[{"Name": "auto-scaling-group", "Values": [group]}])["Tags"]


def _ssm(client: Any, _: str, name: str) -> Any:
    parameter = name.removeprefix("parameter")
    parameter = parameter if parameter.count("/") > 1 else parameter.lstrip("/")
    return client.list_tags_for_resource(ResourceType="Parameter", ResourceId=parameter)["TagList"]


_READERS: Final[Mapping[str, tuple[str, Callable[[Any, str, str], Any]]]] = {
    "autoscaling": ("autoscaling", _group),
    "cloudformation": (
        "cloudformation",
        lambda client, arn, _: client.describe_stacks(StackName=arn)["Stacks"][0]["Tags"],
    ),
    "ec2": ("ec2", _ec2),
    "imagebuilder": ("imagebuilder", lambda client, arn, _: client.list_tags_for_resource(resourceArn=arn)["tags"]),
    "kms": ("kms", lambda client, arn, _: client.list_resource_tags(KeyId=arn)["Tags"]),
    "lambda": ("lambda", lambda client, arn, _: client.list_tags(Resource=arn)["Tags"]),
    "s3": ("s3", lambda client, _, name: client.get_bucket_tagging(Bucket=name.partition("/")[0])["TagSet"]),
    "sns": ("sns", lambda client, arn, _: client.list_tags_for_resource(ResourceArn=arn)["Tags"]),
    "ssm": ("ssm", _ssm),
    "states": ("stepfunctions", lambda client, arn, _: client.list_tags_for_resource(resourceArn=arn)["tags"]),
}
"""How the tags of a service's resources are read, by the service of their ARNs."""
