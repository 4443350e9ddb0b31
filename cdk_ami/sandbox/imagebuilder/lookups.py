"""What the service asks other services before it accepts a resource: over HTTP, as any caller would."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlparse

from botocore.exceptions import ClientError

from cdk_ami.sandbox import clients
from cdk_ami.sandbox.imagebuilder.errors import invalid_value
from cdk_ami.sandbox.imagebuilder.models import ImageBuilderBackend


def check_instance_profile(backend: ImageBuilderBackend, name: str) -> None:
    """Refuse an instance profile that does not exist."""
    try:
        _client(backend, "iam").get_instance_profile(InstanceProfileName=name)
    except ClientError as error:
        raise invalid_value(
            "instanceProfileName",
            "The provided instance profile does not exist. Please specify a different instance profile and try again.",
        ) from error


def check_role(backend: ImageBuilderBackend, role: str) -> None:
    """Refuse an execution role that does not exist, given by name or ARN."""
    try:
        _client(backend, "iam").get_role(RoleName=role.rpartition("/")[2])
    except ClientError as error:
        raise invalid_value("executionRole", f"The role '{role}' does not exist.") from error


def check_key_pair(backend: ImageBuilderBackend, name: str) -> None:
    """Refuse a key pair that does not exist."""
    try:
        _client(backend, "ec2").describe_key_pairs(KeyNames=[name])
    except ClientError as error:
        raise invalid_value("keyPair", f"The key pair '{name}' does not exist.") from error


def check_topic(backend: ImageBuilderBackend, arn: str) -> None:
    """Refuse an SNS topic that does not exist or is no standard topic."""
    if arn.endswith(".fifo"):
        raise invalid_value("snsTopicArn", "The topic must be a standard topic.")
    try:
        _client(backend, "sns").get_topic_attributes(TopicArn=arn)
    except ClientError as error:
        raise invalid_value("snsTopicArn", f"The topic '{arn}' does not exist.") from error


def check_launch_template(backend: ImageBuilderBackend, region: str, template: str, parameter: str) -> None:
    """Refuse a launch template of this account that does not exist in its Region."""
    ec2 = clients.client("ec2", region, backend.account_id)
    missing = invalid_value(parameter, f"The launch template '{template}' does not exist in {region}.")
    try:
        found = ec2.describe_launch_templates(LaunchTemplateIds=[template])["LaunchTemplates"]
    except ClientError as error:
        raise missing from error
    if not found:
        raise missing


def read_document(backend: ImageBuilderBackend, request: dict[str, Any]) -> str:
    """Return the document of a request, given inline or in S3."""
    uri = request.get("uri")
    if uri is None:
        return str(request["data"])
    where = urlparse(uri)
    if where.scheme != "s3" or not where.netloc or not where.path.strip("/"):
        raise invalid_value("uri", "It must be s3://bucket/key.")
    try:
        answer = _client(backend, "s3").get_object(Bucket=where.netloc, Key=where.path.lstrip("/"))
    except ClientError as error:
        raise invalid_value("uri", f"The object '{uri}' cannot be read: {error.response['Error']['Code']}.") from error
    return str(answer["Body"].read().decode())


def _client(backend: ImageBuilderBackend, service: str) -> Any:
    return clients.client(service, backend.region_name, backend.account_id)
