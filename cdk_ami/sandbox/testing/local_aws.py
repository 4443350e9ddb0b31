"""One local AWS in the process of the tests."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

from cdk_ami.sandbox import environment
from cdk_ami.sandbox.testing.control import Clock, Control, Faults, NotedCall
from cdk_ami.sandbox.testing.deploy import DeployError, Place, Stack, deploy, destroy, stacks_of

if TYPE_CHECKING:
    import boto3

    from cdk_ami.sandbox.server import Sandbox

ACCOUNT = "123456789012"
REGION = "us-east-1"


class Assembly(Protocol):
    """What `App.synth()` returns."""

    @property
    def directory(self) -> str:
        """The folder that it is in."""


class App(Protocol):
    """An app of the CDK."""

    def synth(self) -> Assembly:
        """Write its cloud assembly."""


class BusyError(TimeoutError):
    """Something still runs; the message says what."""


class LocalAws:
    """A local AWS on 127.0.0.1, with clients, deployment, time, faults and a log of calls.

    Nothing leaves the machine.  Needs the extra ``sandbox``.

    Example:
        >>> with LocalAws() as aws:
        ...     aws.client("ec2", "eu-west-1").describe_vpcs()
    """

    def __init__(self) -> None:
        self._server: Sandbox | None = None
        self._clients: dict[tuple[str, str, str, str | None], Any] = {}
        self._bootstrapped: set[Place] = set()

    def __enter__(self) -> Self:
        from cdk_ami.sandbox.server import Sandbox  # noqa: PLC0415 - takes a second, and needs the extra

        self._server = Sandbox().start()
        self._control = Control(self._server.endpoint)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.stop()
            self._server = None
            self._clients.clear()

    @property
    def endpoint(self) -> str:
        """Where it serves, such as ``http://127.0.0.1:40123``.

        Raises:
            RuntimeError: Outside its ``with`` block.
        """
        if self._server is None:
            raise RuntimeError(
                "the local AWS does not run; use it in a with block, or take the fixture cdk_ami_sandbox"
            )
        return self._server.endpoint

    def environment(self, region: str = REGION) -> dict[str, str]:
        """Return the variables that point every AWS tool at it: for programs that a test runs."""
        return environment.variables(self.endpoint, region=region)

    def session(self, region: str = REGION, account: str = ACCOUNT, *, role: str | None = None) -> boto3.Session:
        """Return a session of an account, or of a role in it whose ARN is given, which is assumed."""
        import boto3  # noqa: PLC0415 - 0.2 s that a test run without the sandbox does not pay
        from botocore.config import Config  # noqa: PLC0415 - same

        keys = {"aws_access_key_id": "sandbox", "aws_secret_access_key": "sandbox", "aws_session_token": "sandbox"}
        if role is not None:
            found = self.client("sts", region, account).assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
            keys = {
                "aws_access_key_id": found["AccessKeyId"],
                "aws_secret_access_key": found["SecretAccessKey"],
                "aws_session_token": found["SessionToken"],
            }
        endpoint = self.endpoint

        def act_as(request: Any, **_: Any) -> None:
            request.headers["x-moto-account-id"] = account

        class Session(boto3.Session):  # type: ignore[misc]
            """A session whose clients and resources speak to the sandbox, whatever the environment says."""

            def client(self, service_name: str, *arguments: Any, **options: Any) -> Any:
                direct = Config(proxies={})
                given = options.get("config")
                options["config"] = direct if given is None else direct.merge(given)
                options["endpoint_url"] = options.get("endpoint_url") or endpoint
                made = super().client(service_name, *arguments, **options)
                if role is None:
                    made.meta.events.register("before-sign.*.*", act_as)
                return made

        return Session(region_name=region, **keys)

    def client(self, service: str, region: str = REGION, account: str = ACCOUNT, *, role: str | None = None) -> Any:
        """Return a boto3 client.  Clients of accounts are kept; one of a role assumes it anew."""
        if role is not None:
            return self.session(region, account, role=role).client(service)
        key = (service, region, account, role)
        if key not in self._clients:
            self._clients[key] = self.session(region, account).client(service)
        return self._clients[key]

    @property
    def clock(self) -> Clock:
        """The time, which can be advanced."""
        return Clock(self._control)

    @property
    def faults(self) -> Faults:
        """What can be made to go wrong."""
        return Faults(self._control)

    def calls(self, service: str | None = None, operation: str | None = None, **wanted: Any) -> list[NotedCall]:
        """Return the calls of services, oldest first.

        Args:
            service: boto3's name of the service; all without.
            operation: The operation as the API names it; all without.
            **wanted: ``region``, ``account``, or ``engine`` for those of the sandbox's own services.
        """
        asked = {"service": service, "operation": operation, **wanted}
        given = {name: value for name, value in asked.items() if value is not None}
        return [NotedCall.read(call) for call in self._control.get("calls", given)["calls"]]

    def forget_calls(self) -> None:
        """Empty the log of calls."""
        self._control.delete("calls", {})

    def events(self, detail_type: str | None = None) -> list[dict[str, Any]]:
        """Return the events that EventBridge took in since the last reset, oldest first, with the name of their bus.

        Args:
            detail_type: Such as ``EC2 AMI State Change``; all without.
        """
        found = self._control.get("events/log", {})["events"]
        return [event for event in found if detail_type in {None, event["detail-type"]}]

    def misdeliver(
        self,
        *,
        duplicate: int = 0,
        delay: timedelta = timedelta(0),
        lose: float = 0.0,
        lose_next: int = 0,
        reorder: bool = False,
        seed: int = 0,
    ) -> None:
        """Let EventBridge deliver as badly as it may; without arguments it delivers well again.

        Args:
            duplicate: How many times more each delivery is made.
            delay: How much later, by the sandbox's clock.
            lose: The share that is never made, from 0 to 1.
            lose_next: How many of the next are never made.
            reorder: Whether of each two the second comes first.
            seed: Chooses what is lost; the same seed loses the same.
        """
        self._control.post(
            "events/delivery",
            {
                "duplicate": duplicate,
                "delay": delay.total_seconds(),
                "lose": lose,
                "lose_next": lose_next,
                "reorder": reorder,
                "seed": seed,
            },
        )

    def enforce(self, *roles: str) -> None:
        """Judge calls made with these roles by their policies; ``all-roles`` means every role, none ends it."""
        if not roles:
            self._control.delete("iam", {})
        else:
            self._control.post("iam", {"enforce": "all-roles" if "all-roles" in roles else list(roles)})

    def deploy(
        self,
        what: App | Assembly | Path | str | Mapping[str, Any],
        *,
        name: str = "Test",
        region: str = REGION,
        account: str = ACCOUNT,
        parameters: Mapping[str, Mapping[str, str]] | None = None,
        cdk: Sequence[str] | None = None,
    ) -> dict[str, dict[str, str]]:
        """Deploy stacks in the order of their dependencies, and return the outputs of each by its name.

        Args:
            what: An app of the CDK, its cloud assembly, the folder of one, or a template as data.
            name: Name of the stack that a template becomes.
            region: Region of the stacks that name none.
            account: Account of the stacks that name none.
            parameters: Values of parameters, by the names of the stacks.
            cdk: The CDK command line, such as ``["npx", "cdk"]``, which then bootstraps and deploys.  Without, files
                are uploaded and stacks made by boto3, which needs no Node; roles of the bootstrap are not assumed.

        Raises:
            DeployError: When a stack fails.
        """
        place = Place(account=account, region=region)
        stacks = self._stacks(what, name, place, parameters or {})
        if cdk is not None:
            return self._deploy_by_cdk(_folder(what), stacks, cdk, region)
        return {
            stack.name: deploy(stack, lambda *key: self.client(key[0], key[1], key[2]), self.endpoint)
            for stack in stacks
        }

    def destroy(
        self,
        what: App | Assembly | Path | str | Mapping[str, Any],
        *,
        name: str = "Test",
        region: str = REGION,
        account: str = ACCOUNT,
    ) -> None:
        """Delete the stacks of ``what``, the last first.

        Raises:
            DeployError: When one cannot be deleted.
        """
        for stack in reversed(self._stacks(what, name, Place(account=account, region=region), {})):
            destroy(stack, lambda *key: self.client(key[0], key[1], key[2]))

    def wait_idle(self, seconds: float = 60.0) -> None:
        """Return when no stack, build or event is on its way any more.

        What waits for the clock is not waited for.

        Raises:
            BusyError: When something still is after so many seconds.
        """
        running = self._control.get("idle", {"seconds": seconds})["running"]
        if running:
            raise BusyError(f"after {seconds:g} s there still runs {', '.join(running)}")

    def reset(self) -> None:
        """Forget everything: resources, faults, calls, and the time."""
        self._control.reset()
        self._bootstrapped.clear()

    def _stacks(self, what: Any, name: str, place: Place, parameters: Mapping[str, Mapping[str, str]]) -> list[Stack]:
        if isinstance(what, Mapping):
            given = parameters.get(name, {})
            return [Stack(name=name, place=place, template=json.dumps(what), parameters=given, tags={})]
        return list(stacks_of(_folder(what), place, parameters))

    def _deploy_by_cdk(
        self, folder: Path, stacks: Sequence[Stack], cdk: Sequence[str], region: str
    ) -> dict[str, dict[str, str]]:
        places = [place for place in dict.fromkeys(stack.place for stack in stacks) if place not in self._bootstrapped]
        if places:
            self._run(
                [*cdk, "bootstrap", *(f"aws://{place.account}/{place.region}" for place in places)], region, folder
            )
            self._bootstrapped.update(places)
        given = [
            part
            for stack in stacks
            for key, value in stack.parameters.items()
            for part in ("--parameters", f"{stack.name}:{key}={value}")
        ]
        self._run(
            [*cdk, "deploy", "--all", "--require-approval", "never", "--app", str(folder), *given], region, folder
        )
        found = {}
        for stack in stacks:
            client = self.client("cloudformation", stack.place.region, stack.place.account)
            outputs = client.describe_stacks(StackName=stack.name)["Stacks"][0].get("Outputs", ())
            found[stack.name] = {output["OutputKey"]: output["OutputValue"] for output in outputs}
        return found

    def _run(self, command: Sequence[str], region: str, folder: Path) -> None:
        # In the assembly's folder: in that of the app the command line would synthesize it before a bootstrap.
        done = subprocess.run(  # noqa: S603 - the CDK command line that the test names
            command,
            cwd=folder,
            env={**os.environ, **self.environment(region)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            raise DeployError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}")


def _folder(what: Any) -> Path:
    if isinstance(what, Path | str):
        return Path(what).resolve()
    if isinstance(what, Mapping):
        raise DeployError("the CDK command line deploys apps and cloud assemblies, not templates")
    return Path((what.synth() if hasattr(what, "synth") else what).directory).resolve()
