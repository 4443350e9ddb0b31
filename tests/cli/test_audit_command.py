from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from click.testing import Result

from cdk_ami.cli.audit import _ids
from cdk_ami.runtime.audit import SETTINGS, SHOWN, Effect, audit
from cdk_ami.runtime.regions import RegionClients
from tests.cli.conftest import Command

Aws = Callable[..., Any]
SOURCE = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"


def found(shown: Result, region: str = "us-east-1") -> dict[str, dict[str, Any]]:
    return {one["setting"]: one for one in json.loads(shown.stdout)["findings"] if one["region"] == region}


def effects(finding: dict[str, Any]) -> dict[str, list[str]]:
    return {effect["says"]: effect["ids"] for effect in finding["effects"]}


def on(finding: dict[str, Any], phrase: str) -> list[str]:
    """Return what the one effect that says ``phrase`` is about."""
    (ids,) = [ids for says, ids in effects(finding).items() if phrase in says]
    return ids


def open_account(aws: Aws) -> dict[str, str]:
    """Make a public AMI, a public snapshot and an instance that answers IMDSv1, of an AMI of Amazon's."""
    ec2 = aws("ec2")
    ec2.disable_image_block_public_access()
    source = aws("ssm").get_parameter(Name=SOURCE)["Parameter"]["Value"]
    instance = ec2.run_instances(
        ImageId=source,
        MinCount=1,
        MaxCount=1,
        InstanceType="t3.micro",
        MetadataOptions={"HttpTokens": "optional"},
    )["Instances"][0]["InstanceId"]
    image = ec2.copy_image(Name="mine", SourceImageId=source, SourceRegion="us-east-1")["ImageId"]
    ec2.modify_image_attribute(ImageId=image, LaunchPermission={"Add": [{"Group": "all"}]})
    volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"]
    snapshot = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
    ec2.modify_snapshot_attribute(
        SnapshotId=snapshot, Attribute="createVolumePermission", OperationType="add", GroupNames=["all"]
    )
    return {"instance": instance, "image": image, "volume": volume, "snapshot": snapshot}


def test_an_open_account_is_told_what_the_guard_would_change_and_whom_it_would_hit(command: Command, aws: Aws) -> None:
    held = open_account(aws)

    shown = command("audit", "--region", "us-east-1", "--json")

    told = found(shown)
    assert shown.exit_code == 1
    assert {name: (one["severity"], one["change"]) for name, one in told.items()} == {
        "public-images": ("high", "block_public_images=True"),
        "public-snapshots": ("high", 'block_public_snapshots="block-all-sharing"'),
        "allowed-images": ("medium", "allowed_images=[ImageCriterion(...)], in audit mode"),
        "ebs-encryption": ("medium", "encrypt_ebs_by_default=True"),
        "instance-metadata": ("medium", "require_imdsv2=True"),
    }
    assert on(told["public-images"], "stay public") == [held["image"]]
    assert on(told["public-snapshots"], "hidden from everybody") == [held["snapshot"]]
    assert on(told["allowed-images"], "have to allow amazon") == [held["instance"]]
    assert held["volume"] in on(told["ebs-encryption"], "not encrypted stay so")
    assert on(told["instance-metadata"], "still answer IMDSv1") == [held["instance"]]
    key = aws("ec2").get_ebs_default_kms_key_id()["KmsKeyId"]
    assert told["ebs-encryption"]["values"] == {"EbsEncryptionByDefault": False, "KmsKeyId": key}
    assert on(told["ebs-encryption"], f"are encrypted with {key}") == []
    assert [
        one["source"] for one in told.values() if not one["source"].startswith("https://docs.aws.amazon.com/")
    ] == []
    assert {one["managed_by"] for name, one in told.items() if name.startswith(("public", "allowed"))} == {"account"}


def test_audit_mode_tells_whom_enforcing_would_hit(command: Command, aws: Aws) -> None:
    held = open_account(aws)
    ec2 = aws("ec2")
    ec2.replace_image_criteria_in_allowed_images_settings(ImageCriteria=[{"ImageProviders": ["none"]}])
    ec2.enable_allowed_images_settings(AllowedImagesSettingsState="audit-mode")

    strict = found(command("audit", "--region", "us-east-1", "--json"))["allowed-images"]
    ec2.replace_image_criteria_in_allowed_images_settings(ImageCriteria=[{"ImageProviders": ["amazon"]}])
    met = found(command("audit", "--region", "us-east-1", "--json"))["allowed-images"]

    assert (strict["status"], on(strict, "could not be launched again")) == ("ok", [held["instance"]])
    assert (met["status"], on(met, "enforce_allowed_images=True hits none")) == ("ok", [])


def test_the_tables_show_what_is_set_and_the_effects(command: Command, aws: Aws) -> None:
    held = open_account(aws)

    shown = command("audit", "--region", "us-east-1")

    lines = shown.output.splitlines()
    snapshots = next(line for line in lines if "public-snapshots" in line)
    assert snapshots.split()[:5] == ["us-east-1", "public-snapshots", "high", "State:", "unblocked"]
    assert any("hidden from everybody else" in line and held["snapshot"] in line for line in lines)


def test_a_long_list_is_cut_in_the_table() -> None:
    volumes = [f"vol-{number}" for number in range(SHOWN + 2)]

    assert _ids(Effect(says="", ids=volumes)) == "vol-0, vol-1, vol-2, vol-3, vol-4 and 2 more"
    assert _ids(Effect(says="", ids=volumes[:SHOWN])) == "vol-0, vol-1, vol-2, vol-3, vol-4"


def test_a_region_that_fails_hides_no_other(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    from cdk_ami.runtime import regions  # noqa: PLC0415 - to break one Region of it

    whole = regions.clients_of

    def broken(names: list[str]) -> list[RegionClients]:
        good, bad = whole(names)
        return [good, RegionClients(region=bad.region, ec2=Refusing("AuthFailure"), ssm=None, imagebuilder=None)]

    monkeypatch.setattr(regions, "clients_of", broken)

    shown = command("audit", "--region", "us-east-1", "--region", "me-south-1", "--json")

    assert shown.exit_code == 1
    assert len(found(shown)) == len(SETTINGS)
    assert found(shown, "me-south-1") == {}
    assert "me-south-1: could not look: " in shown.stderr


class Refusing:
    """A client of EC2 that refuses each operation, or some, with one code."""

    def __init__(self, code: str, *, client: Any = None, operations: tuple[str, ...] = ()) -> None:
        self._code, self._client, self._operations = code, client, operations

    def __getattr__(self, name: str) -> Any:
        if self._operations and name not in self._operations:
            return getattr(self._client, name)

        def refuse(**_: object) -> Any:
            raise ClientError({"Error": {"Code": self._code, "Message": "not for you"}}, name)

        return refuse


def test_a_look_that_is_not_allowed_is_not_checked_and_hides_no_other(aws: Aws) -> None:
    ec2 = Refusing("UnauthorizedOperation", client=aws("ec2"), operations=("get_allowed_images_settings",))

    told = {one.setting: one for one in audit(RegionClients(region="us-east-1", ec2=ec2, ssm=None, imagebuilder=None))}

    assert [name for name, one in told.items() if one.status == "not checked"] == ["allowed-images"]
    assert "not for you" in told["allowed-images"].reason


def test_a_setting_of_a_declarative_policy_is_not_the_guards_to_change(aws: Aws) -> None:
    class Managed(Refusing):
        def __getattr__(self, name: str) -> Any:
            if name == "get_snapshot_block_public_access_state":
                return lambda: {"State": "unblocked", "ManagedBy": "declarative-policy"}
            return getattr(self._client, name)

    ec2 = Managed("", client=aws("ec2"))

    told = audit(RegionClients(region="us-east-1", ec2=ec2, ssm=None, imagebuilder=None))

    (snapshots,) = [one for one in told if one.setting == "public-snapshots"]
    assert (snapshots.managed_by, snapshots.severity) == ("declarative-policy", "high")
    assert "EC2 refuses the guard's call" in snapshots.effects[0].says


def test_the_help_names_each_permission(command: Command) -> None:
    shown = command("audit", "--help").output

    assert set(re.findall(r"ec2:\w+", shown)) == {action for setting in SETTINGS for action in setting.actions}
