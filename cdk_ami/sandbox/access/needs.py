"""Which permissions a request needs: its actions, and the ARNs of what they are done to.

https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
Where the resource cannot be told it counts as ``*``, which only statements about all resources allow.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from botocore.exceptions import ClientError

from cdk_ami.sandbox import clients
from cdk_ami.sandbox.access import ec2
from cdk_ami.sandbox.access.documents import Need
from cdk_ami.sandbox.door.asked import Asked

PREFIXES: Final = {
    "elbv2": "elasticloadbalancing",
    "marketplace-catalog": "aws-marketplace",
    "resourcegroupstaggingapi": "tag",
    "service-quotas": "servicequotas",
    "stepfunctions": "states",
}
"""Prefixes of actions that are not boto3's name of the service."""

ACTIONS: Final = {
    "lambda:Invoke": "lambda:InvokeFunction",
    "s3:CompleteMultipartUpload": "s3:PutObject",
    "s3:CopyObject": "s3:PutObject",
    "s3:CreateMultipartUpload": "s3:PutObject",
    "s3:DeleteObjects": "s3:DeleteObject",
    "s3:GetBucketEncryption": "s3:GetEncryptionConfiguration",
    "s3:GetBucketLifecycleConfiguration": "s3:GetLifecycleConfiguration",
    "s3:GetPublicAccessBlock": "s3:GetBucketPublicAccessBlock",
    "s3:HeadBucket": "s3:ListBucket",
    "s3:HeadObject": "s3:GetObject",
    "s3:ListBuckets": "s3:ListAllMyBuckets",
    "s3:ListObjectVersions": "s3:ListBucketVersions",
    "s3:ListObjects": "s3:ListBucket",
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:PutBucketEncryption": "s3:PutEncryptionConfiguration",
    "s3:PutBucketLifecycleConfiguration": "s3:PutLifecycleConfiguration",
    "s3:PutPublicAccessBlock": "s3:PutBucketPublicAccessBlock",
    "s3:UploadPart": "s3:PutObject",
    "sqs:ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
    "sqs:DeleteMessageBatch": "sqs:DeleteMessage",
    "sqs:SendMessageBatch": "sqs:SendMessage",
}
"""Operations whose permission has another name."""

PASSED_TO: Final = {"stepfunctions": "states.amazonaws.com"}
"""Services to which a role is passed by another name than boto3's."""

_ROLE: Final = re.compile(r"arn:aws[\w-]*:iam::\d{12}:role/.+")


def needs(asked: Asked) -> list[Need]:
    """Return all that a request needs; every one must be allowed."""
    prefix = PREFIXES.get(asked.service, asked.service)
    action = ACTIONS.get(f"{prefix}:{asked.operation}", f"{prefix}:{asked.operation}")
    if asked.service == "ec2":
        found = list(ec2.needs(asked))
    else:
        told = _TELLERS.get(asked.service, _by_arn)
        found = [Need(action=action, resource=resource) for resource in dict.fromkeys(told(asked))]
    return [*(found or [Need(action=action)]), *_passed(asked)]


def _passed(asked: Asked) -> Iterator[Need]:
    """Yield a need of iam:PassRole for each role that a request hands to a service."""
    service = PASSED_TO.get(asked.service, f"{asked.service}.amazonaws.com")
    if asked.service not in {"iam", "sts"}:
        for role in dict.fromkeys(_roles(asked.parameters)):
            yield _pass_role(role, service)
    if asked.service == "imagebuilder" and asked.parameters.get("instanceProfileName"):
        for role in ec2.roles_of_profile(asked, str(asked.parameters["instanceProfileName"])):
            yield _pass_role(role, "ec2.amazonaws.com")
    if (asked.service, asked.operation) == ("iam", "AddRoleToInstanceProfile"):
        yield _pass_role(_role_arn(asked, asked.parameters.get("RoleName", "")), "ec2.amazonaws.com")


def _pass_role(role: str, service: str) -> Need:
    return Need(action="iam:PassRole", resource=role, keys={"iam:passedtoservice": (service,)})


def _roles(value: Any, name: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for key, one in value.items():
            yield from _roles(one, str(key))
    elif isinstance(value, list):
        for one in value:
            yield from _roles(one, name)
    elif isinstance(value, str) and name.lower().removesuffix("arn").endswith("role") and _ROLE.fullmatch(value):
        yield value


def _by_arn(asked: Asked) -> Iterator[str]:
    """Yield the first parameter that is an ARN."""
    for name, value in asked.parameters.items():
        if name.lower().endswith(("arn", "id", "name", "identifier")) and str(value).startswith("arn:"):
            yield str(value)
            return


def _arn(asked: Asked, service: str, name: str) -> str:
    return f"arn:aws:{service}:{asked.region}:{asked.account}:{name}"


def _given(asked: Asked, *names: str) -> Iterator[str]:
    for name in names:
        value = asked.parameters.get(name)
        yield from map(str, value if isinstance(value, list) else [value] if value else [])


def _named(service: str, form: str, *names: str) -> Callable[[Asked], Iterator[str]]:
    """Return what yields the ARNs of the resources that the parameters ``names`` name, or are ARNs of."""

    def tell(asked: Asked) -> Iterator[str]:
        for name in _given(asked, *names):
            yield name if name.startswith("arn:") else _arn(asked, service, form.format(name))

    return tell


def _ssm(asked: Asked) -> Iterator[str]:
    if asked.operation.startswith("Describe"):
        return
    for name in _given(asked, "Name", "Names", "Path"):
        if "Document" in asked.operation:
            yield _arn(asked, "ssm", f"document/{name}")
        elif name.startswith("arn:"):
            yield name
        else:
            bare = name.partition(":")[0].lstrip("/")
            owner = "" if name.startswith("/aws/service/") else asked.account
            yield f"arn:aws:ssm:{asked.region}:{owner}:parameter/{bare}"
    if asked.parameters.get("ResourceType") == "Parameter":
        yield _arn(asked, "ssm", f"parameter/{str(asked.parameters.get('ResourceId', '')).lstrip('/')}")
    for name in _given(asked, "DocumentName"):
        kind = "automation-definition/{}:$DEFAULT" if "Automation" in asked.operation else "document/{}"
        yield _arn(asked, "ssm", kind.format(name))
    for instance in _given(asked, "InstanceIds"):
        yield f"arn:aws:ec2:{asked.region}:{asked.account}:instance/{instance}"


MADE: Final = {
    "CreateComponent": "component/{name}/{semanticVersion}/*",
    "CreateDistributionConfiguration": "distribution-configuration/{name}",
    "CreateImagePipeline": "image-pipeline/{name}",
    "CreateImageRecipe": "image-recipe/{name}/{semanticVersion}",
    "CreateInfrastructureConfiguration": "infrastructure-configuration/{name}",
    "CreateLifecyclePolicy": "lifecycle-policy/{name}",
    "CreateWorkflow": "workflow/{type}/{name}/{semanticVersion}/*",
}
"""What operations of Image Builder make.
https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2imagebuilder.html"""


def _imagebuilder(asked: Asked) -> Iterator[str]:
    form = MADE.get(asked.operation)
    if form is None:
        yield from _by_arn(asked)
        return
    names = {"name": "*", "semanticVersion": "*", "type": "*"} | asked.parameters
    names["name"] = str(names["name"]).lower().replace(" ", "-").replace("_", "-")
    names["type"] = str(names["type"]).lower()
    yield _arn(asked, "imagebuilder", form.format(**names))


def _autoscaling(asked: Asked) -> Iterator[str]:
    if asked.operation.startswith("Describe"):
        return
    for name in _given(asked, "AutoScalingGroupName"):
        client = clients.client("autoscaling", asked.region, asked.account)
        found = client.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]
        new = _arn(asked, "autoscaling", f"autoScalingGroup:*:autoScalingGroupName/{name}")
        yield str(found[0]["AutoScalingGroupARN"]) if found else new


def _cloudformation(asked: Asked) -> Iterator[str]:
    for name in _given(asked, "StackName"):
        if name.startswith("arn:"):
            yield name
            continue
        try:
            client = clients.client("cloudformation", asked.region, asked.account)
            yield str(client.describe_stacks(StackName=name)["Stacks"][0]["StackId"])
        except ClientError:
            yield _arn(asked, "cloudformation", f"stack/{name}/*")


def _kms(asked: Asked) -> Iterator[str]:
    for key in _given(asked, "KeyId", "TargetKeyId"):
        try:
            found = clients.client("kms", asked.region, asked.account).describe_key(KeyId=key)
            yield str(found["KeyMetadata"]["Arn"])
        except ClientError:
            yield key if key.startswith("arn:") else _arn(asked, "kms", f"key/{key}")
    for alias in _given(asked, "AliasName"):
        yield _arn(asked, "kms", alias)


def _s3(asked: Asked) -> Iterator[str]:
    bucket, key = asked.parameters.get("Bucket"), asked.parameters.get("Key")
    if bucket and asked.operation == "DeleteObjects":
        yield f"arn:aws:s3:::{bucket}/*"
    elif bucket:
        yield f"arn:aws:s3:::{bucket}/{key}" if key else f"arn:aws:s3:::{bucket}"


def _logs(asked: Asked) -> Iterator[str]:
    # Policies name a group with `:*` behind it for all but its tags.
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/iam-access-control-overview-cwl.html
    stream = asked.parameters.get("logStreamName", "")
    for group in _given(asked, "logGroupName", "logGroupIdentifier"):
        arn = group if group.startswith("arn:") else _arn(asked, "logs", f"log-group:{group}")
        yield f"{arn.removesuffix(':*')}:log-stream:{stream}"
    yield from _given(asked, "resourceArn")
    if asked.operation == "DescribeLogGroups":
        yield _arn(asked, "logs", "log-group:*")


def _sqs(asked: Asked) -> Iterator[str]:
    for url in _given(asked, "QueueUrl"):
        account, name = url.rstrip("/").split("/")[-2:]
        yield f"arn:aws:sqs:{asked.region}:{account}:{name}"
    for name in _given(asked, "QueueName"):
        yield _arn(asked, "sqs", name)


def _events(asked: Asked) -> Iterator[str]:
    bus = str(asked.parameters.get("EventBusName", "default")).rpartition("/")[2]
    for name in _given(asked, "Name", "Rule"):
        yield _arn(asked, "events", f"rule/{name}" if bus == "default" else f"rule/{bus}/{name}")
    for entry in asked.parameters.get("Entries", ()) if asked.operation == "PutEvents" else ():
        yield _arn(asked, "events", f"event-bus/{str(entry.get('EventBusName', 'default')).rpartition('/')[2]}")


def _role_arn(asked: Asked, name: str) -> str:
    try:
        return str(clients.client("iam", "us-east-1", asked.account).get_role(RoleName=name)["Role"]["Arn"])
    except ClientError:
        return f"arn:aws:iam::{asked.account}:role/{name}"


def _iam(asked: Asked) -> Iterator[str]:
    for name, kind in (("InstanceProfileName", "instance-profile"), ("UserName", "user"), ("GroupName", "group")):
        for one in _given(asked, name):
            yield f"arn:aws:iam::{asked.account}:{kind}/{one}"
    if not asked.operation.endswith("InstanceProfile"):
        for role in _given(asked, "RoleName"):
            yield _role_arn(asked, role)
    if not {"RoleName", "UserName", "GroupName"} & set(asked.parameters):
        yield from _given(asked, "PolicyArn")


_TELLERS: Final[Mapping[str, Callable[[Asked], Iterator[str]]]] = {
    "autoscaling": _autoscaling,
    "cloudformation": _cloudformation,
    "cloudwatch": _named("cloudwatch", "alarm:{}", "AlarmName", "AlarmNames"),
    "events": _events,
    "iam": _iam,
    "imagebuilder": _imagebuilder,
    "kms": _kms,
    "lambda": _named("lambda", "function:{}", "FunctionName"),
    "logs": _logs,
    "s3": _s3,
    "sns": _named("sns", "{}", "TopicArn", "TargetArn", "Name", "ResourceArn"),
    "sqs": _sqs,
    "ssm": _ssm,
    "stepfunctions": _named("states", "stateMachine:{}", "stateMachineArn", "executionArn", "name", "resourceArn"),
    "sts": lambda asked: _given(asked, "RoleArn"),
}
"""How the resources of a service's requests are told; for the others the first parameter that is an ARN."""
