"""An AMI of a server by hand, with something going wrong at each call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.exceptions import BotoCoreError, ClientError
from botocore.stub import Stubber

from cdk_ami.build.capture_plan import STATE_TAG, Afterwards, capture_name
from cdk_ami.runtime import capture as runtime
from cdk_ami.sandbox.server import Sandbox
from tests.support.control import ask

Aws = Callable[..., Any]
PUBLIC = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"


class Hand:
    """Somebody who captures a server."""

    def __init__(self, sandbox: Sandbox, aws: Aws) -> None:
        self.aws, self.sandbox, self.ec2 = aws, sandbox, aws("ec2")
        self.server = self.launch()
        self.said: list[str] = []

    def launch(self, **options: Any) -> str:
        """Launch a server from a public AMI; return its id."""
        public = self.aws("ssm").get_parameter(Name=PUBLIC)["Parameter"]["Value"]
        given: dict[str, Any] = {"InstanceType": "t3.micro"} | options
        return str(
            self.ec2.run_instances(ImageId=public, MinCount=1, MaxCount=1, **given)["Instances"][0]["InstanceId"]
        )

    def order(self, capture_id: str = "monday", **options: Any) -> runtime.CaptureOrder:
        """Return an order of the server."""
        given: dict[str, Any] = {"instance": self.server, "image": "shop"} | options
        return runtime.CaptureOrder(capture_id=capture_id, **given)

    def capture(self, order: runtime.CaptureOrder) -> str:
        """Do all that the command does without a distribution; return the AMI."""
        server = runtime.look_at(self.ec2, self.aws("autoscaling"), order)
        assert server.problems == ()
        ami = runtime.capture(self.ec2, order, server, tell=self.said.append, sleep=lambda _: None)
        runtime.wait_available(self.ec2, ami, tell=lambda _: None, sleep=lambda _: None)
        runtime.finish(self.ec2, order, tell=self.said.append)
        return ami

    def state(self) -> str:
        """Return the state of the server."""
        found = self.ec2.describe_instances(InstanceIds=[self.server])["Reservations"]
        return str(found[0]["Instances"][0]["State"]["Name"])

    def marks(self) -> list[str]:
        """Return the tags of the server."""
        found = self.ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [self.server]}])["Tags"]
        return [tag["Key"] for tag in found]

    def named(self, order: runtime.CaptureOrder) -> list[str]:
        """Return the AMIs of an order."""
        found = self.ec2.describe_images(Owners=["self"], Filters=[{"Name": "name", "Values": [order.name]}])["Images"]
        return [image["ImageId"] for image in found]


@pytest.fixture
def hand(sandbox: Sandbox, aws: Aws) -> Hand:
    return Hand(sandbox, aws)


def test_a_fault_at_any_call_by_hand_brings_the_server_back_and_makes_no_second_ami(hand: Hand) -> None:
    ask(hand.sandbox, "calls", method="DELETE")
    hand.capture(hand.order("clean"))
    noted = ask(hand.sandbox, "calls", method="GET", engine=False)["calls"]
    calls = list(dict.fromkeys((call["service"], call["operation"]) for call in noted))
    refused: dict[str, Any] = {"error": {"code": "UnauthorizedOperation", "status": 400}, "first": 1}
    points = [(call, refused) for call in calls]
    points += [(call, {"lose_answer": True, "first": 1}) for call in calls if not call[1].startswith("Describe")]
    undone = {"StartInstances", "DeleteTags"}

    for number, ((service, operation), way) in enumerate(points):
        order = hand.order(f"fault-{number}")
        ask(hand.sandbox, "faults", service=service, operation=operation, **way)
        with pytest.raises((BotoCoreError, ClientError)):
            hand.capture(order)
        ask(hand.sandbox, "faults", method="DELETE")
        # Only what brings the server back cannot be made good by itself: the tag tells the next try.
        if operation not in undone:
            assert (hand.state(), hand.marks()) == ("running", []), (operation, way)
        ami = hand.capture(order)
        assert (hand.state(), hand.marks(), hand.named(order)) == ("running", [], [ami]), (operation, way)

    print(f"{len(points)} faults injected at {len(calls)} calls of a capture by hand")  # noqa: T201 - for the log
    assert calls == [
        ("ec2", "DescribeInstances"),
        ("autoscaling", "DescribeAutoScalingInstances"),
        ("ec2", "DescribeInstanceTypes"),
        ("ec2", "DescribeImages"),
        ("ec2", "CreateTags"),
        ("ec2", "StopInstances"),
        ("ec2", "CreateImage"),
        ("ec2", "StartInstances"),
        ("ec2", "DeleteTags"),
        ("ec2", "DescribeSnapshots"),
    ]
    assert len(points) == 15


def test_an_interrupted_capture_leaves_the_server_as_it_was(hand: Hand) -> None:
    order = hand.order()
    server = runtime.look_at(hand.ec2, hand.aws("autoscaling"), order)

    def interrupt(line: str) -> None:
        if line.startswith("Stopping"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        runtime.capture(hand.ec2, order, server, tell=interrupt, sleep=lambda _: None)

    assert (hand.state(), hand.marks(), hand.named(order)) == ("running", [], [])


def test_a_machine_that_died_in_the_middle_is_made_good_by_the_next_run(hand: Hand) -> None:
    # Nobody was left to bring the server back: it is stopped, and its tag says that it ran.
    hand.ec2.create_tags(Resources=[hand.server], Tags=[{"Key": STATE_TAG, "Value": "running"}])
    hand.ec2.stop_instances(InstanceIds=[hand.server])

    ami = hand.capture(hand.order())

    assert (hand.state(), hand.marks(), hand.named(hand.order())) == ("running", [], [ami])


@pytest.mark.parametrize(
    ("afterwards", "before", "state"),
    [
        (Afterwards.AS_BEFORE, "stopped", "stopped"),
        (Afterwards.START, "stopped", "running"),
        (Afterwards.LEAVE_STOPPED, "running", "stopped"),
        (Afterwards.TERMINATE, "running", "terminated"),
    ],
)
def test_a_server_becomes_what_was_chosen_for_it(hand: Hand, afterwards: Afterwards, before: str, state: str) -> None:
    if before == "stopped":
        hand.ec2.stop_instances(InstanceIds=[hand.server])

    hand.capture(hand.order(afterwards=afterwards))

    assert hand.state() == state


def test_a_server_that_runs_on_is_taken_as_it_is(hand: Hand) -> None:
    ask(hand.sandbox, "calls", method="DELETE")

    ami = hand.capture(hand.order(stops=False))

    calls = {call["operation"] for call in ask(hand.sandbox, "calls", method="GET", engine=False)["calls"]}
    assert (hand.state(), hand.named(hand.order())) == ("running", [ami])
    assert not calls & {"StopInstances", "StartInstances", "CreateTags"}


def test_volumes_are_left_out_by_their_device(hand: Hand) -> None:
    mapping = {"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 5}}
    server = hand.launch(BlockDeviceMappings=[mapping])
    whole, part = hand.order("whole", instance=server), hand.order("part", instance=server, without=("/dev/sdf",))

    found = [hand.ec2.describe_images(ImageIds=[hand.capture(order)])["Images"][0] for order in (whole, part)]

    devices = [{one["DeviceName"] for one in image["BlockDeviceMappings"] if "Ebs" in one} for image in found]
    assert devices[0] - devices[1] == {"/dev/sdf"}


def test_what_cannot_be_captured_is_said_before_anything_is_touched(hand: Hand) -> None:
    spot = hand.launch(InstanceMarketOptions={"MarketType": "spot"})
    stored = hand.launch(InstanceType="c5d.large")
    group = hand.aws("autoscaling")
    gone = hand.launch()
    hand.ec2.terminate_instances(InstanceIds=[gone])

    def problems(server: str, **options: Any) -> str:
        found = runtime.look_at(hand.ec2, group, hand.order(instance=server, **options))
        return "; ".join(found.problems)

    assert "a Spot instance" in problems(spot)
    assert "instance store volumes" in problems(stored)
    assert problems(stored, discard_instance_store=True) == ""
    assert "it is terminated" in problems(gone)
    assert "no volume at /dev/sdz" in problems(hand.server, without=("/dev/sdz",))
    assert capture_name("Shop", "monday") == hand.order().name


def test_an_ami_that_failed_gives_its_name_back_for_the_next_try() -> None:
    ec2 = boto3.client("ec2", region_name="us-east-1")
    failed = {"ImageId": "ami-0123456789abcdef0", "State": "failed", "StateReason": {"Message": "a volume is gone"}}
    with Stubber(ec2) as stubber:
        stubber.add_response("describe_images", {"Images": [failed]}, {"ImageIds": ["ami-0123456789abcdef0"]})
        stubber.add_response("deregister_image", {}, {"ImageId": "ami-0123456789abcdef0"})

        with pytest.raises(runtime.CaptureError, match="a volume is gone; run the same command to try again"):
            runtime.snapshots_of(ec2, "ami-0123456789abcdef0")

        stubber.assert_no_pending_responses()
