"""Keeps the record of what a managed workflow does, step by step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from cdk_ami.sandbox.imagebuilder import managed
from cdk_ami.sandbox.imagebuilder.engine.session import StoppedError
from cdk_ami.sandbox.imagebuilder.models import Execution, ImageBuilderBackend
from cdk_ami.sandbox.imagebuilder.records import timestamp


class Workflow:
    """One run of a managed workflow for one image.

    Attributes:
        failed_step: Name of the step that failed, or empty.
    """

    def __init__(self, backend: ImageBuilderBackend, *, image_arn: str, name: str) -> None:
        kind = next(found for found in managed.WORKFLOWS if found.endswith(f"/{name}"))
        self.failed_step = ""
        self._backend = backend
        self._run = Execution(
            shown={
                "workflowBuildVersionArn": managed.workflow_arn(backend.region_name, kind),
                "workflowExecutionId": f"wf-{uuid4()}",
                "imageBuildVersionArn": image_arn,
                "type": kind.split("/")[1].upper(),
                "status": "RUNNING",
                "totalStepCount": len(managed.WORKFLOWS[kind]),
                "totalStepsSucceeded": 0,
                "totalStepsFailed": 0,
                "totalStepsSkipped": 0,
                "startTime": timestamp(),
            },
            steps=[
                {"stepExecutionId": f"step-{uuid4()}", "name": step, "action": action, "status": "PENDING"}
                for step, action in managed.WORKFLOWS[kind]
            ],
        )
        with backend.lock:
            backend.executions[self._run.shown["workflowExecutionId"]] = self._run

    @contextmanager
    def running(self) -> Iterator[None]:
        """Mark the run by the way its body ends."""
        try:
            yield
        except StoppedError:
            self._end("CANCELLED", "CANCELLED")
            raise
        except Exception:
            self._end("FAILED", "SKIPPED")
            raise
        self._end("COMPLETED", "SKIPPED")

    @contextmanager
    def step(self, name: str) -> Iterator[dict[str, Any]]:
        """Mark a step by the way its body ends; the body may add to the step it is given."""
        found = next(step for step in self._run.steps if step["name"] == name)
        found.update(status="RUNNING", startTime=timestamp())
        try:
            yield found
        except StoppedError:
            found.update(status="CANCELLED", endTime=timestamp())
            raise
        except Exception as error:
            self.failed_step = name
            found.update(status="FAILED", endTime=timestamp(), message=str(error)[:500])
            raise
        found.update(status="COMPLETED", endTime=timestamp())

    def failure(self) -> dict[str, Any]:
        """Return what the image's state tells about the step that failed."""
        step = next((step for step in self._run.steps if step["name"] == self.failed_step), None)
        context: dict[str, Any] = {
            "workflowExecutionId": self._run.shown["workflowExecutionId"],
            "workflowArn": self._run.shown["workflowBuildVersionArn"],
        }
        if step is not None:
            context |= {"stepExecutionId": step["stepExecutionId"], "failedStep": step["name"]}
        return context

    def _end(self, status: str, rest: str) -> None:
        steps = self._run.steps
        with self._backend.lock:
            for step in steps:
                if step["status"] == "PENDING":
                    step["status"] = rest
            count = {name: sum(step["status"] == name for step in steps) for name in ("COMPLETED", "FAILED", "SKIPPED")}
            self._run.shown.update(
                status=status,
                endTime=timestamp(),
                totalStepsSucceeded=count["COMPLETED"],
                totalStepsFailed=count["FAILED"],
                totalStepsSkipped=count["SKIPPED"],
            )
