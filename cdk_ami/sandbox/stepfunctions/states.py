"""Runs states, one after another, as the Amazon States Language says.

https://states-language.net/spec.html
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING, Any, Final

from cdk_ami.sandbox.clock import CLOCK
from cdk_ami.sandbox.stepfunctions import choices
from cdk_ami.sandbox.stepfunctions.errors import FailedError, StateError
from cdk_ami.sandbox.stepfunctions.payload import Scope, put
from cdk_ami.sandbox.stepfunctions.strand import Strand
from cdk_ami.sandbox.stepfunctions.tasks import perform

if TYPE_CHECKING:
    from cdk_ami.sandbox.stepfunctions.execution import Execution

MAX_BYTES: Final = 256 * 1024
"""How long an input or output may be.

https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html, read 2026-11-28
"""

INLINE_WIDTH: Final = 40
"""How many iterations of an inline map run at a time at most.

https://docs.aws.amazon.com/step-functions/latest/dg/state-map-inline.html
"""

_DEFAULT_ATTEMPTS: Final = 3


class Interpreter:
    """Runs the states of one execution.

    Args:
        execution: The execution.
    """

    def __init__(self, execution: Execution) -> None:
        self._execution = execution
        self._jitter = Random(execution.arn)  # noqa: S311 - no secret, and the same in every run

    def run(self, strand: Strand, machine: Mapping[str, Any], value: Any) -> Any:
        """Return the output of a machine, or of a branch, for an input.

        Raises:
            StateError: When it fails.
            HaltedError: When it was stopped.
        """
        name: str | None = machine["StartAt"]
        while name is not None:
            strand.check()
            value, name = self._state(strand, name, machine["States"][name], value)
        return value

    def _state(self, strand: Strand, name: str, state: Mapping[str, Any], value: Any) -> tuple[Any, str | None]:
        kind = state["Type"]
        strand.context["State"] = {"EnteredTime": _now(), "Name": name, "RetryCount": 0}
        strand.tell(f"{kind}StateEntered", name=name, input=json.dumps(value), inputDetails={"truncated": False})
        tries: dict[int, int] = {}
        while True:
            scope = Scope(value, strand.context)
            try:
                output, following = getattr(self, f"_{kind.lower()}")(strand, state, scope)
                _check_size(output)
                break
            except FailedError:
                raise
            except StateError as error:
                if kind in {"Parallel", "Map"}:
                    strand.tell(f"{kind}StateFailed")
                if self._retries(strand, state, error, tries):
                    continue
                caught = next((one for one in state.get("Catch", ()) if error.matches(one["ErrorEquals"])), None)
                if caught is None:
                    raise
                output, following = put(caught.get("ResultPath", "$"), value, error.shown()), caught["Next"]
                break
        strand.tell(f"{kind}StateExited", name=name, output=json.dumps(output), outputDetails={"truncated": False})
        return output, following

    def _retries(self, strand: Strand, state: Mapping[str, Any], error: StateError, tries: dict[int, int]) -> bool:
        """Wait for the next try and return True, or return False when there is none."""
        for number, retrier in enumerate(state.get("Retry", ())):
            if not error.matches(retrier["ErrorEquals"]):
                continue
            count = tries.get(number, 0)
            if count >= retrier.get("MaxAttempts", _DEFAULT_ATTEMPTS):
                return False
            tries[number] = count + 1
            strand.context["State"]["RetryCount"] += 1
            pause = retrier.get("IntervalSeconds", 1) * retrier.get("BackoffRate", 2.0) ** count
            pause = min(pause, retrier.get("MaxDelaySeconds", pause))
            if retrier.get("JitterStrategy") == "FULL":
                pause = self._jitter.uniform(0, pause)
            strand.wait(CLOCK.now() + timedelta(seconds=pause))
            return True
        return False

    def _pass(self, _strand: Strand, state: Mapping[str, Any], scope: Scope) -> tuple[Any, str | None]:
        taken = self._taken(state, scope)
        return self._left(state, scope, state.get("Result", taken))

    def _succeed(self, _strand: Strand, state: Mapping[str, Any], scope: Scope) -> tuple[Any, str | None]:
        return self._let_out(state, scope, scope.take(state.get("InputPath", "$"))), None

    def _fail(self, _strand: Strand, state: Mapping[str, Any], scope: Scope) -> tuple[Any, str | None]:
        error = scope.evaluate(state["ErrorPath"]) if "ErrorPath" in state else state.get("Error")
        cause = scope.evaluate(state["CausePath"]) if "CausePath" in state else state.get("Cause")
        raise FailedError(str(error or ""), str(cause or ""))

    def _choice(self, _strand: Strand, state: Mapping[str, Any], scope: Scope) -> tuple[Any, str | None]:
        taken = scope.take(state.get("InputPath", "$"))
        inner = Scope(taken, scope.context)
        output = self._let_out(state, scope, taken)
        for rule in state["Choices"]:
            if choices.holds(rule, inner):
                return output, rule["Next"]
        if "Default" not in state:
            raise StateError("States.NoChoiceMatched", "No choice rule matched, and the state has no default.")
        return output, state["Default"]

    def _wait(self, strand: Strand, state: Mapping[str, Any], scope: Scope) -> tuple[Any, str | None]:
        taken = scope.take(state.get("InputPath", "$"))
        inner = Scope(taken, scope.context)
        if "Seconds" in state or "SecondsPath" in state:
            seconds = state["Seconds"] if "Seconds" in state else inner.take(state["SecondsPath"])
            if isinstance(seconds, bool) or not isinstance(seconds, int | float) or seconds < 0:
                raise StateError("States.Runtime", f"the seconds to wait are a number of 0 or more, got {seconds!r}")
            due = CLOCK.now() + timedelta(seconds=seconds)
        else:
            text = state["Timestamp"] if "Timestamp" in state else inner.take(state["TimestampPath"])
            found = choices.timestamp(text)
            if found is None:
                raise StateError("States.Runtime", f"the time to wait for is a time of RFC 3339, got {text!r}")
            due = found
        if due > CLOCK.now():
            strand.wait(due)
        return self._let_out(state, scope, taken), state.get("Next")

    def _task(self, strand: Strand, state: Mapping[str, Any], scope: Scope) -> tuple[Any, str | None]:
        result = perform(self._execution, strand, state, scope.take(state.get("InputPath", "$")))
        return self._left(state, scope, self._selected(state, scope, result))

    def _parallel(self, strand: Strand, state: Mapping[str, Any], scope: Scope) -> tuple[Any, str | None]:
        taken = self._taken(state, scope)
        strand.tell("ParallelStateStarted")

        def work(branch: Mapping[str, Any]) -> Callable[[Strand], Any]:
            return lambda one: self.run(one, branch, taken)

        results = strand.fork([(work(branch), {}) for branch in state["Branches"]], width=len(state["Branches"]))
        for result in results:
            if isinstance(result, StateError):
                raise StateError(result.error, result.cause) from result
        strand.tell("ParallelStateSucceeded")
        return self._left(state, scope, self._selected(state, scope, results))

    def _map(self, strand: Strand, state: Mapping[str, Any], scope: Scope) -> tuple[Any, str | None]:
        processor = state.get("ItemProcessor") or state["Iterator"]
        taken = scope.take(state.get("InputPath", "$"))
        inner = Scope(taken, scope.context)
        items = inner.take(state.get("ItemsPath", "$"))
        if not isinstance(items, list):
            raise StateError("States.Runtime", f"the items of a map are an array, got {items!r}")
        template = state.get("ItemSelector", state.get("Parameters"))
        strand.tell("MapStateStarted", length=len(items))
        name = strand.context["State"]["Name"]

        def work(number: int, item: Any) -> Callable[[Strand], Any]:
            def iterate(one: Strand) -> Any:
                one.tell("MapIterationStarted", name=name, index=number)
                value = item if template is None else Scope(taken, one.context).fill(template)
                try:
                    result = self.run(one, processor, value)
                except StateError:
                    one.tell("MapIterationFailed", name=name, index=number)
                    raise
                one.tell("MapIterationSucceeded", name=name, index=number)
                return result

            return iterate

        width = int(self._number(state, "MaxConcurrency", inner) or INLINE_WIDTH)
        patience = self._patience(state, inner, len(items))
        results = strand.fork(
            [
                (work(number, item), {"Map": {"Item": {"Index": number, "Value": item}}})
                for number, item in enumerate(items)
            ],
            width=min(width, INLINE_WIDTH),
            patience=patience,
        )
        failures = [result for result in results if isinstance(result, StateError)]
        if len(failures) > patience:
            if patience == 0 and not any(field.startswith("Tolerated") for field in state):
                raise StateError(failures[0].error, failures[0].cause) from failures[0]
            raise StateError(
                "States.ExceedToleratedFailureThreshold",
                "The specified tolerated failure threshold was exceeded",
            )
        strand.tell("MapStateSucceeded")
        done = [result for result in results if not isinstance(result, StateError)]
        return self._left(state, scope, self._selected(state, scope, done))

    def _patience(self, state: Mapping[str, Any], inner: Scope, items: int) -> int:
        """Return how many iterations may fail."""
        count = self._number(state, "ToleratedFailureCount", inner)
        share = self._number(state, "ToleratedFailurePercentage", inner)
        return max(int(count or 0), int(items * (share or 0) / 100))

    def _number(self, state: Mapping[str, Any], field: str, inner: Scope) -> float | None:
        value = inner.take(state[f"{field}Path"]) if f"{field}Path" in state else state.get(field)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or value < 0):
            raise StateError("States.Runtime", f"{field} is a number of 0 or more, got {value!r}")
        return value

    def _taken(self, state: Mapping[str, Any], scope: Scope) -> Any:
        """Return the input of a state after InputPath and Parameters."""
        taken = scope.take(state.get("InputPath", "$"))
        return Scope(taken, scope.context).fill(state["Parameters"]) if "Parameters" in state else taken

    def _selected(self, state: Mapping[str, Any], scope: Scope, result: Any) -> Any:
        """Return a result after ResultSelector."""
        return Scope(result, scope.context).fill(state["ResultSelector"]) if "ResultSelector" in state else result

    def _left(self, state: Mapping[str, Any], scope: Scope, result: Any) -> tuple[Any, str | None]:
        """Return the output of a state after ResultPath and OutputPath, and what follows."""
        output = put(state.get("ResultPath", "$"), scope.value, result)
        return self._let_out(state, scope, output), state.get("Next")

    def _let_out(self, state: Mapping[str, Any], scope: Scope, output: Any) -> Any:
        return Scope(output, scope.context).take(state.get("OutputPath", "$"))


def _check_size(output: Any) -> None:
    if len(json.dumps(output).encode()) > MAX_BYTES:
        raise StateError(
            "States.DataLimitExceeded",
            "The state/task returned a result with a size exceeding the maximum number of bytes service limit.",
        )


def _now() -> str:
    return CLOCK.now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
