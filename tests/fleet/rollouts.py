"""A stack that follows a channel, as small as can be, and the state machine of its rollout."""

from __future__ import annotations

import json
from collections.abc import Mapping
from threading import Event
from typing import Any
from urllib.parse import urlencode

from cdk_ami.fleet.rollout_machine import RolloutPlan, definition
from cdk_ami.fleet.rollout_state import RolloutState, freeze_parameter, parse, rollout_parameter
from cdk_ami.sandbox.clock import CLOCK
from cdk_ami.sandbox.server import Sandbox
from cdk_ami.sandbox.stepfunctions.models import stepfunctions_backends
from tests.support.control import ask
from tests.support.groups import AL2023
from tests.support.happenings import ACCOUNT, Happenings

CHANNEL = "/imagebuilder/web/stable"
COPY = "/copy"
STATE = rollout_parameter("web", "stable", "shop")
FREEZE = freeze_parameter("web", "stable", "shop")
GOOD = ("ami-11111111111111111", "ami-22222222222222222")
BAD = "ami-bad0000000000000b"
TEMPLATE = {
    "Parameters": {
        "Channel": {"Type": "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>", "Default": CHANNEL},
        "Other": {"Type": "String", "Default": "default"},
    },
    # It stands for a group: it takes over what the parameter says, or fails to.
    "Resources": {
        "Group": {
            "Type": "AWS::SSM::Parameter",
            "Properties": {
                "Name": COPY,
                "Type": "String",
                "Value": {"Ref": "Channel"},
                "Description": {"Ref": "Other"},
            },
        }
    },
}


class Bench:
    """One stack, its channel and its rollout.  The clock runs fast, so that waits take no time."""

    def __init__(self, it: Happenings, sandbox: Sandbox, **options: Any) -> None:
        self.it, self.aws, self.sandbox = it, it.aws, sandbox
        self.ssm, self.sfn, self.cloudformation = it.aws("ssm"), it.aws("stepfunctions"), it.aws("cloudformation")
        CLOCK.run_at(5_000)
        trusted = {"Effect": "Allow", "Principal": {"Service": "states.amazonaws.com"}, "Action": "sts:AssumeRole"}
        self.role = self.aws("iam").create_role(
            RoleName="rollout", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trusted]})
        )["Role"]["Arn"]
        self.topic = self.aws("sns").create_topic(Name="rollouts")["TopicArn"]
        data = {"ImageId": AL2023, "InstanceType": "t3.micro"}
        self.aws("ec2").create_launch_template(LaunchTemplateName="shop", LaunchTemplateData=data)
        self.aws("autoscaling").create_auto_scaling_group(
            AutoScalingGroupName="shop",
            MinSize=0,
            MaxSize=0,
            AvailabilityZones=["us-east-1a"],
            LaunchTemplate={"LaunchTemplateName": "shop", "Version": "1"},
        )
        self.move(GOOD[0])
        self.cloudformation.create_stack(
            StackName="shop",
            TemplateBody=json.dumps(TEMPLATE),
            Parameters=[{"ParameterKey": "Other", "ParameterValue": "kept"}],
        )
        self.plan = RolloutPlan(
            fleet="shop",
            stack="shop",
            parameter="Channel",
            group="Group",
            group_name="shop",
            channel=CHANNEL,
            state=STATE,
            freeze=FREEZE,
            topic=self.topic,
            **options,
        )
        self._made = 0
        self.machine = self.define(definition(self.plan))

    def define(self, told: Mapping[str, Any]) -> str:
        """Make a state machine; return its ARN."""
        self._made += 1
        made = self.sfn.create_state_machine(
            name=f"rollout-{self._made}", definition=json.dumps(told), roleArn=self.role
        )
        return str(made["stateMachineArn"])

    def move(self, ami: str, **options: Any) -> int:
        """Move the channel; return the version that names the AMI."""
        options = {"Type": "String", "Overwrite": True, **options}
        return int(self.ssm.put_parameter(Name=CHANNEL, Value=ami, **options)["Version"])

    def start(self, asked: Mapping[str, Any] | None = None, machine: str | None = None) -> str:
        """Start an execution; return its ARN."""
        arn = self.sfn.start_execution(stateMachineArn=machine or self.machine, input=json.dumps(asked or {}))
        return str(arn["executionArn"])

    def ended(self, execution: str) -> str:
        """Return how an execution ends, as soon as it does."""
        found, end = stepfunctions_backends[ACCOUNT]["us-east-1"].executions[execution], Event()
        found.on_end(end.set)
        assert end.wait(60), f"{execution} has not ended"
        return str(found.status)

    def run(self, asked: Mapping[str, Any] | None = None, machine: str | None = None) -> str:
        """Run an execution; return how it ends."""
        return self.ended(self.start(asked, machine))

    def state(self) -> RolloutState:
        """Return what the rollout says of itself."""
        return parse(self.ssm.get_parameter(Name=STATE)["Parameter"]["Value"])

    def stack(self) -> tuple[str, str]:
        """Return the status of the stack, and the AMI that it has."""
        (found,) = self.cloudformation.describe_stacks(StackName="shop")["Stacks"]
        (ami,) = [one["ResolvedValue"] for one in found["Parameters"] if one["ParameterKey"] == "Channel"]
        return str(found["StackStatus"]), str(ami)

    def copy(self) -> str:
        """Return the AMI that the stack's resource has."""
        return str(self.ssm.get_parameter(Name=COPY)["Parameter"]["Value"])

    def calls(self, **wanted: str) -> list[dict[str, Any]]:
        """Return the calls of services."""
        return list(self.it.ask(f"calls?{urlencode(wanted)}")["calls"])

    def updates(self) -> int:
        """Return how many updates of the stack have begun."""
        events = self.cloudformation.describe_stack_events(StackName="shop")["StackEvents"]
        begun = [one for one in events if one["ResourceStatus"] == "UPDATE_IN_PROGRESS"]
        return sum(one["LogicalResourceId"] == "shop" for one in begun)

    def told(self) -> list[str]:
        """Return what the topic was told, oldest first: first lines."""
        return [call["parameters"]["Message"].split("\n")[0] for call in self.calls(service="sns", operation="Publish")]

    def fault(self, **asked: Any) -> str:
        """Cause a fault; return its id."""
        return str(self.it.ask("faults", {"callers": "engines", **asked})["id"])

    def end(self, fault: str) -> int:
        """End a fault; return how often it has struck."""
        (ended,) = ask(self.sandbox, "faults", method="DELETE", id=fault)["faults"]
        return int(ended["struck"])

    def forget_calls(self) -> None:
        """Empty the log of calls."""
        ask(self.sandbox, "calls", method="DELETE")

    def deploy(self, other: str = "kept") -> None:
        """Begin to update the stack as a deployment does."""
        self.cloudformation.update_stack(
            StackName="shop",
            TemplateBody=json.dumps(TEMPLATE),
            Parameters=[{"ParameterKey": "Other", "ParameterValue": other}],
        )

    def steps(self, execution: str) -> list[str]:
        """Return the states that an execution went through, in order, Map's own left aside."""
        pages = self.sfn.get_paginator("get_execution_history").paginate(executionArn=execution)
        events = [event for page in pages for event in page["events"]]
        entered = [event["stateEnteredEventDetails"]["name"] for event in events if "stateEnteredEventDetails" in event]
        return [name for name in entered if name != "Name one"]

    def fail_bad(self, **asked: Any) -> str:
        """Let the stack's resource refuse the bad AMI."""
        wanted = {"Name": COPY, "Value": BAD}
        error = {"code": "ValidationException", "message": "its instances turned unhealthy"}
        return self.fault(service="ssm", operation="PutParameter", parameters=wanted, error=error, **asked)
