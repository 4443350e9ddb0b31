"""Answers requests: one handler for each operation of botocore's model, made from the table of operations."""

from __future__ import annotations

from collections.abc import Callable

from moto.core.responses import ActionResult, BaseResponse
from moto.core.utils import camelcase_to_underscores

from cdk_ami.sandbox.imagebuilder import operations
from cdk_ami.sandbox.imagebuilder.models import imagebuilder_backends
from cdk_ami.sandbox.service_models import service_model


class ImageBuilderResponse(BaseResponse):  # type: ignore[misc]
    """The emulator's door to the operations; its methods are added below."""

    def __init__(self) -> None:
        super().__init__(service_name="imagebuilder")
        self.automated_parameter_parsing = True


def _handler(name: str) -> Callable[[ImageBuilderResponse], ActionResult]:
    def handle(self: ImageBuilderResponse) -> ActionResult:
        backend = imagebuilder_backends[self.current_account][self.region]
        return ActionResult(operations.perform(backend, name, dict(self.params)))

    handle.__doc__ = f"Answer {name}."
    return handle


for _name in service_model("imagebuilder").operation_names:
    setattr(ImageBuilderResponse, camelcase_to_underscores(_name), _handler(_name))
