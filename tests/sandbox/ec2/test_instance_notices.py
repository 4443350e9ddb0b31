"""What EC2 tells of instances."""

from __future__ import annotations

from typing import Any

from tests.support.happenings import ACCOUNT, Happenings


def test_each_state_of_an_instance_is_told(it: Happenings, run_one: Any) -> None:
    ec2, instance = it.aws("ec2"), run_one()
    ec2.stop_instances(InstanceIds=[instance])
    ec2.start_instances(InstanceIds=[instance])
    for _ in range(2):
        ec2.terminate_instances(InstanceIds=[instance])

    events = it.log("EC2 Instance State-change Notification")

    states = [event["detail"]["state"] for event in events]
    assert states == ["pending", "running", "stopping", "stopped", "pending", "running", "shutting-down", "terminated"]
    assert {event["detail"]["instance-id"] for event in events} == {instance}
    assert {event["resources"][0] for event in events} == {f"arn:aws:ec2:us-east-1:{ACCOUNT}:instance/{instance}"}
