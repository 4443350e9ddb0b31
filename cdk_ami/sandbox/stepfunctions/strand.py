"""One thread of an execution: it waits for the clock or a signal, and counts as running only while it does not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Any, Self

from cdk_ami.sandbox.activity import ACTIVITY
from cdk_ami.sandbox.clock import CLOCK
from cdk_ami.sandbox.stepfunctions.errors import HaltedError, StateError
from cdk_ami.sandbox.stepfunctions.history import History


class Life:
    """Whether an execution, or the branches of one of its states, may go on.

    Args:
        parent: What ends this life too when it ends.
    """

    def __init__(self, parent: Life | None = None) -> None:
        self._lock = Lock()
        self._mourners: dict[object, Callable[[], None]] = {}
        self.halted = False
        if parent is not None:
            parent.on_halt(self.halt)

    def on_halt(self, told: Callable[[], None]) -> Callable[[], None]:
        """Call ``told`` at the end, or at once when that has come; return what forgets it."""
        key = object()
        with self._lock:
            if not self.halted:
                self._mourners[key] = told
                return lambda: self._forget(key)
        told()
        return lambda: None

    def _forget(self, key: object) -> None:
        with self._lock:
            self._mourners.pop(key, None)

    def halt(self) -> None:
        """End it."""
        with self._lock:
            self.halted = True
            mourners, self._mourners = list(self._mourners.values()), {}
        for told in mourners:
            told()


class Strand:
    """One thread of an execution.

    Args:
        what: What runs, for people.
        life: Whether it may go on.
        history: Where it tells what it does.
        previous: Id of the history event that comes before its first.
        context: What the context object holds.
    """

    def __init__(self, what: str, *, life: Life, history: History, previous: int, context: Mapping[str, Any]) -> None:
        self._what, self._history = what, history
        self.life, self.previous = life, previous
        self.context: dict[str, Any] = dict(context)
        self._token: object = ACTIVITY.began(what)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        ACTIVITY.ended(self._token)

    def tell(self, kind: str, **details: Any) -> int:
        """Add a history event; return its id."""
        self.previous = self._history.add(kind, self.previous, **details)
        return self.previous

    def check(self) -> None:
        """Go on only while it may.

        Raises:
            HaltedError: When it may not.
        """
        if self.life.halted:
            raise HaltedError

    def wait(
        self, due: datetime | None = None, *, armed: Callable[[Callable[[], None]], object] = lambda _: None
    ) -> bool:
        """Return True when something woke the strand, False when it became due before.

        Args:
            due: By the sandbox's clock; None waits for as long as it takes.
            armed: Is given what wakes the strand, which may be called from any thread, and at once.

        Raises:
            HaltedError: When it may not go on.
        """
        signal, lock = Event(), Lock()
        reasons: list[str] = []

        def wake(reason: str) -> None:
            with lock:
                if reasons:
                    return
                reasons.append(reason)
                # Before the waker's own work ends, so that nobody sees the sandbox idle in between.
                after.append(ACTIVITY.began(self._what))
            signal.set()

        before, after = self._token, list[object]()
        forget = self.life.on_halt(lambda: wake("halted"))
        call = None if due is None else CLOCK.at(due, lambda: wake("due"))
        armed(lambda: wake("woken"))
        ACTIVITY.ended(before)
        signal.wait()
        self._token = after[0]
        forget()
        if call is not None:
            call.cancel()
        if reasons == ["halted"]:
            raise HaltedError
        return reasons == ["woken"]

    def fork(
        self, works: list[tuple[Callable[[Strand], Any], Mapping[str, Any]]], *, width: int, patience: int = 0
    ) -> list[Any]:
        """Run each work in a strand of its own, so many at a time, and return what each gave.

        Args:
            works: Each work, with what it adds to the context object.
            width: How many run at a time.
            patience: How many may fail; with one more, all others are halted.

        Returns:
            The results in the order of the works; a ``StateError`` for each that failed.
        """
        life = Life(self.life)
        results: list[Any] = [None] * len(works)
        left, lock, running = list(range(len(works))), Lock(), [0]

        def start(wake: Callable[[], None]) -> None:
            with lock:
                if life.halted:
                    left.clear()
                if not left and not running[0]:
                    wake()
                while left and running[0] < width:
                    number = left.pop(0)
                    running[0] += 1
                    strand = Strand(
                        self._what,
                        life=life,
                        history=self._history,
                        previous=self.previous,
                        context={**self.context, **works[number][1]},
                    )
                    Thread(target=run, args=(number, strand, wake), name=self._what, daemon=True).start()

        def run(number: int, strand: Strand, wake: Callable[[], None]) -> None:
            with strand:
                try:
                    results[number] = works[number][0](strand)
                except StateError as error:
                    results[number] = error
                    if sum(isinstance(result, StateError) for result in results) > patience:
                        life.halt()
                except HaltedError:
                    pass
                finally:
                    with lock:
                        running[0] -= 1
                    start(wake)

        self.wait(armed=start)
        return results
