"""Rules of the Recycle Bin in templates."""

from __future__ import annotations

from typing import Any

from cdk_ami.sandbox.clock import CLOCK
from tests.support.stacks import Stacks, resource


def rule(**properties: Any) -> dict[str, Any]:
    period = {"RetentionPeriodValue": 7, "RetentionPeriodUnit": "DAYS"}
    return {"Rule": resource("Rbin::Rule", {"ResourceType": "EC2_IMAGE", "RetentionPeriod": period, **properties})}


def test_a_rule_is_made_changed_in_place_and_deleted(aws: Any, stacks: Stacks) -> None:
    rbin, tag = aws("rbin"), [{"ResourceTagKey": "team", "ResourceTagValue": "web"}]
    assert stacks.create("bin", rule(ResourceTags=tag, Tags=[{"Key": "a", "Value": "1"}])) == "CREATE_COMPLETE"
    arn = stacks.physical_id("bin", "Rule")
    assert rbin.get_rule(Identifier=arn.rpartition("/")[2])["ResourceTags"] == tag

    status = stacks.update("bin", rule(Description="all", Tags=[{"Key": "a", "Value": "2"}]))
    read = rbin.get_rule(Identifier=arn.rpartition("/")[2])

    assert (status, stacks.physical_id("bin", "Rule")) == ("UPDATE_COMPLETE", arn)
    assert (read["Description"], read["ResourceTags"]) == ("all", [])
    assert {"Key": "a", "Value": "2"} in rbin.list_tags_for_resource(ResourceArn=arn)["Tags"]
    assert stacks.delete("bin") == "DELETE_COMPLETE"
    assert rbin.list_rules(ResourceType="EC2_IMAGE")["Rules"] == []


def test_a_rule_that_a_template_locks_stays_until_it_is_unlocked_and_the_delay_is_over(
    aws: Any, stacks: Stacks
) -> None:
    rbin, lock = aws("rbin"), {"UnlockDelayValue": 7, "UnlockDelayUnit": "DAYS"}
    stacks.create("bin", rule(LockConfiguration=lock))

    unlocked = stacks.update("bin", rule())
    (read,) = rbin.list_rules(ResourceType="EC2_IMAGE")["Rules"]
    refused = stacks.delete("bin")
    CLOCK.advance(7 * 24 * 3600)

    assert (unlocked, read["LockState"], refused) == ("UPDATE_COMPLETE", "pending_unlock", "DELETE_FAILED")
    assert stacks.delete("bin") == "DELETE_COMPLETE"
