"""Keeps fast snapshot restore on for a channel's AMI while it is new, and for nothing else.

It stands in a template as it is: one file, shorter than 4,096 characters, that imports nothing of ours.
What is on costs, so it is written down before it is switched on, and forgotten when it is off.
https://docs.aws.amazon.com/ebs/latest/userguide/ebs-fast-snapshot-restore.html
"""

import json
import os
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3


def handler(event: dict[str, Any], context: Any) -> Any:
    """Look at the channel: it moved, an hour has gone by, or CloudFormation asks."""
    ec2, ssm, settings = boto3.client("ec2"), boto3.client("ssm"), json.loads(os.environ["SETTINGS"])
    if "RequestType" not in event:
        return reconcile(ec2, ssm, settings, now=datetime.fromisoformat(event["time"]))
    import cfnresponse  # type: ignore[import-not-found]  # noqa: PLC0415 - beside inline code

    try:
        reconcile(ec2, ssm, settings, now=datetime.now(UTC), end=event["RequestType"] == "Delete")
    except Exception as error:  # noqa: BLE001 - CloudFormation has to hear of it
        return cfnresponse.send(event, context, "FAILED", {}, "fast", reason=str(error))
    return cfnresponse.send(event, context, "SUCCESS", {}, "fast")


def reconcile(ec2: Any, ssm: Any, settings: dict[str, Any], *, now: datetime, end: bool = False) -> None:
    """Switch on what shall be on, and off what shall not."""
    name = settings["State"]
    version, state = load(ssm, name)
    image = None if end else ssm.get_parameter(Name=settings["Channel"])["Parameter"]["Value"]
    if image != state["image"]:
        state |= {"image": image, "since": now.isoformat()}
    new = image and now - datetime.fromisoformat(state["since"]) < timedelta(hours=settings["Hours"])
    wanted = [[one, zone] for one in snapshots(ec2, image) for zone in settings["Zones"]] if new else []
    extra = [pair for pair in state["on"] if pair not in wanted]
    version = save(ssm, name, state | {"on": extra + wanted}, version)
    there = held(ec2, [one for one, _ in extra + wanted])
    switch(ec2.enable_fast_snapshot_restores, [pair for pair in wanted if pair not in there])
    switch(ec2.disable_fast_snapshot_restores, [pair for pair in extra if pair in there])
    if end:
        ssm.delete_parameter(Name=name)
    else:
        save(ssm, name, state | {"on": wanted}, version)


def held(ec2: Any, ids: list[str]) -> list[list[str]]:
    """Return which snapshots are fast in which zones."""
    chosen = [{"Name": "snapshot-id", "Values": ids}]
    found = ec2.describe_fast_snapshot_restores(Filters=chosen)["FastSnapshotRestores"] if ids else []
    return [[one["SnapshotId"], one["AvailabilityZone"]] for one in found if "disabl" not in one["State"]]


def switch(call: Any, pairs: list[list[str]]) -> None:
    """Switch pairs of a snapshot and a zone."""
    for one, zone in pairs:
        if failed := call(AvailabilityZones=[zone], SourceSnapshotIds=[one])["Unsuccessful"]:
            raise RuntimeError(f"{one} in {zone}: {failed}")


def snapshots(ec2: Any, image: Any) -> list[str]:
    """Return the snapshots of an AMI."""
    (found,) = ec2.describe_images(ImageIds=[image])["Images"]
    return [one["Ebs"]["SnapshotId"] for one in found["BlockDeviceMappings"] if "SnapshotId" in one.get("Ebs", {})]


def load(ssm: Any, name: str) -> tuple[int, dict[str, Any]]:
    """Return the version and the value of what was written down."""
    try:
        found = ssm.get_parameter(Name=name)["Parameter"]
    except ssm.exceptions.ParameterNotFound:
        return 0, {"image": None, "since": "", "on": []}
    return found["Version"], json.loads(found["Value"])


def save(ssm: Any, name: str, state: dict[str, Any], version: int) -> int:
    """Write it down as the next version; after another's, begin again."""
    made: int = ssm.put_parameter(Name=name, Value=json.dumps(state), Type="String", Overwrite=True)["Version"]
    if made != version + 1:
        raise RuntimeError(f"{name} was written by two at once")
    return made
