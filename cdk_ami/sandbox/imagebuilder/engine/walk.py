"""Walks through the steps of a workflow."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from cdk_ami.sandbox.imagebuilder import variables
from cdk_ami.sandbox.imagebuilder.engine import instances
from cdk_ami.sandbox.imagebuilder.engine.actions import ACTIONS, Call, SkippedError
from cdk_ami.sandbox.imagebuilder.engine.job import Job
from cdk_ami.sandbox.imagebuilder.engine.plan import WorkflowUse
from cdk_ami.sandbox.imagebuilder.engine.session import StepError, StoppedError
from cdk_ami.sandbox.imagebuilder.engine.workflows import Run
from cdk_ami.sandbox.imagebuilder.workflow_documents import WorkflowStep

AT_ONCE: Final = 5
"""Tests of one group that run at the same time.
https://docs.aws.amazon.com/imagebuilder/latest/APIReference/API_WorkflowConfiguration.html, read 2026-11-28"""


class WorkflowError(StepError):
    """A workflow that failed.

    Args:
        run: Its record, which tells the step.
        cause: What went wrong in the step.
    """

    def __init__(self, run: Run, cause: StepError) -> None:
        RuntimeError.__init__(self, f"The step {run.failed_step} failed: {cause}")
        self.place, self.run, self.cause = cause.place, run, cause


def walk(job: Job, use: WorkflowUse) -> None:
    """Run a workflow to its end.

    Raises:
        StoppedError: When the build was stopped.
        WorkflowError: When a step fails whose failure ends the workflow.
    """
    _Walk(job, use).go()


def walk_group(job: Job, uses: tuple[WorkflowUse, ...]) -> None:
    """Run the test workflows of a group, some at the same time.

    Raises:
        StoppedError: When the build was stopped.
        WorkflowError: When one fails that must not; the others come to their ends before.
    """
    if len(uses) == 1:
        _test(job, uses[0])
        return
    with ThreadPoolExecutor(max_workers=AT_ONCE, thread_name_prefix="tests") as pool:
        started = [pool.submit(_test, job, use) for use in uses]
    failures = [error for future in started if (error := future.exception()) is not None]
    if failures:
        raise next((error for error in failures if isinstance(error, StoppedError)), failures[0])


def _test(job: Job, use: WorkflowUse) -> None:
    try:
        walk(job, use)
    except WorkflowError as error:
        if not use.goes_on:
            raise
        job.tell(f"The workflow {use.arn} failed, and the image goes on: {error}")


class _Walk:
    """One run."""

    def __init__(self, job: Job, use: WorkflowUse) -> None:
        self._job, self._use = job, use
        self._run = Run(job.backend, image_arn=job.image.arn, use=use)
        self._launched: dict[str, WorkflowStep] = {}
        self._known: dict[str, Any] = {
            "parameters": use.parameters,
            "stepOutputs": {},
            "workflowOutputs": job.outputs,
            "imagebuilder": job.variables(use.kind),
        }

    def go(self) -> None:
        try:
            for step in self._use.document.steps:
                self._step(step)
            self._tell_later()
        except StoppedError:
            self._run.end("CANCELLED")
            raise
        except StepError as error:
            self._roll_back()
            self._run.end("FAILED")
            raise WorkflowError(self._run, error) from error
        except Exception:
            self._run.end("FAILED")
            raise
        self._put_away()
        self._run.end("COMPLETED")

    def _step(self, step: WorkflowStep) -> None:
        self._job.session.check()
        try:
            if step.condition is not None and not step.condition.holds(self._known):
                self._run.finish(step.name, "SKIPPED")
                return
            inputs = variables.filled(step.inputs, self._known)
            outputs = self._perform(step, inputs)
        except StoppedError:
            self._run.finish(step.name, "CANCELLED")
            raise
        except SkippedError as error:
            self._run.finish(step.name, "SKIPPED", message=str(error))
        except variables.VariableError as error:
            self._fail(step, StepError(self._job.session.home, str(error)))
        except StepError as error:
            self._fail(step, error)
        except Exception as error:
            # A fault of the sandbox itself: the record tells the step, the image tells the fault.
            self._run.failed_step = step.name
            self._run.finish(step.name, "FAILED", message=str(error))
            raise
        else:
            self._known["stepOutputs"][step.name] = outputs
            self._run.finish(step.name, "COMPLETED", outputs=outputs)

    def _perform(self, step: WorkflowStep, inputs: Mapping[str, Any]) -> dict[str, Any]:
        self._run.begin(step.name, inputs)
        call = Call(use=self._use, step=step, inputs=inputs, run=self._run, launched=self._launched)
        return ACTIONS[step.action](self._job, call)

    def _fail(self, step: WorkflowStep, error: StepError) -> None:
        self._run.finish(step.name, "FAILED", outputs={"error": str(error)}, message=str(error))
        if step.goes_on:
            self._job.tell(f"The step {step.name} failed, and the workflow goes on: {error}")
            return
        self._run.failed_step = step.name
        raise error

    def _tell_later(self) -> None:
        for name, value in self._use.document.outputs.items():
            try:
                self._job.outputs[name] = variables.read(value, self._known)
            except variables.VariableError as error:
                raise StepError(self._job.session.home, f"the output {name}: {error}") from error

    def _roll_back(self) -> None:
        """Put away what the steps launched, but for what is to be kept for a look."""
        keep = self._job.infrastructure.get("terminateInstanceOnFailure") is False
        for instance_id, step in reversed(self._launched.items()):
            if keep or not variables.read(step.rollback, self._known):
                self._forget(instance_id)
                self._run.roll_back(step.name, "SKIPPED")
            else:
                self._run.roll_back(step.name, "COMPLETED" if self._terminate(instance_id) else "FAILED")

    def _put_away(self) -> None:
        """Terminate what the document has left running, unless the infrastructure says that it stays."""
        keep = self._job.infrastructure.get("terminateInstanceOnCompletion") is False
        for instance_id in list(self._launched):
            if keep or instance_id not in self._job.instances:
                self._forget(instance_id)
            else:
                self._terminate(instance_id)

    def _terminate(self, instance_id: str) -> bool:
        if instance_id not in self._job.instances:
            return True
        self._forget(instance_id)
        try:
            instances.terminate(self._job.session, instance_id)
        except StepError as error:
            self._job.tell(f"The instance {instance_id} was not terminated: {error}")
            return False
        return True

    def _forget(self, instance_id: str) -> None:
        if instance_id in self._job.instances:
            self._job.instances.remove(instance_id)
