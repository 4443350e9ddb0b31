"""A build: the stages of one image, walked in a thread of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from threading import Event, Thread
from typing import Any, Final

from cdk_ami.naming import log_group
from cdk_ami.sandbox.imagebuilder.documents import COMPONENT_PHASES
from cdk_ami.sandbox.imagebuilder.engine import amis, distribute, instances, notices
from cdk_ami.sandbox.imagebuilder.engine.journal import Journal
from cdk_ami.sandbox.imagebuilder.engine.plan import (
    ComponentUse,
    Delivery,
    Place,
    Stages,
    block_devices,
    build_stamp,
    plan_delivery,
)
from cdk_ami.sandbox.imagebuilder.engine.session import Session, StepError, StoppedError
from cdk_ami.sandbox.imagebuilder.engine.workflows import Workflow
from cdk_ami.sandbox.imagebuilder.models import ImageBuilderBackend
from cdk_ami.sandbox.imagebuilder.records import Record, timestamp
from cdk_ami.sandbox.pace import PACE

_REASON_MAX: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Captured:
    """How far a build has come that has its AMI: the point from which it can go on.

    Attributes:
        delivery: Where the AMI goes.
        image_id: The AMI.
        architecture: Its architecture.
        tested: Whether the tests have passed.
        again: Whether an earlier run stopped here, so that some copies may exist.
    """

    delivery: Delivery
    image_id: str
    architecture: str
    tested: bool = False
    again: bool = False


def start(backend: ImageBuilderBackend, image: Record, *, components: tuple[ComponentUse, ...], stages: Stages) -> None:
    """Start the build of an image and return at once."""
    _run(backend, image, Build(backend, image, components=components, stages=stages))


def retry(backend: ImageBuilderBackend, image: Record) -> None:
    """Go on with a halted build where it stopped, and return at once."""
    for run in backend.executions.values():
        if run.shown["imageBuildVersionArn"] == image.arn and run.shown["status"] != "COMPLETED":
            run.shown["retried"] = True
    image.body["state"] = {"status": "PENDING"}
    _run(backend, image, backend.halted.pop(image.arn).again())


def _run(backend: ImageBuilderBackend, image: Record, build: Build) -> None:
    backend.builds[image.arn] = build
    Thread(target=build.run, name=f"build {image.arn}", daemon=True).start()


class Build:
    """One run through the states of an image.

    Args:
        backend: Where the image is kept.
        image: The image; its body holds copies of all configurations.
        components: The recipe's components in order, build versions settled.
        stages: Which workflows run.
        captured: Where to go on; None starts from the parent image.
    """

    def __init__(
        self,
        backend: ImageBuilderBackend,
        image: Record,
        *,
        components: tuple[ComponentUse, ...],
        stages: Stages,
        captured: Captured | None = None,
    ) -> None:
        self._captured = captured
        self._backend, self._image = backend, image
        self._components, self._stages = components, stages
        self._stopped, self._abandoned = Event(), Event()
        self._session = Session(
            home=Place(region=backend.region_name, account=backend.account_id), stopped=self._stopped
        )
        parsed = image.parsed
        group = (image.body.get("loggingConfiguration") or {}).get("logGroupName") or log_group(parsed.name)
        self._journal = Journal(self._session, group=group, stream=f"{parsed.version}/{parsed.build}")
        self._instances: list[str] = []
        self._workflow: Workflow | None = None

    def again(self) -> Build:
        """Return a build that goes on where this one stopped."""
        captured = None if self._captured is None else replace(self._captured, again=True)
        return Build(self._backend, self._image, components=self._components, stages=self._stages, captured=captured)

    def cancel(self) -> None:
        """Stop before the next call; what was launched is terminated, AMIs stay."""
        self._stopped.set()

    def abandon(self) -> None:
        """Stop because the sandbox was reset: nothing of the build exists any more, and nothing may come anew."""
        self._abandoned.set()
        self._stopped.set()

    def run(self) -> None:
        """Walk all stages, and note how they ended; an image never stays in the middle of its build."""
        try:
            self._walk_and_end()
        except Exception as error:  # noqa: BLE001 - nobody reads a thread's errors
            reason = f"The sandbox itself failed: {type(error).__name__}: {error}"
            with self._backend.lock:
                self._backend.builds.pop(self._image.arn, None)
                self._image.body["state"] = {"status": "FAILED", "reason": reason[:_REASON_MAX]}

    def _walk_and_end(self) -> None:
        try:
            self._walk()
        except StoppedError:
            self._end("CANCELLED", "The build was cancelled.", {})
        except distribute.DistributionError as error:
            self._end("FAILED", str(error), {"distributionFailure": error.context()})
        except StepError as error:
            self._end("FAILED", str(error), {})
        except Exception as error:  # noqa: BLE001 - a thread's error must show in the image, not on a terminal
            self._end("FAILED", f"The sandbox itself failed: {type(error).__name__}: {error}", {})
        else:
            self._end("AVAILABLE", "", {})

    def _walk(self) -> None:
        captured = self._captured or self._capture()
        self._captured = captured
        if self._stages.test and not captured.tested:
            self._enter("TESTING")
            self._test(captured.image_id, captured.architecture)
            self._captured = replace(captured, tested=True)
        self._enter("DISTRIBUTING")
        self._distribute(captured)

    def _capture(self) -> Captured:
        self._enter("CREATING")
        recipe = self._image.body["imageRecipe"]
        delivery = self._plan(recipe)
        self._enter("BUILDING")
        source = amis.find_source(self._session, self._backend, recipe["parentImage"])
        image_id = self._build(source, delivery)
        return Captured(delivery=delivery, image_id=image_id, architecture=source["Architecture"])

    def _plan(self, recipe: dict[str, Any]) -> Delivery:
        parsed = self._image.parsed
        targets = (self._image.body.get("distributionConfiguration") or {}).get("distributions") or ()
        for target in targets:
            key = (target.get("amiDistributionConfiguration") or {}).get("kmsKeyId")
            if key and target["region"] == self._session.home.region:
                self._tell(f"The key {key} encrypts copies only: the recipe decides how the AMI is encrypted here")
        return plan_delivery(
            targets,
            home=self._session.home,
            image=self._image.body["name"],
            image_arn=self._image.arn,
            recipe_tags=recipe.get("amiTags") or {},
            stamp=build_stamp(),
            build=parsed.build or 1,
        )

    def _build(self, source: dict[str, Any], delivery: Delivery) -> str:
        recipe, infrastructure = self._image.body["imageRecipe"], self._image.body["infrastructureConfiguration"]
        workflow = self._run_of("build-image")
        with workflow.running():
            with workflow.step("LaunchBuildInstance") as step:
                more = recipe.get("additionalInstanceConfiguration") or {}
                instance_id = instances.launch(
                    self._session,
                    image_id=source["ImageId"],
                    architecture=source["Architecture"],
                    title=f"Build instance for {self._image.body['name']}",
                    image_arn=self._image.arn,
                    infrastructure=infrastructure,
                    devices=block_devices(recipe.get("blockDeviceMappings") or ()),
                    user_data=more.get("userDataOverride"),
                )
                self._instances.append(instance_id)
                instances.wait_running(self._session, instance_id)
                step["outputs"] = f'{{"instanceId": "{instance_id}"}}'
                self._tell(f"Launched {instance_id} from {source['ImageId']}")
            with workflow.step("ApplyBuildComponents"):
                self._apply(COMPONENT_PHASES[:2])
            if self._image.body["enhancedImageMetadataEnabled"]:
                with workflow.step("InventoryCollection"):
                    self._tell("Collected no packages: nothing is installed in the sandbox")
            with workflow.step("RunSanitizeScript"):
                self._tell("Sanitized the instance")
            if self._image.body["platform"] == "Windows":
                with workflow.step("RunSysPrepScript"):
                    self._tell("Ran Sysprep")
            with workflow.step("CreateOutputAMI") as step:
                instances.stop(self._session, instance_id)
                image_id = amis.capture(self._session, instance_id, delivery.captured)
                step["outputs"] = f'{{"imageId": "{image_id}"}}'
                self._tell(f"Created the AMI {image_id} named {delivery.captured.name}")
            if infrastructure["terminateInstanceOnCompletion"]:
                with workflow.step("TerminateBuildInstance"):
                    self._terminate(instance_id)
            else:
                self._instances.remove(instance_id)
        return image_id

    def _test(self, image_id: str, architecture: str) -> None:
        infrastructure = self._image.body["infrastructureConfiguration"]
        workflow = self._run_of("test-image")
        with workflow.running():
            with workflow.step("LaunchTestInstance") as step:
                instance_id = instances.launch(
                    self._session,
                    image_id=image_id,
                    architecture=architecture,
                    title=f"Test instance for {self._image.body['name']}",
                    image_arn=self._image.arn,
                    infrastructure=infrastructure,
                )
                self._instances.append(instance_id)
                instances.wait_running(self._session, instance_id)
                step["outputs"] = f'{{"instanceId": "{instance_id}"}}'
                self._tell(f"Launched {instance_id} from {image_id}")
            with workflow.step("ApplyTestComponents"):
                self._apply(COMPONENT_PHASES[2:])
            with workflow.step("TerminateTestInstance"):
                self._terminate(instance_id)

    def _distribute(self, captured: Captured) -> None:
        delivery = captured.delivery
        workflow = self._run_of("distribute-image")
        with workflow.running(), workflow.step("DistributeImage"):
            done = distribute.copy_all(
                self._session, delivery, source_id=captured.image_id, again=captured.again, tell=self._tell
            )
            self._change(lambda body: body.update(outputResources={"amis": done.shown}))
            if done.failures:
                # A channel that moved while a Region is missing would start fleets that cannot be launched there.
                raise distribute.DistributionError(done)
            distribute.share(self._session, delivery, done)
            if delivery.templates or delivery.parameters:
                self._enter("INTEGRATING")
            for update in delivery.templates:
                number = distribute.update_template(self._session, update, done.ids[update.place])
                self._tell(f"Version {number} of {update.template_id} in {update.place} launches the AMI")
            for write in delivery.parameters:
                distribute.write_parameter(self._session, write, done.ids[write.place])
                self._tell(f"The parameter {write.name} in {write.place} holds {done.ids[write.place]}")
            self._store_log()

    def _store_log(self) -> None:
        logs = (self._image.body["infrastructureConfiguration"].get("logging") or {}).get("s3Logs") or {}
        if logs.get("s3BucketName"):
            parsed = self._image.parsed
            parts = (logs.get("s3KeyPrefix"), parsed.name, parsed.version, str(parsed.build), "console.log")
            self._journal.store(bucket=logs["s3BucketName"], key="/".join(part for part in parts if part))

    def _apply(self, phases: tuple[str, ...]) -> None:
        """Go through the documents: each phase of all components in the recipe's order, as the service does."""
        for phase in phases:
            for component in self._components:
                for step in component.document.phases.get(phase, ()):
                    self._session.check()
                    self._tell(f"Component {component.arn}: phase {phase}, step {step.name} ({step.action}): completed")

    def _run_of(self, name: str) -> Workflow:
        self._workflow = Workflow(self._backend, image_arn=self._image.arn, name=name)
        return self._workflow

    def _tell(self, text: str) -> None:
        self._journal.line(text)

    def _terminate(self, instance_id: str) -> None:
        instances.terminate(self._session, instance_id)
        self._instances.remove(instance_id)

    def _enter(self, status: str) -> None:
        self._session.pause(PACE.state)
        self._tell(f"State {status}")
        self._set({"status": status})
        if not self._abandoned.is_set():
            self._journal.flush()

    def _change(self, change: Callable[[dict[str, Any]], None]) -> None:
        with self._backend.lock:
            change(self._image.body)

    def _set(self, state: dict[str, Any]) -> None:
        before = self._image.body["state"]["status"]
        self._change(lambda body: body.update(state=state))
        if not self._abandoned.is_set():
            notices.publish_state(self._session, self._image.arn, before=before, after=state["status"])

    def _end(self, status: str, reason: str, context: dict[str, Any]) -> None:
        self._put_away(keep=status == "FAILED")
        if self._abandoned.is_set():
            return
        state: dict[str, Any] = {"status": status}
        if reason:
            state["reason"] = self._reason(status, reason)[:_REASON_MAX]
        if status == "FAILED" and self._workflow is not None:
            state["failureContext"] = {
                "imageStatus": self._image.body["state"]["status"],
                **self._workflow.failure(),
                **context,
            }
        self._tell(f"State {status}{f': {reason}' if reason else ''}")
        self._journal.flush()
        with self._backend.lock:
            self._backend.builds.pop(self._image.arn, None)
            if status != "AVAILABLE" and self._captured is not None:
                self._backend.halted[self._image.arn] = self
            self._note_in_pipeline(status)
        self._log_in_pipeline(status)
        self._set(state)
        notices.publish_end(self._session, self._image)

    def _reason(self, status: str, reason: str) -> str:
        if status != "FAILED" or self._workflow is None or not self._workflow.failed_step:
            return reason
        return f"The step {self._workflow.failed_step} failed: {reason}"

    def _note_in_pipeline(self, status: str) -> None:
        pipeline = self._backend.own.get(self._image.body.get("sourcePipelineArn") or "")
        if pipeline is not None:
            failures = int(pipeline.body.get("consecutiveFailures") or 0)
            pipeline.body.update(
                dateLastRun=timestamp(),
                lastRunStatus=status,
                consecutiveFailures=failures + 1 if status == "FAILED" else 0,
            )

    def _log_in_pipeline(self, status: str) -> None:
        """Write how the run ended into the log group of the pipeline, where it names one."""
        pipeline = self._backend.own.get(self._image.body.get("sourcePipelineArn") or "")
        settings = {} if pipeline is None else pipeline.body.get("loggingConfiguration") or {}
        if settings.get("pipelineLogGroupName"):
            parsed = self._image.parsed
            journal = Journal(
                self._session, group=settings["pipelineLogGroupName"], stream=f"{parsed.version}/{parsed.build}"
            )
            journal.line(f"The execution that makes {self._image.arn} ended: {status}")
            journal.flush()

    def _put_away(self, *, keep: bool) -> None:
        """Terminate what still runs, unless a failed build is to keep it for a look."""
        if keep and not self._image.body["infrastructureConfiguration"]["terminateInstanceOnFailure"]:
            return
        for instance_id in list(self._instances):
            try:
                self._terminate(instance_id)
            except StepError as error:
                self._tell(f"The instance {instance_id} was not terminated: {error}")
                self._instances.remove(instance_id)
