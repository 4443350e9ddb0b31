"""The end of images: single changes of state, and lifecycle policies that run."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from cdk_ami.sandbox.imagebuilder.retention import Candidate, choose, earlier, excluded, selected
from tests.support.sandbox import wait_until

if TYPE_CHECKING:
    from tests.sandbox.imagebuilder.conftest import Account

NOW = datetime(2026, 3, 31, 12, 0, tzinfo=UTC)
TARGET = "111111111111"
DAY = 86_400


def candidate(
    build: int, *, days: int = 0, version: str = "1.0.0", status: str = "AVAILABLE", **tags: str
) -> Candidate:
    return Candidate(
        arn=f"image/web/{version}/{build}",
        created=NOW - timedelta(days=days),
        status=status,
        recipe="web",
        version=version,
        tags=tags,
    )


def rule(action: str, *, value: int, unit: str | None = "DAYS", kept: int | None = None, **tags: str) -> dict[str, Any]:
    found: dict[str, Any] = {"type": "AGE" if unit else "COUNT", "value": value}
    found |= {"unit": unit} if unit else {}
    found |= {"retainAtLeast": kept} if kept else {}
    return {"action": {"type": action}, "filter": found, "exclusionRules": {"tagMap": tags} if tags else {}}


def chosen(images: list[Candidate], *rules: dict[str, Any]) -> list[tuple[str, str]]:
    return [(image.arn.partition("web/")[2], found["action"]["type"]) for image, found in choose(images, rules, NOW)]


def test_a_count_keeps_the_newest_of_each_version_of_the_recipe() -> None:
    images = [candidate(number, days=9 - number) for number in range(1, 5)]
    images += [candidate(1, days=30, version="1.0.1"), candidate(2, days=20, version="1.0.1")]

    assert chosen(images, rule("DELETE", value=2, unit=None)) == [("1.0.0/2", "DELETE"), ("1.0.0/1", "DELETE")]


def test_failed_images_are_always_deleted_and_hold_no_place() -> None:
    images = [candidate(1, days=3), candidate(2, days=2, status="FAILED"), candidate(3, days=1), candidate(4)]

    assert chosen(images, rule("DELETE", value=2, unit=None)) == [("1.0.0/2", "DELETE"), ("1.0.0/1", "DELETE")]
    assert chosen(images, rule("DELETE", value=30)) == [("1.0.0/2", "DELETE")]


def test_an_age_keeps_at_least_as_many_as_it_says() -> None:
    images = [candidate(number, days=100 - number) for number in range(1, 5)]

    assert chosen(images, rule("DELETE", value=30, kept=3)) == [("1.0.0/1", "DELETE")]
    assert chosen(images, rule("DELETE", value=30, kept=4)) == []


def test_one_action_a_run_the_mildest_first_and_none_twice() -> None:
    rules = (rule("DELETE", value=180), rule("DISABLE", value=120), rule("DEPRECATE", value=90))

    assert chosen([candidate(1, days=200)], *rules) == [("1.0.0/1", "DEPRECATE")]
    assert chosen([candidate(1, days=200, status="DEPRECATED")], *rules) == [("1.0.0/1", "DISABLE")]
    assert chosen([candidate(1, days=200, status="DISABLED")], *rules) == [("1.0.0/1", "DELETE")]
    assert chosen([candidate(1, days=100, status="DEPRECATED")], *rules) == []
    assert chosen([candidate(1, days=200, status="TESTING")], *rules) == []


def test_an_excluded_tag_keeps_an_image_beyond_those_that_are_kept() -> None:
    images = [candidate(1, days=3), candidate(2, days=2, keep="yes"), candidate(3, days=1)]

    assert chosen(images, rule("DELETE", value=1, unit=None, keep="yes")) == [("1.0.0/1", "DELETE")]


def test_recipes_are_selected_by_name_and_wildcard_version_and_images_by_any_tag() -> None:
    images = [candidate(1), candidate(1, version="1.1.0"), candidate(1, version="2.0.0", team="web")]

    def by_recipe(version: str, name: str = "Web") -> list[str]:
        found = selected(images, {"recipes": [{"name": name, "semanticVersion": version}]})
        return [image.version for image in found]

    assert by_recipe("1.x.x") == ["1.0.0", "1.1.0"]
    assert by_recipe("x.x.x") == ["1.0.0", "1.1.0", "2.0.0"]
    assert by_recipe("1.x.x", "api") == []
    assert [image.version for image in selected(images, {"tagMap": {"team": "web", "a": "b"}})] == ["2.0.0"]


@pytest.mark.parametrize(
    ("value", "unit", "then"),
    [(3, "DAYS", "2026-03-28"), (2, "WEEKS", "2026-03-17"), (1, "MONTHS", "2026-02-28"), (2, "YEARS", "2024-03-31")],
)
def test_units_are_those_of_the_calendar(value: int, unit: str, then: str) -> None:
    assert earlier(NOW, value, unit).date().isoformat() == then


@pytest.mark.parametrize(
    ("rules", "why"),
    [
        ({"regions": ["eu-west-1"]}, "excluded Region"),
        ({"isPublic": True}, "public"),
        ({"tagMap": {"keep": "yes"}}, "excluded tag keep"),
        ({"sharedAccounts": [TARGET]}, "shared with the account"),
        ({"lastLaunched": {"value": 2, "unit": "DAYS"}}, "was launched"),
        ({"lastLaunched": {"value": 1, "unit": "DAYS"}}, ""),
        ({"tagMap": {"keep": "no"}, "regions": ["us-east-1"], "sharedAccounts": ["222222222222"]}, ""),
    ],
)
def test_an_ami_is_left_alone_for_the_first_reason_that_holds(rules: dict[str, Any], why: str) -> None:
    ami = {
        "Public": True,
        "Tags": [{"Key": "keep", "Value": "yes"}],
        "LastLaunchedTime": (NOW - timedelta(hours=30)).isoformat(),
    }

    found = excluded(ami, "eu-west-1", [TARGET], rules, NOW)

    assert (why in found) if why else not found
    never_launched = {"lastLaunched": {"value": 365, "unit": "DAYS"}}
    assert not excluded({}, "eu-west-1", [], never_launched, NOW)


def built(account: Account, *, name: str = "web", **more: Any) -> dict[str, Any]:
    """Return an image with an AMI at home and one in Ireland."""
    targets = [
        {"region": region, "amiDistributionConfiguration": {"name": f"{name} {{{{ imagebuilder:buildDate }}}}"}}
        for region in ("us-east-1", "eu-west-1")
    ]
    started = account.builder.create_image(
        imageRecipeArn=account.recipe(name),
        infrastructureConfigurationArn=account.infrastructure(name),
        distributionConfigurationArn=account.distribution(*targets, name=name),
        imageTestsConfiguration={"imageTestsEnabled": False},
        **more,
    )
    image = account.ended(started["imageBuildVersionArn"])
    assert image["state"] == {"status": "AVAILABLE"}
    return image


def update(account: Account, image: dict[str, Any], status: str, **more: Any) -> dict[str, Any]:
    """Change the state of an image with its AMIs, and return the execution when it has ended."""
    request = {"executionRole": "builder", "includeResources": {"amis": True}, **more}
    started = account.builder.start_resource_state_update(resourceArn=image["arn"], state={"status": status}, **request)
    return ended(account, started["lifecycleExecutionId"])


def ended(account: Account, execution: str) -> dict[str, Any]:
    found: dict[str, Any] = {}

    def done() -> bool:
        found.update(account.builder.get_lifecycle_execution(lifecycleExecutionId=execution)["lifecycleExecution"])
        return found["state"]["status"] in ("SUCCESS", "FAILED", "CANCELLED")

    wait_until(done, seconds=30)
    return found


def outcome(account: Account, execution: str, parent: str | None = None) -> list[dict[str, Any]]:
    more = {} if parent is None else {"parentResourceId": parent}
    found: list[dict[str, Any]] = account.builder.list_lifecycle_execution_resources(
        lifecycleExecutionId=execution, **more
    )["resources"]
    return found


def ami_state(account: Account, image: dict[str, Any]) -> list[tuple[str, bool, bool]]:
    """Return state, deprecation and mark of each AMI of an image that is still there."""
    found = []
    for ami in image["outputResources"]["amis"]:
        described = account.aws("ec2", ami["region"], account=ami["accountId"]).describe_images(
            Filters=[{"Name": "image-id", "Values": [ami["image"]]}], IncludeDeprecated=True, IncludeDisabled=True
        )["Images"]
        for one in described:
            marks = {tag["Key"] for tag in one["Tags"]}
            found.append((one["State"], "DeprecationTime" in one, "DeprecatedBy" in marks))
    return found


def test_an_image_is_deprecated_disabled_restored_and_deleted_with_its_amis_and_snapshots(account: Account) -> None:
    image = built(account)
    snapshots = [
        account.image(ami["image"], ami["region"])["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
        for ami in image["outputResources"]["amis"]
    ]

    seen = []
    for status in ("DEPRECATED", "DISABLED", "AVAILABLE"):
        execution = update(account, image, status)
        assert execution["state"] == {"status": "SUCCESS"}, execution
        now = account.builder.get_image(imageBuildVersionArn=image["arn"])["image"]
        seen.append((now["state"]["status"], "deprecationTime" in now, *ami_state(account, image)))
        assert now["lifecycleExecutionId"] == execution["lifecycleExecutionId"]
    gone = update(account, image, "DELETED", includeResources={"amis": True, "snapshots": True})

    assert seen == [
        ("DEPRECATED", True, ("available", True, True), ("available", True, True)),
        ("DISABLED", False, ("disabled", True, False), ("disabled", True, False)),
        ("AVAILABLE", False, ("available", False, False), ("available", False, False)),
    ]
    assert ami_state(account, image) == []
    for region, snapshot in zip(("us-east-1", "eu-west-1"), snapshots, strict=True):
        with pytest.raises(ClientError, match=r"InvalidSnapshot\.NotFound"):
            account.aws("ec2", region).describe_snapshots(SnapshotIds=[snapshot])
    with pytest.raises(ClientError) as caught:
        account.builder.get_image(imageBuildVersionArn=image["arn"])
    assert caught.value.response["Error"]["Code"] == "ResourceNotFoundException"
    [whole] = outcome(account, gone["lifecycleExecutionId"])
    assert (whole["resourceId"], whole["state"]["status"], whole["action"]["name"]) == (
        image["arn"],
        "SUCCESS",
        "DELETE",
    )
    parts = outcome(account, gone["lifecycleExecutionId"], image["arn"])
    assert [(part["region"], part["snapshots"][0]["snapshotId"]) for part in parts] == list(
        zip(("us-east-1", "eu-west-1"), snapshots, strict=True)
    )
    listed = account.builder.list_lifecycle_executions(resourceArn=image["arn"])["lifecycleExecutions"]
    assert len(listed) == 4
    assert gone["resourcesImpactedSummary"] == {"hasImpactedResources": True}


def test_an_image_alone_changes_at_once_and_its_amis_stay(account: Account) -> None:
    image = built(account)

    answer = account.builder.start_resource_state_update(resourceArn=image["arn"], state={"status": "DISABLED"})

    assert "lifecycleExecutionId" not in answer
    found = account.builder.get_image(imageBuildVersionArn=image["arn"])["image"]
    assert found["state"] == {"status": "DISABLED"}
    assert ami_state(account, image) == [("available", False, False)] * 2
    for request, why in (
        ({"state": {"status": "DEPRECATED"}}, "status DISABLED cannot become DEPRECATED"),
        ({"state": {"status": "DELETED"}}, "DeleteImage deletes the image resource alone"),
        ({"state": {"status": "AVAILABLE"}, "executionRole": "builder"}, "together or not at all"),
        ({"state": {"status": "AVAILABLE"}, "includeResources": {"amis": True}}, "together or not at all"),
        (
            {
                "state": {"status": "AVAILABLE"},
                "includeResources": {"amis": True, "snapshots": True},
                "executionRole": "builder",
            },
            "in DELETED only",
        ),
        (
            {
                "state": {"status": "DELETED"},
                "includeResources": {"snapshots": True},
                "executionRole": "builder",
            },
            "together with amis",
        ),
        (
            {"state": {"status": "AVAILABLE"}, "updateAt": datetime.now(UTC) + timedelta(days=1)},
            "DEPRECATED only",
        ),
        ({"state": {}}, "state.status must be one of"),
    ):
        with pytest.raises(ClientError) as caught:
            account.builder.start_resource_state_update(resourceArn=image["arn"], **request)
        assert caught.value.response["Error"]["Code"] == "InvalidRequestException", why
        assert why in str(caught.value)


def test_an_excluded_ami_keeps_itself_and_the_image_it_belongs_to(account: Account) -> None:
    image = built(account)

    execution = update(account, image, "DELETED", exclusionRules={"amis": {"regions": ["eu-west-1"]}})

    assert ami_state(account, image) == [("available", False, False)]
    kept = account.builder.get_image(imageBuildVersionArn=image["arn"])["image"]
    assert kept["state"] == {"status": "AVAILABLE"}
    [whole] = outcome(account, execution["lifecycleExecutionId"])
    assert whole["state"]["status"] == "SKIPPED"
    states = [part["state"] for part in outcome(account, execution["lifecycleExecutionId"], image["arn"])]
    assert states == [
        {"status": "SUCCESS"},
        {"status": "SKIPPED", "reason": "The AMI is in the excluded Region eu-west-1."},
    ]


def test_a_deprecation_in_the_future_comes_with_its_day_and_holds_off_other_changes(account: Account) -> None:
    image = built(account)
    due = datetime.now(UTC) + timedelta(days=3)

    started = account.builder.start_resource_state_update(
        resourceArn=image["arn"],
        state={"status": "DEPRECATED"},
        updateAt=due,
        executionRole="builder",
        includeResources={"amis": True},
    )["lifecycleExecutionId"]
    wait_until(lambda: ami_state(account, image) == [("available", True, True)] * 2, seconds=30)
    with pytest.raises(ClientError) as busy:
        account.builder.start_resource_state_update(resourceArn=image["arn"], state={"status": "DISABLED"})
    before = account.builder.get_image(imageBuildVersionArn=image["arn"])["image"]
    account.ask("clock", advance=3 * DAY + 60)

    assert busy.value.response["Error"]["Code"] == "ResourceInUseException"
    assert before["state"] == {"status": "AVAILABLE"}
    assert abs(before["deprecationTime"] - due) < timedelta(seconds=2)
    assert ended(account, started)["state"] == {"status": "SUCCESS"}
    after = account.builder.get_image(imageBuildVersionArn=image["arn"])["image"]
    assert after["state"] == {"status": "DEPRECATED"}


def test_copies_of_another_account_need_the_role_of_that_account(account: Account) -> None:
    iam = account.aws("iam", account=TARGET)
    actions = ["ec2:CopyImage", "ec2:CreateTags", "ec2:DescribeImages", "ec2:ModifyImageAttribute"]
    make_role(iam, "EC2ImageBuilderDistributionCrossAccountRole", {"AWS": "arn:aws:iam::123456789012:root"}, actions)
    target = {
        "region": "us-east-1",
        "amiDistributionConfiguration": {"name": "web {{ imagebuilder:buildDate }}", "targetAccountIds": [TARGET]},
    }
    started = account.builder.create_image(
        imageRecipeArn=account.recipe(),
        infrastructureConfigurationArn=account.infrastructure(),
        distributionConfigurationArn=account.distribution(target),
        imageTestsConfiguration={"imageTestsEnabled": False},
    )
    image = account.ended(started["imageBuildVersionArn"])

    without = update(account, image, "DISABLED")
    make_role(
        iam,
        "Ec2ImageBuilderCrossAccountLifecycleAccess",
        {"Service": "imagebuilder.amazonaws.com"},
        ["ec2:DisableImage", "ec2:DescribeImages"],
    )
    disabled = update(account, image, "DISABLED")
    beyond = update(account, image, "DELETED")

    assert without["state"]["status"] == "FAILED"
    reasons = [part["state"] for part in outcome(account, without["lifecycleExecutionId"], image["arn"])]
    assert reasons[0] == {"status": "SUCCESS"}
    assert "Ec2ImageBuilderCrossAccountLifecycleAccess does not exist in 111111111111" in reasons[1]["reason"]
    assert disabled["state"] == {"status": "SUCCESS"}
    assert [state for state, *_ in ami_state(account, image)] == ["disabled"]
    refused = outcome(account, beyond["lifecycleExecutionId"], image["arn"])[1]["state"]
    assert "does not allow ec2:DeregisterImage" in refused["reason"]


def make_role(iam: Any, name: str, principal: dict[str, str], actions: list[str]) -> None:
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal}
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}))
    statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_role_policy(RoleName=name, PolicyName="Work", PolicyDocument=policy)


def policy(account: Account, *details: dict[str, Any], **more: Any) -> str:
    made = account.builder.create_lifecycle_policy(
        name="end",
        executionRole="builder",
        resourceType="AMI_IMAGE",
        policyDetails=list(details),
        **{"resourceSelection": {"recipes": [{"name": "web", "semanticVersion": "1.x.x"}]}, **more},
    )
    return str(made["lifecyclePolicyArn"])


def detail(action: str, **filter_: Any) -> dict[str, Any]:
    return {"action": {"type": action, "includeResources": {"amis": True}}, "filter": filter_}


def test_an_enabled_policy_runs_every_day_and_takes_an_image_through_its_ends(account: Account) -> None:
    image = built(account)
    arn = policy(
        account,
        detail("DEPRECATE", type="AGE", value=2, unit="DAYS"),
        detail("DISABLE", type="AGE", value=4, unit="DAYS"),
        detail("DELETE", type="AGE", value=6, unit="DAYS"),
    )

    seen = []
    for _ in range(6):
        account.ask("clock", advance=DAY)
        found = account.builder.list_image_build_versions()["imageSummaryList"]
        seen.append([one["state"]["status"] for one in found])

    # The first run is a day after the policy, a moment after the image.
    assert seen == [["AVAILABLE"], ["DEPRECATED"], ["DEPRECATED"], ["DISABLED"], ["DISABLED"], []]
    assert ami_state(account, image) == []
    runs = account.builder.list_lifecycle_executions(resourceArn=arn)["lifecycleExecutions"]
    assert [run["resourcesImpactedSummary"]["hasImpactedResources"] for run in runs[::-1]] == [
        False,
        True,
        False,
        True,
        False,
        True,
    ]
    assert {run["lifecyclePolicyArn"] for run in runs} == {arn}
    assert "dateLastRun" in account.builder.get_lifecycle_policy(lifecyclePolicyArn=arn)["lifecyclePolicy"]
    first = account.builder.list_lifecycle_executions(resourceArn=arn, maxResults=2)
    assert len(first["lifecycleExecutions"]) == 2
    assert "nextToken" in first


def test_a_policy_run_on_request_counts_each_version_and_deletes_around_an_excluded_ami(account: Account) -> None:
    infrastructure = account.infrastructure()
    quiet: dict[str, Any] = {"imageTestsConfiguration": {"imageTestsEnabled": False}}
    pipelines = [account.pipeline(account.recipe(), infrastructure, name=name, **quiet) for name in ("one", "two")]
    images = [account.run(pipeline) for pipeline in (pipelines[0], pipelines[0], pipelines[1])]
    kept_ami = images[0]["outputResources"]["amis"][0]["image"]
    account.aws("ec2").create_tags(Resources=[kept_ami], Tags=[{"Key": "keep", "Value": "yes"}])
    rule_ = {
        **detail("DELETE", type="COUNT", value=1),
        "exclusionRules": {"amis": {"tagMap": {"keep": "yes"}}},
    }
    arn = policy(account, rule_, status="DISABLED")

    account.ask("clock", advance=2 * DAY)
    idle = account.builder.list_lifecycle_executions(resourceArn=arn)["lifecycleExecutions"]
    ran = account.ask("imagebuilder/lifecycle", policy=arn)

    left = [one["version"] for one in account.builder.list_image_build_versions()["imageSummaryList"]]
    assert idle == []
    assert ran["status"] == "SUCCESS"
    assert sorted(left) == ["1.0.0/2", "1.0.1/1"]
    assert account.image(kept_ami)["State"] == "available"
    [part] = outcome(account, ran["execution"], images[0]["arn"])
    assert part["state"] == {"status": "SKIPPED", "reason": "The AMI has the excluded tag keep."}
    with pytest.raises(ClientError) as caught:
        account.builder.cancel_lifecycle_execution(lifecycleExecutionId=ran["execution"])
    assert caught.value.response["Error"]["Code"] == "InvalidRequestException"


def test_a_deprecation_that_is_planned_can_be_cancelled(account: Account) -> None:
    image = built(account)
    started = account.builder.start_resource_state_update(
        resourceArn=image["arn"],
        state={"status": "DEPRECATED"},
        updateAt=datetime.now(UTC) + timedelta(days=3),
    )["lifecycleExecutionId"]

    def planned() -> bool:
        found = account.builder.get_lifecycle_execution(lifecycleExecutionId=started)["lifecycleExecution"]
        return bool(found["state"]["status"] == "PENDING")

    wait_until(planned)
    account.builder.cancel_lifecycle_execution(lifecycleExecutionId=started)
    account.ask("clock", advance=4 * DAY)

    assert ended(account, started)["state"] == {"status": "CANCELLED"}
    found = account.builder.get_image(imageBuildVersionArn=image["arn"])["image"]
    assert found["state"] == {"status": "AVAILABLE"}
