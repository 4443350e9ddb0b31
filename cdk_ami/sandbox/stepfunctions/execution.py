"""One execution of a state machine, from its start to its end."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock, Thread
from typing import Any, Final

from cdk_ami.sandbox.clock import CLOCK
from cdk_ami.sandbox.events.emit import emit
from cdk_ami.sandbox.stepfunctions.errors import HaltedError, StateError
from cdk_ami.sandbox.stepfunctions.history import History, milliseconds
from cdk_ami.sandbox.stepfunctions.strand import Life, Strand

_LOG: Final = logging.getLogger("cdk_ami.sandbox")


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A state machine as an execution finds it at its start."""

    arn: str
    name: str
    kind: str
    role: str
    definition: dict[str, Any]


@dataclass(slots=True, kw_only=True)
class Execution:
    """One execution.

    Attributes:
        arn: Its ARN.
        name: Its name.
        machine: The machine as it was at the start.
        text: The input's JSON text.
        status: ``RUNNING``, ``SUCCEEDED``, ``FAILED``, ``TIMED_OUT`` or ``ABORTED``.
        output: The output's JSON text.
    """

    arn: str
    name: str
    machine: Machine
    text: str
    region: str
    account: str
    started: datetime = field(default_factory=CLOCK.now)
    stopped: datetime | None = None
    status: str = "RUNNING"
    output: str | None = None
    error: str | None = None
    cause: str | None = None
    history: History = field(default_factory=History)
    life: Life = field(default_factory=Life)
    _lock: Any = field(default_factory=Lock)
    _enders: list[Callable[[], None]] = field(default_factory=list)

    def __getstate__(self) -> tuple[None, dict[str, Any]]:
        """Return what a file keeps of an execution, which must have ended: a thread cannot be kept."""
        if self.status == "RUNNING":
            raise TypeError(f"{self.arn} is still running")
        return None, {name: getattr(self, name) for name in self.__slots__}

    def start(self) -> None:
        """Run in a thread of its own."""
        strand = self._strand()
        Thread(target=self._run, args=(strand,), name=f"execution {self.arn}", daemon=True).start()

    def run(self) -> None:
        """Run here, and return at the end."""
        self._run(self._strand())

    def _strand(self) -> Strand:
        self._tell_status()
        context = {
            "Execution": {
                "Id": self.arn,
                "Input": json.loads(self.text),
                "Name": self.name,
                "RoleArn": self.machine.role,
                "StartTime": self.started.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
                "RedriveCount": 0,
            },
            "StateMachine": {"Id": self.machine.arn, "Name": self.machine.name},
        }
        return Strand(f"execution {self.arn}", life=self.life, history=self.history, previous=0, context=context)

    def _run(self, strand: Strand) -> None:
        from cdk_ami.sandbox.stepfunctions.states import Interpreter  # noqa: PLC0415 - which starts executions itself

        limit = self.machine.definition.get("TimeoutSeconds")
        call = None
        if limit is not None:
            call = CLOCK.at(self.started + timedelta(seconds=limit), lambda: self.halt("TIMED_OUT"))
        with strand:
            try:
                strand.tell(
                    "ExecutionStarted", input=self.text, inputDetails={"truncated": False}, roleArn=self.machine.role
                )
                value = Interpreter(self).run(strand, self.machine.definition, json.loads(self.text))
                self._end("SUCCEEDED", strand.previous, output=json.dumps(value))
            except StateError as error:
                self._end("FAILED", strand.previous, error=error.error, cause=error.cause)
            except HaltedError:
                pass
            except Exception as error:  # noqa: BLE001 - whatever it is, the execution must end and the log tell it
                _LOG.exception("the sandbox failed to run %s", self.arn)
                self._end("FAILED", strand.previous, error="States.Runtime", cause=f"the sandbox failed: {error!r}")
            finally:
                if call is not None:
                    call.cancel()

    def halt(self, status: str, *, error: str | None = None, cause: str | None = None) -> None:
        """End the execution from outside; nothing happens when it has ended."""
        previous = len(self.history.events())
        self._end(status, previous, error=error, cause=cause)

    def abandon(self) -> None:
        """End it without a word, since everything is forgotten."""
        with self._lock:
            self.status = "ABORTED"
        self.life.halt()

    def on_end(self, told: Callable[[], None]) -> None:
        """Call ``told`` at the end, or at once when that has come."""
        with self._lock:
            if self.status == "RUNNING":
                self._enders.append(told)
                return
        told()

    def _end(
        self,
        status: str,
        previous: int,
        *,
        output: str | None = None,
        error: str | None = None,
        cause: str | None = None,
    ) -> None:
        with self._lock:
            if self.status != "RUNNING":
                return
            kind = {"SUCCEEDED": "Succeeded", "FAILED": "Failed", "TIMED_OUT": "TimedOut", "ABORTED": "Aborted"}[status]
            details: dict[str, Any] = {"error": error, "cause": cause}
            if output is not None:
                details = {"output": output, "outputDetails": {"truncated": False}}
            self.history.add(f"Execution{kind}", previous, **details)
            self.stopped, self.output, self.error, self.cause = CLOCK.now(), output, error, cause
            self.status = status
            enders, self._enders = self._enders, []
        self._tell_status()
        self.life.halt()
        for told in enders:
            told()

    def _tell_status(self) -> None:
        """Emit the event of a status.

        https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html
        """
        if self.machine.kind != "STANDARD":
            return
        detail = {
            "executionArn": self.arn,
            "stateMachineArn": self.machine.arn,
            "name": self.name,
            "status": self.status,
            "startDate": milliseconds(self.started),
            "stopDate": None if self.stopped is None else milliseconds(self.stopped),
            "input": self.text,
            "output": self.output,
            "stateMachineVersionArn": None,
            "stateMachineAliasArn": None,
            "redriveCount": 0,
            "redriveDate": None,
            "redriveStatus": "NOT_REDRIVABLE" if self.status in {"RUNNING", "SUCCEEDED"} else "REDRIVABLE",
            "inputDetails": {"included": True},
            "outputDetails": None if self.output is None else {"included": True},
            "error": self.error,
            "cause": self.cause,
        }
        emit(self.region, self.account, "aws.states", "Step Functions Execution Status Change", detail, [self.arn])
