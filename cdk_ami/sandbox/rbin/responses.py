"""Answers requests: one handler for each operation."""

from __future__ import annotations

from collections.abc import Callable

from moto.core.responses import ActionResult, BaseResponse
from moto.core.utils import camelcase_to_underscores

from cdk_ami.sandbox.rbin.models import rbin_backends
from cdk_ami.sandbox.rbin.operations import OPERATIONS


class RecycleBinResponse(BaseResponse):  # type: ignore[misc]
    """The emulator's door to the operations; its methods are added below."""

    def __init__(self) -> None:
        super().__init__(service_name="rbin")
        self.automated_parameter_parsing = True


def _handler(name: str) -> Callable[[RecycleBinResponse], ActionResult]:
    def handle(self: RecycleBinResponse) -> ActionResult:
        backend = rbin_backends[self.current_account][self.region]
        return ActionResult(OPERATIONS[name](backend, dict(self.params)))

    handle.__doc__ = f"Answer {name}."
    return handle


for _name in OPERATIONS:
    setattr(RecycleBinResponse, camelcase_to_underscores(_name), _handler(_name))
