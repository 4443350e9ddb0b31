"""Joins our services and mends to the emulator library, and refuses to start when it is not the one they were made for.

The hooks are not part of moto's public interface.  Each patched name is therefore checked before it is touched: a moto
that has moved on is reported by name at start-up, never found out by a wrong answer later.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import boto3
import moto
from moto import backend_index, backends
from moto.core.base_backend import AccountSpecificBackend

from cdk_ami.sandbox.mismatch import EmulatorMismatchError

SUPPORTED_MOTO: Final = ((5, 2), (5, 3))
"""The versions of moto that the hooks fit: from the first, below the second."""

OWN_SERVICES: Final = {
    "cloudformation": "cdk_ami.sandbox.cloudformation",
    "imagebuilder": "cdk_ami.sandbox.imagebuilder",
    "rbin": "cdk_ami.sandbox.rbin",
    "stepfunctions": "cdk_ami.sandbox.stepfunctions",
}
"""Services that are ours altogether, and the package that holds each in moto's own shape."""

MENDED_SERVICES: Final = (
    "cloudtrail",
    "iam",
    "kms",
    "s3",
    "ssm",
    "ec2",
    "autoscaling",
    "elbv2",
    "events",
    "lambda_",
    "logs",
    "cloudwatch",
    "scheduler",
    "servicequotas",
    "sns",
)
"""Services of moto's that we mend; each has a package here with a function ``install``."""


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
    for part in ("service_models", "answers", "reset", "serial"):
        importlib.import_module(f"cdk_ami.sandbox.{part}").install()
    with _one_session():
        for service in MENDED_SERVICES:
            importlib.import_module(f"cdk_ami.sandbox.{service}").install()
    _INSTALLED.append(True)


@contextmanager
def _one_session() -> Iterator[None]:
    """Let moto's modules, while they are imported, share one session: each of their own costs a quarter of a second."""
    session = AccountSpecificBackend.get_session()
    original, boto3.Session = boto3.Session, lambda: session
    try:
        yield
    finally:
        boto3.Session = original


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
    function: Callable[..., Any] = getattr(owner, name)
    parameters = _parameters(function)
    missing = [parameter for parameter in takes if parameter not in parameters]
    if missing:
        raise EmulatorMismatchError(
            f"moto {moto.__version__}: {owner.__name__}.{name} takes {parameters}, without {missing}; "
            "install a version in range"
        )
    setattr(owner, name, replacement)
    return function


def graft(owner: type, mends: type, *, new: frozenset[str] = frozenset()) -> dict[str, Callable[..., Any]]:
    """Put every method of ``mends`` into the emulator's class ``owner`` and return the originals by name.

    Args:
        owner: The class of moto's.
        mends: A class that holds nothing but the methods, written as if they stood in ``owner``.
        new: The methods that ``owner`` must not have yet.  All others must be there and take no parameter that the
            mend does not take.

    Raises:
        EmulatorMismatchError: When a method to replace is not there or takes other parameters, or when moto has
            meanwhile got a method that we meant to add.
    """
    originals = {}
    for name, mend in vars(mends).items():
        if not inspect.isfunction(mend):
            continue
        if name in new:
            if hasattr(owner, name):
                raise EmulatorMismatchError(
                    f"moto {moto.__version__} has a {owner.__name__}.{name} of its own; install a version in range"
                )
            setattr(owner, name, mend)
            continue
        originals[name] = replace(owner, name, mend, takes=())
        ours = inspect.signature(mend).parameters
        unknown = [parameter for parameter in _parameters(originals[name]) if parameter not in ours]
        if unknown:
            raise EmulatorMismatchError(
                f"moto {moto.__version__}: {owner.__name__}.{name} takes {unknown} besides; install a version in range"
            )
    return originals


def replace_property(owner: type, name: str, getter: Callable[[Any], Any]) -> None:
    """Put ``getter`` in the place of what the property ``owner.name`` reads; how it is set stays.

    Raises:
        EmulatorMismatchError: When there is no such property.
    """
    original = inspect.getattr_static(owner, name, None)
    if not isinstance(original, property):
        raise EmulatorMismatchError(
            f"moto {moto.__version__} has no property {owner.__name__}.{name}; install a version in range"
        )
    setattr(owner, name, property(getter, original.fset))


def _parameters(function: Callable[..., Any]) -> tuple[str, ...]:
    return tuple(parameter for parameter in inspect.signature(function).parameters if parameter != "self")


def _check_version() -> None:
    version = tuple(int(part) for part in moto.__version__.split(".")[:2])
    low, high = SUPPORTED_MOTO
    if not low <= version < high:
        raise EmulatorMismatchError(
            f"moto {moto.__version__} is installed, the sandbox fits >= {low[0]}.{low[1]}, < {high[0]}.{high[1]}; "
            "run pip install 'cdk-ami[sandbox]'"
        )


_INSTALLED: Final[list[bool]] = []
