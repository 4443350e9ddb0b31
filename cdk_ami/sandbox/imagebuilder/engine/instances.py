"""Instances of a build: launched, stopped, terminated."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any, Final

from cdk_ami.sandbox.imagebuilder.engine.machines import MACHINES
from cdk_ami.sandbox.imagebuilder.engine.plan import CREATED_BY, tag_list
from cdk_ami.sandbox.imagebuilder.engine.session import Session, StepError

_DEFAULT_TYPES: Final = {"x86_64": "m5.large", "arm64": "m6g.large"}
"""Instance type where the infrastructure names none, by architecture: the sandbox's own choice."""


def launch(
    session: Session,
    *,
    image_id: str,
    architecture: str,
    title: str,
    image_arn: str,
    infrastructure: Mapping[str, Any],
    devices: Sequence[Mapping[str, Any]] = (),
    user_data: str | None = None,
) -> str:
    """Launch an instance as the infrastructure configuration says, wait until it runs, and return its id."""
    request = _request(infrastructure, title=title, image_arn=image_arn)
    if devices:
        request["BlockDeviceMappings"] = list(devices)
    if user_data:
        # boto3 encodes it again, so it is handed over plain.
        request["UserData"] = base64.b64decode(user_data).decode()
    types = infrastructure.get("instanceTypes") or [_DEFAULT_TYPES.get(architecture, "m5.large")]
    answer: dict[str, Any] = {}
    for index, instance_type in enumerate(types):
        try:
            answer = session.call(
                "ec2", "run_instances", ImageId=image_id, InstanceType=instance_type, MinCount=1, MaxCount=1, **request
            )
            break
        except StepError as error:
            if "InsufficientInstanceCapacity" not in str(error) or index == len(types) - 1:
                raise
    instance_id: str = answer["Instances"][0]["InstanceId"]
    return instance_id


def wait_running(session: Session, instance_id: str) -> None:
    """Return when the instance runs."""
    _wait(session, instance_id, "running", ("shutting-down", "terminated", "stopping", "stopped"))


def type_of(session: Session, instance_id: str) -> str:
    """Return the type that was launched."""
    answer = session.look("ec2", "describe_instances", InstanceIds=[instance_id])
    return str(answer["Reservations"][0]["Instances"][0]["InstanceType"])


def stop(session: Session, instance_id: str) -> None:
    """Stop the instance, so that its volumes are whole, and return when it has stopped."""
    session.call("ec2", "stop_instances", InstanceIds=[instance_id])
    _wait(session, instance_id, "stopped", ("shutting-down", "terminated"))


def terminate(session: Session, instance_id: str) -> None:
    """Terminate the instance, also in a build that was stopped."""
    MACHINES.drop(instance_id)
    session.last_call("ec2", "terminate_instances", InstanceIds=[instance_id])


def _wait(session: Session, instance_id: str, wanted: str, failed: tuple[str, ...]) -> None:
    def state() -> str:
        answer = session.call("ec2", "describe_instances", InstanceIds=[instance_id])
        found = answer["Reservations"][0]["Instances"][0]
        name, why = str(found["State"]["Name"]), (found.get("StateReason") or {}).get("Message")
        return f"{name}: {why}" if why and name in failed else name

    session.wait_for(state, wanted=wanted, failed=failed, what=f"the instance {instance_id}", at=session.home)


def _request(infrastructure: Mapping[str, Any], *, title: str, image_arn: str) -> dict[str, Any]:
    tags = {
        **(infrastructure.get("resourceTags") or {}),
        "Name": title,
        "CreatedBy": CREATED_BY,
        "Ec2ImageBuilderArn": image_arn,
    }
    request: dict[str, Any] = {
        "IamInstanceProfile": {"Name": infrastructure["instanceProfileName"]},
        "TagSpecifications": [
            {"ResourceType": resource, "Tags": tag_list(tags)} for resource in ("instance", "volume")
        ],
    }
    for ours, theirs in (("subnetId", "SubnetId"), ("securityGroupIds", "SecurityGroupIds"), ("keyPair", "KeyName")):
        if infrastructure.get(ours):
            request[theirs] = infrastructure[ours]
    metadata = infrastructure.get("instanceMetadataOptions") or {}
    options = {
        theirs: metadata[ours]
        for ours, theirs in (("httpTokens", "HttpTokens"), ("httpPutResponseHopLimit", "HttpPutResponseHopLimit"))
        if metadata.get(ours) is not None
    }
    if options:
        request["MetadataOptions"] = options
    placement = infrastructure.get("placement") or {}
    if placement:
        request["Placement"] = {key[0].upper() + key[1:]: value for key, value in placement.items()}
    return request
