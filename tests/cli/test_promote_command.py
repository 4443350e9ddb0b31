"""`cdk-ami promote` and `cdk-ami rollback`."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from cdk_ami.runtime import lock
from tests.cli.conftest import Command
from tests.support.amis import make_ami, point
from tests.support.happenings import EVERYBODY

Aws = Callable[..., Any]
REGIONS = ("--region", "us-east-1", "--region", "eu-west-1")
STABLE = "/imagebuilder/web/stable"


def machine(aws: Aws, *, asks: bool = False) -> str:
    """Make a state machine where `promote` looks for one; it asks a queue when told to."""
    ask = {
        "Type": "Task",
        "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
        "Parameters": {"QueueUrl": "", "MessageBody.$": "$$.Task.Token"},
        "End": True,
    }
    if asks:
        made = aws("sqs").create_queue(QueueName="asked", Attributes={"Policy": EVERYBODY})
        ask["Parameters"] = {"QueueUrl": made["QueueUrl"], "MessageBody.$": "$$.Task.Token"}
    trust = {
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "states.amazonaws.com"}, "Action": "sts:AssumeRole"}]
    }
    role = aws("iam").create_role(RoleName="machine", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    places = [{"region": region, "account": "", "role": "", "wave": 0} for region in ("us-east-1", "eu-west-1")]
    definition = {
        "StartAt": "Look",
        "States": {
            "Look": {"Type": "Pass", "Parameters": {"places": places}, "Next": "A"},
            "A": ask if asks else {"Type": "Pass", "End": True},
        },
    }
    arn = str(
        aws("stepfunctions").create_state_machine(name="m", definition=json.dumps(definition), roleArn=role)[
            "stateMachineArn"
        ]
    )
    aws("ssm").put_parameter(Name="/imagebuilder/web/promotion/machines/stable", Value=arn, Type="String")
    return arn


def two_versions(aws: Aws, *regions: str) -> dict[str, tuple[str, str]]:
    """Move the channel from one AMI to another; return both by Region."""
    made = {}
    for region in regions:
        old, new = (make_ami(aws("ec2", region), version=f"1.0.{number}/1").image_id for number in (0, 1))
        point(aws("ssm", region), STABLE, old)
        point(aws("ssm", region), STABLE, new)
        made[region] = (old, new)
    return made


def held(aws: Aws, region: str) -> str:
    return str(aws("ssm", region).get_parameter(Name=STABLE)["Parameter"]["Value"])


def test_a_promotion_is_started_by_the_name_of_its_image(command: Command, aws: Aws) -> None:
    arn = machine(aws)

    shown = command("promote", "web", "--reason", "a fix", *REGIONS, "--json")
    followed = command("promote", "web", "--follow", "--region", "us-east-1")

    assert followed.exit_code == 0, followed.output
    assert followed.output.endswith("SUCCEEDED\n")
    told = json.loads(shown.output)
    execution = aws("stepfunctions").describe_execution(executionArn=told["execution"])
    assert told["region"] == "us-east-1"
    assert execution["stateMachineArn"] == arn
    assert json.loads(execution["input"]) == {
        "started": "command",
        "by": "arn:aws:sts::123456789012:user/moto",
        "reason": "a fix",
    }


def test_without_a_promotion_the_command_says_what_to_do(command: Command) -> None:
    shown = command("promote", "web", "--to", "gold", *REGIONS)

    assert shown.exit_code == 1
    assert "no promotion of web to gold in us-east-1, eu-west-1; deploy one, or give --region or --to" in shown.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["approve"], "SUCCEEDED", '{"by": "arn:aws:sts::123456789012:user/moto"}'),
        (["reject", "--reason", "not on Fridays"], "FAILED", "user/moto rejected it: not on Fridays"),
    ],
)
def test_the_question_of_a_promotion_is_answered(
    command: Command, aws: Aws, arguments: list[str], status: str, says: str
) -> None:
    machine(aws, asks=True)
    execution = json.loads(command("promote", "web", "--region", "us-east-1", "--json").output)["execution"]
    queue = aws("sqs").get_queue_url(QueueName="asked")["QueueUrl"]
    token = aws("sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=5)["Messages"][0]["Body"]

    asking = json.loads(command("promote", "status", "web", "--json").output)
    shown = command("promote", *arguments, token, "--region", "us-east-1")
    again = command("promote", *arguments, token, "--region", "us-east-1")

    (run,) = asking["channels"][0]["running"]
    assert (run["arn"], run["state"], run["asks"]) == (execution, "A", True)
    assert asking["locks"] == []
    found = aws("stepfunctions").describe_execution(executionArn=execution)
    assert (shown.exit_code, again.exit_code) == (0, 1)
    assert found["status"] == status
    assert says in found.get("output", "") + found.get("cause", "")


def test_a_rollback_moves_every_region_back_and_keeps_promotions_from_moving_it_again(
    command: Command, aws: Aws
) -> None:
    both = two_versions(aws, "us-east-1", "eu-west-1")

    dry = command("rollback", "web", "stable", "--dry-run", *REGIONS)
    before = {region: held(aws, region) for region in both}
    shown = command("rollback", "web", "stable", "--reason", "slow", *REGIONS, "--json")

    assert "would go back" in dry.output
    assert before == {region: new for region, (_, new) in both.items()}
    assert {one["region"]: one["back_to"] for one in json.loads(shown.output)["regions"]} == {
        region: old for region, (old, _) in both.items()
    }
    assert {region: held(aws, region) for region in both} == {region: old for region, (old, _) in both.items()}
    newest = aws("ssm", "eu-west-1").get_parameter_history(Name=STABLE)["Parameters"][-1]
    assert newest["Description"] == (
        f"rolled back from {both['eu-west-1'][1]} by arn:aws:sts::123456789012:user/moto; because slow; "
        "lock of 123456789012 in us-east-1"
    )
    outcome = json.loads(
        aws("ssm").get_parameter(Name="/imagebuilder/web/promotion/outcomes/stable")["Parameter"]["Value"]
    )
    assert (outcome["state"], outcome["amis"]) == ("ROLLED_BACK", [new for _, new in both.values()])
    last = lock.holder(aws("ssm"), "web")
    assert last is not None
    assert last.phase is lock.Phase.FREE


def test_a_region_that_cannot_go_back_keeps_all_where_they_are(command: Command, aws: Aws) -> None:
    both = two_versions(aws, "us-east-1", "eu-west-1")
    aws("ec2", "eu-west-1").deregister_image(ImageId=both["eu-west-1"][0])

    shown = command("rollback", "web", "stable", *REGIONS)

    assert shown.exit_code == 1
    assert f"eu-west-1: {both['eu-west-1'][0]}, which {STABLE} held before, does not exist" in shown.stderr
    assert held(aws, "us-east-1") == both["us-east-1"][1]


def test_nothing_is_rolled_back_while_somebody_else_moves_channels(command: Command, aws: Aws) -> None:
    both = two_versions(aws, "us-east-1")
    lock.acquire(
        aws("ssm"), "web", "cdk-ami:bea", now=datetime.now(UTC), alive=lambda _: True, lease=lock.LEASE, why="hers"
    )

    shown = command("rollback", "web", "stable", "--region", "us-east-1")

    assert shown.exit_code == 1
    assert "cdk-ami:bea holds the lock of web" in shown.stderr
    assert held(aws, "us-east-1") == both["us-east-1"][1]


def test_what_a_dead_holder_left_half_moved_is_moved_back_first(command: Command, aws: Aws) -> None:
    both = two_versions(aws, "us-east-1")
    half = make_ami(aws("ec2"), version="1.0.2/1").image_id
    ssm, now = aws("ssm"), datetime(2020, 1, 1, tzinfo=UTC)
    lock.acquire(ssm, "web", "cdk-ami:bea", now=now, alive=lambda _: True, lease=lock.LEASE)
    entry = {"region": "us-east-1", "account": "", "role": "", "wave": 0, "channel": "gold", "ami": half, "before": ""}
    lock.begin_moving(ssm, "web", "cdk-ami:bea", [entry], now=now, lease=lock.LEASE)
    point(ssm, "/imagebuilder/web/gold", half)

    shown = command("rollback", "web", "stable", "--region", "us-east-1")

    assert shown.exit_code == 0, shown.output
    assert held(aws, "us-east-1") == both["us-east-1"][0]
    assert ssm.get_parameters(Names=["/imagebuilder/web/gold"])["Parameters"] == []


def test_a_rollback_moves_all_that_a_promotion_moves_wherever_it_is_called_from(command: Command, aws: Aws) -> None:
    machine(aws)
    both = two_versions(aws, "us-east-1", "eu-west-1")
    # A promotion that failed in its first wave, and was undone: nobody goes back to its build.
    for ami in (make_ami(aws("ec2"), version="1.0.2/1").image_id, both["us-east-1"][1]):
        point(aws("ssm"), STABLE, ami)

    partial = command("rollback", "web", "stable", "--region", "us-east-1")
    dry = command("rollback", "web", "stable", "--dry-run", AWS_REGION="eu-west-1")
    between = {region: held(aws, region) for region in both}
    shown = command("rollback", "web", "stable", "--reason", "slow")
    status = command("promote", "status", "web", AWS_REGION="eu-west-1")

    assert partial.exit_code == 1
    assert "moves stable of web in us-east-1, eu-west-1 together, and eu-west-1 would stay behind" in partial.stderr
    assert all(region in dry.output for region in both), dry.output
    assert between == {region: new for region, (_, new) in both.items()}
    assert shown.exit_code == 0, shown.output
    assert {region: held(aws, region) for region in both} == {region: old for region, (old, _) in both.items()}
    assert "ROLLED_BACK" in status.output
    assert "us-east-1: /imagebuilder/web/promotion/outcomes/stable says all of how it ended." in status.output


def test_one_region_alone_is_moved_when_asked_for_and_under_the_one_lock(command: Command, aws: Aws) -> None:
    machine(aws)
    both = two_versions(aws, "us-east-1", "eu-west-1")
    ssm, now = aws("ssm"), datetime.now(UTC)
    lock.acquire(ssm, "web", "cdk-ami:bea", now=now, alive=lambda _: True, lease=lock.LEASE)
    alone = ("rollback", "web", "stable", "--only", "eu-west-1")

    refused = [command(*alone, *dry, AWS_REGION="eu-west-1") for dry in ((), ("--dry-run",))]
    elsewhere = command(*alone, "--home", "eu-west-1")
    lock.release(ssm, "web", "cdk-ami:bea", now=now)
    moved = command(*alone, AWS_REGION="eu-west-1")
    again = command("rollback", "web", "stable", "--dry-run")
    together = command("rollback", "web", "stable", "--to", "1.0.0/1")

    assert [one.exit_code for one in (*refused, elsewhere)] == [1, 1, 1]
    assert all("cdk-ami:bea holds the lock of web" in one.stderr for one in refused)
    assert "the lock of web stands in us-east-1 and not in eu-west-1" in elsewhere.stderr
    assert moved.exit_code == 0, moved.output
    beside = aws("ssm", "eu-west-1").get_parameters_by_path(Path="/imagebuilder/web/promotion", Recursive=True)
    assert beside["Parameters"] == []
    assert "holds different builds: 1.0.1/1 in us-east-1, 1.0.0/1 in eu-west-1" in again.stderr
    assert together.exit_code == 0, together.output
    assert {region: held(aws, region) for region in both} == {region: old for region, (old, _) in both.items()}
    outcome = json.loads(ssm.get_parameter(Name="/imagebuilder/web/promotion/outcomes/stable")["Parameter"]["Value"])
    assert set(outcome["amis"]) == {new for _, new in both.values()}


def test_a_channel_that_was_left_half_moved_goes_back_one_move_and_not_two(command: Command, aws: Aws) -> None:
    both = two_versions(aws, "us-east-1")
    old, new = both["us-east-1"]
    ssm, now = aws("ssm"), datetime(2020, 1, 1, tzinfo=UTC)
    lock.acquire(ssm, "web", "cdk-ami:bea", now=now, alive=lambda _: True, lease=lock.LEASE)
    entry = {"region": "us-east-1", "account": "", "role": "", "wave": 0, "channel": "stable", "ami": new}
    lock.begin_moving(ssm, "web", "cdk-ami:bea", [{**entry, "before": old}], now=now, lease=lock.LEASE)

    shown = [command("rollback", "web", "stable", "--region", "us-east-1", *dry) for dry in (("--dry-run",), ())]

    assert [one.exit_code for one in shown] == [1, 1]
    assert "stable of web was left half moved in us-east-1: that would be moved back" in shown[0].stderr
    assert "that was moved back, and nothing more was done" in shown[1].stderr
    assert held(aws, "us-east-1") == old
    last = lock.holder(ssm, "web")
    assert last is not None
    assert last.phase is lock.Phase.FREE
