"""The one way in which a build calls the sandbox: no call after the build was stopped, and failures in plain words."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import Event, Lock
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from cdk_ami.sandbox import clients
from cdk_ami.sandbox.clock import CLOCK
from cdk_ami.sandbox.imagebuilder.engine.plan import Place
from cdk_ami.sandbox.pace import PACE

_POLL_SECONDS: Final = 0.02
_WAIT_SECONDS: Final = 120.0


class StepError(RuntimeError):
    """A step that failed; the message says what, where and why.

    Attributes:
        place: Where it failed.
    """

    def __init__(self, place: Place, why: str) -> None:
        super().__init__(f"{why} ({place})")
        self.place = place


class StoppedError(RuntimeError):
    """The build was cancelled, or the sandbox was reset."""


SERVICE: Final = "imagebuilder.amazonaws.com"
"""The principal that takes the roles of its callers."""

_BY_THE_SERVICE: Final = frozenset({"iam", "inspector2", "sts"})
"""What the service asks by itself, whatever role a build has."""


SERVICE_LINKED_ROLE: Final = "arn:aws:iam::{account}:role/aws-service-role/imagebuilder.amazonaws.com/{name}"
"""ARN of the role that the service acts by where it is given none.
https://docs.aws.amazon.com/imagebuilder/latest/userguide/image-builder-service-linked-role.html, read 2026-11-28"""


def role_arn(role: str | None, account: str) -> str | None:
    """Return the ARN of a role that is given by name or ARN."""
    return role if role is None or role.startswith("arn:") else f"arn:aws:iam::{account}:role/{role}"


class Session:
    """Calls for one build.

    Args:
        home: Where the build runs.
        stopped: Set when the build is to stop.
        role: ARN of the role that the build acts by; None is the service's own, which may do all of this.

    Attributes:
        home: Where the build runs.
        stopped: Set when the build is to stop.
        role: ARN of the role that the build acts by.
        memo: What was read from other services and holds for the whole build.
    """

    def __init__(self, *, home: Place, stopped: Event, role: str | None = None) -> None:
        self.home = home
        self.role = role
        self._roles: dict[str, tuple[str | None, str | None]] = {home.account: (role, SERVICE if role else None)}
        self.memo: dict[object, Any] = {}
        self.stopped = stopped
        self._resting = 0
        self._counting = Lock()

    def call(self, service: str, operation: str, /, *, at: Place | None = None, **request: Any) -> dict[str, Any]:
        """Return the answer of a service, where ``operation`` is boto3's name of it.

        Raises:
            StoppedError: When the build was stopped before.
            StepError: When the service answers with an error.
        """
        self.check()
        return self.last_call(service, operation, at=at, **request)

    def last_call(self, service: str, operation: str, /, *, at: Place | None = None, **request: Any) -> dict[str, Any]:
        """Do as ``call``, also in a build that was stopped: for what must be put away."""
        account = (at or self.home).account
        role, taker = (None, None) if service in _BY_THE_SERVICE else self._roles.get(account, (None, None))
        with clients.acting_by(role, for_service=taker):
            return self.look(service, operation, at=at, **request)

    def act_by(self, account: str, role: str) -> None:
        """Act in another account by a role of it, which was taken before."""
        self._roles[account] = (role, None)

    @property
    def actor(self) -> str:
        """ARN of the role that takes others: the build's own, else the service's."""
        linked = SERVICE_LINKED_ROLE.format(account=self.home.account, name="AWSServiceRoleForImageBuilder")
        return self.role or linked

    def look(self, service: str, operation: str, /, *, at: Place | None = None, **request: Any) -> dict[str, Any]:
        """Do as ``last_call`` by no role: for what the sandbox asks and the service would not."""
        place = at or self.home
        client = clients.client(service, place.region, place.account)
        try:
            answer: dict[str, Any] = getattr(client, operation)(**request)
        except ClientError as error:
            found = error.response["Error"]
            name = client.meta.method_to_api_mapping[operation]
            raise StepError(place, f"{service}:{name} answered {found['Code']}: {found['Message']}") from error
        except BotoCoreError as error:
            raise StepError(place, f"{service}: {error}") from error
        return answer

    def check(self) -> None:
        """Raise when the build was stopped."""
        if self.stopped.is_set():
            raise StoppedError

    @property
    def resting(self) -> bool:
        """Whether the build waits for the clock, or for somebody outside."""
        return self._resting > 0

    @contextmanager
    def rest(self) -> Iterator[None]:
        """Mark the build as resting while the body waits, so that nobody who moves the clock waits for the build."""
        with self._counting:
            self._resting += 1
        try:
            yield
        finally:
            with self._counting:
                self._resting -= 1

    def pause(self, seconds: float) -> None:
        """Wait by the sandbox's clock, unless the build is stopped.

        Raises:
            StoppedError: When the build is stopped.
        """
        if seconds > 0:
            with self.rest():
                CLOCK.sleep(seconds, self.stopped)
        self.check()

    def wait_for(self, state: Callable[[], str], *, wanted: str, failed: tuple[str, ...], what: str, at: Place) -> None:
        """Return when ``state`` answers ``wanted``.

        Raises:
            StepError: When it answers one of ``failed``, or takes too long.
        """
        patience = _WAIT_SECONDS + PACE.image
        deadline = time.monotonic() + patience
        while (found := state()) != wanted:
            if found.partition(":")[0] in failed:
                raise StepError(at, f"{what} is {found}")
            if time.monotonic() > deadline:
                raise StepError(at, f"{what} is still {found} after {patience:.0f} s")
            with self.rest():
                self.stopped.wait(_POLL_SECONDS)
            self.check()

    def wait_by_clock(self, done: Callable[[], bool], *, seconds: float, what: str) -> None:
        """Return when ``done`` is true.

        Raises:
            StoppedError: When the build is stopped.
            StepError: When it is not true after ``seconds`` of the sandbox's clock.
        """
        end = CLOCK.now() + timedelta(seconds=seconds)
        with self.rest():
            while not done():
                if CLOCK.now() >= end:
                    raise StepError(self.home, f"{what} timed out after {seconds:.0f} s")
                self.stopped.wait(_POLL_SECONDS)
                self.check()
