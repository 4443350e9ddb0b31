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
    detail = {"previous-state": {"status": before}, "state": {"status": after}}
    _emit(session, "Image State Change", detail, [image_arn])


def publish_findings(session: Session, image: Record, *, resource: str, counts: Mapping[str, int]) -> None:
    """Send the event of a scan that is complete; ``resource`` is what was scanned."""
    pipeline = image.body.get("sourcePipelineArn")
    detail = {"resource-id": resource, "finding-severity-counts": dict(counts)}
    _emit(session, "CVE Detected", detail, [image.arn, *([pipeline] if pipeline else [])])


def publish_waiting(session: Session, step: Mapping[str, Any]) -> None:
    """Send the event of a step that waits for an action; ``step`` is as ListWaitingWorkflowSteps shows it."""
    detail = {
        "workflow-execution-id": step["workflowExecutionId"],
        "workflow-step-execution-id": step["stepExecutionId"],
        "workflow-step-name": step["name"],
    }
    _emit(session, "Workflow Step Waiting", detail, [step["imageBuildVersionArn"], step["workflowBuildVersionArn"]])


def publish_disabled(session: Session, pipeline_arn: str, failures: int) -> None:
    """Send the event of a pipeline that was disabled because its scheduled builds fail."""
    _emit(session, "Image Pipeline Automatically Disabled", {"consecutive-failures": str(failures)}, [pipeline_arn])


def _emit(session: Session, what: str, detail: Mapping[str, Any], resources: list[str]) -> None:
    emit(
        region=session.home.region,
        account=session.home.account,
        source="aws.imagebuilder",
        detail_type=f"EC2 Image Builder {what}",
        detail=detail,
        resources=resources,
    )


def waiting_message(step: Mapping[str, Any], payload: str | None) -> str:
    """Return what a topic or a function is told about a step that waits: all that the answer needs.

    AWS's pages say that it holds the image's ARN, the step's id and the workflow's own payload; the names of its
    members are the sandbox's reading of them.
    """
    members = ("imageBuildVersionArn", "stepExecutionId", "workflowExecutionId", "workflowBuildVersionArn")
    message = {member: step[member] for member in members} | {"workflowStepName": step["name"]}
    return json.dumps(message if payload is None else {**message, "customPayload": payload})


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
    topic = (image.body.get("infrastructureConfiguration") or {}).get("snsTopicArn")
    if topic is None:
        return
    try:
        session.last_call("sns", "publish", TopicArn=topic, Message=json.dumps(message(image), default=str))
    except StepError:
        return
