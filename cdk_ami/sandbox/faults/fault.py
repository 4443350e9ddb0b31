"""What can be made to go wrong, and for whom."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

from cdk_ami.sandbox.door.asked import Asked

KINDS: Final = ("error", "throttle", "latency", "down", "lose_answer", "copies")
"""Each fault is one of these."""

CALLERS: Final = ("outside", "engines", "all")
"""Whom a fault can meet: programs, the sandbox's own services where they call one another, or both."""

FOR_ALL: Final = frozenset({"down", "copies"})
"""Kinds that meet everybody unless somebody says otherwise; the others meet outside callers only."""


class FaultError(ValueError):
    """A fault that cannot be caused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault: for which requests, when, and what.

    Attributes:
        service: boto3's name of the service, such as ``ec2``; every service without.
        operation: The operation as the API names it, such as ``CopyImage``; every one without.
        region: The Region; every one without.
        account: The account that is called; every one without.
        parameters: Parameters that the request must have, by the names of the API; compared as text.
        callers: One of ``CALLERS``.  Without, ``all`` for outages and copies, else ``outside``.
        first: It strikes so many times and then ends; without, until it is ended.
        skip: How many matching requests it lets pass before.
        probability: How likely it strikes a matching request, from 0 to 1.
        seed: Seed of the dice, so that the same calls meet the same faults.
        error: Answer with an error: ``{"code": ..., "message": ..., "status": ...}``; without a status, that of the
            service's model.
        throttle: Refuse what comes too often, in the service's own words: ``{"rate": 5, "burst": 10}`` lets 5 a second
            pass, 10 at once; ``{}`` refuses every call.
        latency: Seconds by the sandbox's clock that the answer takes longer.
        down: ``unavailable`` answers 503, ``dropped`` closes the connection without an answer.
        lose_answer: Carry the request out and close the connection instead of answering.
        copies: What becomes of copies of AMIs that are begun: ``failed``, or ``pending`` until the fault is ended.
    """

    service: str | None = None
    operation: str | None = None
    region: str | None = None
    account: str | None = None
    parameters: Mapping[str, Any] | None = None
    callers: str | None = None
    first: int | None = None
    skip: int = 0
    probability: float = 1.0
    seed: int = 0
    error: Mapping[str, Any] | None = None
    throttle: Mapping[str, Any] | None = None
    latency: float | None = None
    down: str | None = None
    lose_answer: bool = False
    copies: str | None = None

    @property
    def kind(self) -> str:
        """Which of ``KINDS`` it is."""
        return next(kind for kind in KINDS if _is_set(getattr(self, kind)))

    @property
    def meets(self) -> str:
        """Whom it meets, one of ``CALLERS``."""
        return self.callers or ("all" if self.kind in FOR_ALL else "outside")

    def matches(self, asked: Asked) -> bool:
        """Return whether it is about a request."""
        if self.meets != "all" and (self.meets == "engines") != asked.engine:
            return False
        for name in ("service", "region", "operation", "account"):
            wanted = getattr(self, name)
            if wanted is not None and wanted != getattr(asked, name):
                return False
        if self.kind == "copies" and (asked.service, asked.operation) != ("ec2", "CopyImage"):
            return False
        given = asked.parameters if self.parameters else {}
        return all(str(given.get(name)) == str(value) for name, value in (self.parameters or {}).items())

    def told(self) -> dict[str, Any]:
        """Return it as data, without what is at its default."""
        return {name: value for name, value in asdict(self).items() if value != _DEFAULTS[name]}


_DEFAULTS: Final = {one.name: one.default for one in fields(Fault)}


def _is_set(value: object) -> bool:
    return value is not None and value is not False


def read(asked: Mapping[str, Any]) -> Fault:
    """Return the fault that somebody asks for.

    Raises:
        FaultError: When there is no such fault.
    """
    unknown = sorted(set(asked) - set(_DEFAULTS))
    if unknown:
        raise FaultError(f"a fault takes {', '.join(_DEFAULTS)}, got {', '.join(unknown)}")
    kinds = [kind for kind in KINDS if _is_set(asked.get(kind))]
    if len(kinds) != 1:
        raise FaultError(f"a fault is one of {', '.join(KINDS)}, got {' and '.join(kinds) or 'none'}")
    fault = Fault(**asked)
    if problem := next(_problems(fault), None):
        raise FaultError(problem)
    return fault


def _problems(fault: Fault) -> Iterator[str]:
    if fault.callers not in {None, *CALLERS}:
        yield f"callers is one of {', '.join(CALLERS)}, got {fault.callers!r}"
    for name in ("service", "operation", "region", "account"):
        if not isinstance(getattr(fault, name), str | None):
            yield f"{name} is text, got {getattr(fault, name)!r}"
    if fault.operation and not fault.service:
        yield f"operation needs its service, got {fault.operation!r} alone"
    if not isinstance(fault.parameters, Mapping | None):
        yield f"parameters is an object, got {fault.parameters!r}"
    if not _number(fault.probability) or not 0 < fault.probability <= 1:
        yield f"probability is above 0 and at most 1, got {fault.probability!r}"
    for name, least in (("first", 1), ("skip", 0)):
        value = getattr(fault, name)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < least):
            yield f"{name} is a whole number from {least}, got {value!r}"
    yield from _problems_of_kind(fault)


def _problems_of_kind(fault: Fault) -> Iterator[str]:
    yield from _problems_of_error(fault)
    yield from _problems_of_throttle(fault.throttle)
    if fault.latency is not None and (not _number(fault.latency) or fault.latency <= 0):
        yield f"latency is seconds above 0, got {fault.latency!r}"
    if fault.down not in {None, "unavailable", "dropped"}:
        yield f"down is unavailable or dropped, got {fault.down!r}"
    if not isinstance(fault.lose_answer, bool):
        yield f"lose_answer is true or false, got {fault.lose_answer!r}"
    if fault.copies not in {None, "failed", "pending"}:
        yield f"copies is failed or pending, got {fault.copies!r}"


def _problems_of_error(fault: Fault) -> Iterator[str]:
    if fault.error is not None:
        if not isinstance(fault.error, Mapping) or not fault.error.get("code"):
            yield f"error has a code, and may have a message and a status, got {fault.error!r}"
        elif unknown := sorted(set(fault.error) - {"code", "message", "status"}):
            yield f"error takes code, message and status, got {', '.join(unknown)}"
        elif not fault.service:
            yield "error needs the service that answers it"


def _problems_of_throttle(throttle: Mapping[str, Any] | None) -> Iterator[str]:
    if throttle is None:
        return
    if not isinstance(throttle, Mapping) or set(throttle) - {"rate", "burst"}:
        yield f"throttle takes rate and burst, got {throttle!r}"
    elif not all(_number(value) and value > 0 for value in throttle.values()):
        yield f"rate and burst are numbers above 0, got {dict(throttle)!r}"
    elif "burst" in throttle and "rate" not in throttle:
        yield "burst needs a rate"


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
