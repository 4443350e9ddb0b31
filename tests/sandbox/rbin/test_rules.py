"""Retention rules of the Recycle Bin."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from cdk_ami.sandbox.clock import CLOCK

WEEK = {"RetentionPeriodValue": 7, "RetentionPeriodUnit": "DAYS"}
LOCK = {"UnlockDelay": {"UnlockDelayValue": 7, "UnlockDelayUnit": "DAYS"}}
TEAM = [{"ResourceTagKey": "team", "ResourceTagValue": "web"}]


def code(caught: pytest.ExceptionInfo[ClientError]) -> str:
    return str(caught.value.response["Error"]["Code"])


def test_a_rule_is_made_read_changed_and_deleted(aws: Any) -> None:
    rbin = aws("rbin")

    made = rbin.create_rule(ResourceType="EC2_IMAGE", RetentionPeriod=WEEK, Description="AMIs")
    rbin.update_rule(
        Identifier=made["Identifier"],
        RetentionPeriod={**WEEK, "RetentionPeriodValue": 30},
        Description="all of them",
        ResourceTags=TEAM,
    )
    read = rbin.get_rule(Identifier=made["Identifier"])
    rbin.delete_rule(Identifier=made["Identifier"])

    assert (made["Status"], made["LockState"]) == ("pending", "unlocked")
    assert made["RuleArn"].endswith(f":123456789012:rule/{made['Identifier']}")
    assert (read["Status"], read["Description"], read["ResourceTags"]) == ("available", "all of them", TEAM)
    assert read["RetentionPeriod"]["RetentionPeriodValue"] == 30
    with pytest.raises(ClientError) as caught:
        rbin.get_rule(Identifier=made["Identifier"])
    assert code(caught) == "ResourceNotFoundException"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404


def test_rules_are_listed_by_type_and_tags_page_by_page(aws: Any) -> None:
    rbin = aws("rbin")
    for days in (1, 2, 3):
        rbin.create_rule(ResourceType="EC2_IMAGE", RetentionPeriod={**WEEK, "RetentionPeriodValue": days})
    tagged = rbin.create_rule(ResourceType="EC2_IMAGE", RetentionPeriod=WEEK, ResourceTags=TEAM)
    rbin.create_rule(ResourceType="EBS_SNAPSHOT", RetentionPeriod=WEEK)

    pages = list(rbin.get_paginator("list_rules").paginate(ResourceType="EC2_IMAGE", MaxResults=2))
    by_tag = rbin.list_rules(ResourceType="EC2_IMAGE", ResourceTags=TEAM)["Rules"]
    locked = rbin.list_rules(ResourceType="EC2_IMAGE", LockState="locked")["Rules"]

    assert [len(page["Rules"]) for page in pages] == [2, 2]
    assert [rule["Identifier"] for rule in by_tag] == [tagged["Identifier"]]
    assert locked == []


def test_a_locked_rule_cannot_change_until_its_delay_is_over(aws: Any) -> None:
    rbin = aws("rbin")
    name = rbin.create_rule(ResourceType="EC2_IMAGE", RetentionPeriod=WEEK)["Identifier"]
    assert rbin.lock_rule(Identifier=name, LockConfiguration=LOCK)["LockState"] == "locked"
    for change in (rbin.delete_rule, rbin.update_rule):
        with pytest.raises(ClientError) as caught:
            change(Identifier=name)
        assert code(caught) == "ConflictException"

    waiting = rbin.unlock_rule(Identifier=name)
    with pytest.raises(ClientError, match="pending_unlock"):
        rbin.delete_rule(Identifier=name)
    CLOCK.advance(7 * 24 * 3600)

    assert waiting["LockState"] == "pending_unlock"
    assert waiting["LockEndTime"] is not None
    assert rbin.get_rule(Identifier=name)["LockState"] == "unlocked"
    rbin.delete_rule(Identifier=name)


def test_a_rule_can_be_made_locked(aws: Any) -> None:
    made = aws("rbin").create_rule(ResourceType="EC2_IMAGE", RetentionPeriod=WEEK, LockConfiguration=LOCK)

    assert (made["LockState"], made["LockConfiguration"]) == ("locked", LOCK)


def test_tags_of_a_rule_are_its_own(aws: Any) -> None:
    rbin = aws("rbin")
    arn = rbin.create_rule(ResourceType="EC2_IMAGE", RetentionPeriod=WEEK, Tags=[{"Key": "a", "Value": "1"}])["RuleArn"]

    rbin.tag_resource(ResourceArn=arn, Tags=[{"Key": "b", "Value": "2"}])
    rbin.untag_resource(ResourceArn=arn, TagKeys=["a"])

    assert rbin.list_tags_for_resource(ResourceArn=arn)["Tags"] == [{"Key": "b", "Value": "2"}]


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"RetentionPeriod": {**WEEK, "RetentionPeriodValue": 366}}, "1 to 365 DAYS"),
        ({"ResourceType": "EBS_VOLUME"}, "no volumes"),
        ({"ResourceTags": TEAM, "ExcludeResourceTags": TEAM}, "Region-level"),
        ({"ResourceTags": TEAM, "LockConfiguration": LOCK}, "can be locked"),
        ({"Description": "x" * 256}, "255 characters"),
        ({"Tags": [{"Key": "aws:own", "Value": "x"}]}, "reserved"),
    ],
)
def test_a_rule_that_the_service_would_not_take_is_refused(aws: Any, request_: dict[str, Any], message: str) -> None:
    with pytest.raises(ClientError, match=message) as caught:
        aws("rbin").create_rule(**{"ResourceType": "EC2_IMAGE", "RetentionPeriod": WEEK, **request_})

    assert code(caught) == "ValidationException"
    assert aws("rbin").list_rules(ResourceType="EC2_IMAGE")["Rules"] == []
