"""What EC2 answers to requests about Allowed AMIs, and about the images of instances that run."""

from __future__ import annotations

from typing import Any, Final

from cdk_ami.sandbox.ec2 import allowed
from cdk_ami.sandbox.ec2.call import Answer, Call, Operation
from cdk_ami.sandbox.ec2.image import MILLISECONDS, Image
from cdk_ami.sandbox.ec2.visibility import known_image


def get_allowed_images_settings(call: Call) -> Answer:
    """Answer GetAllowedImagesSettings."""
    held = allowed.settings(call.backend)
    return {"State": held.state, "ImageCriteria": list(held.criteria), "ManagedBy": "account"}


def enable_allowed_images_settings(call: Call) -> Answer:
    """Answer EnableAllowedImagesSettings; without criteria nothing but the account's own images is allowed."""
    state = call.choice("AllowedImagesSettingsState", "enabled", "audit-mode")
    allowed.settings(call.backend).state = state
    return {"AllowedImagesSettingsState": state}


def disable_allowed_images_settings(call: Call) -> Answer:
    """Answer DisableAllowedImagesSettings; the criteria stay."""
    allowed.settings(call.backend).state = "disabled"
    return {"AllowedImagesSettingsState": "disabled"}


def replace_image_criteria(call: Call) -> Answer:
    """Answer ReplaceImageCriteriaInAllowedImagesSettings."""
    criteria = [dict(criterion) for criterion in call.get("ImageCriteria", [])]
    allowed.check_criteria(criteria)
    allowed.settings(call.backend).criteria = list(criteria)
    return {"ReturnValue": True}


def describe_instance_image_metadata(call: Call) -> Answer:
    """Answer DescribeInstanceImageMetadata: the account's instances and the images that they were launched from."""
    wanted = set(call.get("InstanceIds", []))
    for instance_id in wanted:
        call.backend.get_instance(instance_id)  # refuses what does not exist
    instances = [each for each in call.backend.all_instances() if not wanted or each.id in wanted]
    images = {each.id: known_image(call.region, call.account, each.image_id) for each in instances}
    settings = allowed.settings(call.backend)

    def is_allowed(instance: Any) -> bool | None:
        image = images[instance.id]
        return None if image is None else settings.allows(image, call.account)

    known = {
        "availability-zone": lambda each: each.placement.zone,
        "image-allowed": is_allowed,
        "instance-id": lambda each: each.id,
        "instance-state-name": lambda each: each.state,
        "instance-type": lambda each: each.instance_type,
        "launch-time": lambda each: each.launch_time.strftime(MILLISECONDS),
        "owner-alias": lambda each: getattr(images[each.id], "owner_alias", None),
        "owner-id": lambda _: call.account,
        "tag-key": lambda each: [tag["key"] for tag in each.get_tags()],
        "tag:": lambda each: {tag["key"]: tag["value"] for tag in each.get_tags()},
    }
    found = call.select(instances, known)
    records = [
        _record(each, images[each.id], call.account, is_allowed(each) if settings.state != "disabled" else None)
        for each in found
    ]
    return call.page("InstanceImageMetadata", records)


def _record(instance: Any, image: Image | None, account: str, ok: bool | None) -> dict[str, Any]:  # noqa: FBT001 - a fact, no switch
    seen: dict[str, Any] = {"ImageId": instance.image_id}
    if image is not None:
        described = image.describe(account)
        members = (
            "Name",
            "OwnerId",
            "State",
            "ImageOwnerAlias",
            "DeprecationTime",
            "ImageWatermarks",
        )
        seen |= {name: described[name] for name in members if name in described}
        seen |= {"CreationDate": image.created.strftime(MILLISECONDS), "IsPublic": image.sharing.public}
    if ok is not None:
        seen["ImageAllowed"] = ok
    return {
        "AvailabilityZone": instance.placement.zone,
        "ImageMetadata": seen,
        "InstanceId": instance.id,
        "InstanceType": instance.instance_type,
        "LaunchTime": instance.launch_time,
        "OwnerId": account,
        "State": {"Code": instance.state_code, "Name": instance.state},
        "Tags": [{"Key": tag["key"], "Value": tag["value"]} for tag in instance.get_tags()],
    }


OPERATIONS: Final[dict[str, Operation]] = {
    "DescribeInstanceImageMetadata": describe_instance_image_metadata,
    "DisableAllowedImagesSettings": disable_allowed_images_settings,
    "EnableAllowedImagesSettings": enable_allowed_images_settings,
    "GetAllowedImagesSettings": get_allowed_images_settings,
    "ReplaceImageCriteriaInAllowedImagesSettings": replace_image_criteria,
}
