"""Builds that do not reach their end, and what they leave."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any
from urllib.request import Request, urlopen

import pytest
from botocore.exceptions import ClientError

from cdk_ami.sandbox.imagebuilder.engine.build import Build
from cdk_ami.sandbox.pace import PACE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.sandbox.imagebuilder.conftest import Account

DATED = "web {{ imagebuilder:buildDate }}"
TARGET = "111111111111"


def copies_to(*accounts: str, region: str = "us-east-1") -> dict[str, Any]:
    return {
        "region": region,
        "amiDistributionConfiguration": {"name": DATED, "targetAccountIds": list(accounts)},
    }


def test_a_parent_image_whose_parameter_is_missing_fails_the_build_in_plain_words(account: Account) -> None:
    pipeline = account.pipeline(account.recipe(parent="ssm:/no/such/parameter"), account.infrastructure())

    image = account.run(pipeline)

    assert image["state"]["status"] == "FAILED"
    assert "/no/such/parameter" in image["state"]["reason"]
    assert "account 123456789012, Region us-east-1" in image["state"]["reason"]
    shown = account.builder.get_image_pipeline(imagePipelineArn=pipeline)["imagePipeline"]
    assert (shown["lastRunStatus"], shown["consecutiveFailures"]) == ("FAILED", 0)
    assert account.instances() == []


def test_a_parent_image_that_is_no_ami_of_the_region_fails_the_build(account: Account) -> None:
    pipeline = account.pipeline(account.recipe(parent="ami-0123456789abcdef0"), account.infrastructure())

    image = account.run(pipeline)

    assert image["state"]["status"] == "FAILED"
    assert "ami-0123456789abcdef0" in image["state"]["reason"]


def test_a_launch_that_ec2_refuses_names_the_step(account: Account) -> None:
    infrastructure = account.infrastructure(subnetId="subnet-0123456789abcdef0", securityGroupIds=["sg-1"])
    pipeline = account.pipeline(account.recipe(), infrastructure)

    image = account.run(pipeline)

    assert image["state"]["status"] == "FAILED"
    assert image["state"]["reason"].startswith("The step LaunchBuildInstance failed: ec2:RunInstances answered Invalid")
    assert image["state"]["failureContext"]["failedStep"] == "LaunchBuildInstance"
    [run] = account.builder.list_workflow_executions(imageBuildVersionArn=image["arn"])["workflowExecutions"]
    assert (run["type"], run["status"], run["totalStepsFailed"]) == ("BUILD", "FAILED", 1)
    steps = account.builder.list_workflow_step_executions(workflowExecutionId=run["workflowExecutionId"])["steps"]
    assert [step["status"] for step in steps] == ["FAILED", *["SKIPPED"] * 6]
    step = account.builder.get_workflow_step_execution(stepExecutionId=steps[0]["stepExecutionId"])
    assert "RunInstances" in step["message"]


@pytest.mark.parametrize("broken", ["_capture", "_end"])
def test_a_fault_of_the_sandbox_itself_ends_the_build_and_is_named(
    account: Account, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    def fails(*_: object) -> None:
        raise KeyError("Surprise")

    monkeypatch.setattr(Build, broken, fails)

    image = account.run(account.pipeline(account.recipe(), account.infrastructure()))

    assert image["state"]["status"] == "FAILED"
    assert "The sandbox itself failed: KeyError: 'Surprise'" in image["state"]["reason"]
    account.builder.delete_image(imageBuildVersionArn=image["arn"])


def test_a_target_account_without_the_role_fails_naming_account_and_region(account: Account) -> None:
    targets = [
        {**copies_to(TARGET, region="eu-west-1")},
        {
            "region": "us-east-1",
            "amiDistributionConfiguration": {"name": DATED},
            "ssmParameterConfigurations": [{"parameterName": "/imagebuilder/web/latest"}],
        },
    ]
    pipeline = account.pipeline(
        account.recipe(), account.infrastructure(), distributionConfigurationArn=account.distribution(*targets)
    )

    image = account.run(pipeline)

    reason = image["state"]["reason"]
    assert image["state"]["status"] == "FAILED"
    assert "sts:AssumeRole" in reason
    assert "EC2ImageBuilderDistributionCrossAccountRole" in reason
    assert f"account {TARGET}, Region eu-west-1" in reason
    states = {(ami["region"], ami["accountId"]): ami["state"]["status"] for ami in image["outputResources"]["amis"]}
    assert states == {
        ("us-east-1", "123456789012"): "AVAILABLE",
        ("eu-west-1", "123456789012"): "AVAILABLE",
        ("eu-west-1", TARGET): "FAILED",
    }
    with pytest.raises(ClientError) as caught:
        account.aws("ssm").get_parameter(Name="/imagebuilder/web/latest")
    assert caught.value.response["Error"]["Code"] == "ParameterNotFound"


@pytest.mark.parametrize(
    ("trusted", "condition"),
    [
        ("999999999999", {}),
        ("123456789012", {"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::123456789012:role/Promotion"}}),
    ],
)
def test_a_role_that_trusts_somebody_else_fails_the_target(
    account: Account, trusted: str, condition: dict[str, Any]
) -> None:
    _make_target_role(account, trusted=trusted, condition=condition)
    pipeline = account.pipeline(
        account.recipe(),
        account.infrastructure(),
        distributionConfigurationArn=account.distribution(copies_to(TARGET)),
    )

    image = account.run(pipeline)

    assert image["state"]["status"] == "FAILED"
    assert "does not trust 123456789012" in image["state"]["reason"]


def test_a_target_account_with_the_role_owns_a_copy(account: Account) -> None:
    _make_target_role(account, trusted="123456789012")
    where = copies_to(TARGET, region="eu-west-1")
    parameter = {"parameterName": "/imagebuilder/web/latest", "dataType": "aws:ec2:image"}
    where["ssmParameterConfigurations"] = [parameter, {**parameter, "amiAccountId": TARGET}]
    pipeline = account.pipeline(
        account.recipe(), account.infrastructure(), distributionConfigurationArn=account.distribution(where)
    )

    image = account.run(pipeline)

    assert image["state"]["status"] == "AVAILABLE", image["state"]
    for copy, owner in zip(image["outputResources"]["amis"][1:], ("123456789012", TARGET), strict=True):
        assert (copy["region"], copy["accountId"]) == ("eu-west-1", owner)
        assert account.image(copy["image"], "eu-west-1", owner)["OwnerId"] == owner
        written = account.aws("ssm", "eu-west-1", account=owner).get_parameter(Name="/imagebuilder/web/latest")
        assert written["Parameter"]["Value"] == copy["image"]
    captured = image["outputResources"]["amis"][0]["image"]
    shared = account.aws("ec2").describe_image_attribute(ImageId=captured, Attribute="launchPermission")
    assert shared["LaunchPermissions"] == []


GRANTS = ("ec2:CopyImage", "ec2:CreateTags", "ec2:DescribeImages", "ec2:ModifyImageAttribute", "ssm:PutParameter")


def _make_target_role(
    account: Account, *, trusted: str, grants: tuple[str, ...] = GRANTS, condition: dict[str, Any] | None = None
) -> None:
    root = {"AWS": f"arn:aws:iam::{trusted}:root"}
    taking = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": root, "Condition": condition or {}}
    trust = {"Version": "2012-10-17", "Statement": [taking]}
    role = "EC2ImageBuilderDistributionCrossAccountRole"
    iam = account.aws("iam", account=TARGET)
    iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(trust))
    statement = {"Effect": "Allow", "Action": list(grants), "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_role_policy(RoleName=role, PolicyName="Receive", PolicyDocument=policy)


@pytest.mark.parametrize(
    ("missing", "parts"),
    [
        ("ec2:CopyImage", {}),
        ("ec2:ModifyImageAttribute", {}),
        (
            "ssm:PutParameter",
            {"ssmParameterConfigurations": [{"parameterName": "/imagebuilder/web/latest", "amiAccountId": TARGET}]},
        ),
    ],
)
def test_a_target_role_without_a_needed_action_fails_the_target(
    account: Account, missing: str, parts: dict[str, Any]
) -> None:
    grants = tuple(action for action in GRANTS if action != missing)
    _make_target_role(account, trusted="123456789012", grants=grants)
    pipeline = account.pipeline(
        account.recipe(),
        account.infrastructure(),
        imageTestsConfiguration={"imageTestsEnabled": False},
        distributionConfigurationArn=account.distribution({**copies_to(TARGET), **parts}),
    )

    image = account.run(pipeline)

    assert image["state"]["status"] == "FAILED"
    assert f"does not allow {missing}" in image["state"]["reason"]
    assert f"account {TARGET}, Region us-east-1" in image["state"]["reason"]


def test_awss_own_policy_is_enough_for_a_copy(account: Account) -> None:
    _make_target_role(account, trusted="123456789012", grants=("ec2:RunInstances",))
    account.aws("iam", account=TARGET).attach_role_policy(
        RoleName="EC2ImageBuilderDistributionCrossAccountRole",
        PolicyArn="arn:aws:iam::aws:policy/Ec2ImageBuilderCrossAccountDistributionAccess",
    )
    pipeline = account.pipeline(
        account.recipe(),
        account.infrastructure(),
        imageTestsConfiguration={"imageTestsEnabled": False},
        distributionConfigurationArn=account.distribution(copies_to(TARGET)),
    )

    image = account.run(pipeline)

    assert image["state"] == {"status": "AVAILABLE"}


def test_a_cancelled_build_ends_cancelled_and_leaves_no_instance(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PACE, "state", 0.3)
    pipeline = account.pipeline(account.recipe(), account.infrastructure())
    started = account.builder.start_image_pipeline_execution(imagePipelineArn=pipeline)["imageBuildVersionArn"]
    _wait_for(account, started, "BUILDING")
    with pytest.raises(ClientError) as running:
        account.builder.delete_image(imageBuildVersionArn=started)

    account.builder.cancel_image_creation(imageBuildVersionArn=started)

    image = account.ended(started)
    assert image["state"]["status"] == "CANCELLED"
    assert account.instances() == []
    assert running.value.response["Error"]["Code"] == "ResourceDependencyException"
    with pytest.raises(ClientError) as caught:
        account.builder.cancel_image_creation(imageBuildVersionArn=started)
    assert caught.value.response["Error"]["Code"] == "InvalidRequestException"
    account.builder.delete_image(imageBuildVersionArn=started)


def test_a_reset_ends_running_builds_without_a_trace(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PACE, "state", 0.2)
    pipeline = account.pipeline(account.recipe(), account.infrastructure())
    started = account.builder.start_image_pipeline_execution(imagePipelineArn=pipeline)["imageBuildVersionArn"]
    _wait_for(account, started, "TESTING")

    endpoint = account.builder.meta.endpoint_url
    with urlopen(Request(f"{endpoint}/moto-api/reset", method="POST")):  # noqa: S310 - loopback
        time.sleep(0.5)

    assert account.builder.list_images()["imageVersionList"] == []
    assert account.instances() == []
    assert account.aws("ec2").describe_images(Owners=["self"])["Images"] == []
    assert account.aws("logs").describe_log_groups()["logGroups"] == []


def _wait_for(account: Account, image: str, status: str) -> None:
    deadline = time.monotonic() + 20
    while account.builder.get_image(imageBuildVersionArn=image)["image"]["state"]["status"] != status:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_failed_build_may_keep_its_instance(account: Account) -> None:
    # Image Builder lets a colon into the pattern of a name, EC2 lets none into a name.
    named = {"region": "us-east-1", "amiDistributionConfiguration": {"name": "web:{{ imagebuilder:buildDate }}"}}
    pipeline = account.pipeline(
        account.recipe(),
        account.infrastructure(terminateInstanceOnFailure=False),
        distributionConfigurationArn=account.distribution(named),
    )

    image = account.run(pipeline)

    assert image["state"]["status"] == "FAILED"
    assert image["state"]["failureContext"]["failedStep"] == "CreateOutputAMI"
    assert [instance["State"]["Name"] for instance in account.instances()] == ["stopped"]


def test_a_failed_distribution_is_retried_without_a_new_build(account: Account) -> None:
    targets = [copies_to(TARGET, region="eu-west-1"), copies_to("123456789012", region="eu-central-1")]
    pipeline = account.pipeline(
        account.recipe(), account.infrastructure(), distributionConfigurationArn=account.distribution(*targets)
    )
    failed = account.run(pipeline)
    _make_target_role(account, trusted="123456789012")

    account.builder.retry_image(imageBuildVersionArn=failed["arn"])

    image = account.ended(failed["arn"])
    assert image["state"] == {"status": "AVAILABLE"}
    places = {(ami["region"], ami["accountId"]): ami["image"] for ami in image["outputResources"]["amis"]}
    before = {(ami["region"], ami["accountId"]): ami.get("image") for ami in failed["outputResources"]["amis"]}
    assert places["us-east-1", "123456789012"] == before["us-east-1", "123456789012"]
    assert places["eu-central-1", "123456789012"] == before["eu-central-1", "123456789012"]
    assert ("eu-west-1", TARGET) in places
    runs = account.builder.list_workflow_executions(imageBuildVersionArn=image["arn"])["workflowExecutions"]
    assert [(run["type"], run["status"], run.get("retried", False)) for run in runs] == [
        ("DISTRIBUTION", "COMPLETED", False),
        ("DISTRIBUTION", "FAILED", True),
        ("TEST", "COMPLETED", False),
        ("BUILD", "COMPLETED", False),
    ]


def test_only_a_stopped_build_with_an_ami_can_be_retried(account: Account) -> None:
    infrastructure = account.infrastructure()
    good = account.run(account.pipeline(account.recipe(), infrastructure))
    bad = account.run(account.pipeline(account.recipe(parent="ssm:/none"), infrastructure, name="other"))

    for image, why in ((good, "has the status AVAILABLE"), (bad, "no AMI yet")):
        with pytest.raises(ClientError) as caught:
            account.builder.retry_image(imageBuildVersionArn=image["arn"])
        assert caught.value.response["Error"]["Code"] == "InvalidRequestException"
        assert why in str(caught.value)


def test_the_state_of_a_failed_distribution_tells_which_places_got_nothing(account: Account) -> None:
    pipeline = account.pipeline(
        account.recipe(),
        account.infrastructure(),
        distributionConfigurationArn=account.distribution(copies_to(TARGET, region="eu-west-1")),
    )

    image = account.run(pipeline)

    context = image["state"]["failureContext"]
    assert (context["imageStatus"], context["failedStep"]) == ("DISTRIBUTING", "DistributeImage")
    [failure] = context["distributionFailure"]["regionFailures"]
    assert (failure["region"], failure["targetAccountId"], failure["status"]) == ("eu-west-1", TARGET, "FAILED")


def test_a_halted_build_and_what_a_policy_did_outlive_a_save_and_a_load(account: Account, tmp_path: Path) -> None:
    pipeline = account.pipeline(
        account.recipe(),
        account.infrastructure(),
        imageTestsConfiguration={"imageTestsEnabled": False},
        distributionConfigurationArn=account.distribution(copies_to(TARGET)),
    )
    failed = account.run(pipeline)
    policy = account.builder.create_lifecycle_policy(
        name="end",
        executionRole="builder",
        resourceType="AMI_IMAGE",
        status="DISABLED",
        policyDetails=[{"action": {"type": "DEPRECATE"}, "filter": {"type": "AGE", "value": 1, "unit": "DAYS"}}],
        resourceSelection={"recipes": [{"name": "web", "semanticVersion": "x.x.x"}]},
    )["lifecyclePolicyArn"]
    account.ask("imagebuilder/lifecycle", policy=policy)

    account.ask("state", save=str(tmp_path / "state"))
    account.ask("state", load=str(tmp_path / "state"))
    _make_target_role(account, trusted="123456789012")
    account.builder.retry_image(imageBuildVersionArn=failed["arn"])

    assert failed["state"]["status"] == "FAILED"
    assert account.ended(failed["arn"])["state"] == {"status": "AVAILABLE"}
    assert len(account.builder.list_lifecycle_executions(resourceArn=policy)["lifecycleExecutions"]) == 1
