"""What a fleet's rollout renders, and what it refuses."""

from __future__ import annotations

import json
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns

from cdk_ami import (
    Architecture,
    ConfigError,
    ImageChannel,
    ImageFleet,
    InstanceChoice,
    MaintenanceWindow,
    MixedInstances,
    ProtectedInstances,
    Refresh,
    RefreshStrategy,
    Rollout,
    StandbyInstances,
    Tracking,
)
from cdk_ami.checks import rollouts as rules
from cdk_ami.sandbox.imagebuilder.schedules import schedule_fault
from tests.fleet.network import network
from tests.support.synth import get_att, make_stack, only_resource, resources_of, template_of

WEB = ImageChannel.from_name("web", "stable")
GROUP, MACHINE, RULE = "AWS::AutoScaling::AutoScalingGroup", "AWS::StepFunctions::StateMachine", "AWS::Events::Rule"
SCHEDULE, ROLE = "AWS::Scheduler::Schedule", "AWS::IAM::Role"
STATE = "/imagebuilder/web/stable/rollouts/shop"
ARN = "arn:aws:ssm:us-east-1:123456789012:parameter"


def fleet(stack: cdk.Stack, **options: Any) -> ImageFleet:
    return ImageFleet(stack, "Fleet", **({"image": WEB.machine_image(), "vpc": network(stack)} | options))


def statements(template: dict[str, Any], description: str) -> dict[str, dict[str, Any]]:
    roles = resources_of(template, ROLE).values()
    (role,) = [one["Properties"] for one in roles if one["Properties"]["Description"] == description]
    return {one["Sid"]: one for one in role["Policies"][0]["PolicyDocument"]["Statement"]}


def definition(template: dict[str, Any]) -> str:
    joined = only_resource(template, MACHINE)["Properties"]["DefinitionString"]["Fn::Join"][1]
    return "".join(part if isinstance(part, str) else part["Ref"] for part in joined)


@pytest.fixture(scope="module")
def following() -> dict[str, Any]:
    """The template of a fleet that follows its channel, with every option."""
    stack = make_stack()
    key = kms.Key(stack, "Key")
    fleet(
        stack,
        rollout=Rollout.on_channel(
            name="shop",
            refresh=Refresh(
                alarms=[cloudwatch.Alarm.from_alarm_name(stack, "Alarm", "errors")],
                bake_time=cdk.Duration.minutes(10),
                checkpoints=[20, 100],
                checkpoint_delay=cdk.Duration.hours(20),
                skip_matching=False,
                strategy=RefreshStrategy.ROOT_VOLUME,
                standby=StandbyInstances.TERMINATE,
                protected=ProtectedInstances.REFRESH,
            ),
            notifications=sns.Topic(stack, "Topic", master_key=key),
            windows=[
                MaintenanceWindow(days=["SAT", "SUN"], start_hour=2, hours=3, time_zone="Europe/Berlin"),
                MaintenanceWindow(start_hour=23, hours=1),
            ],
            deployment_role=iam.Role.from_role_arn(stack, "Deployer", "arn:aws:iam::123456789012:role/deployer"),
            reads=["/shop/colour"],
            reconcile=cdk.Duration.minutes(20),
        ),
    )
    return template_of(stack)


def test_a_refresh_has_its_alarms_pauses_and_exceptions(following: dict[str, Any]) -> None:
    assert only_resource(following, GROUP)["UpdatePolicy"]["AutoScalingInstanceRefresh"] == {
        "Strategy": "ReplaceRootVolume",
        "Preferences": {
            "AlarmSpecification": {"Alarms": ["errors"]},
            "BakeTime": 600,
            "CheckpointDelay": 72_000,
            "CheckpointPercentages": [20, 100],
            "MaxHealthyPercentage": 110,
            "MinHealthyPercentage": 100,
            "ScaleInProtectedInstances": "Refresh",
            "SkipMatching": False,
            "StandbyInstances": "Terminate",
        },
    }


def test_the_machine_is_started_by_what_happened_to_the_channel_and_not_by_what_failed(
    following: dict[str, Any],
) -> None:
    [(machine, _)] = resources_of(following, MACHINE).items()

    rule = only_resource(following, RULE)["Properties"]

    assert rule["EventPattern"] == {
        "source": ["aws.ssm"],
        "detail-type": ["Parameter Store Change"],
        "detail": {
            "name": ["/imagebuilder/web/stable", f"{STATE}/freeze"],
            "operation": ["Create", "Update", "Delete"],
            "exception": [{"exists": False}],
        },
    }
    assert rule["Targets"][0]["Arn"] == {"Ref": machine}


def test_the_machine_is_started_by_the_clock_and_told_of_open_windows(following: dict[str, Any]) -> None:
    found = [one["Properties"] for one in resources_of(following, SCHEDULE).values()]

    assert [
        (one["ScheduleExpression"], one.get("ScheduleExpressionTimezone"), json.loads(one["Target"]["Input"]))
        for one in found
    ] == [
        ("rate(20 minutes)", None, {}),
        ("cron(0/15 2-4 ? * SAT,SUN *)", "Europe/Berlin", {"open": True}),
        ("cron(0/15 23 ? * MON,TUE,WED,THU,FRI,SAT,SUN *)", "UTC", {"open": True}),
    ]
    assert {one["Target"]["RetryPolicy"]["MaximumEventAgeInSeconds"] for one in found} == {900}
    assert [schedule_fault(one["ScheduleExpression"]) for one in found] == [None, None, None]


def test_the_machines_role_may_update_its_own_stack_and_tell_of_it(following: dict[str, Any]) -> None:
    stack = {"Ref": "AWS::StackId"}

    found = statements(following, "Rollout of shop")

    assert {sid: (one["Action"], one["Resource"]) for sid, one in found.items()} == {
        "Read": (
            "ssm:GetParameter",
            [f"{ARN}/imagebuilder/web/stable", f"{ARN}{STATE}", f"{ARN}{STATE}/freeze"],
        ),
        "Tell": ("ssm:PutParameter", f"{ARN}{STATE}"),
        "Look": (["cloudformation:DescribeStacks", "cloudformation:DescribeStackEvents"], stack),
        "Update": (["cloudformation:UpdateStack", "cloudformation:ContinueUpdateRollback"], stack),
        "ReadAnew": (
            "ssm:GetParameters",
            [
                f"{ARN}/imagebuilder/*",
                f"{ARN}/cdk-bootstrap/*",
                "arn:aws:ssm:us-east-1::parameter/aws/*",
                f"{ARN}/shop/colour",
            ],
        ),
        "Refreshes": ("autoscaling:DescribeInstanceRefreshes", "*"),
        "Pass": ("iam:PassRole", "arn:aws:iam::123456789012:role/deployer"),
        "Notify": ("sns:Publish", {"Ref": "TopicBFC7AF6E"}),
        "Encrypt": (["kms:Decrypt", "kms:GenerateDataKey"], get_att("Key961B73FD")),
    }
    assert found["Pass"]["Condition"] == {"StringEquals": {"iam:PassedToService": "cloudformation.amazonaws.com"}}


def test_roles_are_for_services_that_act_for_this_account(following: dict[str, Any]) -> None:
    roles = [one["Properties"] for one in resources_of(following, ROLE).values()]
    mine = [one for one in roles if one["Description"].endswith("ollout of shop")]
    trusts = {one["Description"]: one["AssumeRolePolicyDocument"]["Statement"][0] for one in mine}

    assert {name: one["Principal"]["Service"] for name, one in trusts.items()} == {
        "Rollout of shop": "states.amazonaws.com",
        "Starts the rollout of shop": ["events.amazonaws.com", "scheduler.amazonaws.com"],
    }
    own = {"StringEquals": {"aws:SourceAccount": "123456789012"}}
    assert [one["Condition"] for one in trusts.values()] == [own, own]


def test_the_machine_updates_by_the_previous_template_and_waits_as_long_as_the_refresh_may_take(
    following: dict[str, Any],
) -> None:
    states = json.loads(definition(following))["States"]

    assert states["Update the stack"]["Parameters"] == {
        "StackName": "AWS::StackId",
        "UsePreviousTemplate": True,
        "Parameters.$": "$.parameters",
        "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
        "ClientRequestToken.$": states["Update the stack"]["Parameters"]["ClientRequestToken.$"],
        "RoleARN": "arn:aws:iam::123456789012:role/deployer",
    }
    assert states["Wait for the stack"]["Seconds"] == 126  # 12 h of work, 40 h at checkpoints, 10 min of baking
    assert "@.ParameterKey=='ChannelWebStable" in states["Look at the stack"]["ResultSelector"]["ami.$"]
    assert "'Fleet30813DF3'" in states["Find the reason"]["ResultSelector"]["why.$"]


def test_a_fleet_that_reports_its_deployments_may_not_update_its_stack() -> None:
    stack = make_stack()

    made = fleet(stack, rollout=Rollout.in_deployment(reports=True))

    template = template_of(stack)
    assert made.rollout_parameters == ("/imagebuilder/web/stable/rollouts/s-fleet",)
    assert list(statements(template, "Rollout of s-fleet")) == ["Read", "Tell", "Look"]
    patterns = [one["Properties"]["EventPattern"] for one in resources_of(template, RULE).values()]
    assert [one["source"] for one in patterns] == [["aws.ssm"], ["aws.cloudformation"]]
    assert patterns[1]["detail"]["stack-id"] == [{"Ref": "AWS::StackId"}]
    assert "Update the stack" not in definition(template)


def test_a_rollout_in_deployment_renders_nothing_but_its_policy() -> None:
    plain, stack = make_stack(), make_stack()
    fleet(plain)

    made = fleet(stack, rollout=Rollout.in_deployment())

    assert template_of(stack) == template_of(plain)
    assert (made.rollout_parameters, made.rollout_state_machine_arns) == ((), ())


def test_at_the_next_launch_nobody_is_replaced() -> None:
    stack = make_stack()

    fleet(stack, image=WEB.machine_image(tracking=Tracking.AT_LAUNCH), rollout=Rollout.at_next_launch())

    template = template_of(stack)
    assert "AutoScalingInstanceRefresh" not in only_resource(template, GROUP)["UpdatePolicy"]
    assert resources_of(template, MACHINE) == {}


def test_each_channel_of_a_fleet_of_two_architectures_is_followed() -> None:
    stack = make_stack()
    arm = ImageChannel.from_name("web-arm", "stable").machine_image(architecture=Architecture.ARM64)
    choices = [InstanceChoice(instance_type="m7i.large"), InstanceChoice(instance_type="m7g.large", image=arm)]

    made = fleet(stack, mixed=MixedInstances(choices=choices), rollout=Rollout.on_channel(name="shop"))

    assert made.rollout_parameters == (STATE, "/imagebuilder/web-arm/stable/rollouts/shop")
    assert len(resources_of(template_of(stack), MACHINE)) == 2


def test_a_channel_of_another_account_is_read_by_its_arn_and_looked_at_by_the_clock() -> None:
    stack = make_stack()
    shared = ImageChannel.from_shared("web", account="210987654321").machine_image()

    fleet(stack, image=shared, rollout=Rollout.on_channel(name="shop"))

    template = template_of(stack)
    arn = "arn:aws:ssm:us-east-1:210987654321:parameter/imagebuilder/web/latest"
    found = statements(template, "Rollout of shop")
    assert arn in found["Read"]["Resource"]
    assert arn in found["ReadAnew"]["Resource"]
    assert resources_of(template, RULE) == {}
    assert len(resources_of(template, SCHEDULE)) == 1


def test_the_wrong_pair_neither_type_checks_nor_constructs() -> None:
    """The type checker runs over the tests, and would report a comment that silences nothing."""
    vpc = network(make_stack())
    at_launch, at_deploy = WEB.machine_image(tracking=Tracking.AT_LAUNCH), WEB.machine_image()
    pinned = WEB.pinned({"us-east-1": "ami-0123456789abcdef0"})
    stack, bad = make_stack(), "is read at launch"

    with pytest.raises(ConfigError, match=bad) as refreshed:
        ImageFleet(stack, "A", image=at_launch, vpc=vpc, rollout=Rollout.in_deployment())  # type: ignore[misc]
    with pytest.raises(ConfigError, match=bad) as followed:
        ImageFleet(stack, "B", image=at_launch, vpc=vpc, rollout=Rollout.on_channel())  # type: ignore[misc]
    with pytest.raises(ConfigError, match="not read from one at deploy") as held:
        ImageFleet(stack, "C", image=pinned, vpc=vpc, rollout=Rollout.on_channel())  # type: ignore[misc]
    with pytest.raises(ConfigError, match="holds an AMI id") as left:
        ImageFleet(stack, "D", image=at_deploy, vpc=vpc, rollout=Rollout.at_next_launch())  # type: ignore[misc]
    for caught, name in ((refreshed, "S/A"), (followed, "S/B"), (held, "S/C"), (left, "S/D")):
        assert (caught.value.where, caught.value.prop) == (name, "rollout")
    for method in (Rollout.in_deployment, Rollout.on_channel, Rollout.at_next_launch):
        for version in ("$Latest", "$Default"):
            with pytest.raises(TypeError, match="launch_template_version"):
                method(launch_template_version=version)  # type: ignore[call-arg]


def test_a_fleet_in_a_nested_stack_does_not_follow_its_channel() -> None:
    nested = cdk.NestedStack(make_stack(), "Nested")

    with pytest.raises(ConfigError, match="nested in another") as caught:
        fleet(nested, rollout=Rollout.on_channel())

    assert (caught.value.where, caught.value.prop) == ("S/Nested/Fleet", "rollout")


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (rules.refresh_alarms(11), ["has 11 alarms"]),
        (rules.refresh_alarms(10), []),
        (rules.refresh_pause(172_801), ["is out of range"]),
        (rules.refresh_pause(172_800), []),
        (rules.checkpoints([]), []),
        (rules.checkpoints([20, 100]), []),
        (rules.checkpoints([20, 20, 100]), ["holds no ascending percentages"]),
        (rules.checkpoints([0, 100]), ["holds no ascending percentages"]),
        (rules.checkpoints([50]), ["leaves a part of the fleet as it is"]),
        (rules.maintenance_window(["SAT"], 22, 2), []),
        (rules.maintenance_window(["SAT"], 22, 3), ["leads past the end of the day"]),
        (rules.maintenance_window(["Sat"], 24, 1), ["names no days of the week", "is no hour of a day"]),
        (rules.maintenance_window([], 0, 0), ["names no days of the week", "leads past the end of the day"]),
        (rules.rollout_name("web-1"), []),
        (rules.rollout_name("a/b"), ["is no name of a rollout"]),
    ],
)
def test_the_rules_of_rollouts(found: Any, words: list[str]) -> None:
    assert [one.problem for one in found] == words


def test_the_image_of_a_fleet_may_still_be_any_machine_image() -> None:
    stack = make_stack()
    image: ec2.IMachineImage = ec2.MachineImage.generic_linux({"us-east-1": "ami-0123456789abcdef0"})

    ImageFleet(stack, "Fleet", image=image, vpc=network(stack), instance_type="t3.micro")

    assert "AutoScalingInstanceRefresh" in only_resource(template_of(stack), GROUP)["UpdatePolicy"]
