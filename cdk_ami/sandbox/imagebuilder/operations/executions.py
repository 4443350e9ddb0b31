"""What the workflows of a build did, step by step."""

from __future__ import annotations

from typing import Any, Final

from cdk_ami.sandbox.imagebuilder.errors import ImageBuilderError, invalid_value
from cdk_ami.sandbox.imagebuilder.models import Execution, ImageBuilderBackend
from cdk_ami.sandbox.imagebuilder.operations.common import Operation, paged


def list_workflow_executions(backend: ImageBuilderBackend, request: dict[str, Any]) -> dict[str, Any]:
    """List the workflow runs of an image, newest first."""
    image = backend.get(request["imageBuildVersionArn"]).arn
    found = [run.shown for run in backend.executions.values() if run.shown["imageBuildVersionArn"] == image]
    return {**paged(request, "workflowExecutions", found[::-1]), "imageBuildVersionArn": image}


def get_workflow_execution(backend: ImageBuilderBackend, request: dict[str, Any]) -> dict[str, Any]:
    """Answer with one workflow run."""
    return dict(_execution(backend, request["workflowExecutionId"]).shown)


def list_workflow_step_executions(backend: ImageBuilderBackend, request: dict[str, Any]) -> dict[str, Any]:
    """List the steps of a workflow run in their order."""
    run = _execution(backend, request["workflowExecutionId"])
    head = {
        name: run.shown[name] for name in ("workflowBuildVersionArn", "workflowExecutionId", "imageBuildVersionArn")
    }
    return {**paged(request, "steps", run.steps), **head}


def get_workflow_step_execution(backend: ImageBuilderBackend, request: dict[str, Any]) -> dict[str, Any]:
    """Answer with one step."""
    for run in backend.executions.values():
        for step in run.steps:
            if step["stepExecutionId"] == request["stepExecutionId"]:
                return {**run.shown, **step}
    raise _missing("step execution", request["stepExecutionId"])


def list_waiting_workflow_steps(backend: ImageBuilderBackend, request: dict[str, Any]) -> dict[str, Any]:
    """List the steps of the account that wait for an answer, oldest first."""
    return paged(request, "steps", [waiting.shown for waiting in backend.waiting.values()])


def send_workflow_step_action(backend: ImageBuilderBackend, request: dict[str, Any]) -> dict[str, Any]:
    """Answer a step that waits."""
    step_id, image = request["stepExecutionId"], request["imageBuildVersionArn"]
    if not any(step["stepExecutionId"] == step_id for run in backend.executions.values() for step in run.steps):
        raise _missing("step execution", step_id)
    waiting = backend.waiting.get(step_id)
    if waiting is None or waiting.answered.is_set():
        raise ImageBuilderError(
            "InvalidRequestException", f"The step execution '{step_id}' does not wait for an action."
        )
    if waiting.shown["imageBuildVersionArn"] != image:
        raise invalid_value("imageBuildVersionArn", f"The step execution '{step_id}' is not of the image '{image}'.")
    waiting.action, waiting.reason = request["action"], request.get("reason") or ""
    waiting.answered.set()
    return {"stepExecutionId": step_id, "imageBuildVersionArn": image}


def _execution(backend: ImageBuilderBackend, execution_id: str) -> Execution:
    found = backend.executions.get(execution_id)
    if found is None:
        raise _missing("workflow execution", execution_id)
    return found


def _missing(kind: str, name: str) -> ImageBuilderError:
    return ImageBuilderError("ResourceNotFoundException", f"The {kind} '{name}' cannot be found.")


OPERATIONS: Final[dict[str, Operation]] = {
    "ListWorkflowExecutions": list_workflow_executions,
    "GetWorkflowExecution": get_workflow_execution,
    "ListWorkflowStepExecutions": list_workflow_step_executions,
    "GetWorkflowStepExecution": get_workflow_step_execution,
    "ListWaitingWorkflowSteps": list_waiting_workflow_steps,
    "SendWorkflowStepAction": send_workflow_step_action,
}
