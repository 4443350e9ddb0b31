"""Providers that tidy what CloudFormation itself leaves as it is: buckets, repositories, log groups, default groups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from botocore.exceptions import ClientError

from cdk_ami.sandbox import clients
from cdk_ami.sandbox.lambda_.function import Function

EMPTY_BUCKET_TAG: Final = {"Key": "aws-cdk:auto-delete-objects", "Value": "true"}

EMPTY_REPOSITORY_TAG: Final = {"Key": "aws-cdk:auto-delete-images", "Value": "true"}


def empty_bucket(function: Function, event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Remove all that is in a bucket that goes, versions too, unless its tag is gone."""
    name = event["ResourceProperties"]["BucketName"]
    if event["RequestType"] != "Delete":
        return {"PhysicalResourceId": name} if event["RequestType"] == "Update" else {}
    client = clients.client("s3", function.region, function.account)
    try:
        if EMPTY_BUCKET_TAG not in client.get_bucket_tagging(Bucket=name)["TagSet"]:
            return {}
        for page in client.get_paginator("list_object_versions").paginate(Bucket=name):
            found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
            doomed = [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in found]
            if doomed:
                client.delete_objects(Bucket=name, Delete={"Objects": doomed})
    except ClientError as error:
        _unless(error, "NoSuchBucket")
    return {}


def empty_repository(function: Function, event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Remove all images of a repository that goes, unless its tag is gone."""
    name = event["ResourceProperties"]["RepositoryName"]
    if event["RequestType"] != "Delete":
        return {"PhysicalResourceId": name} if event["RequestType"] == "Update" else {}
    client = clients.client("ecr", function.region, function.account)
    try:
        arn = client.describe_repositories(repositoryNames=[name])["repositories"][0]["repositoryArn"]
        if EMPTY_REPOSITORY_TAG in client.list_tags_for_resource(resourceArn=arn)["tags"]:
            for page in client.get_paginator("list_images").paginate(repositoryName=name):
                if page["imageIds"]:
                    client.batch_delete_image(repositoryName=name, imageIds=page["imageIds"])
    except ClientError as error:
        _unless(error, "RepositoryNotFoundException")
    return {}


def set_retention(function: Function, event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Make a log group that need not be there, and keep its lines as long as is asked for."""
    properties = event["ResourceProperties"]
    name = properties["LogGroupName"]
    client = clients.client("logs", properties.get("LogGroupRegion") or function.region, function.account)
    if event["RequestType"] == "Delete":
        if properties.get("RemovalPolicy") == "destroy":
            try:
                client.delete_log_group(logGroupName=name)
            except ClientError as error:
                _unless(error, "ResourceNotFoundException")
    else:
        try:
            client.create_log_group(logGroupName=name)
        except ClientError as error:
            _unless(error, "ResourceAlreadyExistsException")
        if days := properties.get("RetentionInDays"):
            client.put_retention_policy(logGroupName=name, retentionInDays=int(days))
        else:
            client.delete_retention_policy(logGroupName=name)
    return {"PhysicalResourceId": name, "Data": {"LogGroupName": name}}


def close_default_group(function: Function, event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Take the rules of a VPC's default security group away, and put them back when the resource goes."""
    properties, kind = event["ResourceProperties"], event["RequestType"]
    group, account = properties["DefaultSecurityGroupId"], properties["Account"]
    client = clients.client("ec2", function.region, function.account)
    if kind == "Create":
        _close(client, group, account)
    elif kind == "Delete":
        _open(client, group, account)
    else:
        before = event["OldResourceProperties"]["DefaultSecurityGroupId"]
        if before != group:
            _open(client, before, account)
            _close(client, group, account)
    return {}


def _inbound(group: str, account: str) -> list[dict[str, Any]]:
    return [{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group, "UserId": account}]}]


OUTBOUND: Final[list[dict[str, Any]]] = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
"""What a default group lets out."""


def _close(client: Any, group: str, account: str) -> None:
    for revoke, rules in (
        (client.revoke_security_group_egress, OUTBOUND),
        (client.revoke_security_group_ingress, _inbound(group, account)),
    ):
        try:
            revoke(GroupId=group, IpPermissions=rules)
        except ClientError as error:
            _unless(error, "InvalidPermission.NotFound")


def _open(client: Any, group: str, account: str) -> None:
    client.authorize_security_group_ingress(GroupId=group, IpPermissions=_inbound(group, account))
    client.authorize_security_group_egress(GroupId=group, IpPermissions=OUTBOUND)


def _unless(error: ClientError, code: str) -> None:
    if error.response["Error"]["Code"] != code:
        raise error
