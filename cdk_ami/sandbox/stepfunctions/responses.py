"""Answers requests: one handler for each operation of botocore's model, made from the table of operations."""

from __future__ import annotations

from collections.abc import Callable

from moto.core.responses import ActionResult, BaseResponse, get_service_model
from moto.core.utils import camelcase_to_underscores

from cdk_ami.sandbox.stepfunctions import operations
from cdk_ami.sandbox.stepfunctions.models import stepfunctions_backends


class StepFunctionsResponse(BaseResponse):  # type: ignore[misc]
    """The emulator's door to the operations; its methods are added below."""

    def __init__(self) -> None:
        super().__init__(service_name="stepfunctions")
        self.automated_parameter_parsing = True


def _handler(name: str) -> Callable[[StepFunctionsResponse], ActionResult]:
    def handle(self: StepFunctionsResponse) -> ActionResult:
        backend = stepfunctions_backends[self.current_account][self.region]
        return ActionResult(operations.perform(backend, name, dict(self.params)))

    handle.__doc__ = f"Answer {name}."
    return handle


for _name in get_service_model("stepfunctions").operation_names:
    setattr(StepFunctionsResponse, camelcase_to_underscores(_name), _handler(_name))
