"""One build, three accounts, four Regions, on a local AWS that judges every role by its policies.

The tests of this module tell one story: each goes on where the one before ended.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from botocore.exceptions import ClientError

from cdk_ami import (
    Distribution,
    GoldenImage,
    ImageKey,
    LaunchPermission,
    SourceImage,
    Target,
    TargetAccountRole,
    Volume,
)
from cdk_ami.sandbox.server import Sandbox
from cdk_ami.sandbox.testing.deploy import Place, deploy, destroy, stacks_of
from tests.support.control import ask
from tests.support.sandbox import make_client, reset, wait_until
from tests.support.synth import make_app

BUILDS, SHOP, BANK, STRANGER = "123456789012", "222222222222", "333333333333", "999999999999"
HOME = "us-east-1"
REGIONS = (HOME, "us-west-2", "eu-west-1", "eu-central-1")
PLACES = [(account, region) for account in (BUILDS, SHOP, BANK) for region in REGIONS]
ROLE = "EC2ImageBuilderDistributionCrossAccountRole"
Ids = Mapping[tuple[str, str], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The local AWS with the image deployed, and short ways to look at it."""

    sandbox: Sandbox
    unit: str
    sharer: str
    keys: Mapping[str, str]
    made: dict[tuple[str, str, str], Any]

    def client(self, service: str, region: str = HOME, account: str = BUILDS) -> Any:
        key = (service, region, account)
        if key not in self.made:
            self.made[key] = make_client(self.sandbox.endpoint, *key)
        return self.made[key]

    def deploy(self, app: cdk.App) -> None:
        for stack in stacks_of(Path(app.synth().directory), Place(account=BUILDS, region=HOME), {}):
            deploy(stack, self.client, self.sandbox.endpoint)

    def destroy(self, app: cdk.App) -> None:
        for stack in stacks_of(Path(app.synth().directory), Place(account=BUILDS, region=HOME), {}):
            destroy(stack, self.client)

    def distribution(self) -> Distribution:
        permission = LaunchPermission(organizational_units=[self.unit])
        targets = [Target(region=one, accounts=[SHOP, BANK], launch_permission=permission) for one in REGIONS]
        return Distribution(targets=targets, kms_keys=ImageKey.arns("web", REGIONS, account=BUILDS))

    def receiving(self, account: str, *, regions: Sequence[str] = REGIONS) -> cdk.App:
        """Return the receiving account's own app: the same distribution, and nothing of the image."""
        app = make_app()
        stack = cdk.Stack(app, "Receives", env=cdk.Environment(account=account, region=HOME))
        received = self.distribution().deliveries("web", account=account)
        deliveries = [one for one in received if one.region in regions]
        TargetAccountRole(stack, "Images", source_account=BUILDS, deliveries=deliveries)
        return app

    def build(self) -> dict[str, Any]:
        builder = self.client("imagebuilder")
        (pipeline,) = builder.list_image_pipelines()["imagePipelineList"]
        return self.ended(builder.start_image_pipeline_execution(imagePipelineArn=pipeline["arn"]))

    def retry(self, image: Mapping[str, Any]) -> dict[str, Any]:
        return self.ended(self.client("imagebuilder").retry_image(imageBuildVersionArn=image["arn"]))

    def ended(self, started: Mapping[str, Any]) -> dict[str, Any]:
        def image() -> dict[str, Any]:
            arn = started["imageBuildVersionArn"]
            found: dict[str, Any] = self.client("imagebuilder").get_image(imageBuildVersionArn=arn)["image"]
            return found

        wait_until(lambda: image()["state"]["status"] in {"AVAILABLE", "FAILED"}, seconds=120)
        return image()

    def key(self, place: tuple[str, str], image_id: str) -> str:
        """Return the key that encrypts an AMI which its account owns and can launch."""
        ec2 = self.client("ec2", place[1], place[0])
        (image,) = ec2.describe_images(Owners=["self"], ImageIds=[image_id])["Images"]
        assert image["State"] == "available"
        snapshot = image["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
        (found,) = ec2.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"]
        return str(found["KmsKeyId"])

    def permissions(self, place: tuple[str, str], image_id: str) -> list[dict[str, str]]:
        account, region = place
        found: list[dict[str, str]] = self.client("ec2", region, account).describe_image_attribute(
            ImageId=image_id, Attribute="launchPermission"
        )["LaunchPermissions"]
        return found

    def channel(self, place: tuple[str, str]) -> str:
        account, region = place
        found = self.client("ssm", region, account).get_parameter(Name="/imagebuilder/web/latest")
        return str(found["Parameter"]["Value"])

    def launch(self, account: str, region: str, image_id: str) -> str:
        """Launch an instance and return the state that it comes to."""
        ec2 = self.client("ec2", region, account)
        (made,) = ec2.run_instances(ImageId=image_id, MinCount=1, MaxCount=1, InstanceType="t3.micro")["Instances"]
        (found,) = ec2.describe_instances(InstanceIds=[made["InstanceId"]])["Reservations"][0]["Instances"]
        return str(found["State"]["Name"])

    def calls(self, operation: str) -> list[tuple[str, str]]:
        """Return account and Region of each call of EC2 since the log was emptied."""
        found = ask(self.sandbox, "calls", method="GET", service="ec2", operation=operation)["calls"]
        return [(call["account"], call["region"]) for call in found]


@pytest.fixture(scope="module")
def world(sandbox_server: Sandbox) -> Iterator[World]:
    """Keys, image and roles, each deployed from its account's own app; every role judged by its policies."""
    reset(sandbox_server)
    made: dict[tuple[str, str, str], Any] = {}
    organizations = make_client(sandbox_server.endpoint, "organizations", HOME, BUILDS)
    organizations.create_organization(FeatureSet="ALL")
    (root,) = organizations.list_roots()["Roots"]
    unit = organizations.create_organizational_unit(ParentId=root["Id"], Name="Workloads")["OrganizationalUnit"]
    sharer = organizations.create_account(AccountName="lab", Email="lab@example.com")["CreateAccountStatus"]
    organizations.move_account(AccountId=sharer["AccountId"], SourceParentId=root["Id"], DestinationParentId=unit["Id"])
    keys: dict[str, str] = {}
    world = World(sandbox=sandbox_server, unit=unit["Arn"], sharer=sharer["AccountId"], keys=keys, made=made)
    app, distribution = make_app(), world.distribution()
    for region in REGIONS:
        stack = cdk.Stack(app, f"Key-{region}", env=cdk.Environment(account=BUILDS, region=region))
        ImageKey(stack, "Key", image="web", distribution=distribution, build_region=HOME)
    images = cdk.Stack(app, "Images", env=cdk.Environment(account=BUILDS, region=HOME))
    GoldenImage(
        images,
        "Web",
        name="web",
        source=SourceImage.amazon_linux_2023(),
        volumes=[Volume(kms_key=distribution.kms_keys[HOME])],
        distribution=distribution,
    )
    world.deploy(app)
    for account in (SHOP, BANK):
        world.deploy(world.receiving(account))
    for region in REGIONS:
        aliases = world.client("kms", region).list_aliases()["Aliases"]
        target = next(one["TargetKeyId"] for one in aliases if one["AliasName"] == "alias/imagebuilder/web")
        keys[region] = f"arn:aws:kms:{region}:{BUILDS}:key/{target}"
    ask(sandbox_server, "iam", enforce="all-roles")
    yield world
    reset(sandbox_server)


@pytest.fixture(scope="module")
def first(world: World) -> dict[str, Any]:
    return world.build()


def ids_of(image: Mapping[str, Any]) -> Ids:
    """Return the AMI of each account and Region that got one."""
    return {
        (ami["accountId"], ami["region"]): ami["image"]
        for ami in image["outputResources"]["amis"]
        if ami["state"]["status"] == "AVAILABLE"
    }


def check_whole(world: World, ids: Ids) -> None:
    """Check that each place has an AMI under its Region's key, shared as described, and the entry channel holds it."""
    unit = [{"OrganizationalUnitArn": world.unit}]
    assert sorted(ids) == sorted(PLACES)
    assert {place: world.key(place, ids[place]) for place in PLACES} == {one: world.keys[one[1]] for one in PLACES}
    assert {place: world.permissions(place, ids[place]) for place in PLACES} == dict.fromkeys(PLACES, unit)
    assert {place: world.channel(place) for place in PLACES} == dict(ids)


def test_one_build_leaves_an_ami_in_each_account_and_region_as_described(world: World, first: dict[str, Any]) -> None:
    assert first["state"] == {"status": "AVAILABLE"}, first["state"]
    check_whole(world, ids_of(first))


def test_each_account_launches_its_own_copy_in_each_region(world: World, first: dict[str, Any]) -> None:
    ids = ids_of(first)

    states = {(account, region): world.launch(account, region, ids[account, region]) for account, region in PLACES}

    assert states == dict.fromkeys(PLACES, "running")


def test_a_fourth_account_launches_by_its_unit_and_a_stranger_does_not(world: World, first: dict[str, Any]) -> None:
    ids = ids_of(first)

    states = [world.launch(world.sharer, region, ids[BUILDS, region]) for region in REGIONS]

    assert states == ["running"] * len(REGIONS)
    with pytest.raises(ClientError, match=r"InvalidAMIID\.NotFound"):
        world.launch(STRANGER, HOME, ids[BUILDS, HOME])


def test_without_the_role_of_one_account_the_others_are_whole_and_a_retry_completes_that_one(
    world: World, first: dict[str, Any]
) -> None:
    missing = [place for place in PLACES if place[0] == BANK]
    receiving = world.receiving(BANK)
    world.destroy(receiving)

    failed = world.build()

    # The build says what is missing, where.
    reason = failed["state"]["reason"]
    assert failed["state"]["status"] == "FAILED"
    assert f"sts:AssumeRole is not possible: the role {ROLE} does not exist in {BANK}" in reason
    assert [region for region in REGIONS if f"(account {BANK}, Region {region})" in reason] == list(REGIONS)
    failures = failed["state"]["failureContext"]["distributionFailure"]["regionFailures"]
    assert [(one["targetAccountId"], one["region"]) for one in failures] == missing
    # The others have their AMIs, and no channel has moved: neither there nor where one is missing.
    there = ids_of(failed)
    assert sorted(there) == sorted(set(PLACES) - set(missing))
    assert {place: world.key(place, image_id) for place, image_id in there.items()} == {
        place: world.keys[place[1]] for place in there
    }
    assert {place: world.channel(place) for place in PLACES} == ids_of(first)

    # A role that knows nothing of the build's Region lacks its key everywhere: the action and the key are told.
    world.deploy(world.receiving(BANK, regions=REGIONS[1:]))
    again = world.retry(failed)["state"]["reason"]
    lacking = f"the role {ROLE} of {BANK} does not allow kms:CreateGrant on {world.keys[HOME]}"
    assert [one for one in REGIONS if f"{lacking} (account {BANK}, Region {one})" in again] == list(REGIONS[1:])
    assert f"does not allow ec2:CopyImage on arn:aws:ec2:{HOME}::image/* (account {BANK}, Region {HOME})" in again

    # With the right one a retry completes what is missing, and does nothing else again.
    world.deploy(receiving)
    ask(world.sandbox, "calls", method="DELETE")
    completed = world.retry(failed)
    copied = world.calls("CopyImage")
    made = [*world.calls("RunInstances"), *world.calls("CreateImage")]
    assert completed["state"] == {"status": "AVAILABLE"}
    assert sorted(copied) == sorted(missing)
    assert made == []
    assert {place: ids_of(completed)[place] for place in there} == there
    check_whole(world, ids_of(completed))
