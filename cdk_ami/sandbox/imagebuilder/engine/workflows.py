"""Keeps the record of what a workflow does, step by step, as the API shows it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final
from uuid import uuid4

from cdk_ami.sandbox.imagebuilder.engine.plan import WorkflowUse
from cdk_ami.sandbox.imagebuilder.models import Execution, ImageBuilderBackend
from cdk_ami.sandbox.imagebuilder.records import present, timestamp
from cdk_ami.sandbox.imagebuilder.workflow_documents import WorkflowStep

_MESSAGE_MAX: Final = 500


class Run:
    """One run of one workflow for one image.

    Attributes:
        failed_step: Name of the step that ended the run, or empty.
    """

    def __init__(self, backend: ImageBuilderBackend, *, image_arn: str, use: WorkflowUse) -> None:
        self.failed_step = ""
        self._backend = backend
        self._run = Execution(
            shown=present(
                {
                    "workflowBuildVersionArn": use.arn,
                    "workflowExecutionId": f"wf-{uuid4()}",
                    "imageBuildVersionArn": image_arn,
                    "type": use.kind,
                    "status": "RUNNING",
                    "totalStepCount": len(use.document.steps),
                    "totalStepsSucceeded": 0,
                    "totalStepsFailed": 0,
                    "totalStepsSkipped": 0,
                    "startTime": timestamp(),
                    "parallelGroup": use.group or None,
                }
            ),
            steps=[_shown(step) for step in use.document.steps],
        )
        with backend.lock:
            backend.executions[self.execution_id] = self._run

    @property
    def execution_id(self) -> str:
        """Id of the run, such as ``wf-...``."""
        return str(self._run.shown["workflowExecutionId"])

    @property
    def workflow_arn(self) -> str:
        """ARN of the workflow's build version."""
        return str(self._run.shown["workflowBuildVersionArn"])

    def step(self, name: str) -> dict[str, Any]:
        """Return the record of a step."""
        return next(step for step in self._run.steps if step["name"] == name)

    def begin(self, name: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Note that a step runs, and return its record."""
        found = self.step(name)
        with self._backend.lock:
            found.update(status="RUNNING", startTime=timestamp(), inputs=json.dumps(inputs, default=str))
        return found

    def finish(self, name: str, status: str, *, outputs: Mapping[str, Any] | None = None, message: str = "") -> None:
        """Note how a step ended."""
        found = self.step(name)
        with self._backend.lock:
            found.update(status=status, **({} if status == "SKIPPED" else {"endTime": timestamp()}))
            if outputs:
                found["outputs"] = json.dumps(outputs, default=str)
            if message:
                found["message"] = message[:_MESSAGE_MAX]
            self._count()

    def roll_back(self, name: str, status: str) -> None:
        """Note how the rollback of a step ended."""
        with self._backend.lock:
            self.step(name)["rollbackStatus"] = status

    def end(self, status: str) -> None:
        """Note how the run ended; steps that it has not reached are skipped, or cancelled with it."""
        with self._backend.lock:
            for step in self._run.steps:
                if step["status"] == "PENDING":
                    step["status"] = "CANCELLED" if status == "CANCELLED" else "SKIPPED"
            self._run.shown.update(status=status, endTime=timestamp())
            self._count()

    def failure(self) -> dict[str, Any]:
        """Return what the image's state tells about the step that failed."""
        context: dict[str, Any] = {"workflowExecutionId": self.execution_id, "workflowArn": self.workflow_arn}
        if self.failed_step:
            step = self.step(self.failed_step)
            context |= {"stepExecutionId": step["stepExecutionId"], "failedStep": step["name"]}
        return context

    def _count(self) -> None:
        steps = self._run.steps
        self._run.shown.update(
            totalStepsSucceeded=sum(step["status"] == "COMPLETED" for step in steps),
            totalStepsFailed=sum(step["status"] == "FAILED" for step in steps),
            totalStepsSkipped=sum(step["status"] == "SKIPPED" for step in steps),
        )


def _shown(step: WorkflowStep) -> dict[str, Any]:
    return present(
        {
            "stepExecutionId": f"step-{uuid4()}",
            "name": step.name,
            "description": step.description[:_MESSAGE_MAX] or None,
            "action": step.action,
            "status": "PENDING",
            "onFailure": "Continue" if step.goes_on else "Abort",
            "timeoutSeconds": min(step.timeout, _TIMEOUT_SHOWN_MAX),
            "attemptNumber": 1,
            "maxAttempts": 1,
        }
    )


_TIMEOUT_SHOWN_MAX: Final = 43200
"""Largest number that the API's model lets GetWorkflowStepExecution show."""
