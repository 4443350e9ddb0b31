from __future__ import annotations

import json
import time
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from cdk_ami.sandbox import clients, emulator
from cdk_ami.sandbox.mismatch import EmulatorMismatchError
from cdk_ami.sandbox.server import Sandbox


def test_the_sandbox_listens_on_the_loopback_address_only(sandbox: Sandbox) -> None:
    assert sandbox._server.server_address[0] == "127.0.0.1"


def test_a_caller_who_names_no_account_is_the_default_one(aws: Any) -> None:
    assert aws("sts").get_caller_identity()["Account"] == "123456789012"


def test_a_caller_can_act_in_another_account(aws: Any) -> None:
    assert aws("sts", account="210987654321").get_caller_identity()["Account"] == "210987654321"


def test_an_assumed_role_acts_in_its_own_account(aws: Any, sandbox: Sandbox) -> None:
    role = "arn:aws:iam::210987654321:role/EC2ImageBuilderDistributionCrossAccountRole"
    keys = aws("sts").assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]

    there = boto3.client(
        "sts",
        region_name="us-east-1",
        endpoint_url=sandbox.endpoint,
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    )

    assert there.get_caller_identity()["Account"] == "210987654321"


def test_a_reset_leaves_nothing_behind_but_what_aws_offers(aws: Any, sandbox: Sandbox) -> None:
    name = "/aws/service/debian/release/12/latest/amd64"
    before = aws("ssm").get_parameter(Name=name)["Parameter"]["Value"]
    aws("sns").create_topic(Name="t")
    aws("ec2").create_launch_template(LaunchTemplateName="web", LaunchTemplateData={"InstanceType": "t3.micro"})

    clients.client("ec2", "us-east-1")  # the sandbox's own clients outlive a reset too
    import urllib.request as web  # noqa: PLC0415 - one test

    with web.urlopen(web.Request(f"{sandbox.endpoint}/moto-api/reset", method="POST")):  # noqa: S310 - loopback
        pass

    assert aws("sns").list_topics()["Topics"] == []
    assert aws("ec2").describe_launch_templates()["LaunchTemplates"] == []
    assert aws("ssm").get_parameter(Name=name)["Parameter"]["Value"] == before
    assert clients.client("ec2", "us-east-1").describe_instances()["Reservations"] == []


def test_keys_stay_in_their_region(aws: Any) -> None:
    key = aws("kms").create_key()["KeyMetadata"]["KeyId"]

    with pytest.raises(ClientError, match="NotFoundException"):
        aws("kms", "eu-west-1").describe_key(KeyId=key)


@pytest.mark.parametrize(
    ("service", "operation", "request_part", "named"),
    [
        ("ec2", "describe_store_image_tasks", {}, "DescribeStoreImageTasks of ec2"),
        ("autoscaling", "describe_account_limits", {}, "DescribeAccountLimits of autoscaling"),
        ("ssm", "describe_sessions", {"State": "Active"}, "DescribeSessions of ssm"),
        ("cloudsearch", "describe_domains", {}, "the service cloudsearch"),
        (
            "marketplace-catalog",
            "list_entities",
            {"Catalog": "AWSMarketplace", "EntityType": "x"},
            "POST /ListEntities",
        ),
    ],
)
def test_what_is_not_offered_is_refused_by_name_and_never_retried(
    sandbox: Sandbox, service: str, operation: str, request_part: dict[str, str], named: str
) -> None:
    client = boto3.client(
        service,
        region_name="us-east-1",
        endpoint_url=sandbox.endpoint,
        aws_access_key_id="a",
        aws_secret_access_key="b",
        config=Config(retries={"mode": "standard", "total_max_attempts": 3}),
    )
    begun = time.monotonic()

    with pytest.raises(ClientError, match=f"does not offer (the operation )?{named}") as caught:
        getattr(client, operation)(**request_part)

    metadata = caught.value.response["ResponseMetadata"]
    assert (metadata["HTTPStatusCode"], metadata["RetryAttempts"]) == (400, 0)
    assert time.monotonic() - begun < 3


def test_a_fault_of_the_sandbox_is_named_as_one(aws: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from moto.sns.responses import SNSResponse  # noqa: PLC0415 - one test

    def broken(self: Any) -> None:
        del self
        raise KeyError("x")

    monkeypatch.setattr(SNSResponse, "list_topics", broken)

    with pytest.raises(ClientError, match="the sandbox failed to answer ListTopics: KeyError: 'x'") as caught:
        aws("sns").list_topics()
    assert caught.value.response["Error"]["Code"] == "SandboxFault"


def test_a_filter_that_is_not_offered_is_named(aws: Any) -> None:
    aws("ec2").create_launch_template(LaunchTemplateName="web", LaunchTemplateData={"InstanceType": "t3.micro"})

    with pytest.raises(ClientError, match="does not offer the filter 'no-such-thing'"):
        aws("ec2").describe_launch_templates(Filters=[{"Name": "no-such-thing", "Values": ["x"]}])


def test_a_record_that_changes_while_it_is_read_is_read_again(aws: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from moto.core.responses import ActionResult  # noqa: PLC0415 - one test
    from moto.sns.responses import SNSResponse  # noqa: PLC0415 - same

    answers = iter([RuntimeError("dictionary changed size during iteration"), ActionResult({"Topics": []})])

    def changing(self: Any) -> Any:
        del self
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(SNSResponse, "list_topics", changing)

    assert aws("sns").list_topics()["Topics"] == []


class Owner:
    def known(self, name: str, size: int) -> None: ...


class TakesLess:
    def known(self, name: str) -> None: ...


class Unknown:
    def missing(self) -> None: ...


def test_an_emulator_that_has_moved_on_is_reported_by_name() -> None:
    with pytest.raises(EmulatorMismatchError, match=r"Owner\.known takes \['size'\] besides"):
        emulator.graft(Owner, TakesLess)


def test_an_emulator_that_lacks_what_is_mended_is_reported_by_name() -> None:
    with pytest.raises(EmulatorMismatchError, match=r"no Owner\.missing"):
        emulator.graft(Owner, Unknown)


def test_an_emulator_that_has_got_what_is_added_is_reported_by_name() -> None:
    with pytest.raises(EmulatorMismatchError, match=r"has a Owner\.missing of its own"):
        emulator.graft(type("Owner", (), {"missing": lambda _: None}), Unknown, new=frozenset({"missing"}))


def test_no_tool_can_reach_a_real_account_by_mistake() -> None:
    from cdk_ami.sandbox.environment import variables  # noqa: PLC0415 - one test

    names = variables("http://127.0.0.1:1")

    assert names["AWS_EC2_METADATA_DISABLED"] == "true"
    assert names["AWS_CONFIG_FILE"] == names["AWS_SHARED_CREDENTIALS_FILE"] == "/dev/null"
    assert json.dumps(names).count("sandbox") == 3
