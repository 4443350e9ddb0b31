"""CreateVolume, checked as a launch checks its volumes, and AttachVolume, which takes a free volume of the zone."""

from __future__ import annotations

from typing import Any, Final

from cdk_ami.sandbox.ec2.call import Answer, Call, Operation
from cdk_ami.sandbox.ec2.naming import tags_by_type
from cdk_ami.sandbox.ec2.refusal import refusal
from cdk_ami.sandbox.ec2.volumes import WITH_IOPS, HeldVolume, make_volume, plan_volume


def create_volume(call: Call) -> Answer:
    """Answer CreateVolume.  A key that cannot be used gives a volume in state ``error``."""
    volume_type = call.get("VolumeType", "gp2")
    if call.get("Iops") and volume_type not in WITH_IOPS:
        raise refusal("InvalidParameterCombination", f"The parameter iops is not supported for {volume_type} volumes.")
    if call.get("Throughput") and volume_type != "gp3":
        raise refusal(
            "InvalidParameterCombination", f"The parameter throughput is not supported for {volume_type} volumes."
        )
    if call.get("MultiAttachEnabled") and volume_type not in {"io1", "io2"}:
        raise refusal("InvalidParameterCombination", f"Multi-attach is not supported for {volume_type} volumes.")
    if call.get("VolumeInitializationRate") is not None and not call.get("SnapshotId"):
        raise refusal("InvalidParameterCombination", "A volume initialization rate needs a snapshot")
    tags = tags_by_type(call.get("TagSpecifications", []), allowed=("volume",))
    ebs = {name: value for name, value in call.request.items() if name not in {"Size", "TagSpecifications"}}
    plan = plan_volume(call.backend, "the volume", {**ebs, "VolumeSize": call.get("Size")}, call.caller)
    volume = make_volume(call.backend, _zone(call), plan, tags.get("volume", {}))
    volume.multi_attach_enabled = call.get("MultiAttachEnabled")
    return _record(volume)


def _zone(call: Call) -> str:
    name, zone_id = call.get("AvailabilityZone"), call.get("AvailabilityZoneId")
    if bool(name) == bool(zone_id):
        raise refusal("MissingParameter", "Name the zone by AvailabilityZone or by AvailabilityZoneId")
    zones = call.backend.describe_availability_zones()
    found = next((zone for zone in zones if zone.name == name or zone.zone_id == zone_id), None)
    if found is None:
        raise refusal("InvalidZone.NotFound", f"The zone '{name or zone_id}' does not exist.")
    return str(found.name)


def _record(volume: HeldVolume) -> dict[str, Any]:
    record = {
        "AvailabilityZone": volume.availability_zone,
        "CreateTime": volume.create_time,
        "Encrypted": volume.encrypted,
        "FastRestored": volume.fast_restored or None,
        "Iops": volume.iops,
        "KmsKeyId": volume.kms_key_id,
        "MultiAttachEnabled": bool(volume.multi_attach_enabled),
        "Size": volume.size,
        "SnapshotId": volume.snapshot_id or "",
        "State": "creating",
        "Tags": [{"Key": tag["key"], "Value": tag["value"]} for tag in volume.get_tags()],
        "Throughput": volume.throughput,
        "VolumeId": volume.id,
        "VolumeInitializationRate": volume.volume_initialization_rate,
        "VolumeType": volume.volume_type,
    }
    return {name: value for name, value in record.items() if value is not None}


def attach_volume(call: Call) -> Answer:
    """Answer AttachVolume."""
    volume = call.backend.get_volume(call.need("VolumeId"))
    instance = call.backend.get_instance(call.need("InstanceId"))
    device = call.need("Device")
    if volume.status == "in-use" and not volume.multi_attach_enabled:
        raise refusal("VolumeInUse", f"{volume.id} is already attached to an instance")
    if volume.status not in {"available", "in-use"}:
        raise refusal("IncorrectState", f"The volume '{volume.id}' is {volume.status}.")
    if volume.zone.name != instance.placement.zone:
        raise refusal("InvalidVolume.ZoneMismatch", f"The volume '{volume.id}' is not in the zone of {instance.id}")
    if instance.state not in {"running", "stopped"}:
        raise refusal("IncorrectState", f"Instance '{instance.id}' is not 'running'.")
    if device in instance.block_device_mapping:
        raise refusal(
            "InvalidParameterValue",
            f"Invalid value '{device}' for unixDevice. Attachment point {device} is already in use",
        )
    made = call.backend.attach_volume(volume.id, instance.id, device)
    return {
        "AttachTime": made.attach_time,
        "Device": device,
        "InstanceId": instance.id,
        "State": "attaching",
        "VolumeId": volume.id,
    }


OPERATIONS: Final[dict[str, Operation]] = {"AttachVolume": attach_volume, "CreateVolume": create_volume}
