"""What EC2 answers to requests about snapshots, and who else may use them."""

from __future__ import annotations

import re
from typing import Any, Final

from moto.ec2.exceptions import InvalidSnapshotInUse
from moto.ec2.models import ec2_backends

from cdk_ami.sandbox.ec2 import recycling
from cdk_ami.sandbox.ec2.call import Answer, Call, Operation
from cdk_ami.sandbox.ec2.images import check_region
from cdk_ami.sandbox.ec2.keys import (
    UnusableKeyError,
    check_readable,
    default_key,
    encryption_key,
    is_default_key,
)
from cdk_ami.sandbox.ec2.naming import tags_by_type
from cdk_ami.sandbox.ec2.refusal import refusal
from cdk_ami.sandbox.ec2.snapshots import (
    FILTERS,
    HeldSnapshot,
    add_snapshot,
    all_snapshots,
    can_use,
    check_copies,
    copy_seconds,
    find_snapshot,
)
from cdk_ami.sandbox.pace import PACE

BLOCKED: Final = ("block-all-sharing", "block-new-sharing")
"""https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_EnableSnapshotBlockPublicAccess.html."""

SMALLEST_PAGE: Final = 5
"""https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSnapshots.html."""

_ACCOUNT: Final = re.compile(r"\d{12}")


class SnapshotOperations:
    """Methods for the emulator's ``EBSBackend``, which its own code calls."""

    account_id: str
    region_name: str
    snapshots: dict[str, HeldSnapshot]
    default_kms_key_id: str
    get_volume: Any

    def create_snapshot(
        self, volume_id: str, description: str, owner_id: str | None = None, from_ami: str | None = None
    ) -> HeldSnapshot:
        """Make a snapshot that keeps the volume's size and key, whatever becomes of the volume."""
        del owner_id
        volume = self.get_volume(volume_id)
        return add_snapshot(
            self,
            size=volume.size,
            volume_id=volume.id,
            description=description or "",
            key=volume.kms_key_id if volume.encrypted else None,
            image_id=from_ami,
            seconds=PACE.image,
        )

    def get_snapshot(self, snapshot_id: str) -> HeldSnapshot:
        """Return a snapshot of the account's own."""
        found = self.snapshots.get(snapshot_id)
        if found is None:
            raise refusal("InvalidSnapshot.NotFound", f"The snapshot '{snapshot_id}' does not exist.")
        return found

    def _create_default_encryption_key(self) -> str:
        """Return the key that EBS uses when none is named."""
        self.default_kms_key_id = default_key(self.account_id, self.region_name)
        return self.default_kms_key_id


def create_snapshot(call: Call) -> Answer:
    """Answer CreateSnapshot.  A volume whose key the caller may not use gives a snapshot that fails."""
    tags = tags_by_type(call.get("TagSpecifications", []), allowed=("snapshot",))
    snapshot = _snapshot_of_volume(call, call.need("VolumeId"), tags.get("snapshot", {}))
    return snapshot.describe()


def create_snapshots(call: Call) -> Answer:
    """Answer CreateSnapshots: one of each volume of an instance."""
    wanted = call.need("InstanceSpecification")
    instance = call.backend.get_instance(wanted["InstanceId"])
    tags = tags_by_type(call.get("TagSpecifications", []), allowed=("snapshot",)).get("snapshot", {})
    passed = set(wanted.get("ExcludeDataVolumeIds", []))
    snapshots = []
    for device, attached in instance.get_block_device_mapping:
        root = device == instance.root_device_name
        if attached.volume_id in passed and root:
            raise refusal("InvalidParameterValue", f"{attached.volume_id} is the root volume; set ExcludeBootVolume")
        if attached.volume_id in passed or (root and wanted.get("ExcludeBootVolume")):
            continue
        own = dict(call.backend.tags.get(attached.volume_id, {})) if call.get("CopyTagsFromSource") else {}
        snapshots.append(_snapshot_of_volume(call, attached.volume_id, own | tags))
    members = (
        "Description",
        "Encrypted",
        "OwnerId",
        "Progress",
        "SnapshotId",
        "StartTime",
        "State",
        "Tags",
        "VolumeId",
        "VolumeSize",
    )
    records = [snapshot.describe() for snapshot in snapshots]
    return {"Snapshots": [{name: each[name] for name in members if name in each} for each in records]}


def _snapshot_of_volume(call: Call, volume_id: str, tags: dict[str, str]) -> HeldSnapshot:
    volume = call.backend.get_volume(volume_id)
    key, failure = volume.kms_key_id if volume.encrypted else None, None
    try:
        check_readable(call.caller, key)
    except UnusableKeyError as error:
        failure = f"Given key ID is not accessible: {error}"
    return add_snapshot(
        call.backend,
        size=volume.size,
        volume_id=volume.id,
        description=call.get("Description", ""),
        key=key,
        tags=tags,
        seconds=PACE.image,
        failure=failure,
    )


def copy_snapshot(call: Call) -> Answer:
    """Answer CopySnapshot: what is encrypted stays so, under a key of this Region."""
    backend, region = call.backend, call.need("SourceRegion")
    if not dict.__contains__(ec2_backends[call.account], region):
        check_region(backend, region)
    if call.get("DestinationOutpostArn") or call.get("DestinationAvailabilityZone"):
        raise refusal("UnsupportedOperation", "The sandbox has no Outposts and no Local Zones")
    source = find_snapshot(region, call.account, call.need("SourceSnapshotId"))
    if source.status != "completed":
        raise refusal("IncorrectState", f"The snapshot {source.id} is {source.status}")
    if source.encrypted and source.owner_id != call.account and is_default_key(source.kms_key_id):
        raise refusal(
            "InvalidParameter", f"The snapshot {source.id} is encrypted with the default key of another account"
        )
    minutes = call.get("CompletionDurationMinutes")
    seconds = copy_seconds(PACE.image, minutes)
    check_copies(backend, 1)
    tags = tags_by_type(call.get("TagSpecifications", []), allowed=("snapshot",))
    wanted = {
        "Encrypted": bool(source.encrypted or call.get("Encrypted")) or None,
        "KmsKeyId": call.get("KmsKeyId"),
    }
    key, failure = None, None
    try:
        check_readable(call.caller, source.kms_key_id if source.encrypted else None)
        key = encryption_key(backend, wanted, call.caller)
    except UnusableKeyError as error:
        failure = f"Given key ID is not accessible: {error}"
    copy = add_snapshot(
        backend,
        size=source.volume_size,
        description=call.get("Description") or f"[Copied {source.id} from {region}]",
        key=key,
        tags=tags.get("snapshot"),
        seconds=seconds,
        failure=failure,
        copied=True,
        minutes=minutes,
    )
    return {"SnapshotId": copy.id, "Tags": copy.describe()["Tags"]}


def describe_snapshots(call: Call) -> Answer:
    """Answer DescribeSnapshots: the caller's own, those shared with it and public ones."""
    snapshot_ids, limit = call.get("SnapshotIds", []), call.get("MaxResults")
    if snapshot_ids and limit is not None:
        raise refusal(
            "InvalidParameterCombination", "The parameters snapshotSet and maxResults cannot be used together"
        )
    if limit is not None and int(limit) < SMALLEST_PAGE:
        raise refusal("InvalidParameterValue", f"Value ( {limit} ) for parameter maxResults is invalid")
    if snapshot_ids:
        snapshots = [find_snapshot(call.region, call.account, each) for each in snapshot_ids]
    else:
        snapshots = [each for each in all_snapshots(call.region) if can_use(each, call.account)]
    if owners := call.get("OwnerIds"):
        wanted = {call.account if owner == "self" else owner for owner in owners}
        snapshots = [each for each in snapshots if each.owner_id in wanted]
    if users := call.get("RestorableByUserIds"):
        snapshots = [each for each in snapshots if any(_restorable(each, user, call.account) for user in users)]
    page = call.page("Snapshots", call.select(snapshots, FILTERS))
    page["Snapshots"] = [each.describe() for each in page["Snapshots"]]
    return page


def _restorable(snapshot: HeldSnapshot, user: str, account: str) -> bool:
    if user == "all":
        return "all" in snapshot.create_volume_permission_groups
    user = account if user == "self" else user
    return user == snapshot.owner_id or user in snapshot.create_volume_permission_userids


def delete_snapshot(call: Call) -> Answer:
    """Answer DeleteSnapshot: any that no AMI of the account holds; a rule may keep it in the Recycle Bin."""
    snapshot, backend = _own_snapshot(call), call.backend
    holder = next((image.id for image in list(backend.amis.values()) if snapshot.id in image.snapshot_ids), None)
    if holder is not None:
        raise InvalidSnapshotInUse(snapshot.id, holder)
    del backend.snapshots[snapshot.id]
    recycling.bin_snapshot(backend, snapshot)
    return {}


def _own_snapshot(call: Call) -> HeldSnapshot:
    snapshot = find_snapshot(call.region, call.account, call.need("SnapshotId"))
    if snapshot.owner_id != call.account:
        raise refusal("AuthFailure", f"Not authorized for snapshot:{snapshot.id}")
    return snapshot


def describe_snapshot_attribute(call: Call) -> Answer:
    """Answer DescribeSnapshotAttribute."""
    attribute, snapshot = call.choice("Attribute", "createVolumePermission", "productCodes"), _own_snapshot(call)
    if attribute == "productCodes":
        return {"SnapshotId": snapshot.id, "ProductCodes": []}
    permissions: list[dict[str, str]] = [{"Group": each} for each in sorted(snapshot.create_volume_permission_groups)]
    permissions += [{"UserId": each} for each in sorted(snapshot.create_volume_permission_userids)]
    return {"SnapshotId": snapshot.id, "CreateVolumePermissions": permissions}


def modify_snapshot_attribute(call: Call) -> Answer:
    """Answer ModifySnapshotAttribute, in either of its two forms."""
    if call.get("Attribute", "createVolumePermission") != "createVolumePermission":
        raise refusal("InvalidParameterValue", f"The attribute {call.get('Attribute')} cannot be modified")
    snapshot, changes = _own_snapshot(call), _changes(call)
    for permission, add in changes:
        if add:
            _check_permission(snapshot, permission)
    for permission, add in changes:
        for key, held in (
            ("UserId", snapshot.create_volume_permission_userids),
            ("Group", snapshot.create_volume_permission_groups),
        ):
            if key in permission:
                (held.add if add else held.discard)(permission[key])
    return {}


def _changes(call: Call) -> list[tuple[dict[str, str], bool]]:
    """Return the permissions that the request adds (True) and removes (False)."""
    change = call.get("CreateVolumePermission", {})
    found = [(dict(permission), True) for permission in change.get("Add", [])]
    found += [(dict(permission), False) for permission in change.get("Remove", [])]
    operation = call.get("OperationType")
    for name, key in (("UserIds", "UserId"), ("GroupNames", "Group")):
        if call.get(name) and operation not in {"add", "remove"}:
            raise refusal("InvalidParameterCombination", f"The parameter {name} needs an operation type")
        found += [({key: value}, operation == "add") for value in call.get(name, [])]
    return found


def _check_permission(snapshot: HeldSnapshot, permission: dict[str, str]) -> None:
    user, group = permission.get("UserId"), permission.get("Group")
    if user is not None and not _ACCOUNT.fullmatch(user):
        raise refusal("InvalidAMIAttributeItemValue", f'Invalid attribute item value "{user}" for userId item type.')
    if group not in {None, "all"}:
        raise refusal(
            "InvalidAMIAttributeItemValue", f'Invalid attribute item value "{group}" for UserGroup item type.'
        )
    if snapshot.encrypted and group:
        raise refusal("InvalidParameter", "Encrypted snapshots can't be made public.")
    if snapshot.encrypted and is_default_key(snapshot.kms_key_id):
        raise refusal("InvalidParameter", "Encrypted snapshots with EBS default key cannot be shared")
    if group and public_access(snapshot.ec2_backend) != "unblocked":
        raise refusal(
            "OperationNotPermitted",
            "You can't publicly share this snapshot because block public access for snapshots is enabled for this "
            "account",
        )


def reset_snapshot_attribute(call: Call) -> Answer:
    """Answer ResetSnapshotAttribute: the snapshot is the owner's alone again."""
    call.choice("Attribute", "createVolumePermission")
    snapshot = _own_snapshot(call)
    snapshot.create_volume_permission_userids.clear()
    snapshot.create_volume_permission_groups.clear()
    return {}


def public_access(backend: Any) -> str:
    """Return whether snapshots may be public: nothing is blocked in a new account."""
    return str(getattr(backend, "sandbox_public_snapshots", "unblocked"))


def enable_snapshot_block_public_access(call: Call) -> Answer:
    """Answer EnableSnapshotBlockPublicAccess."""
    call.backend.sandbox_public_snapshots = call.choice("State", *BLOCKED)
    return {"State": public_access(call.backend)}


def disable_snapshot_block_public_access(call: Call) -> Answer:
    """Answer DisableSnapshotBlockPublicAccess."""
    call.backend.sandbox_public_snapshots = "unblocked"
    return {"State": "unblocked"}


def get_snapshot_block_public_access_state(call: Call) -> Answer:
    """Answer GetSnapshotBlockPublicAccessState."""
    return {"State": public_access(call.backend), "ManagedBy": "account"}


OPERATIONS: Final[dict[str, Operation]] = {
    "CopySnapshot": copy_snapshot,
    "CreateSnapshot": create_snapshot,
    "CreateSnapshots": create_snapshots,
    "DeleteSnapshot": delete_snapshot,
    "DescribeSnapshotAttribute": describe_snapshot_attribute,
    "DescribeSnapshots": describe_snapshots,
    "DisableSnapshotBlockPublicAccess": disable_snapshot_block_public_access,
    "EnableSnapshotBlockPublicAccess": enable_snapshot_block_public_access,
    "GetSnapshotBlockPublicAccessState": get_snapshot_block_public_access_state,
    "ModifySnapshotAttribute": modify_snapshot_attribute,
    "ResetSnapshotAttribute": reset_snapshot_attribute,
}
