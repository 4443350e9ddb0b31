"""The main job with the real CDK command line, told in order: each test goes on where the one before it ended."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.e2e.conftest import Project

pytestmark = [pytest.mark.cdk_cli, pytest.mark.timeout(600)]

REGIONS = ("us-east-1", "eu-west-1")
ZONES = [f"{region}{letter}" for region in sorted(REGIONS) for letter in "abc"]
STACKS = ("web-image", "web-fleet-us-east-1", "web-fleet-eu-west-1")


@pytest.fixture(scope="module")
def story() -> dict[str, Any]:
    """What later tests remember of earlier ones."""
    return {}


def test_one_deployment_from_nothing_builds_copies_and_launches(project: Project, story: dict[str, Any]) -> None:
    project.cdk("bootstrap", *(f"aws://123456789012/{region}" for region in REGIONS), folder=project.folder / "stacks")

    project.deploy()

    images = story["first"] = project.images()
    built, copied = amis_by_region(images)
    assert (built["version"], copied["version"]) == ("1.0.0/1", "1.0.0/1")
    assert built["image_id"] != copied["image_id"]
    assert copied["source"] == f"us-east-1/{built['image_id']}"
    assert built["source"] == f"us-east-1/{source_ami(project)}"
    assert all(ami["encrypted"] and ami["snapshots"] and ami["channels"] == ["latest"] for ami in (built, copied))


def test_one_instance_runs_in_each_of_three_zones_of_two_regions(story: dict[str, Any]) -> None:
    instances = story["first"]["instances"]

    assert sorted(instance["zone"] for instance in instances) == ZONES
    assert {(instance["region"], instance["image_id"]) for instance in instances} == {
        (ami["region"], ami["image_id"]) for ami in story["first"]["amis"]
    }
    assert {(instance["state"], instance["imdsv2"]) for instance in instances} == {("running", True)}


def test_the_snapshots_hold_the_amis_and_are_encrypted(project: Project, story: dict[str, Any]) -> None:
    for ami in story["first"]["amis"]:
        snapshots = project.client("ec2", ami["region"]).describe_snapshots(SnapshotIds=ami["snapshots"])["Snapshots"]

        assert [snapshot["Encrypted"] for snapshot in snapshots] == [True] * len(ami["snapshots"])


def test_no_build_or_test_instance_is_left_running(project: Project, story: dict[str, Any]) -> None:
    live = {
        instance["InstanceId"]
        for region in REGIONS
        for reservation in project.client("ec2", region).describe_instances(
            Filters=[{"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]}]
        )["Reservations"]
        for instance in reservation["Instances"]
    }

    assert live == {instance["instance_id"] for instance in story["first"]["instances"]}


def test_a_second_deployment_changes_nothing(project: Project, story: dict[str, Any]) -> None:
    shown = project.deploy()

    assert shown.count("(no changes)") == len(STACKS), shown
    assert project.images() == story["first"]


def test_an_edited_component_rolls_through_all_of_it(project: Project, story: dict[str, Any]) -> None:
    project.edit("components/apache.yaml", "Hello from a golden image", "Hello again")

    project.deploy()

    images = story["second"] = project.images()
    news = [ami for ami in images["amis"] if ami["version"] == "1.0.1/1"]
    assert sorted(ami["region"] for ami in news) == sorted(REGIONS)
    assert [ami["channels"] for ami in news] == [["latest"], ["latest"]]
    assert sorted(instance["zone"] for instance in images["instances"]) == ZONES
    assert {(instance["region"], instance["image_id"]) for instance in images["instances"]} == {
        (ami["region"], ami["image_id"]) for ami in news
    }


def test_the_first_ami_and_its_image_resource_are_still_there(project: Project, story: dict[str, Any]) -> None:
    before = {ami["image_id"]: ami for ami in story["first"]["amis"]}
    after = {ami["image_id"]: ami for ami in story["second"]["amis"]}

    assert {key: ami | {"channels": []} for key, ami in before.items()} == {key: after[key] for key in before}
    arns = {ami["image_arn"] for ami in story["second"]["amis"]}
    assert len(arns) == 2
    for arn in arns:
        image = project.client("imagebuilder", "us-east-1").get_image(imageBuildVersionArn=arn)["image"]
        assert image["state"]["status"] == "AVAILABLE"


def test_a_deployment_that_fails_is_rolled_back_and_leaves_everything_as_it_was(
    project: Project, story: dict[str, Any]
) -> None:
    settings = (project.folder / "cdk-ami.toml").read_text()
    project.edit(
        "cdk-ami.toml", '  "components/apache.yaml",', '  "components/apache.yaml",\n  "aws:no-such-component",'
    )

    shown = project.deploy(ok=False)

    (project.folder / "cdk-ami.toml").write_text(settings)
    assert "no-such-component" in shown
    (stack,) = project.client("cloudformation", "us-east-1").describe_stacks(StackName="web-image")["Stacks"]
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert project.images() == story["second"]
    assert project.deploy().count("(no changes)") == len(STACKS)


def test_a_fleet_whose_channel_is_missing_fails_before_anything_starts(project: Project, story: dict[str, Any]) -> None:
    settings = (project.folder / "cdk-ami.toml").read_text()
    (project.folder / "cdk-ami.toml").write_text(
        settings + '\n[[fleet]]\nname = "shop"\nimage = "base"\nregion = "us-east-1"\nzones = ["us-east-1a"]\n'
    )

    shown = project.cdk("deploy", "shop-fleet-us-east-1", "--require-approval", "never", ok=False)

    (project.folder / "cdk-ami.toml").write_text(settings)
    assert "/imagebuilder/base/latest" in shown
    assert "cdk-ami channels seed base latest" in shown
    assert "shop-fleet-us-east-1" not in live_stacks(project, "us-east-1")
    assert project.images() == story["second"]


def test_seeding_the_channel_lets_the_fleet_start(project: Project, story: dict[str, Any]) -> None:
    ami = next(ami["image_id"] for ami in story["second"]["amis"] if ami["region"] == "us-east-1" and ami["channels"])

    first = project.cdk_ami("channels", "seed", "base", "latest", "--ami", ami, "--region", "us-east-1")
    second = project.cdk_ami("channels", "seed", "base", "latest", "--ami", ami, "--region", "us-east-1")

    assert first == f"us-east-1: latest of base now holds {ami}\n"
    assert second == f"us-east-1: latest of base already holds {ami}\n"
    project.client("ssm", "us-east-1").delete_parameter(Name="/imagebuilder/base/latest")


def test_destroy_removes_every_resource_of_the_stacks(project: Project) -> None:
    project.cdk("destroy", "--all", "--force")

    assert [stack for region in REGIONS for stack in live_stacks(project, region) if stack != "CDKToolkit"] == []
    for region in REGIONS:
        ec2 = project.client("ec2", region)
        assert [vpc["VpcId"] for vpc in ec2.describe_vpcs()["Vpcs"] if not vpc["IsDefault"]] == []
        assert ec2.describe_launch_templates()["LaunchTemplates"] == []
        assert project.client("autoscaling", region).describe_auto_scaling_groups()["AutoScalingGroups"] == []
        imagebuilder = project.client("imagebuilder", region)
        assert imagebuilder.list_image_pipelines()["imagePipelineList"] == []
        assert imagebuilder.list_image_recipes(owner="Self")["imageRecipeSummaryList"] == []
        assert imagebuilder.list_components(owner="Self")["componentVersionList"] == []
        assert imagebuilder.list_infrastructure_configurations()["infrastructureConfigurationSummaryList"] == []
        assert imagebuilder.list_distribution_configurations()["distributionConfigurationSummaryList"] == []
    roles = [role["RoleName"] for role in project.client("iam", "us-east-1").list_roles()["Roles"]]
    assert [role for role in roles if role.startswith("web-")] == []


def test_what_remains_is_exactly_the_amis_snapshots_images_and_channels(
    project: Project, story: dict[str, Any]
) -> None:
    amis = story["second"]["amis"]
    expected = {
        *(("channel", region, "/imagebuilder/web/latest") for region in REGIONS),
        *(("image", "us-east-1", ami["image_arn"]) for ami in amis),
        *(("ami", ami["region"], ami["image_id"]) for ami in amis),
        *(("snapshot", ami["region"], snapshot) for ami in amis for snapshot in ami["snapshots"]),
    }

    listed = json.loads(project.cdk_ami("leftovers", "--json"))["leftovers"]
    shown = project.cdk_ami("leftovers")

    assert {(left["kind"], left["region"], left["name"]) for left in listed} == expected
    assert all(name in shown for _, _, name in expected)
    assert "cdk-ami leftovers web --region us-east-1 --region eu-west-1 --remove" in shown


def test_the_command_that_it_prints_removes_what_remains(project: Project) -> None:
    project.cdk_ami("leftovers", "web", "--region", "us-east-1", "--region", "eu-west-1", "--remove")

    assert json.loads(project.cdk_ami("leftovers", "--json"))["leftovers"] == []
    for region in REGIONS:
        ec2 = project.client("ec2", region)
        assert ec2.describe_images(Owners=["self"])["Images"] == []
        assert ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"] == []


def amis_by_region(images: Any) -> list[dict[str, Any]]:
    found = {ami["region"]: ami for ami in images["amis"]}
    assert len(images["amis"]) == len(found) == len(REGIONS)
    return [found[region] for region in REGIONS]


def source_ami(project: Project) -> str:
    """Return the AMI that the recipe's public parameter names."""
    name = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
    value: str = project.client("ssm", "us-east-1").get_parameter(Name=name)["Parameter"]["Value"]
    return value


def live_stacks(project: Project, region: str) -> list[str]:
    pages = project.client("cloudformation", region).get_paginator("list_stacks").paginate()
    return [
        stack["StackName"]
        for page in pages
        for stack in page["StackSummaries"]
        if stack["StackStatus"] != "DELETE_COMPLETE"
    ]
