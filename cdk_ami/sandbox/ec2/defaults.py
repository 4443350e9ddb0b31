"""What an account sets for all of a Region: encryption of new volumes, and instance metadata."""

from __future__ import annotations

from typing import Any, Final

from cdk_ami.sandbox.ec2.call import Answer, Call, Operation
from cdk_ami.sandbox.ec2.keys import UnusableKeyError, default_key, resolve_key
from cdk_ami.sandbox.ec2.refusal import refusal

NO_PREFERENCE: Final = ("no-preference", -1)
"""Values that take a default back.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyInstanceMetadataDefaults.html
"""

HOPS: Final = range(1, 65)
"""Same page."""

_CHOICES: Final = {
    "HttpTokens": ("optional", "required", "no-preference"),
    "HttpEndpoint": ("disabled", "enabled", "no-preference"),
    "InstanceMetadataTags": ("disabled", "enabled", "no-preference"),
    "HttpTokensEnforced": ("disabled", "enabled", "no-preference"),
}


def enable_ebs_encryption_by_default(call: Call) -> Answer:
    """Answer EnableEbsEncryptionByDefault."""
    call.backend.enable_ebs_encryption_by_default()
    return {"EbsEncryptionByDefault": True}


def disable_ebs_encryption_by_default(call: Call) -> Answer:
    """Answer DisableEbsEncryptionByDefault."""
    call.backend.disable_ebs_encryption_by_default()
    return {"EbsEncryptionByDefault": False}


def get_ebs_encryption_by_default(call: Call) -> Answer:
    """Answer GetEbsEncryptionByDefault."""
    return {"EbsEncryptionByDefault": bool(call.backend.get_ebs_encryption_by_default()), "SseType": "sse-kms"}


def get_ebs_default_kms_key_id(call: Call) -> Answer:
    """Answer GetEbsDefaultKmsKeyId: the alias of the service's own key until another is set."""
    set_key = call.backend.default_kms_key_id
    return {"KmsKeyId": set_key or default_key(call.account, call.region)}


def modify_ebs_default_kms_key_id(call: Call) -> Answer:
    """Answer ModifyEbsDefaultKmsKeyId: any key of this Region that the caller may use."""
    try:
        key = resolve_key(call.caller, call.region, call.need("KmsKeyId"))
    except UnusableKeyError as error:
        raise refusal("InvalidKMSKey.InvalidState", f"The KMS key cannot be used: {error}") from error
    call.backend.default_kms_key_id = key
    return {"KmsKeyId": key}


def reset_ebs_default_kms_key_id(call: Call) -> Answer:
    """Answer ResetEbsDefaultKmsKeyId."""
    call.backend.default_kms_key_id = ""
    return {"KmsKeyId": default_key(call.account, call.region)}


def metadata_defaults(backend: Any) -> dict[str, Any]:
    """Return the metadata options that an account wants for instances that say nothing themselves."""
    # The backend's own dictionary, so that a reset forgets them too.
    held: dict[str, Any] = backend.__dict__.setdefault("sandbox_metadata_defaults", {})
    return held


def get_instance_metadata_defaults(call: Call) -> Answer:
    """Answer GetInstanceMetadataDefaults."""
    held = metadata_defaults(call.backend)
    return {"AccountLevel": {**held, "ManagedBy": "account"} if held else {}}


def modify_instance_metadata_defaults(call: Call) -> Answer:
    """Answer ModifyInstanceMetadataDefaults."""
    changes: dict[str, Any] = {
        name: call.choice(name, *allowed) for name, allowed in _CHOICES.items() if call.get(name)
    }
    if (hops := call.get("HttpPutResponseHopLimit")) is not None:
        if int(hops) not in {*HOPS, -1}:
            raise refusal("InvalidParameterValue", f"The hop limit is {HOPS[0]} to {HOPS[-1]}, or -1, got {hops}")
        changes["HttpPutResponseHopLimit"] = int(hops)
    held = {**metadata_defaults(call.backend), **changes}
    call.backend.sandbox_metadata_defaults = {name: value for name, value in held.items() if value not in NO_PREFERENCE}
    return {"Return": True}


OPERATIONS: Final[dict[str, Operation]] = {
    "DisableEbsEncryptionByDefault": disable_ebs_encryption_by_default,
    "EnableEbsEncryptionByDefault": enable_ebs_encryption_by_default,
    "GetEbsDefaultKmsKeyId": get_ebs_default_kms_key_id,
    "GetEbsEncryptionByDefault": get_ebs_encryption_by_default,
    "GetInstanceMetadataDefaults": get_instance_metadata_defaults,
    "ModifyEbsDefaultKmsKeyId": modify_ebs_default_kms_key_id,
    "ModifyInstanceMetadataDefaults": modify_instance_metadata_defaults,
    "ResetEbsDefaultKmsKeyId": reset_ebs_default_kms_key_id,
}
