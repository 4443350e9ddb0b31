"""What the step actions of workflows do.

https://docs.aws.amazon.com/imagebuilder/latest/userguide/wfdoc-step-actions.html, read 2026-11-28
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from threading import Event
from typing import Any, Final
from uuid import uuid4

from cdk_ami.sandbox.imagebuilder.documents import COMPONENT_PHASES
from cdk_ami.sandbox.imagebuilder.engine import amis, distribute, instances, notices, scans
from cdk_ami.sandbox.imagebuilder.engine.job import Job
from cdk_ami.sandbox.imagebuilder.engine.plan import (
    Configurations,
    Delivery,
    Place,
    WorkflowUse,
    block_devices,
    permissions_of,
    plan_delivery,
)
from cdk_ami.sandbox.imagebuilder.engine.session import StepError
from cdk_ami.sandbox.imagebuilder.engine.workflows import Run
from cdk_ami.sandbox.imagebuilder.models import WaitingStep
from cdk_ami.sandbox.imagebuilder.records import present, timestamp
from cdk_ami.sandbox.imagebuilder.workflow_documents import WorkflowStep

PAYLOAD_MAX: Final = 16 * 1024
"""Bytes of a payload or an input.
https://docs.aws.amazon.com/imagebuilder/latest/userguide/wfdoc-step-actions.html, read 2026-11-28"""

_BUILD_PHASES: Final = COMPONENT_PHASES[:2]
_TEST_PHASES: Final = COMPONENT_PHASES[2:]


class SkippedError(Exception):
    """A step that has nothing to do; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One step that runs.

    Attributes:
        use: The workflow.
        step: The step.
        inputs: Its inputs, all paths filled in.
        run: The record of the workflow's run.
        launched: Instances that this workflow launched, with the step that did.
    """

    use: WorkflowUse
    step: WorkflowStep
    inputs: Mapping[str, Any]
    run: Run
    launched: dict[str, WorkflowStep]

    def instance(self, job: Job) -> str:
        """Return the instance that the step is for: one that this workflow has launched."""
        instance_id = str(self.inputs["instanceId"])
        if instance_id not in self.launched:
            raise StepError(job.session.home, f"the instance {instance_id} was not launched by this workflow")
        return instance_id


def launch_instance(job: Job, call: Call) -> dict[str, Any]:
    """Launch an instance: from the source in a build, from the AMI later."""
    building = call.use.kind == "BUILD"
    image_id = call.inputs.get("imageIdOverride") or (job.source["ImageId"] if building else job.image_id)
    infrastructure = job.infrastructure
    if call.inputs.get("instanceTypesOverride"):
        infrastructure["instanceTypes"] = list(call.inputs["instanceTypesOverride"])
    more = job.recipe.get("additionalInstanceConfiguration") or {}
    instance_id = instances.launch(
        job.session,
        image_id=image_id,
        architecture=str(job.source["Architecture"]),
        title=f"{call.use.kind.capitalize()} instance for {job.image.body['name']}",
        image_arn=job.image.arn,
        infrastructure=infrastructure,
        devices=block_devices(job.recipe.get("blockDeviceMappings") or ()) if building else (),
        user_data=more.get("userDataOverride") if building else None,
    )
    job.instances.append(instance_id)
    call.launched[instance_id] = call.step
    instances.wait_running(job.session, instance_id)
    job.tell(f"Launched {instance_id} from {image_id}")
    return {"instanceId": instance_id, "instanceType": instances.type_of(job.session, instance_id)}


def execute_components(job: Job, call: Call) -> dict[str, Any]:
    """Run the components: their phases build and validate in a build, their phase test later."""
    instance_id = call.instance(job)
    job.apply(_BUILD_PHASES if call.use.kind == "BUILD" else _TEST_PHASES, instance_id)
    return _command()


def collect_metadata(job: Job, call: Call) -> dict[str, Any]:
    """Take the inventory of the instance."""
    call.instance(job)
    job.tell("Collected no packages: nothing is installed in the sandbox")
    return {"osVersion": job.image.body.get("osVersion") or job.image.body["platform"], "associationId": str(uuid4())}


def collect_findings(job: Job, call: Call) -> dict[str, Any]:
    """Collect what Amazon Inspector finds on the test instance."""
    instance_id = call.instance(job)
    if job.scan is None or job.scan.on_demand:
        raise SkippedError("The image is not scanned by its test instance.")
    scans.scan_instance(job, instance_id)
    return _command()


def sanitize(job: Job, call: Call) -> dict[str, Any]:
    """Clean the instance up."""
    call.instance(job)
    job.tell("Sanitized the instance")
    return _command()


def run_sysprep(job: Job, call: Call) -> dict[str, Any]:
    """Run Sysprep, on Windows."""
    call.instance(job)
    if job.image.body["platform"] != "Windows":
        raise StepError(job.session.home, f"Sysprep runs on Windows only, not on {job.image.body['platform']}")
    job.tell("Ran Sysprep")
    return _command()


def wait_for_agent(job: Job, call: Call) -> dict[str, Any]:
    """Wait until the instance can be reached, which is so as soon as it runs."""
    instances.wait_running(job.session, call.instance(job))
    return {"status": "Online"}


def run_command(job: Job, call: Call) -> dict[str, Any]:
    """Send a command document to the instance."""
    instance_id = call.instance(job)
    request = {"DocumentName": call.inputs["documentName"], "InstanceIds": [instance_id]}
    if call.inputs.get("parameters"):
        request["Parameters"] = call.inputs["parameters"]
    if call.inputs.get("documentVersion"):
        request["DocumentVersion"] = call.inputs["documentVersion"]
    command = job.session.call("ssm", "send_command", **request)["Command"]
    job.tell(f"Sent {call.inputs['documentName']} to {instance_id}")
    return {"runCommandId": command["CommandId"], "status": command["Status"], "output": []}


def create_image(job: Job, call: Call) -> dict[str, Any]:
    """Stop the instance and make the AMI of it."""
    instance_id = call.instance(job)
    captured = _captured(job)
    instances.stop(job.session, instance_id)
    image_id = amis.capture(job.session, instance_id, captured)
    job.tell(f"Created the AMI {image_id} named {captured.name}")
    _mark(job, image_id)
    if call.use.kind == "BUILD":
        job.image_id = image_id
    return {"imageId": image_id}


def register_image(job: Job, call: Call) -> dict[str, Any]:
    """Register an AMI from snapshots."""
    captured = _captured(job)
    tags = dict(captured.tags)
    if call.inputs.get("includeSnapshotTags"):
        tags = {**_snapshot_tags(job, call.inputs.get("blockDeviceMapping") or ()), **tags}
    request = {
        _REGISTER_NAMES.get(name, f"{name[0].upper()}{name[1:]}"): value
        for name, value in call.inputs.items()
        if name != "includeSnapshotTags"
    }
    image_id = amis.register(job.session, captured, tags, request)
    job.tell(f"Registered the AMI {image_id} named {captured.name}")
    _mark(job, image_id)
    if call.use.kind == "BUILD":
        job.image_id = image_id
    return {"imageId": image_id}


def _mark(job: Job, image_id: str) -> None:
    """Put the watermarks of the recipe on an AMI; its copies carry them too."""
    for name in job.recipe.get("amiWatermarks") or ():
        job.session.call("ec2", "attach_image_watermark", ImageId=image_id, WatermarkName=name)


_REGISTER_NAMES: Final = {"blockDeviceMapping": "BlockDeviceMappings"}


def _snapshot_tags(job: Job, mappings: Any) -> dict[str, str]:
    named = [mapping["Ebs"]["SnapshotId"] for mapping in mappings if (mapping.get("Ebs") or {}).get("SnapshotId")]
    if not named:
        return {}
    found = job.session.call("ec2", "describe_snapshots", SnapshotIds=named[:1])["Snapshots"][0]
    return {tag["Key"]: tag["Value"] for tag in found.get("Tags") or () if not tag["Key"].startswith("aws:")}


def _captured(job: Job) -> Any:
    captured = job.delivery.captured
    if captured is None:
        raise StepError(job.session.home, "an image that is only distributed makes no AMI")
    return captured


def terminate_instance(job: Job, call: Call) -> dict[str, Any]:
    """Terminate an instance, unless the infrastructure says that it stays."""
    if job.infrastructure.get("terminateInstanceOnCompletion") is False and call.use.kind == "BUILD":
        raise SkippedError("The infrastructure configuration keeps the instance on completion.")
    instance_id = str(call.inputs["instanceId"])
    instances.terminate(job.session, instance_id)
    if instance_id in job.instances:
        job.instances.remove(instance_id)
    return {}


def wait_for_action(job: Job, call: Call) -> dict[str, Any]:
    """Tell whoever is to decide, and wait for SendWorkflowStepAction."""
    record = call.run.step(call.step.name)
    payload = call.inputs.get("payload")
    if payload is not None:
        _checked_size(job, "payload", payload)
    waiting = WaitingStep(
        shown={
            "stepExecutionId": record["stepExecutionId"],
            "imageBuildVersionArn": job.image.arn,
            "workflowExecutionId": call.run.execution_id,
            "workflowBuildVersionArn": call.run.workflow_arn,
            "name": call.step.name,
            "action": call.step.action,
            "startTime": record["startTime"],
        },
        answered=Event(),
    )
    with job.backend.lock:
        job.backend.waiting[record["stepExecutionId"]] = waiting
    try:
        notices.publish_waiting(job.session, waiting.shown)
        message = notices.waiting_message(waiting.shown, payload)
        if call.inputs.get("snsTopicArn"):
            job.session.call("sns", "publish", TopicArn=call.inputs["snsTopicArn"], Message=message)
        if call.inputs.get("lambdaFunctionName"):
            name = call.inputs["lambdaFunctionName"]
            job.session.call("lambda", "invoke", FunctionName=name, InvocationType="Event", Payload=message.encode())
        job.tell(f"The step {call.step.name} waits for an action")
        job.session.wait_by_clock(waiting.answered.is_set, seconds=call.step.timeout, what="waiting for an action")
    finally:
        with job.backend.lock:
            job.backend.waiting.pop(record["stepExecutionId"], None)
    if waiting.action == "STOP":
        raise StepError(job.session.home, f"stopped by SendWorkflowStepAction: {waiting.reason or 'no reason given'}")
    return {"action": waiting.action, "reason": waiting.reason}


def execute_state_machine(job: Job, call: Call) -> dict[str, Any]:
    """Start an execution of a state machine and wait for its end."""
    text = call.inputs.get("input") or "{}"
    _checked_json(job, "input", text)
    started = job.session.call(
        "stepfunctions", "start_execution", stateMachineArn=call.inputs["stateMachineArn"], input=text
    )
    arn = started["executionArn"]
    last: dict[str, Any] = {}

    def done() -> bool:
        last.update(job.session.call("stepfunctions", "describe_execution", executionArn=arn))
        return str(last["status"]) != "RUNNING"

    job.session.wait_by_clock(done, seconds=call.step.timeout, what=f"the execution {arn}")
    if last["status"] != "SUCCEEDED":
        why = ": ".join(str(last[name]) for name in ("error", "cause") if last.get(name))
        raise StepError(job.session.home, f"the execution {arn} ended {last['status']}{f': {why}' if why else ''}")
    return {"executionArn": arn, "output": last.get("output", "")}


def _checked_size(job: Job, name: str, text: str) -> None:
    if len(text.encode()) > PAYLOAD_MAX:
        raise StepError(job.session.home, f"{name} is larger than {PAYLOAD_MAX} bytes")


def _checked_json(job: Job, name: str, text: str) -> None:
    _checked_size(job, name, text)
    try:
        json.loads(text)
    except ValueError as error:
        raise StepError(job.session.home, f"{name} is not JSON: {error}") from error


def distribute_image(job: Job, call: Call) -> dict[str, Any]:
    """Copy the AMI to Regions and accounts: those of the step, or else of the distribution configuration."""
    started = timestamp()
    delivery = _delivery(job, call.inputs.get("distributions"))
    done = distribute.copy_all(job.session, delivery, source_id=job.image_id, again=job.again, tell=job.tell)
    job.show(done)
    if done.failures:
        # A channel that moved while a Region is missing would start fleets that cannot be launched there.
        raise distribute.DistributionError(done)
    return {"distributedImages": [_outcome(ami, started) for ami in done.shown]}


def _delivery(job: Job, distributions: Any) -> Delivery:
    if distributions is None:
        return job.delivery
    targets = [
        {
            "region": one["region"],
            "amiDistributionConfiguration": {name: value for name, value in one.items() if name != "region"},
        }
        for one in distributions
    ]
    captured = job.delivery.captured
    planned = plan_delivery(
        targets,
        home=job.session.home,
        image=job.image.body["name"],
        image_arn=job.image.arn,
        recipe_tags=job.recipe.get("amiTags") or {},
        stamp=job.stamp,
        build=job.image.parsed.build or 1,
        captured=captured is not None,
    )
    # The captured AMI has had its name since the build.
    return planned if captured is None else Delivery(copies=(captured, *planned.copies[1:]))


def modify_attributes(job: Job, call: Call) -> dict[str, Any]:
    """Share the AMIs that were distributed."""
    started = timestamp()
    images = _images(call)
    given = call.inputs.get("attributes")
    for place, image_id in _places(images):
        if given is None:
            wanted = [copy.permissions for copy in job.delivery.copies if copy.place == place]
        else:
            wanted = [
                permissions_of(one.get("launchPermission") or {}, owner=place.account)
                for one in given
                if one["region"] == place.region
            ]
        permissions = [permission for some in wanted for permission in some]
        if permissions:
            distribute.share(job.session, place, image_id, permissions)
    return {"modifiedImages": [{**image, "dateStarted": started, "dateStopped": timestamp()} for image in images]}


def apply_configurations(job: Job, call: Call) -> dict[str, Any]:
    """Give launch templates a version with the AMIs, and write their ids into parameters."""
    started = timestamp()
    images = _images(call)
    ids = dict(_places(images))
    given = call.inputs.get("configurations")
    wanted = job.delivery.configurations if given is None else Configurations.of(given, job.session.home)
    for place in wanted.places:
        if place not in ids:
            raise StepError(place, "no AMI was distributed here")
    if wanted.places:
        job.enter("INTEGRATING")
    for update in wanted.templates:
        number = distribute.update_template(job.session, update, ids[update.place])
        job.tell(f"Version {number} of {update.template_id} in {update.place} launches the AMI")
    for fast in wanted.fast_launches:
        distribute.enable_fast_launch(job.session, fast, ids[fast.place])
        job.tell(f"Windows fast launch of {ids[fast.place]} in {fast.place} is being enabled")
    for write in wanted.parameters:
        distribute.write_parameter(job.session, write, ids[write.place])
        job.tell(f"The parameter {write.name} in {write.place} holds {ids[write.place]}")
    return {"configuredImages": [{**image, "dateStarted": started, "dateStopped": timestamp()} for image in images]}


def _images(call: Call) -> list[dict[str, Any]]:
    return [dict(image) for image in call.inputs["distributedImages"]]


def _places(images: list[dict[str, Any]]) -> Iterator[tuple[Place, str]]:
    return ((Place(region=image["region"], account=image["accountId"]), image["amiId"]) for image in images)


def _outcome(ami: Mapping[str, Any], started: str) -> dict[str, Any]:
    return present(
        {
            "region": ami["region"],
            "name": ami["name"],
            "amiId": ami.get("image"),
            "accountId": ami["accountId"],
            "dateStarted": started,
            "dateStopped": timestamp(),
            "status": "Completed",
            "step": "Completed",
        }
    )


def _command() -> dict[str, Any]:
    return {"runCommandId": str(uuid4()), "status": "Success", "output": ""}


ACTIONS: Final[Mapping[str, Callable[[Job, Call], dict[str, Any]]]] = {
    "ApplyImageConfigurations": apply_configurations,
    "CollectImageMetadata": collect_metadata,
    "CollectImageScanFindings": collect_findings,
    "CreateImage": create_image,
    "DistributeImage": distribute_image,
    "ExecuteComponents": execute_components,
    "ExecuteStateMachine": execute_state_machine,
    "LaunchInstance": launch_instance,
    "ModifyImageAttributes": modify_attributes,
    "RegisterImage": register_image,
    "RunCommand": run_command,
    "RunSysPrep": run_sysprep,
    "SanitizeInstance": sanitize,
    "TerminateInstance": terminate_instance,
    "WaitForAction": wait_for_action,
    "WaitForSSMAgent": wait_for_agent,
}
"""What each step action does."""
