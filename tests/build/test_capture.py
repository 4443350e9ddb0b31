"""AMIs of servers that somebody has set up, captured by a state machine."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns

from cdk_ami.build.capture import BootTest, InstanceCapture
from cdk_ami.build.capture_plan import Afterwards, Consistency, InGroup, capture_name
from cdk_ami.build.capture_states import CaptureMachine, BootPlan
from cdk_ami.distribution.distribution import Distribution
from cdk_ami.errors import ConfigError
from cdk_ami.sandbox.server import Sandbox
from cdk_ami.sandbox.stepfunctions import definition
from tests.support.control import ask
from tests.support.executions import Executions
from tests.support.happenings import Happenings
from tests.support.stacks import Stacks
from tests.support.synth import make_stack, only_resource, resources_of, template_of

REGIONS = ("us-east-1", "eu-west-1")
PUBLIC = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
PRODUCER = "arn:aws:states:us-east-1:123456789012:stateMachine:producer"

Aws = Callable[..., Any]


@cache
def template_with(**options: Any) -> dict[str, Any]:
    """Return the template of a capture of the server that is tagged ``Role=golden``."""
    stack = make_stack("Shop")
    test = options.pop("test", "default")
    given: dict[str, Any] = {"test": BootTest(commands=["true"], role=iam.Role.from_role_name(stack, "R", "tester"))}
    InstanceCapture(
        stack,
        "Capture",
        name="shop",
        instance_tags={"Role": "golden"},
        distribution=Distribution.to_regions(*REGIONS),
        commands=("systemctl stop shop",),
        notifications=sns.Topic(stack, "Topic"),
        tags={"Team": "shop"},
        schedule=events.Schedule.cron(hour="3", minute="0"),
        **(given if test == "commands" else {"test": None} if test is None else {}),
        **options,
    )
    return template_of(stack)


class Shop:
    """A server, and what captures it, with every role held to its policies."""

    def __init__(self, sandbox: Sandbox, aws: Aws, **options: Any) -> None:
        self.aws, self.sandbox, self.ec2 = aws, sandbox, aws("ec2")
        self.it = Happenings(sandbox, aws)
        trust = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
        aws("iam").create_role(RoleName="tester", AssumeRolePolicyDocument=json.dumps({"Statement": [trust]}))
        stacks = Stacks(aws("cloudformation"))
        resources = template_with(**options)["Resources"]
        # Too large to be sent along.
        aws("s3").create_bucket(Bucket="templates")
        aws("s3").put_object(Bucket="templates", Key="shop.json", Body=json.dumps({"Resources": resources}))
        stacks.client.create_stack(
            StackName="shop",
            TemplateURL=f"{sandbox.endpoint}/templates/shop.json",
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )
        assert stacks.settled("shop") == "CREATE_COMPLETE", stacks.reasons("shop")
        ids = {logical[:-8]: stacks.physical_id("shop", logical) for logical in resources}
        self.role, self.machine = ids["CaptureRole"], Executions(self.it, ids["CaptureMachine"])
        self.server = self.launch()
        ask(sandbox, "iam", enforce="all-roles")

    def launch(self, zone: str = "us-east-1a", **options: Any) -> str:
        """Launch a server from a public AMI and set it up; return its id."""
        public = self.aws("ssm").get_parameter(Name=PUBLIC)["Parameter"]["Value"]
        tags = [{"Key": "Role", "Value": "golden"}]
        launched = self.ec2.run_instances(
            ImageId=public,
            MinCount=1,
            MaxCount=1,
            InstanceType=options.pop("InstanceType", "t3.micro"),
            Placement={"AvailabilityZone": zone},
            TagSpecifications=[{"ResourceType": "instance", "Tags": tags}],
            **options,
        )
        return str(launched["Instances"][0]["InstanceId"])

    def states(self) -> dict[str, str]:
        """Return the state of every instance that is not terminated."""
        found = [one for page in self.ec2.describe_instances()["Reservations"] for one in page["Instances"]]
        return {one["InstanceId"]: one["State"]["Name"] for one in found if one["State"]["Name"] != "terminated"}

    def marks(self) -> list[str]:
        """Return the tags that captures have left on the server."""
        found = self.ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [self.server]}])["Tags"]
        return [tag["Key"] for tag in found if tag["Key"].startswith("cdk-ami:")]

    def captured(self) -> list[dict[str, Any]]:
        """Return the AMIs that were captured, and not their copies."""
        filters = [{"Name": "tag-key", "Values": ["cdk-ami:capture"]}]
        return list(self.ec2.describe_images(Owners=["self"], Filters=filters)["Images"])

    def asked(self) -> list[tuple[str, str]]:
        """Return which calls the machine's role has made, each once."""
        calls = ask(self.sandbox, "calls", method="GET")["calls"]
        named = [(call["service"], call["operation"]) for call in calls if (call["role"] or "").endswith(self.role)]
        return list(dict.fromkeys(named))


@pytest.fixture
def shop(sandbox: Sandbox, aws: Aws) -> Shop:
    return Shop(sandbox, aws, test="commands")


def test_a_server_becomes_an_ami_and_the_ami_its_twins_in_another_zone_and_region(shop: Shop) -> None:
    """The whole story: launch, set up, stop, create the AMI, see the snapshot, launch the twins."""
    ec2 = shop.ec2

    ended = shop.machine.run({"id": "monday"})

    assert ended["status"] == "SUCCEEDED", ended.get("cause")
    assert shop.states() == {shop.server: "running"}
    assert shop.marks() == []
    (image,) = shop.captured()
    tags = {tag["Key"]: tag["Value"] for tag in image["Tags"]}
    assert image["Name"] == capture_name("shop", "monday")
    assert (tags["cdk-ami:capture"], tags["cdk-ami:captured-from"]) == ("monday", shop.server)
    assert (tags["cdk-ami:image"], tags["Team"]) == ("shop", "shop")
    snapshot_id = image["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    (snapshot,) = ec2.describe_snapshots(SnapshotIds=[snapshot_id])["Snapshots"]
    assert (snapshot["State"], snapshot["Progress"]) == ("completed", "100%")
    assert {tag["Key"]: tag["Value"] for tag in snapshot["Tags"]}["cdk-ami:capture"] == "monday"
    output = json.loads(ended["output"])
    copies = {one["Region"]: one["Image"] for one in output["amis"]}
    for region, zone in (("us-east-1", "us-east-1b"), ("eu-west-1", "eu-west-1a")):
        client = shop.aws("ec2", region)
        channel = shop.aws("ssm", region).get_parameter(Name="/imagebuilder/shop/latest")["Parameter"]["Value"]
        twin = client.run_instances(
            ImageId=channel, MinCount=1, MaxCount=1, InstanceType="t3.micro", Placement={"AvailabilityZone": zone}
        )["Instances"][0]
        (described,) = client.describe_images(ImageIds=[twin["ImageId"]])["Images"]
        assert (twin["Placement"]["AvailabilityZone"], twin["ImageId"]) == (zone, copies[region])
        # The same content: each was copied from the AMI that was captured.
        assert described["SourceImageId"] == output["ami"] == image["ImageId"]

    again = shop.machine.run({"id": "monday"})

    assert again["status"] == "SUCCEEDED", again.get("cause")
    assert json.loads(again["output"]) == output
    assert [one["ImageId"] for one in shop.captured()] == [image["ImageId"]]


def test_a_fault_at_any_call_brings_the_server_back_leaves_nothing_and_makes_no_second_ami(shop: Shop) -> None:
    ask(shop.sandbox, "calls", method="DELETE")
    assert shop.machine.run({"id": "clean"})["status"] == "SUCCEEDED"
    calls = shop.asked()
    reads = ("Describe", "Get")
    points: list[tuple[tuple[str, str], dict[str, Any]]] = [
        (call, {"error": {"code": "InternalFailure"}, "first": 6}) for call in calls
    ]
    points += [(call, {"lose_answer": True, "first": 1}) for call in calls if not call[1].startswith(reads)]

    for number, ((service, operation), way) in enumerate(points):
        name = f"fault-{number}"
        ask(shop.sandbox, "faults", service=service, operation=operation, callers="engines", **way)
        first = shop.machine.run({"id": name}, most=200)
        ask(shop.sandbox, "faults", method="DELETE")
        where = (service, operation, way, first["status"], first.get("cause"))
        assert shop.states() == {shop.server: "running"}, where
        assert shop.marks() == [] or (service, operation) == ("ec2", "DeleteTags"), where
        ended = shop.machine.run({"id": name})
        assert ended["status"] == "SUCCEEDED", (where, ended.get("cause"))
        named = [one for one in shop.captured() if one["Name"] == capture_name("shop", name)]
        assert len(named) == 1, where
        assert shop.states() == {shop.server: "running"}, where
        assert shop.marks() == [], where

    print(f"{len(points)} faults injected at {len(calls)} calls of a capture")  # noqa: T201 - for the log
    assert calls == []
