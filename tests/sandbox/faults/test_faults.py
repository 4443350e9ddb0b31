"""Faults on request, as boto3 sees them."""

from __future__ import annotations

from datetime import datetime, timedelta
from threading import Thread
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError

from cdk_ami.sandbox import clients
from cdk_ami.sandbox.server import Sandbox
from tests.support.amis import make_ami
from tests.support.control import ask, refusal
from tests.support.sandbox import MakeClient, reset, wait_until


@pytest.mark.parametrize(
    ("service", "operation", "request_part", "expected"),
    [
        ("ec2", "describe_images", {"Owners": ["self"]}, ("RequestLimitExceeded", 503)),
        ("ssm", "describe_parameters", {}, ("ThrottlingException", 400)),
        ("imagebuilder", "list_images", {}, ("CallRateLimitExceededException", 429)),
        ("autoscaling", "describe_auto_scaling_groups", {}, ("Throttling", 400)),
        ("cloudformation", "describe_stacks", {}, ("Throttling", 400)),
        ("s3", "list_buckets", {}, ("SlowDown", 503)),
        ("sns", "list_topics", {}, ("Throttling", 400)),
        ("stepfunctions", "list_state_machines", {}, ("ThrottlingException", 400)),
    ],
)
def test_each_service_refuses_what_comes_too_often_in_its_own_words(  # noqa: PLR0917 - parameters of a test
    aws: MakeClient, sandbox: Sandbox, service: str, operation: str, request_part: dict[str, Any], expected: Any
) -> None:
    ask(sandbox, "faults", service=service, throttle={})

    with pytest.raises(ClientError) as refused:
        getattr(aws(service), operation)(**request_part)

    found = refused.value.response
    assert (found["Error"]["Code"], found["ResponseMetadata"]["HTTPStatusCode"]) == expected


def test_a_rate_lets_so_many_pass_and_more_when_time_has_passed(aws: MakeClient, sandbox: Sandbox) -> None:
    ask(sandbox, "faults", service="ec2", throttle={"rate": 0.001, "burst": 2})

    assert [outcome(aws("ec2").describe_vpcs) for _ in range(4)] == ["ok", "ok", *["RequestLimitExceeded"] * 2]

    ask(sandbox, "clock", advance=1_000)

    assert [outcome(aws("ec2").describe_vpcs) for _ in range(2)] == ["ok", "RequestLimitExceeded"]


def test_a_named_error_meets_its_operation_in_its_region_so_often_as_asked(aws: MakeClient, sandbox: Sandbox) -> None:
    error = {"code": "InsufficientInstanceCapacity", "message": "none left", "status": 500}
    ask(sandbox, "faults", service="ec2", operation="DescribeVpcs", region="us-east-1", error=error, skip=1, first=2)

    here = [outcome(aws("ec2").describe_vpcs) for _ in range(4)]

    assert here == ["ok", "InsufficientInstanceCapacity", "InsufficientInstanceCapacity", "ok"]
    assert outcome(aws("ec2").describe_subnets) == outcome(aws("ec2", "eu-west-1").describe_vpcs) == "ok"
    assert ask(sandbox, "faults", method="GET")["faults"][0]["struck"] == 2


def test_an_error_without_a_status_has_that_of_the_services_model(aws: MakeClient, sandbox: Sandbox) -> None:
    ask(sandbox, "faults", service="imagebuilder", error={"code": "ServiceUnavailableException"})

    with pytest.raises(aws("imagebuilder").exceptions.ServiceUnavailableException) as refused:
        aws("imagebuilder").list_images()

    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503


def test_a_fault_can_be_about_one_resource(aws: MakeClient, sandbox: Sandbox) -> None:
    ask(sandbox, "faults", service="ssm", parameters={"Name": "/one"}, error={"code": "InternalServerError"})

    def put(name: str) -> str:
        return outcome(aws("ssm").put_parameter, Name=name, Value="v", Type="String")

    assert (put("/one"), put("/two")) == ("InternalServerError", "ok")


def test_the_same_seed_gives_the_same_faults(aws: MakeClient, sandbox: Sandbox) -> None:
    def run(seed: int) -> list[str]:
        made = ask(sandbox, "faults", service="sns", throttle={}, probability=0.5, seed=seed)
        outcomes = [outcome(aws("sns").list_topics) for _ in range(12)]
        ask(sandbox, "faults", method="DELETE", id=made["id"])
        return outcomes

    first, again, other = run(7), run(7), run(8)

    assert first == again != other
    assert set(first) == {"ok", "Throttling"}


def test_clients_that_retry_outlast_a_fault_that_ends(sandbox: Sandbox) -> None:
    ask(sandbox, "faults", service="ec2", throttle={}, first=1)
    patient = _client(sandbox, "ec2", attempts=3)

    answer = patient.describe_vpcs()

    assert answer["ResponseMetadata"]["RetryAttempts"] == 1


def test_latency_passes_by_the_sandboxs_clock(aws: MakeClient, sandbox: Sandbox) -> None:
    ask(sandbox, "faults", service="sns", operation="ListTopics", latency=3600)
    before = datetime.fromisoformat(ask(sandbox, "clock", method="GET")["now"])
    answers: list[Any] = []
    waiting = Thread(target=lambda: answers.append(aws("sns").list_topics()))
    waiting.start()

    while waiting.is_alive():
        ask(sandbox, "clock", advance=3600)
        waiting.join(0.05)

    assert answers[0]["Topics"] == []
    now = datetime.fromisoformat(ask(sandbox, "clock", method="GET")["now"])
    assert now - before >= timedelta(hours=1)


def test_ending_a_fault_lets_go_what_it_holds(aws: MakeClient, sandbox: Sandbox) -> None:
    made = ask(sandbox, "faults", service="sns", latency=3600)
    waiting = Thread(target=aws("sns").list_topics)
    waiting.start()
    wait_until(lambda: ask(sandbox, "faults", method="GET")["faults"][0]["struck"] == 1)

    ask(sandbox, "faults", method="DELETE", id=made["id"])
    waiting.join(5)

    assert not waiting.is_alive()


def test_a_region_that_is_down_answers_nothing_and_the_others_answer(aws: MakeClient, sandbox: Sandbox) -> None:
    ask(sandbox, "faults", region="eu-west-1", down="dropped")

    for service, operation in (("ec2", "describe_vpcs"), ("ssm", "describe_parameters")):
        with pytest.raises(ConnectionClosedError):
            getattr(aws(service, "eu-west-1"), operation)()
    assert outcome(aws("ec2").describe_vpcs) == "ok"


def test_a_service_that_is_unavailable_says_so_to_the_engines_too(aws: MakeClient, sandbox: Sandbox) -> None:
    ask(sandbox, "faults", service="ssm", down="unavailable")

    assert outcome(aws("ssm").describe_parameters) == "ServiceUnavailable"
    assert outcome(clients.client("ssm", "us-east-1").describe_parameters) == "ServiceUnavailable"


def test_errors_meet_outside_callers_alone_unless_engines_are_named(aws: MakeClient, sandbox: Sandbox) -> None:
    own = clients.client("sns", "us-east-1")

    ask(sandbox, "faults", service="sns", throttle={})
    assert (outcome(aws("sns").list_topics), outcome(own.list_topics)) == ("Throttling", "ok")

    ask(sandbox, "faults", method="DELETE")
    ask(sandbox, "faults", service="sns", throttle={}, callers="engines")
    assert (outcome(aws("sns").list_topics), outcome(own.list_topics)) == ("ok", "Throttling")


def test_a_lost_answer_loses_no_work(aws: MakeClient, sandbox: Sandbox) -> None:
    ask(sandbox, "faults", service="sns", operation="CreateTopic", lose_answer=True, first=1)

    with pytest.raises(ConnectionClosedError):
        aws("sns").create_topic(Name="made")

    assert [topic["TopicArn"].rpartition(":")[2] for topic in aws("sns").list_topics()["Topics"]] == ["made"]


def test_a_client_token_makes_a_lost_answer_harmless(sandbox: Sandbox, aws: MakeClient) -> None:
    image = aws("ec2").describe_images(Owners=["amazon"])["Images"][0]
    ask(sandbox, "faults", service="ec2", operation="CreateLaunchTemplate", lose_answer=True, first=1)
    patient = _client(sandbox, "ec2", attempts=3)

    made = outcome(
        patient.create_launch_template, LaunchTemplateName="web", LaunchTemplateData={"ImageId": image["ImageId"]}
    )

    found = aws("ec2").describe_launch_templates()["LaunchTemplates"]
    assert [template["LaunchTemplateName"] for template in found] == ["web"]
    assert made in {"ok", "InvalidLaunchTemplateName.AlreadyExistsException"}


def test_copies_that_are_made_to_fail_say_why_and_leave_no_snapshots(aws: MakeClient, sandbox: Sandbox) -> None:
    source = make_ami(aws("ec2"))
    ask(sandbox, "faults", copies="failed", region="eu-west-1", first=1)
    there = aws("ec2", "eu-west-1")
    copy = {"SourceImageId": source.image_id, "SourceRegion": "us-east-1"}

    failed, good = (there.copy_image(Name=name, **copy)["ImageId"] for name in ("one", "two"))

    states = {image["ImageId"]: image for image in there.describe_images(Owners=["self"])["Images"]}
    assert (states[failed]["State"], states[good]["State"]) == ("failed", "available")
    assert "as a fault of the sandbox asked for" in states[failed]["StateReason"]["Message"]
    assert len(there.describe_snapshots(OwnerIds=["self"])["Snapshots"]) == 1


def test_copies_that_are_held_are_pending_until_the_fault_is_ended(aws: MakeClient, sandbox: Sandbox) -> None:
    source = make_ami(aws("ec2"))
    held = ask(sandbox, "faults", copies="pending")
    there = aws("ec2", "eu-west-1")
    copy = there.copy_image(Name="one", SourceImageId=source.image_id, SourceRegion="us-east-1")["ImageId"]

    def state() -> str:
        return str(there.describe_images(ImageIds=[copy])["Images"][0]["State"])

    assert state() == "pending"
    ask(sandbox, "clock", advance=86_400)
    assert state() == "pending"

    ask(sandbox, "faults", method="DELETE", id=held["id"])

    assert state() == "available"


def test_a_reset_ends_all_faults(aws: MakeClient, sandbox: Sandbox) -> None:
    ask(sandbox, "faults", service="sns", throttle={})

    reset(sandbox)

    assert ask(sandbox, "faults", method="GET") == {"faults": []}
    assert outcome(aws("sns").list_topics) == "ok"


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"service": "ec2"}, "a fault is one of error, throttle, latency, down, lose_answer, copies, got none"),
        ({"latency": 1, "down": "dropped"}, "got latency and down"),
        ({"latency": 0, "servce": "ec2"}, "got servce"),
        ({"latency": -1}, "latency is seconds above 0, got -1"),
        ({"operation": "CopyImage", "latency": 1}, "operation needs its service, got 'CopyImage' alone"),
        ({"error": {"code": "X"}}, "error needs the service that answers it"),
        ({"service": "ec2", "error": {"message": "x"}}, "error has a code"),
        ({"throttle": {"rate": 0}}, "rate and burst are numbers above 0"),
        ({"throttle": {"burst": 2}}, "burst needs a rate"),
        ({"down": "slow"}, "down is unavailable or dropped, got 'slow'"),
        ({"copies": "lost"}, "copies is failed or pending, got 'lost'"),
        ({"latency": 1, "callers": "nobody"}, "callers is one of outside, engines, all, got 'nobody'"),
        ({"latency": 1, "probability": 2}, "probability is above 0 and at most 1, got 2"),
        ({"latency": 1, "first": 0}, "first is a whole number from 1, got 0"),
    ],
)
def test_a_fault_that_cannot_be_caused_is_refused_plainly(sandbox: Sandbox, asked: dict[str, Any], told: str) -> None:
    assert told in refusal(sandbox, "faults", **asked)
    assert ask(sandbox, "faults", method="GET") == {"faults": []}


def test_a_fault_that_is_not_there_cannot_be_ended(sandbox: Sandbox) -> None:
    assert refusal(sandbox, "faults", method="DELETE", id="fault-0") == "there is no fault fault-0"


def outcome(call: Any, **request: Any) -> str:
    """Return ``ok``, or the code of the error."""
    try:
        call(**request)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return "ok"


def _client(sandbox: Sandbox, service: str, *, attempts: int) -> Any:
    return boto3.client(
        service,
        region_name="us-east-1",
        endpoint_url=sandbox.endpoint,
        aws_access_key_id="sandbox",
        aws_secret_access_key="sandbox",
        config=Config(retries={"mode": "standard", "total_max_attempts": attempts}),
    )
