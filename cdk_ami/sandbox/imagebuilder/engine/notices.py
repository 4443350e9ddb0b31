"""What a build tells others: events of its states, and a message to the topic when it ends.

https://docs.aws.amazon.com/imagebuilder/latest/userguide/integ-eventbridge.html and
https://docs.aws.amazon.com/imagebuilder/latest/userguide/integ-sns.html, read 2026-11-22
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cdk_ami.sandbox.events.emit import emit
from cdk_ami.sandbox.imagebuilder.engine.session import Session, StepError
from cdk_ami.sandbox.imagebuilder.records import Record


def publish_state(session: Session, image_arn: str, *, before: str, after: str) -> None:
    """Send the event of one change of state; it holds neither AMI nor pipeline."""
    emit(
        region=session.home.region,
        account=session.home.account,
        source="aws.imagebuilder",
        detail_type="EC2 Image Builder Image State Change",
        detail={"previous-state": {"status": before}, "state": {"status": after}},
        resources=[image_arn],
    )


def message(image: Record) -> dict[str, Any]:
    """Return the message that the topic gets when a build has ended."""
    shown: Mapping[str, Any] = image.shown()
    members = (
        "arn",
        "name",
        "type",
        "version",
        "platform",
        "state",
        "imageRecipe",
        "sourcePipelineName",
        "sourcePipelineArn",
        "infrastructureConfiguration",
        "distributionConfiguration",
        "imageTestsConfiguration",
        "dateCreated",
        "outputResources",
        "tags",
    )
    parsed = image.parsed
    return {
        "versionlessArn": image.arn.rpartition("/")[0].rpartition("/")[0],
        "semver": parsed.version,
        "buildVersion": parsed.build,
        **{member: shown[member] for member in members if member in shown},
    }


def publish_end(session: Session, image: Record) -> None:
    """Send the message to the topic of the infrastructure configuration, where it names one."""
    topic = image.body["infrastructureConfiguration"].get("snsTopicArn")
    if topic is None:
        return
    try:
        session.last_call("sns", "publish", TopicArn=topic, Message=json.dumps(message(image), default=str))
    except StepError:
        return
