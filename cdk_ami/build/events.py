"""What Image Builder tells EventBridge, and how to match one image in it.

Events are best effort: whoever acts on one reads the channel or the image again instead of trusting what the event
says, and looks by the clock as well.  https://docs.aws.amazon.com/imagebuilder/latest/userguide/integ-eventbridge.html
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, Final, NamedTuple

SOURCE: Final = "aws.imagebuilder"
"""The ``source`` of every event of Image Builder."""


class DetailType(StrEnum):
    """The kinds of events, by their ``detail-type``.

    https://docs.aws.amazon.com/eventbridge/latest/ref/events-ref-imagebuilder.html
    """

    IMAGE_STATE = "EC2 Image Builder Image State Change"
    CVE_DETECTED = "EC2 Image Builder CVE Detected"
    STEP_WAITING = "EC2 Image Builder Workflow Step Waiting"
    PIPELINE_DISABLED = "EC2 Image Builder Image Pipeline Automatically Disabled"


class BuildState(StrEnum):
    """The states of a build that have events.

    https://docs.aws.amazon.com/imagebuilder/latest/userguide/integ-eventbridge.html#eb-event-state-change
    """

    BUILDING = "BUILDING"
    TESTING = "TESTING"
    DISTRIBUTING = "DISTRIBUTING"
    INTEGRATING = "INTEGRATING"
    AVAILABLE = "AVAILABLE"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


class Severity(StrEnum):
    """The severities that a scan's event counts; it counts nothing below medium except in ``all``."""

    ALL = "all"
    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"


class ImageArns(NamedTuple):
    """The ARNs of one image's resources, which all follow from its name.

    Attributes:
        partition: Partition, such as ``aws``.
        region: Region of the build.
        account: Account of the build.
        name: Name of the image in its normalized form.
    """

    partition: str
    region: str
    account: str
    name: str

    @property
    def pipeline(self) -> str:
        """ARN of the pipeline."""
        return f"{self._stem}:image-pipeline/{self.name}"

    @property
    def builds(self) -> str:
        """What the ARN of every build of this image begins with; the slash keeps ``web`` apart from ``web-2``."""
        return f"{self._stem}:image/{self.name}/"

    @property
    def _stem(self) -> str:
        return f"arn:{self.partition}:imagebuilder:{self.region}:{self.account}"


class Pattern(NamedTuple):
    """An event pattern, by the arguments of ``events.EventPattern``.

    Attributes:
        detail_type: The kind of event.
        resource: What the ARN among the event's resources begins with.
        detail: What the event's detail must match, None for anything.
    """

    detail_type: DetailType
    resource: str
    detail: dict[str, Any] | None = None


def state_pattern(arns: ImageArns, states: Sequence[BuildState]) -> Pattern:
    """Return the pattern of a build of this image entering one of ``states``; all of them when empty."""
    detail = {"state": {"status": [state.value for state in states]}} if states else None
    return Pattern(detail_type=DetailType.IMAGE_STATE, resource=arns.builds, detail=detail)


def cve_pattern(arns: ImageArns, severity: Severity) -> Pattern:
    """Return the pattern of a scan with findings; scans without any send an event as well, which it leaves out."""
    detail = {"finding-severity-counts": {severity.value: [{"numeric": [">", 0]}]}}
    return Pattern(detail_type=DetailType.CVE_DETECTED, resource=arns.builds, detail=detail)


def step_pattern(arns: ImageArns) -> Pattern:
    """Return the pattern of a workflow step that waits for somebody's decision."""
    return Pattern(detail_type=DetailType.STEP_WAITING, resource=arns.builds)


def disabled_pattern(arns: ImageArns) -> Pattern:
    """Return the pattern of this image's pipeline being disabled; its ARN is matched whole."""
    return Pattern(detail_type=DetailType.PIPELINE_DISABLED, resource=arns.pipeline)
