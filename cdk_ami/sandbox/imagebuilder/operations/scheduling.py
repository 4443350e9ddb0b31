"""Pipelines on the clock: when they run by themselves, whether there is anything new, and when they are given up.

https://docs.aws.amazon.com/imagebuilder/latest/APIReference/API_Schedule.html, read 2026-11-28
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from threading import Event
from typing import Any, Final

from cdk_ami.sandbox.clock import CLOCK
from cdk_ami.sandbox.imagebuilder import schedules
from cdk_ami.sandbox.imagebuilder.engine import amis, notices
from cdk_ami.sandbox.imagebuilder.engine.plan import Place
from cdk_ami.sandbox.imagebuilder.engine.session import Session, StepError
from cdk_ami.sandbox.imagebuilder.errors import ImageBuilderError
from cdk_ami.sandbox.imagebuilder.models import ImageBuilderBackend
from cdk_ami.sandbox.imagebuilder.operations.images import Order, start_image
from cdk_ami.sandbox.imagebuilder.records import Record

FAILURES: Final = 5
"""Scheduled builds that fail one after the other before a pipeline is disabled that says no number.
https://docs.aws.amazon.com/imagebuilder/latest/APIReference/API_AutoDisablePolicy.html"""

DEPENDENCIES: Final = "EXPRESSION_MATCH_AND_DEPENDENCY_UPDATES_AVAILABLE"
_PATIENCE_SECONDS: Final = 120.0
_LOG: Final = logging.getLogger("cdk_ami.sandbox")


def plan_pipeline(backend: ImageBuilderBackend, pipeline: Record, *, anchor: datetime | None = None) -> None:
    """Let an enabled pipeline run when its schedule says next; end the plans of another.

    Args:
        backend: Where the pipeline is kept.
        pipeline: The pipeline.
        anchor: When its rate began to count; None is now.
    """
    forget_pipeline(backend, pipeline.arn)
    pipeline.body.pop("dateNextRun", None)
    schedule = pipeline.body.get("schedule")
    if schedule is None or pipeline.body["status"] != "ENABLED":
        return
    now = CLOCK.now()
    began = anchor or now
    due = schedules.next_after(schedule["scheduleExpression"], schedule["timezone"], now, anchor=began)
    if due is None:
        return
    pipeline.body["dateNextRun"] = due.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    backend.planned[pipeline.arn] = CLOCK.at(due, lambda: _run(backend, pipeline, began))


def forget_pipeline(backend: ImageBuilderBackend, arn: str) -> None:
    """End the plans of a pipeline."""
    if (planned := backend.planned.pop(arn, None)) is not None:
        planned.cancel()


def _run(backend: ImageBuilderBackend, pipeline: Record, anchor: datetime) -> None:
    """Build if there is something to build, and wait, so that the next time comes after the outcome of this one."""
    with backend.lock:
        if backend.own.get(pipeline.arn) is not pipeline or pipeline.body["status"] != "ENABLED":
            return
    found = dependencies(backend, pipeline)
    schedule = pipeline.body["schedule"]
    if schedule["pipelineExecutionStartCondition"] != DEPENDENCIES or found != pipeline.body.get("dependencies"):
        _build(backend, pipeline)
    with backend.lock:
        if backend.own.get(pipeline.arn) is pipeline:
            plan_pipeline(backend, pipeline, anchor=anchor)


def _build(backend: ImageBuilderBackend, pipeline: Record) -> None:
    tags = dict(pipeline.body.get("imageTags") or {})
    try:
        with backend.lock:
            build = start_image(
                backend,
                settings_of(pipeline),
                Order(pipeline=pipeline, tags=tags, scheduled=True, ended=ending(backend, pipeline, scheduled=True)),
            )
    except ImageBuilderError as error:
        # What the pipeline names has been deleted since.
        _LOG.info("the scheduled build of %s did not start: %s", pipeline.arn, error)
        return
    build.settle(_PATIENCE_SECONDS)


def settings_of(pipeline: Record) -> dict[str, Any]:
    """Return the settings of a pipeline as those of an image."""
    settings = dict(pipeline.body)
    group = (settings.pop("loggingConfiguration", None) or {}).get("imageLogGroupName")
    return {**settings, "loggingConfiguration": {"logGroupName": group}} if group else settings


def ending(backend: ImageBuilderBackend, pipeline: Record, *, scheduled: bool) -> Any:
    """Return what notes the end of a build in its pipeline.

    Failures of scheduled builds count, any success ends the count, and a pipeline that fails too often is disabled.
    """
    # What a build starts from is what was there when it began.
    found = dependencies(backend, pipeline)

    def ended(status: str) -> None:
        with backend.lock:
            body = pipeline.body
            if status == "AVAILABLE":
                body.update(consecutiveFailures=0, dependencies=found)
            elif status == "FAILED" and scheduled:
                body["consecutiveFailures"] = int(body.get("consecutiveFailures") or 0) + 1
            failures, most = int(body.get("consecutiveFailures") or 0), _most(body)
            disable = scheduled and status == "FAILED" and failures >= most and body["status"] == "ENABLED"
            if disable:
                body["status"] = "DISABLED"
                body.pop("dateNextRun", None)
                forget_pipeline(backend, pipeline.arn)
        if disable:
            notices.publish_disabled(_session(backend), pipeline.arn, failures)

    return ended


def _most(body: Mapping[str, Any]) -> int:
    policy = (body.get("schedule") or {}).get("autoDisablePolicy") or {}
    return int(policy.get("failureCount") or FAILURES)


def dependencies(backend: ImageBuilderBackend, pipeline: Record) -> list[str]:
    """Return what a build would start from now: the AMI of the parent image, and the build of each component."""
    with backend.lock:
        recipe = backend.resolve(pipeline.body["imageRecipeArn"])
        if recipe is None:
            return []
        found = [backend.resolve(used["componentArn"]) for used in recipe.body.get("components") or ()]
        components = [record.arn for record in found if record is not None]
    try:
        parent = amis.source_id(_session(backend), backend, recipe.body["parentImage"])
    except StepError:
        parent = ""
    return [parent, *components]


def _session(backend: ImageBuilderBackend) -> Session:
    return Session(home=Place(region=backend.region_name, account=backend.account_id), stopped=Event())
