"""Attributes of an AMI, above all who else may launch it; and whether anything may become public."""

from __future__ import annotations

import re
from typing import Any, Final

from moto.ec2.exceptions import AuthFailureRestricted

from cdk_ami.sandbox.ec2.call import Answer, Call, Operation
from cdk_ami.sandbox.ec2.image import Image
from cdk_ami.sandbox.ec2.keys import is_default_key
from cdk_ami.sandbox.ec2.naming import check_description
from cdk_ami.sandbox.ec2.refusal import refusal

_ACCOUNT: Final = re.compile(r"\d{12}")
_ORGANIZATION: Final = re.compile(r"arn:[^:]+:organizations::\d{12}:organization/o-[a-z0-9]{10,32}")
_UNIT: Final = re.compile(r"arn:[^:]+:organizations::\d{12}:ou/o-[a-z0-9]{10,32}/ou-[0-9a-z]{4,32}-[0-9a-z]{8,32}")

_MEMBERS: Final = {
    "bootMode": "BootMode",
    "deregistrationProtection": "DeregistrationProtection",
    "description": "Description",
    "imdsSupport": "ImdsSupport",
    "kernel": "KernelId",
    "lastLaunchedTime": "LastLaunchedTime",
    "ramdisk": "RamdiskId",
    "sriovNetSupport": "SriovNetSupport",
    "tpmSupport": "TpmSupport",
    "uefiData": "UefiData",
}
"""Attributes that are one value each, and where DescribeImageAttribute shows it."""

_FORMS: Final = (
    ("UserIds", "UserId"),
    ("UserGroups", "Group"),
    ("OrganizationArns", "OrganizationArn"),
    ("OrganizationalUnitArns", "OrganizationalUnitArn"),
)


def describe_image_attribute(call: Call) -> Answer:
    """Answer DescribeImageAttribute; attributes are for the owner only."""
    attribute = call.need("Attribute")
    if attribute == "blockDeviceMapping":
        raise AuthFailureRestricted  # EC2 refuses it to everybody
    if attribute not in {*_MEMBERS, "launchPermission", "productCodes"}:
        raise refusal("InvalidRequest", "The request received was invalid")
    image = call.own_image()
    if attribute == "launchPermission":
        return {"ImageId": image.id, "LaunchPermissions": image.sharing.permissions()}
    if attribute == "productCodes":
        return {"ImageId": image.id, "ProductCodes": image.describe(call.account).get("ProductCodes", [])}
    record = image.describe(call.account) | {"UefiData": image.shape.uefi_data or ""}
    member = _MEMBERS[attribute]
    return {"ImageId": image.id, member: {"Value": record.get(member, "")}}


def modify_image_attribute(call: Call) -> Answer:
    """Answer ModifyImageAttribute, in either of its two forms."""
    image = call.own_image()
    attribute, value = call.get("Attribute"), call.get("Value")
    if attribute not in {None, "description", "imdsSupport", "launchPermission"}:
        raise refusal("InvalidParameterValue", f"The attribute {attribute} cannot be modified")
    description = call.get("Description", {}).get("Value", value if attribute == "description" else None)
    imds = call.get("ImdsSupport", {}).get("Value", value if attribute == "imdsSupport" else None)
    if imds not in {None, "v2.0"}:
        raise refusal("InvalidParameterValue", f"The value of imdsSupport must be v2.0, got {imds}")
    changes = _permissions(call)
    if changes and image.disabled:
        raise refusal("InvalidAMIID.Unavailable", f"The image {image.id} is disabled: nobody else can have it")
    for permission, add in changes:
        if add:
            _check_permission(image, permission, call.backend)
    if description is not None:
        image.description = check_description(description)
    if imds is not None:
        image.shape.imds_support = imds
    for permission, add in changes:
        image.sharing.change(permission, add=add)
    return {}


def _permissions(call: Call) -> list[tuple[dict[str, str], bool]]:
    """Return the launch permissions that the request adds (True) and removes (False)."""
    changes = call.get("LaunchPermission", {})
    found = [(dict(permission), True) for permission in changes.get("Add", [])]
    found += [(dict(permission), False) for permission in changes.get("Remove", [])]
    operation = call.get("OperationType")
    for name, key in _FORMS:
        if call.get(name) and operation not in {"add", "remove"}:
            raise refusal("InvalidParameterCombination", f"The parameter {name} needs an operation type")
        found += [({key: value}, operation == "add") for value in call.get(name, [])]
    return found


def _check_permission(image: Image, permission: dict[str, str], backend: Any) -> None:
    for key, form, word in (
        ("UserId", _ACCOUNT, "userId"),
        ("Group", re.compile("all"), "UserGroup"),
        ("OrganizationArn", _ORGANIZATION, "organizationArn"),
        ("OrganizationalUnitArn", _UNIT, "organizationalUnitArn"),
    ):
        value = permission.get(key)
        if value is not None and not form.fullmatch(value):
            raise refusal(
                "InvalidAMIAttributeItemValue", f'Invalid attribute item value "{value}" for {word} item type.'
            )
    public = permission.get("Group") == "all"
    for snapshot_id in image.snapshot_ids:
        snapshot = backend.snapshots.get(snapshot_id)
        if snapshot is None or not snapshot.encrypted:
            continue
        if public:
            raise refusal("InvalidParameter", "Images with encrypted snapshots can't be made public.")
        if is_default_key(snapshot.kms_key_id):
            raise refusal("InvalidParameter", "Snapshots encrypted with the AWS Managed CMK can't be shared")
    if public and image.watermarks:
        raise refusal("OperationNotPermitted", "An image that carries a watermark can't be made public.")
    if public and _public_access(backend) != "unblocked":
        raise refusal(
            "OperationNotPermitted",
            "You can't publicly share this image because block public access for AMIs is enabled for this account",
        )


def reset_image_attribute(call: Call) -> Answer:
    """Answer ResetImageAttribute: nobody but the owner may launch any more."""
    call.choice("Attribute", "launchPermission")
    call.own_image().sharing.clear()
    return {}


def cancel_image_launch_permission(call: Call) -> Answer:
    """Answer CancelImageLaunchPermission: the caller's account gives back what an AMI's owner gave to it alone."""
    image = call.any_image()
    if call.account not in image.sharing.accounts:
        raise refusal("InvalidRequest", f"The image {image.id} is not shared with the account {call.account} itself")
    image.sharing.change({"UserId": call.account}, add=False)
    return {"Return": True}


def enable_image_block_public_access(call: Call) -> Answer:
    """Answer EnableImageBlockPublicAccess."""
    state = call.choice("ImageBlockPublicAccessState", "block-new-sharing")
    call.backend.sandbox_public_images = state
    return {"ImageBlockPublicAccessState": state}


def disable_image_block_public_access(call: Call) -> Answer:
    """Answer DisableImageBlockPublicAccess."""
    call.backend.sandbox_public_images = "unblocked"
    return {"ImageBlockPublicAccessState": "unblocked"}


def get_image_block_public_access_state(call: Call) -> Answer:
    """Answer GetImageBlockPublicAccessState: blocked, as in every new account."""
    return {"ImageBlockPublicAccessState": _public_access(call.backend), "ManagedBy": "account"}


def _public_access(backend: Any) -> str:
    return str(getattr(backend, "sandbox_public_images", "block-new-sharing"))


OPERATIONS: Final[dict[str, Operation]] = {
    "CancelImageLaunchPermission": cancel_image_launch_permission,
    "DescribeImageAttribute": describe_image_attribute,
    "DisableImageBlockPublicAccess": disable_image_block_public_access,
    "EnableImageBlockPublicAccess": enable_image_block_public_access,
    "GetImageBlockPublicAccessState": get_image_block_public_access_state,
    "ModifyImageAttribute": modify_image_attribute,
    "ResetImageAttribute": reset_image_attribute,
}
