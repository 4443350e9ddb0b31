"""Runs the components of a build for real, on the files of its instance."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from cdk_ami.errors import ConfigError
from cdk_ami.recipe.document import parse_document
from cdk_ami.runtime.component.outcome import StepOutcome
from cdk_ami.runtime.component.place import PlaceError
from cdk_ami.runtime.component.process import RunStoppedError
from cdk_ami.runtime.component.runner import run_document
from cdk_ami.sandbox import clients, environment
from cdk_ami.sandbox.imagebuilder import arns
from cdk_ami.sandbox.imagebuilder.engine.machines import MACHINES, Machine
from cdk_ami.sandbox.imagebuilder.engine.plan import ComponentUse, Place
from cdk_ami.sandbox.imagebuilder.engine.session import Session, StepError, StoppedError
from cdk_ami.sandbox.imagebuilder.records import Record

_LINES_IN_REASON: Final = 5
"""Last lines of a failed step that the reason of its image tells."""

_ANCESTORS_MAX: Final = 32


def run(
    session: Session,
    image: Record,
    components: Sequence[ComponentUse],
    *,
    phases: Sequence[str],
    instance_id: str,
    tell: Callable[[str], None],
) -> None:
    """Run phases of all components on an instance: each phase of all of them in the recipe's order.

    Raises:
        StepError: With the step that failed and what it printed.
        StoppedError: When the build was stopped.
    """
    recipe = image.body.get("imageRecipe") or {}
    given = [_parameters(used) for used in recipe.get("components") or ()]
    for phase in phases:
        for component, parameters in zip(components, given, strict=True):
            session.check()
            if phase not in component.document.phases:
                continue
            parsed = arns.parse(component.arn)
            if image.body["platform"] == "Windows":
                tell(f"Component {component.arn}: phase {phase}: passed, for only components of Linux run here")
            elif parsed is not None and parsed.account == arns.MANAGED:
                tell(
                    f"Component {component.arn}: phase {phase}: passed, for AWS manages it and its document is not here"
                )
            else:
                _Run(session, component, parameters, tell).go(phase, instance_id)


class _Run:
    """One phase of one component; listens to its steps."""

    def __init__(
        self, session: Session, component: ComponentUse, parameters: Mapping[str, str], tell: Callable[[str], None]
    ) -> None:
        self._session, self._component, self._given, self._tell = session, component, parameters, tell

    def go(self, phase: str, instance_id: str) -> None:
        arn, home = self._component.arn, self._session.home
        try:
            machine = MACHINES.on(instance_id, lambda: list(_ancestors(self._session, instance_id)))
            outcome = run_document(
                parse_document(self._component.text, where=arn),
                machine.place,
                aws=_SandboxAws(home),
                name=arn,
                phases=[phase],
                parameters=self._given,
                listener=self,
                stopped=self._session.stopped,
                memory=_memory(machine, arn),
            )
        except RunStoppedError:
            raise StoppedError from None
        except (ConfigError, PlaceError) as error:
            raise StepError(home, str(error)) from error
        if failure := outcome.failure:
            raise StepError(home, self._reason(failure))

    def step_started(self, phase: str, name: str, action: str) -> None:
        self._tell(f"Component {self._component.arn}: phase {phase}, step {name} ({action}): started")

    def line(self, stream: str, text: str) -> None:
        self._tell(f"{stream}: {text}")

    def step_ended(self, outcome: StepOutcome) -> None:
        at = f"Component {self._component.arn}: phase {outcome.phase}, step {outcome.name} ({outcome.action})"
        why = f": {outcome.message}" if outcome.message else ""
        self._tell(f"{at}: {outcome.status} in {outcome.seconds:.2f} s{why}")

    def _reason(self, failure: StepOutcome) -> str:
        said = " | ".join(failure.lines[-_LINES_IN_REASON:])
        printed = f"; it printed: {said}" if said else ""
        at = f"component {self._component.name}, phase {failure.phase}, step {failure.name}"
        return f"{at}: {failure.message}{printed}"


def _memory(machine: Machine, arn: str) -> Any:
    return machine.memories.setdefault(arn, {})


def _parameters(used: Mapping[str, Any]) -> dict[str, str]:
    return {one["name"]: ",".join(one["value"]) for one in used.get("parameters") or ()}


def _ancestors(session: Session, instance_id: str) -> Iterator[str]:
    """Yield the AMI of an instance, and those that it was made from."""
    found = session.call("ec2", "describe_instances", InstanceIds=[instance_id])
    image_id, region = found["Reservations"][0]["Instances"][0]["ImageId"], session.home.region
    for _ in range(_ANCESTORS_MAX):
        yield image_id
        at = Place(region=region, account=session.home.account)
        images = session.call("ec2", "describe_images", at=at, Filters=[{"Name": "image-id", "Values": [image_id]}])
        source = images["Images"][0] if images["Images"] else {}
        if not source.get("SourceImageId"):
            return
        image_id, region = source["SourceImageId"], source.get("SourceImageRegion") or region


class _SandboxAws:
    """The sandbox itself, for the steps of a build."""

    def __init__(self, home: Place) -> None:
        self._home = home
        self.variables: Mapping[str, str] = {
            name: value
            for name, value in environment.variables(clients.endpoint(), region=home.region).items()
            if name.startswith("AWS_") and name != "AWS_PAGER"
        }

    def client(self, service: str) -> Any:
        """Return a client that acts as the account of the build."""
        return clients.client(service, self._home.region, self._home.account)
