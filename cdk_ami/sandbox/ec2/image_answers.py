"""What EC2 answers to requests about AMIs."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from moto.core.responses import ActionResult, EmptyResult
from moto.ec2.exceptions import AuthFailureRestricted, EC2ClientError

from cdk_ami.sandbox.ec2.image import Image
from cdk_ami.sandbox.ec2.keys import is_default_key
from cdk_ami.sandbox.ec2.naming import check_description
from cdk_ami.sandbox.ec2.references import references
from cdk_ami.sandbox.ec2.refusal import refusal
from cdk_ami.sandbox.ec2.visibility import find_image, own_image

NEW: Final = frozenset(
    {
        "enable_image_deprecation",
        "disable_image_deprecation",
        "enable_image_deregistration_protection",
        "disable_image_deregistration_protection",
        "enable_image_block_public_access",
        "disable_image_block_public_access",
        "get_image_block_public_access_state",
        "get_image_ancestry",
        "describe_image_references",
        "_permissions",
    }
)
"""Operations that the emulator must not have yet."""

REFERENCE_LIMIT: Final = 10
"""AMIs in one DescribeImageReferences.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeImageReferences.html
"""

PAGE_LIMIT: Final = 1000
"""Largest page of DescribeImages.  https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeImages.html."""

_ATTRIBUTES: Final = {
    "description",
    "launchPermission",
    "bootMode",
    "imdsSupport",
    "lastLaunchedTime",
    "deregistrationProtection",
    "sriovNetSupport",
    "productCodes",
    "kernel",
    "ramdisk",
    "tpmSupport",
    "uefiData",
}
_ACCOUNT: Final = re.compile(r"\d{12}")


class ImageAnswers:
    """Methods for the emulator's ``AmisResponse``."""

    ec2_backend: Any
    current_account: str
    region: str
    params: dict[str, Any]
    _get_param: Any
    _filters_from_querystring: Any
    error_on_dryrun: Any

    def create_image(self) -> ActionResult:
        """Answer CreateImage."""
        self.error_on_dryrun()
        return ActionResult({"ImageId": self.ec2_backend.sandbox_create_image(dict(self.params)).id})

    def copy_image(self) -> ActionResult:
        """Answer CopyImage."""
        self.error_on_dryrun()
        return ActionResult({"ImageId": self.ec2_backend.sandbox_copy_image(dict(self.params)).id})

    def register_image(self) -> ActionResult:
        """Answer RegisterImage."""
        self.error_on_dryrun()
        return ActionResult({"ImageId": self.ec2_backend.sandbox_register_image(dict(self.params)).id})

    def deregister_image(self) -> ActionResult:
        """Answer DeregisterImage: its snapshots go only when asked for, and only those that no other AMI holds."""
        self.error_on_dryrun()
        backend, image_id = self.ec2_backend, self._get_param("ImageId")
        image = own_image(self.region, self.current_account, image_id)
        backend.deregister_image(image_id)
        results = []
        if self._get_param("DeleteAssociatedSnapshots"):
            held = {snapshot for other in list(backend.amis.values()) for snapshot in other.snapshot_ids}
            for snapshot_id in image.snapshot_ids:
                if snapshot_id in held or backend.snapshots.pop(snapshot_id, None) is None:
                    results.append({"SnapshotId": snapshot_id, "ReturnCode": "skipped"})
                else:
                    results.append({"SnapshotId": snapshot_id, "ReturnCode": "success"})
        return ActionResult({"Return": True, "DeleteSnapshotResults": results})

    def describe_images(self) -> ActionResult:
        """Answer DescribeImages."""
        self.error_on_dryrun()
        image_ids = self._get_param("ImageIds", [])
        images = self.ec2_backend.describe_images(
            ami_ids=image_ids,
            filters=self._filters_from_querystring(),
            exec_users=self._get_param("ExecutableUsers", []),
            owners=self._get_param("Owners", []),
        )
        account = self.current_account
        if not image_ids:
            deprecated, disabled = self._get_param("IncludeDeprecated"), self._get_param("IncludeDisabled")
            images = [
                image
                for image in images
                if (deprecated or not image.deprecated or image.owner_id == account)
                and (disabled or not image.disabled)
            ]
        limit = self._get_param("MaxResults") or PAGE_LIMIT
        start = int(self._get_param("NextToken") or 0)
        page = images[start : start + limit]
        token = str(start + limit) if start + limit < len(images) else None
        return ActionResult({"Images": [image.describe(account) for image in page], "NextToken": token})

    def describe_image_attribute(self) -> ActionResult:
        """Answer DescribeImageAttribute; launch permissions are for the owner only."""
        image_id, attribute = self._get_param("ImageId"), self._get_param("Attribute")
        if attribute == "blockDeviceMapping":
            raise AuthFailureRestricted  # EC2 refuses it to everybody
        if attribute not in _ATTRIBUTES:
            raise refusal("InvalidRequest", "The request received was invalid")
        image = own_image(self.region, self.current_account, image_id)
        if attribute == "launchPermission":
            return ActionResult({"ImageId": image_id, "LaunchPermissions": image.sharing.permissions()})
        if attribute == "productCodes":
            return ActionResult({"ImageId": image_id, "ProductCodes": []})
        record = image.describe(self.current_account)
        key = attribute[0].upper() + attribute[1:]
        member = {"Kernel": "KernelId", "Ramdisk": "RamdiskId"}.get(key, key)
        return ActionResult({"ImageId": image_id, member: {"Value": record.get(key, "")}})

    def modify_image_attribute(self) -> ActionResult:
        """Answer ModifyImageAttribute, in either of its two forms."""
        image = own_image(self.region, self.current_account, self._get_param("ImageId"))
        self.error_on_dryrun()
        attribute, value = self._get_param("Attribute"), self._get_param("Value")
        description = self._get_param("Description.Value")
        if attribute == "description" or description is not None:
            image.description = check_description(description if description is not None else value)
        imds = self._get_param("ImdsSupport.Value") or (value if attribute == "imdsSupport" else None)
        if imds is not None:
            if imds != "v2.0":
                raise refusal("InvalidParameterValue", f"The value of imdsSupport must be v2.0, got {imds}")
            image.shape.imds_support = imds
        for permission, add in self._permissions():
            if add:
                _check_permission(image, permission, self.ec2_backend)
            image.sharing.change(permission, add=add)
        return EmptyResult()

    def _permissions(self) -> list[tuple[dict[str, str], bool]]:
        """Return the launch permissions that the request adds (True) and removes (False)."""
        changes = self._get_param("LaunchPermission", {}) or {}
        found = [(dict(permission), True) for permission in changes.get("Add", [])]
        found += [(dict(permission), False) for permission in changes.get("Remove", [])]
        operation = self._get_param("OperationType")
        if operation in {"add", "remove"}:
            for name, key in (
                ("UserIds", "UserId"),
                ("UserGroups", "Group"),
                ("OrganizationArns", "OrganizationArn"),
                ("OrganizationalUnitArns", "OrganizationalUnitArn"),
            ):
                found += [({key: value}, operation == "add") for value in self._get_param(name, [])]
        return found

    def reset_image_attribute(self) -> ActionResult:
        """Answer ResetImageAttribute: nobody but the owner may launch any more."""
        self.error_on_dryrun()
        own_image(self.region, self.current_account, self._get_param("ImageId")).sharing.clear()
        return ActionResult({"Return": True})

    def disable_image(self) -> ActionResult:
        """Answer DisableImage, which also takes back every launch permission."""
        self.error_on_dryrun()
        image = own_image(self.region, self.current_account, self._get_param("ImageId"))
        if image.state not in {"available", "disabled"}:
            raise refusal("IncorrectState", f"The image {image.id} is {image.state}")
        image.disabled = True
        image.sharing.clear()
        return ActionResult({"Return": True})

    def enable_image(self) -> ActionResult:
        """Answer EnableImage; launch permissions do not come back."""
        self.error_on_dryrun()
        own_image(self.region, self.current_account, self._get_param("ImageId")).disabled = False
        return ActionResult({"Return": True})

    def enable_image_deprecation(self) -> ActionResult:
        """Answer EnableImageDeprecation: a date to come, at most ten years ahead, two for public AMIs."""
        self.error_on_dryrun()
        image = own_image(self.region, self.current_account, self._get_param("ImageId"))
        when, now = self._get_param("DeprecateAt"), datetime.now(UTC)
        if isinstance(when, str):
            when = datetime.fromisoformat(when)
        when = when.replace(tzinfo=when.tzinfo or UTC)
        years = 2 if image.sharing.public else 10
        if not now < when <= now + timedelta(days=366 * years):
            raise refusal(
                "InvalidParameterValue",
                f"DeprecateAt must be in the future and at most {years} years ahead, got {when}",
            )
        image.deprecated_at = when.strftime("%Y-%m-%dT%H:%M:00.000Z")
        return ActionResult({"Return": True})

    def disable_image_deprecation(self) -> ActionResult:
        """Answer DisableImageDeprecation."""
        self.error_on_dryrun()
        own_image(self.region, self.current_account, self._get_param("ImageId")).deprecated_at = None
        return ActionResult({"Return": True})

    def enable_image_deregistration_protection(self) -> ActionResult:
        """Answer EnableImageDeregistrationProtection."""
        self.error_on_dryrun()
        image = own_image(self.region, self.current_account, self._get_param("ImageId"))
        image.protection = "enabled-with-cooldown" if self._get_param("WithCooldown") else "enabled-without-cooldown"
        return ActionResult({"Return": image.protection})

    def disable_image_deregistration_protection(self) -> ActionResult:
        """Answer DisableImageDeregistrationProtection; the cool-down of 24 hours is over at once."""
        self.error_on_dryrun()
        image = own_image(self.region, self.current_account, self._get_param("ImageId"))
        image.protection = "disabled"
        return ActionResult({"Return": image.protection})

    def enable_image_block_public_access(self) -> ActionResult:
        """Answer EnableImageBlockPublicAccess."""
        self.error_on_dryrun()
        state = self._get_param("ImageBlockPublicAccessState")
        if state != "block-new-sharing":
            raise refusal("InvalidParameterValue", f"Invalid value '{state}' for imageBlockPublicAccessState")
        self.ec2_backend.sandbox_public_images = state
        return ActionResult({"ImageBlockPublicAccessState": state})

    def disable_image_block_public_access(self) -> ActionResult:
        """Answer DisableImageBlockPublicAccess."""
        self.error_on_dryrun()
        self.ec2_backend.sandbox_public_images = "unblocked"
        return ActionResult({"ImageBlockPublicAccessState": "unblocked"})

    def get_image_block_public_access_state(self) -> ActionResult:
        """Answer GetImageBlockPublicAccessState: blocked, as in every new account."""
        return ActionResult({"ImageBlockPublicAccessState": _public_access(self.ec2_backend), "ManagedBy": "account"})

    def get_image_ancestry(self) -> ActionResult:
        """Answer GetImageAncestry: the AMI, what it was made of, and so on to the vendor's."""
        image = find_image(self.region, self.current_account, self._get_param("ImageId"))
        entries: list[dict[str, Any]] = []
        current: Image | None = image
        while current is not None and len(entries) < PAGE_LIMIT:
            origin = current.origin
            entries.append(
                {
                    "CreationDate": current.created,
                    "ImageId": current.id,
                    "ImageOwnerAlias": current.owner_alias,
                    "SourceImageId": origin.image_id,
                    "SourceImageRegion": origin.region,
                }
            )
            current = _parent(current, self.current_account)
        return ActionResult({"ImageAncestryEntries": entries})

    def describe_image_references(self) -> ActionResult:
        """Answer DescribeImageReferences: the account's instances, launch templates and parameters that name an AMI."""
        image_ids = self._get_param("ImageIds", [])
        if not 1 <= len(image_ids) <= REFERENCE_LIMIT:
            raise refusal("InvalidParameterValue", f"Between 1 and {REFERENCE_LIMIT} image ids are allowed")
        wanted = {chosen["ResourceType"] for chosen in self._get_param("ResourceTypes", [])}
        if not wanted and not self._get_param("IncludeAllResourceTypes"):
            raise refusal("MissingParameter", "Name resourceTypes, or set includeAllResourceTypes")
        for image_id in image_ids:
            own_image(self.region, self.current_account, image_id)
        found = [
            reference
            for reference in references(self.ec2_backend, image_ids)
            if not wanted or reference["ResourceType"] in wanted
        ]
        return ActionResult({"ImageReferences": found})


def _parent(image: Image, account: str) -> Image | None:
    if not image.origin.image_id or not image.origin.region:
        return None
    try:
        return find_image(image.origin.region, account, image.origin.image_id)
    except EC2ClientError:  # gone, or not ours to see: there the ancestry ends
        return None


def _public_access(backend: Any) -> str:
    return str(getattr(backend, "sandbox_public_images", "block-new-sharing"))


def _check_permission(image: Image, permission: dict[str, str], backend: Any) -> None:
    user, group = permission.get("UserId"), permission.get("Group")
    if user is not None and not _ACCOUNT.fullmatch(user):
        raise refusal("InvalidAMIAttributeItemValue", f'Invalid attribute item value "{user}" for userId item type.')
    if group is not None and group != "all":
        raise refusal(
            "InvalidAMIAttributeItemValue", f'Invalid attribute item value "{group}" for UserGroup item type.'
        )
    for snapshot_id in image.snapshot_ids:
        snapshot = backend.snapshots.get(snapshot_id)
        if snapshot is None or not snapshot.encrypted:
            continue
        if group == "all":
            raise refusal("InvalidParameter", "Images with encrypted snapshots can't be made public.")
        if is_default_key(snapshot.kms_key_id):
            raise refusal("InvalidParameter", "Snapshots encrypted with the AWS Managed CMK can't be shared")
    if group == "all" and _public_access(backend) != "unblocked":
        raise refusal(
            "OperationNotPermitted",
            "You can't publicly share this image because block public access for AMIs is enabled for this account",
        )
