"""What the sandbox's own services tell."""

from __future__ import annotations

from cdk_ami.sandbox.events.emit import emit
from tests.support.happenings import ACCOUNT, Happenings


def test_what_a_service_tells_reaches_the_rules_that_match_it(it: Happenings) -> None:
    it.rule({"source": ["aws.autoscaling"], "detail": {"Event": ["made"]}})

    for event in ("made", "ended"):
        emit("us-east-1", ACCOUNT, "aws.autoscaling", "Something Happened", {"Event": event}, ["arn:aws:one"])

    [told] = it.heard()
    assert (told["detail-type"], told["detail"], told["resources"]) == (
        "Something Happened",
        {"Event": "made"},
        ["arn:aws:one"],
    )
