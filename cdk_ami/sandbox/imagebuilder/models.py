"""The state of the service, one backend for each account and Region, in the emulator's own form."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from threading import Event, RLock
from typing import TYPE_CHECKING, Any

from moto.core.base_backend import AccountSpecificBackend, BackendDict, BaseBackend

from cdk_ami.sandbox.imagebuilder import arns, managed
from cdk_ami.sandbox.imagebuilder.errors import not_found
from cdk_ami.sandbox.imagebuilder.findings import Planted
from cdk_ami.sandbox.imagebuilder.records import Record

if TYPE_CHECKING:
    from cdk_ami.sandbox.clock import Call
    from cdk_ami.sandbox.imagebuilder.engine.build import Build


@dataclass(slots=True, kw_only=True)
class Execution:
    """One run of one workflow for one image; ``shown`` and each step are as the service's model names their members."""

    shown: dict[str, Any]
    steps: list[dict[str, Any]] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Lifecycle:
    """One run of a lifecycle policy, or one change of an image's state.

    Attributes:
        resource: ARN of the policy or the image.
        role: Name or ARN of the role that it acts by.
        shown: The execution as the API shows it.
        resources: What became of images.
        children: What became of the AMIs of each image, by its ARN.
        cancelled: Set when it is to stop.
    """

    resource: str
    role: str | None
    shown: dict[str, Any]
    cancelled: Event
    resources: list[dict[str, Any]] = field(default_factory=list)
    children: dict[str, list[dict[str, Any]]] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class WaitingStep:
    """A step that waits for SendWorkflowStepAction.

    Attributes:
        shown: The step as ListWaitingWorkflowSteps shows it.
        answered: Set when the answer has come.
        action: ``RESUME`` or ``STOP``, once it is answered.
        reason: What was given as the reason.
    """

    shown: dict[str, Any]
    answered: Event
    action: str = ""
    reason: str = ""


class ImageBuilderBackend(BaseBackend):  # type: ignore[misc]
    """What one account has in one Region.

    Attributes:
        lock: Held while a request is answered, and by builds while they change their image.
        own: The account's resources by ARN, oldest first.
        executions: Workflow runs by id.
        answers: Answered requests by operation and client token: what was asked and what was answered.
        builds: Builds that run, by the ARN of their image.
        active: The same, until each has told everybody how it ended.
        halted: Builds that ended before their image was available, but have an AMI to go on from.
        lifecycles: Runs of lifecycle policies, and changes of state, by id.
        planned: What the clock is to do for pipelines and policies, by their ARN.
        waiting: Steps that wait for an answer, by the id of their execution.
        planted: What every scan finds.
        findings: What scans have found.
        numbers: How many builds each image version has had, for numbers are never given twice.
    """

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.lock = RLock()
        self.own: dict[str, Record] = {}
        self.executions: dict[str, Execution] = {}
        self.answers: dict[tuple[str, str], tuple[dict[str, Any], dict[str, Any]]] = {}
        self.builds: dict[str, Build] = {}
        self.active: dict[str, Build] = {}
        self.halted: dict[str, Build] = {}
        self.lifecycles: dict[str, Lifecycle] = {}
        self.planned: dict[str, Call] = {}
        self.waiting: dict[str, WaitingStep] = {}
        self.planted: list[Planted] = []
        self.findings: list[dict[str, Any]] = []
        self.numbers: Counter[str] = Counter()

    def sandbox_stop(self) -> None:
        """Stop builds at their next call, for everything is about to be forgotten; they leave nothing behind."""
        for build in list(self.builds.values()):
            build.abandon()

    def sandbox_running(self) -> list[str]:
        """Name the builds and changes of state that run, to the last event of each, and wait for nothing."""
        builds = [f"the build of {arn}" for arn, build in list(self.active.items()) if not build.resting]
        runs = [run for run in list(self.lifecycles.values()) if run.shown["state"]["status"] == "IN_PROGRESS"]
        return [*builds, *(f"the lifecycle execution of {run.resource}" for run in runs)]

    def kind(self, kind: str) -> list[Record]:
        """Return the account's resources of a kind, oldest first."""
        return [record for record in self.own.values() if record.parsed.kind == kind]

    def arn(self, kind: str, name: str, version: str = "", build: int | None = None) -> str:
        """Return the ARN of a resource of this account and Region."""
        return arns.arn(
            region=self.region_name, account=self.account_id, kind=kind, name=name, version=version, build=build
        )

    def resolve(self, wanted: str) -> Record | None:
        """Return what an ARN names, which may hold wildcards or leave the build open: then the newest."""
        parsed = arns.parse(wanted)
        if parsed is None:
            return None
        known = managed.records(self.region_name) if parsed.account == arns.MANAGED else self.own
        if wanted in known:
            return known[wanted]
        found = arns.select(parsed, (record.parsed for record in known.values() if parsed.kind == record.parsed.kind))
        return None if found is None else known[str(found)]

    def get(self, wanted: str) -> Record:
        """Return what an ARN names.

        Raises:
            ImageBuilderError: When there is no such resource.
        """
        found = self.resolve(wanted)
        if found is None:
            raise not_found(wanted)
        return found

    def users_of(self, arn: str) -> Iterator[str]:
        """Yield the ARNs of the recipes and pipelines that a deletion of ``arn`` would leave with a hole."""
        target = self.own[arn]
        for record in self.own.values():
            if any(self._would_lack(reference, target) for reference in _references(record)):
                yield record.arn

    def _would_lack(self, reference: str, target: Record) -> bool:
        wanted = arns.parse(reference)
        if wanted is None or wanted.kind != target.parsed.kind:
            return False
        candidates = [record.parsed for record in self.kind(wanted.kind)]
        if arns.select(wanted, [target.parsed]) is None:
            return False
        return arns.select(wanted, [found for found in candidates if found != target.parsed]) is None


def _references(record: Record) -> Iterator[str]:
    kind = record.parsed.kind
    if kind == "image-recipe":
        yield from (component["componentArn"] for component in record.body.get("components") or ())
    if kind == "image-pipeline":
        for member in ("imageRecipeArn", "infrastructureConfigurationArn", "distributionConfigurationArn"):
            if record.body.get(member):
                yield record.body[member]
        yield from (workflow["workflowArn"] for workflow in record.body.get("workflows") or ())


REGIONS: list[str] = AccountSpecificBackend.get_session().get_available_regions("ec2")
"""The Regions of the service: those of EC2.  A session of our own would take a quarter of a second."""

imagebuilder_backends = BackendDict(
    ImageBuilderBackend, "imagebuilder", use_boto3_regions=False, additional_regions=REGIONS
)
