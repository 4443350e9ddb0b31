"""Gives a running instance the root volume of another AMI; all else that it has stays: address, volumes, identity.

It stands in a template as it is, so it is one file, shorter than 4,096 characters, that imports nothing of ours.
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/replace-root.html
"""

import time
from collections.abc import Callable
from typing import Any

import boto3

TAG = "cdk-ami:root-image"
END = {"succeeded", "failed", "failed-detached"}
SECONDS = 840


def handler(event: dict[str, Any], context: Any) -> None:
    """Answer CloudFormation; the end of the resource leaves the instance as it is."""
    import cfnresponse  # type: ignore[import-not-found]  # noqa: PLC0415 - Lambda lays it beside code that stands in a template

    wanted = event["ResourceProperties"]
    name = event.get("PhysicalResourceId") or f"root-of-{event['LogicalResourceId']}"
    try:
        if event["RequestType"] != "Delete":
            run_image(boto3.client("ec2"), wanted["InstanceId"], wanted["ImageId"], token=event["RequestId"])
    except Exception as error:  # noqa: BLE001 - whatever it is, CloudFormation has to hear of it
        cfnresponse.send(event, context, "FAILED", {}, name, reason=str(error))
        return
    cfnresponse.send(event, context, "SUCCESS", {}, name)


def run_image(
    ec2: Any, instance_id: str, image_id: str, *, token: str, sleep: Callable[[float], object] = time.sleep
) -> bool:
    """Let the instance run the AMI; return whether anything was done.  The same token starts no second replacement."""
    if current(ec2, instance_id) == image_id:
        return False
    task = ec2.create_replace_root_volume_task(
        InstanceId=instance_id, ImageId=image_id, ClientToken=token, DeleteReplacedRootVolume=False
    )["ReplaceRootVolumeTask"]["ReplaceRootVolumeTaskId"]
    ticks = iter(range(SECONDS // 5))
    while (found := state(ec2, task)) not in END and next(ticks, None) is not None:
        sleep(5)
    if found != "succeeded":
        raise RuntimeError(f"{task} of {instance_id} for {image_id} is {found}")
    ec2.create_tags(Resources=[instance_id], Tags=[{"Key": TAG, "Value": image_id}])
    while not passes(ec2, instance_id):
        if next(ticks, None) is None:
            raise RuntimeError(f"{instance_id} does not pass its status checks with {image_id}")
        sleep(5)
    return True


def state(ec2: Any, task: str) -> str:
    """Return how far a replacement is."""
    (found,) = ec2.describe_replace_root_volume_tasks(ReplaceRootVolumeTaskIds=[task])["ReplaceRootVolumeTasks"]
    return str(found["TaskState"])


def passes(ec2: Any, instance_id: str) -> bool:
    """Tell whether the instance has booted."""
    found = ec2.describe_instance_status(InstanceIds=[instance_id])["InstanceStatuses"]
    return bool(found) and found[0]["InstanceStatus"]["Status"] == "ok"


def current(ec2: Any, instance_id: str) -> str:
    """Return the AMI of the root volume: of the newest replacement, as noted, or as launched.

    EC2 forgets replacements after a while, so each is noted in a tag as well.
    """
    here = [{"Name": "instance-id", "Values": [instance_id]}]
    pages = ec2.get_paginator("describe_replace_root_volume_tasks").paginate(Filters=here)
    tasks = [one for page in pages for one in page["ReplaceRootVolumeTasks"] if one["TaskState"] == "succeeded"]
    newest: dict[str, Any] = max(tasks, key=lambda one: one["CompleteTime"], default={})
    (instance,) = ec2.describe_instances(InstanceIds=[instance_id])["Reservations"][0]["Instances"]
    noted = {tag["Key"]: tag["Value"] for tag in instance.get("Tags", ())}.get(TAG)
    found: str = newest.get("ImageId") or noted or instance["ImageId"]
    return found
