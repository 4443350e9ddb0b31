"""What the steps of a build share: its calls, its AMI so far, and what it has launched."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cdk_ami.naming import log_group
from cdk_ami.sandbox.imagebuilder.engine.distribute import Delivered
from cdk_ami.sandbox.imagebuilder.engine.plan import Delivery, Scan
from cdk_ami.sandbox.imagebuilder.engine.session import Session
from cdk_ami.sandbox.imagebuilder.models import ImageBuilderBackend
from cdk_ami.sandbox.imagebuilder.records import Record, timestamp


@dataclass(slots=True, kw_only=True)
class Job:
    """One image on its way.

    Attributes:
        backend: Where the image is kept.
        image: The image; its body holds copies of all configurations.
        session: Calls to the other services.
        tell: Takes a line of the log.
        enter: Moves the image on to a state.
        apply: Runs phases of all components on an instance.
        source: EC2's description of the AMI that the image starts from.
        delivery: Where the AMI goes.
        stamp: What stands for the build date.
        image_id: The AMI: what the build stage made, or else the source.
        again: Whether an earlier run may have made some of the copies.
        outputs: What the workflows before told.
        instances: Ids of what was launched and is not put away yet.
        scan: How the image is scanned.
    """

    backend: ImageBuilderBackend
    image: Record
    session: Session
    tell: Callable[[str], None]
    enter: Callable[[str], None]
    apply: Callable[[tuple[str, ...], str], None]
    source: Mapping[str, Any]
    delivery: Delivery
    stamp: str
    image_id: str = ""
    again: bool = False
    outputs: dict[str, Any] = field(default_factory=dict)
    instances: list[str] = field(default_factory=list)
    scan: Scan | None = None

    @property
    def infrastructure(self) -> dict[str, Any]:
        """The infrastructure configuration; empty where nothing is launched."""
        return dict(self.image.body.get("infrastructureConfiguration") or {})

    @property
    def recipe(self) -> dict[str, Any]:
        """The recipe; empty for an AMI that is only distributed."""
        return dict(self.image.body.get("imageRecipe") or {})

    def show(self, done: Delivered) -> None:
        """Add AMIs to the outputs of the image; what an earlier run left of the same places gives way."""
        places = {(ami["region"], ami["accountId"]) for ami in done.shown}
        with self.backend.lock:
            before = self.image.body["outputResources"]["amis"]
            kept = [ami for ami in before if (ami["region"], ami["accountId"]) not in places]
            self.image.body["outputResources"] = {"amis": [*kept, *done.shown]}

    def log_place(self) -> tuple[str, str]:
        """Return group and stream of the log."""
        parsed = self.image.parsed
        named = (self.image.body.get("loggingConfiguration") or {}).get("logGroupName")
        return named or log_group(parsed.name), f"{parsed.version}/{parsed.build}"

    def variables(self, kind: str) -> dict[str, Any]:
        """Return the variables of the service in a workflow of the type ``kind``."""
        parsed, infrastructure, body = self.image.parsed, self.infrastructure, self.image.body
        group, stream = self.log_place()
        return {
            "cloudWatchLogGroup": group,
            "cloudWatchLogStream": stream,
            "collectImageMetadata": body.get("enhancedImageMetadataEnabled", True),
            "collectImageScanFindings": self.scan is not None and not self.scan.on_demand,
            "dateTime": timestamp(),
            "imageBuildNumber": parsed.build,
            "imageId": self.source.get("ImageId", ""),
            "imageName": body["name"],
            "imageType": "AMI",
            "imageVersionNumber": parsed.version,
            "instanceProfileName": infrastructure.get("instanceProfileName", ""),
            "platform": body.get("platform", ""),
            "s3Logs": infrastructure.get("logging") or {},
            "securityGroups": infrastructure.get("securityGroupIds") or [],
            "sourceImageARN": self.image.arn,
            "subnetId": infrastructure.get("subnetId", ""),
            "terminateInstanceOnFailure": infrastructure.get("terminateInstanceOnFailure", True),
            "workflowPhase": kind.capitalize(),
            "workingDirectory": self.recipe.get("workingDirectory", "/tmp"),  # noqa: S108 - the service's default
        }
