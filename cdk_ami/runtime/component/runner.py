"""Walks a document as the service does: phases in order, loops, conditions, time limits, retries, restarts.

https://docs.aws.amazon.com/imagebuilder/latest/userguide/toe-use-documents.html, read 2026-11-28
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping, Sequence
from threading import Event
from typing import Any, Final

from cdk_ami.checks.documents import as_text
from cdk_ami.recipe.document import Document, parse_document
from cdk_ami.runtime.component.actions import act
from cdk_ami.runtime.component.aws import Aws
from cdk_ami.runtime.component.call import ActionError, Call, Outputs, RebootError
from cdk_ami.runtime.component.conditions import ConditionError, Verdict, describe, verdict
from cdk_ami.runtime.component.expressions import Exchange, ExpressionError, Iteration, Scope
from cdk_ami.runtime.component.files import Files
from cdk_ami.runtime.component.loops import rounds
from cdk_ami.runtime.component.outcome import Listener, Outcome, Silence, Status, StepOutcome
from cdk_ami.runtime.component.place import Place, PlaceError
from cdk_ami.runtime.component.plan import Plan, plan
from cdk_ami.runtime.component.process import Limits, StepTimeoutError

DEFAULT_TIMEOUT_SECONDS: Final = 7200
"""Time of a step that names none.
https://docs.aws.amazon.com/imagebuilder/latest/userguide/toe-use-documents.html#document-schema"""

RESTARTS_MAX: Final = 15
"""Restarts after which a step fails: the Systems Manager agent hands a command no more often to the same script.
https://github.com/aws/amazon-ssm-agent/blob/mainline/README.md, ``CommandRetryLimit``"""

NESTING_MAX: Final = 3
"""Documents that may call one another.
https://docs.aws.amazon.com/imagebuilder/latest/userguide/toe-action-modules.html#action-modules-executedocument"""

Memory = dict[tuple[str, str], Exchange]
"""What steps took and left, by phase and name."""

LINES_KEPT: Final = 200
"""Lines of a step's output that its outcome holds."""


def run_document(
    document: Document,
    place: Place,
    *,
    aws: Aws,
    name: str = "",
    phases: Sequence[str] = (),
    parameters: Mapping[str, str] | None = None,
    listener: Listener | None = None,
    stopped: Event | None = None,
    memory: Memory | None = None,
) -> Outcome:
    """Run a document in a place that is ready, and return how it went.

    Args:
        document: The document.
        place: Where its steps run.
        aws: The AWS that its steps reach.
        name: What the run is called in errors and reports; empty takes the document's own name.
        phases: Phases to run; empty runs build, validate and test, as far as there are any.
        parameters: Values of parameters.
        listener: Told of the run while it goes on.
        stopped: Set when the run is to stop at once.
        memory: What earlier runs of the document took and left, for a document that runs phase by phase; added to.

    Raises:
        ConfigError: When the run cannot be; nothing has run then.
        RunStoppedError: When it was stopped.
    """
    called = name or document.name or "document"
    settled = plan(document, where=called, phases=phases, parameters=parameters)
    return _Run(
        settled, place, aws=aws, name=called, listener=listener or Silence(), stopped=stopped, memory=memory
    ).walk()


class _Run:
    """One walk through the phases of one document."""

    def __init__(
        self,
        settled: Plan,
        place: Place,
        *,
        aws: Aws,
        name: str,
        listener: Listener,
        stopped: Event | None,
        memory: Memory | None = None,
        depth: int = 1,
    ) -> None:
        self._plan, self._place, self._aws, self._name = settled, place, aws, name
        self._listener, self._stopped, self._depth = listener, stopped, depth
        self._exchanges: Memory = {} if memory is None else memory
        self._lines: deque[str] = deque(maxlen=LINES_KEPT)
        self._restarts = 0

    def walk(self) -> Outcome:
        """Run the phases until one has failed; a phase whose step said ``Continue`` is finished before."""
        started, done = time.monotonic(), list[StepOutcome]()
        failed = False
        for phase in self._plan.phases:
            aborted = failed
            for step in phase.steps:
                outcome = self._not_run(phase.name, step) if aborted else self._step(phase.name, step)
                self._listener.step_ended(outcome)
                done.append(outcome)
                if outcome.status is Status.FAILED:
                    failed = True
                    aborted = step.get("onFailure", "Abort") == "Abort"
        return Outcome(self._name, self._place.label, tuple(done), time.monotonic() - started)

    def _not_run(self, phase: str, step: Mapping[str, Any]) -> StepOutcome:
        return StepOutcome(
            phase, as_text(step["name"]), step["action"], Status.NOT_RUN, message="an earlier step failed"
        )

    def _step(self, phase: str, step: Mapping[str, Any]) -> StepOutcome:
        name, action = as_text(step["name"]), step["action"]
        started, self._restarts = time.monotonic(), 0
        self._lines.clear()
        self._listener.step_started(phase, name, action)
        most, attempts, message = int(step.get("maxAttempts", 1)), 0, ""
        outputs: Outputs | None = None
        try:
            if not self._is_due(step):
                elapsed = time.monotonic() - started
                return StepOutcome(phase, name, action, Status.SKIPPED, elapsed, message="its condition says so")
            while outputs is None:
                attempts += 1
                try:
                    outputs = self._attempt(phase, name, step)
                except ActionError as error:
                    if attempts == most:
                        raise
                    self._hear("note", f"attempt {attempts} of {most} failed: {error}")
        except (ActionError, ExpressionError, ConditionError, PlaceError) as error:
            message = str(error)
        status = Status.SUCCESS
        if outputs is None:
            status = Status.IGNORED if step.get("onFailure") == "Ignore" else Status.FAILED
        return StepOutcome(
            phase=phase,
            name=name,
            action=action,
            status=status,
            seconds=time.monotonic() - started,
            attempts=attempts,
            reboots=self._restarts,
            message=message,
            outputs=tuple(outputs or ()),
            lines=tuple(self._lines),
        )

    def _is_due(self, step: Mapping[str, Any]) -> bool:
        """Tell whether a step runs: its condition is evaluated once, whatever restarts and attempts come."""
        if "if" not in step:
            return True
        condition = self._scope().resolve(step["if"])
        try:
            found = verdict(condition, Files(self._call(None, Limits(self._deadline(step), self._stopped))))
        except StepTimeoutError as error:
            raise ActionError(_timed_out(step)) from error
        if found is Verdict.ABORT:
            raise ActionError(f"its condition says Abort: {describe(condition)}")
        return found is Verdict.EXECUTE

    def _attempt(self, phase: str, name: str, step: Mapping[str, Any]) -> Outputs:
        """Run a step once: all rounds of its loop within one time limit."""
        limits = Limits(self._deadline(step), self._stopped)
        left: list[Outputs] = []
        inputs: Any = None
        for iteration in rounds(step.get("loop"), self._scope()):
            inputs = self._scope(iteration).resolve(step.get("inputs"))
            try:
                left.append(self._once(step["action"], inputs, limits))
            except StepTimeoutError as error:
                raise ActionError(_timed_out(step)) from error
            except ActionError as error:
                raise (ActionError(f"round {iteration.index}: {error}") if iteration else error) from error
        outputs = left[0] if "loop" not in step and left else _joined(left)
        self._exchanges[phase, name] = Exchange(inputs=inputs, outputs=tuple(outputs))
        return outputs

    def _once(self, action: str, inputs: Any, limits: Limits) -> Outputs:
        """Do an action until it asks for no restart any more."""
        while True:
            try:
                return act(action, self._call(inputs, limits))
            except RebootError as asked:
                self._restarts += 1
                if self._restarts > RESTARTS_MAX:
                    raise ActionError(f"asked for more than {RESTARTS_MAX} restarts") from asked
                then = "the step runs again" if asked.again else "the next step goes on"
                self._hear("note", f"reboot: {self._place.label} restarts, and {then}")
                self._place.restart()
                if not asked.again:
                    return []

    def _call(self, inputs: Any, limits: Limits) -> Call:
        return Call(
            inputs=inputs,
            place=self._place,
            limits=limits,
            hear=self._hear,
            aws=self._aws,
            run_document=self._nested,
        )

    def _nested(self, text: str, phases: Sequence[str], parameters: Mapping[str, str], name: str) -> Outcome:
        if self._depth == NESTING_MAX:
            raise ActionError(f"{name} would be nested deeper than {NESTING_MAX} documents")
        document = parse_document(text, where=name)
        settled = plan(document, where=name, phases=phases or document.phases, parameters=parameters)
        return _Run(
            settled,
            self._place,
            aws=self._aws,
            name=name,
            listener=_Within(self._hear),
            stopped=self._stopped,
            depth=self._depth + 1,
        ).walk()

    def _hear(self, stream: str, text: str) -> None:
        self._lines.append(text)
        self._listener.line(stream, text)

    def _scope(self, iteration: Iteration | None = None) -> Scope:
        return Scope(
            variables=self._plan.variables,
            phases=self._plan.all_phases,
            steps=self._exchanges,
            inputs=self._plan.inputs,
            iteration=iteration,
        )

    def _deadline(self, step: Mapping[str, Any]) -> float | None:
        seconds = int(step.get("timeoutSeconds", DEFAULT_TIMEOUT_SECONDS))
        return None if seconds < 0 else time.monotonic() + seconds


class _Within:
    """A listener for a document within a step: everything is a line of that step."""

    def __init__(self, hear: Any) -> None:
        self.line = hear

    def step_started(self, phase: str, name: str, action: str) -> None:
        self.line("note", f"phase {phase}, step {name} ({action})")

    def step_ended(self, outcome: StepOutcome) -> None:
        self.line("note", f"step {outcome.name}: {outcome.status}{f': {outcome.message}' if outcome.message else ''}")


def _joined(left: Sequence[Outputs]) -> Outputs:
    """Return the outputs of all rounds as one: the values of a key joined by line breaks, as the service does."""
    joined: dict[str, list[str]] = {}
    for outputs in left:
        for output in outputs:
            for key, value in output.items():
                joined.setdefault(key, []).append(value)
    return [{key: "\n".join(values) for key, values in joined.items()}] if joined else []


def _timed_out(step: Mapping[str, Any]) -> str:
    seconds = step.get("timeoutSeconds", DEFAULT_TIMEOUT_SECONDS)
    return f"{'the loop' if 'loop' in step else 'it'} took longer than its {seconds} s, and was ended"
