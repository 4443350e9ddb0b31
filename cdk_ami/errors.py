"""The one error of synthesis, and the collector that fills it.

Whatever can never deploy is refused while the template is being built.  A call gathers every fault it can see and
raises once, so that a user mends a configuration in one pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from cdk_ami.checks.rule import Problem


class Fault(NamedTuple):
    """One thing that is wrong with one property.

    Attributes:
        prop: Path of the property as the user wrote it, such as ``targets[1].region``.
        problem: What is wrong, lower case, to be read after the property.
        got: The value that was given.
        fix: What to do about it, an action.
        rule: Id of the rule that found it, such as ``cdk-ami::AmiName``; empty for faults of the call itself.
    """

    prop: str
    problem: str
    got: object
    fix: str
    rule: str = ""

    def __str__(self) -> str:
        got = "" if self.got is None else f", got {self.got!r}"
        return f"{self.prop} {self.problem}{got}; {self.fix}"


class ConfigError(ValueError):
    """A value that can never deploy, found while the template is being built.

    Attributes:
        where: Path of the construct, such as ``Stack/Image``, or the file the value came from.
        prop: The property of the first fault.
        got: The value of the first fault.
        fix: The action that mends the first fault.
        faults: Every fault of the call, the first included.
    """

    def __init__(
        self, where: str, prop: str, problem: str, *, got: object, fix: str, others: Sequence[Fault] = ()
    ) -> None:
        self.where, self.prop, self.got, self.fix = where, prop, got, fix
        self.faults = (Fault(prop=prop, problem=problem, got=got, fix=fix), *others)
        super().__init__(self._message())

    @classmethod
    def of(cls, where: str, faults: Sequence[Fault]) -> ConfigError:
        """Return the error that names all of ``faults``, of which there is at least one."""
        first, *others = faults
        error = cls(where, first.prop, first.problem, got=first.got, fix=first.fix, others=others)
        error.faults = tuple(faults)
        return error

    def _message(self) -> str:
        if len(self.faults) == 1:
            return f"{self.where}: {self.faults[0]}"
        lines = "".join(f"\n  - {fault}" for fault in self.faults)
        return f"{self.where}: {len(self.faults)} faults{lines}"


class _HasPath(Protocol):
    @property
    def path(self) -> str: ...


class _HasNode(Protocol):
    @property
    def node(self) -> _HasPath: ...


class Faults:
    """Gathers the faults of one call and raises them together.

    Args:
        scope: The parent construct, or the name of a file.  A construct's path is read only when something is wrong:
            it costs a call to the CDK.
        construct_id: Id of the construct that is being made in ``scope``, empty when ``scope`` is what is wrong.
    """

    def __init__(self, scope: _HasNode | str, construct_id: str = "") -> None:
        self._scope, self._id = scope, construct_id
        self._found: list[Fault] = []

    def add(self, prop: str, problem: str, *, got: object, fix: str) -> None:
        """Record a fault of the call itself."""
        self._found.append(Fault(prop=prop, problem=problem, got=got, fix=fix))

    def check(self, prop: str, problems: Iterable[Problem]) -> None:
        """Record what a rule found about the property ``prop``."""
        self._found.extend(
            Fault(prop=f"{prop}{found.at}", problem=found.problem, got=found.got, fix=found.fix, rule=found.rule)
            for found in problems
        )

    def __bool__(self) -> bool:
        return bool(self._found)

    def raise_if_any(self) -> None:
        """Raise all that was gathered.

        Raises:
            ConfigError: When there is at least one fault.
        """
        if self._found:
            raise self.error()

    def error(self) -> ConfigError:
        """Return the error that names all that was gathered, of which there is at least one fault."""
        return ConfigError.of(self._where(), self._found)

    def _where(self) -> str:
        path = self._scope if isinstance(self._scope, str) else self._scope.node.path
        return "/".join(part for part in (path, self._id) if part)
