"""Keys at work: copies, launches and groups in other accounts, on the local AWS."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import aws_cdk as cdk
import pytest

from cdk_ami import (
    Distribution,
    GoldenImage,
    ImageKey,
    KeyGrant,
    LaunchPermission,
    SourceImage,
    Target,
    TargetAccountRole,
)
from cdk_ami.sandbox.server import Sandbox
from cdk_ami.sandbox.testing.deploy import Place, deploy, destroy, stacks_of
from stacks.key_stack import KeyStack
from tests.support.sandbox import MakeClient, wait_until
from tests.support.synth import make_app, make_stack

OWN, COPIED, SHARED = "123456789012", "210987654321", "333333333333"
HOME, THERE = "us-east-1", "eu-west-1"
ROLE = f"arn:aws:iam::{SHARED}:role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"


class Deployment(NamedTuple):
    """An app's outputs by stack, and what takes it away again."""

    outputs: dict[str, dict[str, str]]
    stacks: list[Any]


class Cloud:
    """The local AWS, with accounts."""

    def __init__(self, aws: MakeClient, endpoint: str) -> None:
        self._aws, self._endpoint = aws, endpoint

    def client(self, service: str, region: str, account: str) -> Any:
        return self._aws(service, region, account=account)

    def deploy(self, app: cdk.App) -> Deployment:
        found = list(stacks_of(Path(app.synth(force=True).directory), Place(account=OWN, region=HOME), {}))
        return Deployment({one.name: deploy(one, self.client, self._endpoint) for one in found}, found)

    def destroy(self, deployment: Deployment) -> None:
        for one in reversed(deployment.stacks):
            destroy(one, self.client)

    def member_of_unit(self) -> tuple[str, str]:
        """Return an account in a new organizational unit, and the unit's ARN."""
        client = self._aws("organizations")
        client.create_organization(FeatureSet="ALL")
        root = client.list_roots()["Roots"][0]["Id"]
        unit = client.create_organizational_unit(ParentId=root, Name="web")["OrganizationalUnit"]
        account = client.create_account(AccountName="a", Email="a@example.com")["CreateAccountStatus"]["AccountId"]
        client.move_account(AccountId=account, SourceParentId=root, DestinationParentId=unit["Id"])
        return str(account), str(unit["Arn"])

    def image(self, account: str, region: str) -> dict[str, Any]:
        (found,) = self.client("ec2", region, account).describe_images(Owners=["self"])["Images"]
        return dict(found)

    def key_of(self, account: str, region: str) -> str:
        snapshot = self.image(account, region)["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
        (found,) = self.client("ec2", region, account).describe_snapshots(SnapshotIds=[snapshot])["Snapshots"]
        return str(found["KmsKeyId"])

    def launch(self, account: str, image_id: str) -> str:
        ec2 = self.client("ec2", THERE, account)
        made = ec2.run_instances(ImageId=image_id, MinCount=1, MaxCount=1, InstanceType="t3.micro")["Instances"][0]
        (reservation,) = ec2.describe_instances(InstanceIds=[made["InstanceId"]])["Reservations"]
        return str(reservation["Instances"][0]["State"]["Name"])


@pytest.fixture
def cloud(aws: MakeClient, sandbox: Sandbox) -> Cloud:
    return Cloud(aws, sandbox.endpoint)


def build(cloud: Cloud, distribution: Distribution) -> dict[str, dict[str, str]]:
    """Deploy keys and image into the account that builds, build once, and return the outputs."""
    app = make_app()
    keys = [
        KeyStack(
            app,
            f"Key-{region}",
            image="web",
            distribution=distribution,
            build_region=HOME,
            env=cdk.Environment(account=OWN, region=region),
        )
        for region in distribution.regions
    ]
    stack = make_stack("Image", app=app)
    image = GoldenImage(stack, "Image", name="web", source=SourceImage.amazon_linux_2023(), distribution=distribution)
    cdk.CfnOutput(stack, "Pipeline", value=image.pipeline_arn)
    for key in keys:
        stack.add_stack_dependency(key)
    outputs = cloud.deploy(app).outputs
    builder = cloud.client("imagebuilder", HOME, OWN)
    arn = builder.start_image_pipeline_execution(imagePipelineArn=outputs["Image"]["Pipeline"])["imageBuildVersionArn"]

    def state() -> dict[str, Any]:
        return dict(builder.get_image(imageBuildVersionArn=arn)["image"]["state"])

    wait_until(lambda: state()["status"] in {"AVAILABLE", "FAILED"})
    assert state() == {"status": "AVAILABLE"}
    return outputs


def group_in(cloud: Cloud, image_id: str) -> list[str]:
    """Return the states of the instances of a group in the account that shares, asked for one instance."""
    autoscaling = cloud.client("autoscaling", THERE, SHARED)
    if not autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"]:
        template = cloud.client("ec2", THERE, SHARED).create_launch_template(
            LaunchTemplateName="web", LaunchTemplateData={"ImageId": image_id, "InstanceType": "t3.micro"}
        )["LaunchTemplate"]["LaunchTemplateId"]
        autoscaling.create_auto_scaling_group(
            AutoScalingGroupName="web",
            MinSize=0,
            MaxSize=1,
            DesiredCapacity=0,
            AvailabilityZones=[f"{THERE}a"],
            LaunchTemplate={"LaunchTemplateId": template, "Version": "1"},
        )
    autoscaling.set_desired_capacity(AutoScalingGroupName="web", DesiredCapacity=1)
    (group,) = autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"]
    return [instance["LifecycleState"] for instance in group["Instances"]]


def test_copies_launches_and_groups_of_other_accounts_use_the_key_of_their_region(cloud: Cloud) -> None:
    member, unit = cloud.member_of_unit()
    permission = LaunchPermission(accounts=[SHARED], organizational_units=[unit])
    distribution = Distribution(
        targets=[Target(region=HOME), Target(region=THERE, accounts=[COPIED], launch_permission=permission)],
        kms_keys=ImageKey.arns("web", [HOME, THERE], account=OWN),
    )
    receiving = make_app()
    TargetAccountRole(
        make_stack("Receives", account=COPIED, app=receiving),
        "Images",
        source_account=OWN,
        deliveries=distribution.deliveries("web", account=COPIED, source_region=HOME),
    )
    cloud.deploy(receiving)

    outputs = build(cloud, distribution)

    keys = {region: outputs[f"Key-{region}"]["KeyArn"] for region in (HOME, THERE)}
    assert cloud.key_of(OWN, HOME) == keys[HOME]
    assert [cloud.key_of(account, THERE) for account in (OWN, COPIED)] == [keys[THERE]] * 2
    shared, copied = cloud.image(OWN, THERE)["ImageId"], cloud.image(COPIED, THERE)["ImageId"]
    assert [cloud.launch(SHARED, shared), cloud.launch(member, shared)] == ["running", "running"]
    assert cloud.launch(COPIED, copied) == "running"

    # A group launches by a role that has no permission for keys: its account makes a grant.
    denied = group_in(cloud, shared)
    granting = make_app()
    KeyGrant(make_stack("Grants", account=SHARED, region=THERE, app=granting), "Grant", key_arn=keys[THERE])
    deployment = cloud.deploy(granting)
    kms = cloud.client("kms", THERE, OWN)
    (grant,) = kms.list_grants(KeyId=keys[THERE])["Grants"]
    assert denied == []
    assert group_in(cloud, shared) == ["InService"]
    assert (grant["GranteePrincipal"], grant["RetiringPrincipal"]) == (ROLE, f"arn:aws:iam::{SHARED}:root")
    cloud.destroy(deployment)
    assert kms.list_grants(KeyId=keys[THERE])["Grants"] == []


def test_a_key_outlives_its_stack_and_its_alias_does_not(cloud: Cloud) -> None:
    app = make_app()
    distribution = Distribution.to_regions(HOME, kms_keys=ImageKey.arns("web", [HOME], account=OWN))
    KeyStack(
        app,
        "Key",
        image="web",
        distribution=distribution,
        build_region=HOME,
        env=cdk.Environment(account=OWN, region=HOME),
    )
    kms = cloud.client("kms", HOME, OWN)

    made = cloud.deploy(app)
    arn = made.outputs["Key"]["KeyArn"]
    named = kms.describe_key(KeyId="alias/imagebuilder/web")["KeyMetadata"]["Arn"]
    cloud.destroy(made)

    assert named == arn
    assert kms.describe_key(KeyId=arn)["KeyMetadata"]["KeyState"] == "Enabled"
    assert kms.list_aliases(KeyId=arn)["Aliases"] == []
