"""Pickles what the emulator's backends and our own hold: also locks, keys and functions made in functions.

A backend is written once, by its place; every mention of it elsewhere is a reference to that place, so that what is
loaded refers to the backends of this process.
"""

from __future__ import annotations

import importlib
import marshal
import pickle
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable
from threading import Lock, RLock
from types import CellType, FunctionType
from typing import Any, Final
from weakref import WeakKeyDictionary, WeakSet, WeakValueDictionary

from cryptography.hazmat.primitives import serialization
from moto import backends
from moto.core.base_backend import AccountSpecificBackend, BackendDict, BaseBackend

from cdk_ami.sandbox.clock import CLOCK
from cdk_ami.sandbox.serial import LOCK

_LOCKS: Final = (type(Lock()), type(RLock()))

_SHARED: Final[dict[str, Any]] = {"clock": CLOCK, "lock": LOCK}
"""Objects of this process that there must be one of."""


class Pickler(pickle.Pickler):
    """Writes the state of backends."""

    def persistent_id(self, found: Any) -> Any:
        """Return what to write instead of an object of this process, None for all others."""
        for name, shared in _SHARED.items():
            if found is shared:
                return ("shared", name)
        if isinstance(found, BackendDict):
            return ("service", found.service_name)
        if isinstance(found, AccountSpecificBackend):
            return ("account", found.service_name, found.account_id)
        if isinstance(found, BaseBackend) and (place := place_of(found)) is not None:
            return ("backend", *place)
        return None

    def reducer_override(self, found: Any) -> Any:  # noqa: PLR0911 - one for each kind
        """Return how to make anew what pickle itself cannot write."""
        if isinstance(found, _LOCKS):
            return (Lock if type(found) is _LOCKS[0] else RLock, ())
        if isinstance(found, FunctionType) and "<" in found.__qualname__:
            cells = tuple(cell.cell_contents for cell in found.__closure__ or ())
            code = marshal.dumps(found.__code__)
            return (
                _function,
                (code, found.__module__, found.__qualname__, found.__defaults__, found.__kwdefaults__, cells),
            )
        if isinstance(found, dict) and not isinstance(found, Counter | OrderedDict) and _is_derived(found):
            factory = getattr(found, "default_factory", None)
            return (_dictionary, (type(found), factory), vars(found), None, iter(dict.items(found)))
        if isinstance(found, WeakValueDictionary | WeakKeyDictionary):
            return (_filled, (type(found), dict(found)))
        if isinstance(found, WeakSet):
            return (WeakSet, (list(found),))
        if hasattr(found, "private_bytes"):
            pem = found.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            return (_private_key, (pem,))
        return NotImplemented


class Unpickler(pickle.Unpickler):
    """Reads it into the backends of this process."""

    def persistent_load(self, name: Any) -> Any:
        """Return the object that was written by a name."""
        kind, *rest = name
        if kind == "shared":
            return _SHARED[rest[0]]
        service: Any = backends.get_backend(rest[0])
        if kind == "service":
            return service
        return service[rest[1]] if kind == "account" else service[rest[1]][rest[2]]


def place_of(backend: BaseBackend) -> tuple[str, str, str] | None:
    """Return service, account and Region of a backend that is in use, None for any other."""
    own: Any = backend
    for service in BackendDict._instances:  # noqa: SLF001 - moto tells nowhere else what is in use
        account: Any = dict.get(service, own.account_id)
        if account is not None and dict.get(account, own.region_name) is backend:
            return service.service_name, own.account_id, own.region_name
    return None


def _is_derived(found: dict[Any, Any]) -> bool:
    """Return whether a dictionary is of a class that is made with arguments of its own."""
    return type(found).__init__ is not (defaultdict if isinstance(found, defaultdict) else dict).__init__


def _dictionary(kind: type[dict[Any, Any]], factory: Any) -> dict[Any, Any]:
    made = kind.__new__(kind)
    if isinstance(made, defaultdict):
        made.default_factory = factory
    return made


def _function(  # noqa: PLR0917 - as pickle calls it
    code: bytes, module: str, name: str, defaults: Any, named_defaults: Any, cells: tuple[Any, ...]
) -> Callable[..., Any]:
    made = FunctionType(
        marshal.loads(code),  # noqa: S302 - as trusted as the pickle it stands in
        vars(importlib.import_module(module)),
        name.rpartition(".")[2],
        defaults,
        tuple(CellType(content) for content in cells),
    )
    made.__qualname__, made.__module__, made.__kwdefaults__ = name, module, named_defaults
    return made


def _filled(kind: Any, items: dict[Any, Any]) -> Any:
    return kind(items)


def _private_key(pem: bytes) -> Any:
    return serialization.load_pem_private_key(pem, password=None)
