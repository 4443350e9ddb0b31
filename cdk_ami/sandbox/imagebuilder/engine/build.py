"""A build: the stages of one image, walked in a thread of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from threading import Event, Thread
from typing import Any, Final

from cdk_ami.naming import log_group
from cdk_ami.sandbox.imagebuilder.engine import amis, components, distribute, instances, notices, scans
from cdk_ami.sandbox.imagebuilder.engine.job import Job
from cdk_ami.sandbox.imagebuilder.engine.journal import Journal
from cdk_ami.sandbox.imagebuilder.engine.machines import MACHINES
from cdk_ami.sandbox.imagebuilder.engine.plan import (
    ComponentUse,
    Delivery,
    Place,
    Stages,
    build_stamp,
    plan_delivery,
)
from cdk_ami.sandbox.imagebuilder.engine.session import Session, StepError, StoppedError, role_arn
from cdk_ami.sandbox.imagebuilder.engine.walk import WorkflowError, walk, walk_group
from cdk_ami.sandbox.imagebuilder.models import ImageBuilderBackend
from cdk_ami.sandbox.imagebuilder.records import Record
from cdk_ami.sandbox.pace import PACE

_REASON_MAX: Final = 1024
_SETTLE_SECONDS: Final = 0.005
_REST_SECONDS: Final = 0.3
"""Machine seconds after which a build that rests is taken to wait for something that only the clock or others bring."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Captured:
    """How far a build has come that has its AMI: the point from which it can go on.

    Attributes:
        delivery: Where the AMI goes.
        source: EC2's description of the AMI that it started from.
        image_id: The AMI.
        stamp: What stands for the build date.
        outputs: What the build workflow told the later ones.
        tested: Whether the tests have passed.
        again: Whether an earlier run stopped here, so that some copies may exist.
    """

    delivery: Delivery
    source: Mapping[str, Any]
    image_id: str
    stamp: str
    outputs: Mapping[str, Any] = field(default_factory=dict)
    tested: bool = False
    again: bool = False


Ended = Callable[[str], None]
"""Called with the status in which a build ended."""


def start(
    backend: ImageBuilderBackend,
    image: Record,
    *,
    components: tuple[ComponentUse, ...],
    stages: Stages,
    source: str,
    ended: Ended | None = None,
) -> Build:
    """Start the build of an image from ``source`` and return it at once."""
    return _run(backend, image, Build(backend, image, components=components, stages=stages, source=source, ended=ended))


def retry(backend: ImageBuilderBackend, image: Record) -> None:
    """Go on with a halted build where it stopped, and return at once."""
    again = backend.halted.pop(image.arn).again()
    for run in backend.executions.values():
        if run.shown["imageBuildVersionArn"] == image.arn and run.shown["status"] != "COMPLETED":
            run.shown["retried"] = True
    image.body["state"] = {"status": "PENDING"}
    _run(backend, image, again)


def _run(backend: ImageBuilderBackend, image: Record, build: Build) -> Build:
    backend.builds[image.arn] = backend.active[image.arn] = build
    Thread(target=build.run, name=f"build {image.arn}", daemon=True).start()
    return build


class Build:
    """One run through the states of an image.

    Args:
        backend: Where the image is kept.
        image: The image; its body holds copies of all configurations.
        components: The recipe's components in order, build versions settled.
        stages: What the image runs through.
        source: What it starts from: an AMI id, a parameter, or the ARN of an image.
        captured: Where to go on; None starts from the source.
        ended: Hears how the build ended.
    """

    def __init__(
        self,
        backend: ImageBuilderBackend,
        image: Record,
        *,
        components: tuple[ComponentUse, ...],
        stages: Stages,
        source: str,
        captured: Captured | None = None,
        ended: Ended | None = None,
    ) -> None:
        self._captured = captured
        self._backend, self._image, self._source = backend, image, source
        self._components, self._stages, self._ended = components, stages, ended
        self._stopped, self._abandoned, self._finished = Event(), Event(), Event()
        self._session = Session(
            home=Place(region=backend.region_name, account=backend.account_id),
            stopped=self._stopped,
            role=role_arn(image.body.get("executionRole"), backend.account_id),
        )
        parsed = image.parsed
        group = (image.body.get("loggingConfiguration") or {}).get("logGroupName") or log_group(parsed.name)
        self._journal = Journal(self._session, group=group, stream=f"{parsed.version}/{parsed.build}")
        self._job: Job | None = None

    @property
    def image_arn(self) -> str:
        """ARN of the image."""
        return self._image.arn

    def again(self) -> Build:
        """Return a build that goes on where this one stopped."""
        captured = None if self._captured is None else replace(self._captured, again=True)
        return Build(
            self._backend,
            self._image,
            components=self._components,
            stages=self._stages,
            source=self._source,
            captured=captured,
            ended=self._ended_again,
        )

    def _ended_again(self, status: str) -> None:
        """Hear the end of a retry: a good one counts, a bad one is no failure of the schedule."""
        if self._ended is not None and status == "AVAILABLE":
            self._ended(status)

    def cancel(self) -> None:
        """Stop before the next call; what was launched is terminated, AMIs stay."""
        self._stopped.set()

    def abandon(self) -> None:
        """Stop because the sandbox was reset: nothing of the build exists any more, and nothing may come anew."""
        self._abandoned.set()
        self._stopped.set()

    @property
    def resting(self) -> bool:
        """Whether it waits for the clock, or for somebody."""
        return self._session.resting

    def settle(self, seconds: float) -> None:
        """Return when the build has ended, or waits for the clock or for somebody, or after ``seconds``."""
        deadline = time.monotonic() + seconds
        busy = time.monotonic()
        while not self._finished.wait(_SETTLE_SECONDS):
            now = time.monotonic()
            if not self._session.resting:
                busy = now
            if now - busy > _REST_SECONDS or now > deadline:
                return

    def run(self) -> None:
        """Walk all stages, and note how they ended; an image never stays in the middle of its build."""
        try:
            self._walk_and_end()
        except Exception as error:  # noqa: BLE001 - nobody reads a thread's errors
            reason = f"The sandbox itself failed: {type(error).__name__}: {error}"
            with self._backend.lock:
                self._backend.builds.pop(self._image.arn, None)
                self._image.body["state"] = {"status": "FAILED", "reason": reason[:_REASON_MAX]}
        finally:
            self._backend.active.pop(self._image.arn, None)
            self._finished.set()

    def _walk_and_end(self) -> None:
        try:
            self._walk()
        except StoppedError:
            self._end("CANCELLED", "The build was cancelled.", {})
        except WorkflowError as error:
            cause = error.cause
            more = {"distributionFailure": cause.context()} if isinstance(cause, distribute.DistributionError) else {}
            self._end("FAILED", str(error), {**error.run.failure(), **more})
        except StepError as error:
            self._end("FAILED", str(error), {})
        except Exception as error:  # noqa: BLE001 - a thread's error must show in the image, not on a terminal
            self._end("FAILED", f"The sandbox itself failed: {type(error).__name__}: {error}", {})
        else:
            self._end("AVAILABLE", "", {})

    def _walk(self) -> None:
        captured = self._captured or self._capture()
        self._captured = captured
        job = self._take_up(captured)
        tests = self._stages.tests
        if tests and not captured.tested:
            self._enter("TESTING")
            for group in tests:
                walk_group(job, group)
            if job.scan is not None and job.scan.on_demand:
                scans.scan_ami(job)
        self._captured = replace(captured, tested=True, outputs=dict(job.outputs))
        self._enter("DISTRIBUTING")
        walk(job, self._stages.distribution)
        self._store_log()

    def _capture(self) -> Captured:
        self._enter("CREATING")
        stamp = build_stamp()
        delivery = self._plan(stamp)
        if self._stages.build is None:
            source = amis.find_source(self._session, self._backend, self._source)
            return Captured(delivery=delivery, source=source, image_id=source["ImageId"], stamp=stamp)
        self._enter("BUILDING")
        source = amis.find_source(self._session, self._backend, self._source)
        job = self._take_up(Captured(delivery=delivery, source=source, image_id="", stamp=stamp))
        walk(job, self._stages.build)
        if not job.image_id:
            raise StepError(self._session.home, f"the workflow {self._stages.build.arn} made no AMI")
        return Captured(delivery=delivery, source=source, image_id=job.image_id, stamp=stamp, outputs=dict(job.outputs))

    def _take_up(self, captured: Captured) -> Job:
        self._job = Job(
            backend=self._backend,
            image=self._image,
            session=self._session,
            tell=self._tell,
            enter=self._enter,
            apply=self._apply,
            source=captured.source,
            delivery=captured.delivery,
            stamp=captured.stamp,
            image_id=captured.image_id,
            again=captured.again,
            outputs=dict(captured.outputs),
            scan=self._stages.scan,
        )
        return self._job

    def _plan(self, stamp: str) -> Delivery:
        parsed = self._image.parsed
        captured = self._stages.build is not None
        targets = (self._image.body.get("distributionConfiguration") or {}).get("distributions") or ()
        for target in targets:
            key = (target.get("amiDistributionConfiguration") or {}).get("kmsKeyId")
            if captured and key and target["region"] == self._session.home.region:
                self._tell(f"The key {key} encrypts copies only: the recipe decides how the AMI is encrypted here")
        recipe = self._image.body.get("imageRecipe") or {}
        return plan_delivery(
            targets,
            home=self._session.home,
            image=self._image.body["name"],
            image_arn=self._image.arn,
            recipe_tags=recipe.get("amiTags") or {},
            recipe_description=recipe.get("description") or "",
            stamp=stamp,
            build=parsed.build or 1,
            captured=captured,
        )

    def _store_log(self) -> None:
        infrastructure = self._image.body.get("infrastructureConfiguration") or {}
        logs = (infrastructure.get("logging") or {}).get("s3Logs") or {}
        if logs.get("s3BucketName"):
            parsed = self._image.parsed
            parts = (logs.get("s3KeyPrefix"), parsed.name, parsed.version, str(parsed.build), "console.log")
            self._journal.store(bucket=logs["s3BucketName"], key="/".join(part for part in parts if part))

    def _apply(self, phases: tuple[str, ...], instance_id: str) -> None:
        """Go through the documents: each phase of all components in the recipe's order, as the service does."""
        if MACHINES.asked:
            components.run(
                self._session, self._image, self._components, phases=phases, instance_id=instance_id, tell=self._tell
            )
            return
        for phase in phases:
            for component in self._components:
                for step in component.document.phases.get(phase, ()):
                    self._session.check()
                    self._tell(f"Component {component.arn}: phase {phase}, step {step.name} ({step.action}): completed")

    def _tell(self, text: str) -> None:
        self._journal.line(text)

    def _enter(self, status: str) -> None:
        self._session.pause(PACE.state)
        self._tell(f"State {status}")
        self._set({"status": status})
        if not self._abandoned.is_set():
            self._journal.flush()

    def _set(self, state: dict[str, Any]) -> None:
        with self._backend.lock:
            before = self._image.body["state"]["status"]
            self._image.body["state"] = state
            pipeline = self._pipeline()
            if pipeline is not None and pipeline.body.get("newestImage") == self._image.arn:
                pipeline.body["lastRunStatus"] = state["status"]
        if not self._abandoned.is_set():
            notices.publish_state(self._session, self._image.arn, before=before, after=state["status"])

    def _end(self, status: str, reason: str, context: dict[str, Any]) -> None:
        self._put_away()
        if self._abandoned.is_set():
            return
        state: dict[str, Any] = {"status": status}
        if reason:
            state["reason"] = reason[:_REASON_MAX]
        if status == "FAILED" and context:
            state["failureContext"] = {"imageStatus": self._image.body["state"]["status"], **context}
        self._tell(f"State {status}{f': {reason}' if reason else ''}")
        self._journal.flush()
        with self._backend.lock:
            self._backend.builds.pop(self._image.arn, None)
            if status != "AVAILABLE" and self._captured is not None:
                self._backend.halted[self._image.arn] = self
            if (self._image.body.get("scanState") or {}).get("status") in ("PENDING", "SCANNING", "COLLECTING"):
                self._image.body["scanState"] = {"status": "ABANDONED"}
        self._log_in_pipeline(status)
        if self._ended is not None:
            self._ended(status)
        self._set(state)
        notices.publish_end(self._session, self._image)

    def _pipeline(self) -> Record | None:
        return self._backend.own.get(self._image.body.get("sourcePipelineArn") or "")

    def _log_in_pipeline(self, status: str) -> None:
        """Write how the run ended into the log group of the pipeline, where it names one."""
        pipeline = self._pipeline()
        settings = {} if pipeline is None else pipeline.body.get("loggingConfiguration") or {}
        if settings.get("pipelineLogGroupName"):
            parsed = self._image.parsed
            journal = Journal(
                self._session, group=settings["pipelineLogGroupName"], stream=f"{parsed.version}/{parsed.build}"
            )
            journal.line(f"The execution that makes {self._image.arn} ended: {status}")
            journal.flush()

    def _put_away(self) -> None:
        """Terminate what still runs; what a failed build is to keep is not in the list any more."""
        for instance_id in list(self._job.instances if self._job is not None else ()):
            try:
                instances.terminate(self._session, instance_id)
            except StepError as error:
                self._tell(f"The instance {instance_id} was not terminated: {error}")
