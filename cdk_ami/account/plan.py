"""Which calls set what an account shall settle, as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from cdk_ami.account.criterion import ImageCriterion


class SettingCall(NamedTuple):
    """One call of EC2, made when its parameters are new or differ.

    Attributes:
        child: Id of the construct that makes it.
        operation: Operation as the API names it; the permission has the same name.
        parameters: Its parameters.
        after: Id of the call that comes first, empty for none.
    """

    child: str
    operation: str
    parameters: dict[str, Any]
    after: str = ""


def calls(
    *,
    block_public_images: bool,
    allowed_images: Sequence[ImageCriterion] | None,
    enforce_allowed_images: bool,
    encrypt_ebs_by_default: bool,
    require_imdsv2: bool,
    imds_hop_limit: int | None,
) -> tuple[SettingCall, ...]:
    """Return the calls, in the order in which they are made.

    Criteria stand before Allowed AMIs are switched on, or for a moment no AMI of anybody else would be allowed.
    """
    made = []
    if block_public_images:
        state = {"ImageBlockPublicAccessState": "block-new-sharing"}
        made.append(SettingCall("PublicImages", "EnableImageBlockPublicAccess", state))
    if allowed_images is not None:
        criteria = {"ImageCriteria": [one.as_parameter() for one in allowed_images]}
        made.append(SettingCall("AllowedImageCriteria", "ReplaceImageCriteriaInAllowedImagesSettings", criteria))
        mode = {"AllowedImagesSettingsState": "enabled" if enforce_allowed_images else "audit-mode"}
        made.append(SettingCall("AllowedImages", "EnableAllowedImagesSettings", mode, after="AllowedImageCriteria"))
    if encrypt_ebs_by_default:
        made.append(SettingCall("EbsEncryption", "EnableEbsEncryptionByDefault", {}))
    metadata: dict[str, Any] = {"HttpTokens": "required"} if require_imdsv2 else {}
    if imds_hop_limit is not None:
        metadata["HttpPutResponseHopLimit"] = imds_hop_limit
    if metadata:
        made.append(SettingCall("InstanceMetadata", "ModifyInstanceMetadataDefaults", metadata))
    return tuple(made)
