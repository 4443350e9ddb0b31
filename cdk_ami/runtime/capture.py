"""Captures an AMI from a server by hand: what ``InstanceCapture`` does, with the progress of each snapshot.

It may be interrupted at any moment and run again: the AMI is known by its name, the state of the server by a tag.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from botocore.exceptions import ClientError

from cdk_ami.build.capture_plan import (
    CAPTURE_TAG,
    FROM_TAG,
    STATE_TAG,
    Afterwards,
    ami_tags,
    capture_name,
    mappings_without,
    tag_list,
)

FIRST_PAUSE_SECONDS: Final = 1.0
LONGEST_PAUSE_SECONDS: Final = 15.0
"""How long to wait between two looks: the first one, and the longest; each is half as long again as the one before."""

STOP_SECONDS: Final = 1800.0
"""How long a server may take to stop, or to run again."""

_GONE: Final = ("terminated", "shutting-down")


class CaptureError(RuntimeError):
    """A server that cannot be captured, or an AMI that failed, with the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureOrder:
    """What somebody asks for.

    Attributes:
        instance: The instance's id.
        image: Name of the image.
        capture_id: What tells this capture from others; the same one goes on where it was.
        stops: Whether the server is stopped.
        afterwards: What becomes of it.
        without: Devices that are left out.
        tags: Further tags of AMI and snapshots.
        discard_instance_store: Whether instance store volumes may be lost.
    """

    instance: str
    image: str
    capture_id: str
    stops: bool = True
    afterwards: Afterwards = Afterwards.AS_BEFORE
    without: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    discard_instance_store: bool = False

    @property
    def name(self) -> str:
        """Name of the AMI."""
        return capture_name(self.image, self.capture_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One snapshot on its way.

    Attributes:
        snapshot_id: Its id.
        volume_id: The volume.
        size_gib: Size of the volume.
        state: Its state.
        progress: How far it is, such as ``40%``.
    """

    snapshot_id: str
    volume_id: str
    size_gib: int
    state: str
    progress: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """The server, as it is before anything is done.

    Attributes:
        instance: Its id.
        state: Its state now.
        was: The state to bring it back to: that of a capture that was interrupted, else its state now.
        volumes: Its volumes, by device.
        problems: Why it cannot be captured.
    """

    instance: str
    state: str
    was: str
    volumes: Mapping[str, str]
    problems: tuple[str, ...]


Tell = Callable[[str], object]
Sleep = Callable[[float], object]


def look_at(ec2: Any, autoscaling: Any, order: CaptureOrder) -> Server:
    """Return the server and why it cannot be captured; reads only.

    Raises:
        CaptureError: When there is no such instance.
    """
    found = [
        one
        for page in ec2.describe_instances(InstanceIds=[order.instance])["Reservations"]
        for one in page["Instances"]
    ]
    if not found:
        raise CaptureError(f"there is no instance {order.instance} here")
    (instance,) = found
    state = instance["State"]["Name"]
    marks = {tag["Key"]: tag["Value"] for tag in instance.get("Tags", ())}
    volumes = {
        mapping["DeviceName"]: mapping["Ebs"]["VolumeId"]
        for mapping in instance.get("BlockDeviceMappings", ())
        if "Ebs" in mapping
    }
    return Server(
        instance=order.instance,
        state=state,
        was=marks.get(STATE_TAG, state),
        volumes=volumes,
        problems=tuple(_problems(ec2, autoscaling, instance, order, volumes)),
    )


def _problems(
    ec2: Any, autoscaling: Any, instance: Mapping[str, Any], order: CaptureOrder, volumes: Mapping[str, str]
) -> Iterator[str]:
    state = instance["State"]["Name"]
    if state not in {"running", "stopped", "stopping"}:
        yield f"it is {state}, and an instance is captured when it runs or is stopped"
    if instance.get("InstanceLifecycle") == "spot":
        yield "it is a Spot instance, which may be taken away while it is captured"
    if instance.get("ProductCodes"):
        yield "it has product codes of the Marketplace, and an AMI with such codes cannot be copied as one likes"
    if instance.get("RootDeviceType") == "instance-store":
        yield "it starts from an instance store volume, of which EC2 makes no AMI"
    yield from _problems_of_volumes(instance, order, volumes)
    touched = order.stops or order.afterwards is Afterwards.TERMINATE
    if touched and autoscaling.describe_auto_scaling_instances(InstanceIds=[order.instance])["AutoScalingInstances"]:
        yield "it belongs to an Auto Scaling group, which would replace it; put it into standby first, or detach it"
    if order.stops and state == "running" and not order.discard_instance_store:
        kinds = ec2.describe_instance_types(InstanceTypes=[instance["InstanceType"]])["InstanceTypes"]
        if any(kind.get("InstanceStorageSupported") for kind in kinds):
            yield "it has instance store volumes, whose data a stop loses; allow that with --discard-instance-store"


def _problems_of_volumes(instance: Mapping[str, Any], order: CaptureOrder, volumes: Mapping[str, str]) -> Iterator[str]:
    for device in order.without:
        if device not in volumes:
            yield f"it has no volume at {device}, only at {', '.join(volumes)}"
        elif device == instance.get("RootDeviceName"):
            yield f"{device} is its root volume, which an AMI needs"


def unencrypted(ec2: Any, order: CaptureOrder, server: Server) -> list[str]:
    """Return the devices of the server that would be in the AMI and are not encrypted."""
    taken = {volume: device for device, volume in server.volumes.items() if device not in order.without}
    found = ec2.describe_volumes(VolumeIds=list(taken))["Volumes"] if taken else []
    return sorted(taken[one["VolumeId"]] for one in found if not one["Encrypted"])


def find_captured(ec2: Any, order: CaptureOrder) -> dict[str, Any] | None:
    """Return the AMI of this capture, None while there is none."""
    images = ec2.describe_images(Owners=["self"], Filters=[{"Name": "name", "Values": [order.name]}])["Images"]
    return images[0] if images else None


def capture(ec2: Any, order: CaptureOrder, server: Server, *, tell: Tell, sleep: Sleep = time.sleep) -> str:
    """Make the AMI of a server, or find the one of before, and bring the server back; return the AMI's id.

    The AMI may still be pending: EC2 has taken the moment of every volume, and uploads it.

    Args:
        ec2: Client of EC2.
        order: What is asked for.
        server: The server as it was found, with nothing against it.
        tell: Takes a line about each thing that is done.
        sleep: Waits so many seconds.
    """
    known = find_captured(ec2, order)
    if known is not None:
        tell(f"{known['ImageId']} is the AMI of this capture already")
        if order.stops and order.afterwards is not Afterwards.TERMINATE:
            _bring_back(ec2, order, server, tell=tell, sleep=sleep)
        return str(known["ImageId"])
    if not order.stops:
        return _create(ec2, order, tell)
    with _brought_back(ec2, order, server, tell=tell, sleep=sleep):
        ec2.create_tags(Resources=[order.instance], Tags=[{"Key": STATE_TAG, "Value": server.was}])
        if server.state != "stopped":
            tell(f"Stopping {order.instance}")
        ec2.stop_instances(InstanceIds=[order.instance])
        _wait_for(ec2, order.instance, "stopped", sleep=sleep)
        return _create(ec2, order, tell)


def _create(ec2: Any, order: CaptureOrder, tell: Tell) -> str:
    tags = tag_list({**ami_tags(order.image, order.tags), CAPTURE_TAG: order.capture_id, FROM_TAG: order.instance})
    request: dict[str, Any] = {"BlockDeviceMappings": mappings_without(order.without)} if order.without else {}
    made = ec2.create_image(
        InstanceId=order.instance,
        Name=order.name,
        Description=f"{order.image}, captured from {order.instance}",
        NoReboot=True,
        TagSpecifications=[{"ResourceType": "image", "Tags": tags}, {"ResourceType": "snapshot", "Tags": tags}],
        **request,
    )
    tell(f"{made['ImageId']} is being made of {order.instance}")
    return str(made["ImageId"])


@contextmanager
def _brought_back(ec2: Any, order: CaptureOrder, server: Server, *, tell: Tell, sleep: Sleep) -> Iterator[None]:
    """Bring the server back at the end of the block, also when something fails or somebody interrupts.

    One that is to be terminated stays stopped when nothing fails, until ``finish``.
    """
    try:
        yield
    except BaseException:
        _bring_back(ec2, order, server, tell=tell, sleep=sleep)
        raise
    if order.afterwards is not Afterwards.TERMINATE:
        _bring_back(ec2, order, server, tell=tell, sleep=sleep)


def _bring_back(ec2: Any, order: CaptureOrder, server: Server, *, tell: Tell, sleep: Sleep) -> None:
    runs = server.was == "running" and order.afterwards in {Afterwards.AS_BEFORE, Afterwards.TERMINATE}
    if runs or order.afterwards is Afterwards.START:
        deadline = STOP_SECONDS
        while True:
            try:
                ec2.start_instances(InstanceIds=[order.instance])
                break
            except ClientError as error:
                # An instance that is still stopping cannot be started yet.
                if error.response["Error"]["Code"] != "IncorrectInstanceState" or deadline <= 0:
                    raise
            sleep(LONGEST_PAUSE_SECONDS)
            deadline -= LONGEST_PAUSE_SECONDS
        _wait_for(ec2, order.instance, "running", sleep=sleep)
        tell(f"{order.instance} runs again")
    elif order.afterwards is Afterwards.LEAVE_STOPPED:
        ec2.stop_instances(InstanceIds=[order.instance])
        _wait_for(ec2, order.instance, "stopped", sleep=sleep)
        tell(f"{order.instance} stays stopped")
    ec2.delete_tags(Resources=[order.instance], Tags=[{"Key": STATE_TAG}])


def finish(ec2: Any, order: CaptureOrder, *, tell: Tell) -> None:
    """Terminate a server that is needed no more, where that is asked for."""
    if order.afterwards is Afterwards.TERMINATE:
        ec2.terminate_instances(InstanceIds=[order.instance])
        tell(f"{order.instance} is terminated")


def abandon(ec2: Any, order: CaptureOrder, server: Server, *, tell: Tell, sleep: Sleep = time.sleep) -> None:
    """Bring a server back that was to be terminated, because something failed after its AMI was begun."""
    if order.stops and order.afterwards is Afterwards.TERMINATE:
        _bring_back(ec2, order, server, tell=tell, sleep=sleep)


def snapshots_of(ec2: Any, ami: str) -> tuple[str, list[Snapshot]]:
    """Return the state of an AMI, and its snapshots.

    Raises:
        CaptureError: When it failed; it is deregistered then, because it would keep its name from the next try.
    """
    (image,) = ec2.describe_images(ImageIds=[ami])["Images"]
    if image["State"] in {"failed", "error", "invalid"}:
        ec2.deregister_image(ImageId=ami)
        reason = (image.get("StateReason") or {}).get("Message", "no reason is given")
        raise CaptureError(f"{ami} failed: {reason}; run the same command to try again")
    ids = [
        mapping["Ebs"]["SnapshotId"]
        for mapping in image.get("BlockDeviceMappings", ())
        if "SnapshotId" in mapping.get("Ebs", {})
    ]
    filters = [{"Name": "snapshot-id", "Values": ids}]
    found = ec2.describe_snapshots(Filters=filters)["Snapshots"] if ids else []
    return image["State"], [
        Snapshot(
            snapshot_id=one["SnapshotId"],
            volume_id=one.get("VolumeId", ""),
            size_gib=one["VolumeSize"],
            state=one["State"],
            progress=one.get("Progress", ""),
        )
        for one in found
    ]


def wait_available(
    ec2: Any, ami: str, *, tell: Callable[[Sequence[Snapshot]], object], sleep: Sleep = time.sleep
) -> list[Snapshot]:
    """Return the snapshots of an AMI when it is available, and tell of them at each look."""
    pause = FIRST_PAUSE_SECONDS
    while True:
        state, snapshots = snapshots_of(ec2, ami)
        tell(snapshots)
        if state == "available":
            return snapshots
        sleep(pause)
        pause = min(pause * 1.5, LONGEST_PAUSE_SECONDS)


def _wait_for(ec2: Any, instance: str, wanted: str, *, sleep: Sleep) -> None:
    pause, waited = FIRST_PAUSE_SECONDS, 0.0
    while True:
        pages = ec2.describe_instances(InstanceIds=[instance])["Reservations"]
        state = pages[0]["Instances"][0]["State"]["Name"]
        if state == wanted:
            return
        if state in _GONE:
            raise CaptureError(f"{instance} is {state}")
        if waited >= STOP_SECONDS:
            raise CaptureError(f"{instance} is still {state} after {STOP_SECONDS:g} s")
        sleep(pause)
        waited += pause
        pause = min(pause * 1.5, LONGEST_PAUSE_SECONDS)
