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
from cdk_ami.build.capture_states import BootPlan, CaptureMachine
from cdk_ami.distribution.distribution import Distribution
from cdk_ami.errors import ConfigError
from cdk_ami.sandbox.server import Sandbox
from cdk_ami.sandbox.stepfunctions import definition
from cdk_ami.source.platform import Platform
from tests.support.control import ask
from tests.support.executions import Executions
from tests.support.happenings import Happenings
from tests.support.stacks import Stacks
from tests.support.synth import make_stack, resources_of, template_of

REGIONS = ("us-east-1", "eu-west-1")
PUBLIC = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
PRODUCER = "arn:aws:states:us-east-1:123456789012:stateMachine:producer"

Aws = Callable[..., Any]


@cache
def template_with(**options: Any) -> dict[str, Any]:
    """Return the template of a capture of the server that is tagged ``Role=golden``."""
    stack = make_stack("Shop")
    test = options.pop("test", "default")
    # The servers of these tests start from public AMIs, which are not encrypted.
    options.setdefault("allow_unencrypted", True)
    given: dict[str, Any] = {"test": BootTest(commands=["true"], role=iam.Role.from_role_name(stack, "R", "tester"))}
    InstanceCapture(
        stack,
        "Capture",
        name="shop",
        instance_tags={"Role": "golden"},
        distribution=Distribution.to_regions(*REGIONS),
        commands=options.pop("commands", ("systemctl stop shop",)),
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
        self.producer = ids["CaptureProducerMachine"]
        self.server = self.launch()
        ask(sandbox, "iam", enforce="all-roles")

    def distributes_nothing(self) -> None:
        """Put a machine in the place of the producer's that says yes at once; the real one has tests of its own."""
        yes = {"Type": "Pass", "Result": {"image": "arn", "amis": []}, "End": True}
        definition = json.dumps({"StartAt": "Yes", "States": {"Yes": yes}})
        self.aws("stepfunctions").update_state_machine(stateMachineArn=self.producer, definition=definition)

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

    def group(self, desired: int) -> Any:
        """Make a group of so many servers; return the client of Auto Scaling."""
        client = self.aws("autoscaling")
        public = self.aws("ssm").get_parameter(Name=PUBLIC)["Parameter"]["Value"]
        data = {"ImageId": public, "InstanceType": "t3.micro"}
        self.ec2.create_launch_template(LaunchTemplateName="golden", LaunchTemplateData=data)
        client.create_auto_scaling_group(
            AutoScalingGroupName="golden",
            LaunchTemplate={"LaunchTemplateName": "golden", "Version": "1"},
            MinSize=0,
            MaxSize=1,
            DesiredCapacity=desired,
            AvailabilityZones=["us-east-1a"],
            Tags=[{"Key": "Role", "Value": "golden", "PropagateAtLaunch": True}],
        )
        return client

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
    shop.distributes_nothing()
    # What the roles may do is proven above, and to judge every call again takes half of the time.
    ask(shop.sandbox, "iam", method="DELETE")
    ask(shop.sandbox, "calls", method="DELETE")
    assert shop.machine.run({"id": "clean"})["status"] == "SUCCEEDED"
    calls = shop.asked()
    points: list[tuple[tuple[str, str], dict[str, Any]]] = [
        (call, {"error": {"code": "InternalFailure"}, "first": 6}) for call in calls
    ]
    # What was done and not heard of is the dangerous half, where doing it twice is not the same as once.
    lost = {"CreateImage", "RunInstances", "SendCommand", "StartExecution", "StopInstances"}
    points += [(call, {"lose_answer": True, "first": 1}) for call in calls if call[1] in lost]

    for number, ((service, operation), way) in enumerate(points):
        name = f"fault-{number}"
        ask(shop.sandbox, "faults", service=service, operation=operation, callers="engines", **way)
        first = shop.machine.run({"id": name}, most=200)
        ask(shop.sandbox, "faults", method="DELETE")
        where = (service, operation, way, first["status"], first.get("cause"))
        assert shop.states() == {shop.server: "running"}, where
        assert shop.marks() == [] or (service, operation) == ("ec2", "DeleteTags"), where
        if first["status"] != "SUCCEEDED":
            again = shop.machine.run({"id": name})
            assert again["status"] == "SUCCEEDED", (where, again.get("cause"))
        named = [one for one in shop.captured() if one["Name"] == capture_name("shop", name)]
        assert (len(named), shop.states(), shop.marks()) == (1, {shop.server: "running"}, []), where

    print(f"{len(points)} faults injected at {len(calls)} calls of a capture")  # noqa: T201 - for the log
    assert calls == [
        ("ec2", "DescribeInstances"),
        ("ec2", "DescribeInstanceTypes"),
        ("autoscaling", "DescribeAutoScalingInstances"),
        ("ec2", "DescribeTags"),
        ("ec2", "DescribeImages"),
        ("ec2", "CreateTags"),
        ("ssm", "SendCommand"),
        ("ssm", "GetCommandInvocation"),
        ("ec2", "StopInstances"),
        ("ec2", "CreateImage"),
        ("ec2", "StartInstances"),
        ("ec2", "DeleteTags"),
        ("ec2", "RunInstances"),
        ("ec2", "DescribeInstanceStatus"),
        ("ec2", "TerminateInstances"),
        ("stepfunctions", "StartExecution"),
        ("sns", "Publish"),
    ]
    assert len(points) == 22


@pytest.mark.parametrize(
    ("options", "before", "after"),
    [
        ({"afterwards": Afterwards.LEAVE_STOPPED}, "running", "stopped"),
        ({"afterwards": Afterwards.TERMINATE}, "running", None),
        ({"consistency": Consistency.CRASH_CONSISTENT}, "running", "running"),
    ],
)
def test_a_server_becomes_what_was_chosen_for_it_and_is_as_before_when_its_ami_does_not_boot(
    sandbox: Sandbox, aws: Aws, options: dict[str, Any], before: str, after: str | None
) -> None:
    shop = Shop(sandbox, aws, **options)
    shop.distributes_nothing()
    ask(
        sandbox, "faults", service="ec2", operation="RunInstances", callers="engines", error={"code": "InternalFailure"}
    )
    failed = shop.machine.run({"id": "monday"}, most=200)
    ask(sandbox, "faults", method="DELETE")
    # What is to stay stopped does so whatever fails; what was to be terminated is as before.
    kept = before if options.get("afterwards") is not Afterwards.LEAVE_STOPPED else "stopped"
    left = shop.states()

    if shop.states()[shop.server] == "stopped":
        shop.ec2.start_instances(InstanceIds=[shop.server])
    ask(sandbox, "calls", method="DELETE")
    ended = shop.machine.run({"id": "monday"}, most=200)

    assert (failed["status"], left) == ("FAILED", {shop.server: kept}), failed
    assert ended["status"] == "SUCCEEDED", ended
    assert shop.states() == ({shop.server: after} if after else {})
    assert len(shop.captured()) == 1
    if options.get("consistency"):
        assert not {operation for _, operation in shop.asked()} & {"StopInstances", "StartInstances"}


def test_a_member_of_a_group_goes_into_standby_and_comes_back(sandbox: Sandbox, aws: Aws) -> None:
    shop = Shop(sandbox, aws, in_group=InGroup.STANDBY, test=None)
    shop.distributes_nothing()
    shop.ec2.terminate_instances(InstanceIds=[shop.server])
    group = shop.group(desired=1)
    shop.it.settle()
    (member,) = shop.states()

    ended = shop.machine.run({"id": "monday"})

    assert ended["status"] == "SUCCEEDED", ended.get("cause")
    assert shop.states() == {member: "running"}
    (found,) = group.describe_auto_scaling_instances(InstanceIds=[member])["AutoScalingInstances"]
    assert found["LifecycleState"] == "InService"
    assert {"EnterStandby", "ExitStandby"} <= {operation for _, operation in shop.asked()}


def test_what_cannot_be_captured_is_refused_with_the_reason_before_anything_is_touched(shop: Shop) -> None:
    refused: list[tuple[str, str]] = []

    def ended(why: str) -> None:
        found = shop.machine.run({})
        refused.append((why, found.get("cause", "")))

    shop.launch()
    ended("more than one instance has these tags")
    for instance in shop.states():
        shop.ec2.terminate_instances(InstanceIds=[instance])
    ended("no instance that runs or is stopped is meant")
    for options, why in (
        ({"InstanceMarketOptions": {"MarketType": "spot"}}, "is a Spot instance"),
        ({"InstanceType": "c5d.large"}, "has instance store volumes"),
    ):
        instance = shop.launch(**options)
        ended(why)
        assert shop.states() == {instance: "running"}
        shop.ec2.terminate_instances(InstanceIds=[instance])
    stopped = shop.launch()
    shop.ec2.stop_instances(InstanceIds=[stopped])
    ended("is stopped, and commands run on running instances only")
    shop.ec2.start_instances(InstanceIds=[stopped])
    aws_group = shop.group(desired=0)
    aws_group.attach_instances(AutoScalingGroupName="golden", InstanceIds=[stopped])
    ended("belongs to an Auto Scaling group")

    assert [why for why, cause in refused if why not in cause] == [], refused
    assert shop.captured() == []
    touched = {operation for _, operation in shop.asked() if not operation.startswith("Describe")}
    assert touched == {"Publish"}


def test_a_server_with_unencrypted_volumes_is_refused_unless_they_are_left_out(sandbox: Sandbox, aws: Aws) -> None:
    shop = Shop(sandbox, aws, test=None, commands=(), without=("/dev/sdf",), allow_unencrypted=False)
    shop.distributes_nothing()

    refused = shop.machine.run({"id": "plain"})
    touched = {operation for _, operation in shop.asked() if not operation.startswith("Describe")}
    shop.ec2.terminate_instances(InstanceIds=[shop.server])
    shop.launch(
        BlockDeviceMappings=[
            {"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 8, "Encrypted": True}},
            {"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 8, "Encrypted": False}},
        ]
    )
    captured = shop.machine.run({"id": "secret"})

    assert (refused["status"], refused["error"], touched) == ("FAILED", "CdkAmi.CannotCapture", {"Publish"})
    assert "volumes that are not encrypted, and no key is named" in refused["cause"]
    assert captured["status"] == "SUCCEEDED", captured["cause"]


PLAN = CaptureMachine(
    partition="aws",
    image="shop",
    instance_id="i-0123456789abcdef0",
    instance_tags={},
    document="AWS-RunShellScript",
    commands=(),
    consistency=Consistency.STOPPED,
    afterwards=Afterwards.AS_BEFORE,
    in_group=InGroup.REFUSE,
    discard_instance_store=False,
    without=("/dev/sdf",),
    tags={},
    test=None,
    producer_arn=PRODUCER,
    topic_arn=None,
    patience_seconds=3600,
    keyless=("us-east-1",),
)
BOOTS = BootPlan(
    instance_type="t3.small",
    subnet_id="subnet-1",
    security_group_ids=("sg-1",),
    profile_arn="arn:aws:iam::123456789012:instance-profile/tester",
    commands=("true",),
    patience_seconds=900,
)


@pytest.mark.parametrize("consistency", Consistency)
@pytest.mark.parametrize("afterwards", Afterwards)
@pytest.mark.parametrize("in_group", InGroup)
def test_every_combination_is_a_valid_state_machine(
    consistency: Consistency, afterwards: Afterwards, in_group: InGroup
) -> None:
    chosen = dataclasses.replace(PLAN, consistency=consistency, afterwards=afterwards, in_group=in_group)

    wrong = [
        fault
        for commands, test, topic in itertools.product(((), ("true",)), (None, BOOTS), (None, "arn:aws:sns:::topic"))
        for fault in definition.faults(
            json.dumps(dataclasses.replace(chosen, commands=commands, test=test, topic_arn=topic).definition())
        )
    ]

    assert wrong == []


def test_the_schedule_names_each_capture_by_its_time_and_windows_forgets_by_sysprep() -> None:
    (rule,) = [
        one["Properties"]
        for one in resources_of(template_with(test="commands"), "AWS::Events::Rule").values()
        if "ScheduleExpression" in one["Properties"]
    ]
    stack = make_stack()
    InstanceCapture(
        stack,
        "Capture",
        name="shop",
        instance="i-0123456789abcdef0",
        platform=Platform.WINDOWS,
        afterwards=Afterwards.TERMINATE,
        source_keys=["arn:aws:kms:us-east-1:123456789012:key/0123abcd-0123-0123-0123-0123456789ab"],
        without=["/dev/sdf"],
        test=None,
    )
    template = template_of(stack)

    assert rule["ScheduleExpression"] == "cron(0 3 * * ? *)"
    assert rule["Targets"][0]["InputTransformer"]["InputTemplate"] == '{"id":<time>}'
    machine = json.dumps(resources_of(template, "AWS::StepFunctions::StateMachine"))
    assert all(part in machine for part in ("sysprep", "AWS-RunPowerShellScript", "NoDevice", "terminateInstances"))
    roles = resources_of(template, "AWS::IAM::Role")
    (capture,) = [role for name, role in roles.items() if name.startswith("CaptureRole")]
    statements = {one["Sid"]: one for one in capture["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]}
    assert statements["TerminateInstance"]["Resource"] == (
        "arn:aws:ec2:us-east-1:123456789012:instance/i-0123456789abcdef0"
    )
    assert statements["KeyGrants"]["Condition"]["Bool"] == {"kms:GrantIsForAWSResource": "true"}
    assert [sid for sid, one in statements.items() if one["Resource"] == "*"] == ["Look"]


def test_arguments_that_do_not_go_together_are_told_at_once() -> None:
    stack = make_stack()

    with pytest.raises(ConfigError) as caught:
        InstanceCapture(
            stack,
            "Capture",
            name="shop",
            consistency=Consistency.CRASH_CONSISTENT,
            afterwards=Afterwards.LEAVE_STOPPED,
            in_group=InGroup.STANDBY,
            sanitize=True,
            test=BootTest(commands=["true"]),
            patience=Duration.days(3),
        )

    assert caught.value.where == "S/Capture"
    assert [fault.prop for fault in caught.value.faults] == [
        "instance",
        "afterwards",
        "sanitize",
        "in_group",
        "test.role",
        "patience",
    ]
    assert stack.node.children == []


def test_what_is_risky_is_warned_of() -> None:
    stack = make_stack()
    InstanceCapture(
        stack, "Live", name="live", instance_tags={"Role": "live"}, consistency=Consistency.CRASH_CONSISTENT, test=None
    )
    InstanceCapture(stack, "Clean", name="clean", instance_tags={"Role": "clean"}, sanitize=True, test=None)

    warned = {
        child.node.id: [str(entry.data) for entry in child.node.metadata if "warn" in entry.type]
        for child in stack.node.children
    }

    assert "power failure" in warned["Live"][0]
    assert "boots as a new one" in warned["Clean"][0]
