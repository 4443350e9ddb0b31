"""Replacing the root volume of an instance that runs: the instance stays, what it boots from is new.

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/replace-root.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from moto.moto_api._internal import mock_random

from cdk_ami.sandbox.clock import CLOCK
from cdk_ami.sandbox.ec2.call import Answer, Call, Operation
from cdk_ami.sandbox.ec2.image import Image
from cdk_ami.sandbox.ec2.naming import tags_by_type
from cdk_ami.sandbox.ec2.refusal import refusal
from cdk_ami.sandbox.ec2.visibility import find_image, known_image
from cdk_ami.sandbox.ec2.volumes import PlannedVolume, make_volume, plan_volume
from cdk_ami.sandbox.pace import PACE

PAGE: Final = 1000
SECOND: Final = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(slots=True, kw_only=True)
class Task:
    """One replacement.

    The volume is exchanged when the task begins; what the clock shows later is only how far it says to be.
    """

    id: str
    instance_id: str
    image_id: str | None
    snapshot_id: str | None
    delete: bool
    failed: bool
    began: datetime
    ends: datetime

    @property
    def state(self) -> str:
        """State in EC2's words, by the clock."""
        now = CLOCK.now()
        if now >= self.ends:
            return "failed" if self.failed else "succeeded"
        half = self.began + (self.ends - self.began) / 2
        return "pending" if now < half else "in-progress"

    def describe(self, tags: Mapping[str, str], state: str) -> dict[str, Any]:
        """Return the record in a state."""
        record = {
            "CompleteTime": self.ends.strftime(SECOND) if state in {"succeeded", "failed"} else None,
            "DeleteReplacedRootVolume": self.delete,
            "ImageId": self.image_id,
            "InstanceId": self.instance_id,
            "ReplaceRootVolumeTaskId": self.id,
            "SnapshotId": self.snapshot_id,
            "StartTime": self.began.strftime(SECOND),
            "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
            "TaskState": state,
        }
        return {name: value for name, value in record.items() if value is not None}


FILTERS: Final[Mapping[str, Callable[[Task], Any]]] = {"instance-id": lambda task: task.instance_id}
"""https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeReplaceRootVolumeTasks.html."""


def replace_root_volume(
    backend: Any,
    instance: Any,
    caller: str,
    *,
    image: Image | None = None,
    snapshot_id: str | None = None,
    volume: Any = None,
    rate: int | None = None,
    delete: bool = False,
    tags: Mapping[str, str] | None = None,
) -> Task:
    """Replace the root volume of a running instance and return the task.

    Args:
        backend: The EC2 of the instance's account and Region.
        instance: The instance.
        caller: ARN of who asks, who must be able to use the keys.
        image: The AMI whose root volume it gets, which then is the instance's own.
        snapshot_id: A snapshot of the volume that it has.
        volume: A volume to put in the place; with neither of these, what the instance was launched with.
        rate: MiB/s at which a snapshot is read.
        delete: Whether the replaced volume goes.
        tags: The task's.

    Raises:
        EC2ClientError: When the instance does not run, or what replaces the volume does not fit.
    """
    if instance.state != "running":
        raise refusal("IncorrectInstanceState", f"The instance '{instance.id}' is not in state 'running'.")
    device = instance.root_device_name
    attached = instance.block_device_mapping[device]
    old = backend.get_volume(attached.volume_id)
    launched = known_image(backend.region_name, backend.account_id, instance.image_id)
    source = image or launched
    if image is not None:
        _check_fit(image, instance, launched)
    plan = None
    if volume is None:
        plan = _plan(backend, instance, caller, old, source=source, snapshot_id=snapshot_id, rate=rate)
    failed = plan is not None and plan.failure is not None
    if not failed:
        new = volume if plan is None else make_volume(backend, instance.placement.zone, plan, {})
        if plan is not None:
            new.add_tags(dict(backend.tags.get(old.id, {})))
        backend.detach_volume(old.id, instance.id, device)
        backend.attach_volume(new.id, instance.id, device, attached.delete_on_termination)
        if delete:
            backend.delete_volume(old.id)
        if image is not None:
            instance.image_id = image.id
    now = CLOCK.now()
    task = Task(
        id=f"replacevol-{mock_random.get_random_hex(17)}",
        instance_id=instance.id,
        image_id=image.id if image is not None else None,
        snapshot_id=plan.snapshot_id if plan is not None else None,
        delete=delete,
        failed=failed,
        began=now,
        ends=now + timedelta(seconds=PACE.image),
    )
    _tasks(backend)[task.id] = task
    backend.tags[task.id] = dict(tags or {})
    return task


def _check_fit(image: Image, instance: Any, launched: Image | None) -> None:
    if image.state != "available":
        raise refusal("InvalidAMIID.Unavailable", f"The image ID '{image.id}' is not available: it is {image.state}")
    wanted = [
        ("architecture", image.architecture, launched.architecture if launched else instance.architecture),
        ("platform", image.platform or "linux", (launched.platform if launched else instance.platform) or "linux"),
        (
            "virtualization type",
            image.virtualization_type,
            launched.virtualization_type if launched else instance.virtualization_type,
        ),
    ]
    for what, new, old in wanted:
        if new != old:
            raise refusal(
                "InvalidParameterValue",
                f"The {what} of the image {image.id}, {new}, is not that of the instance {instance.id}, {old}",
            )


def _plan(
    backend: Any,
    instance: Any,
    caller: str,
    old: Any,
    *,
    source: Image | None,
    snapshot_id: str | None,
    rate: int | None,
) -> PlannedVolume:
    chosen: str | None = old.snapshot_id
    if snapshot_id:
        snapshot = backend.get_snapshot(snapshot_id)
        if snapshot.volume_id != old.id and not _descends(backend, snapshot, old):
            raise refusal(
                "InvalidParameterValue", f"The snapshot {snapshot_id} was not made of the root volume of {instance.id}"
            )
        chosen = snapshot_id
    elif source is not None:
        chosen = _root_snapshot(source)
    ebs = {
        "SnapshotId": chosen,
        "VolumeSize": old.size,
        "VolumeType": old.volume_type,
        "Iops": old.iops,
        "Throughput": old.throughput,
        "VolumeInitializationRate": rate,
    }
    return plan_volume(backend, instance.root_device_name, ebs, caller, image=source)


def _descends(backend: Any, snapshot: Any, old: Any) -> bool:
    """Tell whether a snapshot is of a volume that stood in this one's place before."""
    before = backend.volumes.get(snapshot.volume_id)
    return old.snapshot_id == snapshot.id or (before is not None and before.snapshot_id == old.snapshot_id)


def _root_snapshot(image: Image) -> str:
    for mapping in image.mappings:
        if mapping["DeviceName"] == image.root_device_name:
            return str(mapping["Ebs"]["SnapshotId"])
    raise refusal("InvalidParameterValue", f"The image {image.id} has no root volume")


def create_replace_root_volume_task(call: Call) -> Answer:
    """Answer CreateReplaceRootVolumeTask."""
    named = [name for name in ("ImageId", "SnapshotId", "VolumeId") if call.get(name)]
    if len(named) > 1:
        raise refusal("InvalidParameterCombination", f"Only one of {', '.join(named)} can be given")
    tags = tags_by_type(call.get("TagSpecifications", []), allowed=("replace-root-volume-task",))
    instance = call.backend.get_instance(call.need("InstanceId"))
    image = find_image(call.region, call.account, call.get("ImageId")) if call.get("ImageId") else None
    volume = _free_volume(call, instance) if call.get("VolumeId") else None
    task = replace_root_volume(
        call.backend,
        instance,
        call.caller,
        image=image,
        snapshot_id=call.get("SnapshotId"),
        volume=volume,
        rate=call.get("VolumeInitializationRate"),
        delete=bool(call.get("DeleteReplacedRootVolume")),
        tags=tags.get("replace-root-volume-task"),
    )
    return {"ReplaceRootVolumeTask": task.describe(call.backend.tags[task.id], "pending")}


def _free_volume(call: Call, instance: Any) -> Any:
    volume = call.backend.get_volume(call.get("VolumeId"))
    if volume.status != "available":
        raise refusal("IncorrectState", f"The volume '{volume.id}' is {volume.status}.")
    if volume.zone.name != instance.placement.zone:
        raise refusal("InvalidVolume.ZoneMismatch", f"The volume '{volume.id}' is not in the zone of {instance.id}")
    old = call.backend.get_volume(instance.block_device_mapping[instance.root_device_name].volume_id)
    if old.encrypted and not volume.encrypted:
        raise refusal("InvalidParameterValue", f"The root volume of {instance.id} is encrypted, {volume.id} is not")
    return volume


def _tasks(backend: Any) -> dict[str, Task]:
    # The backend's own dictionary, so that a reset forgets them too.
    held: dict[str, Task] = backend.__dict__.setdefault("sandbox_root_volume_tasks", {})
    return held


def describe_replace_root_volume_tasks(call: Call) -> Answer:
    """Answer DescribeReplaceRootVolumeTasks."""
    held, wanted = _tasks(call.backend), call.get("ReplaceRootVolumeTaskIds", [])
    for task_id in wanted:
        if task_id not in held:
            raise refusal("InvalidReplaceRootVolumeTaskId.NotFound", f"The task '{task_id}' does not exist")
    found = call.select([held[each] for each in wanted] if wanted else held.values(), FILTERS)
    records = [task.describe(call.backend.tags[task.id], task.state) for task in found]
    return call.page("ReplaceRootVolumeTasks", records, largest=PAGE)


OPERATIONS: Final[dict[str, Operation]] = {
    "CreateReplaceRootVolumeTask": create_replace_root_volume_task,
    "DescribeReplaceRootVolumeTasks": describe_replace_root_volume_tasks,
}
