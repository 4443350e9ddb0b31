"""Who wrote a version of a parameter, which the emulator does not note."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from types import SimpleNamespace
from typing import Any, Final, cast

from moto.ssm.models import Parameter
from moto.ssm.responses import SimpleSystemManagerResponse

from cdk_ami.sandbox import clients, emulator
from cdk_ami.sandbox.door import callers
from cdk_ami.sandbox.door.asked import Asked

_WRITER: Final[ContextVar[str]] = ContextVar("writer", default="")
_ORIGINAL: Final[dict[str, Callable[..., Any]]] = {}


def sign(parameter: Parameter) -> None:
    """Note on a version that is being made who asked for it."""
    parameter.sandbox_writer = _WRITER.get()


class WriterAnswers:
    """Methods for the emulator's ``SimpleSystemManagerResponse``."""

    def put_parameter(self) -> Any:
        """Answer PutParameter, with the caller at hand."""
        response = cast("Any", self)
        asked = SimpleNamespace(
            access_key=response.access_key,
            account=response.current_account,
            region=response.region,
            named_role=response.headers.get(clients.ROLE_HEADER),
            for_service=response.headers.get(clients.SERVICE_HEADER),
        )
        mark = _WRITER.set(callers.principal_of(cast("Asked", asked)))
        try:
            return _ORIGINAL["put_parameter"](self)
        finally:
            _WRITER.reset(mark)


class WrittenParameter:
    """Methods for the emulator's ``Parameter``."""

    def describe_response_object(self, decrypt: bool = False, include_labels: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002 - moto's signature
        """Describe a version, with who wrote it."""
        told: dict[str, Any] = _ORIGINAL["describe_response_object"](self, decrypt, include_labels)
        return told | {"LastModifiedUser": getattr(self, "sandbox_writer", "") or told["LastModifiedUser"]}


def install() -> None:
    """Put the methods into the emulator's classes."""
    _ORIGINAL.update(emulator.graft(SimpleSystemManagerResponse, WriterAnswers))
    _ORIGINAL.update(emulator.graft(Parameter, WrittenParameter))
