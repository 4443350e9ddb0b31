"""The policies that decide: those of roles, read once until IAM changes, and those of resources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any, Final

from botocore.exceptions import ClientError

from cdk_ami.sandbox import clients
from cdk_ami.sandbox.access.documents import read

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What a role may do.

    Attributes:
        documents: Its inline and managed policies.
        boundary: Its permissions boundary, None without one.
        trust: Who may assume it.
    """

    documents: tuple[Document, ...]
    boundary: Document | None
    trust: Document


class Identities:
    """The roles that were looked at."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._known: dict[str, Identity | None] = {}

    def of(self, role: str) -> Identity | None:
        """Return what a role may do, None when there is no such role."""
        with self._lock:
            if role in self._known:
                return self._known[role]
            known = self._known  # a change meanwhile takes this one away
        known[role] = _identity(role)
        return known[role]

    def forget(self) -> None:
        """Read anew what is asked next: IAM has changed."""
        with self._lock:
            self._known = {}


IDENTITIES: Final = Identities()
"""The roles of this process."""


def _identity(role: str) -> Identity | None:
    iam = clients.client("iam", "us-east-1", role.split(":")[4])
    name = role.rpartition("/")[2]
    try:
        found = iam.get_role(RoleName=name)["Role"]
    except ClientError:
        return None
    inline = [
        iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
        for page in iam.get_paginator("list_role_policies").paginate(RoleName=name)
        for policy in page["PolicyNames"]
    ]
    managed = [
        _managed(iam, policy["PolicyArn"])
        for page in iam.get_paginator("list_attached_role_policies").paginate(RoleName=name)
        for policy in page["AttachedPolicies"]
    ]
    boundary = found.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn")
    return Identity(
        documents=tuple(map(read, [*inline, *managed])),
        boundary=None if boundary is None else _managed(iam, boundary),
        trust=read(found["AssumeRolePolicyDocument"]),
    )


def _managed(iam: Any, arn: str) -> Document:
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    return read(iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"])


def of_resource(arn: str, region: str, account: str) -> Document | None:
    """Return the policy of a resource of S3, KMS, SNS or SQS, None where it has none."""
    parts = arn.split(":", 5)
    service, name = parts[2] if len(parts) > 5 else "", parts[-1]  # noqa: PLR2004 - the parts of an ARN
    if service not in {"kms", "s3", "sns", "sqs"}:
        return None
    client = clients.client(service, parts[3] or region, parts[4] or account)
    try:
        return _READERS[service](client, arn, name)
    except ClientError:
        return None


def _sqs(client: Any, _: str, name: str) -> Document | None:
    url = client.get_queue_url(QueueName=name)["QueueUrl"]
    policy = client.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"]).get("Attributes", {}).get("Policy")
    return read(policy) if policy else None


def _sns(client: Any, arn: str, _: str) -> Document | None:
    policy = client.get_topic_attributes(TopicArn=arn)["Attributes"].get("Policy")
    return read(policy) if policy else None


_READERS: Final = {
    "kms": lambda client, arn, _: read(client.get_key_policy(KeyId=arn, PolicyName="default")["Policy"]),
    "s3": lambda client, _, name: read(client.get_bucket_policy(Bucket=name.partition("/")[0])["Policy"]),
    "sns": _sns,
    "sqs": _sqs,
}
"""How the policy of a resource is read."""
