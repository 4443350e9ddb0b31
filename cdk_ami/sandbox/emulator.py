"""Joins our services and mends to the emulator library, and refuses to start when it is not the one they were made for.

The hooks are not part of moto's public interface.  Each patched name is therefore checked before it is touched: a moto
that has moved on is reported by name at start-up, never found out by a wrong answer later.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Callable
from typing import Any, Final

import moto
from moto import backend_index, backends

SUPPORTED_MOTO: Final = ((5, 2), (5, 3))
"""The versions of moto that the hooks fit: from the first, below the second."""

OWN_SERVICES: Final = {
    "cloudformation": "cdk_ami.sandbox.cloudformation",
    "imagebuilder": "cdk_ami.sandbox.imagebuilder",
}
"""Services that are ours altogether, and the package that holds each in moto's own shape."""

MENDED_SERVICES: Final = ("sts", "ssm", "ec2", "autoscaling")
"""Services of moto's that we mend; each has a package here with a function ``install``."""


class EmulatorMismatchError(RuntimeError):
    """The installed moto is not one that the sandbox was made for."""


def install() -> None:
    """Join everything to moto, once per process.

    Raises:
        EmulatorMismatchError: When moto's version, or a name that we patch, is not as expected.
    """
    if _INSTALLED:
        return
    _check_version()
    original = backends._import_backend  # noqa: SLF001 - moto has no public registry of services

    def import_backend(module_name: str, backends_name: str) -> Any:
        if module_name in OWN_SERVICES:
            return getattr(importlib.import_module(f"{OWN_SERVICES[module_name]}.models"), backends_name)
        return original(module_name, backends_name)

    replace(backends, "_import_backend", import_backend, takes=("module_name", "backends_name"))
    known = {service for service, _ in backend_index.backend_url_patterns}
    for service in OWN_SERVICES:
        if service not in known:
            pattern = re.compile(rf"https?://{service}\.(.+)\.amazonaws\.com")
            backend_index.backend_url_patterns.append((service, pattern))
    for service in MENDED_SERVICES:
        importlib.import_module(f"cdk_ami.sandbox.{service}").install()
    _INSTALLED.append(True)


def replace(owner: Any, name: str, replacement: Callable[..., Any], *, takes: tuple[str, ...]) -> Callable[..., Any]:
    """Put ``replacement`` in the place of the callable ``owner.name`` and return the original.

    Args:
        owner: The module or class of moto's.
        name: The attribute to replace.
        replacement: What to put there.
        takes: Names of the original's parameters, ``self`` left out, that the replacement relies on.

    Raises:
        EmulatorMismatchError: When the original is not there or takes other parameters.
    """
    original = inspect.getattr_static(owner, name, None)
    if original is None:
        raise EmulatorMismatchError(
            f"moto {moto.__version__} has no {owner.__name__}.{name}; install a version in range"
        )
    function = getattr(owner, name)
    parameters = tuple(parameter for parameter in inspect.signature(function).parameters if parameter != "self")
    missing = [parameter for parameter in takes if parameter not in parameters]
    if missing:
        raise EmulatorMismatchError(
            f"moto {moto.__version__}: {owner.__name__}.{name} takes {parameters}, without {missing}; "
            "install a version in range"
        )
    setattr(owner, name, replacement)
    return function


def _check_version() -> None:
    version = tuple(int(part) for part in moto.__version__.split(".")[:2])
    low, high = SUPPORTED_MOTO
    if not low <= version < high:
        raise EmulatorMismatchError(
            f"moto {moto.__version__} is installed, the sandbox fits >= {low[0]}.{low[1]}, < {high[0]}.{high[1]}; "
            "run pip install 'cdk-ami[sandbox]'"
        )


_INSTALLED: Final[list[bool]] = []
